# The toolkit's units and tools with a real service manager: owners of files after a
# boot and a start, what the units forbid, and restarts that are hard to follow.
load helper

setup_file() {
	boot || return
	in_machine useradd --system --no-create-home --home-dir /nonexistent adu
	in_machine sh -c 'mkdir -p /etc/rejoin/agents.d && echo "{\"components\":[]}" >/etc/rejoin/inventory.json &&
		printf "[agent]\ngoal = file:/etc/rejoin/goal.json\nallow-unsigned = yes\nhandler-user = root\n" >/etc/rejoin/agent.conf'
}

# unit NAME LINE... - the service NAME of [Service] lines (and others), and a profile of that name
unit() {
	local name=$1
	shift
	printf '%s\n' '[Service]' "$@" >"$MACHINE_ROOT/etc/systemd/system/$name.service"
	up daemon-reload
	printf '%s\n' '[agent]' "unit = $name.service" '[status]' 'method = systemd' '[restart]' \
		'method = systemd' 'ready = none' 'stable = 1s' 'timeout = 20s' \
		>"$MACHINE_ROOT/etc/rejoin/agents.d/$name.conf"
}

history() { jq -c "$2" "$MACHINE_ROOT/var/lib/rejoin/restart/$1.jsonl"; }

@test "after a boot the agent's user can record a request, before root has done anything" {
	# what a boot does; the user is newer than this one
	in_machine systemd-tmpfiles --create --remove --boot || :
	run in_machine stat -c '%a %U:%G' /run/rejoin/retry/adu
	out_is '2770 root:adu'
	run in_machine setpriv --reuid=adu --regid=adu --init-groups rejoin-retry -A adu --queue --reason boot
	status_is 0
	[[ $(in_machine stat -c '%a %U:%G' /run/rejoin/retry/adu/pending) == '660 adu:adu' ]]
	in_machine rm /run/rejoin/retry/adu/pending
}

@test "no unit hands /run/rejoin to another user, whichever starts" {
	up restart rejoin-agent
	wait_for '[ "$(status_of state)" = idle ] || [ "$(status_of state)" = failed ]' 20
	run in_machine rejoin-retry -A rejoin
	status_is 0
	mkdir -p "$MACHINE_ROOT/etc/systemd/system/rejoin-watch@adu.service.d"
	printf '[Service]\nUser=adu\nEnvironment=REJOIN_CONFIG_DIR=/etc/rejoin\n' \
		>"$MACHINE_ROOT/etc/systemd/system/rejoin-watch@adu.service.d/user.conf"
	up daemon-reload
	up start rejoin-watch@adu
	local i
	for i in 1 2; do
		run in_machine stat -c '%U' /run/rejoin /run/rejoin/agent /run/rejoin/agent/lock /run/rejoin/agent/commands.fifo
		out_is $'root\nroot\nroot\nroot'
		run in_machine rejoin-retry -A rejoin
		status_is 0
		up restart rejoin-agent
		wait_for '[ "$(status_of state)" = idle ] || [ "$(status_of state)" = failed ]' 20
	done
	up stop rejoin-watch@adu rejoin-agent
}

@test "a program that the unit's sandbox forbids is named, and runs with the drop-in" {
	# what a just-in-time compiler does: memory that is written and executed (mmap)
	local nr=9
	[ "$(uname -m)" = x86_64 ] || nr=222
	printf '#!/usr/bin/perl\nexit(syscall(%s, 0, 4096, 7, 34, -1, 0) == -1 ? 1 : 0);\n' $nr >"$MACHINE_ROOT/usr/bin/java"
	chmod +x "$MACHINE_ROOT/usr/bin/java"
	printf '%s\n' '[retry]' 'method = exec' 'argv = /usr/bin/touch /run/delivered' 'debounce = 0ms' \
		'only-when-idle = yes' 'when-unknown = hold' '[status]' 'method = exec' 'argv = java -version' \
		'idle = ^status=0$' >"$MACHINE_ROOT/etc/rejoin/agents.d/gg.conf"
	run in_machine rejoin-retry -A gg
	status_is 0
	in_machine rm /run/delivered
	up start rejoin-retry@gg.path
	in_machine rejoin-retry -A gg --queue
	wait_for 'journal rejoin-retry@gg.service | grep -q "the state of gg is unknown"' 20
	[ ! -e "$MACHINE_ROOT/run/delivered" ]
	run in_machine rejoin-doctor -A gg --format jsonl hardening
	status_is 1
	out_has 'MemoryDenyWriteExecute forbids java'
	out_has 'systemctl edit rejoin-retry@gg.service'
	out_has 'MemoryDenyWriteExecute=no'
	mkdir -p "$MACHINE_ROOT/etc/systemd/system/rejoin-retry@gg.service.d"
	printf '[Service]\nMemoryDenyWriteExecute=no\n' >"$MACHINE_ROOT/etc/systemd/system/rejoin-retry@gg.service.d/jit.conf"
	up daemon-reload
	wait_for '[ -e "$MACHINE_ROOT/run/delivered" ]' 20
	run in_machine rejoin-doctor -A gg hardening
	status_is 0
	up stop rejoin-retry@gg.path
}

