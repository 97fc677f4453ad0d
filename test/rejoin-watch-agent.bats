# shellcheck shell=bash disable=SC2154	# run sets status and stderr; start sets *_pid
# What the watcher saw last is not what the agent saw last: removals within one
# burst, components that an agent waits for, agents that report nothing.
load helper

setup() {
	begin
	mkdir -p dev etc
	inventory a b
}

inventory() { # ID...
	local i sep='' text=''
	for i; do
		text+="$sep{\"id\":\"$i\",\"properties\":{\"path\":\"$PWD/dev/$i\",\"firmwareDataFile\":\"fw.json\"}}"
		sep=,
	done
	printf '{"components":[%s]}\n' "$text" >new.json
	mv new.json inventory.json
}

plug() { # ID [VERSION]
	mkdir -p "dev/$1"
	printf '{"version":"%s"}\n' "${2-1.0}" >"dev/$1/new"
	mv "dev/$1/new" "dev/$1/fw.json"
}

watch() { # ARGS...
	rm -f watch.out watch.err
	start watch rejoin-watch -v --rescan 1h --settle 200ms "$@"
	wait_for 'grep -q monitoring watch.err'
}

events() { jq -r '"\(.id) \(.event)"' watch.out | paste -sd,; }
n_events() { wait_for "[ \"\$({ wc -l <${2:-watch.out}; } 2>/dev/null || echo 0)\" -ge $1 ]" 20; }

# A scan that has nothing to report is over when a later arrival is out.
and_nothing_else() { # N - events, then that of z
	inventory a b z
	plug z
	n_events $(($1 + 1))
	[ "$(wc -l <watch.out)" -eq $(($1 + 1)) ]
	[ "$(tail -1 watch.out | jq -r .id)" = z ]
}

@test "what was removed and is back within one burst has arrived" {
	plug a
	plug b
	watch inventory.json
	# the directory, the file, the directory above, each away for a moment
	mv dev/a away
	mv away dev/a
	n_events 1
	rm dev/a/fw.json
	echo '{"version":"1.0"}' >dev/a/fw.json
	n_events 2
	mv dev away
	mv away dev
	n_events 4
	[ "$(events)" = 'a arrived,a arrived,a arrived,b arrived' ]
	[ "$(head -1 watch.out | jq -c .was)" = '{}' ]
	and_nothing_else 4
}

@test "a neighbour that keeps a burst going does not hide an absence" {
	plug a
	plug b
	watch inventory.json
	mv dev/a away
	# a pace, not a wait: the burst goes on for longer than the settle time
	for i in 1 2 3 4 5 6; do plug b; sleep 0.05; done
	mv away dev/a
	n_events 1
	[ "$(events)" = 'a arrived' ]
	and_nothing_else 1
}

@test "a data file that is replaced by rename was not absent" {
	plug a
	plug b
	watch inventory.json
	for i in 1 2 3; do
		plug a 1.0
		plug b 1.0
	done
	plug a 2.0	# an update: a rise that wakes nothing
	and_nothing_else 0
}

@test "with --tree, too, a removal counts" {
	needs inotifywait
	plug a
	plug b
	watch --tree dev inventory.json
	mv dev/a away
	mv away dev/a
	n_events 1
	[ "$(events)" = 'a arrived' ]
}

@test "a place behind a link is followed where the link goes" {
	mkdir -p r1/x r2/x data
	echo '{"version":"2.0"}' >r1/x/fw.json
	echo '{"version":"1.0"}' >r2/x/fw.json
	ln -s r1 cur
	sed "s|dev/a|cur/x|" inventory.json >data/inventory.json
	ln -sf data/inventory.json inventory.json
	start watch rejoin-watch -v --rescan 0s --settle 50ms inventory.json
	wait_for 'grep -q monitoring watch.err'
	ln -s r2 new
	mv -T new cur
	n_events 1
	# the inventory is a link itself: one that its target gets is noticed
	sed 's|"id":"b"|"id":"c"|; s|dev/b|dev/c|' data/inventory.json >data/new
	plug c
	mv data/new data/inventory.json
	n_events 2
	[ "$(events)" = 'a swapped,c arrived' ]
}

@test "a place that is mounted over is noticed" {
	needs_root
	needs_mounts
	plug a
	mkdir other
	echo '{"version":"0.9"}' >other/fw.json
	# shellcheck disable=SC2016
	start watch own-mounts sh -c 'rejoin-watch -v --rescan 0s --settle 50ms inventory.json & w=$!
		until [ -e mount ]; do sleep 0.02; done; mount --bind other dev/a; wait $w'
	wait_for 'grep -q monitoring watch.err'
	: >mount
	n_events 1
	[ "$(events)" = 'a swapped' ]
	pkill -P "$watch_pid" || :
}

@test "without an inotify instance it says so, and polls" {
	needs_strace
	start watch strace -f -qq -o calls -e trace=inotify_init1 -e inject=inotify_init1:error=EMFILE \
		rejoin-watch -v --rescan 0s --settle 50ms inventory.json
	wait_for 'grep -q monitoring watch.err'
	grep -q 'inotify: no instance left (fs.inotify.max_user_instances): files are polled' watch.err
	plug a
	n_events 1
	[ "$(events)" = 'a arrived' ]
}

@test "one process at a time uses a state file" {
	watch --state w.json inventory.json
	for how in '' -1 '-1 -a'; do
		# shellcheck disable=SC2086	# none or two words
		run --separate-stderr timeout 10 rejoin-watch $how --state w.json inventory.json
		status_is 6
		err_has "w.json: state file is in use by another rejoin-watch (pid $watch_pid)"
		err_has 'hint: '
	done
	# another file, another watcher; and a lock that a killed one held is free
	run --separate-stderr rejoin-watch -1 --state other.json inventory.json
	status_is 1
	kill -KILL "$watch_pid"
	run --separate-stderr rejoin-watch -1 --state w.json inventory.json
	status_is 1
	[ "$(stat -c %a w.json.lock)" = 600 ]
}

