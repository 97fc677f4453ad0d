#!/usr/bin/env bats
# The link to a broker, as its users and the hub see it.
load helper
load hub

@test "a wrong command line, and a profile that is none" {
	for args in '' frob send 'send gossip a' 'send telemetry' 'send telemetry a b' 'run x' answer call 'status x' 'config a b'; do
		PORT=1 profile rejoin
		# shellcheck disable=SC2086
		run --separate-stderr rejoin-hub $args </dev/null
		status_is 2
	done
	run --separate-stderr rejoin-hub send telemetry a/b <<<'{'
	status_is 2
	err_has 'is not JSON'
	run --separate-stderr rejoin-hub --no-such
	status_is 2
	run --separate-stderr rejoin-hub -A rejoin status
	status_is 2
	err_has 'has no [hub]'
	sed -i 's,127.0.0.1,broker.example,' "$REJOIN_CONFIG_DIR/agents.d/dev.conf"
	run --separate-stderr rejoin-hub status
	status_is 2
	err_has 'is not encrypted'
	sed -i 's,^dialect.*,dialect = azure,' "$REJOIN_CONFIG_DIR/agents.d/dev.conf"
	run --separate-stderr rejoin-hub status
	status_is 2
	err_has 'evp2'
}

@test "without a link: submitted where there is a directory, else said so" {
	free_port
	profile rejoin
	run --separate-stderr rejoin-hub send telemetry a/b --wait <<<1
	status_is 5
	run --separate-stderr rejoin-hub call m <<<1
	status_is 5
	run --separate-stderr rejoin-hub status
	status_is 5
	run --separate-stderr rejoin-hub config
	status_is 5
	# the broker is not there: the link waits, and takes what is submitted
	start hub rejoin-hub run
	wait_for 'state_is backoff || state_is connecting || state_is resolving'
	run -0 rejoin-hub send report x <<<1
	run --separate-stderr rejoin-hub send report x --wait --timeout 300ms <<<2
	status_is 4
	err_has 'stays in the outbox'
	wait_for '[ "$(rejoin-hub status --json | jq .urgent.records)" = 2 ]'
	run --separate-stderr rejoin-hub run
	status_is 6
	err_has "(pid $hub_pid)"
	kill_hard "$hub_pid"
	run --separate-stderr rejoin-hub status
	status_is 5
	run --separate-stderr bash -c 'rejoin-hub status --json >/dev/full'
	status_is 3
}

@test "evp2: the goal, configurations and calls come, and reports go as the EVP agent's" {
	broker
	profile evp2
	sub hub v1/devices/me/attributes/request/+ v1/devices/me/attributes v1/devices/me/telemetry v1/devices/me/rpc/response/+
	link fetching
	wait_for 'grep -q "^v1/devices/me/attributes/request/10000 {}$" hub.out' || cat hub.out
	# asked again until it is answered
	wait_for '[ "$(grep -c request/10000 hub.out)" -ge 2 ]'
	pub v1/devices/me/attributes/response/10000 '{"shared":{}}'
	wait_for 'state_is synced'
	[ ! -e "$HUB/goal.json" ]
	mosquitto_pub -p "$PORT" -q 1 -t v1/devices/me/attributes -f "$TOP/test/data/evp/evp2-deployment.json"
	wait_for '[ -e "$HUB/goal.json" ]'
	diff <(jq -S .deployment "$TOP/test/data/evp/evp2-deployment.json") <(jq -S . "$HUB/goal.json")
	pub v1/devices/me/attributes '{"configuration/tel/conf1":"{\"foo\":1}"}'
	wait_for '[ "$(rejoin-hub config tel | jq -r .value)" = "{\"foo\":1}" ]'
	run -0 rejoin-hub config other
	out_is ''
	pub v1/devices/me/attributes '{"configuration/tel/conf1":null}'
	wait_for '[ -z "$(rejoin-hub config)" ]'
	pub v1/devices/me/rpc/request/7 '{"method":"whatever","params":{"direct-command-request":{"reqid":"42","method":"test1","instance":"rpcx","params":"{\"a\":1}"}}}'
	wait_for '[ -n "$(rejoin-hub calls rpcx)" ]'
	run -0 jq -c '[.id,.instance,.method,.params]' <<<"$(rejoin-hub calls)"
	out_is '["7-42","rpcx","test1","{\"a\":1}"]'
	run -0 rejoin-hub answer 7-42 <<<'{"b":2}'
	wait_for 'grep -q "rpc/response/7 .*\"reqid\":\"42\",\"status\":\"ok\"" hub.out'
	[ -z "$(rejoin-hub calls)" ]
	run --separate-stderr rejoin-hub answer 7-42 --wait <<<'{}'
	status_is 2
	err_has 'no call'
	run -0 rejoin-hub send telemetry tel/conf1 <<<'{"foo":1}'
	wait_for 'grep -qF "v1/devices/me/telemetry {\"tel/conf1\":{\"foo\":1}}" hub.out'
	run -0 rejoin-hub send report deploymentStatus <<<'{"instances":{}}'
	wait_for 'grep -qF "v1/devices/me/attributes {\"deploymentStatus\":{\"instances\":{}}}" hub.out'
	# nothing of this comes back as the hub's own attributes
	run -0 jq -c 'keys' "$HUB/shared.json"
	out_is '["goal"]'
}

