#!/bin/bash
# What following costs: from the append to the line, records that wait, idling.
set -u
dir=$(mktemp -d) || exit
follower=
trap '[ -z "$follower" ] || kill "$follower" 2>/dev/null; rm -rf "$dir"' EXIT
top=$PWD
cd "$dir" || exit
mkdir etc
cp -r "$top/packaging/formats.d" "$top/packaging/rules.d" etc/
export REJOIN_CONFIG_DIR=$dir/etc
printf '[m]\nkind = message\nsend = tx=(?<id>\\w+)\nrecv = rx=(?<id>\\w+)\n' >m.conf

# row WHAT AGAINST MEASURED REACH
row() { printf '%s\t%s\t%s\t%s\n' "$@"; }

read -r tail50 tail99 < <(log-latency 3000 a.log b.log -- tail -q -F a.log b.log) || exit
read -r ours50 ours99 < <(log-latency 3000 a.log b.log -- rejoin-log -f --hold 0 a.log b.log) || exit
row 'rejoin-log -f --hold 0, append to line, p50' "tail -q -F: $tail50 us" \
	"$(awk "BEGIN { printf \"%.2f\", $ours50 / $tail50 }") x ($ours50 us)" '<= 2 x'
row 'the same, p99' "tail -q -F: $tail99 us" "$ours99 us" '< 1000 us'

for patience in 4s 1s; do
	out=$(log-streams 100000 60 rejoin-log -f --hold 0 --patience $patience --rules m.conf 2>err) || exit
	counted=$(sed -n 's/.* \([0-9]* unmatched, [0-9]* late\),.*/\1/p' err)
	row "8 streams delayed by 0 to 2.2 s, --patience $patience" "${out%%, latency*}" \
		"${out#*latency }${counted:+; $counted}" "$([ $patience = 1s ] || echo 'none violated, p50 <= 0.4 s, <= 65536 KiB')"
done

rejoin-log -f --hold 0 a.log b.log >out 2>&1 &
follower=$!
until [ -s out ]; do sleep 0.05; done
sleep 1
strace -q -f -o etc/calls -p "$follower" &
tracer=$!
sleep 10
kill "$tracer"
wait "$tracer" 2>/dev/null
row 'rejoin-log -f, system calls while idle' '10 s' "$(grep -vc 'resuming interrupted\|detached' etc/calls)" '0'
