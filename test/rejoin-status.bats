# rejoin-status as its users see it; agent-double looks as our agent does.
load helper

# double [OPTION...] - an agent that looks as ours, and its profile t
double() {
	start double agent-double "$@" "$PWD/agent"
	wait_for 'grep -q ready double.out'
	profile '[status]' 'method = file' "path = $PWD/agent/status"
}

profile() {
	printf '%s\n' "$@" >"$REJOIN_CONFIG_DIR/agents.d/t.conf"
}

view() { run --separate-stderr rejoin-status -A t "$@"; }

# member FILTER VALUE - of the record
member() {
	local got
	got=$(jq -c "$1" <<<"$output")
	[ "$got" = "$2" ] || { echo "$1 is $got, not $2"; return 1; }
}

report() {
	cat >agent/report.json <<-'END'
	{"deviceUpdate":{},"rejoin":{"waiting":[{"id":"cam-2","name":"rear \u001b[2J","since":"2026-11-21T20:00:00.000000Z"}],
	"results":[
	{"component":"cam-1","time":"2026-11-21T20:00:03.000000Z","phase":"apply","resultCode":700,"details":"new"},
	{"component":"cam-1","time":"2026-11-21T20:00:01.000000Z","phase":"install","resultCode":600,"details":"old"},
	{"component":"motor","time":"2026-11-21T20:00:02.000000Z","phase":"install","resultCode":0,"details":"no"}]}}
	END
}

@test "idle and well" {
	double --workflow w-1
	report
	view
	status_is 0
	member '[.agent,.running,.state,.workflow,.phase,.progress,.pending,.unsigned,.restarts]' \
		'["t",true,"idle","w-1",null,null,false,true,[]]'
	member '.waiting|map(.id)' '["cam-2"]'
	member '.results|map([.component,.details])' '[["cam-1","new"],["motor","no"]]'
	member '.incarnation|test("^[0-9a-f]{8}-'"$double_pid"'-[0-9]+$")' true
	member '.since|test("^20..-.*Z$")' true
	[ "$(wc -l <<<"$output")" = 1 ]
}

@test "a table for a person, with controls shown" {
	double --workflow w-1
	report
	view --format table
	status_is 0
	[[ $output =~ 'state        idle' ]]
	[[ $output =~ 'WAITING FOR'[\ ]+NAME[\ ]+SINCE ]]
	[[ $output =~ 'cam-2'[\ ]+'rear \x1b[2J'[\ ]+2026 ]]
	[[ $output =~ COMPONENT[\ ]+PHASE[\ ]+RESULT ]]
	[[ $output =~ cam-1[\ ]+apply[\ ]+700[\ ]+2026.*new ]]
	view --format kv
	status_is 0
	out_has $'\nstate=idle\n'
	out_has $'\nwaiting=1\n'
	view --format json
	member .state '"idle"'
	needs script
	run script -qec "rejoin-status -A t" /dev/null
	out_has 'running      yes'
}

@test "a failed deployment, an agent that stopped, and one that was killed" {
	double --result 0 --workflow w-1
	view
	status_is 1
	member .state '"failed"'
	kill -KILL "$double_pid"
	wait_for '! alive "$double_pid"'
	view
	status_is 5
	member '[.running,.state,.note]' '[false,"stopped","ended without a word while failed"]'
	rm agent/status
	view
	status_is 5
}

@test "busy, and until it is not" {
	double --busy 1500 --workflow w-1
	profile '[retry]' 'method = fifo' "path = $PWD/agent/commands.fifo" 'frame = adu64' \
		'command = retry-update' '[status]' 'method = file' "path = $PWD/agent/status"
	rejoin-retry -A t
	view --until busy --timeout 10s
	status_is 0
	local seen=$output
	view
	status_is 6
	view --until idle --timeout 10ms
	status_is 4
	err_has 'it is busy'
	view --until settled --timeout 10s
	status_is 0
	member .state '"idle"'
	output=$seen
	member '[.state,.phase,.progress]' '["busy","install","1/2"]'
	rejoin-retry -A t --queue
	view
	member .pending true
	view --until settled --timeout 50ms
	status_is 4
	err_has 'it is idle, and a retry is pending'
	view --until ready --timeout 1s
	status_is 0
}

@test "until ready waits for an agent that is not there yet" {
	profile '[status]' 'method = file' "path = $PWD/agent/status"
	view --until ready --timeout 50ms
	status_is 5
	rejoin-status -A t --until ready --timeout 20s >ready.json &
	local pid=$!
	start double agent-double "$PWD/agent"
	wait $pid
	grep -q '"running":true' ready.json
}

@test "an agent of which only a path is seen" {
	mkdir downloads
	profile '[status]' 'method = busy-path' "busy-path = $PWD/downloads/*"
	view
	status_is 0
	member '[.running,.incarnation,.state]' '[null,null,"idle"]'
	mkdir downloads/1
	view
	status_is 6
	rejoin-status -A t --until idle --timeout 10s >idle.json &
	local pid=$!
	rmdir downloads/1
	wait $pid
	profile '[status]' 'method = busy-path' "busy-path = $PWD/none/*"
	view
	status_is 3
	member .state '"unknown"'
	member '.note|test("No such file")' true
	profile '[agent]' 'description = x'
	view
	status_is 3
}

