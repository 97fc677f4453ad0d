#!/usr/bin/env bats
# The link over TLS with client certificates, with MQTT 5, and under the access list of the manual.
load helper
load http
load hub

# client NAME - NAME.pem and NAME.key, signed by the test CA
client() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/O=test/CN=$1" -keyout "$1.key" -out client.csr 2>/dev/null &&
	openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out "$1.pem" 2>/dev/null
	chmod 600 "$1.key"
}

# secure NAME [LINE...] - the profile dev of the device NAME, with its certificate
secure() {
	local name=$1
	shift
	profile rejoin "$@" "ca-file = $PWD/ca.pem" "cert-file = $PWD/$name.pem" "key-file = $PWD/$name.key"
	sed -i "s,mqtt://,mqtts://,; s,^client-id = .*,client-id = \${cert:CN}," "$REJOIN_CONFIG_DIR/agents.d/dev.conf"
}

# acl - the access list of rejoin-hub(1), as mosquitto has it
acl() {
	sed -n '/^\.\\" begin acl/,/^\.\\" end acl/p' "$TOP/man/rejoin-hub.1" | grep -E '^(user|pattern|topic)' >acl
	[ -s acl ]
	chmod 644 acl
}

# as NAME COMMAND... - mosquitto_pub or _sub with the certificate of NAME
as() {
	local name=$1 command=$2
	shift 2
	"$command" -h 127.0.0.1 -p "$PORT" --cafile ca.pem --cert "$name.pem" --key "$name.key" -i "tool-$name-$RANDOM" "$@"
}

setup() {
	begin
	needs mosquitto openssl
	certificates
	chmod 644 key.pem
	client lamp
	client other
	client controller
	client collector
	acl
	broker "cafile $PWD/ca.pem" "certfile $PWD/cert.pem" "keyfile $PWD/key.pem" 'require_certificate true' \
		'use_identity_as_username true' "acl_file $PWD/acl"
}

@test "a client certificate: the device is its common name, and has its own topics alone" {
	secure lamp
	link
	run -0 rejoin-hub status --json
	run -0 jq -r .client_id <<<"$output"
	out_is lamp
	as controller mosquitto_pub -q 1 -r -t rejoin/1/lamp/goal -m '{"workflow":{"id":"g1"}}'
	wait_for '[ -e "$HUB/goal.json" ]'
	start kept mosquitto_sub -h 127.0.0.1 -p "$PORT" --cafile ca.pem --cert collector.pem --key collector.key -q 1 -t 'rejoin/1/+/telemetry' -t 'rejoin/1/+/online'
	wait_for 'grep -q online kept.out'
	run -0 rejoin-hub send telemetry cam/x <<<1
	wait_for 'grep -q cam/x kept.out'
	# another device can neither give it a goal, nor read its goal, nor speak for it
	as other mosquitto_pub -q 1 -r -t rejoin/1/lamp/goal -m '{"workflow":{"id":"evil"}}' || :
	as other mosquitto_pub -q 1 -t rejoin/1/lamp/telemetry -m '{"key":"forged"}' || :
	run as other mosquitto_sub -t rejoin/1/lamp/goal -W 1
	[[ $output != *g1* ]]
	as controller mosquitto_pub -q 1 -t rejoin/1/lamp/req -m '{"id":"r1","action":"restart"}'
	run -0 rejoin-hub send telemetry cam/last <<<1
	wait_for 'grep -q cam/last kept.out'
	run grep -c forged kept.out
	out_is 0
	run -0 jq -r .workflow.id "$HUB/goal.json"
	out_is g1
}

@test "TLS that is not as it should be: no connection, and the reason" {
	# another CA than the broker's
	secure lamp
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=other -keyout no.key -out wrong.pem 2>/dev/null
	sed -i "s,^ca-file = .*,ca-file = $PWD/wrong.pem," "$REJOIN_CONFIG_DIR/agents.d/dev.conf"
	start hub rejoin-hub run
	wait_for 'grep -q "trying again" hub.err'
	run state_is synced
	[ "$status" -ne 0 ]
	kill_hard "$hub_pid"
	# no certificate
	secure lamp
	sed -i '/^cert-file/d; /^key-file/d; s/^client-id.*/client-id = lamp/' "$REJOIN_CONFIG_DIR/agents.d/dev.conf"
	start hub rejoin-hub run
	wait_for 'grep -q "trying again" hub.err'
	kill_hard "$hub_pid"
	# plain MQTT to a port with TLS
	profile rejoin
	start hub rejoin-hub run
	wait_for 'grep -q "trying again" hub.err'
	kill_hard "$hub_pid"
	# a certificate that is none, or has no name
	secure lamp
	echo nonsense >lamp.pem
	run --separate-stderr rejoin-hub run
	status_is 2
	err_has 'holds no certificate'
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /O=x -keyout no.key -out lamp.pem 2>/dev/null
	run --separate-stderr rejoin-hub run
	status_is 2
	err_has 'no common name'
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=a\/b' -keyout no.key -out lamp.pem 2>/dev/null
	run --separate-stderr rejoin-hub run
	status_is 2
	profile rejoin
	sed -i 's/^client-id.*/client-id = ${cert:CN}/' "$REJOIN_CONFIG_DIR/agents.d/dev.conf"
	run --separate-stderr rejoin-hub run
	status_is 2
	err_has 'there is no cert-file'
}

@test "a fleet over TLS and MQTT 5, by the access list" {
	secure lamp 'version = 5' 'allow = status'
	link
	sed -e "s,lamp,controller,g" "$REJOIN_CONFIG_DIR/agents.d/dev.conf" >"$REJOIN_CONFIG_DIR/agents.d/fleet.conf"
	run --separate-stderr rejoin-fleet --via mqtt:fleet --timeout 20s status <<<lamp
	status_is 1
	run -0 jq -r .response.agent <<<"$output"
	out_is dev
	# a device may not ask another
	sed -e "s,lamp,other,g" "$REJOIN_CONFIG_DIR/agents.d/dev.conf" >"$REJOIN_CONFIG_DIR/agents.d/fleet.conf"
	run --separate-stderr rejoin-fleet --via mqtt:fleet --timeout 1s status <<<lamp
	status_is 1
	run -0 jq -r .outcome <<<"$output"
	out_is absent
	run -0 grep -c '"value"' "$HUB/handled.jsonl"
	out_is 1
}

@test "MQTT 5: another client with the id, and the device's own messages" {
	kill_hard "$broker_pid"
	unset PORT
	broker
	profile evp2 'version = 5'
	link fetching
	pub v1/devices/me/attributes/response/10000 '{"shared":{}}'
	wait_for 'state_is synced'
	run -0 rejoin-hub send report systemInfo <<<'{"os":"Linux"}'
	wait_for '[ "$(rejoin-hub status --json | jq .urgent.records)" -le 1 ]'
	# no-local: what it sent did not come back
	run cat "$HUB/shared.json"
	[[ $output != *systemInfo* ]]
	start thief mosquitto_sub -V 5 -p "$PORT" -i d1 -t x
	wait_for 'grep -q "another client uses the id d1" hub.err' || { cat hub.err; false; }
}
