load helper

setup() {
	begin
	D=$REJOIN_RUNTIME_DIR/ready/lamp
	S=$REJOIN_STATE_DIR/ready/lamp
	# a cycle that goes on until it is told to end; two at a time leave an "overlap"
	cat >cycle <<-'END'
	#!/bin/sh
	mkdir running || echo overlap >>log
	trap 'echo "end $REJOIN_AGENT_INCARNATION" >>log; rmdir running; exit 0' TERM
	echo "begin $REJOIN_AGENT_INCARNATION $REJOIN_VERDICT $REJOIN_PEER_INCARNATION" >>log
	sleep 1000 &
	wait
	END
	chmod +x cycle
	: >log
}

teardown() {
	end
	[ -z "${OUTSIDE-}" ] || rm -rf "$OUTSIDE"
}

# agent ID ARGS... - an agent starts: run with the cycle above, as a job of that name
agent() {
	local id=$1
	shift
	start "$id" rejoin-ready run lamp --incarnation "$id" --grace 300ms "$@" -- ./cycle
}
# stop ID - it is told to end, and has
stop() {
	local pid=${1}_pid
	kill "${!pid}" 2>/dev/null || :
	wait_for "! alive ${!pid}" 20
}
begun() { grep -c "^begin $1" log || :; }
said() { grep -qF -- "$2" "$1.err"; }
announce() { rejoin-ready announce lamp --incarnation "$1"; }
wait_as() { run --separate-stderr rejoin-ready wait lamp --incarnation "$@"; }

@test "wait tells first start, restart of the agent, and an absent peer apart" {
	wait_as a1 --grace 100ms
	status_is 1
	out_is peer-offline
	announce p1
	wait_as a1 --grace 1h
	status_is 0
	out_is cold-start
	# the same peer, announced before: only the agent is new, which the grace period shows
	wait_as a2 --grace 100ms
	status_is 0
	out_is agent-restart
	# asked again in the same life: the same answer, and no second grace period
	wait_as a2 --grace 1h
	out_is agent-restart
	# another life of the peer, announced before we started
	announce p2
	wait_as a2 --grace 1h
	out_is peer-restart
	wait_as a3 --grace 100ms
	out_is agent-restart
	announce p3
	wait_as a4 --grace 1h
	out_is cold-start
	rejoin-ready forget lamp
	wait_as a5 --grace 100ms
	status_is 1
	out_is peer-offline
	rejoin-ready forget lamp
}

@test "an announcement in the grace period is a cold start, at once" {
	announce p1
	wait_as a1 --grace 1h
	start w rejoin-ready wait lamp --incarnation a2 --grace 1h
	wait_for 'grep -q inotify <(ls -l /proc/$w_pid/fd)'
	# even from the same life of the peer: it was made after the agent's began
	announce p1
	wait_for '! alive $w_pid'
	[ "$(cat w.out)" = cold-start ]
}

@test "--connected decides at the end of the grace period; --poll asks again" {
	announce p1
	wait_as a1 --grace 0s
	wait_as a2 --grace 50ms --connected false
	status_is 1
	out_is peer-offline
	rejoin-ready forget lamp
	wait_as a2 --grace 50ms --connected 'test -d .'
	status_is 0
	out_is agent-restart
	# the gate takes it to be ready, too
	run bash -c 'echo x | rejoin-ready gate lamp'
	out_is x
	# what cannot be asked is not connected, and said
	wait_as a3 --grace 50ms --connected ./not-there
	status_is 1
	err_has "--connected: './not-there' could not be run"
	agent a4 --connected 'test -e online' --poll 50ms
	wait_for 'grep -q peer-offline a4.out'
	touch online
	wait_for '[ "$(begun "a4 agent-restart")" = 1 ]'
	stop a4
}

@test "nothing left from before a reboot is taken for new" {
	local f
	announce p1
	wait_as a1 --grace 1h
	out_is cold-start
	announce p2
	# the same files in the next boot: the directory was no tmpfs
	for f in "$D/announced" "$S/cycle"; do
		grep -q "^boot=$(cat /proc/sys/kernel/random/boot_id)\$" "$f"
		sed -i 's/^boot=.*/boot=00000000-1111-2222-3333-444444444444/' "$f"
	done
	wait_as a2 --grace 100ms
	status_is 1
	out_is peer-offline
	wait_as a2 --grace 100ms --connected true
	out_is agent-restart
	# nor is a file that a power cut left torn
	rejoin-ready forget lamp
	head -c 20 "$S/cycle" >torn
	for f in "$D/announced" "$D/assumed" "$S/cycle"; do
		cp torn "$f"
	done
	wait_as a3 --grace 100ms
	status_is 1
	announce p1
	wait_as a3 --grace 1h
	out_is cold-start
}

