# Units of a real service manager: what it says, and what has become of them.
load helper

setup_file() {
	boot || return
	mkdir -p "$MACHINE_ROOT/etc/rejoin/agents.d"
}

# unit NAME LINE... - the service NAME of [Service] lines, and a profile of that name
unit() {
	local name=$1
	shift
	printf '%s\n' '[Unit]' 'StartLimitIntervalSec=0' '[Service]' "$@" \
		>"$MACHINE_ROOT/etc/systemd/system/$name.service"
	up daemon-reload
	profile "$name"
}

# profile NAME LINE... - with LINEs added to [restart]
profile() {
	local name=$1
	shift
	printf '%s\n' '[agent]' "unit = $name.service" '[status]' 'method = systemd' \
		'[restart]' 'method = systemd' 'ready = notify' 'stable = 1s' 'timeout = 20s' "$@" \
		>"$MACHINE_ROOT/etc/rejoin/agents.d/$name.conf"
}

restart() { run --separate-stderr in_machine rejoin-restart -A "$@"; }

# the last entry of NAME's history: NAME FILTER VALUE
entry() {
	local got
	got=$(tail -1 "$MACHINE_ROOT/var/lib/rejoin/restart/$1.jsonl" | jq -c "$2")
	[ "$got" = "$3" ] || { echo "$2 is $got, not $3"; return 1; }
}

invocation() { up show -P InvocationID "$1"; }

@test "a service that ends when it is told to" {
	unit plain 'ExecStart=/usr/bin/sleep infinity'
	up start plain
	local old
	old=$(invocation plain)
	restart plain --reason 'a new day'
	status_is 0
	err_has "restarted: $old -> $(invocation plain), ready after"
	[ "$old" != "$(invocation plain)" ]
	entry plain '[.method,.outcome,.reason,.before,.after]' \
		"[\"systemd\",\"restarted\",\"a new day\",\"$old\",\"$(invocation plain)\"]"
	run in_machine rejoin-status -A plain
	status_is 0
	[ "$(jq -c '[.state,.running,(.restarts|map(.reason))]' <<<"$output")" = '["idle",true,["a new day"]]' ]
}

@test "one that ignores SIGTERM is killed by the manager, in time or not" {
	unit deaf 'ExecStart=/bin/sh -c "trap : TERM; while :; do sleep 1; done"' 'TimeoutStopSec=2'
	up start deaf
	restart deaf
	status_is 0
	entry deaf .outcome '"restarted"'
	unit deaf 'ExecStart=/bin/sh -c "trap : TERM; while :; do sleep 1; done"' 'TimeoutStopSec=15'
	local old
	old=$(invocation deaf)
	restart deaf --timeout 2s
	status_is 4
	err_has 'deaf: timed out waiting for the restart: deactivating (stop-sigterm)'
	[ "$(invocation deaf)" = "$old" ]
	run in_machine rejoin-status -A deaf
	status_is 6
	[ "$(jq -r .state <<<"$output")" = stopping ]
	# its sleep may end just then
	run up kill -s KILL deaf
}

@test "one that crashes over and over is no success, nor is one that ends" {
	unit crash 'ExecStart=/bin/sh -c "sleep 0.3; exit 1"' 'Restart=always' 'RestartSec=100ms'
	restart crash --timeout 4s
	status_is 1
	[[ $stderr =~ 'crash: does not stay up: started '[0-9]+' times in' ]]
	entry crash '[.outcome,.status]' '["not-stable",1]'
	up stop crash
	# up for longer than it takes to look, and never long enough
	unit crash 'ExecStart=/bin/sh -c "sleep 2; exit 1"' 'Restart=always' 'RestartSec=100ms'
	profile crash 'stable = 5s'
	restart crash --timeout 6s
	status_is 1
	err_has 'does not stay up'
	up stop crash
	unit crash 'ExecStart=/bin/sh -c "exit 1"'
	restart crash
	status_is 1
	err_has 'crash: ended again: failed (failed), exit-code'
	run in_machine rejoin-status -A crash
	status_is 5
	[ "$(jq -r .state <<<"$output")" = failed ]
	unit crash 'Type=notify' 'ExecStart=/bin/false'
	restart crash
	status_is 1
	err_has 'crash.service: Job for crash.service failed'
	entry crash .outcome '"refused"'
}

@test "one that is slow to be ready: in time, too late, and with a sign of its own" {
	unit slow 'Type=notify' 'NotifyAccess=all' \
		'ExecStart=/bin/sh -c "sleep 2; systemd-notify --ready; exec sleep infinity"'
	up start slow
	restart slow
	status_is 0
	restart slow --timeout 1s
	status_is 4
	err_has 'slow: timed out waiting for it to be ready: incarnation'
	err_has 'activating (start)'
	entry slow '[.outcome,.status]' '["not-ready",4]'
	wait_for '[ "$(up is-active slow)" = active ]' 20
	unit slow 'ExecStart=/bin/sh -c "sleep 2; echo now I am up; exec sleep infinity"'
	profile slow 'ready = log:^now I am up$' '[log.x]' 'journal = slow.service'
	# the new unit begins with an invocation that says nothing yet
	restart slow --timeout 1s
	status_is 4
	wait_for 'journal slow | grep -q "now I am up"' 20
	restart slow
	status_is 0
	[ "$(journal slow | grep -c 'now I am up')" = 2 ]
}

