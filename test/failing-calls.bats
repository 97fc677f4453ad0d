# shellcheck shell=bash disable=SC2016	# the walk evaluates its texts
# Each system call of a run fails once with each error it can have: what is said to be
# done is done, what is not done is said, and the next run makes it good.  A few points
# of each walk, all of them with SOAK=1.
load helper

FILES=openat,open,read,pread64,write,pwrite64,rename,renameat,renameat2,link,unlink,unlinkat,rmdir,mkdir,fchmod,chmod,fchown,ftruncate,fsync,fdatasync,fcntl,flock,fstat,newfstatat,statx,lseek,getdents64,readlink,access,faccessat,faccessat2
PROCESSES=fork,vfork,clone,clone3,wait4,waitid,pidfd_open,pidfd_send_signal,kill,setpgid,pipe2,socketpair
WAITS=poll,ppoll,epoll_create1,epoll_ctl,epoll_wait,inotify_init1,inotify_add_watch,timerfd_create,timerfd_settime,signalfd4,eventfd2,socket,connect,sendto,sendmsg,recvfrom,recvmsg,ioctl,nanosleep,clock_nanosleep

setup() {
	begin
	: >agents
}

# an agent that a restart started is no child of this shell
teardown() {
	local p
	while read -r p; do
		# a number may be another process' by now
		[ "$(tr '\0' ' ' <"/proc/$p/cmdline")" != 'sleep 1000 ' ] || kill -KILL "$p" || :
	done <agents 2>/dev/null
	end
}

# walk BEFORE COMMAND AFTER
walk() {
	needs_strace
	export -f wait_for alive
	ERRORWALK_MAX=${ERRORWALK_MAX:-6} "$TOP/test/fault/errorwalk.sh" "$FILES,$PROCESSES,$WAITS" "$@"
}

profile() { printf '%s\n' "$@" >"$REJOIN_CONFIG_DIR/agents.d/t.conf"; }

# retry_profile LINE... - its pipe is here
retry_profile() {
	profile '[retry]' 'method = fifo' "path = $PWD/pipe" 'frame = adu64' 'command = retry-update' 'debounce = 0ms' "$@"
}

# What ends with 0 was read; what was recorded is not lost; and nothing stays in the way.
retry_after() {
	local pending=$REJOIN_RUNTIME_DIR/retry/t
	[ "$walk_status" -ne 0 ] || wait_for '[ "$(cut -d" " -f1 counts)" -gt "$before" ]' 2 || return
	rejoin-retry -A t && wait_for '[ "$(cut -d" " -f1 counts)" -gt "$before" ]' 2 &&
		[ ! -e "$pending/pending" ] && [ ! -e "$pending/sending" ]
}

# bats test_tags=plain
@test "rejoin-retry: a request that ends with 0 was delivered, and the next one is" {
	retry_profile
	start reader adu-reader pipe counts
	wait_for '[ -p pipe ] && [ -e counts ]'
	export -f retry_after
	walk 'rm -rf "$REJOIN_RUNTIME_DIR/retry"; before=$(cut -d" " -f1 counts)' 'rejoin-retry -A t --reason walk' retry_after
}

# Ended with 0, it is there: the process that delivers finds it.
queue_after() {
	rejoin-retry -A t --drain || return
	[ "$walk_status" -ne 0 ] || wait_for '[ "$(cut -d" " -f1 counts)" -gt "$before" ]' 2 || return
	before=$(cut -d' ' -f1 counts)
	walk_status=1
	retry_after
}

# bats test_tags=plain
@test "rejoin-retry --queue: a request that ends with 0 is there" {
	retry_profile
	start reader adu-reader pipe counts
	wait_for '[ -p pipe ] && [ -e counts ]'
	export -f retry_after queue_after
	walk 'rm -rf "$REJOIN_RUNTIME_DIR/retry"; before=$(cut -d" " -f1 counts)' 'rejoin-retry -A t --queue --reason walk' queue_after
}

