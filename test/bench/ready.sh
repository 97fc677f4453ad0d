#!/bin/bash
# rejoin-ready: what a gate passes beside cat, taken in turns; what is lost when
# the peer flaps; an announcement beside a program that does nothing; waiting.
set -u
# what is passed must come from memory, and so must what the peer says
dir=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")" rejoin-bench.XXXXXX) || exit
runner=
trap '[ -z "$runner" ] || kill "$runner"; rm -rf "$dir"' EXIT
export REJOIN_CONFIG_DIR=$dir/etc REJOIN_RUNTIME_DIR=$dir/run REJOIN_STATE_DIR=$dir/state
row() { printf '%s\t%s\t%s\t%s\n' "$@"; }

size=$((${GATE_MIB:-1024} << 20))
yes 'a line as logs have it, of no more than ordinary length' | head -c $size >"$dir/lines"
rejoin-ready announce lamp || exit

# seconds SHELL-TEXT
seconds() {
	local begin=${EPOCHREALTIME/./}
	eval "$1"
	echo $((${EPOCHREALTIME/./} - begin))
}
# beside WHAT TEXT - TEXT with @ as cat and as the gate, in turns: the median of the ratios
beside() {
	local i cat gate
	for i in 1 2 3 4 5 6 7; do
		cat=$(seconds "${2//@/cat}")
		gate=$(seconds "${2//@/rejoin-ready gate lamp}")
		echo "$cat $gate"
	done | awk '{ print $1 / $2 }' | sort -n | sed -n 4p >"$dir/ratio"
	row "$1" 'cat, in turns' "$(printf '%.2f x' "$(cat "$dir/ratio")")" '>= 0.8 x'
}
# cost CMD... - user and system milliseconds that it takes to pass the lines to a pipe
cost() {
	local TIMEFORMAT='%U %S'
	{ { time "$@" <"$dir/lines"; } 2>&3 | cat >/dev/null; } 3>&1 | awk '{ print ($1 + $2) * 1000 }'
}
# shellcheck disable=SC2016	# for eval
{
beside "rejoin-ready gate, $((size >> 20)) MiB, pipe to pipe" 'cat "$dir/lines" | @ | cat >/dev/null'
beside 'the same, file to pipe' '@ <"$dir/lines" | cat >/dev/null'
beside 'the same, pipe to file' 'cat "$dir/lines" | @ >"$dir/out"'
}
rm -f "$dir/out"
for i in 1 2 3 4 5 6 7; do
	echo "$(cost cat) $(cost rejoin-ready gate lamp)"
done | awk '{ print $1 / $2 }' | sort -n | sed -n 4p >"$dir/ratio"
row 'the same, file to pipe, by user + sys of each alone' 'cat, in turns' \
	"$(printf '%.2f x' "$(cat "$dir/ratio")")" '-'

flap() {
	for ((i = 0; i < 100; i++)); do
		rejoin-ready forget lamp
		rejoin-ready announce lamp --incarnation "p$i"
	done
}
seq 20000000 >"$dir/lines"
flap & runner=$!
want=$(cksum <"$dir/lines")
got=$(rejoin-ready gate lamp <"$dir/lines" | cksum)
wait $runner
runner=
row 'a gate whose peer flaps 100 times' '-' "$([ "$want" = "$got" ] && echo 'nothing lost' || echo LOST)" 'nothing lost'

printf 'int main(void) { return 0; }\n' >"$dir/null.c"
"$CC" -O2 -o "$dir/null" "$dir/null.c" || exit
hyperfine -N --warmup 50 --runs 500 --export-json "$dir/times" --style none \
	"$dir/null" 'rejoin-ready announce lamp' >/dev/null 2>&1 || exit
read -r null ours < <(jq -r '[.results[].median | tostring] | join(" ")' "$dir/times")
row 'rejoin-ready announce' 'int main(void){return 0;}' \
	"$(awk -v a="$ours" -v b="$null" 'BEGIN { printf "%.2f x (%.2f ms)", a / b, a * 1000 }')" '-'

rejoin-ready forget lamp
rejoin-ready run lamp --grace 1s -- true >"$dir/said" &
runner=$!
until grep -q peer-offline "$dir/said"; do sleep 0.01; done
switches() { sed -n 's/^voluntary_ctxt_switches:[[:space:]]*//p' "/proc/$runner/status"; }
sleep 1
before=$(switches)
sleep 10
row 'rejoin-ready run, woken while the peer is offline' '10 s' "$(($(switches) - before)) times" '0 times'
begin=${EPOCHREALTIME/./}
rejoin-ready announce lamp
wait $runner || exit
row 'announced, to the cycle carried out' '-' "$(((${EPOCHREALTIME/./} - begin) / 1000)) ms" '-'
runner=
