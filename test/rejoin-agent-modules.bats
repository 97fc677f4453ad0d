#!/usr/bin/env bats
# Modules and instances of rejoin-agent, deployed by a hub behind a real broker.
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

# idle - a module that runs until it is stopped, and says so
idle() {
	module "$1" <<-'EOT'
	#!/bin/sh
	trap 'echo stop >>log; exit 0' TERM
	echo start >>log
	while :; do sleep 0.1; done
	EOT
	# modules of the same content share one file
	echo "# $1" >>"modules/$1"
}

log_of() { cat "$REJOIN_STATE_DIR/agent/instances/$1/home/log"; }

# logs INSTANCE LINE... - waits until it has written just this: an instance is well once its process is
# there, which is before its script has written anything
logs() { wait_for "[ \"\$(log_of $1 2>&1 | xargs)\" = '${*:2}' ]" || { log_of "$1"; false; }; }

@test "boot without persisted twins: the agent waits for a manifest, then loads and starts as many as possible" {
	device evp2
	idle good
	idle gone
	agent
	hub
	wait_for 'is ".instances == {} and .modules == {} and (has(\"deploymentId\") | not)"' || { cat agent.err hub.err; false; }
	also='.modules.gone.downloadUrl = "file:/nowhere/gone" |
		.modules.wrong = {"moduleImpl":"spawn","downloadUrl":.modules.good.downloadUrl,"hash":("0" * 64)} |
		.instanceSpecs.w = {"moduleId":"wrong"} |
		.modules.back = {"entryPoint":"main"} | .instanceSpecs.bd = {"moduleId":"back"} |
		.modules.wasm = {"moduleImpl":"wasm","downloadUrl":"http://h/x","hash":("1" * 64)} |
		.instanceSpecs.x = {"moduleId":"wasm"}' deploy d-1 a=good b=good c=gone
	wait_for 'is ".modules.gone.status == \"error\" and .modules.wrong.status == \"error\" and .instances.a.status == \"ok\""' || { reports; cat agent.err; false; }
	is '.instances.a == {"status":"ok","moduleId":"good"} and .instances.b.status == "ok"'
	is '.modules.good == {"status":"ok"} and .modules.gone.status == "error"'
	is '.instances.c.status == "unknown" and (.instances.c.failureMessage | startswith("waits for module gone: "))'
	is '.modules.back.status == "unmanaged" and .instances.bd.status == "unmanaged"'
	is '.modules.wasm.failureMessage == "no runner for wasm"'
	logs a start
	logs b start
	[ ! -e "$REJOIN_STATE_DIR/agent/instances/bd" ]
	# what is missing is there later: it is loaded then, and nothing else starts again
	shared '.deployment.modules.gone.downloadUrl = "file:'"$PWD"'/modules/gone"'
	wait_for 'is ".instances.c.status == \"ok\""' 20
	logs a start
	shared 'del(.deployment.instanceSpecs.b) | .deployment.deploymentId = "d-2"'
	wait_for 'is ".deploymentId == \"d-2\" and (.instances | has(\"b\") | not)"'
	[ ! -e "$REJOIN_STATE_DIR/agent/instances/b" ]
}

@test "boot with persisted twins: without hub and broker the instances are started" {
	device evp2
	idle m
	agent
	hub
	deploy d-1 a=m
	wait_for 'is ".instances.a.status == \"ok\" and .reconcileStatus == \"ok\""' || { cat agent.err; false; }
	logs a start
	kill "$agent_pid" "$hub_pid" "$tbhub_pid" "$broker_pid"
	wait_for '! alive "$agent_pid"'
	logs a start stop
	run -0 jq -r .deploymentId "$REJOIN_STATE_DIR/agent/twins/desired.json"
	out_is d-1
	rm "$HUB/goal.json"
	agent
	logs a start stop start || { cat agent.err; false; }
}

