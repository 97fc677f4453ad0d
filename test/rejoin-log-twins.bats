# rejoin-log: an agent that writes the same to its file and to the journal.
load helper

setup() {
	begin
	cp -r "$TOP/packaging/formats.d" "$REJOIN_CONFIG_DIR/"
	mkdir -p bin "$REJOIN_CONFIG_DIR/agents.d"
	# as journalctl, with all entries
	printf '#!/bin/bash\ncat "%s/entries"\n' "$PWD" >bin/journalctl
	chmod +x bin/journalctl
	PATH=$PWD/bin:$PATH
	: >entries
	printf '%s\n' '[agent]' 'description = x' "user = $(id -un)" '[log.agent]' "path = $PWD/du.log" 'format = adu' \
		'[log.journal]' 'journal = du.service' 'format = adu-journal' >"$REJOIN_CONFIG_DIR/agents.d/x.conf"
}

# entry SECOND TEXT - it came to the journal at that second
entry() {
	printf '%s\n' "__CURSOR=c$((++entries_n))" "__REALTIME_TIMESTAMP=$((1795255200 + $1))000000" \
		_HOSTNAME=box SYSLOG_IDENTIFIER=AducIotAgent _PID=7 PRIORITY=6 "MESSAGE=$2" '' >>entries
}

@test "a record in file and journal is printed once, at the agent's own time" {
	printf '%s\n' '2026-11-21T10:00:01.0000Z 7[7] [I] one [f:1]' '2026-11-21T10:00:02.0000Z 7[7] [I] two [f:1]' \
		'2026-11-21T10:00:02.0000Z 7[7] [I] two [f:1]' '2026-11-21T10:00:04.0000Z 7[7] [I] four [f:1]' >du.log
	# late, and the file lacks the last one
	entry 60 '2026-11-21T10:00:01.0000Z 7[7] [I] one [f:1]'
	entry 60 '2026-11-21T10:00:02.0000Z 7[7] [I] two [f:1]'
	entry 60 '2026-11-21T10:00:02.0000Z 7[7] [I] two [f:1]'
	entry 61 '2026-11-21T10:00:03.0000Z 7[7] [I] three [f:1]'
	entry 62 'a line of another kind'
	for state in '' --save-state=s; do
		# shellcheck disable=SC2086	# none or one word
		run --separate-stderr rejoin-log -A x $state
		status_is 0
		[ "$(grep -o 'one\|two\|three\|four\|another' <<<"$output" | xargs)" = 'one two two three four another' ]
	done
}

@test "a record of several lines is printed once" {
	printf '%s\n' '2026-11-21T10:00:01.0000Z 7[7] [I] Selected:' 'a' 'b [f:1]' '2026-11-21T10:00:04.0000Z 7[7] [I] four [f:1]' >du.log
	entry 1 '2026-11-21T10:00:01.0000Z 7[7] [I] Selected:'
	entry 1 'a'
	entry 1 'b [f:1]'
	entry 5 'b'
	run --separate-stderr rejoin-log -A x
	status_is 0
	[ "$(grep -c Selected <<<"$output")" = 1 ]
	[ "$(grep -c '^a$\|: a$' <<<"$output")" = 1 ]
	[ "$(grep -c ': b$' <<<"$output")" = 1 ]
}

# three in the file and one of them in the journal; the other two copies come later
half_a_copy() {
	printf '%s\n' '2026-11-21T10:00:01.0000Z 7[7] [I] one [f:1]' '2026-11-21T10:00:02.0000Z 7[7] [I] two [f:1]' \
		'2026-11-21T10:00:03.0000Z 7[7] [I] three [f:1]' >du.log
	entry 1 '2026-11-21T10:00:01.0000Z 7[7] [I] one [f:1]'
}

