#!/usr/bin/env bats
# Programs that speak the module SDK of EVP, run by the agent behind rejoin-instance-evp.
# shellcheck disable=SC2154	# start sets NAME_pid
load helper
load hub
load http
load modules
load hostile

setup() { begin; }
teardown() {
	end_pids "${PIDS[@]}"
	end_instances
	cd / || return
}

# program NAME - the module NAME is the program of the SDK
program() { cp "$B/tool/sdk-program" "modules/$1"; }

# said INSTANCE - what it has printed
said() { cat "$REJOIN_STATE_DIR/agent/instances/$1/run"/out.* 2>/dev/null; }

# does INSTANCE LINE - it has printed this line
does() { said "$1" | grep -qxF "$2"; }

# got TOPIC JSON - the hub has received such a message
got() { sed -n "s,^$1 ,,p" tbhub.out | grep -qF "$2"; }

# configure INSTANCE TOPIC VALUE
configure() { shared --arg k "configuration/$1/$2" --arg v "$3" '.[$k] = $v'; }

call() { # N INSTANCE METHOD PARAMS
	pub "v1/devices/me/rpc/request/$1" "$(jq -nc --arg i "$2" --arg m "$3" --arg p "$4" \
		'{params:{"direct-command-request":{reqid:"r",method:$m,instance:$i,params:$p}}}')"
}

ready() { # INSTANCE=MODULE...
	device evp2
	program sdk
	agent
	hub
	deploy d-1 "$@"
	wait_for 'is ".instances.a.status == \"ok\""' || { reports; cat agent.err hub.err; false; }
}

@test "configuration, state, telemetry and calls of a program of the SDK" {
	ready a=sdk
	configure a state 'v 1'
	wait_for 'got v1/devices/me/attributes "{\"state/a/status\":\"v 1\"}"' || { said a; cat tbhub.out agent.err; false; }
	wait_for 'does a "state 0"'
	# the callback and its pointer come back as they were given
	wait_for 'does a "callback 2 of 2 reason 0"' || { said a; false; }
	configure a telemetry '{"x":1}'
	wait_for 'got v1/devices/me/telemetry "{\"a/value\":{\"x\":1}}"' || { said a; cat tbhub.out; false; }
	configure a telemetry 'no json'
	wait_for 'does a "callback 7 of 5 reason 1"' || { said a; false; }
	call 1 a echo '{"n":7}'
	wait_for 'got v1/devices/me/rpc/response/1 "{\"direct-command-response\":{\"reqid\":\"r\",\"status\":\"ok\",\"response\":\"{\\\"n\\\":7}\"}}"' || { said a; cat tbhub.out; false; }
	call 2 a fail '{}'
	wait_for 'got v1/devices/me/rpc/response/2 "\"status\":\"error\",\"errorMessage\":\"it failed\""' || { said a; cat tbhub.out; false; }
	call 3 a other '{}'
	wait_for 'got v1/devices/me/rpc/response/3 "not found"' || { said a; cat tbhub.out; false; }
	configure a stream x
	wait_for 'does a "stream 12"'
	configure a big x
	wait_for 'does a "big 6"' || { said a; false; }
	# and the connection goes on
	configure a state after
	wait_for 'got v1/devices/me/attributes "{\"state/a/status\":\"after\"}"'
	configure a wrong x
	wait_for 'does a "the connection has ended"'
	wait_for 'is ".instances.a.status == \"self-exiting\" and .instances.a.failureMessage == \"exited with 4\""'
}

@test "the event exit is obeyed; a program that holds gets SIGTERM after half the grace period" {
	ready a=sdk h=sdk
	configure h hold x
	wait_for 'does h "config hold x"'
	kill "$agent_pid"
	wait_for '! alive "$agent_pid"' 15 || { cat agent.err; false; }
	does a exit
	does h exit
	run -0 jq -c '[.exit,.signal,.why]' "$REJOIN_STATE_DIR/agent/instances/a/run/status"
	out_is '[0,null,"kill"]'
	run -0 jq -c '[.exit,.signal,.why]' "$REJOIN_STATE_DIR/agent/instances/h/run/status"
	out_is '[null,15,"kill"]'
}

@test "messages go to the instances that subscribe; an unknown topic is an error" {
	device evp2
	program sdk
	agent
	hub
	also='.instanceSpecs.a.publish = {"out":"T"} | .instanceSpecs.b.subscribe = {"in":"S"} |
		.instanceSpecs.c.subscribe = {"other":"S"} |
		.publishTopics = {"T":{"type":"local","topic":"l"}} | .subscribeTopics = {"S":{"type":"local","topic":"l"}}' \
		deploy d-1 a=sdk b=sdk c=sdk d=sdk
	wait_for 'is ".reconcileStatus == \"ok\" and .instances.d.status == \"ok\""' || { reports; cat agent.err; false; }
	wait_for '[ -S "$REJOIN_STATE_DIR/agent/instances/b/home/in.sock" ] && [ -S "$REJOIN_STATE_DIR/agent/instances/c/home/in.sock" ]'
	configure a message '{"m":1}'
	wait_for 'does b "received in {\"m\":1}" && does c "received other {\"m\":1}"' || { said a; said b; false; }
	wait_for 'does a "callback 5 of 6 reason 0"'
	wait_for 'got v1/devices/me/telemetry "{\"b/received\":{\"m\":1}}"'
	run -1 grep received <(said d)
	configure d message '{"m":2}'
	wait_for 'does d "callback 5 of 6 reason 1"' || { said d; false; }
}

