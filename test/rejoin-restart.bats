# rejoin-restart as its users see it: agents are processes of the test, or
# what a fake systemctl tells of.
load helper

setup() {
	begin
	: >agents
}

# an agent that a restart started is no child of this shell; it works in this directory, and no process of a reused pid does
teardown() {
	local p
	while read -r p; do
		[ "$(readlink "/proc/$p/cwd")" != "$PWD" ] || kill -KILL "$p" 2>/dev/null || :
	done <agents
	end
}

# agent NAME CODE... - an executable NAME that is an agent: it writes down its pid, then runs CODE
agent() {
	local name=$1
	shift
	{
		printf '#!/bin/bash\ncd %q\n' "$PWD"
		echo 'echo $$ >>agents; echo $$ >pid.new; mv pid.new pid'
		printf '%s\n' "$@"
	} >"$name"
	chmod +x "$name"
}

export -f alive

# profile LINE... - the profile t
profile() { printf '%s\n' "$@" >"$REJOIN_CONFIG_DIR/agents.d/t.conf"; }

# by_signal LINE... - the profile of the agent "run", ended by signals and started anew
by_signal() {
	profile '[restart]' 'method = signal' "pid-file = $PWD/pid" "start = $PWD/run" 'stable = 100ms' \
		'timeout = 10s' "$@"
}

gone() { if alive "$1"; then echo "$1 is still there"; return 1; fi; }

# fake NAME TEXT - a command of that name, first in PATH, that runs the shell text
fake() {
	mkdir -p fake
	# not into one that may just be executed
	printf '#!/bin/bash\n%s\n' "$2" >fake.new
	chmod +x fake.new
	mv fake.new "fake/$1"
	[[ $PATH == "$PWD/fake:"* ]] || PATH=$PWD/fake:$PATH
}

restart() { run --separate-stderr rejoin-restart -A t "$@"; }

# the history's last entry: FILTER VALUE
entry() {
	local got
	got=$(tail -1 "$REJOIN_STATE_DIR/restart/t.jsonl" | jq -c "$1")
	[ "$got" = "$2" ] || { echo "$1 is $got, not $2"; return 1; }
}

launch() { setsid "$PWD/run" </dev/null >/dev/null 2>&1 3>&- 4>&- & wait_for '[ -s pid ]'; }

@test "by signals: a new process, proved, and written down" {
	agent run 'exec sleep 1000'
	by_signal 'exe = /usr/bin/sleep' 'signal = TERM'
	launch
	wait_for '[ "$(readlink /proc/$(cat pid)/exe)" = /usr/bin/sleep ]'
	local old
	old=$(cat pid)
	restart --reason 'new "config" \'
	status_is 0
	[ "$(cat pid)" != "$old" ]
	gone "$old"
	err_has "t: restarted: "
	entry '[.agent,.reason,.method,.outcome,.status,.detail]' \
		'["t","new \"config\" \\","signal","restarted",0,null]'
	entry '.before|test("^[0-9a-f]{8}-'"$old"'-[0-9]+$")' true
	entry '.after|test("^[0-9a-f]{8}-'"$(cat pid)"'-[0-9]+$")' true
	entry '.time|test("^20.*Z$")' true
	restart -q
	status_is 0
	[ -z "$stderr" ]
	[ "$(jq -s 'map(.id)|. == (sort|unique)' "$REJOIN_STATE_DIR/restart/t.jsonl")" = true ]
}

