# rejoin-log: the time stamps of logs, as their users see them.
load helper

setup() {
	begin
	cp -r "$TOP/packaging/formats.d" "$TOP/packaging/rules.d" "$REJOIN_CONFIG_DIR/"
	export TZ=UTC
	needs jq
}

# times FILE... - the times of the records, to the second, one a line
times() { rejoin-log --json "$@" 2>/dev/null | jq -r '.time[:19]'; }

# has_times FILE TIME... - those are the times of the records
has_times() {
	local file=$1
	shift
	run times "$file"
	[ "$output" = "$(printf '%s\n' "$@")" ]
}

@test "twelve-hour clocks" {
	printf '2026-03-05 %s x\n' '11:59:59 AM' '12:00:00 PM' '01:00:00 PM' '1:00:00.5 pm' '11:59:59PM' >a.log
	printf '2026-03-06 %s x\n' '12:00:00 AM' '12:30:00 am' >>a.log
	has_times a.log 2026-03-05T{11:59:59,12:00:00,13:00:00,13:00:00,23:59:59} 2026-03-06T{00:00:00,00:30:00}
	# no half of a day, but words
	printf '2026-03-05 10:00:00 %s\n' amber pm2 'PMI x' AMD >b.log
	has_times b.log 2026-03-05T10:00:0{0,0,0,0}
	# there is no thirteenth hour in a half
	printf '2026-03-05 10:00:00 x\n2026-03-05 13:00:00 PM x\n' >c.log
	[ "$(times c.log | wc -l)" = 1 ]
}

@test "zones: offsets, abbreviations, and the hour that comes twice" {
	printf '2026-03-05 14:00:00%s x\n' Z ' +02:00' +0200 ' +02' -03 ' -0330' ' UTC' ' EST' ' CET' ' MSK' >a.log
	has_times a.log 2026-03-05T{14:00:00,12:00:00,12:00:00,12:00:00,17:00:00,17:30:00,14:00:00,19:00:00,13:00:00,11:00:00}
	printf '2026-10-25 02:30:00 %s x\n' CEST CET >fold.log
	has_times fold.log,tz=Europe/Berlin 2026-10-25T00:30:00 2026-10-25T01:30:00
	# words that only look like zones
	printf '2026-03-05 14:00:00 %s\n' START 'ESTABLISHED' 'NOT' 'CEST_x' '-1' '+5 x' 'Zebra' >words.log
	run times words.log
	[ "$(sort -u <<<"$output")" = 2026-03-05T14:00:00 ]
}

@test "a missing year comes from the order of the file" {
	printf '%s h a: x\n' 'Feb 28 10:00:00' 'Nov 30 10:00:00' 'Dec 31 23:59:59' 'Jan  1 00:00:00' 'Nov 20 00:00:00' >y.log
	touch -d '2026-11-28 23:00' y.log
	has_times y.log 2025-02-28T10:00:00 2025-11-30T10:00:00 2025-12-31T23:59:59 2026-01-01T00:00:00 2026-11-20T00:00:00
	# a little out of order, over New Year
	printf '%s h a: x\n' 'Dec 31 23:59:59' 'Jan  1 00:00:01' 'Dec 31 23:59:58' 'Jan  1 00:00:02' >o.log
	touch -d '2026-01-02' o.log
	has_times o.log 2025-12-31T23:59:59 2026-01-01T00:00:01 2025-12-31T23:59:58 2026-01-01T00:00:02
	# the 29th of February is in a leap year
	printf '%s h a: x\n' 'Feb 28 10:00:00' 'Feb 29 10:00:00' 'Mar  1 10:00:00' >l.log
	touch -d '2025-02-01' l.log
	has_times l.log 2024-02-28T10:00:00 2024-02-29T10:00:00 2024-03-01T10:00:00
	# klog and logcat lack it, too
	printf 'I%s 10:00:00.000000    1 a.go:1] x\n' 1231 0101 >k.log
	touch -d '2026-01-02' k.log
	has_times k.log 2025-12-31T10:00:00 2026-01-01T10:00:00
	# more than is read through
	awk 'BEGIN {
		n = split("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", month, " ")
		for (y = 0; y < 3; y++)
			for (m = 1; m <= n; m++)
				for (i = 0; i < 2000; i++)
					printf "%s %2d %02d:%02d:00 host program[1]: a line of some length, number %06d, of many\n",
						month[m], 1 + int(i / 100), int(i / 10) % 10, i % 60, i
	}' >big.log
	touch -d 2026-01-01 big.log
	[ "$(wc -c <big.log)" -gt 4194304 ]
	[ "$(times big.log | cut -c1-4 | sort | uniq -c | xargs)" = '24000 2023 24000 2024 24000 2025' ]
}