@test "one that is masked, one that is not there, and one that is down" {
	unit hidden 'ExecStart=/usr/bin/sleep infinity'
	restart hidden --conditional
	status_is 5
	restart hidden
	status_is 0
	entry hidden '[.before,.outcome]' '[null,"started"]'
	restart hidden --conditional
	status_is 0
	entry hidden .outcome '"restarted"'
	up stop hidden
	rm "$MACHINE_ROOT/etc/systemd/system/hidden.service"
	up mask hidden
	restart hidden
	status_is 3
	err_has 'hidden.service: the unit is masked'
	up unmask hidden
	restart hidden
	status_is 3
	err_has 'hidden.service: no such unit (not-found)'
}

@test "a manager that says yes and restarts nothing" {
	unit same 'ExecStart=/usr/bin/sleep infinity'
	up start same
	mkdir -p "$MACHINE_ROOT/test/fake"
	printf '#!/bin/sh\ncase "$*" in *restart*) exit 0 ;; esac\nexec /usr/bin/systemctl "$@"\n' \
		>"$MACHINE_ROOT/test/fake/systemctl"
	chmod +x "$MACHINE_ROOT/test/fake/systemctl"
	run --separate-stderr in_machine env PATH=/test/fake:/usr/bin rejoin-restart -A same
	status_is 1
	err_has "same: did not restart: it is still incarnation $(invocation same)"
}

@test "by signals to a unit that its manager starts again" {
	unit again 'ExecStart=/usr/bin/sleep infinity' 'Restart=always' 'RestartSec=100ms'
	printf '%s\n' '[agent]' 'unit = again.service' '[restart]' 'method = signal' 'exe = /usr/bin/sleep' \
		'stable = 1s' >"$MACHINE_ROOT/etc/rejoin/agents.d/again.conf"
	up start again
	restart again
	status_is 0
	entry again '[.method,.outcome]' '["signal","restarted"]'
	entry again '.after|split("-")[1]' "\"$(up show -P MainPID again)\""
	[ "$(up show -P NRestarts again)" = 1 ]
	up stop again
}

@test "busy, and not allowed" {
	unit busy 'Type=notify' 'NotifyAccess=all' \
		'ExecStart=/bin/sh -c "systemd-notify --ready --status=installing; exec sleep infinity"'
	profile busy '[status]' 'busy = ^StatusText=installing'
	up start busy
	restart busy --timeout 500ms
	status_is 6
	restart busy --force
	status_is 0
	run --separate-stderr in_machine setpriv --reuid=65534 --regid=65534 --clear-groups \
		env XDG_RUNTIME_DIR=/tmp/nobody/run HOME=/tmp/nobody REJOIN_CONFIG_DIR=/etc/rejoin \
		REJOIN_STATE_DIR=/tmp/nobody/state REJOIN_RUNTIME_DIR=/tmp/nobody/run \
		rejoin-restart -A busy --force
	status_is 7
	up stop busy
}

@test "a hundred at once, and five under a limit of three" {
	unit many 'ExecStart=/usr/bin/sleep infinity'
	profile many 'limit = 3/10m' 'timeout = 60s'
	up start many
	run in_machine bash -c 'mkfifo /run/gate; exec 9<>/run/gate
		for i in $(seq 100); do (read -r _ <&9; exec rejoin-restart -A many 2>/dev/null 9>&-) & p="$p $!"; done
		printf "\n%.0s" {1..100} >&9
		for i in $p; do wait $i; echo $?; done >/run/statuses; sort /run/statuses | uniq -c'
	out_is '    100 0'
	# one was asked for, and one is known to have come about
	[ "$(jq -c .outcome "$MACHINE_ROOT/var/lib/rejoin/restart/many.jsonl" | sort | tr '\n' ' ')" = '"asked" "restarted" ' ]
	restart many
	status_is 0
	restart many
	status_is 0
	restart many
	status_is 6
	err_has 'its limit of 3 restarts in 10m is used up; again in 3m'
}

@test "our own agent" {
	on_device make_device
	up start rejoin-agent
	wait_for '[ -n "$(status_of state)" ]'
	sed 's/^stable = .*/stable = 1s/' "$TOP/packaging/agents.d/rejoin.conf" \
		>"$MACHINE_ROOT/etc/rejoin/agents.d/rejoin.conf"
	local old
	old=$(status_of incarnation)
	restart rejoin
	status_is 0
	[ "$(status_of incarnation)" != "$old" ]
	up stop rejoin-agent
}
