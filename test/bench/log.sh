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

# against WHAT REACH OURS THEIRS - how many times as fast ours is, medians of one run; by user + sys, too
against() {
	hyperfine -w 1 -r "${RUNS-5}" --export-json "$dir/times" "$3 >/dev/null" "$4 >/dev/null" >/dev/null 2>&1
	printf '%s\t%.44s\t%s\t%s\n' "$1" "${4//$dir\//}" "$(jq -r '
		def at(f): .results | (.[1] | f) / (.[0] | f) * 100 | round / 100;
		"\(at(.median)) x, by user + sys \(at(.user + .system)) x"' "$dir/times")" "$2"
}

# both WHAT REACH REACH_PIPE OURS THEIRS - the same to /dev/null and to | cat
both() {
	against "$1" "$2" "$4" "$5"
	against "$1, | cat" "$3" "$4 | cat" "$5 | cat"
}

# memory WHAT REACH COMMAND... - the most that the command has resident
memory() {
	local what=$1 reach=$2
	shift 2
	printf 'memory, %s\t-\t%s MiB\t%s\n' "$what" \
		"$(($(/usr/bin/time -f %M "$@" 2>&1 >/dev/null | tail -1) / 1024))" "$reach"
}

# other NAME COMMAND - a tool that may not be there
other() {
	if command -v "${2%% *}" >/dev/null; then
		against "rejoin-log, as $1" '-' "$3" "$2"
	else
		printf 'rejoin-log, as %s\t%s\tis not installed\t-\n' "$1" "${2%% *}"
	fi
}

cat >"$dir/life.conf" <<'EOF'
[l]
kind = lifecycle
stop = shutting down
start = starting up
within = 5s
EOF

make_logs iso 8 "$size" iso
iso="$dir/iso/*"
both "rejoin-log, 8 x $size MiB" '3.6 x, 4.5 x aimed at' '3 x' "rejoin-log $iso" "sort -m $iso"
both 'the same on one core' '2.0 x, 2.4 x aimed at' - "taskset -c 0 rejoin-log $iso" "taskset -c 0 sort -m $iso"
pipes=$(for f in "$dir"/iso/*; do printf ' <(cat %s)' "$f"; done)
against 'from eight pipes' '2.5 x' "bash -c 'rejoin-log$pipes'" "bash -c 'sort -m$pipes'"
against '--json, three members' '2 x' "rejoin-log --json $iso" "sort -m $iso"
against '--include' '1.5 x' "rejoin-log --include st=200 $iso" "sort -m $iso"
against '--level' '1.5 x' "rejoin-log --level warning $iso" "sort -m $iso"
against '--prefix' '1.5 x' "rejoin-log --prefix always $iso" "sort -m $iso"
against '--explain' '1.5 x' "rejoin-log --explain $iso" "sort -m $iso"
none=$(for f in "$dir"/iso/*; do printf ' %s,order=none' "$f"; done)
against 'order=none' '1 x' "rejoin-log$none" "sort -m $iso"
emitters=$(for f in "$dir"/iso/*; do printf " '%s,emitter=app.[0-9]+'" "$f"; done)
against 'emitters' '1 x' "rejoin-log$emitters" "sort -m $iso"
against 'a lifecycle rule' '1 x' "rejoin-log --rules $dir/life.conf $iso" "sort -m $iso"
memory 'plain' '< 32 MiB' rejoin-log "$dir"/iso/*
memory 'JSON' '< 32 MiB' rejoin-log --json "$dir"/iso/*
memory 'explain' '< 32 MiB' rejoin-log --explain "$dir"/iso/*
# shellcheck disable=SC2086	# words
memory 'order=none' '< 32 MiB and a window' rejoin-log $none
# shellcheck disable=SC2086
memory 'order=none, --buffer 4M' '< 48 MiB' rejoin-log --buffer 4M $none
rm -r "$dir/iso"
head -c 200000000 /dev/zero | tr '\0' x >"$dir/long"
memory 'a 200 MB line' '< 16 MiB' rejoin-log "$dir/long"
memory 'a 200 MB line, JSON' '< 16 MiB' rejoin-log --json "$dir/long"
rm "$dir/long"
make_logs syslog 8 "$size" syslog
both 'in the syslog format' '4 x' - "rejoin-log $dir/syslog/*" "sort -m $dir/syslog/*"
against 'the same on one core' '2.5 x' "taskset -c 0 rejoin-log $dir/syslog/*" "sort -m $dir/syslog/*"
rm -r "$dir/syslog"
make_logs ids 8 "$size" ids
ids="--rules $dir/ids.conf $dir/ids/*" sorted="sort -m $dir/ids/*"
both 'with an id on every line, one pass' '2.4 x' - "rejoin-log $ids" "$sorted"
against 'the same on one core' '1.3 x' "taskset -c 0 rejoin-log $ids" "$sorted"
both 'the same, a clock 20 ms off' '1.8 x' - "rejoin-log --offset off --offset n000.log=20ms $ids" "$sorted"
both 'the same, --exact' '1.5 x' - "rejoin-log --exact $ids" "$sorted"
against 'the same, --json' '1.3 x' "rejoin-log --json $ids" "$sorted"
for how in '' --exact --json --explain; do
	# shellcheck disable=SC2086	# none or one word
	memory "ids${how:+, $how}" '< 32 MiB' rejoin-log $how --rules "$dir/ids.conf" "$dir"/ids/*
done
rm -r "$dir/ids"
make_logs many 64 2 iso
both 'rejoin-log, 64 x 2 MiB' '4.5 x' - "rejoin-log $dir/many/*" "sort -m --batch-size=64 $dir/many/*"
other 'lnav -n, 64 x 2 MiB' "lnav -n $dir/many/*" "rejoin-log $dir/many/*"
rm -r "$dir/many"
mkdir "$dir/thousand"
"$dir/gen" "$dir/thousand" 1000 65536 iso
both 'rejoin-log, 1,000 x 64 KiB' '3.5 x' - "rejoin-log $dir/thousand/*" "sort -m --batch-size=64 $dir/thousand/*"
memory '1,000 files' '< 64 MiB' rejoin-log "$dir"/thousand/*
rm -r "$dir/thousand"
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