@test "an agent that is started gets no descriptor of its starter's" {
	# and its pid file may be written in a column, as mail servers do
	agent run "printf '%10d\\n' \$\$ >pid" 'exec sleep 1000'
	by_signal 'exe = /usr/bin/sleep'
	exec 7>mine
	restart
	exec 7>&-
	status_is 0
	run ! grep -q mine <(readlink /proc/"$(tr -d ' ' <pid)"/fd/*)
}

@test "an upgraded program is still the agent, another one is not" {
	cp /usr/bin/sleep prog
	agent run "exec $PWD/prog 1000"
	by_signal "exe = $PWD/prog" 'signal = TERM'
	launch
	wait_for '[ "$(readlink /proc/$(cat pid)/exe)" = $PWD/prog ]'
	mv prog old
	cp old prog
	rm old
	[[ $(readlink "/proc/$(cat pid)/exe") == *' (deleted)' ]]
	restart
	status_is 0
	# the number of a dead agent, now another program's: that one is left alone
	sleep 1000 3>&- 4>&- &
	local other=$! old
	old=$(cat pid)
	echo $other >pid
	touch -d '1 minute ago' pid
	restart
	status_is 0
	entry '[.before,.outcome]' '[null,"started"]'
	alive $other
	alive "$old"
	kill $other
}

@test "a process that began after its pid file was written is not the agent" {
	agent run 'exec sleep 1000'
	by_signal
	sleep 1000 3>&- 4>&- &
	local other=$!
	echo $other >pid
	touch -d '1 minute ago' pid
	restart --timeout 300ms
	status_is 7
	err_has "process $other is younger than"
	alive $other
	kill $other
}

@test "an agent that was seen to come back is known, whatever the time of its pid file" {
	agent run 'exec sleep 1000'
	by_signal 'exe = /usr/bin/sleep' 'signal = TERM'
	restart
	status_is 0
	touch -d '1 minute ago' pid
	restart
	status_is 0
}

@test "an agent that ignores the first signals is killed, and its successor is not" {
	agent run 'trap "" INT TERM; while :; do read -t 1000 <> <(:); done'
	by_signal 'grace = 100ms'
	launch
	local old
	old=$(cat pid)
	restart
	status_is 0
	gone "$old"
	entry .outcome '"restarted"'
}

@test "an agent that does not come back, does not start, or does not stay" {
	agent run 'exec sleep 1000'
	by_signal 'signal = TERM'
	sed -i '/start = /d' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	launch
	restart --timeout 300ms
	status_is 4
	err_has 'did not come back'
	entry '[.outcome,.after,.status]' '["absent",null,4]'
	restart --timeout 300ms
	status_is 5
	err_has 'has no start'
	by_signal
	sed -i "s|^start = .*|start = $PWD/none|" "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	restart
	status_is 3
	err_has "$PWD/none: No such file"
	rm pid
	printf '#!/bin/sh\nexit 3\n' >run
	by_signal
	restart
	status_is 1
	err_has 'run: exited with 3'
	entry .outcome '"refused"'
	agent run 'exec sleep 0.6'
	by_signal 'stable = 5s' 'timeout = 2s'
	restart
	status_is 1
	err_has 'does not stay up'
	entry .outcome '"not-stable"'
}

@test "only if it runs" {
	agent run 'exec sleep 1000'
	by_signal 'signal = TERM'
	restart --conditional
	status_is 5
	[ ! -e "$REJOIN_STATE_DIR/restart/t.jsonl" ]
	restart
	status_is 0
	entry '[.before,.outcome]' '[null,"started"]'
	restart --conditional
	status_is 0
	entry .outcome '"restarted"'
}

@test "a hundred at once are one restart" {
	agent run 'exec sleep 1000'
	by_signal 'signal = TERM' 'limit = 3/10m' 'timeout = 60s'
	launch
	local i pids=()
	mkfifo gate
	exec 9<>gate
	for ((i = 0; i < 100; i++)); do
		(read -r _ <&9; exec rejoin-restart -A t --reason "$i" 2>"err.$i" 9>&-) 3>&- 4>&- &
		pids+=($!)
	done
	# a line for each
	printf '\n%.0s' {1..100} >&9
	exec 9>&-
	for i in "${pids[@]}"; do
		wait "$i"
	done
	[ "$(grep -vc '"outcome":"asked"' "$REJOIN_STATE_DIR/restart/t.jsonl")" = 1 ]
	[ "$(wc -l <agents)" = 2 ]
	[ "$(grep -l 'restarted by another process' err.* | wc -l)" = 99 ]
}

@test "a script that becomes rejoin-restart asks when it does" {
	agent run 'exec sleep 1000'
	by_signal 'signal = TERM'
	launch
	local old
	old=$(cat pid)
	# older than the agent, it asks for a restart of it all the same
	bash -c 'until [ -e go ]; do read -t 0.05 <> <(:); done; exec rejoin-restart -A t' 2>err 3>&- 4>&- &
	local asking=$!
	restart
	status_is 0
	wait_for '[ "$(ps -o etimes= -p "$(cat pid)")" -ge 3 ]'
	touch go
	wait $asking
	[ "$(grep -vc '"outcome":"asked"' "$REJOIN_STATE_DIR/restart/t.jsonl")" = 2 ]
	gone "$old"
}

@test "a restart that is killed in the middle does not block the next" {
	agent run 'exec sleep 1000'
	by_signal 'signal = TERM'
	sed -i 's/^stable = .*/stable = 60s/' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	launch
	local old
	old=$(cat pid)
	start first rejoin-restart -A t
	wait_for 'gone "$old" >/dev/null && [ "$(cat pid)" != "$old" ]'
	sed -i 's/^stable = .*/stable = 100ms/' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	# the restart that waited is next
	start second rejoin-restart -A t
	kill -KILL "$first_pid"
	wait "$second_pid"
	restart
	status_is 0
}

@test "a caller that hangs up after the stop leaves the agent started all the same" {
	agent run 'trap "touch told; sleep 0.5; exit" TERM' 'while :; do read -t 1000 <> <(:); done'
	by_signal 'signal = TERM'
	launch
	local old
	old=$(cat pid)
	start restart rejoin-restart -A t
	wait_for '[ -e told ]'
	kill -HUP "$restart_pid"
	wait_for '! alive $restart_pid' 20
	wait_for '[ "$(cat pid)" != "$old" ] && alive "$(cat pid)"' || return
	run ! grep -q restarted: restart.err
}

@test "five one after the other under a limit of three" {
	agent run 'exec sleep 1000'
	by_signal 'signal = TERM' 'limit = 3/10m'
	launch
	local i
	for i in 1 2 3; do
		restart
		status_is 0
	done
	for i in 4 5; do
		restart --force
		status_is 6
		[[ $stderr =~ 'its limit of 3 restarts in 10m is used up; again in 3m '[0-9]+'s, at 20' ]]
	done
	[ "$(wc -l <agents)" = 4 ]
	restart --dry-run
	status_is 6
	out_has $'limit\t3 in 600000ms, 0 left'
	# a bucket that cannot be written holds nothing
	rm "$REJOIN_STATE_DIR/restart/t.limit"
	mkdir "$REJOIN_STATE_DIR/restart/t.limit"
	restart
	status_is 3
	[ "$(wc -l <agents)" = 4 ]
}

@test "an agent that is busy is waited for, or not" {
	agent run 'exec sleep 1000'
	by_signal 'signal = TERM' '[status]' 'method = busy-path' "busy-path = $PWD/busy/*"
	launch
	mkdir -p busy/1
	local old
	old=$(cat pid)
	restart --timeout 200ms
	status_is 6
	err_has 't: is busy'
	[ "$(cat pid)" = "$old" ]
	rejoin-restart -A t --timeout 20s 2>err 3>&- 4>&- &
	local waiting=$!
	rmdir busy/1
	wait $waiting
	[ "$(cat pid)" != "$old" ]
	mkdir busy/1
	restart --force
	status_is 0
	rm -r busy
	restart
	status_is 6
	err_has 'the state of t is unknown'
}

@test "by a command, and one that changes nothing" {
	agent run 'exec sleep 1000'
	profile '[restart]' 'method = exec' "argv = $PWD/again 'one word'" "pid-file = $PWD/pid" \
		'stable = 100ms' 'timeout = 10s'
	cat >again <<-END
	#!/bin/bash
	cd $PWD
	[ "\$1" = 'one word' ] || exit 9
	kill \$(cat pid)
	setsid ./run </dev/null >/dev/null 2>&1 &
	END
	chmod +x again
	launch
	restart
	status_is 0
	restart --dry-run
	status_is 0
	out_has $'argv\t'"$PWD/again one word"
	printf '#!/bin/sh\necho not today >&2\nexit 3\n' >again
	restart
	status_is 1
	err_has "$PWD/again: not today"
	printf '#!/bin/sh\n' >again
	restart --timeout 300ms
	status_is 1
	err_has 't: did not restart: it is still incarnation'
	entry '[.outcome,.status,.before == .after]' '["unchanged",1,true]'
	rm again
	restart
	status_is 3
}

@test "signs of readiness: a probe, a status, a log" {
	agent run 'sleep 0.3; touch up; echo "12:00 agent is up" >>log; exec sleep 1000'
	by_signal "ready = probe:test -e '$PWD/up'"
	restart
	status_is 0
	[ -e up ]
	rm up
	by_signal "ready = status" '[status]' 'method = exec' "argv = /bin/cat $PWD/state" 'idle = ok' 'starting = ^start'
	echo starting >state
	restart --timeout 2s
	status_is 4
	err_has 'timed out waiting for it to be ready'
	entry .outcome '"not-ready"'
	echo ok >state
	restart
	status_is 0
	# what an agent before it has written is no sign
	by_signal 'ready = log: agent is up$' '[log.a]' "path = $PWD/lo*"
	printf 'x agent is up\n' >log
	agent run 'echo "an agent is up, or so" >>log; printf "no agent is up" >>log; exec sleep 1000'
	restart --timeout 500ms
	status_is 4
	agent run 'sleep 0.3; echo "2 agent is up" >>log; exec sleep 1000'
	restart
	status_is 0
	# the log is rotated, too
	agent run 'mv log log.1; echo "3 agent is up" >log; exec sleep 1000'
	restart
	status_is 0
	by_signal "ready = probe:$PWD/none"
	restart
	status_is 3
}

@test "a reader of the pipe is looked for under the lock of retries, and once" {
	by_signal 'signal = TERM' 'ready = fifo-reader' '[retry]' 'method = fifo' "path = $PWD/fifo" \
		'frame = adu64' 'command = retry-update'
	mkfifo -m 0660 fifo
	agent run 'exec sleep 1000'
	restart --timeout 1s
	status_is 4
	agent run "exec 4<>fifo; exec sleep 1000"
	restart
	status_is 0
	restart --dry-run
	status_is 0
	out_has $'ready\tfifo-reader'
}

@test "the wrong process is never signalled, though pids come round" {
	needs_root
	own-mounts unshare --pid --fork --propagation unchanged --mount-proc sh -c 'echo 400 >/proc/sys/kernel/pid_max' 2>/dev/null ||
		cannot 'no pid namespace with a pid_max of its own'
	agent run 'exec sleep 1000'
	by_signal 'exe = /usr/bin/sleep' 'grace = 2s'
	cp /usr/bin/sleep bystander
	cat >rounds <<-'END'
	#!/bin/bash
	# takes PID CMD... - start CMD again and again until it has the number PID
	takes() {
		local want=$1 p=0 i
		shift
		for ((i = 0; i < 2000; i++)); do
			"$@" &
			p=$!
			[ $p = "$want" ] && return
			kill -KILL $p
			wait $p 2>/dev/null || :
		done
		echo "no process got the number $want"
		exit 9
	}
	echo 400 >/proc/sys/kernel/pid_max
	set -e
	# the kernel keeps those below 300 for the boot
	until p=$(bash -c 'echo $$') && [ "$p" -gt 300 ]; do :; done
	for program in ./bystander sleep; do
		./run &
		agent=$!
		until [ "$(cat pid 2>/dev/null)" = $agent ] && [[ $(readlink /proc/$agent/exe) == */sleep ]]; do :; done
		kill -KILL $agent
		wait $agent 2>/dev/null || :
		sleep 0.1	# less than that, and the time of a file cannot tell
		takes $agent $program 1000
		status=0
		rejoin-restart -A t --timeout 500ms 2>err || status=$?
		cat err
		# another program is not the agent, so it was not running; the same one cannot be told from it
		case $program/$status in sleep/7 | ./bystander/0) ;; *) exit 8 ;; esac
		kill -0 $agent || { echo "$program was signalled"; exit 7; }
		kill -KILL $agent
		wait $agent 2>/dev/null || :
		[ $program = sleep ] || kill -KILL $(cat pid)
		rm pid
	done
	# the agent dies and its number is taken all the while: no other process may get a signal
	sed 's/exec .*/exec sleep 0.0$((RANDOM % 10))/' run >brief
	chmod +x brief
	(while :; do ./brief; done) 2>/dev/null &
	for i in 1 2 3 4; do
		(while :; do bash -c 'trap "echo $$ >>hits" INT TERM; read -t 0.0$((RANDOM % 5)) <> <(:)'; done) 2>/dev/null &
	done
	sed -i "s|^start = .*||; s|^grace = .*|grace = 20ms|" "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	for i in $(seq 15); do
		timeout 20 rejoin-restart -A t --timeout 100ms 2>>err || :
	done
	[ ! -s hits ] || { echo "signalled: $(cat hits)"; exit 6; }
	END
	chmod +x rounds
	run own-mounts unshare --pid --fork --propagation unchanged --mount-proc ./rounds
	status_is 0
	: >agents
}