@test "the same in a boot that the kernel names otherwise" {
	needs_root
	needs_mounts
	announce p1
	echo 00000000-1111-2222-3333-444444444444 >boot
	run --separate-stderr own-mounts sh -c 'mount --bind boot /proc/sys/kernel/random/boot_id &&
		exec rejoin-ready wait lamp --incarnation a1 --grace 100ms'
	status_is 1
	out_is peer-offline
}

@test "the agent's incarnation: INVOCATION_ID, else the process that runs it; an event of udev" {
	rejoin-ready announce lamp
	grep -q "^peer=$(cut -c 1-8 /proc/sys/kernel/random/boot_id)-$$-" "$D/announced" ||
		grep -q "^peer=$(cut -c 1-8 /proc/sys/kernel/random/boot_id)-$BASHPID-" "$D/announced"
	INVOCATION_ID=0123abcd rejoin-ready announce lamp
	grep -qx peer=0123abcd "$D/announced"
	# udev has no environment but the device's
	env -i SEQNUM=4711 DEVPATH=/devices/x ACTION=add REJOIN_RUNTIME_DIR="$REJOIN_RUNTIME_DIR" \
		"$B/bin/rejoin-ready" announce lamp
	grep -qx "peer=$(cut -c 1-8 /proc/sys/kernel/random/boot_id)-event-4711" "$D/announced"
	# the time at which udev first saw the device: the same over "udevadm trigger", new after a replug
	local n
	for n in 4712 4713; do
		env -i SEQNUM=$n USEC_INITIALIZED=812345 DEVPATH=/devices/x ACTION=change \
			REJOIN_RUNTIME_DIR="$REJOIN_RUNTIME_DIR" "$B/bin/rejoin-ready" announce lamp
		grep -qx "peer=$(cut -c 1-8 /proc/sys/kernel/random/boot_id)-usec-812345" "$D/announced"
	done
	run rejoin-ready wait lamp --grace 0s
	status_is 0
	out_is cold-start
	# another process is another agent; when it starts is known to a tick of 10 ms
	local announced=${EPOCHREALTIME/./}
	wait_for '[ $((${EPOCHREALTIME/./} - announced)) -ge 20000 ]'
	run sh -c 'rejoin-ready wait lamp --grace 0s; exit $?'
	out_is agent-restart
	INVOCATION_ID=a run rejoin-ready wait lamp --grace 0s
	out_is agent-restart
	INVOCATION_ID=$'a\nb' run --separate-stderr rejoin-ready wait lamp --grace 0s
	status_is 2
	err_has 'INVOCATION_ID: not the name of an incarnation'
}

@test "misuse is 2, for run 125; what others may write to is 7, a directory that cannot be 3" {
	local c
	for c in '' 'dance lamp' wait 'announce' 'announce lamp mp' 'announce lamp --grace 1s' \
		'gate lamp --on peer-restart true' 'wait lamp --grace 5' 'gate lamp --drop-oldest x' \
		'forget lamp --connected true' 'wait lamp --connected' 'announce lamp --incarnation='; do
		# shellcheck disable=SC2086
		run --separate-stderr rejoin-ready $c
		status_is 2
		out_is ''
	done
	for c in 'run' 'run lamp' 'run lamp --' 'run lamp --on never true -- true' \
		'run lamp --poll 1s -- true' 'run lamp --drop-oldest 1K -- true' 'run lamp --no-such -- true'; do
		# shellcheck disable=SC2086
		run --separate-stderr rejoin-ready $c
		status_is 125
		out_is ''
	done
	rejoin-ready forget lamp
	chmod 777 "$D"
	run --separate-stderr rejoin-ready announce lamp
	status_is 7
	err_has 'writable by others'
	run --separate-stderr rejoin-ready run lamp -- true
	status_is 125
	REJOIN_RUNTIME_DIR=/proc/nowhere run --separate-stderr rejoin-ready announce lamp
	status_is 3
	REJOIN_RUNTIME_DIR=/dev/null run --separate-stderr rejoin-ready wait lamp
	status_is 3
}

@test "a peer may stand behind --, and its name may begin with a dash" {
	run --separate-stderr rejoin-ready announce --incarnation p1 -- lamp
	status_is 0
	grep -qx peer=p1 "$D/announced"
	run --separate-stderr rejoin-ready announce -- -lamp
	status_is 0
	[ -e "$REJOIN_RUNTIME_DIR/ready/-lamp/announced" ]
	run --separate-stderr rejoin-ready forget -- lamp
	status_is 0
	[ ! -e "$D/announced" ]
	run --separate-stderr rejoin-ready announce -- lamp other
	status_is 2
	run --separate-stderr rejoin-ready announce --
	status_is 2
}