@test "a unit that has used up its start limit is restarted, once its cause is mended" {
	unit lim 'ExecStart=/bin/sh -c "[ -e /run/ok ] && exec sleep 1000; echo broken >&2; exit 1"' 'Restart=always' \
		'RestartSec=100ms' '[Unit]' 'StartLimitBurst=2' 'StartLimitIntervalSec=600'
	up start lim || :
	wait_for '[ "$(up show -P ActiveState lim)" = failed ]' 20
	run --separate-stderr in_machine rejoin-restart -A lim --timeout 3s
	[ "$status" -ne 0 ]
	err_has 'last message: broken'
	touch "$MACHINE_ROOT/run/ok"
	run --separate-stderr in_machine rejoin-restart -A lim
	status_is 0
	# restarts on request use it up as well
	local i
	for i in 1 2 3; do
		run --separate-stderr in_machine rejoin-restart -A lim
		status_is 0
	done
	# a unit that changed on disk
	printf '\n[Unit]\nDescription=changed\n' >>"$MACHINE_ROOT/etc/systemd/system/lim.service"
	run --separate-stderr in_machine rejoin-restart -A lim
	status_is 0
	err_has 'lim.service: its file changed on disk'
	up stop lim
}

@test "an agent that has itself restarted is in the history" {
	unit self 'ExecStart=/bin/sh -c "while sleep 0.3; do [ -e /run/doit ] && { rm /run/doit; rejoin-restart -A self --reason self; }; done"'
	up start self
	local before
	before=$(up show -P InvocationID self)
	touch "$MACHINE_ROOT/run/doit"
	wait_for '[ "$(up show -P InvocationID self)" != '"$before"' ]' 20
	[ "$(history self '[.outcome,.reason,.before]')" = '["asked","self","'"$before"'"]' ]
	run --separate-stderr in_machine rejoin-restart -A self --reason operator
	status_is 0
	[ "$(history self '[.outcome,.reason]')" = '["asked","self"]
["unverified","self"]
["asked","operator"]
["restarted","operator"]' ]
	up stop self
}

@test "a retry by signal finds the process of the unit, and no other" {
	printf '%s\n' '[Service]' 'ExecStart=/usr/bin/perl -e "$$SIG{HUP} = sub { open F, q(>>/run/hup); print F 1; close F }; sleep 1 while 1"' \
		>"$MACHINE_ROOT/etc/systemd/system/reload.service"
	up daemon-reload
	sed 's|^unit = .*|unit = reload.service|; s|^exe = .*|exe = /usr/bin/perl|' "$MACHINE_ROOT/usr/share/rejoin/agents.d/mosquitto.conf" \
		>"$MACHINE_ROOT/etc/rejoin/agents.d/reload.conf"
	run in_machine rejoin-retry -A reload --debounce 0s
	status_is 5
	up start reload
	in_machine rejoin-retry -A reload --debounce 0s
	wait_for '[ -s "$MACHINE_ROOT/run/hup" ]'
	sed -i 's|^exe = .*|exe = /usr/sbin/mosquitto|' "$MACHINE_ROOT/etc/rejoin/agents.d/reload.conf"
	run --separate-stderr in_machine rejoin-retry -A reload --debounce 0s
	status_is 7
	[ "$(cat "$MACHINE_ROOT/run/hup")" = 1 ]
	up stop reload
}
