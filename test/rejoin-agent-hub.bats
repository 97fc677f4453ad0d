#!/usr/bin/env bats
# The agent, its goal from a broker, and its reports to a collector.
load helper
load goal
load hub

setup() {
	begin
	broker
	collector
	profile rejoin
	sed -n '/^\[hub\]/,$p' "$REJOIN_CONFIG_DIR/agents.d/dev.conf" >>"$REJOIN_CONFIG_DIR/agents.d/rejoin.conf"
	unset REJOIN_AGENT
	mkdir -p dev/left up
	echo '{"version":"1.0"}' >dev/left/fw.json
	cat >"$REJOIN_CONFIG_DIR/inventory.json" <<-EOT
	{"components":[{"id":"left","group":"motors","properties":{"path":"$PWD/dev/left","firmwareDataFile":"fw.json"}}]}
	EOT
	cat >"$REJOIN_CONFIG_DIR/agent.conf" <<-EOT
	[agent]
	goal = file:$REJOIN_STATE_DIR/hub/rejoin/goal.json
	report = hub:rejoin
	allow-unsigned = yes
	handler-user = $(id -un)
	EOT
	link
}

# publish ID VERSION - the goal of the device, retained, as a controller does it
publish() {
	printf '{"version":"%s"}\n' "$2" >"up/fw-$2.json"
	goal_forget
	goal_file "up/fw-$2.json"
	goal_manifest motors '{"group":"motors"}' "{\"handler\":\"rejoin/copy:1\",\"files\":[\"f-fw-$2.json\"],\"handlerProperties\":{
		\"installedCriteria\":\"$2\",\"arguments\":\"--file fw-$2.json --to --component-prop-val path --as fw.json\"}}" |
		tr -d '\n\t' >up/motors.json
	goal_file up/motors.json
	goal_manifest device '{"model":"test"}' '{"type":"reference","detachedManifestFileId":"f-motors.json"}' >up/manifest.json
	goal "$1" up/manifest.json >up/goal.json
	mosquitto_pub -p "$PORT" -q 1 -r -t rejoin/1/d1/goal -f up/goal.json
}

version() { jq -r .version dev/left/fw.json; }

# reported - workflow:state of each report that the collector has
reported() {
	cut -d' ' -f2- kept | jq -r 'select(.kind == "report") | .value.deviceUpdate.agent | "\(.workflow.id):\(.state)"' | xargs
}

@test "a goal over MQTT is carried out, and reported to the collector" {
	start agent rejoin-agent
	publish w1 2.0
	wait_for '[ "$(version)" = 2.0 ]'
	wait_for '[[ $(reported) == *w1:6\ w1:0 ]]' || { reported; cat agent.err hub.err; false; }
	# accepted by the collector: nothing waits on the device
	wait_for '[ "$(rejoin-hub status --json | jq .urgent.records)" = 0 ]'
}

@test "link, agent and broker killed at once: the goal is carried out once, no report is lost" {
	start agent rejoin-agent
	publish w1 2.0
	wait_for '[[ $(reported) == *w1:0 ]]' || { reported; cat agent.err hub.err; false; }
	kill_hard "$broker_pid"
	rm -f "$REJOIN_STATE_DIR/hub/rejoin/goal.json.new"
	broker_up
	publish w2 3.0
	kill_hard "$hub_pid"
	kill_hard "$agent_pid"
	start hub rejoin-hub run
	start agent rejoin-agent
	wait_for '[ "$(version)" = 3.0 ]' 30
	kill_hard "$hub_pid"
	start hub rejoin-hub run
	wait_for '[[ $(reported) == *w2:0 ]]' 40 || { reported; cat agent.err hub.err; false; }
	run -0 grep -c '"phase":"apply","resultCode":700' "$REJOIN_STATE_DIR/agent/journal.jsonl"
	out_is 2
	[[ $(reported) == *w1:0*w2:0 ]]
}

@test "without a link's directory reports wait in the agent's outbox" {
	kill "$hub_pid"
	wait_for '! alive "$hub_pid"'
	cp -r "$REJOIN_STATE_DIR/hub/rejoin" saved
	publish w1 2.0
	mkdir -p goals
	sed -i "s,^goal = .*,goal = file:$PWD/goals/goal.json," "$REJOIN_CONFIG_DIR/agent.conf"
	cp up/goal.json goals/
	rm -rf "$REJOIN_STATE_DIR/hub"
	start agent rejoin-agent
	wait_for '[ "$(version)" = 2.0 ]'
	wait_for 'grep -q "sent again until it is accepted" agent.err'
	link
	wait_for '[[ $(reported) == *w1:0 ]]' 60
}

