#!/bin/bash
# The page of --html with 100,000 records, in headless Chromium.
set -eu
dir=$(mktemp -d "${TMPDIR:-/tmp}/rejoin-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
export REJOIN_CONFIG_DIR=$dir/etc
mkdir "$dir/etc" "$dir/ids"
${CC:-cc} -O2 -o "$dir/gen" "$(dirname "$0")/loggen.c"
cat >"$dir/ids.conf" <<'END'
[m]
kind = message
send = tx=(?<id>[0-9a-f]+)
recv = rx=(?<id>[0-9a-f]+)
END
"$dir/gen" "$dir/ids" 8 $((3 << 19)) ids
start=${EPOCHREALTIME/./}
rejoin-log --rules "$dir/ids.conf" -n 100000 --html "$dir/page.html" "$dir"/ids/*
printf 'rejoin-log --html, 100,000 records\t-\t%s ms, %s MiB\t-\n' $(((${EPOCHREALTIME/./} - start) / 1000)) \
	$(($(stat -c %s "$dir/page.html") >> 20))
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0")/.. python3 "$(dirname "$0")/page.py" "$dir/page.html"
