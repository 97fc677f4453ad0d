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