@test "order of SIGINT: downloads are cancelled, all instances end in parallel, the last report, the end" {
	device evp2
	idle m
	serve
	say slow 60000
	agent
	hub
	deploy d-1 a=m b=m
	shared --arg u "$url/slow" '.deployment.modules.s = {"downloadUrl":$u,"hash":("2" * 64)} |
		.deployment.instanceSpecs.s = {"moduleId":"s"}'
	wait_for 'is ".instances.a.status == \"ok\" and .instances.b.status == \"ok\" and .modules.s.status == \"downloading\""' || { reports; cat agent.err; false; }
	logs a start
	logs b start
	kill -INT "$agent_pid"
	wait_for '! alive "$agent_pid"'
	wait "$agent_pid"
	[ "$(log_of a | xargs)" = "start stop" ]
	[ "$(log_of b | xargs)" = "start stop" ]
	run -0 grep -nE 'stopping 2 instances|instance [ab]: stopped' agent.err
	[ "$(head -n 1 <<<"$output" | cut -d: -f2-)" = 'rejoin-agent: stopping 2 instances' ]
	wait_for 'is ".instances.a.status == \"unknown\""'
}

@test "an instance that has ended is not started again, one that is killed neither; the report says how" {
	device evp2
	module zero <<<'#!/bin/sh'
	module three <<<$'#!/bin/sh\nexit 3'
	idle long
	agent
	hub
	deploy d-1 zero=zero three=three long=long
	wait_for 'is ".instances.zero.status == \"self-exiting\" and .instances.three.status == \"self-exiting\" and .instances.long.status == \"ok\""' || { reports; cat agent.err; false; }
	is '.instances.zero == {"status":"self-exiting","moduleId":"zero"}'
	is '.instances.three.failureMessage == "exited with 3" and .reconcileStatus == "error"'
	logs long start
	kill -KILL "$(program_of long)"
	wait_for 'is ".instances.long.status == \"self-exiting\" and (.instances.long.failureMessage | contains(\"SIGKILL\"))"'
	# neither a new report of the same deployment nor a retry starts it
	shared '.deployment.deploymentId = "d-2"'
	wait_for 'is ".deploymentId == \"d-2\""'
	rejoin-retry --wait --timeout 20s
	is '.instances.long.status == "self-exiting"'
	logs long start
	# a retry that names it does, and it alone
	rejoin-retry --instance long
	wait_for 'is ".instances.long.status == \"ok\""'
	logs long start start
	is '.instances.zero.status == "self-exiting"'
	rejoin-retry --instance nothing
	wait_for 'grep -q "instance nothing: retry request, but there is no such instance" agent.err'
	# one that a deployment has left out is another one afterwards
	deploy d-3 zero=zero
	wait_for 'is ".deploymentId == \"d-3\" and (.instances | has(\"long\") | not)"'
	deploy d-4 long=long
	wait_for 'is ".deploymentId == \"d-4\" and .instances.long.status == \"ok\""'
	# and so does a new start of the agent
	deploy d-5 three=three
	wait_for 'is ".instances.three.status == \"self-exiting\""'
}

@test "a changed hash under the same moduleId is noticed: the old instance is stopped, the new one started" {
	device evp2
	module m <<<$'#!/bin/sh\necho one >>log\nexec sleep 60'
	idle other
	agent
	hub
	deploy d-1 a=m o=other
	logs a one || { cat agent.err; false; }
	local first
	first=$(hash_of m)
	module m <<<$'#!/bin/sh\necho two >>log\nexec sleep 60'
	deploy d-1 a=m o=other
	logs a one two || { cat agent.err; reports; false; }
	logs o start
	# the file that no module needs is removed
	wait_for '[ ! -e "$REJOIN_STATE_DIR/agent/modules/sha256/$first" ]'
	[ -e "$REJOIN_STATE_DIR/agent/modules/sha256/$(hash_of m)" ]
}