@test "a caller that waited for a restart that fails fails, too" {
	printf '#!/bin/sh\nexec tail -f /dev/null\n' >run
	by_signal 'limit = 3/10m'
	sed -i 's/^timeout = .*/timeout = 3s/; s/^start = .*/start = tail -f none/' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	local i pids=() status
	for i in 1 2 3 4 5; do
		rejoin-restart -A t 2>"err.$i" 3>&- 4>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		status=0
		wait "$i" || status=$?
		status_is 1
	done
	[ "$(grep -vc '"outcome":"asked"' "$REJOIN_STATE_DIR/restart/t.jsonl")" = 1 ]
	[ "$(grep -l 'restarted by another process' err.* | wc -l)" = 4 ]
	entry '[.outcome,.after]' '["refused",null]'
}

# bats test_tags=plain
@test "killed before any call that changes something, the next one makes it good" {
	needs_strace
	agent run 'exec sleep 1000'
	by_signal 'signal = TERM' 'limit = 500/1h'
	KILLWALK_FOLLOW='' KILLWALK_MAX=8 \
	    "$TOP/test/fault/killwalk.sh" 'openat,write,pwrite64,rename,mkdir,fchmod,chmod,fsync,fdatasync,fcntl,pidfd_send_signal,clone,clone3' \
		':' 'rejoin-restart -q -A t --timeout 10s' \
		'rejoin-restart -q -A t --timeout 10s && jq -e .id "$REJOIN_STATE_DIR/restart/t.jsonl" >/dev/null &&
			[ "$(tail -1 "$REJOIN_STATE_DIR/restart/t.jsonl" | jq .status)" = 0 ] && alive "$(cat pid)"'
}

