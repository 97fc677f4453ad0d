#!/usr/bin/env bats
# Tasks over bad connections: a relay that loses and repeats requests, cuts of one
# direction, and a network that loses packets and goes away.
load helper
load task

teardown() {
	end_tasks
	end
	[ -z "${ns-}" ] || ip netns del "$ns" 2>/dev/null || :
	[ -z "${ns-}" ] || ip netns del "$ns-b" 2>/dev/null || :
}

# lines N - N requests: each says that it ran, and writes its number of lines
lines() {
	local i
	for ((i = 1; i <= $1; i++)); do
		echo '{"argv":["sh","-c","echo x >>'"$PWD/ran.$i"'; seq '"$((i * 20))"'; sleep 0.'"$((i % 10))"'; echo end; exit '"$((i % 100))"'"]}'
	done
}

# lines_are_whole N FILE - each ran once, ended truly, and its output is whole
lines_are_whole() {
	local i
	[ "$(cat ran.* | wc -l)" -eq "$1" ]
	run -0 jq -c 'select(.event == "end") | select(.state != "ended" or .exit != .line % 100)' "$2"
	out_is ''
	run -0 jq -c 'select(.event == "end") | .line' "$2"
	[ "$(sort -u <<<"$output" | wc -l)" -eq "$1" ]
	[ "$(wc -l <<<"$output")" -eq "$1" ]
	for ((i = 1; i <= $1; i++)); do
		jq -rj "select(.line == $i and .stream == \"out\") | .text" "$2" | cmp - <(seq $((i * 20)); echo end)
	done
	run -0 sh -c "jq .id '$REJOIN_STATE_DIR'/controller/*/history.jsonl | sort | uniq -d"
	out_is ''
}

@test "a relay that breaks, delays, duplicates and reorders requests" {
	taskd
	seed=${SEED:-$RANDOM}
	echo "seed $seed"
	start relay relay "$PWD/relay.sock" "$REJOIN_RUNTIME_DIR/taskd.sock" "$seed" break=15 delay=20 duplicate=20
	wait_for '[ -S relay.sock ]'
	lines ${SOAK:+1}20 >lines
	start many sh -c "rejoin-task unix:$PWD/relay.sock run --lines --period 300ms --lease 30s <lines"
	start one rejoin-task "unix:$PWD/relay.sock" run --period 300ms --lease 30s -- sh -c 'for i in $(seq 30); do echo $i; sleep 0.05; done; exit 9'
	wait_for '! alive "$one_pid"' 60
	wait "$one_pid" || status=$?
	[ "$status" -eq 9 ] || { echo "status $status"; tail one.err; false; }
	seq 30 | cmp - one.out
	wait_for '! alive "$many_pid"' ${SOAK:+3}60
	lines_are_whole ${SOAK:+1}20 many.out
}