@test "instances outlive an agent that is killed: they are adopted, the others are stopped, none starts twice" {
	device evp2
	idle m
	idle n
	agent
	hub
	deploy d-1 a=m b=n
	wait_for 'is ".instances.a.status == \"ok\" and .instances.b.status == \"ok\""' || { cat agent.err; false; }
	local was
	was=$(pid_of a)
	kill_hard "$agent_pid"
	alive "$was"
	agent
	wait_for 'grep -q "instance a: goes on" agent.err'
	wait_for 'is ".instances.a.status == \"ok\""'
	[ "$(pid_of a)" = "$was" ]
	logs a start
	# while it is away another deployment comes
	kill_hard "$agent_pid"
	deploy d-2 a=m
	wait_for '[ "$(jq -r .deploymentId "$HUB/goal.json")" = d-2 ]'
	agent
	wait_for 'is ".deploymentId == \"d-2\" and (.instances | has(\"b\") | not)"' || { cat agent.err; reports; false; }
	[ "$(pid_of a)" = "$was" ]
	logs a start
	# an adopted instance is stopped in order
	kill "$agent_pid"
	wait_for '! alive "$agent_pid"'
	logs a start stop
}

@test "modules need allow-modules, and a hub that is trusted; allow-modules does not allow unsigned updates" {
	device evp2
	idle m
	sed -i 's/^allow-modules.*/allow-modules = no/' "$REJOIN_CONFIG_DIR/agent.conf"
	agent
	hub
	deploy d-1 a=m
	wait_for 'grep -q "has modules, and allow-modules is not set" agent.err' || { cat agent.err; false; }
	run -1 rejoin-status --json
	[ "$(jq -r .state <<<"$output")" = failed ]
	[ ! -e "$REJOIN_STATE_DIR/agent/instances" ]
	sed -i 's/^allow-modules.*/allow-modules = yes/; /^trust-hub/d; s/^allow-unsigned.*/allow-unsigned = no/' "$REJOIN_CONFIG_DIR/agent.conf"
	kill -HUP "$agent_pid"
	wait_for 'grep -q "its modules are not signed" agent.err' || { cat agent.err; false; }
	sed -i '/^allow-unsigned/a trust-hub = yes' "$REJOIN_CONFIG_DIR/agent.conf"
	kill -HUP "$agent_pid"
	wait_for 'is ".instances.a.status == \"ok\""' || { cat agent.err; false; }
	# the same goal from a file is not the hub's
	kill "$agent_pid"
	wait_for '! alive "$agent_pid"'
	cp "$HUB/goal.json" other.json
	jq '.deploymentId = "d-9"' other.json >goal.json
	start agent rejoin-agent --goal "file:$PWD/goal.json"
	wait_for 'grep -q "goal d-9: its modules are not signed" agent.err' || { cat agent.err; false; }
	# without allow-modules what runs is stopped
	sed -i 's/^allow-modules.*/allow-modules = no/' "$REJOIN_CONFIG_DIR/agent.conf"
	kill_hard "$agent_pid"
	agent
	wait_for 'grep -q "instance a: removed" agent.err' || { cat agent.err; false; }
}

@test "a module does not run as root unless that is written" {
	needs_hostile
	device evp2
	idle m
	sed -i 's/^user = root/nofile = 64/' "$REJOIN_CONFIG_DIR/agent.conf"
	agent
	hub
	deploy d-1 a=m
	wait_for 'is ".instances.a.status == \"error\" and (.instances.a.failureMessage | contains(\"would run as root\"))"' || { reports; cat agent.err; false; }
	sed -i 's/^handler-user.*/handler-user = nobody/' "$REJOIN_CONFIG_DIR/agent.conf"
	kill -HUP "$agent_pid"
	wait_for 'is ".instances.a.status == \"ok\""' 20 || { reports; cat agent.err; false; }
	# its process changes its user before it is executed
	wait_for '[ "$(stat -c %U "/proc/$(pid_of a)" 2>&1)" = nobody ]'
	run -0 grep '^Max open files' "/proc/$(pid_of a)/limits"
	[[ $output =~ 64\ +64 ]]
	run -0 jq -c . "$REJOIN_STATE_DIR/agent/owners"
	out_is "{\"a\":$(id -u nobody)}"
}