@test "the logs of controller, link, agent and collector, merged: each record after its cause" {
	kill "$hub_pid"
	wait_for '! alive "$hub_pid"'
	export REJOIN_STAMP=1
	link
	start agent rejoin-agent -v
	publish w1 2.0
	wait_for '[[ $(reported) == *w1:0 ]]' || { reported; cat agent.err hub.err; false; }
	cp -r "$TOP/packaging/formats.d" "$TOP/packaging/rules.d" "$REJOIN_CONFIG_DIR/"
	# the clock of the link is two seconds ahead of the others
	awk 'match($0, /T[0-9:]+\./) { split(substr($0, RSTART + 1, 8), a, ":"); s = a[1] * 3600 + a[2] * 60 + a[3] + 2
		printf "%s%02d:%02d:%02d%s\n", substr($0, 1, RSTART), s / 3600, s % 3600 / 60, s % 60, substr($0, RSTART + 9) }' hub.err >hub.log
	cut -d' ' -f2- kept >collector.log
	cp agent.err agent.log
	run -0 --separate-stderr rejoin-log --json agent.log collector.log hub.log
	printf '%s\n' "$output" >merged
	at() { grep -n -m1 "$1" merged | cut -d: -f1; }
	[ "$(at 'goal w1 received')" -lt "$(at 'workflow w1: cycle 1 begins')" ] || { cat merged; false; }
	id=$(grep -o 'record [0-9]* accepted: report' hub.log | head -1 | grep -o '[0-9]*')
	[ -n "$id" ]
	[ "$(at "record $id accepted")" -lt "$(at "\\\\\"id\\\\\":$id")" ] || { cat merged; false; }
}

# call ID METHOD - as a controller asks the device; its outcome
call() {
	mosquitto_pub -p "$PORT" -q 1 -t rejoin/1/d1/req -m "{\"id\":\"$1\",\"action\":\"$2\"}"
	wait_for "[ -n \"\$(outcome $1)\" ]" 30 || { cat hub.err agent.err; return 1; }
}

# outcome ID - OUTCOME DETAILS of the answer
outcome() { sed -n 's,^rejoin[^ ]* ,,p' res.out | jq -r --arg i "$1" 'select(.id == $i) | "\(.outcome) \(.details)"' | head -n 1; }

# with_hub LINE... - the link and the agent, with these lines in [hub]
with_hub() {
	kill "$hub_pid"
	wait_for '! alive "$hub_pid"'
	printf '%s\n' "$@" >>"$REJOIN_CONFIG_DIR/agents.d/rejoin.conf"
	sed -i "/^\[restart\]/,/^\[/{/^\(method\|ready\|stable\|limit\)/d}; s,^\[restart\],&\nmethod = signal\nsignal = SIGTERM\npid-file = $REJOIN_RUNTIME_DIR/agent/lock\nready = status\nstable = 0s\nlimit = 1/10m," \
		"$REJOIN_CONFIG_DIR/agents.d/rejoin.conf"
	echo 'allow-modules = yes' >>"$REJOIN_CONFIG_DIR/agent.conf"
	link
	sub res rejoin/1/d1/res
	cat >keep <<-'END'
	#!/bin/bash
	# as a service manager, which starts it again when it ends
	trap 'kill $! 2>/dev/null; wait; exit' TERM
	while :; do
		rejoin-agent -v 2>>agent.err &
		wait $!
	done
	END
	chmod +x keep
	start keep ./keep
	wait_for '[ "$(rejoin-status --json | jq -r .state)" = idle ]' || { cat agent.err; false; }
}

@test "pause, resume and restart: the link passes them on to the agent, which says what came of them" {
	with_hub 'allow = pause restart'
	call p1 pause
	[[ "$(outcome p1)" == settled* ]] || { outcome p1; cat hub.err agent.err; false; }
	[ "$(rejoin-status --json | jq .paused)" = true ]
	[ -e "$REJOIN_STATE_DIR/agent/paused" ]
	# an agent that is started again stays paused, and is another incarnation
	was=$(rejoin-status --json | jq -r .incarnation)
	call r1 restart
	[[ "$(outcome r1)" == settled\ * ]] || { outcome r1; cat hub.err agent.err; false; }
	[ "$(outcome r1)" != "settled $was" ]
	[ "$(rejoin-status --json | jq .paused)" = true ]
	# the limit of [restart] holds: why it is not done is seen from afar
	call r2 restart
	[[ "$(outcome r2)" == busy\ *restart* ]] || { outcome r2; cat hub.err agent.err; false; }
	call p2 resume
	[[ "$(outcome p2)" == settled* ]]
	[ "$(rejoin-status --json | jq .paused)" = null ]
	[ ! -e "$REJOIN_STATE_DIR/agent/paused" ]
}

@test "a writer of the agent's pipe gets what the link may have, and no more" {
	with_hub 'allow = restart'
	call p1 pause
	[[ "$(outcome p1)" == "denied not in 'allow'"* ]]
	frame() { printf '%s' "$1" | dd bs=64 count=1 conv=sync status=none >"$REJOIN_RUNTIME_DIR/agent/commands.fifo"; }
	frame 'call pause 7'
	wait_for "grep -q \"^call=.pause 7 denied not in 'allow'\" $REJOIN_RUNTIME_DIR/agent/status"
	frame 'call reboot 8'
	wait_for "grep -q '^call=.reboot 8 denied' $REJOIN_RUNTIME_DIR/agent/status"
	# none of these is a call, and none does harm
	frame 'call pause'
	frame 'call pause -1'
	frame 'call pause 99999999999999999999'
	frame "call $(printf 'x%.0s' $(seq 50))"
	frame 'call restarts 9'
	wait_for "grep -q '^call=.restarts 9 denied' $REJOIN_RUNTIME_DIR/agent/status"
	[ ! -e "$REJOIN_STATE_DIR/agent/paused" ]
	# an agent that does not run is said so
	kill "$keep_pid"
	wait_for '! alive "$keep_pid"'
	call r1 restart
	[[ "$(outcome r1)" == absent* ]] || { outcome r1; cat hub.err; false; }
}
