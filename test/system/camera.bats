# The main job by the units alone.  These tests are one story: each goes on
# where the one before it ended.
load helper

# how long the agent stays down while a request waits for it
: "${DOWN_S:=60}"

setup_file() {
	boot || return
	on_device 'make_device; deploy first 2.0'
}

rear() { jq -r .version "$MACHINE_ROOT/srv/device/rear/fw.json" 2>/dev/null; }
seen() { jq -r ".components.$1.state" "$MACHINE_ROOT/var/lib/rejoin/watch/rejoin/state.json"; }

@test "the units start, and the camera that is away is waited for" {
	up enable --now rejoin-agent.service rejoin-watch@rejoin.service rejoin-retry@rejoin.path
	# the watcher offers at its start what is there, so there may be a second cycle
	wait_for '[ "$(status_of settled_cycle)" -ge 1 ] && [ "$(status_of state)" = idle ]' 20
	[ "$(status_of waiting)" = 1 ]
	[ "$(on_device 'version front')" = 2.0 ]
	run in_machine rejoin-status --json
	status_is 0
	[ "$(jq -r '.waiting[].id' <<<"$output")" = rear ]
}

@test "the camera is plugged in, and patched by the units alone" {
	# the watcher has offered what was here when it started
	wait_for '[ "$(status_of retries)" = 1 ]' 20
	wait_for '[ "$(status_of settled_cycle)" = 2 ]' 20
	on_device 'plug rear 1.0'
	wait_for '[ "$(rear)" = 2.0 ]' 20
	wait_for '[ "$(status_of waiting)" = 0 ]'
	[ "$(status_of retries)" = 2 ]
	[ "$(status_of settled_cycle)" = 3 ]
}

@test "arrivals while no watcher ran are reported at start" {
	on_device 'unplug rear'
	# seen to be gone by one that watches: the unit keeps that
	wait_for '[ "$(seen rear)" != online ]' 20
	up stop rejoin-watch@rejoin.service
	on_device 'plug rear 1.0'
	up start rejoin-watch@rejoin.service
	wait_for '[ "$(rear)" = 2.0 ]' 20
}

@test "a request made while the agent is down for $DOWN_S s is delivered when it starts" {
	up stop rejoin-agent.service
	[ "$(status_of state)" = stopped ]
	in_machine rejoin-retry -A rejoin --queue --reason=system-test
	local since=$SECONDS
	wait_for 'journal rejoin-retry@rejoin.service | grep -q "rejoin-retry"' 20
	# it is tried all the time, and neither unit gives up
	wait_for '[ $((SECONDS - since)) -ge '"$DOWN_S ]" $((DOWN_S + 5))
	[ -e "$MACHINE_ROOT/run/rejoin/retry/rejoin/pending" ]
	run up is-failed rejoin-retry@rejoin.path
	out_is active
	run up show -P NRestarts rejoin-retry@rejoin.service
	[ "$output" -ge $((DOWN_S / 5 / 2)) ]
	up start rejoin-agent.service
	wait_for '[ ! -e "$MACHINE_ROOT/run/rejoin/retry/rejoin/pending" ]' 20
	wait_for '[ "$(status_of retries)" = 1 ]'
	wait_for '[ "$(status_of settled)" = 1 ]' 20
	run up is-failed rejoin-retry@rejoin.service
	[ "$output" != failed ]
}

@test "the agent stops in order, within its time" {
	local begun=$SECONDS
	up stop rejoin-agent.service
	[ $((SECONDS - begun)) -le 15 ]
	[ "$(status_of state)" = stopped ]
	run up show -P Result rejoin-agent.service
	out_is success
}