@test "a server without the module is asked once a step; the others keep running" {
	device evp2
	idle m
	serve
	agent
	hub
	deploy d-1 a=m
	shared --arg u "$url/gone" '.deployment.modules.s = {"downloadUrl":$u,"hash":("2" * 64)} |
		.deployment.instanceSpecs.s = {"moduleId":"s"}'
	wait_for 'is ".modules.s.failureMessage == \"Download failed HTTP Response = 404\""' || { reports; cat agent.err; false; }
	is '.modules.s.status == "error" and .reconcileStatus == "error" and .instances.a.status == "ok"'
	wait_for '[ "$(requests_of GET /gone)" -ge 3 ]' 15
	# after 0, 1 and 4 s: a fourth comes 6 s later
	[ "$(requests_of GET /gone)" -eq 3 ]
	[ "$(reports | grep -c nothere)" -eq 0 ]
	[ "$(grep -c 'module s:' agent.err)" -eq 1 ]
}

@test "pause: while the file is there nothing changes" {
	device evp2
	idle m
	agent
	hub
	deploy d-1 a=m
	wait_for 'is ".instances.a.status == \"ok\""'
	touch "$REJOIN_STATE_DIR/agent/paused"
	wait_for 'is ".reconcileStatus == \"paused\""'
	deploy d-2
	wait_for 'is ".deploymentId == \"d-2\""' || { reports; false; }
	logs a start
	rm "$REJOIN_STATE_DIR/agent/paused"
	wait_for 'is ".reconcileStatus == \"ok\""'
	wait_for '[ ! -e "$REJOIN_STATE_DIR/agent/instances/a" ]'
}

# recorded FROM - the deploymentStatus of the EVP agent's last report before the time FROM of the recording
recorded() {
	awk -v t="2026-11-29T$1" '$1 < t && /"deploymentStatus":/' "$TOP/test/data/evp/evp-mqtt-trace.txt" | tail -n 1 |
		cut -d' ' -f4- | jq -c '.deploymentStatus | if type == "string" then fromjson else . end'
}

# reported STATUS - the last deploymentStatus that the hub has received is this one
reported() {
	local want
	want=$(jq -cS . <<<"$1")
	wait_for "[ \"\$(reports | tail -n 1 | jq -cS .)\" = '$want' ]" || { reports; false; }
}

# ours FILE - a recorded deployment with modules that are here, as what the hub wants
ours() {
	jq --arg m1 "file:$PWD/modules/tel" --arg h1 "$(hash_of tel)" --arg m2 "file:$PWD/modules/rpc" --arg h2 "$(hash_of rpc)" \
		--arg m3 "file:$PWD/modules/bye" --arg h3 "$(hash_of bye)" --arg gone "${url-}/gone" '
		def here: if .modules.M1 then .modules.M1 += {downloadUrl:$m1,hash:$h1} else . end |
			if .modules.M2 then .modules.M2 += {downloadUrl:$m2,hash:$h2} |
				.modules.M3 += {downloadUrl:$m3,hash:$h3} | .modules.M4.downloadUrl = $gone else . end;
		.deployment |= if type == "string" then (fromjson | here | tojson) else here end' \
		"$TOP/test/data/evp/$1" >shared.new && mv shared.new shared.json
}