@test "reports are read back, and sent again where the hub has lost them" {
	broker
	profile evp1
	sub hub v1/devices/me/attributes v1/devices/me/attributes/request/+
	link fetching
	pub v1/devices/me/attributes/response/10000 '{"shared":{}}'
	start wait bash -c 'rejoin-hub send state cam/power --wait <<<on'
	wait_for 'grep -q "request/10001 .*state/cam/power" hub.out'
	pub v1/devices/me/attributes/response/10001 '{"client":{}}'
	wait_for '[ "$(grep -c "attributes {\"state/cam/power\"" hub.out)" = 2 ]' 15
	wait_for 'grep -q "request/10002" hub.out' 15
	alive "$wait_pid"
	value=$(grep 'attributes {"state' hub.out | head -1 | cut -d' ' -f2-)
	# a slow answer is asked for again, under the next number
	answered() {
		pub "v1/devices/me/attributes/response/$(grep -o 'request/[0-9]*' hub.out | tail -n 1 | cut -d/ -f2)" "{\"client\":$value}"
		! alive "$wait_pid"
	}
	wait_for answered 20
	wait "$wait_pid"
}

@test "rejoin: records are confirmed by the collector, and no kill loses or doubles one" {
	broker
	profile rejoin
	collector
	link
	n=600
	[ -z "${SOAK-}" ] || n=20000
	start feed bash -c "for i in \$(seq $((n / 20))); do seq -f '{\"key\":\"cam/n%g\",\"value\":\"v\"}' \$((i * 20 - 19)) \$((i * 20)) | rejoin-hub send state --lines || exit; done"
	for i in 1 2 3 4 5 6; do
		wait_for "[ \$(wc -l <kept) -ge $((i * n / 10)) ] || ! alive $feed_pid" 30
		kill_hard "$hub_pid"
		[ $((i % 2)) -eq 0 ] || kill_hard "$broker_pid"
		[ $((i % 2)) -eq 0 ] || broker_up
		start hub rejoin-hub run
	done
	wait_for '! alive "$feed_pid"' 60
	wait "$feed_pid"
	wait_for "[ \$(wc -l <kept) -ge $n ]" 60
	wait_for '[ "$(rejoin-hub status --json | jq .urgent.records)" = 0 ]'
	run -0 bash -c "cut -d' ' -f2- kept | jq -r .key | sort -V | uniq | wc -l"
	out_is "$n"
	# adopted once by id and by submission
	run -0 bash -c "cut -d' ' -f2- kept | jq -r .key | sort | uniq -d"
	out_is ''
	run -0 rejoin-hub send report last --wait --timeout 20s <<<'{}'
	grep -q '"key":"last"' kept
}

@test "a broker that loses its store loses nothing of ours" {
	broker
	profile rejoin
	link
	run -0 rejoin-hub send report one <<<1
	# the broker has it and acknowledges it; nothing collects it yet
	wait_for '[ "$(rejoin-hub status --json | jq .urgent.records)" = 1 ]'
	kill_hard "$broker_pid"
	rm -f mosquitto.db
	broker_up
	collector
	wait_for 'grep -q "\"key\":\"one\"" kept' 30
	wait_for '[ "$(rejoin-hub status --json | jq .urgent.records)" = 0 ]'
}

