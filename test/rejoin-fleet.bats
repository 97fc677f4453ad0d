#!/usr/bin/env bats
# Many devices asked in waves, as an operator sees it.
load helper
load task

# devices N - the names dev1 to devN, in the file devices
devices() { seq -f 'dev%g' 1 "$1" >devices; }

# device SCRIPT - a command that is given a device's name, and notes that it was asked
device() {
	cat >device <<-EOT
	#!/bin/sh
	echo "\$1" >>"$PWD/asked"
	$1
	EOT
	chmod +x device
}

# totals - how many outcomes of each kind there are in the file out
totals() { jq -r .outcome "${1-out}" | sort | uniq -c | awk '{ printf "%s%s %s", (NR > 1 ? " " : ""), $2, $1 }'; }

fleet() { rejoin-fleet --via "exec:$PWD/device \${device}" "$@" act <devices; }

@test "a wrong command line, and lists that are none" {
	devices 3
	device true
	for args in '' 'act' '--via exec:true act' '--via carrier:x act' '--via exec:${device}' \
		'--via exec:${device} --waves 10% act' '--via exec:${device} --waves 50%,10%,100% act' '--via exec:${device} --max-failed 5 act' \
		'--via exec:${device} -j 0 act' '--via exec:${device} --resume act' '--via exec:${device} --timeout 0s act' '--no-such'; do
		# shellcheck disable=SC2086
		run --separate-stderr rejoin-fleet $args <devices
		status_is 2 || { echo "$args"; false; }
	done
	run --separate-stderr rejoin-fleet --via 'exec:"${device}' act <devices
	status_is 2
	for wrong in '-oProxyCommand=x' 'a b' 'a;b' '$(x)' 'a/b' "$(head -c 300 /dev/zero | tr '\0' x)"; do
		run --separate-stderr rejoin-fleet --via 'exec:true ${device}' act <<<"$wrong"
		status_is 2
		err_has 'standard input:1: '
	done
	run --separate-stderr rejoin-fleet --via 'exec:true ${device}' act </dev/null
	status_is 2
	err_has 'no devices'
	[ ! -e asked ]
	# nothing is left of a run that did not begin
	[ -z "$(find "$PWD" -name '*.runs')" ]
}

@test "every device is asked once, in waves, and each outcome is a line" {
	device 'case $1 in dev7) echo "no room" >&2; exit 1;; dev8) exit 5;; dev9) exit 7;; esac; echo "{\"v\":1}"'
	devices 30
	{ echo '# a comment'; echo; echo ' dev3 '; } >>devices
	run --separate-stderr fleet --waves 2,10,100% --max-failed 50%
	status_is 1
	err_has 'wave 1 of 3 done: '
	err_has 'wave 2 of 3 done: '
	err_has '30 devices: 27 settled, 1 failed, 1 absent, 1 denied'
	printf '%s\n' "$output" >out
	run -0 totals
	out_is 'absent 1 denied 1 failed 1 settled 27'
	run -0 jq -c 'select(.device == "dev7") | [.outcome, .details]' out
	out_is '["failed","no room"]'
	run -0 jq -s 'map(.wave) | [., (sort)] | .[0] == .[1]' out
	out_is true
	run -0 jq -c -s 'map(select(.wave == 1)) | [length, .[0].response]' out
	[[ $output == '[2,'* ]]
	run -0 bash -c 'sort asked | uniq -c | awk "\$1 != 1"; wc -l <asked'
	out_is 30
	# nothing is left behind
	run -0 bash -c 'find "${TMPDIR:-/tmp}" -maxdepth 1 -name "rejoin-fleet.*" -user "$(id -un)" -newer devices'
	out_is ''
}

@test "too many failures halt it; it stays halted until it is resumed" {
	devices 100
	device '[ ! -e broken ] || exit 1'
	touch broken
	run --separate-stderr fleet --journal roll --max-failed 20% -j 1
	status_is 6
	err_has 'halted: too many devices failed'
	n=$(wc -l <asked)
	[ "$n" -ge 10 ] && [ "$n" -le 12 ]
	run --separate-stderr fleet --journal roll --max-failed 20% -j 1
	status_is 6
	err_has '--resume'
	[ "$(wc -l <asked)" -eq "$n" ]
	rm broken
	run --separate-stderr fleet --journal roll --max-failed 20% -j 1 --resume
	status_is 1
	printf '%s\n' "$output" >out
	run -0 totals
	out_is "settled $((100 - n))"
	run -0 bash -c 'sort asked | uniq -d; wc -l <asked'
	out_is 100
	# all is done: nothing is asked any more, and the status is that of all outcomes
	run --separate-stderr fleet --journal roll
	status_is 1
	out_is ''
	# fewer than min-executed halt nothing
	rm -f asked roll
	touch broken
	run --separate-stderr fleet --min-executed 200
	status_is 1
	[ "$(wc -l <asked)" -eq 100 ]
}