@test "the recorded session of EVP2 gives the reports of the EVP agent, but for what is better here" {
	device evp2
	serve
	idle tel
	idle rpc
	idle bye
	agent
	hub
	wait_for '[ "$(reports | wc -l)" -ge 1 ]'
	ours evp2-deployment.json
	wait_for 'is ".modules.M4.status == \"error\" and .instances.tel.status == \"ok\" and .instances.bye.status == \"ok\" and .instances.rpcx.status == \"ok\""' || { reports; cat agent.err; false; }
	# an instance that waits and a backdoor are listed; nothing is applying once something has failed
	reported "$(recorded 00:02:11 | jq '
		.instances.bad = {failureMessage:"waits for module M4: Download failed HTTP Response = 404",moduleId:"M4",status:"unknown"} |
		.instances.bd = {moduleId:"MB",status:"unmanaged"} | .modules.MB.status = "unmanaged" |
		.reconcileStatus = "error"')"
	# the first report of a device that has no manifest yet
	diff <(recorded 00:01:50 | jq -S .) <(reports | head -n 1 | jq -S .)
	# the keys beside it
	diff <(grep -m 1 systemInfo "$TOP/test/data/evp/evp-mqtt-trace.txt" | cut -d' ' -f4- |
		jq -c '[(.systemInfo | del(.evp_agent_commit_hash) | keys), keys]') \
		<(sed -n 's,^v1/devices/me/attributes ,,p' tbhub.out | head -n 1 | jq -c '[(.systemInfo | keys), keys]')
	wait_for '[ -n "$(program_of rpcx)" ]'
	kill -KILL "$(program_of rpcx)"
	wait_for 'is ".instances.rpcx.status == \"self-exiting\""'
}

@test "the recorded session of EVP1 gives the reports of the EVP agent" {
	device evp1
	idle tel
	idle rpc
	idle bye
	agent
	hub
	ours evp1-deployment.json
	wait_for 'is ".reconcileStatus == \"ok\""' || { reports; cat agent.err hub.err; false; }
	reported "$(recorded 00:03:09)"
	diff <(grep systemInfo "$TOP/test/data/evp/evp-mqtt-trace.txt" | tail -n 1 | cut -d' ' -f4- | jq -c '[(.systemInfo.utsname | keys_unsorted),
		(.systemInfo | keys_unsorted), keys_unsorted, (.deploymentStatus | type)]') \
		<(sed -n 's,^v1/devices/me/attributes ,,p' tbhub.out | tail -n 1 | jq -c '[(.systemInfo.utsname | keys_unsorted),
		(.systemInfo | keys_unsorted), keys_unsorted, (.deploymentStatus | type)]')
	run -0 rejoin-hub -A dev config tel
	[ "$(jq -r .value <<<"$output")" = '{"foo": "bar"}' ]
}

@test "runtime: the deployment is applied when it changes, reports are periodic, and the hub changes the interval" {
	device evp2
	idle m
	agent
	hub
	wait_for '[ "$(reports | wc -l)" -ge 1 ]'
	shared '.desiredDeviceConfig = {"configuration/$agent/report-status-interval-max":1}'
	wait_for 'grep -q "report-status-interval-max\":1[,}]" tbhub.out' || { cat tbhub.out agent.err; false; }
	local n
	n=$(reports | wc -l)
	wait_for '[ "$(reports | wc -l)" -ge $((n + 2)) ]' 15
	deploy d-1 a=m
	wait_for 'is ".instances.a.status == \"ok\""'
	run -0 rejoin-status --json
	run -0 jq -c '[.deployment,.reconcileStatus,.modules,.instances]' <<<"$output"
	out_is '["d-1","ok",[{"id":"m","status":"ok"}],[{"name":"a","status":"ok","moduleId":"m"}]]'
	run -0 rejoin-status --format kv
	out_has instances=1
}

