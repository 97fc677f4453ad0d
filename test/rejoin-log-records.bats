# rejoin-log: what a record is, as its users see it.
load helper

setup() {
	begin
	cp -r "$TOP/packaging/formats.d" "$TOP/packaging/rules.d" "$REJOIN_CONFIG_DIR/"
	export TZ=UTC
}

# texts - the texts of the records of FILE..., one a line, newlines as |
texts() { rejoin-log --json "$@" | jq -r '.text | gsub("\n"; "|")'; }

# format NAME - standard input is that format
format() { cat >"$REJOIN_CONFIG_DIR/formats.d/$1.conf"; }

# conserved FILE[,OPTION...]... - every line comes out once
conserved() {
	rejoin-log "$@" | sort | cmp - <(for f; do cat "${f%%,*}"; done | sort)
}

@test "a group of lines goes on where the next one begins" {
	printf 'h {"h":1}\na\n\nh {"h":2}\nb\nh {"h":3}\nc\n' >blank.log
	[ "$(texts blank.log)" = "$(printf 'h {"h":1}|a|\nh {"h":2}|b\nh {"h":3}|c')" ]
	conserved blank.log
	# a line too many, a header without its event, and a banner
	printf 'h {"h":1}\na\njunk\nh {"h":2}\nb\n' >more.log
	[ "$(texts more.log,format=vector)" = "$(printf 'h {"h":1}|a|junk\nh {"h":2}|b')" ]
	printf 'h {"h":1}\na\nh {"h":2}\nb\nh {"h":3}\n' >less.log
	[ "$(texts less.log,format=vector)" = "$(printf 'h {"h":1}|a\nh {"h":2}|b|h {"h":3}')" ]
	printf 'banner\n\nh {"h":1}\na\nh {"h":2}\nb\n' >banner.log
	[ "$(texts banner.log,format=vector)" = "$(printf 'banner|\nh {"h":1}|a\nh {"h":2}|b')" ]
	for f in more less banner; do
		conserved $f.log,format=vector
		cat $f.log | rejoin-log -- -,format=vector | cmp - $f.log
	done
}

@test "begin without end is a regular expression for the first line of a record" {
	format blocks <<-'EOF'
		[format]
		begin = "^=== "
		line = ^=== (?<time>\S+ \S+)
	EOF
	printf '=== 2026-03-05 10:00:00\na\n2026-03-05 11:00:00 inside\n=== 2026-03-05 10:00:02\nb\n=== no time\nc\n' >x.log
	[ "$(texts x.log,format=blocks)" = \
	    "$(printf '=== 2026-03-05 10:00:00|a|2026-03-05 11:00:00 inside\n=== 2026-03-05 10:00:02|b\n=== no time|c')" ]
	conserved x.log,format=blocks
	printf '2026-03-05T10:00:01Z between\n' >y.log
	rejoin-log x.log,format=blocks y.log | sed -n 4p | grep -q between
	printf '[format]\nend = x\n' | format wrong
	run --separate-stderr rejoin-log x.log
	status_is 2
	err_has 'end needs begin'
	printf '[format]\nbegin = (\n' | format wrong
	run --separate-stderr rejoin-log x.log
	status_is 2
	err_has 'not a regular expression'
}

cri() { printf '2026-03-05T14:07:%s %s %s %s\n' "$@"; }

@test "the parts of a long line are one record: CRI" {
	{
		cri 01.000000001Z stdout P 'one '
		cri 01.000000003Z stdout P 'two '
		cri 01.000000004Z stdout F three
		cri 01.000000005Z stdout F after
	} >a.log
	cri 01.000000002Z stdout F other >b.log
	rejoin-log a.log b.log | sed 's/.* //' >got
	[ "$(rejoin-log a.log b.log | sed 's/^\S* stdout . //' | xargs -d'\n')" = 'one  two  three other after' ]
	conserved a.log b.log
	cat a.log | rejoin-log - b.log | cmp - <(rejoin-log a.log b.log)
}

@test "lines of the other stream follow the parts that they stood between" {
	{
		cri 01.1Z stdout P 'a1 '
		cri 01.2Z stderr P 'e1 '
		cri 01.3Z stdout P 'a2 '
		cri 01.4Z stderr F e2
		cri 01.5Z stdout F a3
	} >a.log
	[ "$(rejoin-log a.log,format=cri | cut -d' ' -f4 | xargs)" = 'a1 a2 a3 e1 e2' ]
	[ "$(rejoin-log --json a.log,format=cri | jq -c '[.time, .mark]' | xargs)" = \
	    '[2026-03-05T14:07:01.100000Z,null] [2026-03-05T14:07:01.200000Z,null]' ]
	conserved a.log,format=cri
}

@test "a part without its end is marked" {
	cri 01.1Z stdout P torn >a.log
	[ "$(rejoin-log --json a.log,format=cri | jq -r .mark)" = partial ]
	{ cri 01.1Z stdout P torn; echo 'no line of the runtime'; cri 01.2Z stdout F x; } >b.log
	[ "$(rejoin-log --json b.log,format=cri | jq -r .mark | head -1)" = partial ]
	conserved b.log,format=cri
	# a stream whose end never comes holds the other one no longer than so many lines
	{ cri 01.1Z stdout P torn; for i in $(seq 5000); do cri 02Z stderr F "e$i"; done; } >c.log
	[ "$(rejoin-log --json c.log,format=cri | jq -r .mark | sort | uniq -c | xargs)" = '5000 null 1 partial' ]
	conserved c.log,format=cri
}

