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

# open_to_others - let the user 65534 connect to the agent
open_to_others() {
	needs_root
	needs setpriv
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/.." "$BATS_TEST_TMPDIR/../.." 2>/dev/null || :
	chmod 755 "$REJOIN_RUNTIME_DIR" "$REJOIN_RUNTIME_DIR/.."
	chmod 666 "$REJOIN_RUNTIME_DIR/taskd.sock"
	other test -w "$REJOIN_RUNTIME_DIR/taskd.sock" || cannot 'the directory of the tests is not open to others'
}

# other COMMAND... - as another user; other_agent PATH [CURL-OPTION...] - as agent
other() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
other_agent() { other curl -s --unix-socket "$REJOIN_RUNTIME_DIR/taskd.sock" "${@:2}" "http://localhost$1"; }

# new_id - an id that rises
new_id() { date +%s%3N000; }

# the states of all tasks, a line each
states() { rejoin-task list --json | jq -r .state; }

# activated - the same, started by its socket as by systemd, and again when it was killed
activated() {
	start activator activator "$REJOIN_RUNTIME_DIR/taskd.sock" rejoin-taskd --idle 0s "$@"
	wait_for 'rejoin-task list >/dev/null 2>&1'
}

# sshd_on ADDRESS [NETNS] - an sshd of our own, and ssh(1) in PATH that trusts it; sets target
sshd_on() {
	local port=$((20000 + RANDOM % 20000)) user
	user=$(id -un)
	needs sshd ssh ssh-keygen
	mkdir -p /run/sshd 2>/dev/null || cannot 'no /run/sshd'
	export HOME=$PWD
	ssh-keygen -q -t ed25519 -N '' -f key
	ssh-keygen -q -t ed25519 -N '' -f host
	cp key.pub authorized
	cat >sshd.conf <<-X
		Port $port
		ListenAddress $1
		HostKey $PWD/host
		AuthorizedKeysFile $PWD/authorized
		StrictModes no
		UsePAM no
		PidFile none
		MaxStartups 100
		SetEnv PATH=$PATH REJOIN_RUNTIME_DIR=$REJOIN_RUNTIME_DIR
	X
	start sshd ${2:+ip netns exec "$2"} "$(command -v sshd)" -D -e -f "$PWD/sshd.conf"
	mkdir bin
	cat >bin/ssh <<-X
		#!/bin/sh
		exec $(command -v ssh) -F none -i $PWD/key -o UserKnownHostsFile=$PWD/known -o StrictHostKeyChecking=accept-new "\$@"
	X
	chmod +x bin/ssh
	PATH=$PWD/bin:$PATH
	wait_for 'grep -q "listening on" sshd.err'
	# shellcheck disable=SC2034	# for the test
	target=ssh://$user@$1:$port
}

# end_tasks - none outlives the test
end_tasks() {
	local r
	for r in "$REJOIN_STATE_DIR"/tasks/*/started; do
		[ ! -e "$r" ] || kill "$(jq .shim "$r")" 2>/dev/null || :
	done
}