@test "a journal belongs to one rollout and to one run" {
	devices 4
	device true
	run -0 --separate-stderr fleet --journal roll
	for change in 'other action' 'other devices' 'other waves' 'other command'; do
		cp devices list
		action=act waves=1%,10%,100% via="exec:$PWD/device \${device}"
		case $change in
		*action) action=other ;;
		*devices) echo dev9 >>list ;;
		*waves) waves=100% ;;
		*command) via="exec:$PWD/device -x \${device}" ;;
		esac
		run --separate-stderr rejoin-fleet --journal roll --waves "$waves" --via "$via" "$action" <list
		status_is 2
		err_has 'is the journal of another rollout'
	done
	# the same devices in another order are the same
	sort -r devices >list
	run -0 --separate-stderr rejoin-fleet --journal roll --via "exec:$PWD/device \${device}" act <list
	echo 'something else' >text
	run --separate-stderr fleet --journal text
	status_is 2
	[ "$(<text)" = 'something else' ]
	run --separate-stderr fleet --journal /proc/self/status
	[ "$status" -ne 0 ]
	run --separate-stderr fleet --journal no/such
	status_is 3
	device "until [ -e $PWD/gate ]; do sleep 0.02; done"
	start other bash -c "rejoin-fleet --journal second --via 'exec:$PWD/device \${device}' act <devices"
	wait_for '[ -s second ] && [ "$(wc -l <asked)" -ge 5 ]'
	run --separate-stderr fleet --journal second
	status_is 6
	err_has 'in use by another rejoin-fleet'
	touch gate
	wait_for '! alive "$other_pid"'
	wait "$other_pid"
}

@test "a dry run prints the plan, and asks no device" {
	devices 20
	device true
	run -0 --separate-stderr fleet --dry-run --waves 1,5,100% --journal roll
	[ ! -e asked ] && [ ! -e roll ]
	run -0 jq -c -s 'group_by(.wave) | map(length)' <<<"$output"
	out_is '[1,4,15]'
	# with a journal: in its order
	run -0 --separate-stderr fleet --journal roll --waves 1,5,100% -j 1
	jq -r .device <<<"$output" >order
	run -0 --separate-stderr fleet --dry-run --journal roll --waves 1,5,100%
	diff order <(jq -r .device <<<"$output")
}

@test "a busy device is asked again, and a deadline makes it unknown" {
	devices 2
	# the first answer of each is busy
	device 'mkdir "$PWD/was.$1" 2>/dev/null && exit 6; [ "$1" != dev2 ] || exec sleep 600'

	run --separate-stderr fleet --timeout 3s -v --waves 100%
	status_is 4
	err_has 'dev1: busy: it is asked again'
	printf '%s\n' "$output" >out
	run -0 totals
	out_is 'settled 1 unknown 1'
	run -0 grep -c dev1 asked
	out_is 2
}

@test "killed at any point and continued: no device is asked twice, none is forgotten" {
	n=60 kills=12
	[ -z "${SOAK-}" ] || n=2000 kills=200
	devices "$n"
	device 'case $1 in *3) exit 1;; esac'
	export PWD
	command="exec rejoin-fleet --max-failed 100% --journal roll --via 'exec:$PWD/device \${device}' act <devices >>out"
	for ((i = 1; i <= kills; i++)); do
		start fleet bash -c "$command"
		# at another moment each time: after so many outcomes, or a moment later
		want=$((i * n / (kills + 4)))
		wait_for "[ -e asked ] && [ \$(wc -l <asked) -ge $want ] || ! alive $fleet_pid" 60
		kill -KILL "$fleet_pid" 2>/dev/null || :
		wait "$fleet_pid" 2>/dev/null || :
	done
	run --separate-stderr bash -c "$command"
	status_is 1
	run -0 bash -c "sort asked | uniq -d"
	out_is ''
	run -0 bash -c 'sort asked | diff - <(sort devices)'
	# each has one outcome, and it is the true one
	run -0 bash -c "jq -r 'select(.outcome) | .device' roll | sort | diff - <(sort devices)"
	run -0 bash -c "jq -r 'select(.outcome and (.outcome == \"failed\") != (.device | endswith(\"3\"))) | .device' roll"
	out_is ''
	[ ! -e roll.runs ]
}