@test "the parts of a long line are one record: docker" {
	printf '{"log":"%s","stream":"%s","time":"2026-03-05T14:07:01.%sZ"}\n' 'a ' stdout 1 'e\n' stderr 2 'b\n' stdout 3 \
	    'end \\n' stdout 4 'x\n' stdout 5 >d.log
	[ "$(rejoin-log d.log,format=docker | jq -rj .log | xargs)" = 'a b e end nx' ] ||
		[ "$(rejoin-log d.log,format=docker | jq -r .log | grep -c .)" = 5 ]
	[ "$(rejoin-log --json d.log,format=docker | jq -r .time | head -2 | cut -c20-22 | xargs)" = '.10 .20' ]
	conserved d.log,format=docker
}

@test "in JSON, the text of parts is joined, and raw has the lines" {
	needs jq
	{
		cri 01.1Z stdout P 'a1 '
		cri 01.2Z stdout F a2
		cri 01.3Z stdout F b
	} >a.log
	[ "$(rejoin-log --json a.log,format=cri | jq -c '[.text, .raw]')" = "$(cat <<-'EOF'
		["a1 a2","2026-03-05T14:07:01.1Z stdout P a1 \n2026-03-05T14:07:01.2Z stdout F a2"]
		["2026-03-05T14:07:01.3Z stdout F b",null]
	EOF
	)" ]
	printf '{"log":"%s","stream":"stdout","time":"2026-03-05T14:07:01.%sZ"}\n' 'a \"q\" ' 1 'b\n' 2 >d.log
	[ "$(rejoin-log --json d.log,format=docker | jq -r .text)" = 'a "q" b' ]
	[ "$(rejoin-log --json d.log,format=docker | jq -r .raw)" = "$(cat d.log)" ]
}

@test "followed, the parts stay where they are and come out together" {
	cri 01.1Z stdout P 'a1 ' >a.log
	start log rejoin-log -f a.log,format=cri
	cri 01.2Z stderr F e >>a.log
	cri 01.3Z stdout F a2 >>a.log
	cri 02.1Z stdout F b >>a.log
	wait_for '[ "$(wc -l <log.out)" -eq 4 ]'
	cmp log.out a.log
}

@test "NULs before a time, as many as a file was long when it was cut" {
	for n in 1 300 70000 2000000; do
		{ echo '2026-03-05 14:07:01 a'; head -c $n /dev/zero; printf '2026-03-05 14:07:03 b\n'; } >h.log
		echo '2026-03-05T14:07:02Z x' >x.log
		[ "$(rejoin-log h.log x.log | tr -d '\0' | sed 's/.* //' | xargs)" = 'a x b' ]
		[ "$(rejoin-log h.log x.log | tr -dc '\0' | wc -c)" = $n ]
	done
}

@test "a line of many megabytes passes in pieces, in little memory" {
	{ printf '2026-03-05T14:07:01Z '; head -c 60000000 /dev/zero | tr '\0' x; printf '\n2026-03-05T14:07:03Z b\n'; } >long.log
	echo '2026-03-05T14:07:02Z x' >x.log
	rejoin-log long.log x.log >got
	[ "$(cut -c1-24 got | tail -2 | xargs)" = '2026-03-05T14:07:02Z x 2026-03-05T14:07:03Z b' ]
	[ "$(wc -c <got)" -eq "$(cat long.log x.log | wc -c)" ]
}

@test "a format whose times are none does not take the log for one record" {
	format swallow <<-'EOF'
		[format]
		priority = 90
		time = epoch
		line = ^\S+ (?<level>\w+)
	EOF
	for i in 1 2 3; do echo "2026-03-05T14:07:0${i}Z info x$i"; done >a.log
	[ "$(rejoin-log --json a.log | grep -c .)" = 3 ]
	rejoin-log -v a.log 2>&1 >/dev/null | grep -q 'format auto'
}

# block N - the Nth literal block of rejoin-formats(5)
block() { awk -v n="$1" '/^\.Bd -literal/ { k++; on = 1; next } /^\.Ed/ { on = 0 } on && k == n' "$TOP/man/rejoin-formats.5" | sed 's/\\e/\\/g'; }

@test "the examples of rejoin-formats(5) do what the page says" {
	needs jq
	export TZ=UTC
	block 1 >pump.log
	run --separate-stderr rejoin-log --sources pump.log
	err_has 'no time stamps recognized'
	block 2 | format pump
	# they are installed as examples, too
	block 1 | diff "$TOP/packaging/examples/pump.log" -
	block 2 | diff <(grep -v '^#' "$TOP/packaging/examples/pump.conf") -
	run --separate-stderr rejoin-log --sources pump.log
	[ -z "$stderr" ]
	[ "$(jq -rc '[.format, .time]' <<<"$output")" = '["pump","dmy"]' ]
	[ "$(rejoin-log --level warning pump.log)" = "$(head -1 pump.log)" ]
	[ "$(rejoin-log --json pump.log | jq -rc '[.time[:19], .emitter, .level]' | head -1)" = \
	    '["2026-03-05T14:07:01","pump3","warning"]' ]
	block 3 | format own
	printf '{"when":1772719621,"severity":"error","what":"x"}\n' >own.log
	[ "$(rejoin-log --json own.log | jq -rc '[.time[:19], .level]')" = '["2026-03-05T14:07:01","error"]' ]
	block 4 | format rows
	printf '=====\na\n=====\nb\n' >rows.log
	[ "$(texts rows.log,format=rows | xargs)" = '=====|a =====|b' ]
}