# fake NAME TEXT - a command of that name, first in PATH, that runs the shell text
fake() {
	mkdir -p fake
	printf '#!/bin/sh\n%s\n' "$2" >"fake/$1"
	chmod +x "fake/$1"
	PATH=$PWD/fake:$PATH
}

@test "an agent that is asked by a command" {
	profile '[status]' 'method = exec' "argv = $PWD/fake/ask 'one word'" 'timeout = 10s' \
		'idle = ^state: (idle|none)$' 'busy = installing' 'failed = ^status=[1-9]' \
		'starting = ^boot' 'stopping = ^halt' 'stopped = ^gone'
	local answer want
	while IFS='|' read -r answer want; do
		fake ask "[ \"\$#\" = 1 ] && $answer"
		view
		member '[.running,.state]' "$want"
	done <<-'END'
	echo state: idle|[true,"idle"]
	printf 'x\nstate: none'|[true,"idle"]
	echo installing 3/7|[true,"busy"]
	echo state: idle; exit 4|[true,"failed"]
	echo boot 1|[true,"starting"]
	echo halt|[true,"stopping"]
	echo gone|[false,"stopped"]
	echo state: idle, or so|[null,"unknown"]
	END
	status_is 3
	member .note '"its answer is not known: state: idle, or so"'
	fake ask 'echo gone'
	view
	status_is 5
	fake ask 'exit 4'
	view
	status_is 1
	fake ask 'echo installing'
	view
	status_is 6
	rejoin-status -A t --until idle --timeout 20s >idle.json &
	local pid=$!
	fake ask 'echo state: idle'
	wait $pid
	rm fake/ask
	view
	status_is 3
	member '.note|test("No such file")' true
	sed -i 's/timeout = .*/timeout = 100ms/' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	fake ask 'exec tail -f /dev/null'
	view
	status_is 3
	member '.note|test("did not end before its deadline")' true
}

@test "an agent that is asked on the bus" {
	profile '[status]' 'method = dbus' 'property = org.example.A / org.example.A.Installer Operation' \
		'idle = ^s "idle"$' 'busy = ^s "installing"$'
	fake busctl '[ "$3 $4 $5 $6 $7" = "get-property org.example.A / org.example.A.Installer Operation" ] &&
		{ cat answer; exit; }
		[ -e owned ] && echo b true || echo b false'
	echo 's "idle"' >answer
	view
	status_is 0
	echo 's "installing"' >answer
	view
	status_is 6
	fake busctl '[ "$3" != get-property ] || { echo no such property >&2; exit 1; }
		[ -e owned ] && echo b true || echo b false'
	view
	status_is 5
	member '[.running,.note]' '[false,"org.example.A is not on the bus"]'
	touch owned
	view
	status_is 3
	member '[.running,.note]' '[null,"no such property"]'
}

@test "a real bus" {
	needs dbus-daemon busctl
	start bus dbus-daemon --session --nofork --nopidfile --address="unix:path=$PWD/bus"
	wait_for '[ -S bus ]'
	export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$PWD/bus
	profile '[status]' 'method = dbus' \
		'property = org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus Interfaces' \
		'idle = ^as '
	view
	status_is 0
	sed -i 's/= org.freedesktop.DBus /= org.example.None /' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	view
	status_is 5
}

@test "an agent that the service manager is asked of" {
	profile '[agent]' 'unit = x.service' '[status]' 'method = systemd' \
		'busy = ^StatusText=.*[Ii]nstalling'
	fake systemctl '[ "$1 $4" = "show x.service" ] && cat answer'
	local answer want
	while IFS='|' read -r answer want; do
		printf 'LoadState=loaded\nInvocationID=0123\nMainPID=0\nNRestarts=3\nResult=exit-code\nJob=0\n' >answer
		printf '%b\n' "$answer" >>answer
		view
		member '[.running,.state,.note]' "$want"
	done <<-'END'
	ActiveState=active\nSubState=running|[true,"idle",null]
	ActiveState=active\nSubState=running\nStatusText=installing a|[true,"busy","installing a"]
	ActiveState=active\nJob=17|[true,"busy",null]
	ActiveState=reloading|[true,"busy",null]
	ActiveState=activating|[true,"starting",null]
	ActiveState=activating\nSubState=auto-restart|[false,"starting","auto-restart: exit-code; restarted 3 times"]
	ActiveState=deactivating\nStatusText=installing|[true,"stopping","installing"]
	ActiveState=inactive\nSubState=dead|[false,"stopped",null]
	ActiveState=failed\nSubState=failed|[false,"failed","failed: exit-code; restarted 3 times"]
	LoadState=masked\nActiveState=inactive|[false,"stopped","x.service is masked"]
	END
	status_is 5
	fake systemctl 'echo no manager here >&2; exit 1'
	view
	status_is 3
	member .note '"x.service: systemctl show: no manager here"'
}

