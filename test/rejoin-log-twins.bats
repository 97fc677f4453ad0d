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
