#!/bin/bash
# The merge of logs, beside what else merges them.  SIZE is that of each of the
# eight files in MiB.
set -eu
dir=$(mktemp -d "${TMPDIR:-/tmp}/rejoin-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
size=${SIZE-128}
export REJOIN_CONFIG_DIR=$dir/etc
mkdir "$dir/etc"
${CC:-cc} -O2 -o "$dir/gen" "$(dirname "$0")/loggen.c"
cat >"$dir/ids.conf" <<'EOF'
[m]
kind = message
send = tx=(?<id>[0-9a-f]+)
recv = rx=(?<id>[0-9a-f]+)
EOF

# make NAME FILES MIB FORMAT - logs in $dir/NAME
make_logs() {
	mkdir "$dir/$1"
	"$dir/gen" "$dir/$1" "$2" $(($3 << 20)) "$4"
	cat "$dir/$1"/* >/dev/null
}

# against WHAT REACH OURS THEIRS - how many times as fast ours is, medians of one run
against() {
	hyperfine -w 1 -r "${RUNS-5}" --export-json "$dir/times" "$3 >/dev/null" "$4 >/dev/null" >/dev/null 2>&1
	printf '%s\t%s\t%s x\t%s\n' "$1" "${4//$dir\//}" \
		"$(jq -r '.results | (.[1].median / .[0].median * 100 | round / 100)' "$dir/times")" "$2"
}

# other NAME COMMAND - a tool that may not be there
other() {
	if command -v "${2%% *}" >/dev/null; then
		against "rejoin-log, as $1" '-' "$3" "$2"
	else
		printf 'rejoin-log, as %s\t%s\tis not installed\t-\n' "$1" "${2%% *}"
	fi
}

make_logs iso 8 "$size" iso
against "rejoin-log, 8 x $size MiB" '>= 1.7 x, 3 x with both cores' "rejoin-log $dir/iso/*" "sort -m $dir/iso/*"
against 'the same on one core' '>= 1.7 x' "taskset -c 0 rejoin-log $dir/iso/*" "taskset -c 0 sort -m $dir/iso/*"
against 'the same through a pipe' '>= 1.5 x' "rejoin-log $dir/iso/* | cat" "sort -m $dir/iso/* | cat"
rm -r "$dir/iso"
make_logs syslog 8 "$size" syslog
against 'in the syslog format' '>= 1.2 x' "rejoin-log $dir/syslog/*" "sort -m $dir/syslog/*"
rm -r "$dir/syslog"
make_logs ids 8 "$size" ids
against 'with an id on every line, one pass' '>= 1.2 x' "rejoin-log --rules $dir/ids.conf $dir/ids/*" "sort -m $dir/ids/*"
against 'the same on one core' '-' "taskset -c 0 rejoin-log --rules $dir/ids.conf $dir/ids/*" "taskset -c 0 sort -m $dir/ids/*"
against 'the same, a clock 20 ms off' '-' "rejoin-log --rules $dir/ids.conf --offset off --offset n000.log=20ms $dir/ids/*" "sort -m $dir/ids/*"
against 'the same, --exact' '>= 0.6 x' "rejoin-log --exact --rules $dir/ids.conf $dir/ids/*" "sort -m $dir/ids/*"
for how in '' --exact; do
	# shellcheck disable=SC2086	# none or one word
	printf 'memory, ids%s\t-\t%s MiB\t%s\n' "${how:+, $how}" \
		"$(($(/usr/bin/time -f %M rejoin-log $how --rules "$dir/ids.conf" "$dir"/ids/* 2>&1 >/dev/null | tail -1) / 1024))" \
		"$([ -n "$how" ] && echo - || echo '< 32 MiB')"
done
rm -r "$dir/ids"
make_logs many 64 2 iso
against 'rejoin-log, 64 x 2 MiB' '>= 2 x' "rejoin-log $dir/many/*" "sort -m --batch-size=64 $dir/many/*"
other 'lnav -n, 64 x 2 MiB' "lnav -n $dir/many/*" "rejoin-log $dir/many/*"
rm -r "$dir/many"
make_logs clf 8 16 clf
other 'mergelog, 8 x 16 MiB' "mergelog $dir/clf/*" "rejoin-log $dir/clf/*,format=auto"
rm -r "$dir/clf"
make_logs export 8 8 export
remote=/usr/lib/systemd/systemd-journal-remote
if [ -x "$remote" ] && command -v journalctl >/dev/null; then
	mkdir "$dir/journal" "$dir/etc/formats.d"
	cp "$(dirname "$0")/../../packaging/formats.d/journal-export.conf" "$dir/etc/formats.d/"
	for f in "$dir"/export/*; do
		"$remote" -o "$dir/journal/$(basename "$f" .log).journal" "$f" >/dev/null 2>&1
	done
	against 'rejoin-log, as journalctl --merge, 8 x 8 MiB' '-' "rejoin-log $dir/export/*" \
		"journalctl -q -D $dir/journal --merge -o export"
else
	printf 'rejoin-log, as journalctl --merge\tsystemd-journal-remote\tis not installed\t-\n'
fi