@test "in a pipe, the first year is the last that is possible, and they are counted on" {
	month() { date -d "$1" '+%b %e'; }
	printf '%s 10:00:00 h a: x\n' "$(month '-40 days')" "$(month '-1 day')" >a.log
	[ "$(cat a.log | rejoin-log --json - | jq -r '.time[:10]' | xargs)" = \
	    "$(date -d '-40 days' +%F) $(date -d '-1 day' +%F)" ]
	gzip -k a.log
	[ "$(rejoin-log --json a.log.gz | jq -r '.time[:10]' | xargs)" = "$(date -d '-40 days' +%F) $(date -d '-1 day' +%F)" ]
}

@test "the year of the first stamp can be said" {
	printf '%s h a: x\n' 'Dec 31 23:59:59' 'Jan  1 00:00:00' >y.log
	has_times y.log,year=2001 2001-12-31T23:59:59 2002-01-01T00:00:00
	[ "$(cat y.log | rejoin-log --json -- -,year=1999 | jq -r '.time[:4]' | xargs)" = '1999 2000' ]
	printf 'Jan  1 00:00:00 h a: x\n' >j.log
	has_times j.log,year=2001 2001-01-01T00:00:00
	start log rejoin-log -f --json y.log,year=2001
	wait_for '[ "$(wc -l <log.out)" -eq 2 ]'
	[ "$(jq -r '.time[:4]' log.out | xargs)" = '2001 2002' ]
	run rejoin-log y.log,year=x
	status_is 2
}

@test "a missing day comes from the order of the file" {
	printf '%s.000 [main] INFO x - y\n' 23:59:58 23:59:59 00:00:01 12:00:00 23:00:00 01:00:00 >d.log
	touch -d '2026-03-05 02:00' d.log
	has_times d.log 2026-03-03T23:59:58 2026-03-03T23:59:59 2026-03-04T{00:00:01,12:00:00,23:00:00} 2026-03-05T01:00:00
	has_times d.log,tz=Asia/Tokyo 2026-03-03T14:59:58 2026-03-03T14:59:59 2026-03-03T15:00:01 2026-03-04T{03:00:00,14:00:00,16:00:00}
}

@test "the same years and days with -f and --save-state, and over New Year" {
	printf 'Mar  1 10:00:00 h a: b\n' >sy.log
	touch -d 2025-06-01 sy.log
	[ "$(rejoin-log --save-state st --json sy.log | jq -r '.time[:10]')" = 2025-03-01 ]
	# the state knows the year, whatever the file's time is now
	printf 'Dec 31 10:00:00 h a: c\nJan  1 10:00:00 h a: d\n' >>sy.log
	touch -d 2031-06-01 sy.log
	[ "$(rejoin-log --save-state st --json sy.log | jq -r '.time[:10]' | xargs)" = '2025-12-31 2026-01-01' ]
	printf 'Jan  2 10:00:00 h a: e\n' >>sy.log
	touch sy.log
	[ "$(rejoin-log --save-state st --json sy.log | jq -r '.time[:10]' | xargs)" = 2026-01-02 ]
	printf 'Dec 30 10:00:00 h a: b\nDec 31 10:00:00 h a: b\n' >f.log
	touch -d 2026-01-01 f.log
	start log rejoin-log -f --json f.log
	wait_for '[ "$(wc -l <log.out)" -eq 2 ]'
	printf 'Jan  1 10:00:00 h a: c\nJan  2 10:00:00 h a: d\n' >>f.log
	wait_for '[ "$(wc -l <log.out)" -eq 4 ]'
	[ "$(jq -r '.time[:10]' log.out | xargs)" = '2025-12-30 2025-12-31 2026-01-01 2026-01-02' ]
}

