# shellcheck shell=bash disable=SC2154	# start sets NAME_pid
# Shared by the files about tasks: load task, after load helper

# taskd [OPTION...] - a task agent of our own, until the end of the test
taskd() {
	start taskd rejoin-taskd --idle 0s "$@"
	wait_for '[ -S "$REJOIN_RUNTIME_DIR/taskd.sock" ] && rejoin-task list >/dev/null 2>&1'
}

# kill_taskd - as if it had crashed
kill_taskd() {
	kill -KILL "$taskd_pid"
	wait_for '! alive "$taskd_pid"'
}

# agent PATH [CURL-OPTION...] - ask the task agent
agent() {
	local path=$1
	shift
	curl -s --unix-socket "$REJOIN_RUNTIME_DIR/taskd.sock" "$@" "http://localhost$path"
}

# new_id - an id that rises
new_id() { date +%s%3N000; }

# the states of all tasks, a line each
states() { rejoin-task list --json | jq -r .state; }

# activated - the same, started by its socket as by systemd, and again when it was killed
activated() {
	start activator activator "$REJOIN_RUNTIME_DIR/taskd.sock" rejoin-taskd --idle 0s "$@"
	wait_for 'rejoin-task list >/dev/null 2>&1'
}
