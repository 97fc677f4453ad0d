# rejoin-retry as its users see it.  The agents here: adu-reader reads its pipe
# as the Azure agent does, agent-double looks as ours does.
load helper

# profile [SETTING...] - agents.d/t.conf with the pipe here, and more of [retry]
profile() {
	{
		printf '[retry]\nmethod = fifo\npath = %s/pipe\n' "$PWD"
		printf 'frame = adu64\ncommand = retry-update\ndebounce = 0ms\n'
		printf '%s\n' "$@"
	} >"$REJOIN_CONFIG_DIR/agents.d/t.conf"
	marks=$REJOIN_RUNTIME_DIR/retry/t
}

# double [OPTION...] - an agent that looks as ours, and its profile t
double() {
	start double agent-double "$@" "$PWD/agent"
	wait_for 'grep -q ready double.out'
	profile "path = $PWD/agent/commands.fifo" '[status]' 'method = file' "path = $PWD/agent/status"
}

teardown() {
	[ -z "${public-}" ] || rm -rf "$public"
	end
}

reader() {
	start reader adu-reader "$@" pipe counts
	wait_for '[ -p pipe ] && [ -e counts ]'
}

# The reader notes a frame after it has read it, so somewhat after its sender has ended.
frames() { cut -d' ' -f1 counts; }
frames_are() { wait_for "[ \"\$(frames)\" = $1 ]"; }

retry() { run --separate-stderr rejoin-retry -A t "$@"; }

@test "without a reader it says so at once, and keeps the mark" {
	profile
	mkfifo pipe
	local begin=${EPOCHREALTIME/./}
	retry
	local took=$((${EPOCHREALTIME/./} - begin))
	status_is 5
	err_has 'not running'
	[ -e "$marks/pending" ]
	# 30 ms of asking again; the rest is for a machine that is busy
	[ "$took" -lt 1000000 ]
	rm pipe
	retry
	status_is 5
	err_has 'no such file'
}

@test "a mark kept is delivered when the agent is there" {
	profile
	retry --reason 'camera 2'
	status_is 5
	reader
	retry --drain --verbose
	status_is 0
	err_has 'delivered: camera 2'
	frames_are 1
	[ ! -e "$marks/pending" ] && [ ! -e "$marks/sending" ]
	retry --drain
	status_is 0
	frames_are 1
}

@test "a frame is 64 bytes; other agents get a byte or a line" {
	profile
	mkfifo pipe
	exec 7<>pipe
	for frame in adu64 byte:0a line; do
		profile "frame = $frame"
		rejoin-retry -A t &
		case $frame in
		adu64) timeout 10 head -c 64 <&7 >got
			{ printf retry-update; head -c 52 /dev/zero; } | cmp - got ;;
		byte:0a) timeout 10 head -c 1 <&7 >got; printf '\n' | cmp - got ;;
		line) timeout 10 head -c 13 <&7 >got; echo retry-update | cmp - got ;;
		esac
		wait $!
	done
}

@test "what is not the agent's FIFO is refused" {
	profile
	echo precious >file
	cp file pipe
	retry
	status_is 7
	err_has 'a regular file, not a FIFO'
	rm pipe
	mkfifo real
	ln -s real pipe
	exec 7<>real
	retry
	status_is 7
	err_has 'a symbolic link, not a FIFO'
	rm pipe
	mkdir pipe
	retry
	status_is 7
	err_has 'a directory, not a FIFO'
	rmdir pipe
	ln -s /dev/null pipe
	retry
	status_is 7
	rm pipe
	mkfifo -m 0666 pipe
	exec 8<>pipe
	retry
	status_is 7
	err_has 'writable by others (mode 0666)'
	exec 7>&- 8>&-
}

@test "a FIFO of another user or group is refused" {
	needs_root
	profile '[agent]' 'user = daemon' 'group = daemon'
	mkfifo -m 0660 pipe
	exec 7<>pipe
	retry
	status_is 7
	err_has 'owned by uid 0, not by daemon'
	chown daemon pipe
	retry
	status_is 7
	err_has 'is of group 0, not of daemon'
	chown daemon:daemon pipe
	timeout 10 head -c 64 <&7 >/dev/null &
	retry
	status_is 0
	# the marks are for the group to share
	[ "$(stat -c '%a %U:%G' "$marks")" = '2770 root:daemon' ]
	[ "$(stat -c '%a %U:%G' "$marks/lock")" = '660 root:daemon' ]
	exec 7>&-
}