@test "by s6" {
	needs s6-supervise s6-svc s6-svstat
	mkdir svc
	printf '#!/bin/sh\necho $$ >>%q\nexec sleep 1000\n' "$PWD/agents" >svc/run
	chmod +x svc/run
	profile '[restart]' 'method = s6' "service = $PWD/svc" 'stable = 100ms' 'timeout = 20s'
	restart
	status_is 3
	err_has 's6-supervise not running'
	start supervise s6-supervise svc
	wait_for '[ "$(s6-svstat -o up svc)" = true ]'
	restart
	status_is 0
	entry '[.method,.outcome]' '["s6","restarted"]'
	s6-svc -d svc
	wait_for '[ "$(s6-svstat -o up svc)" = false ]'
	restart --conditional
	status_is 5
	restart
	status_is 0
	entry .outcome '"started"'
	sed -i 's/^stable/ready = notify\nstable/' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	restart --timeout 1500ms
	status_is 4
	s6-svc -d svc
	wait_for '[ "$(s6-svstat -o up svc)" = false ]'
	s6-svc -x svc
}

@test "by a systemctl that says yes and does nothing" {
	profile '[agent]' 'unit = x.service' '[restart]' 'method = systemd' 'stable = 100ms' 'timeout = 10s'
	cat >answer <<-END
	LoadState=loaded
	ActiveState=active
	SubState=running
	InvocationID=0123456789abcdef0123456789abcdef
	MainPID=1
	ExecMainStartTimestampMonotonic=1
	END
	fake systemctl '[ "$1" != show ] || exec cat answer'
	restart
	status_is 1
	err_has 't: did not restart: it is still incarnation 0123456789abcdef0123456789abcdef'
	entry '[.outcome,.before]' '["unchanged","0123456789abcdef0123456789abcdef"]'
	fake systemctl '[ "$1" != show ] || exec cat answer
		echo Interactive authentication required. >&2; exit 4'
	restart
	status_is 7
	err_has 'x.service: Interactive authentication required.'
	fake systemctl '[ "$1" != show ] || exec cat answer
		exec tail -f /dev/null'
	restart --timeout 500ms
	status_is 4
	fake systemctl '[ "$1" != show ] || exec cat answer
		echo "$@" >args; sed -i "s/^InvocationID=.*/InvocationID=fedc/" answer'
	restart --conditional
	status_is 0
	grep -q 'try-restart -- x.service' args
	entry .after '"fedc"'
	sed -i 's/=loaded/=masked/' answer
	restart
	status_is 3
	err_has 'x.service: the unit is masked'
	fake systemctl 'echo no bus >&2; exit 1'
	restart --timeout 100ms
	status_is 3
	err_has 'no bus'
}