@test "clearing the runtime directory does not lead to a second cycle" {
	announce p1
	agent a1
	wait_for '[ "$(begun "a1 cold-start")" = 1 ]'
	rm -r "$REJOIN_RUNTIME_DIR/ready"
	announce p1
	run --separate-stderr rejoin-ready run lamp --incarnation a1 --grace 0s -- ./cycle
	status_is 125
	err_has 'runs the cycle of this agent incarnation'
	[ "$(begun a1)" = 1 ]
	stop a1
	rm -r "$REJOIN_RUNTIME_DIR/ready"
	announce p1
	run --separate-stderr rejoin-ready run lamp --incarnation a1 --grace 0s -- ./cycle
	status_is 125
	err_has 'has had its cycle'
	! grep -q overlap log
}

@test "a cycle that an earlier version recorded in the runtime directory is known" {
	announce p1
	run rejoin-ready run lamp --incarnation a1 --grace 0s -- true
	status_is 0
	mv "$S/cycle" "$D/cycle"
	rm -r "$S"
	run --separate-stderr rejoin-ready run lamp --incarnation a1 --grace 0s -- touch twice
	status_is 125
	[ ! -e twice ]
	run rejoin-ready run lamp --incarnation a2 --grace 0s -- true
	out_is agent-restart
}

@test "no other user can hold the lock, and so keep the cycle from running" {
	needs_root
	needs setpriv
	OUTSIDE=$(mktemp -d)
	chmod 755 "$OUTSIDE"
	export REJOIN_STATE_DIR=$OUTSIDE/state
	cp "$B/tool/lock-holder" "$OUTSIDE"
	announce p1
	run rejoin-ready run lamp --incarnation a1 --grace 0s -- true
	status_is 0
	[ "$(stat -c %a "$OUTSIDE/state/ready/lamp/lock")" = 600 ]
	run setpriv --reuid=65534 --regid=65534 --clear-groups "$OUTSIDE/lock-holder" -r "$OUTSIDE/state/ready/lamp/lock"
	status_is 3
	out_has 'Permission denied'
	chmod 777 "$OUTSIDE/state/ready/lamp"
	run --separate-stderr rejoin-ready run lamp --incarnation a2 --grace 0s -- true
	status_is 125
	err_has 'writable by others'
}

@test "an agent that is not root's, in a directory that its group may write" {
	needs_root
	needs setpriv
	# the test's own directory is root's alone
	OUTSIDE=$(mktemp -d)
	chmod 755 "$OUTSIDE"
	REJOIN_RUNTIME_DIR=$OUTSIDE
	D=$OUTSIDE/ready/lamp
	mkdir "$OUTSIDE/ready"
	export REJOIN_STATE_DIR=$OUTSIDE/state
	S=$OUTSIDE/state/ready/lamp
	mkdir -p "$OUTSIDE/state/ready"
	install -d -m 2775 -g nogroup "$D" "$S"
	# nor need another user be let in to where the tools were built
	mkdir -p "$OUTSIDE/bin" "$OUTSIDE/libexec/rejoin"
	cp "$B/bin/rejoin-ready" "$OUTSIDE/bin/"
	cp "$B/libexec/rejoin/rejoin-shim" "$OUTSIDE/libexec/rejoin/"
	as_nobody() {
		local cmd=$1
		shift
		setpriv --reuid=65534 --regid=65534 --clear-groups "$OUTSIDE/bin/$cmd" "$@"
	}
	announce p1
	run --separate-stderr as_nobody rejoin-ready run lamp --incarnation a1 -- true
	status_is 0
	out_is cold-start
	run --separate-stderr as_nobody rejoin-ready wait lamp --incarnation a2 --grace 0s
	out_is agent-restart
	as_nobody rejoin-ready announce lamp --incarnation p2
	run rejoin-ready run lamp --incarnation a3 -- true
	out_is cold-start
	chmod 755 "$D"
	run --separate-stderr as_nobody rejoin-ready announce lamp --incarnation p3
	status_is 7
}

@test "a peer's name may hold anything; a link in its place is not followed" {
	rejoin-ready announce '../up/and away'
	[ -e "$REJOIN_RUNTIME_DIR/ready/%2E.%2Fup%2Fand%20away/announced" ]
	rejoin-ready announce lamp
	mv "$D/announced" elsewhere
	ln -s "$PWD/elsewhere" "$D/announced"
	run --separate-stderr rejoin-ready wait lamp --grace 0s
	status_is 3
	err_has 'is a symbolic link'
	# an announcement takes its place
	rejoin-ready announce lamp
	[ ! -L "$D/announced" ]
}