@test "a caller that is not of the group is told mode, owner, group and its own" {
	needs_root
	needs setpriv
	local as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
	profile
	public=$(mktemp -d /tmp/rejoin-public.XXXXXX)	# the test's own directory is closed to others
	chmod 755 "$public"
	mkdir -m 0777 "$public/run"
	cp -r "$B/bin/rejoin-retry" "$REJOIN_CONFIG_DIR" "$public"
	mkfifo -m 0640 "$public/pipe"
	chgrp daemon "$public/pipe"
	sed -i "s|^path = .*|path = $public/pipe|" "$public/etc/agents.d/t.conf"
	run --separate-stderr "${as[@]}" env REJOIN_CONFIG_DIR="$public/etc" \
		REJOIN_RUNTIME_DIR="$public/run/own" "$public/rejoin-retry" -A t
	status_is 7
	err_has "$public/pipe: permission denied: mode 0640, owner root, group daemon"
	err_has "the caller is nobody with the effective group nogroup; run as root, or let its group write"
	err_has 'run as root'
	[ -e "$public/run/own/retry/t/pending" ]
	# and of the marks the same
	mkdir -p "$public/run/roots/retry/t"
	run --separate-stderr "${as[@]}" env REJOIN_CONFIG_DIR="$public/etc" \
		REJOIN_RUNTIME_DIR="$public/run/roots" "$public/rejoin-retry" -A t --queue
	status_is 7
	err_has 'retry/t: permission denied: mode 0755, owner root, group root'
	[[ $stderr == *'; run as root' ]]
}

@test "a user without a session is told what makes a runtime directory, and not to be root" {
	needs_root
	needs setpriv
	[ ! -e /run/user/64998 ] || cannot '/run/user/64998 exists'
	public=$(mktemp -d /tmp/rejoin-public.XXXXXX)
	chmod 755 "$public"
	mkdir -p "$public/.config/rejoin/agents.d"
	profile '[restart]' 'method = exec' 'argv = true' "pid-file = $public/pid"
	cp "$B"/bin/rejoin-re{try,start,ady} "$public"
	mv "$REJOIN_CONFIG_DIR/agents.d/t.conf" "$public/.config/rejoin/agents.d/"
	as() { run --separate-stderr setpriv --reuid=64998 --regid=64998 --clear-groups env -i HOME="$public" "$@"; }
	local session command
	# no session, and that of another user, as su(1) leaves it
	for session in XDG_RUNTIME_DIR= "XDG_RUNTIME_DIR=$REJOIN_RUNTIME_DIR"; do
		for command in 'retry -A t' 'retry -A t --queue' 'restart -A t' 'ready announce lamp'; do
			# shellcheck disable=SC2086	# it is words
			as "$session" "$public"/rejoin-$command
			status_is 7
			err_has 'hint: log in as 64998, which makes /run/user/64998, or set XDG_RUNTIME_DIR to a directory of 64998'
			[[ $stderr != *'run as root'* ]]
		done
	done
	mkdir -m 700 "$public/own"
	chown 64998 "$public/own"
	as XDG_RUNTIME_DIR="$public/own" "$public/rejoin-retry" -A t --queue
	status_is 0
	[ -e "$public/own/rejoin/retry/t/pending" ]
}

@test "retries one after the other are as many frames" {
	profile
	reader
	for i in {1..300}; do
		rejoin-retry -A t
	done
	wait_for '[ "$(cat counts)" = "300 0 0" ]'
}

@test "any number of marks are one frame" {
	profile
	local n=1000
	[ -z "${SOAK-}" ] || n=10000
	seq $n | xargs -P 2 -n 1 rejoin-retry -A t --queue --reason
	[ -e "$marks/pending" ] && [ "$(stat -c %s "$marks/pending")" -lt 8192 ]
	reader
	retry --drain
	status_is 0
	end_pids "$reader_pid"
	[ "$(cat counts)" = '1 0 0' ]
}

@test "retries at once are at least one frame after the last, and not more than they are" {
	profile
	reader
	for round in {1..20}; do
		local before
		before=$(frames)
		seq 8 | xargs -P 8 -I '{}' rejoin-retry -A t
		[ ! -e "$marks/pending" ] && [ ! -e "$marks/sending" ]
		wait_for "[ \"\$(frames)\" -gt $before ]"
	done
	end_pids "$reader_pid"
	[ "$(frames)" -ge 20 ] && [ "$(frames)" -le 160 ]
}