@test "a shell script is a module through rejoin-hub alone: the example" {
	device evp2
	module sh <"$TOP/packaging/examples/shell-module.sh"
	shared '."configuration/load/interval" = "0.2"'
	agent
	hub
	deploy d-1 load=sh
	wait_for '[ "$(grep -c "^v1/devices/me/telemetry {\"load/load\":[0-9.]*}$" tbhub.out)" -ge 3 ]' || { cat tbhub.out agent.err; cat "$REJOIN_STATE_DIR"/agent/instances/load/run/err.*; false; }
	wait_for 'grep -qF "{\"state/load/interval\":\"0.2\"}" tbhub.out'
	pub v1/devices/me/rpc/request/5 '{"params":{"direct-command-request":{"reqid":"r","method":"measure","instance":"load","params":""}}}'
	wait_for 'grep -q "rpc/response/5 .*\"status\":\"ok\",\"response\":\"[0-9.]*" tbhub.out' || { cat tbhub.out; false; }
	pub v1/devices/me/rpc/request/6 '{"params":{"direct-command-request":{"reqid":"r","method":"dance","instance":"load","params":""}}}'
	wait_for 'grep -q "rpc/response/6 .*not found" tbhub.out'
	serve
	shared --arg u "$url/file" '."configuration/load/fetch" = $u'
	wait_for 'grep -qF "{\"state/load/fetched\":\"$(printf well | sha256sum | cut -d" " -f1)\"}" tbhub.out' || { cat tbhub.out; false; }
	kill "$agent_pid"
	wait_for '! alive "$agent_pid"'
	run -0 jq -c .why "$REJOIN_STATE_DIR/agent/instances/load/run/status"
	out_is '"kill"'
}

@test "the logs of link, agent and collector, drawn: goal, deployment, instance and report across the broker" {
	export REJOIN_STAMP=1
	broker
	collector
	profile rejoin 'report-min = 0s'
	agent_conf
	unset REJOIN_AGENT
	mkdir modules
	module say <<-'EOT'
	#!/bin/sh
	echo 1 | rejoin-hub send telemetry "$REJOIN_INSTANCE/first"
	exec sleep 600
	EOT
	echo '{}' >shared.json
	deploy d-1 a=say
	agent -v
	hub
	wait_for '[ "$(rejoin-hub -A dev status --json 2>/dev/null | jq -r .state)" = synced ]'
	mosquitto_pub -p "$PORT" -q 1 -r -t rejoin/1/d1/goal -m "$(jq -c .deployment shared.json)"
	wait_for 'grep -q a/first kept'
	wait_for 'grep -q "\"a\":{\"status\":\"ok\"" kept' || { cat kept; false; }
	cp -r "$TOP/packaging/formats.d" "$TOP/packaging/rules.d" "$REJOIN_CONFIG_DIR/"
	# the clock of the link is two seconds ahead of the others
	awk 'match($0, /T[0-9:]+\./) { split(substr($0, RSTART + 1, 8), a, ":"); s = a[1] * 3600 + a[2] * 60 + a[3] + 2
		printf "%s%02d:%02d:%02d%s\n", substr($0, 1, RSTART), s / 3600, s % 3600 / 60, s % 60, substr($0, RSTART + 9) }' hub.err >link.log
	cp agent.err agent.log
	sed 's/^d1 //' kept >collector.log
	run -0 --separate-stderr rejoin-log --graph --ascii agent.log link.log collector.log
	printf '%s\n' "$output" >drawn
	drawn() { grep -n -m1 "$1" drawn | cut -d: -f1; }
	[ "$(drawn 'goal d-1 received')" -lt "$(drawn 'deployment d-1: begins')" ] || { cat drawn; false; }
	[ "$(drawn 'deployment d-1: begins')" -lt "$(drawn 'instance a: started')" ]
	# the report that says so: from the agent to the link, from there to the collector, each with its arrow
	sub=$(sed -n '/instance a: started/,$s/.*report submitted as //p' agent.log | head -n 1)
	id=$(sed -n "s/.*record \([0-9]*\) accepted: report .*submitted as $sub\$/\1/p" link.log)
	[ "$(drawn 'instance a: started')" -lt "$(drawn "report submitted as $sub")" ]
	grep -q -- "->.*record $id accepted" drawn || { cat drawn; false; }
	run -0 --separate-stderr rejoin-log --json agent.log link.log collector.log
	run -0 jq -r '.edges[]' <<<"$output"
	for rule in rejoin-hub-deployment rejoin-hub-report rejoin-hub-record; do out_has "$rule"; done
}

