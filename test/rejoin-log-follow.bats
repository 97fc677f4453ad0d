# rejoin-log that goes on, as its users see it.
load helper

setup() {
	begin
	cp -r "$TOP/packaging/formats.d" "$TOP/packaging/rules.d" "$REJOIN_CONFIG_DIR/"
	cat >messages.conf <<-'CONF'
		[m]
		kind = message
		send = tx=(?<id>\w+)
		recv = rx=(?<id>\w+)
	CONF
}

# has FILE TEXT...: these lines, in this order, and no others
has() {
	local file=$1
	shift
	wait_for "[ \"\$(wc -l <$file)\" -ge $# ]" 30 || { cat "$file" "${file%.out}.err"; return 1; }
	diff -u <(printf '%s\n' "$@") "$file"
}

# at SECOND TEXT: a line of a log
at() { printf '2026-11-21T10:00:%sZ %s\n' "$1" "$2"; }

@test "what is there is merged, and then what comes, as it comes" {
	at 00 a1 >a.log
	at 02 a2 >>a.log
	at 01 b1 >b.log
	start log rejoin-log -f a.log b.log
	has log.out "$(at 00 a1)" "$(at 01 b1)" "$(at 02 a2)"
	at 03 b2 >>b.log
	has log.out "$(at 00 a1)" "$(at 01 b1)" "$(at 02 a2)" "$(at 03 b2)"
	at 04 a3 >>a.log
	has log.out "$(at 00 a1)" "$(at 01 b1)" "$(at 02 a2)" "$(at 03 b2)" "$(at 04 a3)"
	[ ! -s log.err ]
}

@test "a line is printed when it is whole" {
	printf '2026-11-21T10:00:00Z a' >a.log
	start log rejoin-log -f a.log
	at 01 b1 >b.log
	echo 1 >>a.log
	has log.out "$(at 00 a1)"
}

@test "a file is followed through every way of rotating it" {
	at 00 a0 >a.log
	start log rejoin-log -f a.log
	has log.out "$(at 00 a0)"
	# renamed, and its writer goes on for a while
	mv a.log a.log.1
	at 01 a1 >>a.log.1
	has log.out "$(at 00 a0)" "$(at 01 a1)"
	at 02 a2 >a.log
	has log.out "$(at 00 a0)" "$(at 01 a1)" "$(at 02 a2)"
	# copied and truncated, with a line that was not read yet
	kill -STOP "$log_pid"
	at 03 a3 >>a.log
	cp a.log a.log.1
	: >a.log
	at 04 a4 >>a.log
	kill -CONT "$log_pid"
	has log.out "$(at 00 a0)" "$(at 01 a1)" "$(at 02 a2)" "$(at 03 a3)" "$(at 04 a4)"
	# removed, and made again; twice rotated while it was stopped
	rm a.log
	at 05 a5 >a.log
	has log.out "$(at 00 a0)" "$(at 01 a1)" "$(at 02 a2)" "$(at 03 a3)" "$(at 04 a4)" "$(at 05 a5)"
	kill -STOP "$log_pid"
	at 06 a6 >>a.log
	mv a.log a.log.2
	at 07 a7 >a.log.1
	at 08 a8 >a.log
	kill -CONT "$log_pid"
	has log.out "$(at 00 a0)" "$(at 01 a1)" "$(at 02 a2)" "$(at 03 a3)" "$(at 04 a4)" "$(at 05 a5)" \
		"$(at 06 a6)" "$(at 07 a7)" "$(at 08 a8)"
	[ ! -s log.err ]
}

@test "a torn last line of a file that was replaced gets a newline" {
	at 00 first >a.log
	start log rejoin-log -f a.log
	has log.out "$(at 00 first)"
	printf '2026-11-21T10:00:01Z torn' >>a.log
	mv a.log a.log.1
	at 02 whole >a.log
	has log.out "$(at 00 first)" "$(at 01 torn)" "$(at 02 whole)"
}