@test "merged /usr: the agent is found under every name of its program, and there is no second one" {
	mkdir usr usr/bin
	cp /usr/bin/sleep usr/bin/agent
	ln -s usr/bin bin
	agent run "exec $PWD/usr/bin/agent 1000"
	by_signal "exe = $PWD/bin/agent" 'signal = TERM'
	launch
	wait_for '[ "$(readlink /proc/$(cat pid)/exe)" = $PWD/usr/bin/agent ]'
	local old
	old=$(cat pid)
	restart
	status_is 0
	gone "$old"
	entry .outcome '"restarted"'
	# a hard link, and a program replaced since
	ln usr/bin/agent usr/bin/other
	sed -i "s|^exe = .*|exe = $PWD/usr/bin/other|" "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	restart
	status_is 0
	entry .outcome '"restarted"'
	cp /usr/bin/sleep usr/bin/new
	mv usr/bin/new usr/bin/agent
	sed -i "s|^exe = .*|exe = $PWD/bin/agent|" "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	restart
	status_is 0
	entry .outcome '"restarted"'
}

@test "an agent that runs another program than the profile says is not joined by a second one" {
	agent run 'exec sleep 1000'
	by_signal "exe = $PWD/run" 'signal = TERM'
	launch
	wait_for '[ "$(readlink /proc/$(cat pid)/exe)" = /usr/bin/sleep ]'
	restart --timeout 300ms
	status_is 7
	err_has "runs /usr/bin/sleep, not $PWD/run: correct [restart] exe"
	[ "$(wc -l <agents)" = 1 ]
	alive "$(cat pid)"
}