@test "run passes on what the cycle ended with, as env does" {
	announce p1
	run --separate-stderr rejoin-ready run lamp --incarnation a1 -- sh -c 'echo out; echo err >&2; exit 3'
	[ "$status" -eq 3 ]
	out_is $'cold-start\nout'
	[ "$stderr" = err ]
	# with -q, stdout is the cycle's alone, and stdin always is
	run --separate-stderr rejoin-ready run -q lamp --incarnation a2 --grace 0s -- cat <<<"in"
	status_is 0
	out_is in
	run rejoin-ready run lamp --incarnation a3 --grace 0s -- sh -c 'kill -9 $$'
	[ "$status" -eq 137 ]
	run -127 --separate-stderr rejoin-ready run lamp --incarnation a4 --grace 0s -- ./not-there
	err_has './not-there: No such file or directory'
	run rejoin-ready run lamp --incarnation a4 --grace 0s -- "$PWD/log"
	status_is 126
	# that was no cycle: the same life may try again
	run rejoin-ready run lamp --incarnation a4 --grace 0s -- true
	status_is 0
	run --separate-stderr rejoin-ready run lamp --incarnation a4 --grace 0s -- true
	status_is 125
	err_has 'agent incarnation a4 has had its cycle'
	# nor is the lock another name of a foreign file
	: >"$PWD/theirs"
	mv "$S/lock" "$S/lock.own"
	ln "$PWD/theirs" "$S/lock"
	run --separate-stderr rejoin-ready run lamp --incarnation a5 --grace 0s -- touch begun
	status_is 125
	err_has 'is not a regular file with one name'
	mv "$S/lock.own" "$S/lock"
	# what cannot be recorded is not begun
	rm "$S/cycle"
	mkdir "$S/cycle"
	run --separate-stderr rejoin-ready run lamp --incarnation a5 --grace 0s -- touch begun
	status_is 125
	[ ! -e begun ]
}

@test "the time diagram: one cycle at any time, never two, never none when both are there" {
	# cold start: both come up, the device a moment later
	agent a1 --connected 'test -e online'
	touch online
	announce p1
	wait_for '[ "$(begun "a1 cold-start p1")" = 1 ]'
	# the agent migrates alone: the new one starts before the old one has stopped
	agent a2 --connected 'test -e online'
	wait_for 'said a2 "waiting for the end of pid"'
	[ "$(begun '')" = 1 ]
	stop a1
	wait_for '[ "$(begun "a2 agent-restart p1")" = 1 ]'
	# the device reboots: the cycle goes on, and is not doubled
	rm online
	touch online
	announce p2
	wait_for 'said a2 "peer-restart: incarnation p2 after p1"'
	# the device is offline and back, without a reboot: nothing to say
	rm online
	rejoin-ready forget lamp
	touch online
	announce p2
	# offline while the agent migrates, and back
	rm online
	stop a2
	agent a3 --connected 'test -e online'
	wait_for 'grep -qx peer-offline a3.out'
	[ "$(begun a3)" = 0 ]
	touch online
	announce p2
	wait_for '[ "$(begun "a3 cold-start p2")" = 1 ]'
	# both at once
	stop a3
	announce p3
	agent a4 --connected 'test -e online'
	wait_for '[ "$(begun "a4 cold-start p3")" = 1 ]'
	# flapping: twenty lives of the device, two of the agent
	local i
	for i in {1..20}; do
		rejoin-ready forget lamp
		announce "flap$i"
		[ "$i" -ne 10 ] || agent a5 --connected 'test -e online'
	done
	stop a4
	wait_for '[ "$(begun a5)" = 1 ]'
	announce p4
	wait_for 'said a5 "peer-restart: incarnation p4"'
	alive "$a5_pid"
	stop a5
	# five lives of the agent, a cycle in each, one after the other
	[ "$(sed 's/ .*//' log | tr '\n' ' ')" = 'begin end begin end begin end begin end begin end ' ]
	cat log
}

@test "a second run of the same life starts nothing; of another, it waits its turn" {
	announce p1
	agent a1
	wait_for '[ "$(begun a1)" = 1 ]'
	run --separate-stderr rejoin-ready run lamp --incarnation a1 -- ./cycle
	status_is 125
	err_has "pid $a1_pid runs the cycle of this agent incarnation, a1"
	announce p1
	announce p1
	# many at once are one at a time
	agent a2; agent a3; agent a4
	wait_for 'said a2 waiting && said a3 waiting && said a4 waiting'
	stop a1
	wait_for '[ "$(begun "")" = 2 ]'
	kill "$a2_pid" "$a3_pid" "$a4_pid"
	wait_for '! alive $a2_pid && ! alive $a3_pid && ! alive $a4_pid'
	run ! grep overlap log
}