@test "a request during another delivery is coalesced, and the holder delivers it" {
	profile
	reader
	rejoin-retry -A t --debounce 500ms &
	local first=$!
	wait_for '[ -e "$marks/lock" ]'
	wait_for 'rejoin-retry -A t -v 2>&1 | grep -q "coalesced with a pending request"'
	wait $first
	[ ! -e "$marks/pending" ]
	[ "$(frames)" -ge 1 ]
}

@test "queue needs no environment, and no agent" {
	mkdir run
	profile
	run --separate-stderr env -i REJOIN_CONFIG_DIR="$REJOIN_CONFIG_DIR" REJOIN_RUNTIME_DIR="$PWD/run" \
		"$B/bin/rejoin-retry" -A t --queue --reason=hotplug:eth0
	status_is 0
	[ -z "$output$stderr" ]
	grep -q 'Z hotplug:eth0$' run/retry/t/pending
	if [ "$(id -u)" -eq 0 ] && [ ! -e /etc/rejoin ] && [ ! -e /run/rejoin ]; then
		run --separate-stderr env -i "$B/bin/rejoin-retry" -A none-such --queue
		status_is 2
		err_has '/etc/rejoin/agents.d/none-such.conf'
	fi
}

@test "a reason is bounded, and its controls are shown as question marks" {
	profile
	rejoin-retry -A t --queue --reason "$(printf 'a\033[2Jb\nc%0300d' 0)"
	[ "$(wc -l <"$marks/pending")" = 1 ]
	grep -q 'Z a?\[2Jb?c0000' "$marks/pending"
	[ "$(stat -c %s "$marks/pending")" -lt 240 ]
}

@test "stdin: a burst of lines is one frame, with the ids of records as reasons" {
	profile
	reader
	run --separate-stderr rejoin-retry -A t --stdin -v < <(
		printf 'one\n{"was":{"id":"not this"},"id":"cam-2","name":"id"}\n')
	status_is 0
	err_has 'request recorded: one'
	err_has 'delivered: one; cam-2'
	frames_are 1
}

@test "stdin: each quiet period ends with a frame" {
	profile
	reader
	mkfifo lines
	rejoin-retry -A t --stdin --debounce 50ms <lines &
	local pid=$!
	exec 7>lines
	printf 'a\nb\nc\n' >&7
	frames_are 1
	printf 'd\n' >&7
	frames_are 2
	printf 'a rest without newline' >&7
	exec 7>&-
	wait $pid
	frames_are 3
}

@test "stdin: without a debounce each line goes at once; without lines nothing does" {
	profile
	reader
	mkfifo lines
	rejoin-retry -A t --stdin <lines &
	local pid=$!
	exec 7>lines
	for i in 1 2 3; do
		echo "$i" >&7
		frames_are "$i"
	done
	exec 7>&-
	wait $pid
	retry --stdin </dev/null
	status_is 0
	frames_are 3
}

@test "stdin: what could not be delivered goes with the next, and its status counts" {
	profile
	mkfifo lines
	rejoin-retry -A t --stdin <lines 2>err &
	local pid=$!
	exec 7>lines
	echo one >&7
	wait_for 'grep -q "not running" err'
	reader 7>&-
	echo two >&7
	frames_are 1
	exec 7>&-
	wait $pid
	end_pids "$reader_pid"
	run --separate-stderr rejoin-retry -A t --stdin <<<three
	status_is 5
}

@test "a debounce longer than the timeout is waited for" {
	profile
	reader
	retry --debounce 200ms --timeout 50ms
	status_is 0
	frames_are 1
}

@test "a hung reader: the frame is not written again, the mark is kept" {
	profile
	reader --hold
	retry --timeout 200ms
	status_is 4
	err_has 'timed out waiting for t to read the request'
	[ -e "$marks/pending" ]
}

@test "a full pipe is waited for" {
	profile
	reader --hold
	head -c 65536 /dev/zero >pipe
	retry --timeout 200ms
	status_is 4
	err_has 'the pipe is full'
}

@test "a reader that is slow to read and to reopen gets every frame" {
	profile
	reader --latency 5
	for i in 1 2 3 4 5; do
		rejoin-retry -A t
	done
	wait_for '[ "$(cat counts)" = "5 0 0" ]'
}

