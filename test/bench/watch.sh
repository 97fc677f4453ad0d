#!/bin/bash
# What rejoin-watch costs: from an event to its line, memory, waking up idle.
set -u
dir=$(mktemp -d) || exit
watcher=
trap '[ -z "$watcher" ] || kill "$watcher" 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir" || exit
runs=100 settle_us=50000

now() { echo "${EPOCHREALTIME/./}"; }

# row WHAT AGAINST MEASURED REACH
row() { printf '%s\t%s\t%s\t%s\n' "$@"; }

mkdir dev out
printf '{"components":[{"id":"a","properties":{"path":"%s","firmwareDataFile":"a.json"}}]}\n' \
	"$dir/dev" >inventory.json
echo '{"version":"1"}' >dev/a.json
mkfifo out/pipe
rejoin-watch -v -a --settle $((settle_us / 1000))ms --tree dev inventory.json >out/pipe 2>out/err &
watcher=$!
exec 3<out/pipe
until grep -q monitoring out/err; do sleep 0.02; done

# The shell itself writes the file: no process start is measured along.
times=()
for ((i = 0; i < runs; i++)); do
	begin=$(now)
	echo "{\"version\":\"1.$i\"}" >dev/a.json
	read -r -t 10 <&3 || exit
	times+=($(($(now) - begin - settle_us)))
done
mapfile -t times < <(printf '%s\n' "${times[@]}" | sort -n)
ms() { printf '%d.%02d' $(($1 / 1000)) $(($1 % 1000 / 10)); }
row 'rejoin-watch, event to line, less the settle time' "$runs writes, one by one" \
	"p50 $(ms "${times[runs / 2]}") ms, p99 $(ms "${times[runs - 2]}") ms" '<= 5 ms'

kib() { sed -n "s/^$1:[[:blank:]]*\([0-9]*\) kB/\1/p" "/proc/$watcher/$2"; }
row 'rejoin-watch, memory' 'peak of what is resident' "$(kib VmHWM status) KiB" '< 4096 KiB'
row 'rejoin-watch, memory' 'its share (PSS)' "$(kib Pss smaps_rollup) KiB" '< 4096 KiB'

switches() {
	sed -n 's/^voluntary_ctxt_switches:\t//p' "/proc/$watcher/status"
}
before=$(switches)
sleep 10
row 'rejoin-watch, woken while idle' '10 s, rescan 60 s' "$(($(switches) - before)) times" '0 times'
