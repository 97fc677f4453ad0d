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
	[[ $output =~ 'cam-2'[\ ]+'rear \x1b[2J'[\ ]+(2026|[0-9]+\ d\ ago) ]]
	[[ $output =~ COMPONENT[\ ]+PHASE[\ ]+RESULT ]]
	[[ $output =~ cam-1[\ ]+apply[\ ]+700\ Apply_Success[\ ]+(2026|[0-9]+\ d\ ago).*new ]]
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

@test "on a terminal: times as a person says them, the state in colour, the last lines of the log" {
	needs script
	double --workflow w-1
	printf '[log.a]\npath = %s/a.log\n' "$PWD" >>"$REJOIN_CONFIG_DIR/agents.d/t.conf"
	for i in 1 2 3 4 5 6 7; do
		printf '2026-01-22T10:18:1%dZ line %d\033[2J\n' "$i" "$i" >>a.log
	done
	run script -qec "rejoin-status -A t" /dev/null
	[[ $output =~ since[\ ]+[0-9]+\ s\ ago ]]
	out_has $'\e[32midle\e[0m'
	out_has 'line 3'
	out_has 'line 7\x1b[2J'
	[[ $output != *'line 2'* && $output != *$'\e[2J'* ]]
	NO_COLOR=1 run script -qec "rejoin-status -A t" /dev/null
	[[ $output != *$'\e['* ]]
	# a line that is too wide is shortened in its middle
	echo "2026-01-22T10:18:19Z a line that does not fit into forty columns, and its end" >>a.log
	run script -qec "stty cols 40; rejoin-status -A t" /dev/null
	[[ $output =~ 2026-01-22[^$'\n']*'~'[^$'\n']*'its end' ]]
	# a record keeps the exact time, and a table in a pipe has neither colour nor log
	view
	member '.since|test("^20..-.*Z$")' true
	view --format table
	[[ $output != *$'\e['* && $output != *LOG* ]]
}

@test "with -v it says what is waited for" {
	double --workflow w-1
	run --separate-stderr rejoin-status -v -A t --until busy --timeout 300ms
	status_is 4
	err_has 't: waiting for busy; it is idle'
}

@test "of a unit the invocation is the name of the incarnation, as in the history" {
	needs_mounts
	double --workflow w-1
	sed -i 's/^\[status\]/[agent]\nunit = t-of-the-test.service\n[status]/' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	local id=0123456789abcdef0123456789abcdef
	run own-mounts sh -c "mount -t tmpfs none /run && mkdir -p /run/systemd/units &&
		ln -s $id /run/systemd/units/invocation:t-of-the-test.service &&
		rejoin-status -A t --format table; rejoin-status -A t --json"
	[[ ${lines[*]} =~ incarnation[\ ]+$id ]]
	[[ $output == *'"invocation":"'$id'"'* && $output =~ '"incarnation":"'[0-9a-f]{8}-$double_pid- ]]
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
	member '[.running,.state,.note]' '[false,"stopped","exited without a message while failed"]'
	# a person is told where to ask next, a program is not
	[ -z "$stderr" ]
	view --format table
	status_is 5
	err_has 'rejoin-doctor -A t says what to do'
	rm agent/status
	view
	status_is 5
}