@test "the hub denies: status 7, and said why" {
	touch passwords
	chmod 644 passwords
	broker 'allow_anonymous false' "password_file $PWD/passwords"
	printf 'secret\n' >password
	chmod 600 password
	profile rejoin 'username = dev' "password-file = $PWD/password"
	start hub rejoin-hub run
	wait_for 'rejoin-hub status >/dev/null; [ $? -eq 7 ]'
	run rejoin-hub status
	status_is 7
	out_has 'Refused: not authorised'
	chmod 644 password
	kill_hard "$hub_pid"
	run --separate-stderr rejoin-hub run
	status_is 7
	err_has password
}

@test "calls of the device itself: as far as they are allowed, each once" {
	broker
	profile rejoin 'allow = status' 'fleet-groups = blue'
	link
	sub res rejoin/1/d1/res
	pub rejoin/1/d1/req '{"id":"r1","action":"restart"}'
	wait_for 'grep -q "\"id\":\"r1\".*\"outcome\":\"denied\"" res.out'
	pub rejoin/1/group/blue/req '{"id":"r2","action":"status"}'
	wait_for 'grep -q "\"id\":\"r2\",\"device\":\"d1\".*\"outcome\":" res.out'
	pub rejoin/1/d1/req '{"id":"r3","action":"status","deadline":1}'
	wait_for 'grep -q "\"id\":\"r3\".*expired" res.out'
	first=$(grep '"id":"r2"' res.out | jq -R -r 'split(" ")[0]' | head -1)
	pub rejoin/1/d1/req '{"id":"r2","action":"status"}'
	wait_for '[ "$(grep "\"id\":\"r2\"" res.out | grep -c outcome)" -ge 2 ]'
	run -0 grep -c '"id":"r2","call".*"value"' "$HUB/handled.jsonl"
	out_is 1
}

@test "a call of the hub, and its response" {
	broker
	profile thingsboard
	link fetching
	pub v1/devices/me/attributes/response/10000 '{"shared":{"deployment":{"a":1}}}'
	wait_for 'state_is synced'
	sub rpc v1/devices/me/rpc/request/+
	start call bash -c 'rejoin-hub call getTime <<<"{\"zone\":\"UTC\"}"'
	wait_for 'grep -q "{\"method\":\"getTime\",\"params\":{\"zone\":\"UTC\"}}" rpc.out'
	n=$(grep -o 'request/[0-9]*' rpc.out | head -1 | cut -d/ -f2)
	pub "v1/devices/me/rpc/response/$n" '{"time":5}'
	wait_for '! alive "$call_pid"'
	wait "$call_pid"
	[ "$(<call.out)" = '{"time":5}' ]
	start call2 rejoin-hub call fail
	wait_for '[ "$(wc -l <rpc.out)" -ge 2 ] && grep -q fail rpc.out'
	n=$(grep fail rpc.out | grep -o 'request/[0-9]*' | cut -d/ -f2)
	pub "v1/devices/me/rpc/response/$n" '{"error":"no"}'
	wait_for '! alive "$call2_pid"'
	run wait "$call2_pid"
	status_is 1
	run --separate-stderr rejoin-hub call slow --timeout 300ms <<<1
	status_is 4
}

@test "thingsboard: telemetry has the time at which it was submitted" {
	broker
	profile thingsboard
	sub tel v1/devices/me/telemetry
	link fetching
	printf '%s\n' '{"key":"a/given","value":{"x":1},"time":"2026-01-02T03:04:05.678+01:00"}' '{"key":"a/odd","value":2,"time":"noon"}' |
		rejoin-hub send telemetry --lines
	before=$(date +%s%3N)
	run -0 rejoin-hub send telemetry a/now <<<3
	wait_for 'grep -q a/now tel.out'
	grep -qxF 'v1/devices/me/telemetry {"ts":1767319445678,"values":{"a/given":{"x":1}}}' tel.out || { cat tel.out; false; }
	grep -qxF 'v1/devices/me/telemetry {"a/odd":2}' tel.out
	ts=$(sed -n 's,^v1[^ ]* ,,p' tel.out | jq -r 'select(.values."a/now") | .ts')
	[ "$ts" -ge "$before" ] && [ "$ts" -le "$(date +%s%3N)" ]
}