@test "a busy agent is waited for, and the mark is kept when it stays so" {
	mkdir downloads
	profile 'only-when-idle = yes' '[status]' 'method = busy-path' "busy-path = $PWD/downloads/*"
	reader
	mkdir downloads/1
	retry --timeout 100ms
	status_is 6
	err_has 'is busy; the request is kept'
	[ -e "$marks/pending" ] && [ "$(frames)" = 0 ]
	rejoin-retry -A t --timeout 10s &
	local pid=$!
	wait_for '[ -e "$marks/pending" ]'
	rmdir downloads/1
	wait $pid
	frames_are 1
}

@test "an agent of ours that is busy is waited for by its lock" {
	double --busy 500
	sed -i '/^\[status\]/i only-when-idle = yes' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	rejoin-retry -A t
	wait_for 'grep -q ^state=busy agent/status'
	retry --timeout 50ms
	status_is 6
	wait_for '[ "$(cat agent/frames)" = 1 ]'
	retry --wait
	status_is 0
	wait_for '[ "$(cat agent/frames)" = 2 ]'
}

@test "an agent that cannot be seen is held back from, unless forced or told" {
	profile 'only-when-idle = yes' '[status]' 'method = busy-path' "busy-path = $PWD/none/*"
	reader
	retry
	status_is 6
	err_has "state of t is unknown: $PWD/none/*"
	[ "$(frames)" = 0 ]
	retry --force
	status_is 0
	frames_are 1
	profile 'only-when-idle = yes' 'when-unknown = send'
	retry
	status_is 0
	frames_are 2
	profile 'only-when-idle = yes'
	retry
	status_is 6
	err_has 'its profile has no [status]'
}

@test "wait: the result of the evaluation is the status" {
	double --busy 100
	retry --wait
	status_is 0
	wait_for '[ "$(cat agent/frames)" = 1 ]'
	end_pids "$double_pid"
	double --result 0 --workflow w1
	retry --wait
	status_is 1
	err_has 'the deployment w1 failed: result 0'
}

@test "wait: an evaluation that was under way does not count" {
	double --busy 300
	rejoin-retry -A t
	local begin=${EPOCHREALTIME/./}
	retry --wait
	status_is 0
	grep -q '^settled=2$' agent/status
}

@test "wait: a coalesced request follows the same delivery" {
	double --busy 50
	seq 6 | xargs -P 6 -I '{}' rejoin-retry -A t --wait
	local n
	n=$(cat agent/frames)
	[ "$n" -ge 1 ] && [ "$n" -le 6 ]
	grep -q "^settled=$n\$" agent/status
}

@test "wait: of an agent that says late what it took, still the right evaluation" {
	double --busy 50 --lag 300
	rejoin-retry -A t
	retry --wait
	status_is 0
	[ "$(cat agent/frames)" = 2 ]
	grep -q '^settled=2$' agent/status
}

@test "wait: an evaluation that does not end in time is 4, an agent that dies 5" {
	double --busy 400
	retry --wait --timeout 250ms
	status_is 4
	err_has 'timed out waiting for the end of the evaluation'
	end_pids "$double_pid"
	double --die
	retry --wait --timeout 300ms
	status_is 5
	err_has 'ended before'
}

@test "wait: an agent that comes back after it died evaluates when it starts" {
	double --die
	rejoin-retry -A t --wait --timeout 20s 3>&- &
	local pid=$!
	wait_for '! alive "$double_pid"'
	start double agent-double "$PWD/agent"
	wait $pid
}

# state-file STATE - the agent whose [status] argv is "cat state"
state() { echo "$1" >state.new && mv state.new state; }

@test "wait: an agent that shows only a state is followed from busy to idle or failed" {
	profile 'only-when-idle = no' '[status]' 'method = exec' "argv = cat $PWD/state" \
		'idle = ^idle' 'busy = ^busy' 'failed = ^failed'
	reader
	state idle
	retry --wait --timeout 100ms
	status_is 4
	local result n=1
	for result in idle failed; do
		state idle
		rejoin-retry -A t --wait 2>err &
		local pid=$!
		n=$((n + 1))
		frames_are $n
		state busy
		sleep 0.6 && state $result
		status=0
		wait $pid || status=$?
		[ $result = failed ] || status_is 0
		[ $result = idle ] || { status_is 1; grep -q 'the evaluation failed' err; }
	done
	# a profile that never shows an outcome is refused before anything is recorded
	profile '[status]' 'method = busy-path' "busy-path = $PWD/downloads/*"
	retry --wait
	status_is 2
	err_has 'cannot show how an evaluation ends'
	profile
	retry --wait
	status_is 2
	err_has 'cannot show how an evaluation ends'
	[ ! -e "$marks/pending" ]
	[ "$(frames)" = 3 ]
}

