# shellcheck disable=SC2154	# run sets status and stderr; start sets *_pid
load helper

# The profiles adu and adu-1.3 as they are, against doubles of the agents that they are for: a request is delivered
# when the agent can take it, or kept.  adu-double says what such an agent does with one that comes at another time.

# azure PROFILE OPTION... - its agent, of which the first is the evaluation at the start
azure() {
	local values=$1 name=${1%-rc} how
	shift
	sed -i "/^user =/d; /^group =/d; /^unit =/d; s,/var/lib/adu,$PWD,; s,^debounce = .*,debounce = 0ms,
		/^\[restart/,/^\[status/{/^\[status/!d}; /^\[log/,\$d" "$REJOIN_CONFIG_DIR/agents.d/$name.conf"
	case $values in
	adu) mkdir -p downloads; how="--sandbox $PWD/downloads" ;;
	*-rc)	# as the profile says
		sed -i '/^[a-z-]* = ^value/d; s/^# \([a-z-]* = ^value.*\)/\1/' "$REJOIN_CONFIG_DIR/agents.d/$name.conf"
		how="--rc --api $PWD/api/apireq.fifo" ;;
	*) how="--api $PWD/api/apireq.fifo" ;;
	esac
	mkdir -p api
	export REJOIN_AGENT=$name
	# shellcheck disable=SC2086	# several words
	start azure adu-double $how "$@" du-commands.fifo counts
}
counts() { [ "$(cat counts 2>/dev/null)" = "$1" ]; } # EVALUATIONS DROPPED BROKEN STATE
in_state() { grep -q " $1\$" counts 2>/dev/null; }

@test "a request during an evaluation is delivered after it, whatever the profile" {
	for p in adu adu-1.3 adu-1.3-rc; do
		azure $p --busy 800
		wait_for 'in_state installing'
		run --separate-stderr rejoin-status
		status_is 6
		run --separate-stderr rejoin-retry --reason plugged
		status_is 0
		wait_for 'counts "2 0 0 idle"'
		end_pids "$azure_pid"
		rm -r counts du-commands.fifo api
	done
}

@test "what the agent does with a request that comes too early is seen by the double" {
	azure adu-1.3 --start 1000 --busy 1 --pause 1000
	wait_for 'in_state initializing'
	rejoin-retry --force
	wait_for 'counts "0 1 0 initializing"'
	wait_for 'in_state paused'
	rejoin-retry --force
	wait_for 'counts "1 2 0 idle"'
	end_pids "$azure_pid"
	azure adu --busy 2000
	wait_for 'in_state installing'
	rejoin-retry --force
	wait_for 'counts "0 0 1 dead"'
}

@test "no request is dropped while the agent initializes, or in the pause after an evaluation" {
	local follow
	for p in adu-1.3 adu-1.3-rc; do
		azure $p --start 700 --busy 200 --pause 1200
		wait_for 'in_state initializing'
		run --separate-stderr rejoin-retry --reason early
		status_is 0
		wait_for 'in_state paused'
		# the values of 1.3.0-rc have none for a failure
		follow=--wait
		[ $p = adu-1.3 ] || follow=-v
		run --separate-stderr rejoin-retry --reason late $follow
		status_is 0
		# one after the start's, one after that
		wait_for 'counts "3 0 0 idle"'
		end_pids "$azure_pid"
		rm -r counts du-commands.fifo api
	done
}

@test "a burst in the pause is one evaluation more" {
	local i pids=()
	azure adu-1.3 --busy 100 --pause 2000
	wait_for 'in_state paused'
	for i in 1 2 3 4 5 6; do
		rejoin-retry --reason "camera $i" 3>&- 4>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	wait_for 'grep -q "^[23] .* idle$" counts'
	read -r evaluations dropped broken _ <counts
	[ "$evaluations" -le 3 ] && [ "$dropped $broken" = '0 0' ]
}

@test "a pause that is longer than the timeout is status 6, and the request is kept for the next delivery" {
	azure adu-1.3 --busy 100 --pause 3000
	wait_for 'in_state paused'
	run --separate-stderr rejoin-retry --timeout 200ms
	status_is 6
	err_has 'adu-1.3: is busy; the request is kept'
	counts '0 0 0 paused'
	rejoin-retry --drain
	wait_for 'counts "2 0 0 idle"'
	# nothing is left
	rejoin-retry --drain
	counts '2 0 0 idle'
}