@test "a truncated file is read from its beginning, and that is a gap" {
	at 00 a1 >a.log
	at 01 a2 >>a.log
	start log rejoin-log -f --json a.log
	wait_for '[ "$(wc -l <log.out)" -eq 2 ]'
	at 02 a3 >a.log
	wait_for '[ "$(wc -l <log.out)" -eq 3 ]'
	[ "$(jq -r .mark log.out)" = "$(printf 'null\nnull\ngap')" ]
	grep -q 'was truncated' log.err
}

@test "a file that is not there yet is waited for" {
	start log rejoin-log -f a.log
	wait_for 'grep -q "a.log: is not there yet" log.err'
	at 00 a1 >a.log
	has log.out "$(at 00 a1)"
}

@test "files that were rotated by date are read in the order of their dates" {
	at 00 a >a.log
	rejoin-log --save-state state a.log >>out
	mv a.log a.log-20261120
	at 01 b >a.log-20261121
	at 02 c >a.log
	touch -d 2026-11-20T23:00:00Z a.log-20261120 a.log-20261121
	rejoin-log --save-state state a.log >>out
	has out "$(at 00 a)" "$(at 01 b)" "$(at 02 c)"
}

@test "however many files it was, a file is followed" {
	for i in {1..250}; do at 00 "old $i" >"a.log.$i"; done
	at 01 a >a.log
	start log rejoin-log -f a.log
	has log.out "$(at 01 a)"
	mv a.log a.log.251
	at 02 b >a.log
	has log.out "$(at 01 a)" "$(at 02 b)"
}

@test "files that come to match a pattern join, rotated ones do not" {
	mkdir logs
	at 00 a1 >logs/a.log
	start log rejoin-log -f 'logs/*.log*'
	has log.out "$(at 00 a1)"
	at 01 b1 >logs/b.log
	has log.out "$(at 00 a1)" "$(at 01 b1)"
	mv logs/a.log logs/a.log.1
	at 02 a2 >logs/a.log
	has log.out "$(at 00 a1)" "$(at 01 b1)" "$(at 02 a2)"
	at 03 b2 >>logs/b.log
	has log.out "$(at 00 a1)" "$(at 01 b1)" "$(at 02 a2)" "$(at 03 b2)"
	start other rejoin-log -f 'none/*.log'
	mkdir none
	at 04 c1 >none/c.log
	has other.out "$(at 04 c1)"
}

@test "where inotify does not work, files are polled" {
	needs_strace
	at 00 a1 >a.log
	start log strace -f -o /dev/null -e inject=inotify_add_watch:error=ENOSPC "$B/bin/rejoin-log" -f a.log
	has log.out "$(at 00 a1)"
	at 01 a2 >>a.log
	has log.out "$(at 00 a1)" "$(at 01 a2)"
	mv a.log a.log.1
	at 02 a3 >a.log
	has log.out "$(at 00 a1)" "$(at 01 a2)" "$(at 02 a3)"
}

@test "a receipt waits for what was sent, and everything else goes on" {
	: >a.log
	: >b.log
	start log rejoin-log -f --patience 20s --rules messages.conf a.log b.log
	at 01 'gets rx=7' >>a.log
	at 02 other >>b.log
	has log.out "$(at 02 other)"
	at 03 'sends tx=7' >>b.log
	has log.out "$(at 02 other)" "$(at 03 'sends tx=7')" "$(at 01 'gets rx=7')"
}