@test "exec: the command is the delivery" {
	profile 'method = exec' "argv = sh -c 'echo \"\$1\" >>ran; exit \$(cat rc)' - \"one word\""
	echo 0 >rc
	retry
	status_is 0
	[ "$(cat ran)" = 'one word' ]
	echo 3 >rc
	retry
	status_is 1
	err_has 'sh: exited with 3'
	[ -e "$marks/pending" ]
	profile 'method = exec' 'argv = sleep 30'
	retry --timeout 100ms
	status_is 4
	profile 'method = exec' 'argv = /none/such'
	retry
	status_is 3
	err_has 'No such file'
}

@test "signal: the process of the pid file, if it is the right one" {
	needs setpriv
	local exe
	exe=$(readlink -f "$(command -v sleep)")
	profile 'method = signal' 'signal = SIGUSR1' "pid-file = $PWD/pid" "exe = $exe"
	retry
	status_is 5
	err_has 'pid: no such file'
	start victim sleep 60
	echo "$victim_pid" >pid
	wait_for '[ "$(readlink "/proc/$victim_pid/exe")" = "$exe" ]'
	retry
	status_is 0
	wait_for '! alive "$victim_pid"'
	wait "$victim_pid" 2>/dev/null || [ $? -eq 138 ]
	retry
	status_is 5
	err_has 'there is no process'
	echo $$ >pid
	retry
	status_is 7
	err_has "not $exe"
	echo nonsense >pid
	retry
	status_is 3
	chmod 666 pid
	retry
	status_is 7
}

@test "signal: a program that was replaced by an upgrade is still the right one" {
	cp "$(readlink -f "$(command -v sleep)")" napper
	profile 'method = signal' 'signal = SIGUSR1' "pid-file = $PWD/pid" "exe = $PWD/napper"
	start victim ./napper 60
	echo "$victim_pid" >pid
	wait_for '[ "$(readlink "/proc/$victim_pid/exe")" = "$PWD/napper" ]'
	rm napper
	retry
	status_is 0
	wait_for '! alive "$victim_pid"'
}

@test "hostile marks are not followed" {
	profile
	echo precious >victim
	local f
	for f in pending lock; do
		mkdir -p "$marks"
		ln -s "$PWD/victim" "$marks/$f"
		retry
		status_is 7
		err_has "$marks/$f: is a symbolic link"
		rm -r "$marks"
		mkdir -p "$marks"
		mkfifo "$marks/$f"
		timeout 10 rejoin-retry -A t 2>err || [ $? -eq 7 ]
		grep -q 'is a FIFO, not a regular file' err
		rm -r "$marks"
		mkdir -p "$marks"
		ln victim "$marks/$f"
		retry
		status_is 7
		rm -r "$marks"
	done
	[ "$(cat victim)" = precious ]
	ln -s "$PWD" "$marks"
	retry
	status_is 7
	rm "$marks"
	mkdir -m 0777 "$marks"
	retry
	status_is 7
	err_has 'writable by others than'
	if [ "$(id -u)" -eq 0 ]; then
		chmod 755 "$marks"
		chown daemon "$marks"
		retry
		status_is 7
		err_has 'neither root nor the caller'
	fi
}

# others CMD... - run CMD as a user that is neither root nor in a group of the tests
others() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }

# open_place - REJOIN_RUNTIME_DIR and the profile where every user may look
open_place() {
	public=$(mktemp -d /tmp/rejoin-public.XXXXXX)
	chmod 755 "$public"
	cp "$B/tool/lock-holder" "$public"
	export REJOIN_RUNTIME_DIR=$public/run
	profile
}

@test "another user cannot lock the lock, so no request is left to it" {
	needs_root
	needs setpriv
	open_place
	reader
	rejoin-retry -A t
	[ "$(stat -c %a "$marks/lock")" = 600 ]
	run others "$public/lock-holder" -r "$marks/lock"
	status_is 3
	out_has 'Permission denied'
	retry
	status_is 0
	frames_are 2
}

@test "a lock left readable by an earlier version is closed to others" {
	needs_root
	needs setpriv
	open_place
	reader
	rejoin-retry -A t
	chmod 644 "$marks/lock"
	# no function: its process could not be ended with what it started
	start other setpriv --reuid=nobody --regid=nogroup --clear-groups "$public/lock-holder" -r "$marks/lock"
	wait_for 'grep -q locked other.out'
	# the other user holds it: root waits, names the process, and delivers anyway
	retry --timeout 300ms
	status_is 0
	err_has "$marks/lock: held by process "
	err_has 'delivering without the lock'
	frames_are 2
	[ ! -e "$marks/pending" ]
	[ "$(stat -c %a "$marks/lock")" = 600 ]
	# so does the drainer of the unit
	rejoin-retry -A t --queue
	retry --drain --timeout 300ms
	status_is 0
	frames_are 3
}