@test "a copy that comes after a restart is not printed" {
	# journalctl goes on behind the cursor that it is given
	cat >bin/journalctl <<-SH
		#!/bin/bash
		for a; do [[ \$a != --after-cursor=* ]] || after=\${a#*=}; done
		awk -v after="\${after-}" 'BEGIN { RS = ""; on = after == "" } on { print; print "" } \$1 == "__CURSOR=" after { on = 1 }' \
			"$PWD/entries"
	SH
	half_a_copy
	run --separate-stderr rejoin-log -A x --save-state s
	[ "$(grep -o 'one\|two\|three' <<<"$output" | xargs)" = 'one two three' ]
	entry 60 '2026-11-21T10:00:02.0000Z 7[7] [I] two [f:1]'
	entry 60 '2026-11-21T10:00:03.0000Z 7[7] [I] three [f:1]'
	# said twice in the journal, once in the file: the second one is another
	entry 60 '2026-11-21T10:00:03.0000Z 7[7] [I] three [f:1]'
	entry 61 '2026-11-21T10:00:04.0000Z 7[7] [I] four [f:1]'
	run --separate-stderr rejoin-log -A x --save-state s
	[ "$(grep -o 'one\|two\|three\|four' <<<"$output" | xargs)" = 'three four' ]
	# the other way round: the journal was first, the file's copy comes later
	echo '2026-11-21T10:00:04.0000Z 7[7] [I] four [f:1]' >>du.log
	echo '2026-11-21T10:00:05.0000Z 7[7] [I] five [f:1]' >>du.log
	run --separate-stderr rejoin-log -A x --save-state s
	[ "$(grep -o 'one\|two\|three\|four\|five' <<<"$output" | xargs)" = five ]
	[ "$(stat -c %a s)" = 600 ]
}

@test "followed and killed at random, each record of file and journal comes once" {
	local runs=3 i k n=300 got
	[ -z "${SOAK-}" ] || runs=100
	# journalctl that follows: entries come while it runs, behind the cursor that it is given
	cat >bin/journalctl <<-SH
		#!/bin/bash
		for a; do [[ \$a != --after-cursor=* ]] || after=\${a#*=}; done
		[[ \$* == *--follow* ]] && exec tail -n +1 -s 0.1 --pid="\$PPID" -f "$PWD/entries" | awk -v after="\${after-}" \
			'BEGIN { RS = ""; on = after == "" } on { print; print ""; fflush() } \$1 == "__CURSOR=" after { on = 1 }'
		awk -v after="\${after-}" 'BEGIN { RS = ""; on = after == "" } on { print; print "" } \$1 == "__CURSOR=" after { on = 1 }' \
			"$PWD/entries"
	SH
	for ((i = 1; i <= runs; i++)); do
		rm -f s out du.log
		: >entries
		entries_n=0
		: >du.log
		# the file's line and the journal's, either first
		start writer awk -v n="$n" -v seed="$i" -v file="$PWD/du.log" -v journal="$PWD/entries" 'BEGIN {
			srand(seed)
			for (k = 1; k <= n; k++) {
				line = sprintf("2026-11-21T10:%02d:%02d.0000Z 7[7] [I] number %d [f:1]", k / 60, k % 60, k)
				e = sprintf("__CURSOR=c%d\n__REALTIME_TIMESTAMP=%d000000\n_HOSTNAME=box\nSYSLOG_IDENTIFIER=AducIotAgent\n_PID=7\nPRIORITY=6\nMESSAGE=%s\n\n", \
					k, 1795255200 + k, line)
				if (rand() < 0.5) { printf "%s\n", line >>file; fflush(file); pending = pending e }
				else { printf "%s", e >>journal; fflush(journal); late = late line "\n" }
				if (rand() < 0.2) {
					printf "%s", pending >>journal; printf "%s", late >>file
					pending = late = ""
					fflush(journal); fflush(file)
					system("sleep 0.02")
				}
			}
			printf "%s", pending >>journal; printf "%s", late >>file
		}'
		while alive "$writer_pid"; do
			start reader sh -c 'exec rejoin-log -f -A x --save-state s >>out'
			k=$((RANDOM % 20))
			# a random while, however slow the machine is
			wait_for '[ $((k--)) -le 0 ] || ! alive $writer_pid' >/dev/null || :
			# its journalctl, too, once it leads a group
			kill -KILL -- "-$reader_pid" 2>/dev/null || kill -KILL "$reader_pid"
			wait "$reader_pid" || :
		done
		rejoin-log -A x --save-state s >>out
		got=$(grep -o 'number [0-9]*' out | sort | uniq -c | awk '$1 != 1' | wc -l)
		[ "$(grep -o 'number [0-9]*' out | sort -u | wc -l)" = "$n" ] && [ "$got" = 0 ] || {
			echo "run $i: $got numbers not once"
			grep -o 'number [0-9]*' out | sort | uniq -c | awk '$1 != 1' | head
			return 1
		}
	done
}
