#!/bin/bash
# Compare rejoin-log with the oracle on random messy logs, one seed after the other:
#
#	differ.sh FIRST COUNT [MODE...]		modes: one json exact minimax live hold; all where none is named
#
# The bytes must be the same where the oracle dropped no edge of a cycle and let
# nothing go early; else every record must still be there, and no more than the
# oracle's may be unmatched, late, dropped or early.  As JSON the oracle's edges must be among the new ones.  The cases in differ.cases
# differ on purpose, each with its reason and its golden output.
#
# KEEP=1 keeps the input of each difference; B and ORACLE are the two builds.
set -u
here=$(cd "$(dirname "$0")" && pwd)
first=${1:?} count=${2:?}
shift 2
[ $# -gt 0 ] || set -- one json exact minimax live hold
B=${B:-$here/../build}
ORACLE=${ORACLE:-$("$here/oracle.sh")} || exit
dir=$(mktemp -d "${TMPDIR:-/tmp}/rejoin-differ.XXXXXX")
[ -n "${KEEP-}" ] || trap 'rm -rf "$dir"' EXIT
export LC_ALL=C TZ=UTC

# merge BUILD MODE OUT - the records to OUT, the counts to OUT.count
merge() {
	local how=()
	case $2 in
	live) "$1/tool/log-script" . ;;
	hold) "$1/tool/log-script" --hold 400 . ;;
	*)
		case $2 in
		exact) how=(--exact) ;;
		minimax) how=(--order=minimax) ;;
		json) how=(--json) ;;
		esac
		"$1/bin/rejoin-log" -v "${options[@]}" "${how[@]}" --offset off --rules rules.conf "${operands[@]}"
		;;
	esac >"$3" 2>"$3.err"
	status=$?
	grep ' records, ' "$3.err" | sed 's/^rejoin-log: //' >"$3.count"
	[ "$status" -eq 0 ] || echo "status $status: $(tail -1 "$3.err")" >>"$3.count"
}

# count FILE WORD - the number before WORD
count() {
	sed -n "s/.*[ ^]\([0-9]*\) $2.*/\1/p" "$1" | head -1
}

# excused MODE SEED - is it a case that differs on purpose, and has its golden output?
excused() {
	local sum
	sum=$(sed -n "s/^$1 $2 \([0-9a-f]*\) .*/\1/p" "$here/differ.cases" 2>/dev/null)
	[ -n "$sum" ] && [ "$sum" = "$(sha256sum <new | cut -c1-16)" ]
}

# same_records - JSON lines that differ in "edges" alone, where the new ones hold all of the old ones?
same_records() {
	cmp -s <(jq -c 'del(.edges)' old) <(jq -c 'del(.edges)' new) &&
		paste -d '\n' <(jq -c .edges old) <(jq -c .edges new) |
			jq -en 'reduce inputs as $old (true; . and (input as $new | ($old - $new) == []))' >/dev/null
}

# alike MODE - is the new result as good as the old one?
alike() {
	local odd word
	odd=$(($(count old.count 'edges of cycles') + $(count old.count 'released early')))
	if [ "$odd" -eq 0 ]; then
		cmp -s old new || { [ "$1" = json ] && same_records; }
		return
	fi
	if [ "$1" = json ]; then
		cmp -s <(jq -c '[.source, .text]' old | sort) <(jq -c '[.source, .text]' new | sort) || return 1
	else
		cmp -s <(sort old) <(sort new) || return 1
	fi
	for word in 'edges of cycles' 'released early' late; do
		[ "$(count new.count "$word")" -le "$(count old.count "$word")" ] || return 1
	done
}

differ=0 strict=0 runs=0
for ((seed = first; seed < first + count; seed++)); do
	mkdir -p "$dir/$seed"
	cd "$dir/$seed" || exit
	"$B/tool/log-mess" "$seed" . || exit
	export REJOIN_CONFIG_DIR=$PWD/etc
	mapfile -t operands <operands
	mapfile -t options <options
	bad=
	for mode; do
		merge "$ORACLE" "$mode" old
		merge "$B" "$mode" new
		runs=$((runs + 1))
		cmp -s old new && strict=$((strict + 1))
		alike "$mode" || excused "$mode" "$seed" || bad="$bad $mode"
	done
	if [ -n "$bad" ]; then
		differ=$((differ + 1))
		echo "differ: seed $seed:$bad${KEEP:+ ($PWD)}"
	elif [ -z "${KEEP-}" ] || [ -z "$bad" ]; then
		cd "$dir" && rm -rf "${dir:?}/$seed"
	fi
done
echo "differ: $runs runs, $strict the same bytes, $differ seeds of $count differ"
[ "$differ" -eq 0 ]