@test "a member of the group that holds the lock for ever does not stop root" {
	needs_root
	needs setpriv
	open_place
	sed -i '1i[agent]\ngroup = games' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	reader
	chgrp games pipe
	chmod 660 pipe
	rejoin-retry -A t
	[ "$(stat -c '%a %G' "$marks" "$marks/lock")" = $'2770 games\n660 games' ]
	start member setpriv --reuid=nobody --regid=games --clear-groups "$public/lock-holder" "$marks/lock"
	wait_for 'grep -q locked member.out'
	retry --timeout 300ms
	status_is 0
	err_has 'of user nobody'
	frames_are 2
}

@test "a lock that root holds is respected: the request is left to it" {
	profile
	reader
	rejoin-retry -A t
	start holder lock-holder "$marks/lock"
	wait_for 'grep -q locked holder.out'
	retry -v
	status_is 0
	err_has 'coalesced with a pending request'
	[ -e "$marks/pending" ]
	retry --drain --timeout 100ms
	status_is 4
	err_has 'timed out waiting for the process that delivers'
	frames_are 1
}

@test "a pending request that is a directory is named, and is not renamed" {
	profile
	reader
	local name
	mkdir -p "$marks"
	for name in pending sending again; do
		mkdir "$marks/$name"
		retry --again
		status_is 2
		[ $name = again ] || {
			retry --drain
			status_is 7
			err_has "$marks/$name: is a directory, not a regular file"
		}
		[ -d "$marks/$name" ]
		rmdir "$marks/$name"
	done
	retry
	status_is 0
	frames_are 1
	[ ! -e "$marks/sending" ]
}

@test "again: the again-command is sent, once, however the requests are mixed" {
	profile 'again-command = retry-failed'
	retry --again
	status_is 5
	[ -e "$marks/again" ] && [ -e "$marks/pending" ]
	mkfifo pipe
	start cat sh -c 'exec 3<>pipe; exec cat <&3'
	wait_for 'rejoin-retry -A t --drain'
	wait_for 'grep -aq retry-failed cat.out'
	[ ! -e "$marks/again" ] && [ ! -e "$marks/again-sending" ]
	rejoin-retry -A t
	wait_for '[ "$(tr "\0" "\n" <cat.out | grep -c retry-update)" = 1 ]'
	rejoin-retry -A t --queue --again
	rejoin-retry -A t --queue
	rejoin-retry -A t --drain
	wait_for '[ "$(tr "\0" "\n" <cat.out | grep -c retry-failed)" = 2 ]'
	[ "$(tr '\0' '\n' <cat.out | grep -c retry-)" = 3 ]
	profile
	retry --again
	status_is 2
	err_has 'has no again-command'
}

@test "instance: a frame for each instance, once, and none for the others" {
	profile 'instance-command = retry-instance'
	retry --instance cam/1
	status_is 5
	[ -e "$marks/instance-cam%2F1" ] && [ ! -e "$marks/pending" ]
	# requests for one instance are coalesced, and those for others stay apart
	rejoin-retry -A t --queue --instance cam/1 --reason again
	rejoin-retry -A t --queue --instance b
	rejoin-retry -A t --queue
	run --separate-stderr rejoin-doctor -A t marks
	[[ $output == *'a request for the instance '*' is not delivered'* ]]
	mkfifo pipe
	start cat sh -c 'exec 3<>pipe; exec cat <&3'
	wait_for 'rejoin-retry -A t --drain'
	wait_for '[ "$(tr "\0" "\n" <cat.out | grep -c .)" = 3 ]'
	[ "$(tr '\0' '\n' <cat.out | grep . | LC_ALL=C sort | paste -sd,)" = \
		'retry-instance b,retry-instance cam/1,retry-update' ]
	[ "$(stat -c %s cat.out)" = 192 ]
	[ -z "$(find "$marks" -name '*-*')" ]
	retry --drain
	status_is 0
	# what a killed process was delivering is delivered
	: >"$marks/sending-c"
	rejoin-retry -A t --drain
	wait_for 'grep -aq "retry-instance c" cat.out'
	# 48 bytes are the longest name, and fill the frame
	long=$(printf 'x%.0s' {1..48})
	rejoin-retry -A t --instance "$long"
	wait_for 'grep -aq "retry-instance $long" cat.out'
	[ "$(stat -c %s cat.out)" = 320 ]
	for name in "${long}x" '' 'a b' $'a\nb'; do
		retry --instance "$name"
		status_is 2
		err_has '1 to 48 bytes without blanks'
	done
	for mode in --again --wait --drain --stdin; do
		retry --instance a "$mode"
		status_is 2
		err_has 'cannot be combined'
	done
	retry --instance a --dry-run
	[[ $output == *$'instance\ta'* ]]
	profile
	retry --instance a
	status_is 2
	err_has 'has no instance-command'
}