follow_after() {
	[ "$walk_status" -ne 0 ] || [ "$(cat agent/frames)" -gt "$before" ] || return
	rejoin-retry -A t --wait --timeout 10s && [ "$(cat agent/frames)" -gt "$before" ] &&
		[ -z "$(find "$REJOIN_RUNTIME_DIR/retry/t" -name pending -o -name sending)" ]
}

# bats test_tags=plain
@test "rejoin-retry --wait: its result is that of an evaluation" {
	start double agent-double "$PWD/agent"
	wait_for 'grep -q ready double.out'
	retry_profile "path = $PWD/agent/commands.fifo" '[status]' 'method = file' "path = $PWD/agent/status"
	export -f follow_after
	walk 'rm -rf "$REJOIN_RUNTIME_DIR/retry"; before=$(cat agent/frames 2>/dev/null || echo 0)' \
		'rejoin-retry -A t --wait --timeout 10s' follow_after
}

exec_after() {
	[ "$walk_status" -ne 0 ] || [ -s ran ] || return
	rejoin-retry -A t && [ -s ran ] && [ -z "$(find "$REJOIN_RUNTIME_DIR/retry/t" -name pending -o -name sending)" ]
}

# bats test_tags=plain
@test "rejoin-retry with a command: ended with 0, the command has run" {
	profile '[retry]' 'method = exec' "argv = sh -c \"echo x >>$PWD/ran\"" 'debounce = 0ms'
	export -f exec_after
	walk 'rm -rf "$REJOIN_RUNTIME_DIR/retry" ran' 'rejoin-retry -A t' exec_after
}

inventory() {
	printf '{"components":[{"id":"a","properties":{"path":"%s/usb/a","firmwareDataFile":"fw.json"}}]}' "$PWD" >inventory.json
	rejoin-watch -1 --state state.before inventory.json || :
	mkdir -p usb/a
	echo '{"version":"1.0"}' >usb/a/fw.json
}

# The arrival was acted on, or is offered again.
watch_after() {
	rejoin-watch -1 --state state inventory.json -- sh -c 'cat >>offered' >/dev/null 2>again.err || :
	grep -q 'arrived\|readable' offered || { cat again.err; return 1; }
}

# bats test_tags=plain
@test "rejoin-watch -1: an arrival is acted on, or offered again" {
	inventory
	printf '#!/bin/sh\ncat >>offered\n' >act
	chmod +x act
	export -f watch_after
	walk 'cp state.before state; : >offered' 'rejoin-watch -1 --state state inventory.json -- ./act' watch_after
}

# bats test_tags=plain
@test "rejoin-watch: it goes on, or ends with a message; an arrival is not lost" {
	inventory
	# the first that is acted on ends the watcher
	printf '#!/bin/sh\ncat >>offered\nkill -TERM $PPID\n' >act
	chmod +x act
	export -f watch_after
	walk 'cp state.before state; : >offered' \
		'rejoin-watch --rescan 1s --settle 20ms --tree usb --state state inventory.json -- ./act' watch_after
}

# The same call as before carries the cycle out, if that did not; in all it is once.
run_after() {
	local s
	[ "$walk_status" -ne 0 ] || grep -qx end log || return
	rejoin-ready run -q lamp --incarnation a1 --grace 100ms -- ./short
	s=$?
	{ [ $s = 0 ] || [ $s = 125 ]; } && ! grep -q overlap log && [ "$(grep -cx end log)" = 1 ] && [ "$(grep -cx begin log)" = 1 ]
}

# bats test_tags=plain
@test "rejoin-ready run: the cycle is carried out once" {
	needs flock
	printf '#!/bin/sh\nexec 9>once\nflock -n 9; [ $? -ne 1 ] || echo overlap >>log\necho begin >>log\necho end >>log\n' >short
	chmod +x short
	export -f run_after
	walk 'rm -rf "$REJOIN_RUNTIME_DIR/ready" "$REJOIN_STATE_DIR/ready" once; : >log; rejoin-ready announce lamp --incarnation p1' \
		'rejoin-ready run lamp --incarnation a1 --grace 100ms -- ./short' run_after
}