@test "signals are the cycle's, with all that it started; before it, they end the run" {
	agent a1
	wait_for 'grep -qx peer-offline a1.out'
	kill -TERM "$a1_pid"
	local rc=0
	wait "$a1_pid" || rc=$?
	[ "$rc" -eq 143 ]
	announce p1
	printf '#!/bin/bash\ntrap "echo usr1 >>log" USR1\ntrap "echo int >>log; exit 9" INT\n( sleep 1000; echo late >>log ) &\necho $! >left\necho up >>log\nwhile :; do wait; done\n' >minds
	chmod +x minds
	# a shell's background commands ignore SIGINT; what is ignored stays so, so not this one
	start a2 env --default-signal=INT rejoin-ready run lamp --incarnation a2 -- ./minds
	wait_for 'grep -q up log'
	kill -USR1 "$a2_pid"
	wait_for 'grep -q usr1 log'
	kill -INT "$a2_pid"
	rc=0
	wait "$a2_pid" || rc=$?
	[ "$rc" -eq 9 ]
	# what it left behind was ended, and so the lock is free
	wait_for '! alive $(cat left)'
	run rejoin-ready run lamp --incarnation a3 --grace 0s -- true
	status_is 0
}

@test "the cycle of a killed run is adopted by the same incarnation, and ended by another" {
	announce p1
	start k rejoin-ready run lamp --incarnation a1 -- ./cycle
	wait_for '[ "$(begun a1)" = 1 ]'
	kill -KILL "$k_pid"
	# the same incarnation: its cycle goes on, and its end is that of the run
	agent a1
	wait_for 'said a1 "adopting the cycle of this agent incarnation, a1"'
	announce p2
	wait_for 'said a1 "peer-restart: incarnation p2"'
	stop a1
	[ "$(cat log)" = $'begin a1 cold-start p1\nend a1' ]
	run --separate-stderr rejoin-ready run lamp --incarnation a1 --grace 0s -- ./cycle
	status_is 125
	err_has 'has had its cycle'
	# it ends while no run is there: its status is not lost
	printf '#!/bin/sh\necho brief >>log\nuntil [ -e go ]; do sleep 0.02; done\nexit 7\n' >brief
	chmod +x brief
	start k rejoin-ready run lamp --incarnation a2 --grace 0s -- ./brief
	wait_for 'grep -q brief log'
	kill -KILL "$k_pid"
	: >go
	wait_for '[ -s "$S/run/status" ]'
	run -7 rejoin-ready run lamp --incarnation a2 --grace 0s -- ./brief
	[ "$(grep -c brief log)" = 1 ]
	# another incarnation ends the worst of cycles, which ignores SIGTERM
	printf '#!/bin/sh\ntrap "" TERM\nmkdir deaf || echo overlap >>log\necho deaf >>log\nwhile :; do sleep 1000; done\n' >deaf.sh
	chmod +x deaf.sh
	start k rejoin-ready run lamp --incarnation a3 --grace 0s -- ./deaf.sh
	wait_for 'grep -q deaf log'
	kill -KILL "$k_pid"
	agent a4
	wait_for 'said a4 "ending what is left of the cycle of agent incarnation a3"'
	wait_for '[ "$(begun a4)" = 1 ]' 30
	run ! grep overlap log
	stop a4
	[ ! -e "$S/run" ]
}

@test "a cycle that drops its user, environment, session and descriptors is ended" {
	needs_root
	needs setpriv
	# what it works in is open to the user that it becomes
	OUTSIDE=$(mktemp -d)
	chmod 777 "$OUTSIDE"
	cat >"$OUTSIDE/work" <<-'END'
	#!/bin/bash
	for fd in /proc/self/fd/*; do fd=${fd##*/}; ((fd < 3)) || eval "exec $fd>&-"; done
	cd "${0%/*}"
	echo $$ >>beat
	exec sleep 1000
	END
	chmod +x "$OUTSIDE/work"
	local i=0 how
	for how in "setpriv --reuid=65534 --clear-groups env -i $OUTSIDE/work" \
		"env -i setsid -w $OUTSIDE/work" \
		"setpriv --reuid=65534 --clear-groups env -i setsid $OUTSIDE/work & wait" \
		"(setsid env -i $OUTSIDE/work &); exec sleep 1000"; do
		i=$((i + 1))
		: >"$OUTSIDE/beat"
		chmod 666 "$OUTSIDE/beat"
		announce "p$i"
		start k rejoin-ready run lamp --incarnation "first-$i" --grace 0s -- sh -c "$how"
		wait_for '[ -s $OUTSIDE/beat ]'
		kill -KILL "$k_pid"
		start n rejoin-ready run lamp --incarnation "second-$i" --grace 0s -- sh -c 'echo begun; exec sleep 1000'
		wait_for 'grep -q begun n.out' 20
		[ "$(wc -l <"$OUTSIDE/beat")" = 1 ]
		run ! alive "$(cat "$OUTSIDE/beat")"
		kill "$n_pid"
		wait_for '! alive $n_pid'
	done
}