@test "instance: no file of another user's choice is made or removed" {
	profile 'instance-command = retry-instance'
	mkdir -p "$marks"
	echo kept >elsewhere
	# names that only look like requests are removed: the path unit would start its service for them for ever
	touch "$marks/instance-" "$marks/instance-%zz" "$marks/instance-a b" "$marks/sending-%61"
	ln -s "$PWD/elsewhere" "$marks/instance-l"
	mkdir "$marks/instance-d"
	start cat cat_of_pipe
	retry --instance l
	status_is 7
	err_has 'is a symbolic link, not a regular file'
	[ "$(cat elsewhere)" = kept ]
	rm "$marks/instance-l"
	retry --drain
	status_is 7
	err_has 'is a directory, not a regular file'
	rmdir "$marks/instance-d"
	retry --drain
	status_is 0
	[ -z "$(find "$marks" -name '*-*')" ]
}

cat_of_pipe() {
	mkfifo pipe
	exec 3<>pipe
	exec cat <&3
}

@test "each delivery writes one line with its reasons to the journal" {
	needs_root
	needs_mounts
	profile
	reader
	rejoin-retry -A t --queue --reason 'hotplug:video0'
	mkdir dev
	cp -a /dev/null dev
	# shellcheck disable=SC2016	# expanded in there
	own-mounts sh -c 'mount --bind dev /dev || exit
		notified /dev/log >journal & n=$!
		until [ -S /dev/log ]; do :; done
		rejoin-retry -A t --reason "by hand"
		until [ -s journal ]; do :; done
		kill $n'
	[ "$(wc -l <journal)" = 1 ]
	grep -q 'rejoin-retry\[[0-9]*\]: t: delivered: hotplug:video0; by hand$' journal
}

@test "adu-trigger-reprocess ends at its deadline with status 4, and so does its client" {
	ln -s "$B/bin/rejoin-retry" adu-trigger-reprocess
	profile '[status]' 'method = none'
	mv "$REJOIN_CONFIG_DIR/agents.d/t.conf" "$REJOIN_CONFIG_DIR/agents.d/adu.conf"
	# as AducIotAgent --command does without a reader, deaf to SIGTERM and with a child
	printf '#!/bin/sh\ntrap "" TERM\necho $$ >client\nsleep 1000 & echo $! >child\nwait; wait\n' >agent.sh
	chmod +x agent.sh
	ADU_AGENT_BIN=$PWD/agent.sh run --separate-stderr ./adu-trigger-reprocess --timeout 300ms
	status_is 4
	err_has 'retry-update failed (rc=4)'
	# neither runs; what is not reaped is a zombie
	run grep -h '^State:.*[^Z] (' "/proc/$(cat client)/status" "/proc/$(cat child)/status"
	[[ $output != *State:* ]]
	[ -e "$REJOIN_RUNTIME_DIR/retry/adu/pending" ]
}

# bats test_tags=plain
@test "what fails on the way is said, and the request is kept" {
	profile
	reader
	local fault n
	for fault in open:3:ENOSPC write:1:EIO rename:1:EIO rename:1:ENOSPC; do
		FAULT=$fault LD_PRELOAD=$B/fault.so run --separate-stderr rejoin-retry -A t
		status_is 3
	done
	[ "$(frames)" = 0 ]
	# a call that a signal interrupted is made again
	for fault in write:1:EINTR read:1:EINTR read:2:EINTR rename:1:EINTR unlink:1:EINTR; do
		n=$(frames)
		FAULT=$fault LD_PRELOAD=$B/fault.so run --separate-stderr rejoin-retry -A t
		status_is 0
		frames_are $((n + 1))
	done
	# a reader that left between the open and the write
	FAULT=write:1:EPIPE LD_PRELOAD=$B/fault.so run --separate-stderr rejoin-retry -A t
	status_is 0
	frames_are $((n + 2))
	# a mark without its reason is a mark
	FAULT=write:1:ENOSPC LD_PRELOAD=$B/fault.so run --separate-stderr rejoin-retry -A t --queue --reason x
	status_is 0
	[ -e "$marks/pending" ]
}

