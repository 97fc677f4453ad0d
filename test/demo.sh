#!/bin/bash
# shellcheck disable=SC2016	# conditions are for seen to evaluate
# The main job, end to end: a peripheral that was offline when an update was
# rolled out comes back, and gets it without a command.
#
# Builds a virtual vacuum cleaner in a temporary directory and runs our own
# tools on it.  Ends with 0 only if every step was seen; leaves nothing behind.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit
: "${B:=$here/../build}"
PATH=$B/bin:$PATH
locale=${LC_ALL:-${LC_CTYPE:-${LANG-}}}
: "${DEMO_SVG:=$B/demo.svg}"
export LC_ALL=C
# shellcheck source=test/goal.bash disable=SC1091
. "$here/goal.bash"

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then
	bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi
heading() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
tell() { printf '%s\n' "$*"; }
show() { # CMD... - as a user would type it, and what it prints
	printf '  %s$ %s%s\n' "$dim" "${SHOWN-$*}" "$plain"
	"$@" 2>&1 | sed 's/^/    /'
	[ "${PIPESTATUS[0]}" -eq 0 ] || fail "$1 ending with status 0"
}

failed=
fail() {
	failed=1
	printf 'demo: not seen: %s\n' "$*" >&2
	for f in "$work"/*.err; do
		sed "s|^|demo: $(basename "$f"): |" "$f" >&2
	done
	exit 1
}

# seen WHAT CONDITION - wait until it holds, 10 s at most
seen() {
	local deadline=$((${EPOCHREALTIME/./} + 10000000))
	until eval "$2"; do
		[ "${EPOCHREALTIME/./}" -lt "$deadline" ] || fail "$1"
		sleep 0.02
	done
	printf '  %-10s %s\n' 'seen:' "$1"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/rejoin-demo.XXXXXX") || exit
groups=()
clean_up() {
	local status=$? g
	trap - EXIT
	for g in "${groups[@]}"; do
		kill -- "-$g" 2>/dev/null
	done
	wait 2>/dev/null
	rm -rf "$work"
	[ -z "$failed" ] || status=1
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

export REJOIN_CONFIG_DIR=$work/etc REJOIN_STATE_DIR=$work/state REJOIN_RUNTIME_DIR=$work/run
export REJOIN_STAMP=1	# messages with their times, for the picture at the end
unset REJOIN_AGENT
vacuum=$work/vacuum

# --- the device: a host, three motors, two cameras of which one is unplugged
entry() { # ID NAME GROUP
	printf '  {"id":"%s","name":"%s","group":"%s","properties":{"path":"%s/%s","firmwareDataFile":"firmware.json"}}' \
		"$1" "$2" "$3" "$vacuum" "$1"
}
firmware() { # ID VERSION
	mkdir -p "$vacuum/$1"
	printf '{"version":"%s"}\n' "$2" >"$vacuum/$1/.new"
	mv "$vacuum/$1/.new" "$vacuum/$1/firmware.json"
}
plug_in() { firmware camera-2 1.0; }
unplug() { rm -rf "$vacuum/camera-2"; }
ask() { rejoin-retry -v --wait 2>>"$work/retry.err"; }
by_hand() { # TEXT - what a person does, with the time
	local now=$EPOCHREALTIME
	TZ=UTC0 printf '%(%Y-%m-%dT%H:%M:%S)T.%sZ %s\n' "${now%.*}" "${now#*.}" "$*" >>"$work/hand.log"
}
version() { sed -n 's/.*"version":"\([^"]*\)".*/\1/p' "$vacuum/$1/firmware.json" 2>/dev/null; }
status_of() { sed -n "s/^$1=//p" "$work/run/agent/status" 2>/dev/null; }
installs() { grep -c '"phase":"apply","resultCode":700' "$work/state/agent/journal.jsonl"; }

mkdir -p "$work"/{etc,up} || exit
cp -r "$here"/../packaging/{agents,handlers,formats,rules}.d "$work/etc/" || exit
cat >"$work/etc/inventory.json" <<EOF
{"components":[
$(entry host-fw main-board firmware),
$(entry motor-1 left-motor motors),
$(entry motor-2 right-motor motors),
$(entry motor-3 brush-motor motors),
$(entry camera-1 front-camera cameras),
$(entry camera-2 rear-camera cameras)
]}
EOF
cat >"$work/etc/agent.conf" <<EOF
[agent]
goal = file:$work/goal.json
allow-unsigned = yes
handler-user = $(id -un)
EOF
for c in host-fw motor-1 motor-2 motor-3 camera-1; do firmware $c 1.0; done

# --- the update: version 2.0 for each group, as reference steps of one goal
for group in firmware motors cameras; do
	printf '{"version":"2.0"}\n' >"$work/up/$group-2.0.json"
done
deploy() {
	local group steps=''
	goal_forget
	for group in firmware motors cameras; do goal_file "$work/up/$group-2.0.json"; done
	for group in firmware motors cameras; do
		goal_manifest "vacuum-$group" "{\"group\":\"$group\"}" \
			'{"handler":"rejoin/copy:1","files":["f-'$group'-2.0.json"],"handlerProperties":{"installedCriteria":"2.0","arguments":"--file '$group'-2.0.json --to --component-prop-val path --as firmware.json"}}' \
			>"$work/up/$group.manifest.json"
		goal_file "$work/up/$group.manifest.json"
		steps+="${steps:+,}{\"type\":\"reference\",\"detachedManifestFileId\":\"f-$group.manifest.json\"}"
	done
	goal_manifest vacuum '{"model":"virtual-vacuum"}' "$steps" >"$work/up/manifest.json"
	goal vacuum-2.0 "$work/up/manifest.json" >"$work/goal.new"
	mv "$work/goal.new" "$work/goal.json"
}

heading '1. A vacuum cleaner: its rear camera is unplugged'
show rejoin-enum -a --format=table

heading '2. Its agent, and a watcher that asks the agent again when something comes back'
tell '  rejoin-agent -v 2>agent.err &'
tell '  rejoin-watch -v --state watch.json 2>watch.err | rejoin-retry -v --stdin 2>>retry.err &'
set -m	# a process group each, so that a pipeline is ended as a whole
rejoin-agent -v 2>"$work/agent.err" </dev/null &
groups+=($!)
rejoin-watch -v --state "$work/watch.json" 2>"$work/watch.err" </dev/null |
	rejoin-retry -v --stdin 2>>"$work/retry.err" &
groups+=("$(jobs -p %%)")
set +m
seen 'the agent is idle, it has no goal yet' '[ "$(status_of state)" = idle ]'
seen 'the watcher knows the present components' '[ -s "$work/watch.json" ]'

heading '3. An update is rolled out: version 2.0 for every part'
deploy
seen 'all that is here has version 2.0' \
	'[ "$(version host-fw) $(version motor-1) $(version motor-2) $(version motor-3) $(version camera-1)" = "2.0 2.0 2.0 2.0 2.0" ]'
seen 'the agent waits for the rear camera' '[ "$(status_of state) $(status_of waiting)" = "idle 1" ]'
show rejoin-status --format=table

heading '4. The rear camera is plugged in; no command is given'
before=$(status_of cycle)
by_hand 'plugs in camera-2'
plug_in
seen 'the watcher saw it arrive, and one more cycle ran' \
	'[ "$(status_of settled_cycle)" = $((before + 1)) ]'
seen 'the rear camera has version 2.0' '[ "$(version camera-2)" = 2.0 ]'
seen 'no component is waited for any more' '[ "$(status_of state) $(status_of waiting)" = "idle 0" ]'
show rejoin-enum --format=table

heading '5. Asked once more, with everything up to date: nothing is installed'
before=$(installs)
SHOWN='rejoin-retry -v --wait 2>>retry.err' show ask
seen "installs before and after: $before" '[ "$(installs)" = "$before" ]'

heading '6. A loose connector: the rear camera comes and goes 50 times'
by_hand 'pulls camera-2'
unplug
seen 'the watcher saw it leave' 'grep -q "\"camera-2\",\"state\":\"offline\"" "$work/watch.json"'
before=$(status_of cycle)
by_hand 'shakes camera-2 50 times'
for _ in {1..50}; do
	plug_in
	unplug
done
by_hand 'plugs in camera-2'
plug_in
seen 'the rear camera has version 2.0 again' '[ "$(version camera-2)" = 2.0 ]'
sleep 1	# as long as a second cycle would need to show itself
seen 'all of that was one cycle' '[ "$(status_of state) $(status_of cycle)" = "idle $((before + 1))" ]'
show rejoin-status --format=table

heading '7. All that in causal order: the sources, and what led to what'
cat >"$work/hand.conf" <<'EOT'
[by-hand]
kind = message
send = (?:plugs in|pulls) (?<id>\S+)
recv = watch: (?<id>\S+) [a-z]+$
EOT
svg=$(realpath -m "$DEMO_SVG")
cd "$work" || exit
logs=(hand=hand.log agent=agent.err watch=watch.err retry=retry.err
	"results=state/agent/journal.jsonl,format=rejoin-results")
# --exact: what was written first in one file may be read last in another
tell "  $dim\$ rejoin-log --exact --graph --svg $DEMO_SVG --rules hand.conf ${logs[*]}$plain"
LC_ALL=$locale rejoin-log --exact --graph --svg "$svg" --rules hand.conf "${logs[@]}" || fail 'a graph'
env -u COLUMNS rejoin-log --exact --graph --rules hand.conf "${logs[@]}" >graph.txt
led() { # EMITTER WHAT - an arrow leads to what it said
	grep -Eq -- "(->|<-).* $1 +(\[[^]]*\] )?$2" graph.txt
}
seen 'an arrow from the hand to the watcher' 'led watch "camera-2 arrived"'
seen 'from the watcher to the retry' 'led retry "rejoin: request recorded: camera-2"'
seen 'from the retry to the agent' 'led agent "1 retry request"'
seen 'from the agent to the component' 'led camera-2 ".*phase=apply resultCode=700"'
seen 'and back' 'led agent "step_2.0: camera-2: apply: 700"'
tell "  drawn in:  $DEMO_SVG"

heading '8. A task on a device: its link is cut and comes back, and its task agent is killed'
# in the place of ssh(1): the link to the device, which can be cut
mkdir "$work/link"
cat >"$work/link/ssh" <<EOT
#!/bin/sh
[ ! -e "$work/link/cut" ] || exit 255
echo \$\$ >>"$work/link/pids"
exec rejoin-taskd --dial
EOT
chmod +x "$work/link/ssh"
start_taskd() {
	rejoin-taskd 2>>"$work/taskd.err" </dev/null &
	taskd=$!
	groups+=("$taskd")
}
said() { grep -c "$1" "$work/task.err"; }
set -m
start_taskd
tell "  rejoin-task -v device7 run -- sh -c 'for i in \$(seq 200); do echo \$i; sleep 0.02; done'"
PATH=$work/link:$PATH rejoin-task -v device7 run --period 250ms --lease 15s -- \
	sh -c 'for i in $(seq 200); do echo $i; sleep 0.02; done' >"$work/task.out" 2>"$work/task.err" </dev/null &
groups+=($!)
task=$!
set +m
seen 'the task runs, and its output comes' 'grep -q 20 "$work/task.out"'
touch "$work/link/cut"
# shellcheck disable=SC2046	# pids
kill $(cat "$work/link/pids") 2>/dev/null
seen 'the link is cut: that is said once' '[ "$(said "no answer to two heartbeats")" = 1 ]'
rm "$work/link/cut"
seen 'the link comes back, and what is missing with it' '[ "$(said reconnected)" = 1 ]'
{ kill -KILL "$taskd"; wait "$taskd"; } 2>/dev/null
seen 'the task agent is killed' '[ "$(said "no answer to two heartbeats")" = 2 ]'
set -m
start_taskd
set +m
seen 'it was started again, and the task is alive' 'grep -q "restarted, its tasks are alive" "$work/task.err"'
seen 'the task has ended' '[ "$(said ": ended")" = 1 ]'
wait "$task" || fail 'the status of the task, 0'
seen 'no line of its output is missing, and none came twice' 'seq 200 | cmp -s - "$work/task.out"'
logs=(controller=task.err "agent=state/tasks/history.jsonl,format=rejoin-tasks")
tell "  $dim\$ rejoin-log --exact --graph ${logs[*]}$plain"
LC_ALL=$locale rejoin-log --exact --graph "${logs[@]}" || fail 'a graph of the task'
env -u COLUMNS rejoin-log --exact --graph "${logs[@]}" >graph.txt
seen 'an arrow from the controller to the agent' 'led agent ".*recorded"'
seen 'and back, across both cuts' 'led task ".*: ended"'

if command -v mosquitto >/dev/null && command -v mosquitto_pub >/dev/null; then
	heading '9. An update over MQTT: a goal from a broker, while the link and the agent are killed'
	port=$((20000 + $$ % 20000))
	while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
	{
		printf 'listener %s 127.0.0.1\nallow_anonymous true\n' "$port"
		[ "$(id -u)" -ne 0 ] || echo 'user root'
	} >"$work/broker.conf"
	printf '[hub]\ndialect = rejoin\nbroker = mqtt://127.0.0.1:%s\nclient-id = vacuum\n' "$port" >>"$work/etc/agents.d/rejoin.conf"
	printf '[agent]\ngoal = file:%s\nreport = hub:rejoin\nallow-unsigned = yes\nhandler-user = %s\n' \
		"$work/state/hub/rejoin/goal.json" "$(id -un)" >"$work/etc/agent.conf"
	launch() { # NAME CMD... - in a process group of its own
		local name=$1
		shift
		set -m
		"$@" >"$work/$name.out" 2>>"$work/$name.err" </dev/null &
		groups+=($!)
		set +m
	}
	hub_state() { rejoin-hub status --json 2>/dev/null | grep -q "\"state\":\"$1\".*\"running\":true"; }
	tell "  $dim\$ mosquitto -c broker.conf & rejoin-hub run & rejoin-agent &$plain"
	launch broker mosquitto -c "$work/broker.conf"
	seen 'the broker listens' '(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null'
	launch reports mosquitto_sub -p "$port" -q 1 -t 'rejoin/1/vacuum/#' -v
	kill -TERM -- "-${groups[0]}"
	seen 'the agent has stopped' '! kill -0 "${groups[0]}" 2>/dev/null'
	launch hub rejoin-hub run
	hub_pid=${groups[-1]}
	launch agent rejoin-agent -v
	agent_pid=${groups[-1]}
	seen 'the link is up' 'hub_state synced'
	sed 's/2\.0/3.0/g' "$work/up/motors-2.0.json" >"$work/up/motors-3.0.json"
	goal_forget
	goal_file "$work/up/motors-3.0.json"
	goal_manifest vacuum-motors '{"group":"motors"}' \
		'{"handler":"rejoin/copy:1","files":["f-motors-3.0.json"],"handlerProperties":{"installedCriteria":"3.0","arguments":"--file motors-3.0.json --to --component-prop-val path --as firmware.json"}}' \
		>"$work/up/motors3.manifest.json"
	goal_file "$work/up/motors3.manifest.json"
	goal_manifest vacuum '{"model":"virtual-vacuum"}' '{"type":"reference","detachedManifestFileId":"f-motors3.manifest.json"}' \
		>"$work/up/manifest.json"
	goal vacuum-3.0 "$work/up/manifest.json" >"$work/goal3.json"
	tell "  $dim\$ mosquitto_pub -t rejoin/1/vacuum/goal -r -f goal3.json; kill -9 \$hub \$agent$plain"
	mosquitto_pub -p "$port" -q 1 -r -t rejoin/1/vacuum/goal -f "$work/goal3.json" || fail 'the goal published'
	kill -KILL "$hub_pid" "$agent_pid"
	wait "$hub_pid" "$agent_pid" 2>/dev/null
	launch hub rejoin-hub run
	launch agent rejoin-agent -v
	seen 'the motors have version 3.0' '[ "$(version motor-1) $(version motor-2) $(version motor-3)" = "3.0 3.0 3.0" ]'
	echo '"clean"' | rejoin-hub send telemetry vacuum/state || fail 'telemetry'
	seen 'the controller has the report' 'grep -q "vacuum/report .*vacuum-3.0.*\"resultCode\":700" "$work/reports.out"'
	seen 'and what a script on the device sends' 'grep -q "vacuum/telemetry .*\"value\":\"clean\"" "$work/reports.out"'

	heading '10. A module over MQTT: a shell script counts, while the link and the agent are killed'
	cat >"$work/up/counter.sh" <<-'EOT'
	#!/bin/sh
	echo "starts" >>starts
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		echo "$i" | rejoin-hub send telemetry "$REJOIN_INSTANCE/count"
		sleep 0.1
	done
	exec sleep 600
	EOT
	tell '  the module:'
	sed 's/^/    /' "$work/up/counter.sh"
	printf 'allow-modules = yes\ntrust-hub = yes\n[module-impl.spawn]\nuser = %s\n' "$(id -un)" >>"$work/etc/agent.conf"
	kill -HUP "${groups[-1]}"
	module=$(printf '"deploymentId":"d-1","instanceSpecs":{"counter":{"moduleId":"M1"}},"modules":{"M1":{"moduleImpl":"spawn","downloadUrl":"file:%s","hash":"%s"}}' \
		"$work/up/counter.sh" "$(sha256sum "$work/up/counter.sh" | cut -d' ' -f1)")
	tell "  the goal, with a deployment beside the update: {$module, ...}"
	sed "s|^{|{$module,|; 1!b" "$work/goal3.json" | tr -d '\n' >"$work/goal4.json"
	mosquitto_pub -p "$port" -q 1 -r -t rejoin/1/vacuum/goal -f "$work/goal4.json" || fail 'the goal published'
	counted() { grep -o 'vacuum/telemetry .*"key":"counter/count","value":[0-9]*' "$work/reports.out" | sed 's/.*://' | sort -nu; }
	seen 'the module counts' '[ "$(counted | wc -l)" -ge 3 ]'
	tell "  $dim\$ kill -9 \$hub \$agent$plain"
	kill -KILL "${groups[-2]}" "${groups[-1]}"
	wait "${groups[-2]}" "${groups[-1]}" 2>/dev/null
	launch hub rejoin-hub run
	launch agent rejoin-agent -v
	seen 'the agent adopts the instance, which goes on' 'grep -q "instance counter: goes on" "$work/agent.err"'
	seen 'no number is missing' '[ "$(counted | xargs)" = "$(seq 20 | xargs)" ]'
	seen 'it was started once' '[ "$(cat "$work/state/agent/instances/counter/home/starts")" = starts ]'
	show rejoin-status --format table
else
	tell
	tell 'Steps 9 and 10, over MQTT, are left out: mosquitto and mosquitto-clients are not installed.'
fi

heading 'Every step was seen.'
tell 'The watcher compares what is here with what it last acted on, so no event is lost or'
tell 'doubled; the agent asks each component before it touches it, so asking again is harmless.'
