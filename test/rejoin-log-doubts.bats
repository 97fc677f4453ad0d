# rejoin-log: nothing is misunderstood in silence.
load helper

setup() {
	begin
	cp -r "$TOP/packaging/formats.d" "$TOP/packaging/rules.d" "$REJOIN_CONFIG_DIR/"
	export TZ=UTC
	printf '2026-03-05T14:07:0%dZ INFO x%d\n' 1 1 2 2 >good.log
}

# doubted FILE TEXT - it is merged, reported with a hint, and fails with --strict
doubted() {
	run --separate-stderr rejoin-log "$1" good.log
	status_is 0
	err_has "${1%%,*}: $2" 'hint: '
	run --separate-stderr rejoin-log --strict "$1" good.log
	status_is 1
	err_has "$2"
	rejoin-log "$1" good.log 2>/dev/null | sort | cmp - <(sort "${1%%,*}" good.log)
}

@test "a good log is merged without a word" {
	run --separate-stderr rejoin-log --strict good.log
	status_is 0
	[ -z "$stderr" ]
	: >empty.log
	run --separate-stderr rejoin-log --strict empty.log good.log
	[ -z "$stderr" ]
}

@test "no time stamp is recognized" {
	printf 'no time\nnor here\n' >a.log
	doubted a.log 'no time stamps recognized'
	printf '{"when":"x","msg":"y"}\n' >b.log
	doubted b.log 'no time stamps recognized'
	# a few of them are no kind of the log's times
	{ seq 100 | sed 's/^/line /'; echo '12:30:00 lunch'; } >c.log
	doubted c.log 'no time stamps recognized'
	# it is followed as well
	start log rejoin-log -f a.log
	wait_for 'grep -q "a.log: no time stamps recognized" log.err'
}

@test "a banner hides no times" {
	{ seq 20000 | sed 's/^/banner /'; for i in $(seq 9999); do echo "2026-03-05T14:07:02Z x$i"; done; } >a.log
	run --separate-stderr rejoin-log --strict a.log good.log
	status_is 0
	[ -z "$stderr" ]
	[ "$(rejoin-log a.log good.log | sed -n '$p')" = '2026-03-05T14:07:02Z INFO x2' ]
}

@test "a format that was named matches no line" {
	cp good.log named.log
	doubted named.log,format=syslog 'its format matches none'
	printf '2026-03-05 no level\n' >a.log
	doubted a.log,format=log4j 'its format matches none'
	run --separate-stderr rejoin-log good.log,format=auto
	[ -z "$stderr" ]
}

@test "UTF-16 and binary content" {
	iconv -f UTF-8 -t UTF-16 good.log >u.log
	doubted u.log 'is UTF-16'
	iconv -f UTF-8 -t UTF-16LE good.log >le.log
	doubted le.log 'is UTF-16'
	iconv -f UTF-8 -t UTF-16BE good.log >be.log
	doubted be.log 'is UTF-16'
	head -c 5000 /bin/sh >bin.log
	echo >>bin.log
	run --separate-stderr rejoin-log bin.log good.log
	err_has 'bin.log: is binary'
	# colours, tabs and NULs of a file that was cut are not
	{ printf '\033[2m2026-03-05T14:07:01Z\033[0m\ta\n'; head -c 4000 /dev/zero; printf '2026-03-05T14:07:02Z b\n'; } >text.log
	run --separate-stderr rejoin-log --strict text.log
	status_is 0
	[ -z "$stderr" ]
}

@test "lines that end with a carriage return alone" {
	for i in $(seq 99); do printf '2026-03-05T14:07:01Z x%d\r' "$i"; done >mac.log
	run --separate-stderr rejoin-log mac.log
	err_has 'mac.log: its lines end with carriage returns alone' "hint: tr"
	sed 's/$/\r/' good.log >dos.log
	run --separate-stderr rejoin-log --strict dos.log
	[ -z "$stderr" ]
}