@test "link, agent and broker killed at random: no state is lost or comes twice, no instance starts twice" {
	local kills=6 count=60 pause=0.1 wait=120 i
	[ -z "${SOAK-}" ] || kills=50 count=2000 pause=0.02 wait=1200
	broker
	collector
	profile rejoin
	agent_conf
	unset REJOIN_AGENT
	mkdir modules
	module count <<-EOT
	#!/bin/sh
	echo start >>log
	trap 'exit 0' TERM
	for i in \$(seq $count); do
		until printf %s "\$i" | rejoin-hub send state "\$REJOIN_INSTANCE/s\$i"; do sleep 0.1; done
		sleep $pause || exit
	done
	echo done >>log
	while :; do sleep 0.1; done
	EOT
	echo '{}' >shared.json
	deploy d-1 c=count
	agent
	hub
	wait_for '[ "$(rejoin-hub -A dev status --json 2>/dev/null | jq -r .state)" = synced ]'
	mosquitto_pub -p "$PORT" -q 1 -r -t rejoin/1/d1/goal -m "$(jq -c .deployment shared.json)"
	wait_for '[ -s "$REJOIN_STATE_DIR/agent/instances/c/home/log" ]' || { cat agent.err hub.err; false; }
	for i in $(seq "$kills"); do
		case $((i % 3)) in
		0) kill_hard "$broker_pid"; broker_up ;;
		1) kill_hard "$hub_pid"; hub ;;
		2) kill_hard "$agent_pid"; agent ;;
		esac
		sleep 0.$((RANDOM % 9))	# so that the next kill comes at any point of the recovery
	done
	wait_for '[ "$(log_of c | xargs)" = "start done" ]' "$wait" || { log_of c; false; }
	states() { cut -d' ' -f2- kept | jq -r 'select(.kind == "state") | .key' | sort; }
	wait_for '[ "$(states | uniq | wc -l)" -eq '"$count"' ]' "$wait" || { states | tail; cat hub.err; false; }
	# each once: the collector knows a record by its submission
	[ "$(states | uniq -d | wc -l)" -eq 0 ]
	[ "$(log_of c | xargs)" = 'start done' ]
}

@test "a full disk: the module is not loaded, what runs goes on, and it is loaded when there is room" {
	needs_mounts
	needs nsenter
	device evp2
	idle m
	mkdir -p "$REJOIN_STATE_DIR/agent"
	start agent own-mounts sh -c "mount -t tmpfs -o size=1m,mode=755 none '$REJOIN_STATE_DIR/agent' && exec rejoin-agent"
	hub
	deploy d-1 a=m
	local log=/proc/$agent_pid/root$REJOIN_STATE_DIR/agent/instances/a/home/log
	wait_for '[ "$(cat "'"$log"'" 2>/dev/null)" = start ]' || { cat agent.err; false; }
	idle big
	head -c 800000 /dev/urandom | base64 -w 100 | sed 's/^/#/' >>modules/big
	deploy d-2 a=m b=big
	wait_for 'is ".modules.big.status == \"error\" and (.modules.big.failureMessage | contains(\"No space left\"))"' || { reports; cat agent.err; false; }
	is '.instances.a.status == "ok"'
	nsenter -t "$agent_pid" -m mount -o remount,size=8m "$REJOIN_STATE_DIR/agent"
	wait_for 'is ".instances.b.status == \"ok\""' 30 || { reports; cat agent.err; false; }
	[ "$(cat "$log")" = start ]
}