# bats test_tags=plain
@test "an agent that cannot be inspected just now is not joined by a second one" {
	needs_strace
	agent run 'exec sleep 1000'
	by_signal 'exe = /usr/bin/sleep' 'signal = TERM'
	launch
	local error
	for error in EMFILE ENFILE ENOMEM EACCES EIO; do
		run --separate-stderr strace -qq -o /dev/null -P "/proc/$(cat pid)/stat" -e trace=openat \
			-e inject=openat:error=$error rejoin-restart -A t --timeout 300ms
		[ "$status" -eq 3 ] || [ "$status" -eq 7 ]
		err_has "process $(cat pid)"
		[ "$(wc -l <agents)" = 1 ]
	done
	restart
	status_is 0
}

@test "in a /proc of another pid namespace a pid means nothing: no second agent, and no signal" {
	needs_root
	unshare --pid --fork true 2>/dev/null || cannot 'no pid namespace'
	agent run 'exec sleep 1000'
	by_signal 'signal = TERM' '[retry]' 'method = signal' 'signal = TERM' "pid-file = $PWD/pid" 'debounce = 0s'
	launch
	local tool
	for tool in rejoin-restart rejoin-retry; do
		run --separate-stderr unshare --pid --fork $tool -A t --timeout 300ms
		status_is 3
		err_has '/proc shows the processes of another pid namespace'
		err_has 'hint: mount /proc'
	done
	[ "$(wc -l <agents)" = 1 ]
	alive "$(cat pid)"
	restart
	status_is 0
}

@test "an agent whose lock is held in another pid namespace is not joined by a second one" {
	needs_root
	local elsewhere='own-mounts unshare --pid --fork --propagation unchanged --mount-proc'
	# shellcheck disable=SC2086
	$elsewhere true 2>/dev/null || cannot 'no pid namespace'
	printf '[agent]\ngoal = file:%s/none\nallow-unsigned = yes\nhandler-user = root\n' "$PWD" >"$REJOIN_CONFIG_DIR/agent.conf"
	start agent rejoin-agent
	wait_for 'grep -q "^state=[a-z]" "$REJOIN_RUNTIME_DIR/agent/status"'
	agent run 'exec sleep 1000'
	profile '[status]' 'method = file' "path = $REJOIN_RUNTIME_DIR/agent/status" '[restart]' 'method = signal' \
		"start = $PWD/run" 'stable = 100ms'
	# shellcheck disable=SC2086
	run --separate-stderr $elsewhere rejoin-restart -A t --timeout 300ms
	status_is 3
	err_has "process $agent_pid runs, and cannot be inspected: processes of other pid namespaces are not visible here"
	[ ! -s agents ]
}