@test "a shim that was killed: nothing is left of its cycle, and one more is begun" {
	announce p1
	agent a1
	wait_for '[ "$(begun a1)" = 1 ]'
	kill -KILL "$(jq .shim "$S/run/started")"
	wait_for '! alive $a1_pid' 20
	said a1 'how the cycle ended is not known'
	rmdir running
	agent a1
	wait_for '[ "$(begun a1)" = 2 ]'
	stop a1
	run ! grep overlap log
}

@test "the cycle has the environment and the working directory of the run, whatever their bytes" {
	announce p1
	ODD=$'caf\xe9' run rejoin-ready run -q lamp --incarnation a1 --grace 0s -- sh -c 'printf %s "$ODD$REJOIN_VERDICT"; pwd'
	[ "$output" = $'caf\xe9cold-start'"$PWD" ]
	# an argument that is not UTF-8 cannot be recorded: it is named, and nothing is begun
	run --separate-stderr rejoin-ready run -q lamp --incarnation a2 --grace 0s -- touch $'caf\xe9'
	status_is 125
	err_has 'not UTF-8'
	[ ! -e $'caf\xe9' ]
}

@test "what a killed run leaves is ended, though it closed what it was given" {
	announce p1
	cat >daemon <<-'END'
	#!/bin/bash
	exec 3>mine
	(for fd in /proc/self/fd/*; do fd=${fd##*/}; ((fd < 3)) || eval "exec $fd>&-"; done
	trap 'sleep 0.5; echo "end daemon" >>log; kill $!; exit' TERM; echo $BASHPID >daemon.pid; sleep 1000 & wait) &
	wait
	END
	chmod +x daemon
	start k rejoin-ready run lamp --incarnation a1 -- ./daemon
	wait_for '[ -s daemon.pid ]'
	kill -KILL "$k_pid"
	agent a2
	wait_for '[ "$(begun a2)" = 1 ]' 30
	run ! alive "$(cat daemon.pid)"
	[ "$(head -1 log)" = 'end daemon' ]
}

# deaf COMMAND... - in a user namespace that has no inotify instance
deaf() { exec setsid unshare -U -r sh -c 'echo 0 >/proc/sys/user/max_inotify_instances; exec "$@"' - "$@"; }

# asleep PID - rejoin-ready is that process, and waits
asleep() { [ "$(cat "/proc/$1/comm")" = rejoin-ready ] && grep -q '^State:.S' "/proc/$1/status"; }

@test "without an inotify instance it polls: wait, run, a restart of the peer, gate" {
	(deaf true) 2>/dev/null || cannot 'no user namespace can be made here'
	start waiting deaf rejoin-ready wait lamp --incarnation a1 --grace 20s
	wait_for 'asleep $waiting_pid'
	announce p1
	wait_for '! alive "$waiting_pid"'
	[ "$(cat waiting.out)" = cold-start ]
	rejoin-ready forget lamp
	start a2 deaf rejoin-ready run lamp --incarnation a2 --grace 0s --on peer-restart 'touch told' -- ./cycle
	wait_for 'grep -q peer-offline a2.out'
	announce p2
	wait_for '[ "$(begun a2)" = 1 ]'
	announce p3
	wait_for '[ -e told ]'
	[ "$(begun a2)" = 1 ]
	stop a2
	rejoin-ready forget lamp
	mkfifo in
	exec 8<>in
	start gate deaf sh -c 'exec rejoin-ready gate lamp <in'
	wait_for 'asleep $gate_pid'
	echo one >&8
	announce p3
	wait_for 'grep -qx one gate.out'
	# closed again: of what is written from some moment on nothing comes until the next announcement
	rejoin-ready forget lamp
	wait_for 'n=$(wc -l <gate.out); echo line >&8; sleep 0.5; [ "$(wc -l <gate.out)" = "$n" ]'
	announce p3
	wait_for '[ "$(wc -l <gate.out)" -gt "$n" ]'
	exec 8>&-
}

# bats test_tags=plain
@test "run may be killed at any call: then one cycle is carried out, never two at once" {
	needs_strace
	needs flock
	# carried out is what has its end in the log
	printf '#!/bin/sh\nexec 9>once\nflock -n 9; [ $? -ne 1 ] || echo overlap >>log\necho begin >>log\necho end >>log\n' >short
	chmod +x short
	KILLWALK_FOLLOW='' "$TOP/test/fault/killwalk.sh" \
		'openat,write,pwrite64,rename,unlink,mkdir,fchmod,ftruncate,fcntl,fork,vfork,clone,clone3,setpgid,pidfd_open,inotify_add_watch,poll,wait4,kill' \
		'rm -rf "$REJOIN_RUNTIME_DIR/ready" "$REJOIN_STATE_DIR/ready" once; : >log; rejoin-ready announce lamp --incarnation p1' \
		'rejoin-ready run -q lamp --incarnation a1 --grace 100ms -- ./short' \
		'rejoin-ready run -q lamp --incarnation a1 --grace 100ms -- ./short; s=$?;
		{ [ $s = 0 ] || [ $s = 125 ]; } && grep -qx end log && ! grep -q overlap log && [ "$(grep -c end log)" -le 2 ] &&
		! rejoin-ready run -q lamp --incarnation a1 --grace 100ms -- ./short 2>/dev/null'
}

