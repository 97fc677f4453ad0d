#!/bin/bash
# Many retries to a double of the Azure agent's reader, which closes and reopens its
# pipe, is killed, and is away for a while.
#
#	retry-kill.sh RETRIES KILLS SIGNAL VICTIM
#
# RETRIES requests, one after the other, each to be delivered before the next.
# VICTIM "reader": SIGNAL ends the reader KILLS times, at any moment (KILL), or where
# it waits and so between frames (TERM).  VICTIM "retry": the process that delivers is
# killed instead, and a drain follows; one that had ended before is no kill, and the
# next request is killed in its place.
#
# What is counted, whatever becomes of the process:
#
#	sent	deliveries that were begun: each claims the request by a rename, before its
#		frame is written, and a drain delivers once more what a killed process claimed
#	kept	deliveries that failed, and gave the request back by a rename
#	read	whole frames that the reader counted
#
# So sent - read - kept is the number of frames that were lost: one that the reader
# had read and not counted when it was killed, or one that the killed process had not
# written yet.  It is at least 0, at most KILLS, and 0 with TERM.
#
# B and a PATH with the tools come from the caller.  Runs in the current directory.
set -u
n=$1 kills=$2 signal=$3 victim=$4
here=$(mktemp -d "$PWD/retry-kill.XXXXXX") && cd "$here" || exit 3
mkdir -p etc/agents.d run
export REJOIN_CONFIG_DIR=$here/etc REJOIN_RUNTIME_DIR=$here/run REJOIN_STATE_DIR=$here/state
mkdir -p run/retry/t
chmod 755 . etc etc/agents.d run run/retry run/retry/t
printf '%s\n' '[retry]' 'method = fifo' "path = $here/pipe" 'frame = adu64' 'command = retry-update' \
	'debounce = 0ms' >etc/agents.d/t.conf

reader='' life=0 moves=''
reader_start() {
	life=$((life + 1))
	adu-reader pipe "counts.$life" &
	reader=$!
	until [ -e "counts.$life" ] && [ -p pipe ]; do sleep 0.001; done
}
# shellcheck disable=SC2317,SC2329	# the trap calls it
leave() {
	[ -z "$reader" ] || kill -KILL "$reader" 2>/dev/null
	[ -z "$moves" ] || kill "$moves" 2>/dev/null
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

# with both, as the kernel merges an event with an equal one before it
inotifywait -m -e moved_from,moved_to --format '%e %f' run/retry/t >moves 2>moves.err &
moves=$!
until grep -q established moves.err; do sleep 0.01; done

ended=0 failed=0 killed=0 repeated=0
reader_start
for ((i = 1; i <= n || (killed < kills && i <= 3 * n); i++)); do
	if [ "$killed" -ge $((i * kills / n)) ] || [ "$killed" -eq "$kills" ]; then
		if rejoin-retry -A t 2>>err; then ended=$((ended + 1)); else failed=$((failed + 1)); fi
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
			if [ "$status" -eq 0 ]; then ended=$((ended + 1)); else failed=$((failed + 1)); fi
		done <statuses
	else
		rejoin-retry -A t 2>>err &
		# up to a millisecond or so; to start a sleep(1) takes as long as the request
		for ((k = RANDOM % 400; k > 0; k--)); do :; done
		kill -KILL $! 2>/dev/null
		wait $! 2>/dev/null
		case $? in
		0) ended=$((ended + 1)) ;;
		137) killed=$((killed + 1)) ;;
		*) failed=$((failed + 1)) ;;
		esac
		# delivered once more, and no rename claims it
		[ ! -e run/retry/t/sending ] || [ -e run/retry/t/pending ] || repeated=$((repeated + 1))
		rejoin-retry -A t --drain 2>>err || failed=$((failed + 1))
	fi
done
n=$((i - 1))
rejoin-retry -A t --drain 2>>err || exit
[ -z "$(find run/retry/t -name pending -o -name sending)" ] || { echo 'a request is left'; exit 1; }
kill -TERM "$reader"
wait "$reader" 2>/dev/null
reader=''
read -r frames bad < <(read_frames)
# the renames are all seen when the last one is
: >end
mv end run/retry/t/end
until grep -q ' end$' moves; do sleep 0.01; done
sent=$(($(grep -c 'MOVED_TO sending' moves) + repeated))
kept=$(grep -c 'MOVED_TO pending' moves)
lost=$((sent - frames - kept))
echo "$victim, $signal: $n requests and more, $ended ended with 0, $failed failed; $sent sent, $frames read, $kept kept," \
	"$lost lost by $killed kills; $bad broken frames"
[ "$bad" -eq 0 ] && [ "$killed" -eq "$kills" ] || exit 1
[ "$lost" -ge 0 ] && [ "$lost" -le "$killed" ] && { [ "$signal" = KILL ] || [ "$lost" -eq 0 ]; } || exit 1
# what ended with 0 was read, but for those lost
[ $((ended - frames)) -le "$lost" ]
