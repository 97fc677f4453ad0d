# rejoin-doctor as its users see it, on things that are really broken.
load helper

setup() {
	begin
	cp -r "$TOP/packaging/formats.d" "$TOP/packaging/codes.d" "$REJOIN_CONFIG_DIR/"
}

teardown() {
	[ -z "${public-}" ] || rm -rf "$public"
	end
}

# profile [SETTING...] - agents.d/t.conf with the pipe here, and more of [retry] and beyond
profile() {
	{
		printf '[retry]\nmethod = fifo\npath = %s/pipe\n' "$PWD"
		printf 'frame = adu64\ncommand = retry-update\ndebounce = 0ms\n'
		printf '%s\n' "$@"
	} >"$REJOIN_CONFIG_DIR/agents.d/t.conf"
	marks=$REJOIN_RUNTIME_DIR/retry/t
}

# owned - the same for an agent of user and group daemon
owned() { profile '[agent]' 'user = daemon' 'group = daemon'; }

doctor() { run --separate-stderr rejoin-doctor -A t "$@"; }
check() {
	doctor --format jsonl "$@"
	advised
}

# advised - each failure names the next step
advised() {
	jq -se 'all(.[]; .state != "fail" or (.advice // "" | length > 0))' <<<"$output" >/dev/null ||
		{ printf 'a failure without advice:\n%s\n' "$output"; return 1; }
}