@test "dry-run says what would be done, and does nothing" {
	profile
	retry --dry-run --reason x
	status_is 5
	out_has $'method\tfifo\npath\t'"$PWD/pipe"
	out_has $'frame\tadu64 retry-update\nreader\tt: not running'
	out_has 'pending: no'
	[ ! -e "$marks" ]
	reader
	retry --dry-run
	status_is 0
	out_has $'reader\tyes'
	[ "$(frames)" = 0 ]
	profile 'method = exec' 'argv = a "b c"'
	retry --dry-run --queue
	status_is 0
	out_has $'argv\ta\nargv\tb c'
}

@test "misuse" {
	profile
	retry --queue --drain
	status_is 2
	err_has 'cannot be combined'
	retry operand
	status_is 2
	retry --timeout 5
	status_is 2
	run --separate-stderr rejoin-retry -A ../t
	status_is 2
	profile 'frame = nonsense'
	retry
	status_is 2
	err_has 't.conf:7: frame:'
	profile
	chmod o+w "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	retry
	status_is 7
}

@test "adu-trigger-reprocess: the bridge script's name, operand and agent" {
	ln -s "$B/bin/rejoin-retry" adu-trigger-reprocess
	profile '[status]' 'method = none'
	mv "$REJOIN_CONFIG_DIR/agents.d/t.conf" "$REJOIN_CONFIG_DIR/agents.d/adu.conf"
	marks=$REJOIN_RUNTIME_DIR/retry/adu
	run --separate-stderr ./adu-trigger-reprocess peripheral-hotplug
	status_is 5
	err_has 'retry-update failed (rc=5)'
	grep -q 'peripheral-hotplug' "$marks/pending"
	reader
	run --separate-stderr ./adu-trigger-reprocess
	status_is 0
	frames_are 1
	printf '#!/bin/sh\necho "$@" >>%s/args\nexit $(cat %s/rc)\n' "$PWD" "$PWD" >agent.sh
	chmod +x agent.sh
	echo 0 >rc
	ADU_AGENT_BIN=$PWD/agent.sh run --separate-stderr ./adu-trigger-reprocess x
	status_is 0
	[ "$(cat args)" = '--command retry-update' ]
	echo 42 >rc
	ADU_AGENT_BIN=$PWD/agent.sh run --separate-stderr ./adu-trigger-reprocess x
	[ "$status" -eq 42 ]
	err_has 'retry-update failed (rc=42)'
	frames_are 1
}

# bats test_tags=plain
@test "the drainer may be killed at any system call that changes something" {
	needs_strace
	profile
	reader
	export -f wait_for
	"$TOP/test/fault/killwalk.sh" 'openat,open,write,pwrite64,rename,renameat,renameat2,unlink,unlinkat,mkdir,fchmod,chmod,ftruncate,fcntl' \
		'rm -rf "$REJOIN_RUNTIME_DIR/retry"; rejoin-retry -A t --queue --reason walk; before=$(cut -d" " -f1 counts)' \
		'rejoin-retry -A t --drain' \
		'rejoin-retry -A t --drain && wait_for "[ \$(cut -d\" \" -f1 counts) -gt $before ]" && [ ! -e "$REJOIN_RUNTIME_DIR/retry/t/pending" ] && [ ! -e "$REJOIN_RUNTIME_DIR/retry/t/sending" ]'
}

# bats test_tags=plain
@test "the same with an agent whose status is followed" {
	needs_strace
	double
	"$TOP/test/fault/killwalk.sh" 'openat,open,write,rename,unlink,mkdir,fchmod,chmod,ftruncate,fcntl' \
		'rm -rf "$REJOIN_RUNTIME_DIR/retry"; before=$(cat agent/frames 2>/dev/null || echo 0)' \
		'rejoin-retry -A t --reason walk' \
		'rejoin-retry -A t --wait && [ "$(cat agent/frames)" -gt "$before" ] && [ ! -e "$REJOIN_RUNTIME_DIR/retry/t/pending" ] && [ ! -e "$REJOIN_RUNTIME_DIR/retry/t/sending" ]'
}
