#!/bin/bash
# Run tests and count them: check.sh lint|unit|bats|fuzz|system...
#
# Prints a line as each piece ends, what failed in full, and last of all
# "N passed, N failed, N skipped"; ends with 1 where something failed.
# Counted: each rule of the lint, each unit test program, each test of a bats
# file, each fuzz target.  Settings: B, where the programs are; JOBS, how many
# pieces at a time, and twice as many bats files, which wait most of the time;
# EMULATOR, a program that runs unit tests built for another machine; T, the
# bats files instead of all; FUZZTIME, seconds a target; SLOWEST, how many of
# the slowest tests to list at the end; TALLY, a file to which the counts are
# appended, for a run of many.
set -u
cd "$(dirname "$0")/.." || exit
: "${B:=$PWD/build}" "${JOBS:=2}" "${FUZZTIME:=5}"
export B LC_ALL=C
what=$*
work=$B/check/${what// /-}
rm -rf "$work"
mkdir -p "$work"
trap 'exit 130' INT TERM

# one NAME COMMAND... - a test that is one program; it cannot run here if it ends with 77, and its last line says why
one() {
	local name=$1 log=$work/${1//\//_}.log status begun=$SECONDS
	shift
	"$@" >"$log" 2>&1
	status=$?
	if [ "$status" -eq 0 ]; then
		echo "ok $name" >"$work/${name//\//_}.tap"
	elif [ "$status" -eq 77 ] && [ -z "${STRICT-}" ]; then
		echo "ok $name # skip $(tail -n 1 "$log")" >"$work/${name//\//_}.tap"
	else
		printf 'not ok %s (status %s)\n' "$name" "$status" >"$work/${name//\//_}.tap"
		sed 's/^/# /' "$log" >>"$work/${name//\//_}.tap"
	fi
	show "$name" "$work/${name//\//_}.tap" $((SECONDS - begun))
}

# one_bats FILE - a file of tests, each of which counts.  Those tagged "plain"
# inject faults, or follow system calls, and are not for programs with a
# sanitizer in them, which has calls of its own; those tagged "soak" take long.
one_bats() {
	local name=${1%.bats} tap status tags="" begun=$SECONDS
	name=${name#test/}
	tap=$work/${name//\//_}.tap
	[ -n "${SOAK-}" ] || tags='!soak'
	[ -z "${SAN-}" ] || tags=${tags:+$tags,}!plain
	bats --formatter tap --timing ${tags:+--filter-tags "$tags"} "$1" >"$tap" 2>&1 </dev/null
	status=$?
	# A file that breaks off has fewer results than it planned.
	awk -v status="$status" '/^1\.\.[0-9]+/ { plan = substr($1, 4) } /^ok / { n++ } /^not ok / { n++; bad++ }
		END { while (n++ < plan) { print "not ok " n " was not run"; bad++ }
		if (status && !bad) print "not ok 0 bats ended with status " status }' "$tap" >"$tap.more"
	cat "$tap.more" >>"$tap"
	rm "$tap.more"
	show "$name" "$tap" $((SECONDS - begun))
}

# show NAME TAP SECONDS - one line for a piece that ended, and all of it where it failed
show() {
	local p f s
	read -r p f s < <(count "$2")
	printf '  %-7s %s (%s%s%s, %s s)\n' "$([ "$f" -eq 0 ] && echo pass || echo FAIL)" "$1" "$p passed" \
		"$([ "$f" -eq 0 ] || echo ", $f failed")" "$([ "$s" -eq 0 ] || echo ", $s skipped")" "$3"
	[ "$f" -eq 0 ] || sed -n '/^not ok/,/^ok/{/^ok/!p}' "$2" | sed 's/^/    /'
}

count() {
	awk '/^ok .*# skip/ { s++; next } /^ok / { p++ } /^not ok / { f++ }
		END { print p + 0, f + 0, s + 0 }' "$@"
}

# libjq's own leaks are passed over.  To tell them from ours takes slow, whole stacks.
leaks() {
	export ASAN_OPTIONS=fast_unwind_on_malloc=0
	export LSAN_OPTIONS=suppressions=$top/test/fuzz/lsan.supp:print_suppressions=0
}

# Fuzz quickly without looking for leaks, then look for them with all that was
# found on the way.
run_fuzz() {
	local corpus=test/fuzz/corpus/$1 found=$B/corpus/$1

	mkdir -p "$found"
	[ -d "$corpus" ] || corpus=
	ASAN_OPTIONS=detect_leaks=0 "$B/fuzz/$1" -max_total_time="$FUZZTIME" -timeout=10 \
		-rss_limit_mb=2048 -verbosity=0 -artifact_prefix="$B/crash-$1-" "$found" ${corpus:+"$corpus"} &&
	leaks &&
	"$B/fuzz/$1" -runs=0 -verbosity=0 -artifact_prefix="$B/crash-$1-" "$found" ${corpus:+"$corpus"} && return
	printf 'to see it again: %s FILE, one of\n' "$B/fuzz/$1"
	ls "$B/crash-$1"-* 2>/dev/null
	return 1
}

# A private home for a unit test, as test/helper.bash gives to the tools.
run_unit() {
	local dir limit=300
	dir=$(mktemp -d "${TMPDIR:-/tmp}/rejoin-unit.XXXXXX") || return
	[ -z "${EMULATOR-}" ] || limit=1800
	(cd "$dir" && leaks && env -u REJOIN_AGENT TMPDIR="$dir" REJOIN_CONFIG_DIR="$dir/etc" \
		REJOIN_STATE_DIR="$dir/state" REJOIN_RUNTIME_DIR="$dir/run" \
		timeout "$limit" ${EMULATOR:+"$EMULATOR"} "$B/unit/$1")
	local status=$?
	rm -rf "$dir"
	return $status
}

# many FUNCTION N - it for each line of stdin, N at a time
many() {
	xargs -r -P "$2" -I '{}' bash -c "$1 \"\$@\"" - '{}'
}

unit_piece() { one "unit/$1" run_unit "$1"; }
fuzz_piece() { one "fuzz/$1" run_fuzz "$1"; }
export -f one one_bats show count leaks run_fuzz run_unit unit_piece fuzz_piece
top=$PWD
export work top FUZZTIME

names() { find "$1" -maxdepth 1 -name "$2" -printf '%f\n' 2>/dev/null | sed 's/\.[a-z]*$//' | LC_ALL=C sort; }

# With a sanitizer in them the programs need the processor, and not time.
at_once=$((JOBS * 2))
[ -z "${SAN-}" ] || at_once=$JOBS

for kind; do
	echo "$kind:"
	begun=$SECONDS
	case $kind in
	lint)
		B=${B#"$PWD/"} test/lint.sh >"$work/lint.tap" 2>"$work/lint.err" ||
			[ -s "$work/lint.tap" ] || echo "not ok lint" >"$work/lint.tap"
		sed 's/^/# /' "$work/lint.err" >>"$work/lint.tap"
		show lint "$work/lint.tap" "$((SECONDS - begun))"
		;;
	unit)
		names test/unit '*.c' | many unit_piece "$JOBS"
		;;
	bats)
		# the largest first, so that the last to end is a small one
		# shellcheck disable=SC2012,SC2086	# names of our own; one word a file
		ls -S ${T:-test/*.bats} | many one_bats "$at_once"
		;;
	fuzz)
		names test/fuzz '*.c' | many fuzz_piece "$JOBS"
		;;
	system)
		bats_dir=test/system
		# shellcheck disable=SC2012,SC2086
		ls ${T:-$bats_dir/*.bats} | while read -r f; do one_bats "$f"; done
		;;
	*)
		echo "check: no such kind: '$kind'" >&2
		exit 2
		;;
	esac
done

# Why: a line for each reason, with how many tests and in which files.
skips() {
	find "$work" -name '*.tap' -exec awk '/^ok .*# skip/ {
		n = split(FILENAME, path, "/"); sub(/\.tap$/, "", path[n]); sub(/.*# skip */, ""); print $0 "\t" path[n] }' {} + |
		sort | awk -F'\t' '
		function show() { if (count) printf "skipped %d: %s (%s)\n", count, why, files }
		$1 != why { show(); why = $1; count = 0; files = ""; last = "" }
		{ count++ }
		$2 != last { files = files (files != "" ? ", " : "") $2; last = $2 }
		END { show() }'
}

# "ok 7 NAME in 1234ms" of the bats files: the slowest first
slowest() {
	find "$work" -name '*.tap' -exec awk '/^(not )?ok .* in [0-9]+ms/ {
		n = split(FILENAME, path, "/"); sub(/\.tap$/, "", path[n]); ms = $0
		sub(/ in [0-9]+ms.*/, ""); sub(/^(not )?ok [0-9]+ /, ""); name = $0
		sub(/.* in /, "", ms); printf "%7.1f s  %s: %s\n", ms / 1000, path[n], name }' {} + |
		sort -rn | sed -n "1,${SLOWEST}p"
}

[ -z "${SLOWEST-}" ] || slowest
skips
read -r passed failed skipped < <(find "$work" -name '*.tap' -exec cat {} + | count -)
[ -z "${TALLY-}" ] || echo "$passed $failed $skipped" >>"$TALLY"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