@test "what waits in vain is unmatched, what comes too late is late, and both are counted" {
	: >a.log
	: >b.log
	start log rejoin-log -f --json --patience 300ms --rules messages.conf a.log b.log
	at 01 'gets rx=7' >>a.log
	wait_for '[ "$(wc -l <log.out)" -eq 1 ]'
	at 03 'other' >>b.log
	wait_for '[ "$(wc -l <log.out)" -eq 2 ]'
	at 02 'sends tx=7' >>b.log
	at 01 'and behind' >>b.log
	wait_for '[ "$(wc -l <log.out)" -eq 4 ]'
	[ "$(jq -r .mark log.out | tr '\n' ' ')" = 'unmatched null late behind ' ]
	kill -USR1 "$log_pid"
	wait_for 'grep -q "are held" log.err'
	grep -q '4 records, 1 unmatched, 1 late,' log.err
	grep -q '1 came behind' log.err
	grep -q '0 records are held' log.err
}

@test "a cycle is broken, not waited for for ever" {
	: >a.log
	: >b.log
	start log rejoin-log -f --json --rules messages.conf a.log b.log
	{ at 01 'rx=1'; at 01 'tx=2'; } >>a.log
	{ at 01 'rx=2'; at 01 'tx=1'; } >>b.log
	wait_for '[ "$(wc -l <log.out)" -eq 4 ]'
	grep -q 'a cycle' log.err
	[ "$(jq -r .mark log.out | grep -c cycle)" -eq 1 ]
}

@test "with --hold, an earlier record that comes later stands first" {
	: >a.log
	: >b.log
	start log rejoin-log -f --hold 2s a.log b.log
	at 02 a >>a.log
	at 01 b >>b.log
	has log.out "$(at 01 b)" "$(at 02 a)"
}

@test "a signal has it print what it holds" {
	at 00 first >a.log
	: >b.log
	start log rejoin-log -f --patience 1h --rules messages.conf a.log b.log
	has log.out "$(at 00 first)"
	at 01 'gets rx=7' >>a.log
	at 02 'after it' >>a.log
	wait_for 'kill -USR1 $log_pid; grep -q " 2 records are held" log.err'
	kill -TERM "$log_pid"
	has log.out "$(at 00 first)" "$(at 01 'gets rx=7')" "$(at 02 'after it')"
	status=0
	wait "$log_pid" || status=$?
	[ "$status" -eq 143 ]
}

@test "it exits when the reader of its output has gone, even with nothing more to print" {
	at 00 first >a.log
	run --separate-stderr timeout 30 bash -o pipefail -c 'rejoin-log -f a.log | head -n 1'
	status_is 141
	out_is "$(at 00 first)"
	run --separate-stderr timeout 30 bash -o pipefail -c 'trap "" PIPE; rejoin-log -f a.log | head -n 1'
	status_is 3
	err_has 'standard output: Broken pipe'
}

@test "the buffer bounds what is held" {
	at 00 first >a.log
	: >b.log
	start log rejoin-log -f --buffer 64K --patience 1h --rules messages.conf a.log b.log
	{
		at 01 'gets rx=7'
		for i in $(seq 2000); do at 02 "and $i 0123456789012345678901234567890123456789"; done
	} >>a.log
	wait_for '[ "$(wc -l <log.out)" -eq 2002 ]' 30
	kill -TERM "$log_pid"
	wait_for 'grep -q "1 released early" log.err' || { cat log.err; return 1; }
}

@test "a FIFO goes on with its next writer, a pipe ends" {
	mkfifo fifo
	start log rejoin-log -f fifo
	at 01 one >fifo
	has log.out "$(at 01 one)"
	printf '2026-11-21T10:00:02Z torn' >fifo
	has log.out "$(at 01 one)" "$(at 02 torn)"
	at 03 three >fifo
	has log.out "$(at 01 one)" "$(at 02 torn)" "$(at 03 three)"
	at 01 b1 >b
	at 02 a1 >a
	run --separate-stderr rejoin-log -f <(cat a) <(cat b)
	status_is 0
	[ "$(sort <<<"$output")" = "$(at 01 b1; at 02 a1)" ]
	run --separate-stderr rejoin-log -f - <a
	status_is 0
	out_is "$(at 02 a1)"
	gzip -k a
	run --separate-stderr rejoin-log -f a.gz
	out_is "$(at 02 a1)"
}