@test "dates and zones that could be others" {
	printf '3/5/2026 14:07:01 a\n' >d.log
	doubted d.log 'its dates are ambiguous, taken for month/day/year'
	[ "$(rejoin-log --json d.log 2>/dev/null | jq -r .time)" = 2026-03-05T14:07:01.000000Z ]
	# one line that is not says what all are
	printf '3/5/2026 14:07:01 a\n13/5/2026 14:07:01 b\n' >dm.log
	run --separate-stderr rejoin-log --strict --json dm.log
	[ -z "$stderr" ]
	[ "$(jq -r .time <<<"$output" | cut -c1-10 | xargs)" = '2026-05-03 2026-05-13' ]
	printf '3/5/2026 14:07:01 a\n3/25/2026 14:07:01 b\n' >md.log
	run --separate-stderr rejoin-log --strict --json md.log
	[ -z "$stderr" ]
	[ "$(jq -r .time <<<"$output" | cut -c1-10 | xargs)" = '2026-03-05 2026-03-25' ]
	printf '17/06/09 20:10:40 INFO a\n' >y.log
	doubted y.log 'its dates are ambiguous, taken for year/month/day'
	printf '2026-03-05 14:07:01 IST a\n' >z.log
	doubted z.log 'the abbreviation of its time zone is ambiguous'
	# the zone of the source knows which it is
	run --separate-stderr rejoin-log --strict --json z.log,tz=Europe/Dublin
	[ -z "$stderr" ]
	[ "$(jq -r .time <<<"$output")" = 2026-03-05T13:07:01.000000Z ]
}

@test "--level where no level is recognized" {
	printf '2026-03-05T14:07:01Z a\n' >a.log
	run --separate-stderr rejoin-log --level error a.log
	status_is 0
	err_has 'a.log: no level recognized' 'hint: '
	printf '{"time":"2026-03-05T14:07:01Z","msg":"a"}\n' >j.log
	run --separate-stderr rejoin-log --strict --level error j.log
	status_is 1
	err_has 'j.log: no level recognized'
	printf '{"time":"2026-03-05T14:07:01Z","level":"info","msg":"a"}\n' >j.log
	run --separate-stderr rejoin-log --strict --level error j.log
	status_is 0
	[ -z "$stderr" ]
}

@test "--sources prints how each source is understood" {
	needs jq
	printf '{"time":1772719628250,"level":30,"msg":"x"}\n' >j.log
	printf 'Mar  5 14:07:01 h a: x\nMar  5 14:07:02 h a: x\n\tmore\n' >s.log
	printf '14:07:01.123 a\n' >c.log
	run --separate-stderr rejoin-log --sources good.log j.log s.log c.log,tz=Europe/Berlin
	status_is 0
	[ "$(jq -rc '[.source, .format, .time, .zone, .order, .records]' <<<"$output")" = "$(cat <<-'EOF'
		["c.log","auto","clock","Europe/Berlin","fifo",1]
		["good.log","auto","rfc3339","of each time","fifo",2]
		["j.log","jsonl","epoch","UTC","fifo",1]
		["s.log","syslog","syslog","local","fifo",2]
	EOF
	)" ]
	[ "$(jq -s 'map(.margin) | add' <<<"$output")" -ge 150 ]
	printf 'none\nnone\n2026-03-05T14:07:01Z a\n2026-03-05T14:07:01Z a\n' >u.log
	[ "$(rejoin-log --sources u.log,format=syslog-iso 2>/dev/null | jq -c '[.margin, .untimed, .whole]')" = '[null,0.3333,true]' ]
	needs script
	script -qec 'rejoin-log --sources good.log' /dev/null | grep -q '^SOURCE  *FORMAT  *MARGIN'
	for o in -f --check --graph '--svg x'; do
		# shellcheck disable=SC2086	# an option and its value
		run --separate-stderr rejoin-log --sources $o good.log
		status_is 2
		err_has '--sources cannot be combined'
	done
}