@test "cuts of one direction, and of both: ended before the controller says that it is lost" {
	taskd
	for cut in no-answers no-requests; do
		start "relay-$cut" relay "$PWD/$cut" "$REJOIN_RUNTIME_DIR/taskd.sock" 1
		wait_for "[ -S $cut ]"
		# a task that ends at SIGKILL alone, and says that it is alive
		start "task-$cut" rejoin-task "unix:$PWD/$cut" run --period 250ms --lease 1s -- \
			sh -c "trap : TERM; while :; do date +%s%N >$PWD/alive.$cut.new; mv $PWD/alive.$cut.new $PWD/alive.$cut; sleep 0.02; done"
	done
	wait_for '[ -e alive.no-answers ] && [ -e alive.no-requests ]'
	touch no-answers.no-answers no-requests.no-requests
	for cut in no-answers no-requests; do
		pid=task_${cut//-/_}_pid
		wait_for '! alive "${!pid}"' 25
		lost=$(date +%s%N)
		wait "${!pid}" || status=$?
		status_is 124
		[ "$(cat "alive.$cut")" -lt "$lost" ]
		echo "$cut: alive until $(((lost - $(cat "alive.$cut")) / 1000000)) ms before the controller said lost"
	done
	rm no-answers.no-answers no-requests.no-requests
	run -0 jq -s -c 'map(.status.why)' <(rejoin-task list --json)
	out_is '["lease","lease"]'
}

# network LOSS - a namespace for the controller and one for the machine, a link between them
network() {
	needs_root
	needs ip nft
	ns=rejoin$$
	ip netns add "$ns" 2>/dev/null || cannot 'no network namespace can be made here'
	ip netns add "$ns-b"
	ip link add name "v$$" netns "$ns" type veth peer name "w$$" netns "$ns-b"
	ip -n "$ns" addr add 10.77.0.1/24 dev "v$$"
	ip -n "$ns-b" addr add 10.77.0.2/24 dev "w$$"
	ip -n "$ns" link set "v$$" up
	ip -n "$ns-b" link set "w$$" up
	loss "$1"
}

# loss PERCENT - of the packets that arrive at either side
loss() {
	local n
	for n in "$ns" "$ns-b"; do
		ip netns exec "$n" nft -f - <<-X || cannot 'nftables cannot be used here'
			table inet bad
			delete table inet bad
			table inet bad {
				chain in {
					type filter hook input priority 0;
					numgen random mod 100 < $1 drop
				}
			}
		X
	done
}

link_cut() { ip -n "$ns" link set "v$$" down; }
link_mend() { ip -n "$ns" link set "v$$" up; }
far() { ip netns exec "$ns" rejoin-task "$target" "$@"; }

@test "a network that loses 1 % of its packets and goes away for 3 and for 8 seconds" {
	network 1
	taskd
	sshd_on 10.77.0.2 "$ns-b"
	lines 10 >lines
	far_many() { far run --lines --period 400ms --lease 30s <lines; }
	start task far run --period 400ms --lease 30s -- sh -c "echo x >>$PWD/once; i=0; while [ ! -e $PWD/go ]; do echo \$((i += 1)); sleep 0.01; done; exit 5"
	wait_for 'grep -q 5 task.out' 20
	start many far_many
	wait_for 'grep -q submitting many.out' 20
	for s in 3 ${SOAK:+20} 8; do
		before=$(grep -c reconnected task.err || :)
		link_cut
		sleep "$s" # the cut itself
		link_mend
		wait_for '[ "$(grep -c reconnected task.err)" -gt "$before" ]' 30
	done
	touch go
	wait_for '! alive "$task_pid"' 20
	wait "$task_pid" || status=$?
	[ "$status" -eq 5 ]
	seq "$(wc -l <task.out)" | cmp - task.out
	[ "$(cat once)" = x ]
	wait_for '! alive "$many_pid"' 30
	lines_are_whole 10 many.out
}

# bats test_tags=soak
@test "soak: a cut of 90 s ends the task under kill, and keeps it under leave" {
	network 0
	taskd
	sshd_on 10.77.0.2 "$ns-b"
	alive='while :; do date +%s >'$PWD'/alive.$1.new; mv '$PWD'/alive.$1.new '$PWD'/alive.$1; sleep 0.1; done'
	start kill far run -- sh -c "$alive" - kill
	start leave far run --on-loss leave -- sh -c "$alive" - leave
	wait_for '[ -e alive.kill ] && [ -e alive.leave ]' 20
	link_cut
	begun=$(date +%s)
	wait_for '! alive "$kill_pid"' 80
	lost=$(date +%s)
	wait "$kill_pid" || status=$?
	status_is 124
	[ "$(cat alive.kill)" -lt "$lost" ]
	echo "ended $(($(cat alive.kill) - begun)) s, lost $((lost - begun)) s after the cut"
	wait_for '[ $(($(date +%s) - begun)) -ge 90 ]' 90
	link_mend
	wait_for 'grep -q reconnected leave.err' 60
	wait_for '[ $(($(date +%s) - $(cat alive.leave))) -le 2 ]'
	run -0 far list --json
	run -0 bash -c 'jq -c "[.state, .status.why]" <<<"$1" | sort' - "$output"
	out_is $'["killed","lease"]\n["running",null]'
	far kill "$(far list --json | jq 'select(.state == "running").id')"
	wait_for '! alive "$leave_pid"' 60
}

# bats test_tags=soak
@test "soak: 30 % loss and a second of delay, under leave" {
	network 30
	taskd
	start relay relay "$PWD/relay.sock" "$REJOIN_RUNTIME_DIR/taskd.sock" 1 delay=100
	sshd_on 10.77.0.2 "$ns-b"
	# the far end is reached through the relay, which delays each request
	mkdir far
	ln -s "$PWD/relay.sock" far/taskd.sock
	sed -i "s|REJOIN_RUNTIME_DIR=.*|REJOIN_RUNTIME_DIR=$PWD/far|" sshd.conf
	kill -HUP "$sshd_pid"
	head -c 1048576 /dev/urandom >data
	start task far run --on-loss leave -- sh -c "echo x >>$PWD/once; cat $PWD/data; exit 3"
	wait_for '! alive "$task_pid"' 900
	wait "$task_pid" || status=$?
	[ "$status" -eq 3 ]
	cmp data task.out
	[ "$(cat once)" = x ]
}

# bats test_tags=soak
@test "soak: 1 GiB over ssh, whose connection is killed 20 times" {
	printf '[taskd]\nlog-max = 2G\nlog-total = 4G\n' >"$REJOIN_CONFIG_DIR/taskd.conf"
	taskd
	sshd_on 127.0.0.1
	# bytes that tell where they are, of which a part waits for each kill
	cat >writer <<-'X'
		seq 1 130000000 | head -c 1073741824 | for k in $(seq 21); do
			head -c 51130564
			until [ "$k" = 21 ] || [ -e "$1/killed.$k" ]; do sleep 0.05; done
		done
		exit 4
	X
	start task bash -c "exec rejoin-task '$target' run --period 1s --lease 60s -- sh $PWD/writer $PWD >copy"
	for k in $(seq 20); do
		# the connection is there again, and has carried some of the part
		before=$(stat -c %s copy 2>/dev/null || echo 0)
		wait_for '[ -e copy ] && [ "$(stat -c %s copy)" -gt "$before" ]' 120
		pkill -KILL -P "$sshd_pid"
		touch "killed.$k"
	done
	wait_for '! alive "$task_pid"' 600
	wait "$task_pid" || status=$?
	[ "$status" -eq 4 ]
	seq 1 130000000 | head -c 1073741824 | cmp - copy
}
