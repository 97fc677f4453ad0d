#!/bin/bash
# Kill the task agent, controllers, and shims at random while tasks run, and
# account for every task: task-kill.sh TASKS KILLS [SEED]
#
# Each task appends a line to a file of its own, writes 200 numbered lines and
# ends with its own status.  A controller that was killed is started again with
# the same id.  Printed at the end: how many tasks had their true status, how
# many are unknown (only a shim that was killed may lead to that), and how many
# were executed twice (none may be).  Status 0 if all is as promised.
set -u
tasks=$1 kills=$2
RANDOM=${3:-$$}
dir=$(mktemp -d "${TMPDIR:-/tmp}/rejoin-kill.XXXXXX") || exit
export REJOIN_STATE_DIR=$dir/state REJOIN_RUNTIME_DIR=$dir/run REJOIN_CONFIG_DIR=$dir/etc
mkdir "$dir/state" "$dir/run" "$dir/etc" "$dir/ran" "$dir/out"
activator=0
declare -A status
: "${LEASE:=20s}"
lease=$LEASE

# the agent is started by its socket, as by systemd
start_activator() {
	activator "$dir/run/taskd.sock" rejoin-taskd --idle 0s 2>>"$dir/taskd.err" &
	activator=$!
	until rejoin-task list >/dev/null 2>&1; do sleep 0.02; done
}
kill_taskd() {
	local p
	p=$(cat "$dir/run/taskd.sock.pid" 2>/dev/null) && kill -KILL "$p" 2>/dev/null && killed_taskd=$((killed_taskd + 1))
}
# task I - its controller, which may be killed and started again; its output begins anew each
# time.  Its pid and status are kept in files: a pid is used again, and bash forgets statuses.
start_controller() {
	rm -f "$dir/out/$1.status"
	(
		rejoin-task run --id "${id[$1]}" --period 300ms --lease "$lease" -- sh -c \
			"echo x >>$dir/ran/$1; for i in \$(seq 200); do echo \$i; [ \$((i % 20)) -ne 0 ] || sleep 0.0$(($1 % 9 + 1)); done; exit $(($1 % 100))" \
			>"$dir/out/$1" 2>"$dir/out/$1.err" &
		echo $! >"$dir/out/$1.pid"
		wait $!
		echo $? >"$dir/out/$1.status.new"
		mv "$dir/out/$1.status.new" "$dir/out/$1.status"
	) &
	until [ -s "$dir/out/$1.pid" ]; do sleep 0.005; done
}

# kill_controller - one that has not ended, which i is set to; false where there is none
kill_controller() {
	pick_controller || return
	kill -KILL "$(cat "$dir/out/$i.pid")" || return
	until [ -e "$dir/out/$i.status" ]; do sleep 0.005; done
	rm "$dir/out/$i.pid"
	killed_controllers=$((killed_controllers + 1))
}