@test "stamps that change their kind" {
	{
		printf 'Mar  5 10:00:0%d h a: x\n' 1 2
		printf '2026-03-05T10:00:0%d.5Z h a: x\n' 3 4
		printf 'Mar  5 10:00:0%d h a: x\n' 5
	} >a.log
	touch -d 2026-03-06 a.log
	has_times a.log 2026-03-05T10:00:0{1,2,3,4,5}
	printf '%s x\n' '2026-03-05 10:00:01' '[05/Mar/2026:10:00:02 +0000]' 'Thu Mar  5 10:00:03 2026' '20260305T100004Z' >b.log
	has_times b.log 2026-03-05T10:00:0{1,2,3,4}
	# numbers in the text of such a log are none
	printf '2026-03-05T10:00:01Z x\n1700000000 of them\n12:00:00 noon\n2026-03-05T10:00:02Z y\n' >c.log
	[ "$(times c.log | wc -l)" = 2 ]
}

@test "what stands before a stamp" {
	printf '%s2026-03-05T10:00:01Z x\n' '' '  ' '[' '"' '<34>' '<34>1 ' '[main] ' 'INFO: ' 'E, [' 'web-1  | ' '[pod/a/b] ' '(' >a.log
	[ "$(times a.log | sort | uniq -c | xargs)" = '12 2026-03-05T10:00:01' ]
	# one or two words only where the first lines have them
	printf 'web-%d c 2026-03-05T10:00:0%dZ x\n' 1 1 2 2 >b.log
	has_times b.log 2026-03-05T10:00:0{1,2}
	printf '2026-03-05T10:00:01Z x\nretry at 2026-03-05T11:00:00Z\n' >c.log
	[ "$(times c.log | wc -l)" = 1 ]
}

@test "members of JSON, by their usual names and by path" {
	while read -r line; do
		echo "$line" >j.log
		run times j.log
		[ "$output" = 2026-03-05T14:07:01 ] || { echo "$line: $output"; return 1; }
	done <<-'EOF'
		{"ts":1772719621.25,"msg":"zap"}
		{"ts":1.77271962125e+09,"msg":"floats"}
		{"time":1772719621250,"level":30,"msg":"pino"}
		{"@timestamp":"2026-03-05T14:07:01.250Z","message":"ecs"}
		{"@t":"2026-03-05T14:07:01.25Z","@mt":"clef"}
		{"timestamp":{"seconds":1772719621,"nanos":5},"message":"gcp"}
		{"t":{"$date":"2026-03-05T14:07:01.123+00:00"},"msg":"mongod"}
		{"t":{"$date":{"$numberLong":"1772719621123"}},"msg":"extended JSON"}
		{"instant":{"epochSecond":1772719621,"nanoOfSecond":5},"message":"log4j2"}
		{"__REALTIME_TIMESTAMP":"1772719621250000","MESSAGE":"journal"}
		{"timeUnixNano":"1772719621000000000","body":{"stringValue":"otlp"}}
		{"msg":"the time of the first name counts","created_at":"2020-01-01T00:00:00Z","time":"2026-03-05T14:07:01Z"}
	EOF
	cat >"$REJOIN_CONFIG_DIR/formats.d/path.conf" <<-'EOF'
		[format]
		record = json
		time = any
		time-key = a.b.c
		level-key = log.level
	EOF
	echo '{"x":1,"a":{"c":1,"b":{"c":"2026-03-05T14:07:01Z"}},"log":{"level":"error"}}' >p.log
	[ "$(rejoin-log --json p.log,format=path | jq -rc '[.time[:19], .level]')" = '["2026-03-05T14:07:01","error"]' ]
	# a name with a dot in it is that name first
	echo '{"a.b.c":"2026-03-05T14:07:01Z","log.level":"warn"}' >q.log
	[ "$(rejoin-log --json q.log,format=path | jq -rc '[.time[:19], .level]')" = '["2026-03-05T14:07:01","warning"]' ]
}

