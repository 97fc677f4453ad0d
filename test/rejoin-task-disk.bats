#!/usr/bin/env bats
# Tasks on a disk without room: at whichever write of the agent, the shim and the
# controller it is missing, nothing is acknowledged and lost, and nothing ends well that did not.
load helper
load task

teardown() {
	end_tasks
	end
	[ ! -e disk ] || umount disk 2>/dev/null || :
}

# is_true STATUS OUT ERR - what rejoin-task said of the task, whose truth is in ./ran: "out", and status 7
is_true() {
	local n
	n=$(cat ran 2>/dev/null | wc -l)
	[ "$n" -le 1 ] || return
	case $1 in
	7) [ "$n" = 1 ] && { [ "$(cat "$2")" = out ] || grep -q 'no longer there' "$3"; } ;;
	124) grep -q 'unknown\|lost\|not known' "$3" ;;
	125 | 126) grep -q 'No space left\|no room\|cannot be recorded\|full' "$3" ;;
	*) false ;;
	esac || { echo "status $1, $n runs: $(cat "$2" "$3")"; return 1; }
}

# faulty FUNCTION N agent|controller - a task whose Nth call of FUNCTION there fails; then the same request again
faulty() {
	local id status agent=() controller=()
	rm -rf "${REJOIN_STATE_DIR:?}"/* ran
	mkdir -p "$REJOIN_STATE_DIR"
	[ "$3" = agent ] && agent=(env "LD_PRELOAD=$B/fault.so" "FAULT=$1:$2:ENOSPC")
	[ "$3" = controller ] && controller=(env "LD_PRELOAD=$B/fault.so" "FAULT=$1:$2:ENOSPC")
	start taskd "${agent[@]}" rejoin-taskd --idle 0s
	wait_for 'rejoin-task list >/dev/null 2>&1 || ! alive "$taskd_pid"'
	if ! alive "$taskd_pid"; then
		grep -q 'No space left' taskd.err || { echo "no message: $(cat taskd.err)"; return 1; }
		taskd
	fi
	id=$(($(new_id) + 60000000))
	status=0
	"${controller[@]}" timeout 40 rejoin-task run --id "$id" --keep --period 300ms --lease 20s -- \
		sh -c "echo x >>$PWD/ran; echo out; exit 7" >first.out 2>first.err || status=$?
	is_true "$status" first.out first.err || return
	# what was acknowledged is there, what was refused was not run: the same request now succeeds, or says the same
	kill_taskd
	taskd || { echo "no agent: $(cat taskd.err)"; ls -la "$REJOIN_STATE_DIR/tasks"; return 1; }
	[ "$status" != 125 ] || [ ! -e ran ] || [ "$3" = controller ] || { echo 'refused, and run'; return 1; }
	status=0
	rejoin-task run --id "$id" --period 300ms --lease 20s -- \
		sh -c "echo x >>$PWD/ran; echo out; exit 7" >again.out 2>again.err || status=$?
	is_true "$status" again.out again.err || return
	kill_taskd
	rm -f "$REJOIN_RUNTIME_DIR/taskd.sock"
}

# walk agent|controller FUNCTION... - some calls of each; more of them with SOAK=1
walk() {
	local where=$1 fn n
	shift
	for fn; do
		for n in $([ -n "${SOAK-}" ] && seq 20 || echo 1 3 6); do
			faulty "$fn" "$n" "$where" || { echo "$where, $fn number $n"; return 1; }
		done
	done
}

# bats test_tags=plain
@test "no room at a write of the agent, or of its shims" {
	walk agent write fsync mkostemp openat
}

# bats test_tags=plain,soak
@test "soak: no room at any other call of the agent" {
	walk agent mkdir rename pwrite open
}

# bats test_tags=plain
@test "no room at a write of the controller" {
	walk controller mkostemp fsync pwrite rename
}

# bats test_tags=plain,soak
@test "soak: no room at any other call of the controller" {
	walk controller mkdir open write
}

@test "a disk that fills while tasks run: their ends are true, and they can be released" {
	needs_root
	mkdir disk
	mount -t tmpfs -o size=6m tmpfs disk || cannot 'nothing can be mounted here'
	export REJOIN_STATE_DIR=$PWD/disk
	taskd
	for i in 1 2 3 4 5; do
		id[i]=$(rejoin-task run --detach -- sh -c "while [ ! -e $PWD/go ]; do sleep 0.05; done; echo x >>$PWD/ran.$i; exit $i")
	done
	wait_for '[ "$(states | sort | uniq -c | tr -s " ")" = " 5 running" ]'
	cat /dev/zero >disk/fill 2>/dev/null || :
	touch go
	wait_for '[ "$(states | grep -c ended)" = 5 ]' 20
	run -125 --separate-stderr rejoin-task run -- true
	status_is 125
	err_has 'No space left on device'
	for i in 1 2 3 4 5; do
		[ "$(agent "/1/tasks/${id[i]}" | jq .status.exit)" = "$i" ]
		[ "$(cat "ran.$i")" = x ]
	done
	kill_taskd
	start taskd rejoin-taskd --idle 0s
	wait_for '! alive "$taskd_pid" || rejoin-task list >/dev/null 2>&1'
	alive "$taskd_pid" || { grep -q 'No space left' taskd.err && rm disk/fill && taskd; }
	# there is no room to copy the history here: nothing is released, and it is said
	if [ -e disk/fill ]; then
		run --separate-stderr rejoin-task release --all
		[ "$status" -eq 0 ] || { err_has 'No space left'; [ "$(states | wc -l)" = 5 ]; }
	fi
	rm -f disk/fill
	wait_for 'rejoin-task release --all' 20
	[ "$(states)" = '' ]
	run -0 sh -c "rejoin-task history | jq -c 'select(.event == \"ended\") | .status.exit' | sort"
	out_is $'1\n2\n3\n4\n5'
	kill_taskd
	umount disk
}