# bats test_tags=plain
@test "killed at each system call: no device is asked twice, none is forgotten" {
	needs_strace
	devices 3
	device true
	command="exec rejoin-fleet -q --waves 100% --journal roll --via 'exec:$PWD/device \${device}' act <devices >out"
	calls='write mkdir fsync fdatasync unlinkat rename openat clone3,clone,vfork'
	[ -n "${SOAK-}" ] || calls='write mkdir fsync,fdatasync unlinkat clone3,clone,vfork'
	for call in $calls; do
		for ((at = 1; at < 60; at++)); do
			rm -rf roll roll.runs asked
			status=0
			strace -o /dev/null -e trace="$call" -e "inject=$call:signal=KILL:when=$at" bash -c "$command" 2>/dev/null || status=$?
			run --separate-stderr bash -c "$command"
			status_is 0 || { echo "$call $at"; false; }
			diff <(sort asked) devices || { echo "$call $at"; cat roll; false; }
			diff <(jq -r 'select(.outcome == "settled") | .device' roll | sort) devices || { echo "$call $at"; cat roll; false; }
			[ "$status" -ge 128 ] || break
		done
	done
}

@test "interrupted: the devices that were asked are waited for" {
	devices 50
	device "until [ -e $PWD/gate ]; do sleep 0.02; done"
	start fleet bash -c "exec rejoin-fleet -j 3 --waves 100% --journal roll --via 'exec:$PWD/device \${device}' act <devices"
	wait_for '[ -e asked ] && [ "$(wc -l <asked)" -eq 3 ]'
	kill -INT "$fleet_pid"
	wait_for 'grep -q "waiting for 3 outcomes" fleet.err'
	touch gate
	wait_for '! alive "$fleet_pid"'
	run wait "$fleet_pid"
	status_is 4
	run -0 totals fleet.out
	out_is 'settled 3'
	device true
	run -0 --separate-stderr fleet --waves 100% --journal roll
	run -0 bash -c 'sort asked | uniq -d; wc -l <asked'
	out_is 50
}

@test "a journal that may not be written: status 7" {
	needs_root
	needs setpriv
	devices 2
	touch roll
	chmod 600 roll
	chmod o+x .. ../.. 2>/dev/null || :
	run --separate-stderr setpriv --reuid 65534 --regid 65534 --clear-groups "$B/bin/rejoin-fleet" --journal "$PWD/roll" --via 'exec:true ${device}' act <devices
	status_is 7
	err_has 'Permission denied'
}

@test "a full disk: nothing is asked that could not be recorded, and status 3" {
	needs_mounts
	devices 400
	device true
	mkdir small
	own-mounts sh -c '
		mount -t tmpfs -o size=64k tmpfs small
		rejoin-fleet --waves 100% --journal small/roll --via "exec:$PWD/device \${device}" act <devices >out 2>err
		echo $? >status
		grep -c "\"asked\"" small/roll >recorded'
	[ "$(<status)" -eq 3 ] || { cat err status; false; }
	grep -q 'No space left' err
	[ "$(wc -l <asked)" -le "$(<recorded)" ]
	[ "$(wc -l <asked)" -lt 400 ]
	run --separate-stderr bash -c "rejoin-fleet --via 'exec:$PWD/device \${device}' act <devices >/dev/full"
	status_is 3
}

@test "hosts over ssh: each is asked once, and its exit status is the outcome" {
	local n=6
	[ -z "${SOAK-}" ] || n=200
	sshd_on 127.0.0.1
	printf '#!/bin/sh\necho "$1" >>%s/asked\n[ "$1" != h3 ]\n' "$PWD" >ask
	chmod +x ask
	seq -f h%g "$n" >hosts
	run --separate-stderr rejoin-fleet --via "exec:ssh -p ${target##*:} $(id -un)@127.0.0.1 $PWD/ask \${device}" --timeout 120s \
		--max-failed 50% --journal roll.jsonl now <hosts
	status_is 1
	[ "$(jq -r '"\(.outcome)"' <<<"$output" | sort | uniq -c | xargs)" = "1 failed $((n - 1)) settled" ] || { printf '%s\n' "$output" "$stderr"; false; }
	[ "$(jq -r 'select(.outcome == "failed") | .device' <<<"$output")" = h3 ]
	cmp <(sort asked) <(sort hosts)
	# a host that does not answer is unknown, or absent: ssh(1) says 255
	kill "$sshd_pid"
	wait_for '! alive "$sshd_pid"'
	run --separate-stderr rejoin-fleet --via "exec:ssh -p ${target##*:} $(id -un)@127.0.0.1 $PWD/ask \${device}" now <<<h1
	[ "$status" -ne 0 ]
	run -1 grep -q settled <<<"$output"
	[ "$(wc -l <asked)" -eq "$n" ]
}