@test "--lines shows the end of what is there, and all that comes" {
	for i in 1 2 3 4 5; do at 0$i a$i; done >a.log
	start log rejoin-log -f -n 2 a.log
	has log.out "$(at 04 a4)" "$(at 05 a5)"
	at 06 a6 >>a.log
	has log.out "$(at 04 a4)" "$(at 05 a5)" "$(at 06 a6)"
}

@test "lines without a time belong to the record before them" {
	: >a.log
	start log rejoin-log -f --json a.log
	printf '2026-11-21T10:00:01Z trace\n  at x\n  at y\n' >>a.log
	wait_for '[ "$(wc -l <log.out)" -eq 1 ]'
	[ "$(jq -r .text log.out)" = "$(printf '2026-11-21T10:00:01Z trace\n  at x\n  at y')" ]
}

@test "nothing is done while nothing comes" {
	needs_strace
	at 00 a1 >a.log
	at 00 b1 >b.log
	mkfifo fifo
	start log strace -f -o trace "$B/bin/rejoin-log" -f a.log b.log fifo 'x*.log'
	wait_for '[ "$(wc -l <log.out)" -eq 2 ]'
	wait_for 'tail -n1 trace | grep -q "poll(.*, -1\$"' 20
	# Names that others make in the directories above, and mounts, do come: inotify and mountinfo report them.
	local events mounts n before
	events=$(sed -n 's/.*inotify_init1(.*) = \([0-9]*\)$/\1/p' trace)
	mounts=$(sed -n 's/.*mountinfo".*) = \([0-9]*\)$/\1/p' trace | head -n1)
	# That nothing happens is what is asked, ten seconds long in a soak; what came is no answer.
	for ((n = 0; n < 20; n++)); do
		before=$(wc -l <trace)
		wait_for false "$((SOAK ? 10 : 1))" >/dev/null || :
		[ "$(wc -l <trace)" -ne "$before" ] || return 0
		tail -n "+$before" trace | grep -Eq "poll\(.* = [0-9]+ \(\[\{fd=($events|${mounts:-none}), revents" || break
		wait_for 'tail -n1 trace | grep -q "poll(.*, -1\$"' 20
	done
	tail -n "+$before" trace
	return 1
}

@test "--save-state goes on where the run before was" {
	at 00 a1 >a.log
	at 01 b1 >b.log
	run --separate-stderr rejoin-log --save-state st a.log b.log
	status_is 0
	out_is "$(at 00 a1; at 01 b1)"
	run --separate-stderr rejoin-log --save-state st a.log b.log
	status_is 0
	out_is ''
	at 02 a2 >>a.log
	printf '2026-11-21T10:00:03Z b' >>b.log
	run --separate-stderr rejoin-log --save-state st a.log b.log
	out_is "$(at 02 a2)"
	at 04 a3 >>a.log
	mv a.log a.log.1
	at 05 a4 >a.log
	echo 2 >>b.log
	cp b.log b.log.1
	at 06 b3 >b.log
	run --separate-stderr rejoin-log --save-state st a.log b.log
	out_is "$(at 03 b2; at 04 a3; at 05 a4; at 06 b3)"
	rm b.log b.log.1
	at 07 b4 >b.log
	run --separate-stderr rejoin-log --save-state st --prefix=always a.log b.log
	out_is "b.log | [gap] $(at 07 b4)"
	err_has 'something may be missing'
}