# pick_controller - set i to one that has not ended; false where there is none
pick_controller() {
	local alive=()
	for ((i = 0; i < next; i++)); do
		[ -e "$dir/out/$i.status" ] || alive+=("$i")
	done
	[ ${#alive[@]} -gt 0 ] && i=${alive[RANDOM % ${#alive[@]}]}
}

# kill_shim - of a task that was started and has not ended
kill_shim() {
	local s p alive=()
	for s in "$dir"/state/tasks/*/started; do
		[ -e "${s%started}status" ] || alive+=("$s")
	done
	[ ${#alive[@]} -gt 0 ] || return
	s=${alive[RANDOM % ${#alive[@]}]}
	p=$(jq -r .shim "$s")
	grep -qs rejoin-shim "/proc/$p/comm" || return
	kill -KILL "$p" || return
	killed_shims=$((killed_shims + 1))
	shim_killed[$(basename "${s%/started}")]=1
}

clean_up() {
	local r
	local i
	kill "$activator" 2>/dev/null
	for ((i = 0; i < next; i++)); do
		[ -e "$dir/out/$i.status" ] || kill "$(cat "$dir/out/$i.pid")" 2>/dev/null
	done
	for r in "$dir"/state/tasks/*/started; do
		[ ! -e "$r" ] || kill -KILL "$(jq .shim "$r")" 2>/dev/null
	done
	wait 2>/dev/null
	[ -n "${KEEP-}" ] || rm -rf "$dir"
}
trap clean_up EXIT

start_activator
declare -a id
base=$(($(date +%s%3N) * 1000 + 10000000))
killed_taskd=0 killed_controllers=0 killed_shims=0
declare -A shim_killed
next=0 k=0
while [ "$next" -lt "$tasks" ] || [ "$k" -lt "$kills" ]; do
	# so many between two kills that there is something to kill until the last one
	for ((n = 0; n < (tasks + kills - 1) / kills; n++)); do
		[ "$next" -lt "$tasks" ] || break
		id[next]=$((base + next))
		start_controller "$next"
		next=$((next + 1))
	done
	sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
	[ "$k" -lt "$kills" ] || continue
	k=$((k + 1))
	case $((RANDOM % 8)) in
	0 | 1 | 2) kill_taskd ;;
	3)
		# both at once
		kill_controller || continue
		kill_taskd
		start_controller "$i"
		;;
	7)
		kill_shim
		;;
	*)
		kill_controller || continue
		start_controller "$i"
		;;
	esac
done 2>/dev/null

true_status=0 unknown=0 refused=0 twice=0 wrong=0 output_wrong=0
for ((i = 0; i < tasks; i++)); do
	until [ -e "$dir/out/$i.status" ]; do sleep 0.02; done
	status[$i]=$(cat "$dir/out/$i.status")
	ran=$(wc -l 2>/dev/null <"$dir/ran/$i" || echo 0)
	[ "$ran" -le 1 ] || twice=$((twice + 1))
	if [ "${status[$i]}" -eq 124 ] && [ -n "${shim_killed[${id[$i]}]-}" ]; then
		unknown=$((unknown + 1))
	elif [ "${status[$i]}" -eq $((i % 100)) ] && [ "$ran" -eq 1 ]; then
		true_status=$((true_status + 1))
		seq 200 | cmp -s - "$dir/out/$i" || output_wrong=$((output_wrong + 1))
	elif [ "${status[$i]}" -eq 125 ] && grep -q 'was released' "$dir/out/$i.err"; then
		# the killed controller had released it, and did not live to say so: the history knows
		want=$((i % 100))
		# another controller may be writing its last line
		if grep -q "\"task\":${id[$i]},.*\"event\":\"ended\".*\"exit\":${want}[,}]" \
			"$dir"/state/controller/local/history.jsonl; then
			true_status=$((true_status + 1))
		else
			wrong=$((wrong + 1))
			echo "task $i: released, and its end is not in the history"
			jq -c "select(.task == ${id[$i]})" "$dir"/state/controller/local/history.jsonl "$dir"/state/tasks/history.jsonl
		fi
	elif [ "${status[$i]}" -eq 125 ] && [ "$ran" -eq 0 ]; then
		refused=$((refused + 1))	# no agent that lived long enough: it says that it was not submitted
	else
		wrong=$((wrong + 1))
		echo "task $i: status ${status[$i]}, executed $ran times: $(cat "$dir/out/$i.err")"
	fi
done
double=$(jq .id "$dir"/state/controller/local/history.jsonl | sort | uniq -d | wc -l)
echo "$tasks tasks; killed: agent $killed_taskd, controllers $killed_controllers, shims $killed_shims;" \
	"true status $true_status, unknown $unknown, not submitted $refused, wrong $wrong, executed twice $twice," \
	"output not whole $output_wrong, history records adopted twice $double"
[ $((wrong + twice + output_wrong + double)) -eq 0 ]