@test "the Azure agent, asked by its API" {
	mkdir api
	mkfifo -m 0660 api/apireq.fifo
	profile '[status]' 'method = adu-api' "path = $PWD/api/apireq.fifo" 'timeout = 10s' \
		'starting = ^value=1$' 'busy = ^value=[2-6]$' 'idle = ^value=7$' 'stopped = ^code=10001$'
	view
	status_is 5
	member '.note|test("nobody reads it")' true
	# it answers from the file "says", as the real one does: into the FIFO that it is told of
	cat >reader <<-'END'
	#!/bin/bash
	exec 3<>api/apireq.fifo
	echo up
	while :; do
		read -r v1 v2 t1 t2 l1 l2 < <(head -c 6 <&3 | od -An -tu1)
		path=$(head -c $((l1 * 256 + l2)) <&3)
		[ "$v1$v2$t1$t2 $(stat -c '%a %F' "$path")" = '0101 660 fifo' ] || { echo "asked: $path" >bad; exit; }
		stat -c %U:%G "$path" >owner
		[ -s says ] && cat says >"$path"
	done
	END
	chmod +x reader
	start reader ./reader
	wait_for '[ -s reader.out ]'
	local answer want
	while IFS='|' read -r answer want; do
		printf '%b' "$answer" >says
		view
		member '[.running,.state]' "$want"
	done <<-'END'
	\0000\0000\0000\0007|[true,"idle"]
	\0000\0000\0000\0003|[true,"busy"]
	\0000\0000\0000\0001|[true,"starting"]
	\0000\0000\0001\0007|[null,"unknown"]
	\0047\0021\0000\0000|[false,"stopped"]
	END
	[ ! -e bad ]
	if [ "$(id -u)" = 0 ]; then
		# it takes only what is its own
		sed -i '1i [agent]\nuser = daemon\ngroup = daemon' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
		view
		status_is 3
		member '.note|test("owned by uid 0, not by daemon")' true
		chown daemon:daemon api/apireq.fifo
		view
		status_is 5
		[ "$(cat owner)" = daemon:daemon ]
		chown root:root api/apireq.fifo
		sed -i '1,3d' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	fi
	: >says
	sed -i 's/^timeout = .*/timeout = 200ms/' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	view
	status_is 3
	member '.note|test("does not answer")' true
	# nothing is left behind
	[ "$(ls api)" = apireq.fifo ]
	chmod o+w api/apireq.fifo
	view
	status_is 3
	member '.note|test("writable by others")' true
	rm -r api
	view
	status_is 3
}

@test "its last restarts" {
	double
	mkdir "$REJOIN_STATE_DIR/restart"
	local i
	for i in 1 2 3 4 5 6 7; do
		printf '{"id":%d,"time":"2026-11-21T20:00:0%d.000000Z","agent":"t","reason":"r %d","outcome":"restarted"}\n' \
			$i $i $i
	done >"$REJOIN_STATE_DIR/restart/t.jsonl"
	view
	status_is 0
	member '.restarts|map(.id)' '[3,4,5,6,7]'
	view --format table
	out_has RESTART
	out_has 'r 7'
	# what a crash tore, and what never was a record
	mv "$REJOIN_STATE_DIR/restart/t.jsonl" "$REJOIN_STATE_DIR/restart/t.jsonl.1"
	printf '{"id":8,"reason":"\\u001b[2J"}\n[]\nnonsense\n{"id":9}\n{"id":1' >"$REJOIN_STATE_DIR/restart/t.jsonl"
	view
	status_is 0
	member '.restarts|map(.id)' '[7,8,9]'
	view --format table
	out_has '\x1b[2J'
	rm "$REJOIN_STATE_DIR"/restart/*
	mkdir "$REJOIN_STATE_DIR/restart/t.jsonl"
	view
	status_is 0
	member '.restarts|length' 0
	member '.note|test("t.jsonl")' true
}

@test "hostile status files and reports" {
	double
	printf 'not json' >agent/report.json
	view
	status_is 0
	member '.results' '[]'
	member '.note|test("report.json")' true
	printf '{"rejoin":{"waiting":7,"results":[1,{"component":3},{"time":1}]}}' >agent/report.json
	view
	status_is 0
	view --format table
	status_is 0
	rm agent/report.json
	mkfifo agent/report.json
	view
	status_is 0
	rm agent/status
	mkfifo agent/status
	view
	status_is 3
	err_has 'not a regular file'
	rm agent/status
	ln -s /etc/passwd agent/status
	view
	status_is 3
	rm agent/status
	head -c 1000000 /dev/urandom >agent/status
	view
	status_is 3
}

@test "misuse" {
	profile
	view --until never
	status_is 2
	view --format xml
	status_is 2
	err_has "--format: unknown choice: 'xml'"
	view operand
	status_is 2
	run --separate-stderr rejoin-status -A none-such
	status_is 2
	chmod o+w "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	view
	status_is 7
}

@test "a full stdout is trouble" {
	double
	run --separate-stderr bash -c 'rejoin-status -A t >/dev/full'
	status_is 3
	err_has 'write error'
}
