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