# every_number_once N HOW...: a writer of N numbered lines, rotated every 50 ms; a reader killed and resumed at random
every_number_once() {
	local n=$1 kills=0 i
	shift
	mkdir w
	start reader sh -c 'exec rejoin-log -f --save-state st w/app.log >>out'
	wait_for '[ -s st ]'
	start writer log-writer w/app.log "$n" "$@"
	while alive "$writer_pid"; do
		i=$((RANDOM % 25))
		wait_for '[ $((i--)) -le 0 ] || ! alive $writer_pid' >/dev/null || :
		kill -KILL "$reader_pid"
		wait "$reader_pid" || :
		kills=$((kills + 1))
		start reader sh -c 'exec rejoin-log -f --save-state st w/app.log >>out'
	done
	kill -KILL "$reader_pid"
	wait "$reader_pid" || :
	rejoin-log --save-state st w/app.log >>out
	sed 's/.* line 0*//' out >got
	seq "$n" | diff -q - got || {
		echo "killed $kills times; missing: $(seq "$n" | sort | comm -23 - <(sort -u got) | wc -l)," \
			"twice: $(sort got | uniq -d | wc -l), state: $(cat st)"
		return 1
	}
}

# once_in_all_runs HOW...: the same in one run, a hundred in a soak
once_in_all_runs() {
	local run runs=1
	[ -z "${SOAK-}" ] || runs=100
	for ((run = 1; run <= runs; run++)); do
		rm -rf w st st.lock out got
		every_number_once "$((runs > 1 ? 2000 : 6000))" "$@" || { echo "run $run"; return 1; }
	done
}

@test "every number comes once: rotated by rename, the reader killed at random" {
	once_in_all_runs rename
}

@test "every number comes once: copied and truncated, the reader killed at random" {
	once_in_all_runs copytruncate
}

@test "every number comes once: both kinds by turns, the reader killed at random" {
	once_in_all_runs rename copytruncate
}

# A journal: journalctl as it would be, of entries in files that are called by their cursors.
a_journal() {
	mkdir -p bin entries
	cat >bin/journalctl <<-'SH'
		#!/bin/bash
		# what it was asked for, and all entries behind the cursor; then it ends as FATE says
		echo "$*" >>asked
		after=
		for a; do [[ $a != --after-cursor=* ]] || after=${a#*=}; done
		for e in entries/*; do
			[[ ${e##*/} > $after ]] && cat "$e"
		done
		[[ $* != *--follow* ]] || while [ ! -e fate ]; do sleep 0.05; done
		rm -f fate
		exit 1
	SH
	chmod +x bin/journalctl
	PATH=$PWD/bin:$PATH
}

# entry CURSOR SECOND MONO TEXT [FIELD...]: SECOND is that of the wall clock, MONO that of the boot's
entry() {
	local cursor=$1 s=$2 mono=$3 text=$4
	shift 4
	{
		printf '%s\n' "__CURSOR=$cursor" "__REALTIME_TIMESTAMP=$((1795255200 + s))000000" \
			"__MONOTONIC_TIMESTAMP=${mono}000000" _BOOT_ID=b00t _HOSTNAME=box SYSLOG_IDENTIFIER=demo _PID=7 "$@"
		printf 'MESSAGE\n%b%s\n\n' "\x$(printf %02x ${#text})\0\0\0\0\0\0\0" "$text"
	} >"entries/$cursor"
}

@test "the journal is followed, and resumed at its cursor after journalctl dies" {
	a_journal
	entry c1 1 101 first
	entry c2 2 102 'of a unit' INVOCATION_ID=1234 PRIORITY=3
	start log rejoin-log -f --json journal:demo.service
	wait_for '[ "$(wc -l <log.out)" -eq 2 ]'
	[ "$(jq -r .text log.out)" = "$(printf '%s\n' '2026-11-21T10:00:01.000000+0000 box demo[7]: first' \
		'2026-11-21T10:00:02.000000+0000 box demo[7]: of a unit (invocation 1234)')" ]
	[ "$(jq -r '.level + " " + .incarnation' log.out | tail -1)" = 'error 1234' ]
	entry c3 3 103 third
	: >fate
	wait_for '[ "$(wc -l <log.out)" -eq 3 ]' 20
	grep -q 'journalctl exited with 1; it is run again' log.err
	[ "$(cat asked)" = "$(printf '%s\n' '--quiet --no-pager --output=export --follow --no-tail --unit=demo.service' \
		'--quiet --no-pager --output=export --follow --no-tail --unit=demo.service --after-cursor=c2')" ]
}