# A profile of an agent that reports nothing, with the pid in the file "pid".
reports_nothing() {
	cat >"$REJOIN_CONFIG_DIR/agents.d/quiet.conf" <<-E
		[agent]
		description = an agent that reports nothing
		[retry]
		method = exec
		argv = true
		[restart]
		method = exec
		argv = true
		pid-file = $PWD/pid
		[inventory]
		file = $PWD/inventory.json
	E
}

agent() {
	start agent sleep 1000
	echo "$agent_pid" >pid
}

@test "an agent that reports nothing is offered all once: at the start, and when it is another one" {
	reports_nothing
	plug a
	agent
	watch -A quiet --state w.json
	n_events 1
	[ "$(jq -r '"\(.id) \(.event) \(.cause)"' watch.out)" = 'a arrived agent-start' ]
	[ "$(jq -r .incarnation w.json | grep -c -- "-$agent_pid-")" -eq 1 ]
	end_pids "$agent_pid"
	agent
	n_events 2
	[ "$(jq -r .cause watch.out | sort -u)" = agent-start ]
	# not served yet where the command fails; it is offered again until it is
	end_pids "$watch_pid"
	watch -A quiet --state w.json -- sh -c 'cat >>offered; [ -e ok ]'
	n_events 2 offered
	: >ok
	n_events 3 offered
	wait_for "grep -q -- '-$agent_pid-' w.json"
}

@test "-1 offers all once for each incarnation" {
	reports_nothing
	plug a
	agent
	run --separate-stderr rejoin-watch -1 -A quiet --state w.json
	status_is 0
	out_has '"cause":"agent-start"'
	run --separate-stderr rejoin-watch -1 -A quiet --state w.json
	status_is 1
	end_pids "$agent_pid"
	run --separate-stderr rejoin-watch -1 -A quiet --state w.json
	status_is 1
	agent
	run --separate-stderr rejoin-watch -1 -A quiet --state w.json
	status_is 0
	run --separate-stderr rejoin-watch -1 -A quiet --state w.json
	status_is 1
}

# waits ID EVALUATION - our agent, as its files show it: idle after EVALUATION, waiting for ID
waits() {
	local run=$REJOIN_RUNTIME_DIR/agent
	mkdir -p "$run"
	printf '{"rejoin":{"waiting":[{"id":"%s"}],"results":[]}}\n' "$1" >report.json
	printf 'agent=rejoin\npid=%s\nincarnation=i-1\nstate=idle\nwaiting=1\npending=no\ncycle=%s\nsettled_cycle=%s\nreport=%s\n' \
		"$lock_pid" "$2" "$2" "$PWD/report.json" >"$run/status.new"
	mv "$run/status.new" "$run/status"
}

@test "what the agent waits for and is online is offered once an evaluation" {
	cp inventory.json "$REJOIN_CONFIG_DIR/"
	mkdir -p "$REJOIN_RUNTIME_DIR/agent"
	: >"$REJOIN_RUNTIME_DIR/agent/busy"
	: >"$REJOIN_RUNTIME_DIR/agent/lock"
	start lock lock-holder "$REJOIN_RUNTIME_DIR/agent/lock"
	wait_for '[ -s lock.out ]'
	plug b
	rejoin-watch -1 -A rejoin --state w.json || :
	# the state says that b is there, and the agent missed it
	waits b 1
	watch -A rejoin --state w.json -- sh -c 'cat >>offered'
	n_events 1 offered
	# at the start all is offered, and what it waits for not twice
	[ "$(jq -r '"\(.id) \(.event) \(.cause)"' offered)" = 'b arrived agent-start' ]
	# the same evaluation is not asked for twice, and one that follows at once not at once
	waits b 1
	waits b 2
	plug a
	n_events 2 offered
	waits b 3
	[ "$(jq -r .id offered | paste -sd,)" = b,a ]
	# it waits for one that comes later: that is an arrival like any other, and offered once
	waits c 4
	inventory a b c
	mv inventory.json "$REJOIN_CONFIG_DIR/inventory.json"
	plug c
	n_events 3 offered
	waits c 4
	waits a 5
	n_events 4 offered
	[ "$(jq -r '"\(.id) \(.cause)"' offered | tail -1)" = 'a agent-waiting' ]
}

@test "in a sample of all orders of boot, starts, kills, arrival and departure it ends patched" {
	if [ -n "${SOAK-}" ]; then
		"$TOP/test/watch-orders.sh" rejoin 0 1 8
	else
		"$TOP/test/watch-orders.sh" rejoin $((RANDOM % 40)) 40 6
	fi
}

@test "the same with an agent that reports nothing" {
	if [ -n "${SOAK-}" ]; then
		"$TOP/test/watch-orders.sh" adu 0 1 8
	else
		"$TOP/test/watch-orders.sh" adu $((RANDOM % 40)) 40 6
	fi
}

@test "on a terminal events are a table, and it says what is monitored" {
	needs script
	start watch script -qfec 'rejoin-watch --settle 50ms inventory.json' log
	wait_for 'grep -q "monitoring 1 inventory, 2 data files; a scan every 60 s" log'
	plug a
	plug b 2.0
	wait_for 'grep -q "arrived *b " log'
	grep -qE '^TIME +EVENT +ID +VERSION +CAUSE' log
	grep -qE '^[0-9:]{8}  arrived    a +1.0 +tree:' log
	run --separate-stderr rejoin-watch --format=tsv inventory.json
	status_is 2
	err_has 'jsonl'
}
