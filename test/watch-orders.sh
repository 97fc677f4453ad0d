#!/bin/bash
# Every order of six events around the watcher, run for real.
#
#	watch-orders.sh rejoin|adu FIRST STEP [JOBS]
#
# The events: boot (all processes die, the runtime directory is empty), the agent
# starts, the watcher is killed, the watcher starts, the component departs, the
# component arrives.  Of the 720 orders those numbered FIRST, FIRST + STEP, ... are
# run.  Behind each order stands what a service manager does in any case: agent and
# watcher run, and the component is there.  In each the component must end at
# version 2.0, with at most two requests more than there were arrivals.
#
# "rejoin" is the reference agent.  "adu" is a double of the Azure agent: it reads
# frames from its pipe, evaluates at its start and after each frame, and reports
# nothing.  B, TOP and a PATH with the tools come from the caller.  Prints the
# orders that failed; the status says whether there were any.
set -u
kind=$1 first=$2 step=$3 jobs=${4:-6}
TOP=$(cd "$(dirname "$0")/.." && pwd)
: "${B:?}"
export TOP B kind

# A double of the Azure agent.
adu_double() {
	echo $BASHPID >pid
	evaluate
	exec 9<>"$PWD/fifo"
	while dd bs=64 count=1 status=none <&9 >last && [ -s last ]; do
		echo frame >>frames
		evaluate
	done
}

evaluate() {
	if grep -qs '"1.0"' dev/b/fw.json; then
		sleep 0.05	# an installation takes a while
		[ ! -d dev/b ] || { echo '{"version":"2.0"}' >dev/b/new && mv dev/b/new dev/b/fw.json; } 2>/dev/null
	fi
}

agent() {
	if [ "$kind" = adu ]; then
		setsid bash -c 'adu_double' >>agent.err 2>&1 </dev/null &
	else
		setsid rejoin-agent -v >>agent.err 2>&1 </dev/null &
	fi
	agent=$!
}

watcher() {
	setsid rejoin-watch -v -A "$profile" --settle 50ms --state w.json -- rejoin-retry -A "$profile" --queue \
		>>watch.err 2>&1 </dev/null &
	watch=$!
}

# What rejoin-retry@.path does.
drain() {
	while sleep 0.05; do
		[ ! -e "run/retry/$profile/pending" ] || rejoin-retry -A "$profile" --drain
	done >>drain.err 2>&1
}

# The group (one that has just been started may not have it yet), and wait until
# it is gone: what it held is free then.
stop() {
	[ -n "$1" ] || return 0
	kill -KILL -- "-$1" 2>/dev/null || kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

is_alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

arrive() {
	[ ! -e dev/b ] || return 0
	mkdir dev/new.b
	echo '{"version":"1.0"}' >dev/new.b/fw.json
	mv dev/new.b dev/b
	arrivals=$((arrivals + 1))
}

event() {
	case $1 in
	boot)
		stop "$agent"
		stop "$watch"
		kill "$drain"
		wait "$drain" 2>/dev/null
		find run -mindepth 1 -delete
		mkdir -p run/agent
		agent='' watch=''
		drain &
		drain=$!
		;;
	agent) stop "$agent"; agent ;;
	kill) stop "$watch"; watch='' ;;
	watch) is_alive "$watch" || watcher ;;
	# in one step, whatever the agent is writing in it
	depart) mv -T dev/b "gone.$RANDOM" 2>/dev/null ;;
	arrive) arrive ;;
	esac
}

# The N-th order, by the factorial number system.
order() {
	local n=$1 i f=120 left=(boot agent kill watch depart arrive)
	for i in 5 4 3 2 1 0; do
		local k=$((n / f))
		n=$((n % f))
		[ "$i" -eq 0 ] || f=$((f / i))
		echo "${left[k]}"
		left=("${left[@]:0:k}" "${left[@]:k+1}")
	done
}