@test "a pid file that a step of the clock made older than its process is accepted with the right program" {
	agent run 'exec sleep 1000'
	by_signal 'exe = /usr/bin/sleep' 'signal = TERM'
	launch
	wait_for '[ "$(readlink /proc/$(cat pid)/exe)" = /usr/bin/sleep ]'
	touch -d '2 hours ago' pid
	restart
	status_is 0
	entry .outcome '"restarted"'
	# a file of before the boot, as one is after a clock that was years behind was set
	touch -d '1970-02-01' pid
	restart
	status_is 0
	[ "$(wc -l <agents)" = 3 ]
}

@test "a log that is truncated at the start is read from its beginning, however long it is" {
	by_signal 'signal = TERM' 'ready = log:AgentReady' '[log.a]' "path = $PWD/log"
	agent run 'echo AgentReady >log; exec sleep 1000'
	restart
	status_is 0
	restart
	status_is 0
	# longer than before, with another begin; and shorter
	agent run 'printf "other\nAgentReady\n" >log; exec sleep 1000'
	restart
	status_is 0
	agent run 'printf "AgentReady\n" >log; exec sleep 1000'
	restart
	status_is 0
	# rewritten without the line: not ready
	agent run 'printf "AgentSteady\n" >log; exec sleep 1000'
	restart --timeout 500ms
	status_is 4
}

@test "a ready line that the old instance writes while it ends does not count" {
	by_signal 'signal = TERM' 'ready = log:AgentReady' '[log.a]' "path = $PWD/log"
	agent run "trap 'echo AgentReady again >>log; kill \$!; exit' TERM" 'echo AgentReady >>log' \
		'sleep 1000 & wait'
	launch
	wait_for 'grep -q AgentReady log'
	agent run 'exec sleep 1000'
	restart --timeout 500ms
	status_is 4
	grep -q again log
	agent run 'echo AgentReady >>log; exec sleep 1000'
	restart
	status_is 0
}

@test "before: it runs before the stop; its failure is reported and is not fatal" {
	agent run 'exec sleep 1000'
	by_signal 'signal = TERM' "before = sh -c 'kill -0 \$(cat $PWD/pid) && touch $PWD/tidy'"
	restart
	status_is 0
	[ ! -e tidy ]		# nothing ran that could tidy up
	restart
	status_is 0
	[ -e tidy ]
	by_signal 'signal = TERM' "before = sh -c 'echo no room >&2; exit 3'"
	restart
	status_is 0
	err_has '[restart] before: sh: no room'
	by_signal 'signal = TERM' "before = $PWD/none"
	restart
	status_is 0
	err_has 'none'
	restart --dry-run
	out_has $'before\t'"$PWD/none"
}

