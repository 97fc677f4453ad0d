# shellcheck shell=bash
load helper

# A vacuum with a host and the cameras 1 to N, none of which is plugged in.
inventory() {
	local i sep='' text=''

	for ((i = 1; i <= ${1:-2}; i++)); do
		text+="$sep{\"id\":\"camera-$i\",\"group\":\"cameras\",\"model\":\"eye\",\"properties\":"
		text+="{\"path\":\"$PWD/usb/camera-$i\",\"firmwareDataFile\":\"firmware.json\"}}"
		sep=','
	done
	mkdir -p usb
	printf '{"components":[%s]}\n' "$text" >new.json
	mv new.json inventory.json
}

# plug N [VERSION] [MEMBERS] - as a driver does it: the directory, then the file
plug() {
	mkdir -p "usb/camera-$1"
	printf '{"version":"%s"%s}\n' "${2-1.0}" "${3-}" >"usb/camera-$1/firmware.json"
}

unplug() { rm -r "usb/camera-$1"; }

# watch ARGS... - in the background, until it listens
watch() {
	rm -f watch.out watch.err	# what an earlier one said
	start watch rejoin-watch -v --rescan 1h --settle 50ms "$@"
	wait_for 'grep -q monitoring watch.err'
}

# again ARGS... - end it and start it again
again() {
	end_pids "$watch_pid"
	watch "$@"
}

# "ID EVENT" of each event in FILE, on one line
events() { jq -r '"\(.id) \(.event)"' "${1:-watch.out}" | paste -sd,; }

# n_events N [FILE] - wait for N events
n_events() { wait_for "[ \"\$({ wc -l <${2:-watch.out}; } 2>/dev/null || echo 0)\" -ge $1 ]" 30; }

# Devices of a test are called so, and have one more letter or number.
W=rj$(($$ % 100000))w

# devices - systemd-udevd runs, and no device of this test is left over
devices() {
	# one daemon for all tests of this machine: not ended while another test needs it
	exec 7>/run/rejoin-test-udevd
	flock 7
	MADE_DEVICES=yes
	if ! udevadm control --ping --timeout=1 2>/dev/null; then
		start udevd /lib/systemd/systemd-udevd
		wait_for 'udevadm control --ping --timeout=1'
	fi
	no_devices
}

no_devices() {
	local d
	for d in "/sys/class/net/$W"*; do
		[ ! -e "$d" ] || ip link del "${d##*/}" || :
	done
}

teardown() {
	[ -z "${MADE_DEVICES-}" ] || no_devices
	end
}

inotifywait_of() { pgrep -P "$1" -x inotifywait; }

@test "tells what arrived, became readable and was swapped" {
	needs inotifywait jq
	inventory
	plug 1
	watch inventory.json
	plug 2 1.0
	n_events 1
	printf 'broken' >usb/camera-2/firmware.json
	wait_for 'grep -q "camera-2/firmware.json" watch.err'
	plug 2 1.0
	n_events 2
	plug 1 0.9
	n_events 3
	plug 1 0.9 ',"model":"ear"'
	n_events 4
	[ "$(events)" = 'camera-2 arrived,camera-2 readable,camera-1 swapped,camera-1 swapped' ]
	run jq -c 'select(.event == "arrived") | [.state, .version, .was, .cause]' watch.out
	out_is "[\"online\",\"1.0\",{\"state\":\"offline\",\"version\":null},\"tree:$PWD/usb/camera-2/firmware.json\"]"
	run jq -r 'select(.was.model) | .was.model, .model, .time' watch.out
	[ "${lines[0]} ${lines[1]}" = 'eye ear' ]
	[[ ${lines[2]} =~ ^20[0-9-]+T[0-9:]+\.[0-9]{6}Z$ ]]
}

@test "components at the start, rising versions and departures run no command" {
	needs inotifywait jq
	inventory
	plug 1 1.9
	watch inventory.json
	plug 1 1.10
	unplug 1
	plug 2
	n_events 1
	[ "$(events)" = 'camera-2 arrived' ]
}