@test "--on runs a command on a verdict; many restarts while it runs are one more" {
	printf '#!/bin/sh\necho "$REJOIN_VERDICT $REJOIN_PEER $REJOIN_PEER_INCARNATION" >>told\nwhile [ -e hold ]; do sleep 0.02; done\n' >tell
	chmod +x tell
	touch hold
	agent a1 --on peer-restart ./tell --on 'peer-offline ./tell' --on cold-start 'sh -c "echo cold >>told"'
	wait_for 'grep -qx "peer-offline lamp " told'
	rm hold
	announce p1
	wait_for 'grep -qx cold told'
	touch hold
	announce p2
	wait_for 'grep -qx "peer-restart lamp p2" told'
	announce p3; announce p4; announce p5
	wait_for 'said a1 "incarnation p5"'
	rm hold
	wait_for 'grep -qx "peer-restart lamp p5" told'
	stop a1
	[ "$(grep -c peer-restart told)" -eq 2 ]
	# the end waits for it; that it failed is said, and changes nothing
	announce p6
	run --separate-stderr rejoin-ready run -q lamp --incarnation a2 --on cold-start 'sh -c "sleep 0.2; exit 4"' -- true
	status_is 0
	err_has '--on: exited with 4'
}

@test "a process that waits is not woken" {
	announce p1
	agent a1
	wait_for '[ "$(begun a1)" = 1 ]'
	agent a2 --grace 1h
	rejoin-ready forget other
	start w rejoin-ready run other --incarnation b1 --grace 1h -- true
	start g bash -c 'sleep 1000 | exec rejoin-ready gate other'
	wait_for 'said a2 waiting && [ -e "$REJOIN_STATE_DIR/ready/other/lock" ]'
	woken() {
		local p
		for p in $a1_pid $a2_pid $w_pid $(pgrep -g "$g_pid" rejoin-ready); do
			sed -n 's/^voluntary_ctxt_switches://p' "/proc/$p/status"
		done
	}
	quiet() { local a; a=$(woken); read -rt 0.7 <> <(:) || :; [ "$a" = "$(woken)" ]; }
	# for twice as long, at any time: they may still be on their way to their first sleep
	wait_for 'quiet && quiet'
	[ "$(woken | wc -l)" -eq 4 ]
}

# A gate between two pipes moves what it does not copy otherwise: both ways are tried.
# gate_into file|pipe - from the FIFO "in" to g.out
gate_into() {
	mkfifo in
	case $1 in
	file) start g bash -c 'exec rejoin-ready gate lamp <in' ;;
	pipe) start g bash -c 'rejoin-ready gate lamp <in | cat' ;;
	esac
}

@test "gate: closed it neither writes nor reads; it opens at once" {
	local to
	for to in file pipe; do
		rejoin-ready forget lamp
		gate_into $to
		exec 7>in
		printf 'one\ntwo\n' >&7
		# 64 KiB fit in the pipe, and not a byte more: it does not read
		run timeout 1 dd if=/dev/zero of=/dev/fd/7 bs=4096 count=64
		[ "$status" -eq 124 ]
		[ ! -s g.out ]
		rejoin-ready announce lamp
		wait_for '[ "$(head -n 2 g.out)" = "one
two" ]'
		exec 7>&-
		wait_for '! alive $g_pid'
		rm in
	done
}

@test "gate: it closes at the end of a line, and a line that began is passed to its end" {
	local to
	for to in file pipe; do
		announce p1
		gate_into $to
		exec 7>in
		printf 'one\ntw' >&7
		wait_for '[ "$(wc -c <g.out)" = 6 ]'
		rejoin-ready forget lamp
		printf 'o\nthree\nfour' >&7
		wait_for '[ "$(wc -c <g.out)" = 8 ]'
		printf '\n' >&7
		rejoin-ready announce lamp
		wait_for '[ "$(wc -l <g.out)" = 4 ]'
		rejoin-ready forget lamp
		# the last line has no end; its writer is gone, and it waits all the same
		printf 'last' >&7
		exec 7>&-
		wait_for 'alive $g_pid'
		announce p2
		wait_for '! alive $g_pid'
		[ "$(cat g.out)" = $'one\ntwo\nthree\nfour\nlast' ]
		rm in
	done
	# nothing to pass on, no writer: it ends, open or not
	rejoin-ready forget lamp
	run bash -c ': | rejoin-ready gate lamp'
	status_is 0
	: >empty
	announce p1
	run rejoin-ready gate lamp <empty
	status_is 0
}