@test "a restart is recorded before it begins, and its outcome by the next call if not by its own" {
	agent run 'exec sleep 1000'
	by_signal 'signal = TERM'
	launch
	# the stop of the unit ends the process that asked, as from inside of the agent
	agent run 'pkill_asker=$(cat asker); kill -KILL $pkill_asker; exec sleep 1000'
	sh -c 'echo $$ >asker; exec rejoin-restart -A t --reason self' 2>err || :
	wait_for '[ "$(wc -l <agents)" = 2 ]'
	wait_for '! alive $(cat asker)'
	entry '[.outcome,.reason,.after]' '["asked","self",null]'
	rejoin-status -A t | jq -e '.restarts|map(.outcome)|. == ["asked"]'
	agent run 'exec sleep 1000'
	restart --reason next
	status_is 0
	[ "$(jq -c '[.outcome,.reason]' "$REJOIN_STATE_DIR/restart/t.jsonl")" = \
		'["asked","self"]
["unverified","self"]
["asked","next"]
["restarted","next"]' ]
	rejoin-status -A t | jq -e '.restarts|map(.outcome)|. == ["unverified","restarted"]'
}

@test "a limit file that is empty or damaged is an empty bucket" {
	agent run 'exec sleep 1000'
	by_signal 'signal = TERM' 'limit = 3/10m'
	mkdir -p "$REJOIN_STATE_DIR/restart"
	local text
	for text in '' 'credit_ms=600000' $'\x00\x01'; do
		printf '%s' "$text" >"$REJOIN_STATE_DIR/restart/t.limit"
		restart
		status_is 6
		err_has 'is used up; again in 3m'
	done
	touch -d '4 minutes ago' "$REJOIN_STATE_DIR/restart/t.limit"
	restart
	status_is 0
}

@test "systemd: a failed unit is reset, a changed one named, and a failure quotes the unit" {
	profile '[agent]' 'unit = x.service' '[restart]' 'method = systemd' 'stable = 100ms' 'timeout = 10s'
	answer() { printf '%s\n' LoadState=loaded "$@" MainPID=0 >answer; }
	answer ActiveState=failed SubState=failed Result=exit-code NeedDaemonReload=yes
	fake systemctl '[ "$1" != show ] || exec cat answer
		echo "$*" >>args
		grep -q reset-failed args || { echo start request repeated too quickly >&2; exit 1; }
		case $* in *restart*) printf "LoadState=loaded\nActiveState=active\nSubState=running\nInvocationID=ab\n" >answer ;; esac'
	fake journalctl 'echo "cannot bind: Address already in use"'
	restart
	status_is 0
	err_has 'x.service: its file changed on disk'
	err_has 'systemctl daemon-reload'
	[ "$(cut -d' ' -f2 args)" = $'reset-failed\nrestart' ]
	# one that runs, and whose restarts on request used up the limit
	rm args
	answer ActiveState=active SubState=running Result=success InvocationID=ab
	fake systemctl '[ "$1" != show ] || exec cat answer
		echo "$*" >>args
		case $* in
		*reset-failed*) touch reset ;;
		*) [ -e reset ] || { sed -i "s/^Result=.*/Result=start-limit-hit/; s/=active/=failed/" answer; exit 1; }
			printf "LoadState=loaded\nActiveState=active\nSubState=running\nInvocationID=cd\n" >answer ;;
		esac'
	restart
	status_is 0
	[ "$(cut -d' ' -f2 args)" = $'restart\nreset-failed\nrestart' ]
	answer ActiveState=failed SubState=failed Result=exit-code
	fake systemctl '[ "$1" != show ] || exec cat answer
		case $* in *restart*) echo "control process exited with error code" >&2; exit 1 ;; esac'
	restart --timeout 300ms
	status_is 1
	err_has 'x.service: control process exited with error code; last message: cannot bind: Address already in use'
}

@test "what is to be done is told, and not done" {
	agent run 'exec sleep 1000'
	by_signal 'limit = 3/10m' 'ready = log:up (and|or) down' '[log.x]' 'path = /x'
	launch
	restart --dry-run --timeout 7s
	status_is 0
	[ "$(wc -l <agents)" = 1 ]
	out_has $'agent\tt'
	out_has $'signals\tSIGINT SIGTERM SIGKILL, 10000ms each'
	out_has $'ready\tlog:up (and|or) down'
	out_has $'timeout\t7000ms'
	out_has $'limit\t3 in 600000ms, 3 left'
	out_has "-$(cat pid)-"
	[ ! -e "$REJOIN_STATE_DIR/restart" ]
	kill "$(cat pid)"
	wait_for '! alive $(cat pid)'
	restart --dry-run --conditional
	status_is 5
}

@test "misuse" {
	profile '[restart]' 'stable = 1s'
	restart
	status_is 2
	err_has 't.conf: [restart] has no method'
	profile '[restart]' 'method = http'
	restart
	status_is 2
	restart operand
	status_is 2
	restart --timeout 3
	status_is 2
	run --separate-stderr rejoin-restart -A none-such
	status_is 2
	by_signal
	chmod o+w "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	restart
	status_is 7
	by_signal
	chmod o-w "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	agent run 'exec sleep 1000'
	launch
	chmod o+w pid
	restart --timeout 100ms
	status_is 7
	run --separate-stderr bash -c 'rejoin-restart -A t --dry-run >/dev/full'
	status_is 3
}