# found STATE OBJECT TEXT - there is a finding of STATE about OBJECT that says TEXT
found() {
	jq -se --arg s "$1" --arg o "$2" --arg t "$3" 'any(.[]; .state == $s and .object == $o and
		((.what + " " + (.repair // "")) | contains($t)))' <<<"$output" >/dev/null && return
	printf 'no finding: %s %s %s\nof:\n%s\n' "$1" "$2" "$3" "$output"
	return 1
}

# says_what_to_do TEXT - in an advice
says_what_to_do() {
	jq -se --arg t "$1" 'any(.[]; .advice // "" | contains($t))' <<<"$output" >/dev/null && return
	printf 'no advice: %s\nof:\n%s\n' "$1" "$output"
	return 1
}

@test "all is well with a running agent" {
	start double agent-double "$PWD/agent"
	wait_for 'grep -q ready double.out'
	profile "path = $PWD/agent/commands.fifo" '[status]' 'method = file' "path = $PWD/agent/status"
	doctor agent fifo groups marks inventory
	status_is 0
	found ok t 'is running since'
	found ok t 'incarnation'
	found ok "$PWD/agent/commands.fifo" "read by process $double_pid (agent-double)"
	found ok "$marks" 'no request was ever recorded'
	[ -z "$stderr" ]
	# and it has noticed nothing
	[ "$(cat agent/frames 2>/dev/null || echo 0)" -eq 0 ]
}

@test "an agent that is gone: not running, no reader, and its pending request stays" {
	start double agent-double "$PWD/agent"
	wait_for 'grep -q ready double.out'
	profile "path = $PWD/agent/commands.fifo" '[status]' 'method = file' "path = $PWD/agent/status"
	kill -KILL "$double_pid"
	wait_for '! alive $double_pid'
	run rejoin-retry -A t --queue
	touch -d '5 minutes ago' "$marks/pending"
	# by a probe, as only root sees all processes
	doctor --probe agent fifo marks
	status_is 1
	found fail t 'is not running'
	found fail "$PWD/agent/commands.fifo" 'has no reader'
	found warn "$marks/pending" 'and not delivered'
	says_what_to_do 'rejoin-retry -A t --drain'
}

@test "a reader that waits in open(2), as the Azure agent does, is seen and not woken" {
	needs_root
	profile
	mkfifo pipe
	start reader cat pipe
	wait_for 'rejoin-doctor -A t fifo | grep -q "as soon as there is a writer"'
	doctor fifo
	status_is 0
	found warn "$PWD/pipe" 'every user may read it, and so steal requests'
	found ok "$PWD/pipe" "as soon as there is a writer, by process $reader_pid (cat)"
	alive "$reader_pid"
	# a probe is an end of file for it
	doctor --probe fifo
	status_is 0
	found ok "$PWD/pipe" 'opened for a request, and nothing written'
	wait_for "! alive $reader_pid"
	for how in '' --probe; do
		doctor $how fifo
		status_is 1
		found fail "$PWD/pipe" 'has no reader'
	done
}

@test "mode 0640: its group cannot ask; --fix gives it 0660" {
	needs_root
	owned
	mkfifo -m 0640 pipe
	chown daemon:daemon pipe
	exec 7<>pipe
	doctor fifo
	status_is 0
	found warn "$PWD/pipe" 'mode 0640: only daemon and root can write to it, the group daemon cannot'
	says_what_to_do 'UMask=0007'
	[ "$(stat -c %a pipe)" = 640 ]
	doctor --fix fifo
	status_is 0
	found ok "$PWD/pipe" 'set its mode to 0660'
	[ "$(stat -c '%a %U %G' pipe)" = '660 daemon daemon' ]
	doctor fifo
	found ok "$PWD/pipe" 'mode 0660 and owner are correct'
	exec 7<&-
}

@test "that mode is a failure for a caller it denies, and groups says why" {
	needs_root
	needs setpriv
	local as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
	public=$(mktemp -d /tmp/rejoin-public.XXXXXX)
	chmod 755 "$public"
	owned
	sed -i "s|^path = .*|path = $public/pipe|" "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	cp -r "$B/bin/rejoin-doctor" "$REJOIN_CONFIG_DIR" "$public"
	mkfifo -m 0640 "$public/pipe"
	chown daemon:daemon "$public/pipe"
	local doctor=(env REJOIN_CONFIG_DIR="$public/etc" REJOIN_RUNTIME_DIR="$public/run" "$public/rejoin-doctor" -A t)
	run --separate-stderr "${as[@]}" "${doctor[@]}" fifo groups
	status_is 1
	found fail "$public/pipe" 'mode 0640'
	found fail nobody 'is not a member of the group daemon'
	says_what_to_do 'usermod -aG daemon nobody'
	found warn "$public/pipe" "processes cannot be inspected"
	# it cannot repair what is not its own, and says so
	run --separate-stderr "${as[@]}" "${doctor[@]}" --fix fifo
	status_is 1
	found fail "$public/pipe" 'not repaired'
	[ "$(stat -c %a "$public/pipe")" = 640 ]
	run --separate-stderr setpriv --reuid=nobody --regid=daemon --clear-groups "${doctor[@]}" groups
	status_is 1
	found fail nobody 'permission denied: mode 0640, owner daemon, group daemon'
	chmod 660 "$public/pipe"
	run --separate-stderr setpriv --reuid=nobody --regid=daemon --clear-groups "${doctor[@]}" groups
	status_is 0
	found ok nobody 'may write to'
	# another's lock and marks
	run --separate-stderr "${as[@]}" "${doctor[@]}" marks
	status_is 0
}

@test "the wrong group and owner, others' bits, and what is no pipe" {
	needs_root
	owned
	mkfifo -m 0660 pipe
	chown daemon:bin pipe
	exec 7<>pipe
	doctor fifo
	status_is 1
	found fail "$PWD/pipe" 'has the group bin, not daemon'
	doctor --fix fifo
	status_is 0
	found ok "$PWD/pipe" 'set its group to daemon'
	[ "$(stat -c '%a %U %G' pipe)" = '660 daemon daemon' ]
	chmod 666 pipe
	doctor --fix fifo
	status_is 0
	found ok "$PWD/pipe" 'set its mode to 0660'
	exec 7<&-
	# an owner is never changed: the agent may be another one
	chown bin pipe
	doctor --fix fifo
	status_is 1
	found fail "$PWD/pipe" 'is owned by bin, not by daemon'
	[ "$(stat -c %U pipe)" = bin ]
	rm pipe
	ln -s /etc/passwd pipe
	doctor --fix fifo
	status_is 1
	found fail "$PWD/pipe" 'is a symbolic link, not a FIFO'
	rm pipe
	: >pipe
	doctor --fix fifo
	status_is 1
	found fail "$PWD/pipe" 'is a regular file, not a FIFO'
	rm pipe
	doctor fifo
	status_is 1
	found fail "$PWD/pipe" 'no such file'
}

@test "two readers each get a part; a directory open to all gives the pipe away" {
	profile
	mkdir -m 0777 open
	mkfifo -m 0660 open/pipe
	profile "path = $PWD/open/pipe"
	# each of them waits for a writer
	start first cat open/pipe
	start second cat open/pipe
	wait_for "rejoin-doctor -A t fifo | grep -q '2 processes'"
	doctor fifo
	status_is 1
	found warn "$PWD/open/pipe" '2 processes read it'
	found fail "$PWD/open" 'every user may replace the pipe'
}

@test "marks: a request of a deliverer that died is made pending again" {
	profile
	rejoin-retry -A t --queue
	mv "$marks/pending" "$marks/sending"
	doctor marks
	status_is 0
	found warn "$marks/sending" 'the process that delivered it exited'
	doctor --fix marks
	status_is 0
	found ok "$marks/sending" 'made it pending again'
	[ -e "$marks/pending" ] && [ ! -e "$marks/sending" ]
}

@test "marks: the process that delivers is named" {
	profile
	mkfifo pipe
	start hold adu-reader --hold pipe counts
	wait_for '[ -e counts ]'
	start retry rejoin-retry -A t --timeout 60s
	wait_for "[ -e '$marks/sending' ]"
	doctor --fix marks
	status_is 0
	found ok "$marks/lock" "locked by process $retry_pid (rejoin-retry), which delivers"
	found ok "$marks/sending" 'being delivered for'
	[ -e "$marks/sending" ]
}

@test "marks: a directory that others can write to, or that the group cannot" {
	needs_root
	owned
	mkdir -p "$marks"
	chmod 0777 "$marks"
	doctor --fix marks
	status_is 1
	found fail "$marks" 'others may write in it (mode 0777'
	[ "$(stat -c %a "$marks")" = 777 ]
	chmod 0755 "$marks"
	doctor marks
	status_is 0
	found warn "$marks" 'the group daemon cannot record requests in it'
	doctor --fix marks
	found ok "$marks" 'set its group to daemon, set its mode to 2770'
	[ "$(stat -c '%a %G' "$marks")" = '2770 daemon' ]
	ln -s /etc/passwd "$marks/pending"
	doctor marks
	status_is 1
	found fail "$marks/pending" 'is not a request that rejoin-retry recorded'
}

@test "inventory: what is wrong in it, doubled ids, probes that are not there" {
	profile '[inventory]' "file = $PWD/inv.json"
	doctor inventory
	status_is 0
	found warn "$PWD/inv.json" 'no such file'
	echo '{"components":[{"id":"a"},{"id":"b"},{"id":"a"}]}' >inv.json
	doctor inventory
	status_is 1
	found fail "$PWD/inv.json" "components[0] and components[2] have the same id, 'a'"
	says_what_to_do 'another id'
	echo '{"components":[{"id":7}]}' >inv.json
	doctor inventory
	status_is 1
	found fail "$PWD/inv.json" 'components[0]'
	echo '{"components":[{"id":"a","probe":["/no/such/probe"]},{"id":"b","probe":["true"]}]}' >inv.json
	doctor inventory
	status_is 1
	found fail "$PWD/inv.json: components[0] ('a')" '/no/such/probe: no such program'
	echo '{"components":[{"id":"a"},{"id":"b"}]}' >inv.json
	doctor inventory
	status_is 0
	found ok "$PWD/inv.json" '2 components'
}

@test "inventory: with probes it is not used from a directory that others can write to" {
	mkdir -m 0777 open
	profile '[inventory]' "file = $PWD/open/inv.json"
	echo '{"components":[{"id":"a","probe":["true"]}]}' >open/inv.json
	doctor --fix inventory
	status_is 1
	found fail "$PWD/open/inv.json" 'writable by others (mode 0777)'
	says_what_to_do 'check its content'
	# what others could have written is not made trustworthy by a chmod
	[ "$(stat -c %a open)" = 777 ]
}

@test "profile: users, units, programs, formats that are not there" {
	profile '[agent]' 'user = no-such-user' 'group = no-such-group' 'unit = no-such.service' \
		'[retry]' 'method = exec' 'argv = /no/such/program --now' \
		'[log.a]' "path = $PWD/*.log" 'format = no-such-format' '[log.b]' 'format = syslog'
	doctor profile
	status_is 1
	local file=$REJOIN_CONFIG_DIR/agents.d/t.conf
	found fail "$file" "no such user: 'no-such-user'"
	found fail "$file" "no such group: 'no-such-group'"
	jq -se 'any(.[]; .object | endswith("[agent] unit"))' <<<"$output" >/dev/null
	found fail "$file: [retry] argv" '/no/such/program: no such program'
	found fail "$file: [log.a]" "no such log format: 'no-such-format'"
	found warn "$file: [log.a]" 'no readable file matches'
	found fail "$file: [log.b]" 'neither a path nor a journal'
	profile '[log.c]' 'path = impcentral:0123456789abcdef'
	doctor profile
	[[ $output != *log.c* ]]
}

@test "profile: one that is wrong or not trusted is a finding, one that is not there a mistake" {
	printf '[retry]\nmethodd = fifo\n' >"$REJOIN_CONFIG_DIR/agents.d/t.conf"
	doctor
	status_is 1
	found fail t "t.conf:2: key 'methodd' is not known"
	jq -se 'any(.[]; .check == "limits")' <<<"$output" >/dev/null
	doctor fifo
	status_is 1
	found fail t "is not known"
	profile
	chmod 666 "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	doctor profile
	status_is 1
	found fail t 'writable by others'
	run --separate-stderr rejoin-doctor -A no-such-profile
	status_is 2
	err_has "no profile 'no-such-profile'"
	[ -z "$output" ]
}

@test "every shipped profile can be read, and its log formats are there" {
	for f in "$TOP"/packaging/agents.d/*.conf; do
		# no program but ours: what a profile asks its agent with is not run here
		run --separate-stderr env PATH="$B/bin" rejoin-doctor -A "$(basename "$f" .conf)" profile
		[ "$status" -le 1 ] || status_is 0
		# what is not installed here is a finding; a profile that does not parse is no profile
		jq -se --arg f "$REJOIN_CONFIG_DIR/agents.d/$(basename "$f")" \
			'all(.[]; .object | startswith($f))' <<<"$output" >/dev/null || status_is 0
		jq -se 'all(.[]; .what | test("no log format|neither a path") | not)' <<<"$output" \
			>/dev/null || status_is 0
	done
}

@test "limits: inotify and the clock" {
	profile
	doctor limits
	[ "$status" -le 1 ]
	jq -se 'any(.[]; .object | contains("inotify"))' <<<"$output" >/dev/null
	jq -se 'any(.[]; .object == "clock")' <<<"$output" >/dev/null
}

@test "what it prints: a line each, advice below, and names that could draw on a terminal do not" {
	needs script
	profile '[retry]' "path = $PWD/$(printf 'pipe\033[2J')"
	mkfifo -m 0660 "$(printf 'pipe\033[2J')"
	run --separate-stderr rejoin-doctor -A t --probe --format table fifo
	status_is 1
	[[ ${lines[0]} == ok\ *fifo\ *'pipe\x1b[2J: mode'* ]]
	[[ ${lines[1]} == fail\ *fifo\ *': has no reader' ]]
	[[ ${lines[2]} == *' -> start the agent'* ]]
	run script -qec 'rejoin-doctor -A t fifo' /dev/null
	[[ $output != *$'\e[2J'* && $output == *'\x1b[2J'* ]]
	run script -qec 'rejoin-doctor -A t --json fifo' /dev/null
	[[ $output != *$'\e[2J'* ]]
	run --separate-stderr rejoin-doctor -A t --probe --format tsv fifo
	[[ ${lines[1]} == fail$'\t'fifo$'\t'*$'\t''has no reader'* ]]
	run --separate-stderr rejoin-doctor -A t --format json fifo
	jq -e '.findings | length == 2' <<<"$output" >/dev/null
}

@test "the list names every check, and each can be run alone" {
	run --separate-stderr rejoin-doctor --list
	status_is 0
	[ "${#lines[@]}" -ge 7 ]
	profile
	for line in "${lines[@]}"; do
		run --separate-stderr rejoin-doctor -A t "${line%% *}"
		[ "$status" -le 1 ]
		jq -se --arg c "${line%% *}" 'length > 0 and all(.[]; .check == $c)' <<<"$output" >/dev/null
	done
}

@test "mistakes, and a full disk" {
	profile
	doctor no-such-check
	status_is 2
	err_has 'no-such-check: unknown check'
	err_has 'hint: checks: explain, profiles, profile,'
	doctor fiffo
	status_is 2
	err_has "hint: did you mean 'fifo'?"
	doctor explain
	status_is 2
	for code in '' x 0x 30501028x -3000000000 99999999999 0x123456789 '1,'; do
		doctor explain "$code"
		status_is 2
		err_has "not a code: '$code'"
	done
	run --separate-stderr bash -c 'rejoin-doctor -A t limits >/dev/full'
	status_is 3
	err_has 'No space left'
	# outside of the build tree, which has a table of its own
	rm "$REJOIN_CONFIG_DIR/codes.d/adu-results.tsv"
	cp "$B/bin/rejoin-doctor" elsewhere
	run --separate-stderr ./elsewhere explain 605
	status_is 3
	err_has 'adu-results.tsv'
}

@test "explain: codes as a twin, a log or a header has them" {
	run --separate-stderr rejoin-doctor explain 605 -1 30501028,A0000FFF
	status_is 0
	jq -se '[.[].code] == ["605","-1","0x30501028","0xA0000FFF"]' <<<"$output"
	jq -se '.[2].meaning | contains("ended with status 40")' <<<"$output"
	jq -se '.[3].name == "ADUC_ERC_ROOTKEY_PKG_UNCHANGED"' <<<"$output"
	# the same one in four ways
	for code in 0x30500205 30500205 810549765 0x30500205; do
		run --separate-stderr rejoin-doctor explain "$code"
		jq -e '.code == "0x30500205" and .decimal == 810549765 and .component == "ADUC_CONTENT_HANDLER_SCRIPT"' <<<"$output"
	done
	run --separate-stderr rejoin-doctor explain -804847529
	status_is 0
	jq -e '.meaning | contains("0x80070057")' <<<"$output"
	# of one without a name the bits are told, and the answer is no
	run --separate-stderr rejoin-doctor explain 0x30512345
	status_is 1
	jq -e '.component == "ADUC_CONTENT_HANDLER_SCRIPT" and .value == 74565 and (has("name") | not)' <<<"$output"
}

@test "profile: what restart, status and http need" {
	local file=$REJOIN_CONFIG_DIR/agents.d/t.conf
	profile '[retry]' 'method = http' 'url = http://127.0.0.1:9/x' "token-file = $PWD/token" \
		'[restart]' 'method = exec' 'argv = /no/such/restarter' "pid-file = $PWD/pid" \
		'ready = probe:/no/such/probe' '[status]' 'method = exec' 'argv = /no/such/asker' 'idle = x'
	doctor profile
	status_is 1
	found fail "$file: [retry] token-file" 'token'
	found fail "$file: [restart] argv" '/no/such/restarter'
	found fail "$file: [restart] ready" '/no/such/probe'
	found fail "$file: [status] argv" '/no/such/asker'
	echo secret-of-mine >token
	chmod 644 token
	doctor profile
	found fail "$file: [retry] token-file" '0644'
	[[ $output$stderr != *secret-of-mine* ]]
	chmod 600 token
	doctor profile
	jq -se 'all(.[]; .object | endswith("token-file") | not)' <<<"$output" >/dev/null
	profile '[restart]' 'method = s6' "service = $PWD/none"
	doctor profile
	status_is 1
	found fail "$file: [restart] service" "$PWD/none"
	profile '[restart]' 'method = impcentral' 'device = 0123456789abcdef'
	doctor profile
	status_is 1
	found fail "$file: [restart] account" "$REJOIN_CONFIG_DIR/impcentral.conf"
	profile '[agent]' 'unit = x.service' '[restart]' 'method = systemd' 'ready = log:up'
	doctor profile
	status_is 1
	found fail t 'ready = log: needs a [log.NAME]'
}

@test "fifo: a reader in another pid namespace is unknown, not absent" {
	needs_root
	local elsewhere='own-mounts unshare --pid --fork --propagation unchanged --mount-proc'
	# shellcheck disable=SC2086
	$elsewhere true 2>/dev/null || cannot 'no pid namespace'
	profile "path = $PWD/pipe" '[status]' 'method = none'
	mkfifo -m 660 pipe
	start reader sh -c 'exec 3<>pipe; echo up; exec dd bs=64 count=1 status=none <&3'
	wait_for '[ -s reader.out ]'
	# shellcheck disable=SC2086
	run --separate-stderr $elsewhere rejoin-doctor -A t --format jsonl fifo
	status_is 0
	found warn "$PWD/pipe" 'processes of other pid namespaces are not visible'
	# a request finds it all the same
	# shellcheck disable=SC2086
	run $elsewhere rejoin-retry -A t
	status_is 0
	# outside, without one, it is a failure as ever
	wait_for '! [ -e /proc/$reader_pid/exe ]'
	check fifo
	status_is 1
	found fail "$PWD/pipe" 'has no reader'
}

# bats test_tags=plain
@test "fifo: a reader that cannot be looked for just now is unknown, not absent" {
	needs_strace
	profile "path = $PWD/pipe" '[status]' 'method = none'
	mkfifo -m 660 pipe
	start reader sh -c 'exec 3<>pipe; echo up; exec sleep 1000'
	wait_for '[ -s reader.out ]'
	local at
	for at in /proc "/proc/$reader_pid/fd"; do
		run --separate-stderr strace -qq -o /dev/null -P $at -e trace=openat -e inject=openat:error=EMFILE \
			rejoin-doctor -A t --format jsonl fifo
		status_is 0
		found warn "$PWD/pipe" 'it is unknown whether it has a reader'
	done
}

@test "fifo: a reader that hidepid hides is unknown, not absent" {
	needs_root
	needs setpriv
	# in one mount namespace: /proc hides the processes of others there
	own-mounts mount -t proc -o hidepid=2 proc /proc 2>/dev/null || cannot '/proc cannot be mounted here'
	chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "${BATS_TEST_TMPDIR%/*}" . rejoin
	profile "path = $PWD/pipe" '[agent]' 'user = root' 'group = daemon' '[status]' 'method = none'
	mkfifo -m 660 pipe
	chgrp daemon pipe
	start reader sh -c 'exec 3<>pipe; echo up; exec sleep 1000'
	wait_for '[ -s reader.out ]'
	cat >as-other <<-END
		mount -t proc -o hidepid=2 proc /proc
		exec setpriv --reuid=64998 --regid=64998 --groups=$(id -g daemon) rejoin-doctor -A t --format jsonl fifo
	END
	run --separate-stderr own-mounts sh as-other
	status_is 0
	found warn "$PWD/pipe" 'it is unknown whether it has a reader: processes of other users are not visible here'
	says_what_to_do 'as root'
}

@test "agent: a stale sandbox and a process that hangs are named, with the cure" {
	profile "path = $PWD/pipe" '[status]' 'method = busy-path' "busy-path = $PWD/downloads/*"
	mkdir -p downloads/w1
	touch -d '1 day ago' downloads/w1
	mkfifo -m 660 pipe
	start reader sh -c 'exec 3<>pipe; echo up; exec sleep 1000'
	wait_for '[ -s reader.out ]'
	check agent
	found warn t "$PWD/downloads/w1 is stale: it is from"
	[[ $output == *'rejoin-retry -A t: the agent evaluates'* ]]
	touch downloads/w1
	check agent
	found ok t "busy since"
	start double agent-double "$PWD/agent"
	wait_for 'grep -q ready double.out'
	profile "path = $PWD/agent/commands.fifo" '[status]' 'method = file' "path = $PWD/agent/status"
	kill -STOP "$double_pid"
	wait_for 'grep -q "^State:.*T" /proc/$double_pid/status'
	check agent
	status_is 1
	found fail t "hangs: process $double_pid is stopped"
	kill -CONT "$double_pid"
}

@test "marks: a lock that another user holds, and a directory that the group lacks" {
	needs_root
	needs setpriv
	profile "path = $PWD/pipe" '[status]' 'method = none'
	local public
	public=$(mktemp -d /tmp/rejoin-public.XXXXXX)
	chmod 755 "$public"
	export REJOIN_RUNTIME_DIR=$public/run
	marks=$public/run/retry/t
	cp "$B/tool/lock-holder" "$public"
	rejoin-retry -A t 2>/dev/null || :
	chmod 644 "$marks/lock"
	start other setpriv --reuid=nobody --regid=nogroup --clear-groups "$public/lock-holder" -r "$marks/lock"
	wait_for 'grep -q locked other.out'
	check marks
	status_is 1
	found fail "$marks/lock" 'of uid 65534, so others coalesce with it'
	end_pids "$other_pid"
	rm -r "$marks"
	sed -i '1i[agent]\ngroup = games' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	check marks
	status_is 0
	found warn "$marks" 'the group games cannot record the first request'
	run --separate-stderr rejoin-doctor -A t --fix --format jsonl marks
	[ "$(stat -c '%a %G' "$marks")" = '2770 games' ]
	check marks
	found ok "$marks" 'no request is pending'
	rm -rf "$public"
}

@test "hardening: what the toolkit's units forbid the profile, with a drop-in" {
	mkdir fake
	cat >fake/systemctl <<-'END'
	#!/bin/sh
	case $* in
	*rejoin-retry@*) cat settings ;;
	*) echo LoadState=not-found ;;
	esac
	END
	chmod +x fake/systemctl
	PATH=$PWD/fake:$PATH
	printf '%s\n' LoadState=loaded MemoryDenyWriteExecute=yes PrivateTmp=yes ProtectHome=yes \
		PrivateDevices=yes 'CapabilityBoundingSet=cap_chown cap_kill' >settings
	ln -s /bin/true fake/java
	profile 'method = exec' "argv = $PWD/fake/cli list" '[status]' 'method = exec' 'argv = java -version' 'idle = .'
	printf '#!/bin/sh\nexec /usr/bin/node "$@"\n' >fake/cli
	chmod +x fake/cli
	check hardening
	status_is 1
	found fail '[status] argv' 'rejoin-retry@t.service: MemoryDenyWriteExecute forbids java'
	found fail '[retry] argv' 'rejoin-retry@t.service: MemoryDenyWriteExecute forbids node'
	[[ $output == *'systemctl edit rejoin-retry@t.service'*'MemoryDenyWriteExecute=no'* ]]
	# with the drop-in
	sed -i 's/^MemoryDenyWriteExecute=.*/MemoryDenyWriteExecute=no/; s/^PrivateTmp=.*/PrivateTmp=no/' settings
	check hardening
	status_is 0
	found ok rejoin-retry@t.service 'forbids nothing that the profile is known to need'
	# a socket in /tmp, a home, a device, another user
	sed -i 's/^PrivateTmp=.*/PrivateTmp=yes/' settings
	profile 'method = exec' 'argv = sudo -u x cat /dev/ttyS0' '[status]' 'method = exec' \
		'argv = cat --socket=/tmp/x.sock /home/x/state' 'idle = .'
	ln -s /bin/true fake/sudo
	check hardening
	status_is 1
	found fail '[status] argv' 'PrivateTmp forbids /tmp/x.sock'
	found fail '[status] argv' 'ProtectHome forbids /home/x/state'
	found fail '[retry] argv' 'PrivateDevices forbids /dev/ttyS0'
	found fail '[retry] argv' 'CapabilityBoundingSet forbids sudo'
}

@test "rejoin-tmpfiles: a file for each profile with a group, and none for others" {
	mkdir out
	profile "path = $PWD/pipe"
	sed -i '1i[agent]\ngroup = games' "$REJOIN_CONFIG_DIR/agents.d/t.conf"
	run "$B/libexec/rejoin/rejoin-tmpfiles" out
	status_is 0
	grep -qx $'d /run/rejoin/retry/t\t2770 root games -' out/rejoin-t.conf
	grep -q 'root adu -' out/rejoin-adu.conf
	[ ! -e out/rejoin-mender.conf ]
	# with --here, of groups of this machine alone; what was written for another is taken away
	sed -i 's/^group = adu/group = no-such-group/' "$REJOIN_CONFIG_DIR/agents.d/adu.conf"
	run "$B/libexec/rejoin/rejoin-tmpfiles" --here out
	status_is 0
	[ -e out/rejoin-t.conf ] && [ ! -e out/rejoin-adu.conf ]
	sed -i 's/^group = no-such-group/group = adu/' "$REJOIN_CONFIG_DIR/agents.d/adu.conf"
	# a profile without a group, and one that is gone; a file of another author stays
	echo '# mine' >out/rejoin-other.conf
	profile "path = $PWD/pipe"
	cp "$REJOIN_CONFIG_DIR/agents.d/adu.conf" "$REJOIN_CONFIG_DIR/agents.d/adu2.conf"
	"$B/libexec/rejoin/rejoin-tmpfiles" out
	[ ! -e out/rejoin-t.conf ] && [ -e out/rejoin-adu2.conf ]
	rm "$REJOIN_CONFIG_DIR/agents.d/adu2.conf"
	"$B/libexec/rejoin/rejoin-tmpfiles" out
	[ ! -e out/rejoin-adu2.conf ] && [ -e out/rejoin-other.conf ]
	run "$B/libexec/rejoin/rejoin-tmpfiles" out none
	status_is 2
	run "$B/libexec/rejoin/rejoin-tmpfiles" /dev/null/x
	[ "$status" -ne 0 ]
}
