#!/usr/bin/env bats
# rejoin-log and what a command of the user prints: cmd:ARGV.
load helper
load hub

setup() {
	begin
	cp -r "$TOP/packaging/formats.d" "$REJOIN_CONFIG_DIR/"
}

@test "a command is started again behind its last id: each record once" {
	cat >numbers <<'X'
#!/bin/sh
i=$1
while [ "${i:-0}" -lt 200 ]; do
	i=$((${i:-0} + 1))
	text="2026-11-21T20:00:00.$(printf %03d $i)Z line $i"
	printf 'event %d %d\n%s\n' ${#text} $i "$text"
	[ $((i % 40)) -ne 0 ] || exit 0
done
exec sleep 60
X
	chmod +x numbers
	start log rejoin-log -f "cmd:$PWD/numbers \${last}"
	wait_for '[ "$(wc -l <log.out)" = 200 ]' 30
	diff <(seq 200) <(sed 's/.* line //' log.out)
	grep -q 'its command ended with 0; starting it again' log.err
}

@test "mosquitto_sub is a source" {
	broker
	start log rejoin-log -f "mqtt=cmd:mosquitto_sub -p $PORT -q 1 -t logs/+ -F 'event %l %m\\n%p'"
	wait_for 'mosquitto_pub -p $PORT -q 1 -t logs/a -m "2026-11-21T20:00:01.000Z hello"; grep -q hello log.out'
	mosquitto_pub -p "$PORT" -q 1 -t logs/a -m '2026-11-21T20:00:02.000Z second'
	wait_for 'grep -q second log.out'
}

@test "what cannot be a command source is said so" {
	run --separate-stderr rejoin-log cmd:true
	status_is 2
	err_has 'can only be followed'
	run --separate-stderr rejoin-log -f 'cmd:'
	status_is 2
	run --separate-stderr rejoin-log -f "cmd:'open"
	status_is 2
	run --separate-stderr timeout 20 rejoin-log -f cmd:/no/such/program
	err_has 'No such file'
}

# children PID - the processes that it has started
children() { cat /proc/"$1"/task/*/children 2>/dev/null; }

@test "kcat is a source: eight partitions, kcat killed again and again, every record once and in order" {
	needs kcat
	n=40 kills=20
	[ -z "${SOAK-}" ] || n=400
	mkfifo hold
	exec 8<>hold
	start mock sh -c 'exec kafkamock logs 8 <hold'
	wait_for '[ -s mock.out ]'
	read -r brokers <mock.out
	# a request goes from each partition to the next one, whose clock is behind
	produce() {
		local i=$1 p
		for p in 0 2 4 6; do
			printf '2026-11-21T20:%02d:%02d.500Z sends %d.%d\n' $((i / 60)) $((i % 60)) "$p" "$i" |
				kcat -P -b "$brokers" -t logs -p "$p"
			printf '2026-11-21T20:%02d:%02d.400Z serves %d.%d\n' $((i / 60)) $((i % 60)) "$p" "$i" |
				kcat -P -b "$brokers" -t logs -p $((p + 1))
		done
	}
	printf '[hop]\nsend = sends (?<id>\\S+)\nrecv = serves (?<id>\\S+)\n' >hop.conf
	sources=()
	for p in 0 1 2 3 4 5 6 7; do
		sources+=("p$p=cmd:$TOP/packaging/examples/kcat-source.sh $brokers logs $p \${last}")
	done
	start log rejoin-log -f --rules hop.conf --save-state saved --json "${sources[@]}"
	killed=0
	for ((i = 0; i < n; i++)); do
		produce "$i"
		[ $((i % (n / kills))) -eq 0 ] || continue
		for c in $(children "$log_pid"); do
			[ $((RANDOM % 3)) -ne 0 ] || kill -KILL "$c" 2>/dev/null || continue
			killed=$((killed + 1))
		done
	done
	[ "$killed" -ge "$kills" ]
	wait_for '[ "$(wc -l <log.out)" -eq $((8 * n)) ]' 90 || { wc -l log.out; tail -3 log.err; false; }
	run -0 bash -c "jq -r .text log.out | sort | uniq -d | wc -l"
	out_is 0
	# no request is served before it is sent
	run -0 awk '{ if (match($0, /sends [0-9.]+/)) sent[substr($0, RSTART + 6, RLENGTH - 6)] = 1
		if (match($0, /serves [0-9.]+/) && !sent[substr($0, RSTART + 7, RLENGTH - 7)]) bad++ }
		END { print bad + 0 }' log.out
	out_is 0
}
