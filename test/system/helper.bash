# shellcheck shell=bash
# For the .bats files here: a machine of our own, booted once for each file,
# with the toolkit installed in it by make install.
load ../helper

setup_file() { boot; }

# boot - what setup_file does; a file with more to prepare calls it first
boot() {
	needs_root
	needs debootstrap systemd-nspawn nsenter
	local tree
	tree=$("$BATS_TEST_DIRNAME/tree.sh") || return
	export MACHINE=$BATS_FILE_TMPDIR/machine
	mkdir "$MACHINE"
	setsid "$BATS_TEST_DIRNAME/machine.sh" "$tree" "$MACHINE" $$ \
		>"$MACHINE/out" 2>&1 </dev/null 3>&- 4>&- &
	export MACHINE_PID=$!
	# the copy of the tree and make install take as long as the disk and the compiler let them: no part of the boot
	wait_for '[ -e "$MACHINE/installed" ] || ! kill -0 $MACHINE_PID 2>/dev/null' 600
	wait_for '[ -s "$MACHINE/leader" ] || ! kill -0 $MACHINE_PID 2>/dev/null' 60
	[ -s "$MACHINE/leader" ] || { cat "$MACHINE/out"; return 1; }
	wait_for 'up is-system-running | grep -qE "running|degraded"' 60 ||
		{ cat "$MACHINE/console"; return 1; }
	# as the machine sees it: its /run is mounted in there only
	MACHINE_ROOT=/proc/$(cat "$MACHINE/leader")/root
	export MACHINE_ROOT
	mkdir "$MACHINE_ROOT/test"
	cp "$TOP"/test/goal.bash "$BATS_TEST_DIRNAME"/device.bash "$MACHINE_ROOT/test/"
}

teardown_file() {
	[ -n "${MACHINE_PID-}" ] || return 0
	kill "$MACHINE_PID" 2>/dev/null || :
	wait_for '! kill -0 $MACHINE_PID 2>/dev/null' 60
}

setup() { cd "$BATS_TEST_TMPDIR" || return; }
teardown() {
	# what a failed test left to read
	[ -n "${BATS_TEST_COMPLETED-}" ] || in_machine journalctl -b --no-pager -o short-precise -n 60 -u 'rejoin*' -u try-watch || :
}

# rebooted LEADER - wait until the machine runs again with another init than that one
rebooted() {
	wait_for "[ \"\$(cat '$MACHINE/leader')\" != $1 ]" 60
	MACHINE_ROOT=/proc/$(cat "$MACHINE/leader")/root
	export MACHINE_ROOT
	wait_for 'up is-system-running 2>/dev/null | grep -qE "running|degraded"' 60
}

# in_machine CMD... - run it in there, as root, with an environment of its own
in_machine() {
	nsenter --target "$(cat "$MACHINE/leader")" --mount --uts --ipc --net --pid --cgroup --root --wd \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C TERM=dumb "$@" 3>&- 4>&-
}

# on_device TEXT - shell text run in there, by the words of device.bash
on_device() { in_machine bash -euc ". /test/device.bash; $1"; }

# status_of KEY - the agent's status file
status_of() { sed -n "s/^$1=//p" "$MACHINE_ROOT/run/rejoin/agent/status" 2>/dev/null; }

# up ARGS... - the systemctl of the machine
up() { in_machine systemctl "$@"; }

# journal UNIT - what it said
journal() { in_machine journalctl -b --no-pager -o cat -u "$1"; }

# type_transcript [SECONDS] - type the commands of standard input, which test/transcript.awk reads, in the machine
type_transcript() {
	awk -f "$TOP/test/transcript.awk" >"$MACHINE_ROOT/test/steps"
	cp "$TOP/test/transcript.bash" "$MACHINE_ROOT/test/"
	run in_machine timeout -k 1 "${1-120}" bash /test/transcript.bash /test/steps
	# shellcheck disable=SC2154	# set by run
	echo "$output"
	status_is 0
}