announce_after() {
	[ "$walk_status" -ne 0 ] || [ "$(rejoin-ready wait -q lamp --incarnation a1 --grace 10ms)" = cold-start ] || return
	rejoin-ready announce lamp --incarnation p1 && [ "$(rejoin-ready wait -q lamp --incarnation a1 --grace 10ms)" = cold-start ]
}

# bats test_tags=plain
@test "rejoin-ready announce: ended with 0, the peer is known" {
	export -f announce_after
	walk 'rm -rf "$REJOIN_RUNTIME_DIR/ready" "$REJOIN_STATE_DIR/ready"' \
		'rejoin-ready announce lamp --incarnation p1' announce_after
}

restart_count() {
	local p n=0
	while read -r p; do
		! alive "$p" || n=$((n + 1))
	done <agents
	echo "$n"
}

# One agent at most; ended with 0, it is another one than before; the next restart succeeds.
restart_after() {
	[ "$(restart_count)" -le 1 ] || { echo 'two agents'; return 1; }
	[ "$walk_status" -ne 0 ] || { [ "$(cat pid)" != "$before" ] && alive "$(cat pid)"; } || return
	before=$(cat pid)
	rejoin-restart -q -A t && [ "$(restart_count)" = 1 ] && alive "$(cat pid)" && [ "$(cat pid)" != "$before" ] &&
		[[ $(tail -1 "$REJOIN_STATE_DIR/restart/t.jsonl") == *'"status":0,'* ]]
}

# restart_part N/M - walk through that part of the points, with a directory and an agent of its own
restart_part() {
	local home=$PWD/part${1%/*}
	mkdir "$home" "$home/etc" "$home/etc/agents.d" "$home/state" "$home/run" && cd "$home" || return
	export REJOIN_CONFIG_DIR=$home/etc REJOIN_STATE_DIR=$home/state REJOIN_RUNTIME_DIR=$home/run
	printf '%s\n' '#!/bin/sh' "cd $PWD" 'echo $$ >>agents; echo $$ >pid.new; mv pid.new pid' 'exec sleep 1000' >agent
	chmod +x agent
	profile '[restart]' 'method = signal' "pid-file = $PWD/pid" "start = $PWD/agent" 'stable = 20ms' \
		'timeout = 5s' 'signal = TERM' 'grace = 1s' 'limit = 100000/1h'
	setsid ./agent </dev/null >/dev/null 2>&1 3>&- 4>&- &
	wait_for '[ -s pid ]'
	ERRORWALK_PART=$1 ERRORWALK_MAX=2 walk 'before=$(cat pid); echo "$before" >agents' 'rejoin-restart -A t' restart_after
}

# Each restart waits for others that ask, so parts of the walk run at once.  Each has its own
# pids, where that is allowed: a pid that the agents had is no other process, and all end with the first.
# bats test_tags=plain
@test "rejoin-restart: ended with 0, the agent is another one; there are never two" {
	needs_strace
	local own=(env) parts=1 bad=0 i p
	! unshare -pf --mount-proc true 2>/dev/null || own=(unshare -pf --kill-child --mount-proc)
	[ -z "${SOAK-}" ] || parts=8
	export -f restart_part restart_after restart_count profile walk needs_strace needs cannot wait_for alive
	export FILES PROCESSES WAITS TOP
	for ((i = 1; i <= parts; i++)); do
		start "part-$i" "${own[@]}" bash -c "restart_part $i/$parts"
	done
	for p in "${PIDS[@]}"; do
		wait "$p" || bad=1
	done
	PIDS=()
	cat part-*.out part-*.err
	[ "$bad" = 0 ]
}
