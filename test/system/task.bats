#!/usr/bin/env bats
# The task agent under its units: its socket starts it, and tasks do not depend on it.
load helper

states() { in_machine rejoin-task list --json | jq -r .state; }

@test "the socket starts the agent, and a restart of it ends no task" {
	up start rejoin-taskd.socket
	[ "$(up is-active rejoin-taskd.service || :)" = inactive ]
	run in_machine rejoin-task run -- sh -c 'echo hello; exit 3'
	[ "$status" -eq 3 ]
	out_is hello
	[ "$(up is-active rejoin-taskd.service)" = active ]
	run in_machine stat -c '%a %U:%G' /run/rejoin/taskd.sock
	out_is '660 root:rejoin'
	id=$(in_machine rejoin-task run --detach -- sh -c 'while [ ! -e /tmp/go ]; do sleep 0.1; done; echo went on; exit 4')
	wait_for '[ "$(states)" = running ]'
	up restart rejoin-taskd
	[ "$(states)" = running ]
	up kill -s KILL --kill-who=main rejoin-taskd
	wait_for '[ "$(states)" = running ]'
	# what sweeps /run takes the socket, and nothing of a task
	up stop rejoin-taskd.socket rejoin-taskd.service
	in_machine sh -c 'rm -rf /run/rejoin/taskd* && mkdir -p /run/rejoin'
	up start rejoin-taskd.socket
	[ "$(states)" = running ]
	touch "$MACHINE_ROOT/tmp/go"
	run in_machine rejoin-task attach "$id"
	[ "$status" -eq 4 ]
	out_is 'went on'
}

@test "a task has a cgroup of its own, and what it starts is ended with it" {
	id=$(in_machine rejoin-task run --detach -- sh -c 'setsid env -i sleep 7777 & sleep 7778')
	wait_for '[ "$(states)" = running ]'
	wait_for 'in_machine systemd-cgls --no-pager -u rejoin-taskd.service | grep -q "sleep 7777"'
	in_machine systemd-cgls --no-pager -u rejoin-taskd.service | grep -q "rejoin-$id"
	in_machine rejoin-task kill "$id"
	wait_for '[ "$(states)" = killed ]' 20
	run in_machine pgrep -f 'sleep 777[78]'
	out_is ''
	in_machine rejoin-task release --all
}

@test "the other tools know it by its profile" {
	in_machine rejoin-task run -- true
	run in_machine rejoin-status -A taskd
	status_is 0
	out_has running
	before=$(up show -P MainPID rejoin-taskd.service)
	run in_machine rejoin-restart -A taskd
	status_is 0
	[ "$(up show -P MainPID rejoin-taskd.service)" != "$before" ]
	run in_machine rejoin-log -A taskd
	status_is 0
	out_has '"event":"ended"'
}

@test "it exits when idle, and the next request finds everything" {
	mkdir -p "$MACHINE_ROOT/etc/rejoin"
	printf '[taskd]\nidle = 1s\n' >"$MACHINE_ROOT/etc/rejoin/taskd.conf"
	up restart rejoin-taskd
	id=$(in_machine rejoin-task run --detach -- sh -c 'sleep 4; exit 6')
	wait_for '[ "$(up is-active rejoin-taskd.service || :)" = inactive ]' 70
	run in_machine rejoin-task attach "$id"
	[ "$status" -eq 6 ]
}