@test "levels as numbers" {
	printf '{"level":%d,"time":1772719628250,"msg":"x"}\n' 10 20 30 40 50 60 >pino.log
	[ "$(rejoin-log --level error pino.log | jq -r .level | xargs)" = '50 60' ]
	[ "$(rejoin-log --level warning pino.log | jq -r .level | xargs)" = '40 50 60' ]
	printf '{"level":%d,"time":1772719628,"msg":"x"}\n' 100 200 300 400 500 >monolog.log
	[ "$(rejoin-log --level error monolog.log | jq -r .level | xargs)" = '400 500' ]
	printf '{"PRIORITY":"%d","__REALTIME_TIMESTAMP":"1772719628000000","MESSAGE":"x"}\n' 3 4 6 >journal.log
	[ "$(rejoin-log --level error journal.log | jq -r .PRIORITY)" = 3 ]
}

@test "a date that stands apart from its clock" {
	printf 'date=2021-03-05 time=14:07:0%d logid=1 msg="x"\n' 1 2 >f.log
	has_times f.log 2021-03-05T14:07:01 2021-03-05T14:07:02
	printf '{"date":"2021-03-05","time":"14:07:0%d.5","msg":"x"}\n' 1 2 >j.log
	has_times j.log 2021-03-05T14:07:01 2021-03-05T14:07:02
	# the other way round, of the day that is first, and by a group
	printf 'time=14:07:01 date=05.03.2021 msg=x\n' >o.log
	has_times o.log 2021-03-05T14:07:01
	printf '[format]\ntime = any\nline = ^(?<time>[0-9:]+) on (?<date>\\S+) (?<body>.*)\n' >"$REJOIN_CONFIG_DIR/formats.d/odd.conf"
	printf '14:07:01 on 2021-03-05 x\n14:07:02 on 2021-03-06 y\n' >g.log
	has_times g.log,format=odd 2021-03-05T14:07:01 2021-03-06T14:07:02
	# a time that has its own date keeps it, and a date that is none does not matter
	printf '{"date":"1999-01-01","time":"2021-03-05T14:07:01Z"}\n' >own.log
	has_times own.log 2021-03-05T14:07:01
	printf '{"date":"2021-03-05T14:07:02Z","time":"later"}\n{"date":"2021-03-05T14:07:02Z"}\n' >only.log
	[ "$(times only.log | tail -n1)" = 2021-03-05T14:07:02 ]
}

@test "a year behind the clock is no host's name" {
	printf 'Mar 05 14:07:0%d 2021 (123) x\n' 1 2 >m.log
	has_times m.log 2021-03-05T14:07:01 2021-03-05T14:07:02
	printf 'Mar  5 14:07:0%d 2021-host x: y\n' 1 2 >h.log
	touch -d 2026-11-28 h.log
	has_times h.log 2026-03-05T14:07:01 2026-03-05T14:07:02
	printf 'Sept 5, 2021 2:07:01 PM x\n' >s.log
	has_times s.log 2021-09-05T14:07:01
}

@test "W3C's logs are in UTC, whatever the zone" {
	printf '#Software: x\n#Fields: date time c-ip cs-method\n2021-07-05 14:07:01 10.0.0.1 GET / - 80 - 10.0.0.2 - 200\n' >iis.log
	[ "$(TZ=Asia/Tokyo times iis.log | tail -n1)" = 2021-07-05T14:07:01 ]
	# but a line of text is not one of them
	printf '2021-07-05 14:07:01 10.0.0.1 got nothing\n' >text.log
	[ "$(TZ=Asia/Tokyo times text.log)" = 2021-07-05T05:07:01 ]
}

@test "the half of a day may follow a stamp that looks like the one before" {
	printf 'Mar  2 01:24:28 user x\nMar  2 01:24:28 PM x\nMar  2 01:24:28P x\nMar  2 01:24:28PM x\n' >s.log
	touch -d 2026-03-05 s.log
	has_times s.log,format=auto 2026-03-02T{01,13,01,13}:24:28
	printf 'I0302 01:24:28.000001 1 a.go:1] x\nI0302 01:24:28.000002 PM x\n' >k.log
	touch -d 2026-03-05 k.log
	has_times k.log,format=auto 2026-03-02T{01,13}:24:28
	printf '03-02 01:24:28.001 x\n03-02 01:24:28.002 pm x\n' >l.log
	touch -d 2026-03-05 l.log
	has_times l.log 2026-03-02T{01,13}:24:28
	printf '01:24:28 x\n01:24:28 PM x\n' >c.log
	touch -d 2026-03-05T14:00 c.log
	has_times c.log 2026-03-05T{01,13}:24:28
}