@test "entries go by the clock of their boot, when the program spoke, and by their numbers" {
	a_journal
	# the wall clock is put back between the two; the second was spoken first
	entry c1 9 101 first __SEQNUM_ID=s __SEQNUM=1
	entry c2 3 103 third __SEQNUM_ID=s __SEQNUM=5
	entry c3 4 104 second _SOURCE_REALTIME_TIMESTAMP=1795255202000000 __SEQNUM_ID=t __SEQNUM=9
	run --separate-stderr rejoin-log --save-state st --json journal:,order=none
	# journalctl ended with 1
	status_is 1
	[ "$(jq -r .text <<<"$output" | sed 's/.*: //' | tr '\n' ' ')" = 'first second third ' ]
	[ "$(jq -r .mark <<<"$output" | sort -u)" = null ]
	[ "$(cat asked)" = '--quiet --no-pager --output=export' ]
	# a number holds against the clock
	rm st entries/*
	entry c1 2 102 two __SEQNUM_ID=s __SEQNUM=2
	entry c2 1 101 one __SEQNUM_ID=s __SEQNUM=3
	run --separate-stderr rejoin-log --save-state st journal:,order=none
	[[ $output == *two*one* ]]
}

@test "without following, the journal is the same: levels, boots, numbers, units, directories" {
	a_journal
	sed -i 's/^exit 1/exit 0/' bin/journalctl
	entry c1 9 101 first PRIORITY=6 INVOCATION_ID=1234
	entry c2 3 103 third PRIORITY=3
	entry c3 4 104 second _SOURCE_REALTIME_TIMESTAMP=1795255202000000 PRIORITY=4
	# by the clock of the boot, as with -f, though the wall clock was put back
	run --separate-stderr rejoin-log journal:,order=none
	status_is 0
	[ "$(sed 's/.*: //; s/ (.*//' <<<"$output" | tr '\n' ' ')" = 'first second third ' ]
	run --separate-stderr rejoin-log --level warning journal:x.service,order=none
	status_is 0
	[ "$(sed 's/.*: //' <<<"$output" | tr '\n' ' ')" = 'second third ' ]
	[ "$(rejoin-log --json journal:,order=none | jq -r '.level + " " + .incarnation' | head -1)" = 'info 1234' ]
	# which of the earlier records is named as the reason depends on what is still held
	[ "$(rejoin-log --json journal:,order=none | jq -c 'del(.edges)')" = \
		"$(rejoin-log --save-state st --json journal:,order=none | jq -c 'del(.edges)')" ]
	run --separate-stderr rejoin-log j=journal:x.service,dir=/var/log/journal/remote
	status_is 0
	[ "$(tail -1 asked)" = '--quiet --no-pager --output=export --directory=/var/log/journal/remote --unit=x.service' ]
	run --separate-stderr rejoin-log x.log,dir=/tmp
	status_is 2
	err_has 'dir= is for journal:UNIT'
}

@test "a journalctl that fails is reported, with its own reason, and what came is printed" {
	a_journal
	entry c1 1 101 first
	run --separate-stderr rejoin-log journal:x.service
	status_is 1
	out_has first
	err_has 'journal:x.service: journalctl exited with 1'
	rm bin/journalctl
	run --separate-stderr env PATH="$PWD/bin" "$B/bin/rejoin-log" journal:x.service
	status_is 1
	err_has 'journal:x.service: journalctl'
}