@test "an instance that dies with calls open: each is answered" {
	ready a=sdk
	call 1 a hang '{}'
	wait_for 'does a "call hang {}"'
	call 2 a die '{}'
	wait_for 'got v1/devices/me/rpc/response/1 "instance ended" && got v1/devices/me/rpc/response/2 "instance ended"' || { said a; cat tbhub.out; false; }
	wait_for 'is ".instances.a.failureMessage == \"exited with 5\""'
	# a call of what does not run is answered by the link
	call 3 a echo '{}'
	wait_for 'got v1/devices/me/rpc/response/3 "not found"'
}

@test "a program whose agent was killed goes on to be served, and is adopted" {
	ready a=sdk
	configure a state one
	wait_for 'got v1/devices/me/attributes "{\"state/a/status\":\"one\"}"'
	kill_hard "$agent_pid"
	configure a state two
	wait_for 'got v1/devices/me/attributes "{\"state/a/status\":\"two\"}"'
	agent
	wait_for 'grep -q "instance a: goes on" agent.err'
	configure a state three
	wait_for 'got v1/devices/me/attributes "{\"state/a/status\":\"three\"}"'
	[ "$(said a | grep -c '^config state')" -ge 3 ]
}

@test "blobs: a file is fetched and stored; one outside of the instance's directory is refused" {
	ready a=sdk
	serve
	local home=$REJOIN_STATE_DIR/agent/instances/a/home
	configure a get "$url/well $home/default_workspace/got"
	wait_for 'does a "blob-done 0 result 0 http 200"' || { said a; cat "$REJOIN_STATE_DIR"/agent/instances/a/run/err.*; false; }
	[ "$(cat "$home/default_workspace/got")" = well ]
	configure a get "$url/gone $home/default_workspace/none"
	wait_for 'does a "blob-done 0 result 2 http 404"' || { said a; false; }
	[ ! -e "$home/default_workspace/none" ]
	configure a put "$url/up $home/default_workspace/got"
	wait_for 'grep -q "^PUT /up" requests' || { cat requests; said a; false; }
	wait_for '[ "$(said a | grep -c "^blob-done 0 result 0 http 200")" -eq 2 ]'
	configure a get "$url/well /etc/rejoin-test"
	wait_for 'does a "blob 4"' || { said a; false; }
	ln -s /etc "$home/link"
	configure a get "$url/well $home/link/rejoin-test"
	wait_for '[ "$(said a | grep -c "^blob 4")" -eq 2 ]' || { said a; false; }
	configure a get "$url/well $home/../run/status"
	wait_for '[ "$(said a | grep -c "^blob 4")" -eq 3 ]' || { said a; false; }
}

@test "another user reaches neither socket of an instance, nor its directory" {
	needs_hostile
	ready a=sdk
	local home=$REJOIN_STATE_DIR/agent/instances/a/home
	wait_for '[ -S "$home/in.sock" ] && [ -S "$home/sdk.sock" ]'
	run as_hostile perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un($ARGV[0])) or die "$!\n"' "$home/sdk.sock"
	[ "$status" -ne 0 ]
	out_has 'Permission denied'
	# its packets are not taken, while those of root are
	send() { perl -MSocket -e 'socket(S, AF_UNIX, 5, 0); connect(S, sockaddr_un($ARGV[0])) or die "$!\n"; send(S, "in\0$ARGV[1]", 0); sleep 1' \
		"$home/in.sock" "$1"; }
	export home
	run as_hostile perl -MSocket -e 'socket(S, AF_UNIX, 5, 0); connect(S, sockaddr_un($ARGV[0])) or die "$!\n"; send(S, "in\0forged", 0)' "$home/in.sock"
	send real
	wait_for 'does a "received in real"' || { said a; false; }
	run -1 grep forged <(said a)
	run as_hostile ls "$home"
	[ "$status" -ne 0 ]
	run as_hostile touch "$home/x"
	[ "$status" -ne 0 ]
}

@test "an instance submits for itself alone" {
	needs_hostile
	device evp2 "group = nogroup"
	sed -i 's/^user = root/user = nobody/' "$REJOIN_CONFIG_DIR/agent.conf"
	module good <<-'EOT'
	#!/bin/sh
	echo 1 | rejoin-hub send telemetry good/mine
	echo 2 | rejoin-hub send telemetry ghost/forged
	echo 3 | rejoin-hub send report ""
	echo '{"deploymentStatus":{}}' | rejoin-hub send report ""
	echo 4 | rejoin-hub send telemetry good/last
	exec sleep 60
	EOT
	agent
	hub
	deploy d-1 good=good
	wait_for 'got v1/devices/me/telemetry "{\"good/last\":4}"' || { cat tbhub.out agent.err hub.err; cat "$REJOIN_STATE_DIR"/agent/instances/good/run/err.*; false; }
	got v1/devices/me/telemetry '{"good/mine":1}'
	run -1 grep forged tbhub.out
	run -1 grep -F '"deploymentStatus":{}' tbhub.out
	# counted
	wait_for '[ "$(rejoin-hub -A dev status --json | jq .refused)" -ge 2 ]'
}