@test "busy, and until it is not" {
	double --busy 4000 --workflow w-1
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
	view --until settled --timeout 30s
	status_is 0
	member .state '"idle"'
	output=$seen
	member '[.state,.phase,.progress]' '["busy","install","1/2"]'
	rejoin-retry -A t --queue
	view
	member .pending true
	view --until settled --timeout 50ms
	status_is 4
	err_has 'it is idle, and a retry request is pending'
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

# reader - a process that reads the command pipe "pipe"
reader() {
	[ -p pipe ] || mkfifo -m 660 pipe
	start reader sh -c 'exec 3<>pipe; echo up; exec sleep 1000'
	wait_for '[ -s reader.out ]'
}

# sandbox LINE... - the profile t: busy while downloads/ has an entry
sandbox() {
	profile '[retry]' 'method = fifo' "path = $PWD/pipe" 'frame = adu64' 'command = retry-update' \
		'debounce = 0ms' 'only-when-idle = yes' '[status]' 'method = busy-path' \
		"busy-path = $PWD/downloads/*" 'busy = Setting sandbox' 'failed = failed\. Going to state' \
		'idle = Workflow is Complete' "$@"
}

@test "a sandbox is busy only if neither process nor log says that it is stale" {
	mkdir downloads logs
	sandbox '[log.a]' "path = $PWD/logs/*.log"
	reader
	view
	status_is 0
	mkdir downloads/w1
	view
	status_is 6
	member '.note|test("busy since 20.*downloads/w1 exists")' true
	# whatever its age, while the process is older
	local t
	t=$(date -u -d '1 minute' +%Y-%m-%dT%H:%M:%S)
	printf '%s.123Z 1016[1016] [I] Setting sandbox %s\n' "$t" w1 >logs/1.log
	view
	status_is 6
	# a later line of the log: failed, then again busy, then complete
	printf '%s.123Z 1016[1016] [E] WorkCompletionCallback: Download failed. Going to state Failed\n' "$t" >>logs/1.log
	view
	status_is 1
	member .state '"failed"'
	member '.note|test("downloads/w1 is stale: the log says later: .*WorkCompletionCallback")' true
	printf '%s.5Z Setting sandbox w2\nother\n' "$t" >>logs/1.log
	view
	status_is 6
	printf '%s.5Z Workflow is Complete.\n' "$t" >>logs/1.log
	view
	status_is 1
	# an older line says nothing of this sandbox; a newer file is read
	printf '2001-01-01T00:00:00Z Download failed. Going to state Failed\n' >logs/2.log
	view
	status_is 6
	# a sandbox older than the process
	touch -d '1 day ago' downloads/w1
	view
	status_is 1
	member '.note|test("downloads/w1 is stale: it is from 20.*, and process '"$reader_pid"' started later")' true
	# a new one beside it
	mkdir downloads/w2
	view
	status_is 6
}

@test "a stale sandbox does not hold a retry back" {
	mkdir -p downloads/left-over
	touch -d '-1 day' downloads/left-over
	sandbox
	mkfifo -m 660 pipe
	start reader sh -c 'exec 3<>pipe; echo up; exec dd bs=64 count=1 status=none <&3'
	wait_for '[ -s reader.out ]'
	run --separate-stderr rejoin-retry -A t --timeout 5s
	status_is 0
	# busy: held; neither process nor log: held as unknown, unless the profile says send
	mkdir downloads/new
	run --separate-stderr rejoin-retry -A t --timeout 300ms
	status_is 6
	err_has 'can tell whether it is stale'
	reader
	touch downloads/new
	run --separate-stderr rejoin-retry -A t --timeout 300ms
	status_is 6
	err_has 'is busy; the request is kept'
	sed -i "s|^path = $PWD/pipe|path = $PWD/none|" "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	run --separate-stderr rejoin-retry -A t --timeout 300ms
	status_is 6
	err_has 'can tell whether it is stale'
}

@test "an agent of which only a path is seen" {
	mkdir downloads
	sandbox
	view
	status_is 0
	member '[.running,.incarnation,.state]' '[null,null,"idle"]'
	reader
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
	# not into one that may just be executed
	printf '#!/bin/sh\n%s\n' "$2" >fake.new
	chmod +x fake.new
	mv fake.new "fake/$1"
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
	member '.note|test("has no reader")' true
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

@test "a process that is stopped hangs, whatever its files say" {
	double
	view
	status_is 0
	kill -STOP "$double_pid"
	wait_for 'grep -q "^State:.*T" /proc/$double_pid/status'
	view
	status_is 3
	member .state '"hung"'
	member '.note|test("process '"$double_pid"' is stopped")' true
	kill -CONT "$double_pid"
	wait_for 'grep -q "^State:.*S" /proc/$double_pid/status'
	view
	status_is 0
	# one that its file does not name, and one that is read by a command
	profile '[status]' 'method = exec' "argv = cat $PWD/state" 'idle = ^idle' 'needs-reboot = ^reboot' \
		'busy = ^re'
	echo idle >state
	view
	status_is 0
	echo reboot >state
	view
	status_is 6
	member .state '"needs-reboot"'
	view --until settled --timeout 100ms
	status_is 4
}

@test "the values of the Azure agent's API, in both tables" {
	local profile=$REJOIN_CONFIG_DIR/agents.d/adu-1.3.conf table value want
	for table in later rc; do
		{
			printf '[status]\nmethod = exec\nargv = cat %s/answer\n' "$PWD"
			if [ $table = later ]; then
				sed -n 's/^\([a-z-]* = ^value.*\)/\1/p' "$profile"
			else
				sed -n 's/^# \([a-z-]* = ^value.*\)/\1/p' "$profile"
			fi
		} >"$REJOIN_CONFIG_DIR/agents.d/t.conf"
		while read -r value want; do
			printf 'code=0\nvalue=%s\n' "$value" >answer
			view
			[ "$(jq -r .state <<<"$output")" = "$want" ] || { echo "$table: $value: $output"; false; }
		done < <(
			if [ $table = later ]; then
				printf '%s\n' '1 starting' '2 busy' '3 busy' '4 busy' '5 busy' '6 busy' \
					'7 needs-reboot' '8 busy' '9 idle' '10 failed' '11 unknown'
			else
				printf '%s\n' '1 starting' '2 busy' '3 busy' '4 needs-reboot' '5 busy' \
					'6 busy' '7 idle' '8 unknown'
			fi
		)
	done
}

@test "the report of another user's status file is not followed" {
	needs_root
	double
	report
	printf '{"rejoin":{"results":[{"component":"secret"}]}}' >secret.json
	chmod 600 secret.json
	sed "s|^report=.*|report=$PWD/secret.json|" agent/status >status.new
	mv status.new agent/status
	chown nobody agent/status
	view
	member .results '[]'
	member '.note|test("is owned by uid [0-9]*, so its report is not read")' true
	# the agent's own user may name its own files alone
	sed -i '1i [agent]\nuser = nobody' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	view
	member .results '[]'
	member '.note|test("secret.json: is not a file of the user that owns the status file")' true
	chown nobody secret.json
	view
	member '.results|length' 1
}

@test "another user cannot lock the agent's files, and sees all the same whether it runs" {
	needs_root
	needs setpriv
	local home=$REJOIN_RUNTIME_DIR public
	public=$(mktemp -d /tmp/rejoin-public.XXXXXX)
	chmod 755 "$public"
	export REJOIN_RUNTIME_DIR=$public/run
	printf '[agent]\ngoal = file:%s/none\nallow-unsigned = yes\nhandler-user = root\n' "$PWD" >"$REJOIN_CONFIG_DIR/agent.conf"
	start agent rejoin-agent
	wait_for 'grep -q "^state=[a-z]" "$REJOIN_RUNTIME_DIR/agent/status"'
	[ "$(stat -c %a "$public"/run/agent/{lock,busy,status})" = $'600\n600\n644' ]
	cp -r "$B/bin/rejoin-status" "$B/tool/lock-holder" "$REJOIN_CONFIG_DIR" "$public"
	run setpriv --reuid=nobody --regid=nogroup --clear-groups "$public/lock-holder" -r "$public/run/agent/lock"
	status_is 3
	run --separate-stderr setpriv --reuid=nobody --regid=nogroup --clear-groups env \
		REJOIN_CONFIG_DIR="$public/etc" REJOIN_STATE_DIR="$public/state" "$public/rejoin-status" -A rejoin --json
	member .running true
	kill -KILL "$agent_pid"
	wait "$agent_pid" || :
	run --separate-stderr setpriv --reuid=nobody --regid=nogroup --clear-groups env \
		REJOIN_CONFIG_DIR="$public/etc" REJOIN_STATE_DIR="$public/state" "$public/rejoin-status" -A rejoin --json
	if [ "$(readlink /proc/self/ns/pid)" = 'pid:[4026531836]' ]; then
		member .running false
		member '.note|test("exited without a message")' true
	else
		member .running null	# it may run in another container
	fi
	REJOIN_RUNTIME_DIR=$home
	rm -rf "$public"
}

@test "in the journal a message has its priority" {
	: >log
	# as systemd.exec(5) says: the device and inode of standard error
	run bash -c 'JOURNAL_STREAM=$(stat -c %d:%i log) rejoin-status --untill idle 2>>log'
	status_is 2
	[[ $(head -1 log) == '<3>rejoin-status: --untill: unknown option' ]]
	[[ $(sed -n 2p log) == '<3>hint: '* ]]
	# not where standard error is another file
	run bash -c 'JOURNAL_STREAM=$(stat -c %d:%i log) rejoin-status --untill idle 2>&1'
	[[ ${lines[0]} == 'rejoin-status: --untill'* ]]
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