@test "with -a it tells of changes and departures, too" {
	needs inotifywait jq
	inventory
	plug 1 1.9
	watch -a inventory.json
	plug 1 1.10
	n_events 1
	unplug 1
	n_events 2
	plug 1 1.10
	n_events 3
	inventory 0
	n_events 4
	[ "$(events)" = 'camera-1 changed,camera-1 departed,camera-1 arrived,camera-1 departed' ]
	run jq -c '[.was, .version, .state]' watch.out
	[ "${lines[0]}" = '[{"version":"1.9"},"1.10","online"]' ]
	[ "${lines[3]}" = '[{"state":"online"},"1.10","offline"]' ]
}

@test "--tree hears of new directories and what is in them" {
	needs inotifywait jq
	inventory
	watch -a --tree usb inventory.json
	plug 2
	n_events 1
	unplug 2
	n_events 2
	mkdir -p tray/camera-1
	mv tray/camera-1 usb/
	plug 1
	n_events 3
	mv usb/camera-1 tray/
	n_events 4
	[ "$(events)" = 'camera-2 arrived,camera-2 departed,camera-1 arrived,camera-1 departed' ]
}

@test "a tree that is not there is waited for, and heard again after it was replaced" {
	needs inotifywait jq
	inventory
	mv usb later
	watch --tree usb inventory.json
	grep -q 'usb: no such directory; waiting for it' watch.err
	mv later usb
	plug 1
	n_events 1 watch.out
	mv usb gone
	mkdir usb
	wait_for '[ -n "$(inotifywait_of $watch_pid)" ]'
	plug 2
	n_events 2
	[ "$(events)" = 'camera-1 arrived,camera-2 arrived' ]
}

@test "a burst of changes is one batch" {
	needs inotifywait jq
	inventory 50
	start watch rejoin-watch -v --settle 500ms --tree usb inventory.json -- \
		sh -c 'echo batch >>batches; cat >>events'
	wait_for 'grep -q monitoring watch.err'
	# as fast as can be: the settle time must not pass in between
	mkdir usb/camera-{1..50}
	# shellcheck disable=SC2016
	bash -c 'for v in 0.1 1.0; do
		for i in {1..50}; do echo "{\"version\":\"$v\"}" >usb/camera-$i/firmware.json; done
	done'
	n_events 50 events
	[ "$(wc -l <batches)" -eq 1 ]
	[ "$(jq -r .version events | sort -u)" = 1.0 ]
}

@test "a burst that does not end is looked at after ten times the settle time" {
	needs inotifywait jq
	inventory
	watch --tree usb inventory.json
	plug 1
	start noise sh -c 'while :; do : >usb/noise; done'
	n_events 1
	alive "$noise_pid"
	[ "$(events)" = 'camera-1 arrived' ]
}

@test "an inotifywait that is killed loses nothing" {
	needs inotifywait jq
	inventory
	watch --tree usb inventory.json
	old=$(inotifywait_of "$watch_pid")
	kill -KILL "$old"
	plug 1
	wait_for 'new=$(inotifywait_of $watch_pid) && [ "$new" != "$old" ]'
	grep -q 'inotifywait was killed by SIGKILL; it is started again' watch.err
	n_events 1
	plug 2
	n_events 2
	[ "$(events)" = 'camera-1 arrived,camera-2 arrived' ]
}

@test "a queue of events that overflows loses nothing" {
	needs inotifywait jq
	inventory
	mkdir usb/noise
	watch --tree usb inventory.json
	listener=$(inotifywait_of "$watch_pid")
	kill -STOP "$listener"
	# not in here, where bats traces each command
	bash -c 'for ((i = $(cat /proc/sys/fs/inotify/max_queued_events) + 1000; i > 0; i--)); do
		: >usb/noise/$((i % 2))
	done'
	mkdir usb/camera-1	# inotifywait will never know
	kill -CONT "$listener"
	wait_for 'new=$(inotifywait_of $watch_pid) && [ "$new" != "$listener" ]'
	plug 1
	n_events 1
	[ "$(events)" = 'camera-1 arrived' ]
}

