#!/bin/bash
# Kill a command at each of its system calls that change something, one run a
# call, and see each time that what comes after makes it good.
#
#	killwalk.sh CALLS BEFORE COMMAND AFTER
#
# CALLS are strace's, by commas; the process dies before the call.  COMMAND is
# words, BEFORE and AFTER are shell text; AFTER must succeed.  KILLWALK_MAX
# evenly spaced points at most (16), from one that differs from run to run, and
# all of them with SOAK=1.  KILLWALK_FOLLOW is -f, or empty where the processes
# that COMMAND starts are to be left alone.
set -u
# shellcheck source=/dev/null
. "$(dirname "$0")/points.bash"
walk_calls=$1 walk_before=$2 walk_command=$3 walk_after=$4
: "${KILLWALK_MAX:=16}" "${KILLWALK_FOLLOW=-f}"
log=$(mktemp) || exit
trap 'rm -f "$log"' EXIT

eval "$walk_before"
# shellcheck disable=SC2086	# the command is words
strace $KILLWALK_FOLLOW -qq -e trace="$walk_calls" -o "$log" $walk_command || exit
eval "$walk_after" || { echo "killwalk: fails without a kill"; exit 1; }

points=$(walk_points "$log")
total=$(wc -l <<<"$points")
step=$(walk_step "$total" "$KILLWALK_MAX")

killed=0
for ((i = 1 + RANDOM % step; i <= total; i += step)); do
	read -r name n < <(sed -n "${i}p" <<<"$points")
	eval "$walk_before"
	# shellcheck disable=SC2086
	{ strace $KILLWALK_FOLLOW -qq -o /dev/null -e trace="$name" -e inject="$name:signal=KILL:when=$n" \
		$walk_command; } 2>/dev/null
	# strace dies of what its tracee died of; an earlier end means fewer calls this time
	[ $? -ne 137 ] || killed=$((killed + 1))
	eval "$walk_after" && continue
	echo "killwalk: not made good after the kill at call $i of $total, $name number $n"
	exit 1
done
echo "killwalk: killed $killed times, at $total calls"
[ "$killed" -ge $((total / step / 2)) ] && [ "$killed" -gt 0 ]