@test "gate: a peer that flaps 100 times loses nothing" {
	local how i times=100
	announce p1
	seq 200000 >want
	# from a pipe and from a file; the reader is slow now and then, so that writes fall short
	for how in 'cat want | rejoin-ready gate lamp' 'rejoin-ready gate lamp <want'; do
		start g bash -c 'exec 8< <('"$how"'); while read -rN 30000 x <&8; do printf %s "$x"; done; printf %s "$x"'
		for ((i = 0; i < times; i++)); do
			rejoin-ready forget lamp
			announce "p$i"
		done
		wait_for '! alive $g_pid' 60
		cmp want g.out
		times=20
	done
	# a pipe that is written to slowly
	for how in '' '| cat'; do
		start s bash -c 'for i in {1..300}; do echo "a $i"; printf "b "; read -rt 0.002 <> <(:); echo "$i"; done |
			rejoin-ready gate lamp '"$how"
		for i in {1..20}; do
			rejoin-ready forget lamp
			announce "p$i"
		done
		wait_for '! alive $s_pid' 60
		cmp s.out <(for i in {1..300}; do echo "a $i"; echo "b $i"; done)
	done
}

@test "gate --drop-oldest: reads on while closed, drops whole lines, and counts them" {
	rejoin-ready forget lamp
	mkfifo in
	start g bash -c 'exec rejoin-ready gate lamp --drop-oldest 1K <in'
	exec 7<>in
	seq 100000 >&7
	printf 'and %02000d end\nlast\n' 0 >&7
	# it has read all of it when nothing is left in the pipe
	wait_for '! read -rt 0 -u 7'
	rejoin-ready announce lamp
	exec 7>&-
	wait_for '! alive $g_pid'
	[ "$(cat g.out)" = last ]
	said g 'lamp: dropped 100001 lines, 590904 bytes, the oldest, while the gate was closed'
	# what fits is kept
	rejoin-ready forget lamp
	start h bash -c 'exec rejoin-ready gate lamp --drop-oldest 1K <in'
	exec 7<>in
	seq 1000 >&7
	wait_for '! read -rt 0 -u 7'
	exec 7>&-
	rejoin-ready announce lamp
	wait_for '! alive $h_pid'
	seq 1000 | tail -c 1024 | sed 1d >want
	diff want h.out
	[ "$(sed -n 's/.*dropped \([0-9]*\) lines.*/\1/p' h.err)" = $((1000 - $(wc -l <want))) ]
}

@test "gate ends when its reader does, and says what it could not write" {
	announce p1
	run bash -c 'yes | rejoin-ready gate lamp | head -n 2; echo "${PIPESTATUS[1]}"'
	out_is $'y\ny\n141'
	# closed, too
	rejoin-ready forget lamp
	mkfifo in
	start g bash -c 'exec 7<>in; rejoin-ready gate lamp <&7 | read -rt 0.2; echo "${PIPESTATUS[0]}" >st'
	wait_for '[ "$(cat st 2>/dev/null)" = 141 ]'
	announce p1
	run --separate-stderr bash -c 'echo x | rejoin-ready gate lamp >/dev/full'
	status_is 3
	err_has 'standard output: No space left on device'
	# closed descriptors are not another file's
	run --separate-stderr bash -c 'rejoin-ready gate lamp <&-'
	status_is 3
	err_has 'standard input: Bad file descriptor'
	run --separate-stderr bash -c 'echo x | rejoin-ready gate lamp >&-'
	status_is 3
	err_has 'standard output: Bad file descriptor'
	run --separate-stderr bash -c 'rejoin-ready wait lamp --grace 0s >&-'
	status_is 3
	run --separate-stderr bash -c 'rejoin-ready run lamp --incarnation z --grace 0s -- sh -c "cat; echo x" <&- >&-'
	[ "$status" -ne 0 ]
	[ "$(wc -l <"$S/lock")" = 1 ]
}

@test "the example: a weather agent, its migration, a reboot of its lamp, an absence" {
	needs pkill
	run --separate-stderr timeout 60 sh "$TOP/packaging/examples/weather.sh" demo
	status_is 0
	# what happened, without the forecasts, of which each part has two or more
	sed -E 's/incarnation .*/.../; /^$/d; /^lamp: temps /d' <<<"$output" >day
	diff - day <<-'END'
	== cold start: the lamp and the agent are switched on
	cold-start
	== the agent migrates: the lamp does not notice, and says nothing
	agent-restart
	== the lamp reboots: the cycle goes on, and is not doubled
	rejoin-ready: lamp: peer-restart: ...
	lamp: brightness 70
	== the lamp is away while the agent migrates, and comes back
	peer-offline
	cold-start
	== good night
	END
}