@test "the journal's place is kept by its cursor" {
	a_journal
	sed -i 's/^exit 1/exit 0/' bin/journalctl
	entry c1 1 101 first
	run --separate-stderr rejoin-log --save-state st journal:x.service
	status_is 0
	out_has first
	entry c2 2 102 second
	run --separate-stderr rejoin-log --save-state st journal:x.service
	status_is 0
	out_is '2026-11-21T10:00:02.000000+0000 box demo[7]: second'
	run --separate-stderr rejoin-log --save-state st journal:x.service
	out_is ''
	[ "$(tail -1 asked)" = '--quiet --no-pager --output=export --unit=x.service --after-cursor=c2' ]
}

@test "a state belongs to one run, and a damaged one is none" {
	at 00 a1 >a.log
	start log rejoin-log -f --save-state st a.log
	has log.out "$(at 00 a1)"
	wait_for '[ -s st ]'
	run --separate-stderr rejoin-log --save-state st a.log
	status_is 6
	err_has 'another run has it'
	kill "$log_pid"
	wait_for "! alive $log_pid"
	echo nonsense >st
	run --separate-stderr rejoin-log --save-state st a.log
	status_is 3
}

@test "SIGUSR1 is answered while logs are read to their end, too" {
	mkfifo fifo
	start log rejoin-log fifo
	exec 5>fifo
	{ at 01 one; at 02 two; } >&5
	wait_for '[ "$(wc -l <log.out)" -eq 1 ]'
	kill -USR1 "$log_pid"
	wait_for 'grep -q "^rejoin-log: [12] records, " log.err'
	exec 5>&-
	wait_for "! alive $log_pid"
}

@test "what does not go together is misuse" {
	for how in '-f --check' '-f --exact' '-f --svg=x' '--hold=1s' '-f --order=minimax' '--save-state=x --check' \
		'--check --json' '--check -n 3' '--check --since 1h' '--check --include x' '--check --exact' '--check --explain' \
		'--check --order=time' '--since=' '--until=' '--include=(' '--level=' '--patience=5' '--buffer=1K'; do
		# shellcheck disable=SC2086	# two words
		run --separate-stderr timeout 10 rejoin-log $how a.log
		status_is 2
	done
	run --separate-stderr timeout 10 rejoin-log -f a.log,format=nonsense
	status_is 2
	run --separate-stderr timeout 10 rejoin-log -f "$PWD/"
	status_is 1
}

# ring N - N files, each of which sends to the next and receives from the one before; the last is an hour ahead
ring() {
	awk -v n="$1" 'BEGIN {
		for (h = 0; h < n; h++) {
			file = sprintf("h%03d.log", h)
			for (k = 0; k < 2; k++) {
				hour = h == n - 1 ? 11 : 10
				printf "2026-11-21T%d:%02d:%02d.200Z rx=m%d.%d\n", hour, k, h % 60, (h + n - 1) % n, k >file
				printf "2026-11-21T%d:%02d:%02d.300Z tx=m%d.%d\n", hour, k, h % 60, h, k + (h == n - 1) >file
			}
			close(file)
		}
	}'
	printf '[m]\nsend = tx=(?<id>\\S+)\nrecv = rx=(?<id>\\S+)\n' >r.conf
}

@test "offsets of clocks while many files are followed; more than can be estimated are reported" {
	ring 70
	start log rejoin-log -v -f --rules r.conf h*.log
	wait_for 'grep -q "clock h069.log: 3[56][0-9][0-9]\.[0-9]* s ahead" log.err'
	run ! grep -q 'too many' log.err
	end_pids "$log_pid"
	rm h*.log
	ring 201
	start log rejoin-log -f --rules r.conf h*.log
	wait_for 'grep -q "offsets are not estimated: 201 clocks are too many" log.err'
	[ "$(grep -c 'too many' log.err)" = 1 ]
	end_pids "$log_pid"
	run --separate-stderr rejoin-log --rules r.conf h*.log
	err_has 'offsets are not estimated: 201 clocks are too many'
	run --separate-stderr rejoin-log --offset off --rules r.conf h*.log
	[[ $stderr != *'too many'* ]]
}
