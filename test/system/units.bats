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

@test "watchers of two agents, one as another user: each keeps its own state, whichever starts" {
	in_machine sh -c 'sed s/^goal/#goal/ /usr/share/rejoin/agents.d/systemd.conf >/etc/rejoin/agents.d/two.conf'
	local w i owner
	for w in adu two; do
		mkdir -p "$MACHINE_ROOT/etc/systemd/system/rejoin-watch@$w.service.d"
		printf '[Service]\nEnvironment=REJOIN_CONFIG_DIR=/etc/rejoin\nExecStart=\nExecStart=/usr/bin/rejoin-watch %s\n' \
			'--state %S/rejoin/watch/%i/state.json /etc/rejoin/inventory.json' \
			>"$MACHINE_ROOT/etc/systemd/system/rejoin-watch@$w.service.d/own.conf"
	done
	printf '[Service]\nUser=adu\n' >"$MACHINE_ROOT/etc/systemd/system/rejoin-watch@adu.service.d/user.conf"
	up daemon-reload
	for i in 1 2; do
		for w in adu two; do
			up restart "rejoin-watch@$w"
			for owner in adu:adu two:root; do
				[ "$i$w" != 1adu ] || [ "$owner" = adu:adu ] || continue
				run in_machine stat -c '%U' /var/lib/rejoin /var/lib/rejoin/watch "/var/lib/rejoin/watch/${owner%:*}/state.json"
				out_is "root
root
${owner#*:}"
			done
		done
	done
	# its part of the state is the agent's, and no more
	run in_machine stat -c '%U' /var/lib/rejoin
	out_is root
	up stop rejoin-watch@adu rejoin-watch@two
}

@test "the agent as another user: what is not its own state stays root's" {
	mkdir -p "$MACHINE_ROOT/etc/systemd/system/rejoin-agent.service.d"
	printf '[Service]\nUser=adu\nRestart=no\n' >"$MACHINE_ROOT/etc/systemd/system/rejoin-agent.service.d/user.conf"
	up daemon-reload
	in_machine mkdir -p /var/lib/rejoin/restart
	up start rejoin-agent 2>/dev/null || :
	run in_machine stat -c '%U' /var/lib/rejoin /var/lib/rejoin/restart /var/lib/rejoin/agent
	out_is $'root\nroot\nadu'
	rm -r "$MACHINE_ROOT/etc/systemd/system/rejoin-agent.service.d"
	up daemon-reload
	up reset-failed rejoin-agent 2>/dev/null || :
	up restart rejoin-agent
	wait_for '[ "$(status_of state)" = idle ] || [ "$(status_of state)" = failed ]' 20
	up stop rejoin-agent
	run in_machine stat -c '%U' /var/lib/rejoin/agent
	out_is root
}

@test "a unit that stops takes no request with it: not of its agent, and of no other" {
	up start rejoin-agent rejoin-watch@adu
	wait_for '[ "$(status_of state)" = idle ] || [ "$(status_of state)" = failed ]' 20
	in_machine rejoin-retry -A adu --queue
	up stop rejoin-agent
	in_machine rejoin-retry -A rejoin --queue
	up stop rejoin-watch@adu
	run in_machine ls /run/rejoin/retry/adu/pending /run/rejoin/retry/rejoin/pending
	status_is 0
	in_machine rm /run/rejoin/retry/adu/pending /run/rejoin/retry/rejoin/pending
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

@test "a start limit that restarts by hand used up before a crash, whose result does not name it" {
	unit hand 'ExecStart=/bin/sleep 1000' '[Unit]' 'StartLimitBurst=2' 'StartLimitIntervalSec=600'
	up start hand
	up restart hand
	up kill -s KILL hand
	wait_for '[ "$(up show -P ActiveState hand)" = failed ]' 20
	[ "$(up show -P Result hand)" = signal ]
	run --separate-stderr in_machine rejoin-restart -A hand
	status_is 0
	up stop hand
}

@test "a start limit of an instance of a template whose starts time out" {
	unit late@ 'Type=notify' 'TimeoutStartSec=1' 'Restart=always' 'RestartSec=100ms' \
		'ExecStart=/bin/sh -c "[ ! -e /run/late ] || systemd-notify --ready; exec sleep 1000"' 'NotifyAccess=all' \
		'[Unit]' 'StartLimitBurst=2' 'StartLimitIntervalSec=600'
	sed -i 's/^unit = .*/unit = late@a.service/' "$MACHINE_ROOT/etc/rejoin/agents.d/late@.conf"
	mv "$MACHINE_ROOT/etc/rejoin/agents.d/late@.conf" "$MACHINE_ROOT/etc/rejoin/agents.d/late.conf"
	up start late@a || :
	wait_for '[ "$(up show -P ActiveState late@a)" = failed ]' 20
	touch "$MACHINE_ROOT/run/late"
	run --separate-stderr in_machine rejoin-restart -A late
	status_is 0
	up stop late@a
}

@test "a start limit that a unit has used up: what the doctor advises is not refused" {
	unit told 'ExecStart=/bin/sh -c "[ -e /run/told ] && exec sleep 1000; exit 1"' 'Restart=always' \
		'RestartSec=100ms' '[Unit]' 'StartLimitBurst=2' 'StartLimitIntervalSec=600'
	up start told || :
	wait_for '[ "$(up show -P ActiveState told)" = failed ]' 20
	touch "$MACHINE_ROOT/run/told"
	run in_machine rejoin-doctor -A told --format jsonl agent
	local advice
	advice=$(jq -r 'select(.state == "fail" and .advice) | .advice' <<<"$output" | grep -o 'systemctl reset-failed.*' | head -1)
	[ -n "$advice" ]
	# the commands of it, without the words between them
	advice=$(grep -oE '(systemctl (reset-failed|start)|rejoin-restart -A) [a-z.]+' <<<"$advice" | paste -sd'&' | sed 's/&/ \&\& /g')
	in_machine sh -c "$advice"
	[ "$(up is-active told)" = active ]
	up stop told
}

# asked_from_inside NAME BEFORE - its unit has another invocation than BEFORE, and the history has the request for that
asked_from_inside() {
	local before=$2
	wait_for '[ "$(up show -P InvocationID '"$1"')" != '"$before"' ]' 20
	[ "$(history "$1" '[.outcome,.reason,.before]' | head -1)" = '["asked","self","'"$before"'"]' ]
	run in_machine rejoin-status -A "$1" --json
	[ "$(jq -c '.restarts|map(.outcome)' <<<"$output")" = '["asked"]' ]
}

@test "an agent that asks for its restart in its ExecReload= is in the history" {
	unit reload2 'ExecStart=/bin/sleep 1000' 'ExecReload=/usr/bin/rejoin-restart -A reload2 --force --reason self'
	up start reload2
	local before
	before=$(up show -P InvocationID reload2)
	up reload --no-block reload2
	asked_from_inside reload2 "$before"
	run --separate-stderr in_machine rejoin-restart -A reload2
	status_is 0
	[ "$(history reload2 .outcome | paste -sd' ')" = '"asked" "unverified" "asked" "restarted"' ]
	up stop reload2
}

@test "an agent that asks for its restart by a command of its profile is in the history" {
	unit byexec 'ExecStart=/bin/sh -c "while sleep 0.3; do [ -e /run/byexec ] && { rm /run/byexec; rejoin-restart -A byexec --reason self; }; done"'
	sed -i 's/^method = systemd$/method = exec\nargv = systemctl restart byexec/; /^\[status\]/,/^\[/s/^method = exec/method = systemd/; /^\[status\]/,/^\[/{/^argv/d}' \
		"$MACHINE_ROOT/etc/rejoin/agents.d/byexec.conf"
	up start byexec
	local before
	before=$(in_machine rejoin-restart -A byexec --dry-run | sed -n 's/^incarnation\t//p')
	touch "$MACHINE_ROOT/run/byexec"
	wait_for '[ "$(history byexec .outcome | paste -sd" ")" = "\"asked\"" ]' 20
	wait_for '[ "$(in_machine rejoin-restart -A byexec --dry-run | sed -n "s/^incarnation\t//p")" != '"$before"' ]' 20
	[ "$(history byexec '[.outcome,.reason,.method,.before]')" = '["asked","self","exec","'"$before"'"]' ]
	run --separate-stderr in_machine rejoin-restart -A byexec
	status_is 0
	[ "$(history byexec .outcome | paste -sd' ')" = '"asked" "unverified" "asked" "restarted"' ]
	up stop byexec
}

@test "an agent that asks for its restart and does not come back is in the history as absent" {
	unit never 'ExecStart=/bin/sh -c "[ ! -e /run/never ] || exit 1; while sleep 0.3; do [ -e /run/doit ] && { mv /run/doit /run/never; rejoin-restart -A never --reason self; }; done"'
	up start never
	touch "$MACHINE_ROOT/run/doit"
	wait_for '[ "$(up show -P ActiveState never)" = failed ]' 20
	[ "$(history never '[.outcome,.reason]')" = '["asked","self"]' ]
	rm "$MACHINE_ROOT/run/never"
	run --separate-stderr in_machine rejoin-restart -A never --reason operator
	status_is 0
	[ "$(history never .outcome | paste -sd' ')" = '"asked" "absent" "asked" "started"' ]
	up stop never
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
