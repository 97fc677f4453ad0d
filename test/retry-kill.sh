#!/bin/bash
# Many retries to a double of the Azure agent's reader, which closes and reopens its
# pipe, is killed, and is away for a while.
#
#	retry-kill.sh RETRIES KILLS SIGNAL VICTIM
#
# RETRIES requests, one after the other, each to be delivered before the next.
# VICTIM "reader": SIGNAL ends the reader KILLS times, at any moment (KILL), or where
# it waits and so between frames (TERM).  A request that ends with 0 is sent, any
# other is kept and coalesces with the next.  What is lost is sent - read; with KILL
# at most one frame a kill, which the reader had read and not counted, and none else.
# VICTIM "retry": the process that delivers is killed instead, and a drain follows; one
# that had ended before is no kill, and the next request is killed in its place.
# Of a killed one it is not known whether it was recorded, nor whether its frame was
# written, so that the frames read are at least those that ended with 0, and at most
# one more than there were requests for each kill.
#
# B and a PATH with the tools come from the caller.  Runs in the current directory.
set -u
n=$1 kills=$2 signal=$3 victim=$4
here=$(mktemp -d "$PWD/retry-kill.XXXXXX") && cd "$here" || exit 3
mkdir -p etc/agents.d run
export REJOIN_CONFIG_DIR=$here/etc REJOIN_RUNTIME_DIR=$here/run REJOIN_STATE_DIR=$here/state
chmod 755 . etc etc/agents.d
printf '%s\n' '[retry]' 'method = fifo' "path = $here/pipe" 'frame = adu64' 'command = retry-update' \
	'debounce = 0ms' >etc/agents.d/t.conf

reader='' life=0
reader_start() {
	life=$((life + 1))
	adu-reader pipe "counts.$life" &
	reader=$!
	until [ -e "counts.$life" ] && [ -p pipe ]; do sleep 0.001; done
}
# shellcheck disable=SC2317,SC2329	# the trap calls it
leave() {
	[ -z "$reader" ] || kill -KILL "$reader" 2>/dev/null
	cd / && rm -rf "$here"
}
trap leave EXIT

# The reader ends within 3 ms from now, and is back up to 60 ms later.
reader_end() {
	sleep "0.00$((RANDOM % 3))$((RANDOM % 10))"
	kill "-$signal" "$reader"
	wait "$reader" 2>/dev/null
	sleep "0.0$((RANDOM % 6))$((RANDOM % 10))"
	reader_start
}

read_frames() { cat counts.* | awk '{ n += $1; bad += $2 + $3 } END { print n + 0, bad + 0 }'; }

sent=0 kept=0 killed=0
reader_start
for ((i = 1; i <= n || (killed < kills && i <= 3 * n); i++)); do
	if [ "$killed" -ge $((i * kills / n)) ] || [ "$killed" -eq "$kills" ]; then
		if rejoin-retry -A t 2>>err; then sent=$((sent + 1)); else kept=$((kept + 1)); fi
		continue
	fi
	if [ "$victim" = reader ]; then
		killed=$((killed + 1))
		# requests before, at and after its end, until it is back
		(for ((k = 0; k < 5; k++)); do rejoin-retry -A t 2>>err; echo $?; done >statuses) &
		requests=$!
		reader_end
		wait "$requests"
		while read -r status; do
			if [ "$status" -eq 0 ]; then sent=$((sent + 1)); else kept=$((kept + 1)); fi
		done <statuses
	else
		rejoin-retry -A t 2>>err &
		# up to a millisecond or so; to start a sleep(1) takes as long as the request
		for ((k = RANDOM % 400; k > 0; k--)); do :; done
		kill -KILL $! 2>/dev/null
		wait $! 2>/dev/null
		case $? in
		0) sent=$((sent + 1)) ;;
		137) killed=$((killed + 1)) ;;
		*) kept=$((kept + 1)) ;;
		esac
		rejoin-retry -A t --drain 2>>err || kept=$((kept + 1))
	fi
done
n=$((i - 1))
rejoin-retry -A t --drain 2>>err || exit
[ -z "$(find run/retry/t -name pending -o -name sending)" ] || { echo 'a request is left'; exit 1; }
kill -TERM "$reader"
wait "$reader" 2>/dev/null
reader=''
read -r frames bad < <(read_frames)
# what was kept was delivered with a later request, which is among those sent, or by the last drain
echo "$victim, $signal: $n requests, $sent sent, $frames frames read, $kept kept, $killed kills, $bad broken frames"
[ "$bad" -eq 0 ] && [ "$killed" -eq "$kills" ] || exit 1
lost=$((sent - frames))
if [ "$victim" = retry ]; then
	[ "$lost" -le 0 ] && [ "$frames" -le $((n + killed)) ]
elif [ "$signal" = TERM ]; then
	# the last drain may deliver one that was kept
	[ "$lost" -le 0 ] && [ "$lost" -ge -1 ]
else
	[ "$lost" -le "$killed" ] && [ "$lost" -ge -1 ]
fi