@test "without inotifywait it says so, and looks from time to time" {
	needs jq
	inventory
	start watch env PATH="$B/bin" rejoin-watch -v --tree usb inventory.json
	wait_for 'grep -q monitoring watch.err'
	[ "$(cat watch.err)" = "\
rejoin-watch: inotifywait is not installed (package inotify-tools): scanning every 5 s instead
rejoin-watch: monitoring 1 inventory, 1 directory; a scan every 5 s" ]
	plug 1
	n_events 1
	[ "$(jq -r .cause watch.out)" = poll ]
}

@test "where inotifywait cannot listen, it says why, and looks whenever it tries again" {
	needs jq
	inventory
	mkdir bin
	printf '#!/bin/sh\necho >>tries\necho "Failed to watch usb; upper limit on inotify watches reached!" >&2\nexit 1\n' \
		>bin/inotifywait
	chmod +x bin/inotifywait
	start watch env PATH="$PWD/bin:$PATH" rejoin-watch -v --settle 50ms --rescan 0s --tree usb inventory.json
	wait_for 'grep -q monitoring watch.err'
	grep -q 'inotifywait: Failed to watch usb; upper limit' watch.err
	plug 1
	n_events 1
	[ "$(jq -r .cause watch.out)" = tree ]
	wait_for '[ "$(wc -l <tries)" -ge 3 ]' 30
	[ "$(grep -c 'inotifywait' watch.err)" -eq 2 ]
}

@test "what the inventory names is followed as it goes and comes, relative names too" {
	needs inotifywait jq
	inventory
	sed -i "s|$PWD/usb/camera-1|./usb//camera-1|; s|$PWD/usb/camera-2|camera-2|" inventory.json
	plug 1
	watch -a inventory.json
	rm -r usb
	n_events 1
	mkdir usb
	plug 1
	n_events 2
	mkdir camera-2
	cp usb/camera-1/firmware.json camera-2
	n_events 3
	unplug 1
	n_events 4
	[ "$(events)" = 'camera-1 departed,camera-1 arrived,camera-2 arrived,camera-1 departed' ]
}

@test "--poll looks where no edge comes from" {
	needs jq
	mkdir probes
	printf '#!/bin/sh\n[ -e %s ] && echo "{\\"version\\":\\"2\\"}"\n' "$PWD/there" >probes/look
	chmod +x probes/look
	printf '{"components":[{"id":"a","probe":["%s"]}]}' "$PWD/probes/look" >inventory.json
	watch --poll 100ms inventory.json
	[ -z "$(inotifywait_of "$watch_pid")" ]
	: >there
	n_events 1
	run jq -c '[.event, .version, .cause]' watch.out
	out_is '["arrived","2","poll"]'
}

@test "a component that comes into the inventory arrives" {
	needs inotifywait jq
	inventory 1
	plug 2
	watch inventory.json
	inventory 2
	n_events 1
	plug 1
	n_events 2
	[ "$(events)" = 'camera-2 arrived,camera-1 arrived' ]
	[ "$(jq -r .cause watch.out | head -1)" = inventory ]
}

@test "an inventory that is wrong for a while is said once, and nothing departs" {
	needs inotifywait jq
	inventory 2
	plug 1
	watch -a inventory.json
	for i in 1 2 3; do
		printf '{"components":[' >new.json
		mv new.json inventory.json
		wait_for 'grep -q "inventory.json" watch.err'
	done
	inventory 2
	plug 2
	n_events 1
	[ "$(events)" = 'camera-2 arrived' ]
	[ "$(grep -c inventory.json watch.err)" -eq 1 ]
}

@test "an event whose command failed is offered again" {
	needs inotifywait jq
	inventory
	start watch rejoin-watch -v --settle 50ms inventory.json -- \
		sh -c 'cat >>offered; [ -e works ]'
	wait_for 'grep -q monitoring watch.err'
	plug 1
	n_events 1 offered
	plug 2
	n_events 3 offered
	: >works
	n_events 5 offered
	plug 1 0.1
	n_events 6 offered
	[ "$(events offered)" = 'camera-1 arrived,camera-1 arrived,camera-2 arrived,camera-1 arrived,camera-2 arrived,camera-1 swapped' ]
	[ "$(grep -c 'exited with 1; its events are offered again' watch.err)" -eq 1 ]
}

@test "what departed before its command succeeded is not offered again" {
	needs inotifywait jq
	inventory
	start watch rejoin-watch -v --settle 50ms inventory.json -- \
		sh -c 'cat >>offered; [ -e works ]'
	wait_for 'grep -q monitoring watch.err'
	plug 1
	n_events 1 offered
	unplug 1
	: >works
	plug 2
	n_events 2 offered
	[ "$(events offered)" = 'camera-1 arrived,camera-2 arrived' ]
}

@test "what happens while the command runs is looked at afterwards" {
	needs inotifywait jq
	inventory
	start watch rejoin-watch -v --settle 50ms inventory.json -- \
		sh -c 'cat >>offered; until [ -e go ]; do sleep 0.05; done'
	wait_for 'grep -q monitoring watch.err'
	plug 1
	n_events 1 offered
	plug 2
	: >go
	n_events 2 offered
	[ "$(events offered)" = 'camera-1 arrived,camera-2 arrived' ]
}

@test "a command that is not there is said" {
	needs inotifywait
	inventory
	watch inventory.json -- no-such-command
	plug 1
	wait_for 'grep -q "no-such-command could not be run: No such file or directory" watch.err'
}

@test "--state keeps what was acted on, so what came meanwhile is told at the start" {
	needs inotifywait jq
	inventory
	plug 1
	watch --state state inventory.json
	plug 2
	n_events 1
	again --state state inventory.json
	end_pids "$watch_pid"
	[ ! -s watch.out ]
	plug 1 0.9
	unplug 2
	watch -a --state state inventory.json
	n_events 2
	[ "$(events)" = 'camera-1 swapped,camera-2 departed' ]
	[ "$(jq -r .cause watch.out | sort -u)" = start ]
	[ "$(stat -c %a state)" = 640 ]
}

@test "an event that was not acted on before the end is offered at the next start" {
	needs inotifywait jq
	inventory
	watch --state state inventory.json -- sh -c 'cat >>offered; exit 3'
	plug 1
	n_events 1 offered
	kill -KILL "$watch_pid"
	watch --state state inventory.json -- sh -c 'cat >>offered'
	n_events 2 offered
	again --state state inventory.json -- sh -c 'cat >>offered'
	end_pids "$watch_pid"
	[ "$(events offered)" = 'camera-1 arrived,camera-1 arrived' ]
}

@test "a state file that is none is refused, an empty one is a first start" {
	inventory
	printf '{"kind":"rejoin-watch snapshot","format":1,"compo' >torn
	printf '{"kind":"rejoin-watch snapshot","format":1,"components":{"a":{"id":1}}}' >wrong
	printf '[%.0s' {1..10000} >deep
	printf '\377\376' >bytes
	ln -s torn link
	mkfifo fifo
	mkdir directory
	truncate -s 1G huge
	for f in torn wrong deep bytes link fifo directory huge; do
		run --separate-stderr timeout 5 rejoin-watch -1 --state "$f" inventory.json
		status_is 3
		err_has "rejoin-watch: $f: "
		[ -z "$output" ]
	done
	err_has 'bytes are too many'
	run --separate-stderr rejoin-watch -1 --state torn inventory.json
	err_has 'torn: is not JSON'
	err_has '; remove it to begin anew'
	: >empty
	run --separate-stderr rejoin-watch -1 --state empty inventory.json
	status_is 1
	[ -s empty ]
}

@test "a state file that cannot be written is said" {
	needs inotifywait
	inventory
	run --separate-stderr timeout 5 rejoin-watch --state none/state inventory.json
	status_is 3
	err_has 'none/state: No such file or directory'
	mkdir dir
	watch --state dir/state inventory.json
	rm -r dir
	plug 1
	n_events 1
	wait_for 'grep -q "dir/state: No such file or directory" watch.err'
	mkdir dir
	plug 2
	n_events 2
	wait_for '[ -s dir/state ]'
}

@test "-1 compares once: 0 something arrived, 1 nothing" {
	needs jq
	inventory
	run --separate-stderr rejoin-watch -1 --state state inventory.json
	status_is 1
	plug 1
	run --separate-stderr rejoin-watch -1 --state state inventory.json
	status_is 0
	[ "$(jq -r .event <<<"$output")" = arrived ]
	run --separate-stderr rejoin-watch -1 --state state inventory.json
	status_is 1
	unplug 1
	run --separate-stderr rejoin-watch -1 -a --state state --udev SUBSYSTEM=video4linux,ID_BUS=usb \
		inventory.json
	status_is 1
	[ "$(jq -r .event <<<"$output")" = departed ]
}

@test "-1 with a command that fails tries again the next time" {
	inventory
	rejoin-watch -1 --state state inventory.json || :
	plug 1
	for i in 1 2; do
		run --separate-stderr rejoin-watch -1 --state state inventory.json -- false
		status_is 3
		err_has 'rejoin-watch: false exited with 1; its events are offered again'
	done
	run --separate-stderr rejoin-watch -1 --state state inventory.json -- cat
	status_is 0
	run --separate-stderr rejoin-watch -1 --state state inventory.json -- cat
	status_is 1
}

@test "a command line that is wrong is refused" {
	inventory
	for args in '-1 inventory.json' '--udev x inventory.json' '--udev = inventory.json' \
		'--udev SUBSYSTEM=net,any inventory.json' '--settle 5 inventory.json' \
		'--poll x inventory.json' 'inventory.json --' '--' '-A none'; do
		# shellcheck disable=SC2086	# several words
		run --separate-stderr timeout 5 rejoin-watch $args
		status_is 2
		[ -z "$output" ]
	done
	run --separate-stderr rejoin-watch --udev 'a=b,c' inventory.json
	err_has "--udev: 'a=b,c': 'c' is not KEY=VALUE"
}

@test "an inventory that is wrong at the start has the status of its fault" {
	printf '{"components":[' >broken.json
	run --separate-stderr timeout 5 rejoin-watch broken.json
	status_is 2
	err_has 'broken.json'
	run --separate-stderr timeout 5 rejoin-watch none.json
	status_is 3
	err_has 'rejoin-watch: none.json: No such file or directory'
	printf '{"components":[{"id":"a","probe":["true"]}]}' >open.json
	chmod 666 open.json
	run --separate-stderr timeout 5 rejoin-watch open.json
	status_is 7
	err_has 'open.json: writable by others'
	run --separate-stderr timeout 5 rejoin-watch -1 --state state open.json
	status_is 7
	[ ! -e state ]
}

@test "a reader that is gone ends it, and loses nothing that --state keeps" {
	needs inotifywait jq
	inventory
	mkfifo pipe
	exec 5<>pipe 6>pipe 5<&-
	exec 5<pipe
	start watch bash -c 'exec rejoin-watch -v --settle 50ms --state state inventory.json >&6 5<&-'
	exec 6>&-
	wait_for 'grep -q monitoring watch.err'
	exec 5<&-
	wait_for '! alive $watch_pid'
	run wait "$watch_pid"
	status_is 3
	grep -q 'write error: stdout is closed' watch.err
	plug 1
	watch --state state inventory.json
	n_events 1
	[ "$(events)" = 'camera-1 arrived' ]
}

@test "a full disk is an error, and what was not written is told again" {
	inventory
	rejoin-watch -1 --state state inventory.json || :
	plug 1
	run --separate-stderr bash -c 'rejoin-watch -1 --state state inventory.json >/dev/full'
	status_is 3
	err_has 'rejoin-watch: write error: No space left on device'
	run --separate-stderr rejoin-watch -1 --state state inventory.json
	status_is 0
}

# offered_after COMMAND... - whatever COMMAND's watcher did, the arrival was acted on or is offered again
offered_after() {
	cp state.before state
	: >offered
	"$@" >/dev/null 2>&1 || :
	rejoin-watch -1 --state state inventory.json -- sh -c 'cat >>offered' >/dev/null 2>again.err || :
	# one that could not be read at first becomes readable: that wakes as well
	grep -q "arrived\|readable" offered && return
	echo "lost after $*"
	cat again.err
	return 1
}

# bats test_tags=plain
@test "no failure of a system call loses an arrival" {
	inventory
	rejoin-watch -1 --state state.before inventory.json || :
	plug 1
	for call in read write open rename fsync; do
		for n in {1..6}; do
			for e in EIO ENOSPC EINTR; do
				offered_after env FAULT=$call:$n:$e LD_PRELOAD="$B/fault.so" \
					rejoin-watch -1 --state state inventory.json -- sh -c 'unset LD_PRELOAD; cat >>offered'
			done
		done
	done
	run --separate-stderr env FAULT=rename:1:EIO LD_PRELOAD="$B/fault.so" \
		rejoin-watch -1 --state state.before inventory.json -- true
	status_is 3
	err_has 'rejoin-watch: state.before: Input/output error'
}

# bats test_tags=plain
@test "killed at any of the calls that change something, it loses no arrival" {
	needs_strace
	inventory
	rejoin-watch -1 --state state.before inventory.json || :
	plug 1
	local calls=openat,write,rename,fsync,fchmod n last
	cp state.before state
	last=$(strace -e trace=$calls rejoin-watch -1 --state state inventory.json -- true 2>&1 >/dev/null |
		grep -c "^[a-z]*(")
	[ "$last" -gt 10 ]
	for ((n = last; n > 0; n--)); do
		offered_after strace -qq -o trace -e trace=$calls -e inject=$calls:signal=KILL:when=$n \
			rejoin-watch -1 --state state inventory.json -- sh -c 'cat >>offered'
	done
	# the file is on disk before it gets its name, and then the name is
	cp state.before state
	strace -o trace -e trace=rename,fsync rejoin-watch -1 --state state inventory.json -- true
	[ "$(sed -n 's/(.*//p' trace | paste -sd,)" = fsync,rename,fsync ]
}

@test "without a stdout it does not begin" {
	inventory
	run --separate-stderr bash -c 'timeout 5 rejoin-watch inventory.json >&-'
	status_is 3
	err_has 'rejoin-watch: stdout: Bad file descriptor'
}

@test "SIGTERM and SIGINT end it in order, what it started first" {
	needs inotifywait
	inventory
	for sig in TERM INT; do
		watch --tree usb inventory.json -- sh -c 'echo $$ >pid; exec sleep 100'
		plug 1
		wait_for '[ -s pid ]'
		child=$(cat pid) listener=$(inotifywait_of "$watch_pid")
		kill -s $sig "$watch_pid"
		wait_for '! alive $watch_pid'
		run wait "$watch_pid"
		status_is 0
		run ! alive "$child"
		run ! alive "$listener"
		unplug 1
		rm pid
	done
}

@test "SIGTERM ends it while its reader does not read" {
	needs inotifywait
	inventory 300
	mv inventory.json all.json
	inventory 0
	for i in {1..300}; do plug "$i"; done
	mkfifo pipe
	exec 5<>pipe
	start watch bash -c 'exec rejoin-watch -v inventory.json >pipe 5<&-'
	wait_for 'grep -q monitoring watch.err'
	mv all.json inventory.json
	wait_for 'grep -q "camera-99 arrived" watch.err'
	end_pids "$watch_pid"
	run wait "$watch_pid"
	status_is 0
	exec 5<&-
}

@test "an inotifywait does not outlive a watcher that was killed" {
	needs inotifywait setpriv
	inventory
	watch --tree usb inventory.json
	listener=$(inotifywait_of "$watch_pid")
	kill -KILL "$watch_pid"
	wait_for '! alive $listener'
}

@test "it tells a service manager that it listens, is well, and stops" {
	needs inotifywait
	inventory
	start notified notified "$PWD/socket"
	wait_for '[ -S socket ]'
	NOTIFY_SOCKET=$PWD/socket WATCHDOG_USEC=200000 watch inventory.json
	wait_for '[ "$(grep -c WATCHDOG=1 notified.out)" -ge 3 ]'
	end_pids "$watch_pid"
	wait_for 'grep -q STOPPING=1 notified.out'
	[ "$(grep -c READY=1 notified.out)" -eq 1 ]
}

@test "its parent does not wait for the command" {
	needs inotifywait
	inventory
	rejoin-watch -1 --state state inventory.json || :
	plug 1
	start notified notified "$PWD/socket"
	wait_for '[ -S socket ]'
	NOTIFY_SOCKET=$PWD/socket WATCHDOG_USEC=200000 watch --state state inventory.json -- \
		sh -c ': >begun; exec sleep 100'
	wait_for '[ -e begun ]'
	wait_for '[ "$(grep -c WATCHDOG=1 notified.out)" -ge 3 ]'
}

# bats test_tags=plain
@test "idle, it is not woken" {
	needs inotifywait jq
	needs_strace
	inventory
	plug 1
	mkdir elsewhere
	watch inventory.json
	plug 2
	n_events 1
	# it now listens to one directory more, and looks once more when it does
	wait_for 'timeout 3 strace -qq -f -o elsewhere/trace -p $watch_pid
		[ "$(wc -l <elsewhere/trace)" -eq 1 ]' 20
	grep -q '\(restart_syscall\|poll\)(.*detached' elsewhere/trace
}

@test "--udev sees devices come and go" {
	needs_uevents
	needs jq
	devices
	printf '{"components":[{"id":"${INTERFACE}","udev":{"SUBSYSTEM":"net","INTERFACE":"'"$W"'*"},"each":true}]}' >net.json
	watch -a --udev SUBSYSTEM=net net.json
	ip link add "${W}0" type veth peer name "${W}1"
	n_events 2
	ip link del "${W}0"
	n_events 4
	[ "$(events | tr , '\n' | sort | paste -sd,)" = \
		"${W}0 arrived,${W}0 departed,${W}1 arrived,${W}1 departed" ]
	# the first of a burst, which may be another device's
	[ "$(jq -r .cause watch.out | grep -c '^udev:[a-z]*:/sys/devices/')" -eq 4 ]
}

@test "without --udev it listens to the devices that the inventory names" {
	needs_uevents
	needs jq
	devices
	printf '{"components":[{"id":"a","udev":{"SUBSYSTEM":"net","INTERFACE":"'"$W"'1"}}]}' >net.json
	watch net.json
	ip link add "${W}0" type veth peer name "${W}1"
	n_events 1
	run jq -c '[.id, .event]' watch.out
	out_is '["a","arrived"]'
}

@test "200 devices that appear at once lose none" {
	needs_uevents
	needs jq
	devices
	printf '{"components":[{"id":"${INTERFACE}","udev":{"SUBSYSTEM":"net","INTERFACE":"'"$W"'*"},"each":true}]}' >net.json
	watch -a --udev any net.json
	for i in {1..100}; do echo "link add ${W}a$i type veth peer name ${W}b$i"; done | ip -batch -
	n_events 200
	[ "$(jq -r 'select(.event == "arrived").id' watch.out | sort -u | wc -l)" -eq 200 ]
	for i in {1..100}; do echo "link del ${W}a$i"; done | ip -batch -
	wait_for '[ "$(grep -c \"departed\" watch.out)" -eq 200 ]' 30
	[ "$(wc -l <watch.out)" -eq 400 ]
}

# bats test_tags=plain
@test "events of udev's that were lost cost no more than a look" {
	needs_uevents
	needs_strace
	needs jq
	devices
	printf '{"components":[{"id":"a","udev":{"SUBSYSTEM":"net","INTERFACE":"'"$W"'1"}}]}' >net.json
	start watch strace -D -qq -o trace -e trace=recvmsg -e inject=recvmsg:error=ENOBUFS:when=1 \
		rejoin-watch -v --rescan 1h net.json
	wait_for 'grep -q monitoring watch.err'
	ip link add "${W}0" type veth peer name "${W}1"
	n_events 1
	run jq -c '[.id, .event, .cause]' watch.out
	out_is '["a","arrived","udev"]'
}

@test "a device that a rename takes out of its match has departed, and one that a rename brings in arrived" {
	needs_uevents
	needs jq
	devices
	printf '{"components":[{"id":"a","udev":{"SUBSYSTEM":"net","INTERFACE":"'"$W"'lan*"}}]}' >net.json
	ip link add "${W}"lan0 type veth peer name "${W}1"
	udevadm settle
	watch -a net.json
	ip link set "${W}"lan0 down
	ip link set "${W}"lan0 name "${W}"other
	n_events 1
	ip link set "${W}"other name "${W}"lan7
	n_events 2
	[ "$(events)" = 'a departed,a arrived' ]
}

@test "a device that is replaced within one burst has arrived" {
	needs_uevents
	needs jq
	devices
	printf '{"components":[{"id":"a","udev":{"SUBSYSTEM":"net","INTERFACE":"'"$W"'0"}}]}' >net.json
	ip link add "${W}0" type veth peer name "${W}1"
	udevadm settle
	start watch rejoin-watch -v --rescan 1h --settle 1s net.json
	wait_for 'grep -q monitoring watch.err'
	ip link del "${W}0"
	ip link add "${W}0" type veth peer name "${W}1"
	n_events 1
	[ "$(events)" = 'a arrived' ]
	# one of two devices that go is no absence of the component
	printf '{"components":[{"id":"a","udev":{"SUBSYSTEM":"net","INTERFACE":"'"$W"'*"}}]}' >two.json
	start watch rejoin-watch -a -v --rescan 1h --settle 50ms two.json
	wait_for 'grep -q monitoring watch.err'
	ip link add "${W}"b0 type dummy 2>/dev/null || ip link add "${W}"b0 type veth peer name "${W}"b1
	ip link set "${W}0" name "${W}"x0
	ip link del "${W}"x0
	! [ -s watch.out ]
}

@test "a device that udev was not done with at the baseline arrives when it is" {
	needs_mounts
	needs jq
	mkdir -p /run/udev
	echo '{"components":[{"id":"nic","udev":{"SUBSYSTEM":"net","INTERFACE":"lo"}}]}' >net.json
	cat >unfinished <<-END
		mount -t tmpfs tmpfs /run/udev && mkdir /run/udev/data && : >/run/udev/queue && cd '$PWD' || exit 99
		rejoin-watch -1 --state w net.json; echo "= \$?"
		rejoin-watch -1 --state w net.json; echo "= \$?"
		echo I:1234567 >/run/udev/data/n1
		rejoin-watch -1 --state w net.json | jq -r .event; echo "= \${PIPESTATUS[0]}"
	END
	run own-mounts bash unfinished
	out_is $'= 1\n= 1\narrived\n= 0'
}

@test "a tree of the kernel's, which reports nothing to inotify, is named, and scanned" {
	needs_uevents
	needs jq inotifywait
	MADE_DEVICES=yes
	printf '{"components":[{"id":"a","probe":["test","-e","/sys/class/net/%s0"]}]}' "$W" >net.json
	watch --rescan 0s --tree /sys/class/net net.json
	grep -q '/sys/class/net: its file system does not report changes: scanning every 5 s instead' watch.err
	ip link add "${W}0" type veth peer name "${W}1"
	n_events 1
	[ "$(jq -r .cause watch.out)" = poll ]
}

@test "where udevd has ended, and left its socket, it says so, and scans" {
	needs_uevents
	needs_mounts
	needs jq perl
	MADE_DEVICES=yes
	printf '{"components":[{"id":"${INTERFACE}","each":true,"udev":{"SUBSYSTEM":"net","INTERFACE":"'"$W"'*"}}]}' >net.json
	cat >left <<-'END'
		mount -t tmpfs tmpfs /run/udev
		perl -MSocket -e 'socket(S, AF_UNIX, SOCK_SEQPACKET, 0) && bind(S, sockaddr_un("/run/udev/control")) or die'
		exec rejoin-watch -v --rescan 0s --settle 50ms "$@"
	END
	start watch own-mounts sh left --udev any net.json -- sh -c 'cat >>acted'
	wait_for 'grep -q monitoring watch.err'
	grep -q 'udev: systemd-udevd is not running, or runs in another network namespace: scanning for devices every 5 s' watch.err
	ip link add "${W}0" type veth peer name "${W}1"
	wait_for '[ "$(jq -r .id acted | sort | paste -sd,)" = "${W}0,${W}1" ]'
}

@test "the same with --udev alone, for components that devices do not make" {
	needs_uevents
	needs jq unshare
	devices
	printf '{"components":[{"id":"a","probe":["test","-e","/sys/class/net/%s0"]}]}' "$W" >net.json
	start watch unshare -n rejoin-watch -v --udev SUBSYSTEM=net --rescan 0s --settle 50ms net.json
	wait_for 'grep -q monitoring watch.err'
	ip link add "${W}0" type veth peer name "${W}1"
	n_events 1
	[ "$(jq -r .cause watch.out)" = poll ]
}

@test "where udev's messages do not come it says so, and scans" {
	needs_uevents
	needs jq unshare
	devices
	printf '{"components":[{"id":"a","udev":{"SUBSYSTEM":"net","INTERFACE":"'"$W"'0"}}]}' >net.json
	# sysfs shows the devices of the namespace in which it was mounted
	start watch unshare -n rejoin-watch -v --rescan 0s --settle 50ms net.json
	wait_for 'grep -q monitoring watch.err'
	grep -q 'udev: systemd-udevd is not running, or runs in another network namespace: scanning for devices every 5 s instead' watch.err
	ip link add "${W}0" type veth peer name "${W}1"
	n_events 1
	[ "$(jq -r .cause watch.out)" = poll ]
	# and where they come, nothing is said
	start other rejoin-watch -v net.json
	wait_for 'grep -q monitoring other.err'
	! grep -q 'udev:' other.err
}