@test "a shell script is a module: configuration, telemetry and calls by rejoin-hub alone" {
	broker
	profile rejoin
	collector
	link
	cat >module <<'X'
rejoin-hub config -f echo | while read -r line; do
	printf '%s\n' "$line" | jq -c '{key: "echo/value", value: .value}' | rejoin-hub send telemetry --lines
done &
rejoin-hub calls -f echo | while read -r line; do
	printf '%s' "$line" | jq .params | rejoin-hub answer "$(printf '%s' "$line" | jq -r .id)"
done
X
	start module sh module
	pub rejoin/1/d1/config/echo/x hello
	wait_for 'grep -q "\"key\":\"echo/value\",\"value\":\"hello\"" kept'
	pub rejoin/1/d1/req '{"id":"c1","instance":"echo","method":"m","params":[1,2]}'
	wait_for 'grep -q "\"id\":\"c1\".*\"response\":\[1,2\]" kept'
	pub rejoin/1/d1/config/echo/x again
	wait_for 'grep -q "\"value\":\"again\"" kept'
}

@test "what does not fit into the urgent queue waits, and send says so" {
	free_port
	profile rejoin 'urgent-max = 1M'
	start hub rejoin-hub run
	wait_for 'state_is backoff || state_is connecting || state_is resolving'
	head -c 300000 /dev/zero | tr '\0' x >big
	for i in 1 2 3; do rejoin-hub send state a/b$i <big; done
	wait_for '[ "$(rejoin-hub status --json | jq .urgent.records)" = 3 ]'
	rejoin-hub send state a/b4 <big
	wait_for '[ "$(rejoin-hub status --json | jq .full)" = true ]'
	run --separate-stderr rejoin-hub send state a/b5 </etc/hostname
	status_is 6
	err_has 'queue is full'
	# telemetry has a queue of its own
	run -0 rejoin-hub send telemetry a/t <<<1
	wait_for '[ "$(rejoin-hub status --json | jq .bulk.records)" = 1 ]'
	# and it is taken when there is room
	broker
	collector
	wait_for 'grep -q "\"key\":\"a/b4\"" kept' 60
	wait_for '[ "$(rejoin-hub status --json | jq .full)" = false ]'
}

@test "in a container a unit sees another boot id: the link runs all the same" {
	needs_root
	own-mounts unshare --pid --fork --propagation unchanged --mount-proc true 2>/dev/null || cannot 'no pid namespace can be made here'
	free_port
	profile rejoin
	echo 01234567-89ab-4def-8123-456789abcdef >boot
	cat >look <<-'END'
	#!/bin/bash
	rejoin-hub run 2>hub.err &
	for i in $(seq 200); do
		rejoin-hub status >/dev/null 2>&1 && break
		read -rt 0.05 <> <(:) || :
	done
	# as systemd-nspawn(1) has it, and a unit with a /proc of its own has not
	mount --bind boot /proc/sys/kernel/random/boot_id || exit 9
	rejoin-hub status
	r=$?
	kill %1
	wait %1
	rejoin-hub status && exit 8
	exit "$r"
	END
	chmod +x look
	run --separate-stderr own-mounts unshare --pid --fork --propagation unchanged --mount-proc ./look
	status_is 0
	out_has 'no link is running'
}

@test "the profiles of hubs that are shipped: a link to each comes up" {
	broker
	echo '{"deployment":{"a":1}}' >shared.json
	start tbhub tbhub "$PORT" "$PWD/shared.json"
	wait_for 'grep -q "^ready$" tbhub.out'
	install -m 0640 /dev/null "$REJOIN_CONFIG_DIR/thingsboard.token"
	echo token >"$REJOIN_CONFIG_DIR/thingsboard.token"
	for name in evp-hub thingsboard; do
		sed -i "s,^broker = .*,broker = mqtt://127.0.0.1:$PORT," "$REJOIN_CONFIG_DIR/agents.d/$name.conf"
		export REJOIN_AGENT=$name
		link
		run -0 rejoin-hub status
		out_has "mqtt://127.0.0.1:$PORT: synced"
		wait_for '[ "$(jq -c . "$REJOIN_STATE_DIR/hub/$name/goal.json")" = "{\"a\":1}" ]'
		kill "$hub_pid"
		wait_for '! alive "$hub_pid"'
	done
}