prepare() {
	mkdir -p etc state run/agent dev up
	export REJOIN_CONFIG_DIR=$PWD/etc REJOIN_STATE_DIR=$PWD/state REJOIN_RUNTIME_DIR=$PWD/run
	cp -r "$TOP/packaging/agents.d" "$TOP/packaging/handlers.d" etc/
	printf '{"components":[{"id":"b","group":"cameras","properties":{"path":"%s/dev/b","firmwareDataFile":"fw.json"}}]}\n' \
		"$PWD" >etc/inventory.json
	profile=rejoin
	if [ "$kind" = adu ]; then
		profile=double
		mkfifo -m 660 fifo
		cat >etc/agents.d/double.conf <<-E
			[agent]
			description = a double of the Azure agent
			[retry]
			method = fifo
			path = $PWD/fifo
			frame = adu64
			command = retry-update
			debounce = 0s
			only-when-idle = no
			when-unknown = send
			[restart]
			method = exec
			argv = true
			pid-file = $PWD/pid
			[inventory]
			file = $PWD/etc/inventory.json
		E
		return
	fi
	# shellcheck source=/dev/null
	. "$TOP/test/goal.bash"
	echo '{"version":"2.0"}' >up/new.json
	goal_file up/new.json
	goal_manifest cameras '{"group":"cameras"}' '{"handler":"rejoin/copy:1","files":["f-new.json"],'"\
"'"handlerProperties":{"installedCriteria":"2.0","arguments":"--file new.json --to --component-prop-val path --as fw.json"}}' >up/cameras.json
	goal_file up/cameras.json
	goal_manifest device '{"model":"test"}' '{"type":"reference","detachedManifestFileId":"f-cameras.json"}' >up/manifest
	goal w1 up/manifest >etc/goal.json
	printf '[agent]\ngoal = file:%s/etc/goal.json\nallow-unsigned = yes\nhandler-user = %s\nscript-timeout = 10s\nbackoff = 200ms\nmax-attempts = 20\n' \
		"$PWD" "$(id -un)" >etc/agent.conf
}

frames() {
	if [ "$kind" = adu ]; then
		if [ -e frames ]; then grep -c frame frames; else echo 0; fi
	else
		sed -n 's/.*: \([0-9]*\) retry request.*/\1/p' agent.err | awk '{ n += $1 } END { print n + 0 }'
	fi
}

# one N - run the order N in a directory of its own; prints what went wrong
one() {
	local dir e tries=0 agent='' watch='' drain='' arrivals=0 profile
	dir=$(mktemp -d "${TMPDIR:-/tmp}/rejoin-order.XXXXXX")
	cd "$dir" || exit
	prepare
	drain &
	drain=$!
	arrive
	for e in $(order "$1"); do
		event "$e"
		sleep "0.$((RANDOM % 2))$((RANDOM % 10))"
	done
	is_alive "$agent" || agent
	is_alive "$watch" || watcher
	arrive
	until grep -qs '"2.0"' dev/b/fw.json || [ $((tries += 1)) -gt 250 ]; do sleep 0.1; done
	grep -qs '"2.0"' dev/b/fw.json || echo "$1: $(order "$1" | tr '\n' ' '): not patched: $(cat watch.err drain.err | tail -8)"
	# what is still under way comes
	sleep 0.5
	[ "$(frames)" -le $((arrivals + 2)) ] || echo "$1: $(order "$1" | tr '\n' ' '): $(frames) requests for $arrivals arrivals"
	stop "$agent"
	stop "$watch"
	kill "$drain"
	wait 2>/dev/null
	cd / && rm -rf "$dir"
}

export -f one order prepare event arrive is_alive stop drain watcher agent evaluate adu_double frames
bad=$(seq "$first" "$step" 719 | xargs -P "$jobs" -I '{}' bash -c 'one "$@"' - '{}')
[ -z "$bad" ] || { printf '%s\n' "$bad"; exit 1; }
