# rejoin-log, as its users see it.
load helper

setup() {
	begin
	cp -r "$TOP/packaging/formats.d" "$TOP/packaging/rules.d" "$REJOIN_CONFIG_DIR/"
	LOGS=$TOP/test/data/logs
	cat >messages.conf <<-'EOF'
		[m]
		kind = message
		send = tx=(?<id>\w+)
		recv = rx=(?<id>\w+)
	EOF
}

# lines FILE... - their lines, sorted: what goes in comes out
lines() { cat "$@" | sort | md5sum; }

@test "logs are merged by time, ties by name" {
	printf '%s\n' '2026-11-21T10:00:00Z a1' '2026-11-21T10:00:02Z a2' >a.log
	printf '%s\n' '2026-11-21T10:00:00Z b1' '2026-11-21T10:00:01Z b2' >b.log
	run --separate-stderr rejoin-log a.log b.log
	status_is 0
	out_is "$(printf '%s\n' '2026-11-21T10:00:00Z a1' '2026-11-21T10:00:00Z b1' \
		'2026-11-21T10:00:01Z b2' '2026-11-21T10:00:02Z a2')"
	[ -z "$stderr" ]
}

@test "the order of the operands does not matter" {
	for i in 1 2 3 4 5; do
		for k in $(seq 50); do
			printf '2026-11-21T10:00:%02d.%03dZ %s tx=%s\n' $((k / 10)) $((k * i % 7)) "$i.$k" $((i * k))
		done >"$i.log"
	done
	rejoin-log --rules messages.conf 1.log 2.log 3.log 4.log 5.log >one
	rejoin-log --rules messages.conf 4.log 2.log 5.log 3.log 1.log >two
	rejoin-log --rules messages.conf ./5.log "$PWD/4.log" 3.log 2.log 1.log >three
	cmp one two
	cmp one three
	[ "$(lines one)" = "$(lines [1-5].log)" ]
}

@test "a file that is named twice, and read in two ways, does not make the order of the operands matter" {
	printf '%s\n' '2026-11-21 10:00:00 a1' '2026-11-21 12:00:00 a2' >a.log
	for how in ,tz=+02:00 ,order=none ,format=jsonl; do
		rejoin-log --explain --prefix=always a.log "a.log$how" >one
		rejoin-log --explain --prefix=always "a.log$how" a.log >two
		cmp one two
		rejoin-log --prefix=always "x=a.log$how" x=a.log >one
		rejoin-log --prefix=always x=a.log "x=a.log$how" >two
		cmp one two
	done
}

@test "a receipt does not stand before what was sent" {
	printf '%s\n' '2026-11-21T10:00:00.100Z gets rx=7' '2026-11-21T10:00:00.200Z later' >a.log
	printf '%s\n' '2026-11-21T10:00:00.150Z sends tx=7' >b.log
	for how in '' --exact '--order=minimax'; do
		# shellcheck disable=SC2086	# none or one word
		run --separate-stderr rejoin-log $how --rules messages.conf a.log b.log
		status_is 0
		out_is "$(printf '%s\n' '2026-11-21T10:00:00.150Z sends tx=7' \
			'2026-11-21T10:00:00.100Z gets rx=7' '2026-11-21T10:00:00.200Z later')"
	done
	run --separate-stderr rejoin-log --order=time --rules messages.conf a.log b.log
	status_is 0
	[[ $output = *gets*sends*later* ]]
}

# The two ids had one hash before hashes had a key.
@test "a receipt does not follow what was sent under another id with the same plain hash" {
	local sent='6+XO?H}<3@FgEdx9' got="K.WJxvJkhGxcwp'\`"
	printf '%s\n' "2026-11-21T10:00:00.100Z gets rx=$got" '2026-11-21T10:00:00.200Z later' >a.log
	printf '%s\n' "2026-11-21T10:00:00.150Z sends tx=$sent" >b.log
	printf '%s\n' '[words]' 'kind = message' 'send = tx=(?<id>[^ ]+)' 'recv = rx=(?<id>[^ ]+)' >words.conf
	for how in '' --exact '--order=minimax' --json; do
		# shellcheck disable=SC2086	# none or one word
		run --separate-stderr rejoin-log $how --rules words.conf a.log b.log
		status_is 0
		[[ $output = *gets*sends*later* ]]
		err_has '1 unmatched'
	done
	run --separate-stderr rejoin-log --check --rules words.conf a.log b.log
	out_is ''
	# and an id follows itself
	sed -i "s/tx=.*/tx=K.WJxvJkhGxcwp'\`/" b.log
	run --separate-stderr rejoin-log --rules words.conf a.log b.log
	status_is 0
	[[ $output = *sends*gets*later* ]]
}

@test "what is never sent is waited for no longer than the patience" {
	{
		echo '2026-11-21T10:00:00Z gets rx=7'
		echo '2026-11-21T10:00:01Z a'
	} >a.log
	for s in 0 1 2 3 4 5; do echo "2026-11-21T10:00:0$s.5Z b$s"; done >b.log
	# files and pipes are looked through ahead, so nothing else waits for it
	run --separate-stderr rejoin-log --patience 2s --rules messages.conf a.log b.log
	status_is 0
	[[ $output = *gets*b0*a*b1* ]]
	err_has '1 unmatched'
	mkfifo f
	cat a.log >f &
	run --separate-stderr rejoin-log --patience 2s --rules messages.conf a.log=f b.log
	status_is 0
	[[ $output = *gets*b0*a*b1* ]]
	err_has '1 unmatched'
	# with order=none it is not known what a record waits for until others have been read
	run --separate-stderr rejoin-log --patience 2s --rules messages.conf a.log,order=none b.log,order=none
	status_is 0
	[[ $output = *b1*gets*b2*b3* ]]
	run --separate-stderr rejoin-log --exact --rules messages.conf a.log b.log
	status_is 0
	[[ $output = *gets*b0*a*b1* ]]
	err_has '1 unmatched'
}

@test "what is sent too late is marked and counted, and --strict tells" {
	printf '%s\n' '2026-11-21T10:00:00Z gets rx=7' >a.log
	for s in 0 1 2 3 4 5; do echo "2026-11-21T10:00:0$s.5Z b$s"; done >b.log
	echo '2026-11-21T10:00:09Z sends tx=7' >>b.log
	run --separate-stderr rejoin-log --strict --patience 2s --prefix=always --rules messages.conf a.log b.log
	status_is 1
	out_has 'a.log | [unmatched] 2026-11-21T10:00:00Z gets rx=7'
	out_has 'b.log | [late 0.000s] 2026-11-21T10:00:09Z sends tx=7'
	err_has '1 late'
	run --separate-stderr rejoin-log --strict --exact --rules messages.conf a.log b.log
	status_is 0
	[ "${output##*$'\n'}" = '2026-11-21T10:00:00Z gets rx=7' ]
}

@test "a cycle loses its weakest edge, is reported, and nothing is left out" {
	printf '%s\n' '2026-11-21T10:00:00Z rx=1' '2026-11-21T10:00:01Z tx=2' >a.log
	printf '%s\n' '2026-11-21T10:00:00Z rx=2' '2026-11-21T10:00:01Z tx=1' >b.log
	for how in --patience=5s --exact; do
		run --separate-stderr rejoin-log $how --strict --rules messages.conf a.log b.log
		status_is 1
		err_has 'a cycle'
		err_has '1 edges of cycles dropped'
		[ "$(lines <(printf '%s\n' "$output"))" = "$(lines a.log b.log)" ]
	done
}

@test "a cycle delays no other record: its records are where they would be without the edge" {
	printf '%s\n' '2026-11-21T10:00:00Z rx=1' '2026-11-21T10:00:01Z tx=2' '2026-11-21T10:00:02Z a3' >a.log
	printf '%s\n' '2026-11-21T10:00:00Z rx=2' '2026-11-21T10:00:01Z tx=1' '2026-11-21T10:00:02Z b3' >b.log
	printf '2026-11-21T10:%s:00Z c\n' 00 01 30 59 >c.log
	for how in --order=causal --exact --order=minimax; do
		run --separate-stderr rejoin-log $how --rules messages.conf a.log b.log c.log
		status_is 0
		err_has '1 edges of cycles dropped'
		[ "$(tail -n 5 <<<"$output")" = "$(tail -qn 1 a.log b.log; sed 1d c.log)" ]
	done
}

@test "a record that waits for two and is given up for one of them is not violated by it" {
	cat >calls.conf <<-'EOF'
		[calls]
		kind = span
		begin = begin span=(?<id>\w+)(?: parent=(?<parent>\w+))?
		end = end span=(?<id>\w+)
	EOF
	printf '2026-11-21T10:00:%sZ %s\n' 00 'begin span=1' 01 'begin span=2 parent=1' 02 'begin span=3 parent=1' \
		03 'end span=1' 04 'begin span=4 parent=2' 04.5 'begin span=5 parent=4' 04.9 'end span=2' 05.5 x \
		07.9 'end span=4' 09.5 'end span=3' 09.8 'end span=5' >x.log
	run --separate-stderr rejoin-log --strict --patience 2s --rules calls.conf x.log,order=none
	status_is 0
	[ -z "$stderr" ]
	out_is "$(for i in 1 2 3 5 6 8 10 11 9 7 4; do sed -n ${i}p x.log; done)"
}

@test "the cases of the forum come out as they happened" {
	run --separate-stderr rejoin-log "$LOGS/imp_2015-09-14.log"
	status_is 0
	out_is "$(cat "$LOGS/imp_2015-09-14.log")"

	run --separate-stderr rejoin-log "$LOGS/imp_2016-01-27.log"
	status_is 0
	out_is "$(sed '2{h;d};3{p;x}' "$LOGS/imp_2016-01-27.log")"

	run --separate-stderr rejoin-log "$LOGS/imp_2015-09-16.log"
	status_is 0
	out_is "$({ sed -n 1,2p "$LOGS/imp_2015-09-16.log"; sed -n 7p "$LOGS/imp_2015-09-16.log"
			sed -n 3,6p "$LOGS/imp_2015-09-16.log"; sed -n '8,$p' "$LOGS/imp_2015-09-16.log"; })"
}

@test "a start and a stop that are really that way round stay so" {
	printf '%s\n' '2026-11-21 10:00:00 UTC+1 [Status] Agent started.' \
		'2026-11-21 11:00:00 UTC+1 [Status] Agent stopped: migrating.' >far.log
	printf '%s\n' '2026-11-21 10:00:00 UTC+1 [Status] Agent started.' \
		'2026-11-21 10:00:02 UTC+1 [Status] Agent stopped: migrating.' \
		'2026-11-21 10:00:03 UTC+1 [Status] Agent started.' >near.log
	for f in far near; do
		run --separate-stderr rejoin-log $f.log
		status_is 0
		out_is "$(cat $f.log)"
	done
}

# by_host FILE - its records, a file for each host
by_host() {
	awk -v RS= 'BEGIN { FS = "\n" } { for (i = 1; i < NF; i += 2) {
		split($(i + 1), w, " "); split($i, x, " ")
		host = $i ~ /^[0-9]+ / ? w[1] : x[1]
		print $i "\n" $(i + 1) >("hosts/" host ".log") } }' "$1"
}

@test "vector clocks: split by host and merged, nothing is violated" {
	mkdir hosts
	by_host "$LOGS/chord.log"
	rejoin-log hosts/*.log >chord
	[ "$(lines chord)" = "$(lines "$LOGS/chord.log")" ]
	run --separate-stderr rejoin-log --check chord
	status_is 0
	[ -z "$output" ]
	# the same where the records of each host are shuffled
	for f in hosts/*.log; do
		paste - - <"$f" | shuf --random-source=<(yes) | tr '\t' '\n' >x
		mv x "$f"
	done
	for how in --exact --order=causal --order=minimax; do
		rejoin-log $how hosts/*.log >chord
		[ "$(lines chord)" = "$(lines "$LOGS/chord.log")" ]
		rejoin-log --check chord
	done
}

@test "vector clocks that agree with the times change nothing" {
	mkdir hosts
	by_host "$LOGS/tsviz_fslock_24t_4sp.log"
	rejoin-log hosts/*.log >causal
	rejoin-log --order=time hosts/*.log >by-time
	cmp causal by-time
	rejoin-log --check causal
	run rejoin-log --check "$LOGS/tsviz_fslock_24t_4sp.log"
	status_is 1
}

# numbered - a format of sequences and boots, and one of vector clocks in JSON
numbered() {
	cat >"$REJOIN_CONFIG_DIR/formats.d/numbered.conf" <<-'EOF'
		[format]
		detect = no
		line = ^\S+(?: q=(?<seqid>\w+) n=(?<seq>\d+))?(?: b=(?<boot>\w+) m=(?<mono>\d+))?(?<body>.*)
	EOF
	cat >"$REJOIN_CONFIG_DIR/formats.d/clocks.conf" <<-'EOF'
		[format]
		detect = no
		record = json
		order = none
		time-key = t
		emitter-key = h
		clock-key = vc
	EOF
}

@test "a sequence that several logs share keeps its order" {
	numbered
	printf '2026-11-21T10:00:0%sZ %s\n' 0 'q=A n=1' 1 'q=A n=3' 9 'q=A n=7' >a.log
	printf '2026-11-21T10:00:0%sZ %s\n' 1.5 'q=A n=2' 2 'q=A n=4' 8 'q=B n=1' >b.log
	v=("a.log,format=numbered" "b.log,format=numbered")
	{ sed -n 1p a.log; sed -n 1p b.log; sed -n 2p a.log; sed -n 2,3p b.log; sed -n 3p a.log; } >want
	for how in --order=causal '--exact --patience=1ms'; do
		# shellcheck disable=SC2086	# words
		rejoin-log $how "${v[@]}" 2>err | cmp - want
		grep -q ' 0 late, .* 1 gaps' err
	done
	rejoin-log --check want,format=numbered
	# minimax moves the two by 250 ms each, not one by 500
	printf '2026-11-21T10:00:01.%sZ\n' 2 3 >c.log
	rejoin-log --order=minimax "${v[@]}" c.log,format=numbered 2>/dev/null >got
	[ "$(grep -n 1.2Z got)" = 2:2026-11-21T10:00:01.2Z ]
	[ "$(grep -n 1.3Z got)" = 5:2026-11-21T10:00:01.3Z ]
	# what is later than the patience is marked, counted, and found
	sed -i '1i2026-11-21T10:00:01.3Z' b.log
	run --separate-stderr rejoin-log --strict --patience 100ms --prefix=always "${v[@]}"
	status_is 1
	out_has 'b.log | [late 0.000s] 2026-11-21T10:00:01.5Z q=A n=2'
	err_has '1 late'
	rejoin-log --patience 100ms "${v[@]}" 2>/dev/null >got
	run --separate-stderr rejoin-log --check got,format=numbered
	status_is 1
	out_is 'got:2: stands before line 4, which it follows (clock)'
}

@test "a boot's clock keeps its order, where one of its records has to wait, too" {
	numbered
	printf '2026-11-21T10:00:00.%sZ %s\n' 0 'b=B m=1000000' 5 'b=B m=1500000 rx=1' >a.log
	printf '2026-11-21T10:00:00.%sZ %s\n' 7 'b=B m=1700000' 8 'b=C m=1800000' >b.log
	printf '2026-11-21T10:00:01.0Z tx=1\n' >c.log
	v=("a.log,format=numbered" "b.log,format=numbered" "c.log,format=numbered")
	{ sed -n 1p a.log; sed -n 2p b.log; cat c.log; sed -n 2p a.log; sed -n 1p b.log; } >want
	sed -i 's/detect = no/&\norder = none/' "$REJOIN_CONFIG_DIR/formats.d/numbered.conf"
	for how in --order=causal --exact --order=minimax; do
		rejoin-log $how --offset off --rules messages.conf "${v[@]}" >got
		if [ $how = --order=minimax ]; then
			[ "$(grep -v b=C got)" = "$(grep -v b=C want)" ]
		else
			cmp got want
		fi
		rejoin-log --check --rules messages.conf got,format=numbered
	done
	cat c.log b.log a.log >bad
	run --separate-stderr rejoin-log --check bad,format=numbered
	status_is 1
	out_is "$(printf 'bad:2: stands before line %s, which it follows (clock)\n' 4 5)"
}

@test "a clock of which ticks are missing" {
	numbered
	# no record waits for an id that was not logged, in JSON as well
	printf '{"t":"2026-11-21T10:00:0%sZ","h":"a","vc":{"a":%s}}\n' 0 1 1 3 >a.log
	printf '{"t":"2026-11-21T10:00:0%sZ","h":"b","vc":{"b":%s}}\n' 2 1 9 2 >b.log
	run --separate-stderr rejoin-log --exact a.log,format=clocks b.log,format=clocks
	status_is 0
	out_is "$(cat a.log b.log)"
	err_has '1 unmatched'
	# and one that has been passed by is waited for if it will come
	printf '{"t":"2026-11-21T10:00:0%sZ","h":"a","vc":{"a":%s}}\n' 1 5 3 3 >a.log
	printf '{"t":"2026-11-21T10:00:0%sZ","h":"b","vc":{"b":1,"a":3}}\n' 2 >b.log
	rejoin-log --exact a.log,format=clocks b.log,format=clocks 2>/dev/null | cmp - <(cat a.log b.log)
	sed -i '2i{"t":"2026-11-21T10:00:02.5Z","h":"a"}' a.log
	sed -i 's/02Z/02.9Z/' b.log
	run --separate-stderr rejoin-log --patience 1ms a.log,format=clocks b.log,format=clocks
	err_has '1 late'
}

@test "a span that begins when its parent has ended is not waited for" {
	cat >calls.conf <<-'EOF'
		[calls]
		kind = span
		begin = begin span=(?<id>\w+)(?: parent=(?<parent>\w+))?
		end = end span=(?<id>\w+)
	EOF
	printf '2026-11-21T10:00:0%sZ %s\n' 0 'begin span=1' 1 'end span=1' 2 'begin span=2 parent=1' \
		3 'end span=2' >x.log
	for how in --order=causal --exact --order=minimax; do
		rejoin-log $how --rules calls.conf x.log,order=none | cmp - x.log
	done
	rejoin-log --check --rules calls.conf x.log
}

@test "the rules that are shipped: a stop stands before the start of the same second" {
	# turned FORMAT START STOP - the two in that order come out the other way round
	turned() {
		printf '%s\n' "$2" "$3" >x.log
		run --separate-stderr rejoin-log "x.log,format=$1,order=none"
		status_is 0
		out_is "$(tac x.log)"
	}
	turned syslog 'Nov 21 10:00:00 h systemd[1]: Started demo.service - Demo.' \
		'Nov 21 10:00:00 h systemd[1]: Stopped demo.service - Demo.'
	turned syslog 'Nov 21 10:00:00 h systemd[1]: Started The Demo.' 'Nov 21 10:00:00 h systemd[1]: Stopped The Demo.'
	turned syslog-iso '2026-11-21T10:00:00+00:00 h systemd[1]: Started rauc.service - Rauc Update Service.' \
		'2026-11-21T10:00:00+00:00 h systemd[1]: Stopped rauc.service - Rauc Update Service.'
	turned mender 'record_id=1 severity=info time="2026-Nov-21 10:00:00.123456" name="Global" msg="Running Mender client 4.0.4" ' \
		'record_id=9 severity=info time="2026-Nov-21 10:00:00.123456" name="Global" msg="Termination signal received, ..." '
	turned evp '[1795255200.000000000|0A1B|evp_agent.c:10|I] EVP device agent is up' \
		'[1795255200.000000000|0A1B|main.c:10|I] Exiting gracefully...'
	turned greengrass '2026-11-21T10:00:00.123Z [INFO] (main) c.a.g.l.Kernel: Launch Nucleus. {}' \
		'2026-11-21T10:00:00.123Z [INFO] (main) c.a.g.l.Kernel: system-shutdown. {main=null}'
	turned greengrass-json '{"level":"INFO","message":"Launch Nucleus","timestamp":1795255200123}' \
		'{"level":"INFO","eventType":"system-shutdown","timestamp":1795255200123}'
	turned imp-sse '234776801163a9ee 2018-01-22T19:49:30.000Z development status Agent started.' \
		'234776801163a9ee 2018-01-22T19:49:30.000Z development status Agent stopped: migrating.'
	# what belongs to two is not paired
	printf 'Nov 21 10:00:00 h systemd[1]: %s\n' 'Started A.' 'Stopped B.' 'Started c.service.' 'Stopped d.service.' >x.log
	rejoin-log x.log,order=none | cmp - x.log
	printf '%s 2018-01-22T19:49:%sZ development status Agent %s.\n' 234776801163a9ee 30.0 'stopped: migrating' \
		234776801163a9ff 30.1 'stopped: migrating' 234776801163a9ff 30.2 started 234776801163a9ee 30.3 started \
		234776801163a911 32.0 'restarted: reload' >x.log
	rejoin-log x.log,format=imp-sse | cmp - x.log
	sed -E 's/^(\S+) (\S+) development (\S+) (.*)/[\1] \2 [\3] \4/' x.log >y.log
	rejoin-log y.log,format=impt | cmp - y.log
	sed -E 's/^(\S+) (\S+) development (\S+) (.*)/{"ts":"\2","device_id":"\1","type":"\3","msg":"\4"}/' x.log >y.log
	rejoin-log y.log,format=imp-json | cmp - y.log
	# the numbers of a daemon begin anew with it
	printf 'record_id=%s severity=info time="2026-Nov-21 10:00:%s" name="Global" msg="%s" \n' \
		500 00.100000 old 501 00.200000 'Termination signal received' \
		1 01.000000 'Running Mender client 4.0.4' 2 01.100000 new >x.log
	for how in --order=causal --exact --order=minimax; do
		run --separate-stderr rejoin-log $how x.log,order=none
		out_is "$(cat x.log)"
		[ -z "$stderr" ]
	done
}

@test "--check counts messages and bytes as the merge does" {
	printf '%s\n' '[n]' 'match = nth' 'send = put (?<id>\w+)' 'recv = get (?<id>\w+)' '[s]' 'match = stream' \
		'open = open (?<id>\w+)' 'send = write (?<id>\w+) (?<len>\d+)' 'recv = read (?<id>\w+) (?<len>\d+)' \
		'[l]' 'kind = lifecycle' 'entity = e' 'stop = stopped' 'start = started' 'belongs = works' >counts.conf
	printf '2026-11-21T10:00:00.%sZ %s\n' 100 'put a' 200 'get a' 300 'get a' 400 'put a' 500 'open c' \
		600 'write c 10' 700 'read c 4' 750 'read c 10' 800 'write c 4' >bad.log
	run --separate-stderr rejoin-log --check --rules counts.conf bad.log
	status_is 1
	out_is 'bad.log:3: stands before line 4, which it follows (n)
bad.log:8: stands before line 9, which it follows (s)'
	for n in 1 2 4 3 5 6 7 9 8; do sed -n ${n}p bad.log; done >good.log
	rejoin-log --check --rules counts.conf good.log
	# the receives of two emitters are counted apart, where the log tells them
	printf '%s\n' 'a | 2026-11-21T10:00:01Z put x' 'b | 2026-11-21T10:00:02Z get x' 'c | 2026-11-21T10:00:02Z get x' \
		'a | 2026-11-21T10:00:03Z put x' >merged
	rejoin-log --check --rules counts.conf merged,order=merged
	run --separate-stderr rejoin-log --check --rules counts.conf merged
	status_is 1
	out_is 'merged:3: stands before line 4, which it follows (n)'
	# and what belongs to an incarnation stands behind its start
	printf '2026-11-21T10:00:0%sZ %s\n' 1 started 2 stopped 4 works 3 started >life.log
	run --separate-stderr rejoin-log --check --rules counts.conf life.log
	status_is 1
	out_is 'life.log:3: stands before line 4, which it follows (l)'
}

@test "what --exact prints violates no constraint but those that it reports to have dropped" {
	local seed dropped found=0
	for seed in 1 2 4 9 16 20 30; do
		mkdir "$seed"
		cd "$seed"
		"$B/tool/log-mess" "$seed" .
		export REJOIN_CONFIG_DIR=$PWD/etc
		mapfile -t operands <operands
		mapfile -t options <options
		rejoin-log -v --exact --offset off --prefix=always --rules rules.conf "${options[@]}" "${operands[@]}" >merged 2>err
		dropped=$(sed -n 's/.*, \([0-9]*\) edges of cycles dropped.*/\1/p' err)
		run --separate-stderr rejoin-log --check --rules rules.conf merged,order=merged
		[ "${#lines[@]}" -le "$dropped" ] || { echo "seed $seed: $dropped dropped, ${#lines[@]} found"; false; }
		found=$((found + ${#lines[@]}))
		cd ..
	done
	[ "$found" -gt 0 ]
}

@test "--check reports what stands in the wrong order" {
	printf '%s\n' '2026-11-21T10:00:00Z rx=1' '2026-11-21T10:00:01Z tx=1' >bad.log
	run --separate-stderr rejoin-log --check --rules messages.conf bad.log
	status_is 1
	out_is 'bad.log:1: stands before line 2, which it follows (m)'
	tac bad.log >good.log
	run --separate-stderr rejoin-log --check --rules messages.conf good.log
	status_is 0
	[ -z "$output" ]
	run --separate-stderr rejoin-log --check "$LOGS/imp_2016-01-27.log"
	status_is 1
	out_is 'imp_2016-01-27.log:2: stands before line 3, which it follows (imp-migration)'
}

@test "an id that is sent again is sent when it is sent first" {
	printf '[m]\nsend = tx=(?<id>\\w+)\nrecv = rx=(?<id>\\w+)\n' >again.conf
	printf '2026-11-21T10:00:00.1Z begin\n2026-11-21T10:00:00.5Z tx=1\n2026-11-21T10:00:01Z rx=1\n' >a.log
	# Its head is read before tx=1 is; it has the same second as rx=1, and the later name.
	echo '2026-11-21T10:00:01Z tx=1 again' >b.log
	run --separate-stderr rejoin-log --rules=again.conf a.log b.log
	status_is 0
	[ "${lines[2]}" = '2026-11-21T10:00:01Z rx=1' ]
	# A second send of it behind its need does not delay it, either.
	printf '2026-11-21T10:00:01Z rx=1\n2026-11-21T10:00:02Z tx=1 relayed\n' >c.log
	run --separate-stderr rejoin-log --rules=again.conf a.log c.log
	status_is 0
	out_is "$(sort -m a.log c.log)"
}

@test "the summary counts records without a time, however they are merged" {
	printf 'no time at all\nnor here\n' >a.log
	printf 'before the first\n2026-11-21T10:00:01Z y\n' >b.log
	for how in --order=time --order=causal --order=minimax --json; do
		run --separate-stderr rejoin-log -v "$how" a.log b.log
		status_is 0
		[[ $stderr == *' 3 without a time'* ]]
	done
}

@test "every byte comes out once, whatever it is" {
	: >empty.log
	printf '2026-11-21T10:00:00Z no newline' >one.log
	printf '2026-11-21T10:00:00Z nul \0 and \377\376 bytes\r\n2026-11-21T10:00:03Z x\r\n' >two.log
	printf 'no time at all\nnor here\n' >three.log
	printf 'before the first\n2026-11-21T10:00:01Z y\n  a trace\n\n  of lines\n2026-11-21T10:00:02Z z' >four.log
	{
		printf '2026-11-21T10:00:00.5Z '
		head -c 10485760 /dev/zero | tr '\0' x
		printf '\n2026-11-21T10:00:00.7Z after\n'
	} >long.log
	for how in --order=time --order=causal "--rules=messages.conf" "--exact --rules=messages.conf" --order=minimax; do
		# shellcheck disable=SC2086	# words
		rejoin-log $how ./*.log 2>err >all
		[ "$(wc -c <all)" -ge "$(cat ./*.log | wc -c)" ]
		{ cat one.log; echo; cat two.log three.log; cat four.log; echo; cat long.log; } | sort | md5sum >want
		{ cat all; [ "$(tail -c1 all | od -An -tx1)" = ' 0a' ] || echo; } | sort | md5sum >got
		cmp want got
	done
	# a single one is copied as it is
	for f in one two three four long empty; do
		rejoin-log $f.log | cmp - $f.log
	done
}

@test "a thousand files under a limit of 64 descriptors" {
	mkdir many
	for i in $(seq 1000); do
		printf '2026-11-21T10:00:%02d.%03dZ tx=%d\n2026-11-21T10:01:00Z end\n' $((i % 60)) "$((i % 1000))" "$i" >many/$i.log
	done
	(
		ulimit -n 64
		rejoin-log many/* >all
		rejoin-log --exact --rules messages.conf many/* >exact
	)
	[ "$(lines all)" = "$(lines many/*)" ]
	LC_ALL=C sort -c <(cut -d' ' -f1 all)
	cmp all exact
}

@test "a file that is replaced before it is read to its end, where not all can be kept open" {
	for i in $(seq 70); do echo "2026-11-21T10:00:00Z $i" >"$i.log"; done
	awk 'BEGIN { for (i = 0; i < 60000; i++) printf "2026-11-21T11:%02d:%02dZ old %d\n", i / 1000, i % 60, i }' >a.log
	mkfifo p
	# the pipe is opened last of all, so that a.log is open by then, and has to be gone on with after it
	(ulimit -n 64; exec rejoin-log ./*.log p >out 2>err) &
	PIDS+=($!)
	exec 5>p
	sed 's/old/new/' a.log >new
	mv new a.log
	echo '2026-11-21T10:00:01Z now' >&5
	exec 5>&-
	local status=0
	wait "${PIDS[-1]}" || status=$?
	status_is 1
	grep -q 'a.log: was cut or replaced while it was read' err
	run ! grep -q ' new ' out
}

@test "a directory and files that cannot be read do not keep the others from being merged" {
	echo '2026-11-21T10:00:00Z a' >a.log
	mkdir dir.log
	run --separate-stderr rejoin-log a.log dir.log missing.log 'none*.log'
	status_is 1
	out_is '2026-11-21T10:00:00Z a'
	err_has 'dir.log: Is a directory'
	err_has 'missing.log: No such file'
	err_has 'none*.log: matches no file'
}

@test "a file that is truncated while it is read ends there" {
	for i in $(seq 20000); do printf '2026-11-21T10:%02d:%02d.%03dZ text of some length to fill it\n' $((i / 6000)) $((i / 100 % 60)) $((i % 1000)); done >a.log
	mkfifo out
	rejoin-log a.log >out &
	exec 5<out
	head -c 100 <&5 >/dev/null
	: >a.log
	cat <&5 >/dev/null
	exec 5<&-
	wait $!
}

@test "standard input, pipes and compressed files" {
	printf '%s\n' '2026-11-21T10:00:00Z a' '2026-11-21T10:00:03Z d' >a.log
	printf '%s\n' '2026-11-21T10:00:01Z b' | gzip >b.log.gz
	printf '%s\n' '2026-11-21T10:00:02Z c' | xz >c.log.xz
	run --separate-stderr rejoin-log - b.log.gz <(xz -dc c.log.xz) <a.log
	status_is 0
	out_is "$(printf '2026-11-21T10:00:0%s\n' '0Z a' '1Z b' '2Z c' '3Z d')"
	run --separate-stderr rejoin-log b.log.gz c.log.xz
	status_is 0
	echo broken >d.log.gz
	run --separate-stderr rejoin-log a.log d.log.gz
	status_is 1
	err_has 'the command that reads it ended with 1'
	run --separate-stderr rejoin-log --exact - <a.log
	status_is 0
	out_is "$(cat a.log)"
}

@test "a line is written as soon as it is decided" {
	mkfifo in
	start log rejoin-log ./in
	exec 6>in
	printf '2026-11-21T10:00:00Z one\n2026-11-21T10:00:01Z two\n' >&6
	wait_for 'grep -q one log.out'
	exec 6>&-
	wait_for 'grep -q two log.out'
}

@test "records are chosen by time, text and level; the last are the last" {
	cat >k.log <<-'EOF'
		I1121 10:00:00.000001    1 a.go:1] one
		W1121 10:00:01.000001    1 a.go:2] two
		E1121 10:00:02.000001    1 a.go:3] three
		I1121 10:00:03.000001    1 a.go:4] four
	EOF
	[ "$(rejoin-log --level warning k.log | grep -c .)" = 2 ]
	[ "$(rejoin-log --include 't(wo|hree)' --exclude wo k.log)" = "$(sed -n 3p k.log)" ]
	[ "$(rejoin-log -n 1 k.log)" = "$(tail -1 k.log)" ]
	[ "$(rejoin-log -n 9 k.log)" = "$(cat k.log)" ]
	printf '2026-11-21T1%s:00:00Z\n' 0 1 2 3 >t.log
	[ "$(rejoin-log --since 2026-11-21T11:00:00Z --until 2026-11-21T13:00 t.log)" = "$(sed -n 2,3p t.log)" ]
	for t in 1795258800 @400000006b0179ba00000000 '21/Nov/2026:11:00:00 +0000' 2026-11-21T11:00 '2026-11-21 13:00:00 UTC+2'; do
		[ "$(rejoin-log --since "$t" t.log)" = "$(sed -n '2,$p' t.log)" ]
	done
	# t.log is an hour ahead
	[ "$(rejoin-log --offset t.log=1h --since 2026-11-21T11:30:00Z t.log)" = 2026-11-21T13:00:00Z ]
}

@test "--json, --explain and prefixes say where a record is from, and why it stands there" {
	needs jq
	printf '%s\n' '2026-11-21T10:00:00.100Z gets rx=7' >a.log
	printf '%s\n' '2026-11-21T10:00:00.150Z sends tx=7' >b.log
	run --separate-stderr rejoin-log --json --rules messages.conf a.log b.log
	status_is 0
	[ "$(jq -c '[.source, .time, .text, .mark, .moved_ms]' <<<"$output")" = \
'["b.log","2026-11-21T10:00:00.150000Z","2026-11-21T10:00:00.150Z sends tx=7",null,0]
["a.log","2026-11-21T10:00:00.100000Z","2026-11-21T10:00:00.100Z gets rx=7",null,50]' ]
	printf '2026-11-21T10:00:00Z \377\n' >c.log
	[ "$(rejoin-log --json c.log | jq -r .text_b64 | base64 -d)" = "$(cat c.log)" ]
	rejoin-log --format json a.log b.log | cmp - <(rejoin-log --format jsonl a.log b.log)
	run --separate-stderr rejoin-log --explain --rules messages.conf a.log b.log
	status_is 0
	out_has '# a.log: message m 7 after b.log:1, moved 50.000 ms'
	run --separate-stderr rejoin-log --prefix always x=a.log b.log
	status_is 0
	out_has 'x     | 2026-11-21T10:00:00.100Z gets rx=7'
}

@test "a span does not end before its children, where it waits for them" {
	cat >calls.conf <<-'EOF'
		[calls]
		kind = span
		begin = begin span=(?<id>\w+)(?: parent=(?<parent>\w+))?
		end = end span=(?<id>\w+)
	EOF
	printf '2026-11-21T10:00:00.%sZ %s\n' 000 'begin span=1' 100 'end span=1' 130 next >a.log
	printf '2026-11-21T10:00:00.%sZ %s\n' 050 'begin span=2 parent=1' 120 'end span=2' 170 last >b.log
	for how in '' --exact --order=minimax; do
		# shellcheck disable=SC2086	# none or one word
		run --separate-stderr rejoin-log $how --rules calls.conf a.log b.log
		status_is 0
		[ -z "$stderr" ]
		out_is "$(sed -n 1p a.log; sed -n 1,2p b.log; sed -n '2,$p' a.log; sed -n 3p b.log)"
	done
	rejoin-log --order time a.log b.log >merged
	run --separate-stderr rejoin-log --check --rules calls.conf merged
	status_is 1
	out_is 'merged:3: stands before line 4, which it follows (calls)'
	# a child that never ends is waited for no longer than any other
	sed -i '2s/end/lost/' b.log
	for how in --patience=1s --exact; do
		run --separate-stderr rejoin-log $how --rules calls.conf a.log b.log
		status_is 0
		err_has '1 unmatched'
		[ "$(lines <(printf '%s\n' "$output"))" = "$(lines a.log b.log)" ]
	done
}

@test "a clock that messages prove wrong is put right, in one pass as well" {
	for i in {10..40}; do
		printf '2026-11-21T10:00:%s.100Z asks tx=%s\n' "$i" "$i" >>a.log
		printf '2026-11-21T10:00:%s.900Z hears rx=b%s\n' "$i" "$i" >>a.log
		printf '2026-11-21T10:00:%s.000Z gets rx=%s\n2026-11-21T10:00:%s.500Z tells tx=b%s\n' "$i" "$i" "$i" "$i" >>b.log
	done
	for how in '' --exact; do
		# shellcheck disable=SC2086	# none or one word
		run --separate-stderr rejoin-log -v $how --rules messages.conf a.log b.log
		status_is 0
		err_has 's ahead'
		err_has '124 records'
		run --separate-stderr rejoin-log -v --offset off $how --rules messages.conf a.log b.log
		[[ $stderr != *'s ahead'* ]]
	done
}

@test "a long message of the Azure agent stays one record" {
	{
		printf '2024-04-17T13:20:21.7523Z 81202[87935] [D] [Send:526] ==== MULTI-LINE LOG BEGIN ====\n'
		printf '2024-04-17T13:20:25.0000Z 1[1] [I] quoted [x:1]\n'
		printf '{"a":1}2024-04-17T13:20:21.7523Z 81202[87935] [D] [Send:526] ==== MULTI-LINE LOG END ====\n\n'
		printf '2024-04-17T13:20:24.0000Z 81202[87935] [D] next [y:2]\n'
	} >du-agent.log
	printf '2024-04-17T13:20:22.0000Z 1[1] [I] other [z:1]\n' >other.log
	run --separate-stderr rejoin-log du-agent.log other.log
	status_is 0
	out_is "$({ sed -n 1,4p du-agent.log; cat other.log; sed -n 5p du-agent.log; })"
}

@test "blocks without an end, and markers that are quoted" {
	local a='2024-04-17T13:00:00.0000Z 1[1] [D] [F:1]' b='2024-04-17T13:00:01.0000Z 22[22] [D] [Ff:22]'
	printf '%s\n' "$a ==== MULTI-LINE LOG BEGIN ====" cut "$b ==== MULTI-LINE LOG BEGIN ====" \
		'quotes ==== MULTI-LINE LOG END ====' "$a [x:1] is quoted, too" "body$b ==== MULTI-LINE LOG END ====" >x.log
	rejoin-log x.log | cmp - x.log
	[ "$(rejoin-log --explain x.log | grep -c '^# ')" = 2 ]
	# that many are no trouble
	awk 'BEGIN { for (i = 0; i < 200000; i++)
		printf "2024-04-17T%02d:%02d:%02d.0000Z 1[1] [D] [F:1] ==== MULTI-LINE LOG BEGIN ====\nbody\n", i / 3600 % 24, i / 60 % 60, i % 60 }' >y.log
	timeout 30 rejoin-log --order=time y.log,format=adu >got
	cmp got y.log
}

@test "times of many kinds are understood, and their zones" {
	# each file's line is one second later than the one before
	echo '2026-11-21T10:00:01.000000+00:00 rfc3339' >f01
	echo '2026-11-21 12:00:02,500 +02:00 comma' >f02
	echo 'Nov 21 10:00:03 host p: syslog' >f03
	echo '1795255204.25 epoch' >f04
	echo '1795255205000 ms' >f05
	echo 'I1121 10:00:06.000000 1 f.go:1] klog' >f06
	echo '10.0.0.1 - - [21/Nov/2026:11:00:07 +0100] "GET / HTTP/1.0" 200 1' >f07
	echo '{"a":{"time":1},"ts":"2026-11-21T10:00:08Z","msg":"json"}' >f08
	echo 'level=info time=2026-11-21T10:00:09Z msg="log fmt"' >f09
	echo '@400000006b016bb400000000 tai64n' >f10
	echo '2026-11-21 22:00:11 UTC+12 [Device] imp' >f11
	echo '2026-11-21 15:30:12 UTC5.5 [Agent] imp' >f12
	echo 'record_id=1 severity=info time="2026-Nov-21 10:00:13.000000" name="Global" msg="mender" ' >f13
	echo '[ 1795255214.000000001|0001|a.c:1|I] evp' >f14
	touch -d '2026-11-21T12:00:00Z' f03 f06
	run --separate-stderr rejoin-log -v f14 f13 f12 f11 f10 f09 f08 f07 f06 f05 f04 f03 f02 f01
	status_is 0
	out_is "$(cat f??)"
	err_has 'f14: format evp'
	err_has 'f13: format mender'
	err_has 'f08: format jsonl'
}

# FORMAT|TIME|LEVEL|LINE, as their writers do
shipped() {
	cat <<-'EOF'
		adu|2024-11-08T15:14:28.380000Z|debug|2024-11-08T15:14:28.3800Z 564[564] [D] No root key change. [RootKeyWorkflow_UpdateRootKeys:172]
		adu-0.8|2021-03-05T17:21:11.549100Z|info|2021-03-05T17:21:11.5491Z [I] Agent (linux; 0.6.0-public-preview) starting. [main]
		do|2021-04-22T13:23:18.460350200Z|info|2021-04-22T13:23:18.4603502Z 821   821   info     {Run} Started, DU;deliveryoptimization-agent/v0.4.0
		do|2021-08-26T12:03:20.776968600Z|error|2021-08-26T12:03:20.7769686Z 1181  1197  error    {Append} (hr:80070018) cbWritten
		mender|2026-01-05T10:00:00.123456Z|info|record_id=12 severity=info time="2026-Jan-05 10:00:00.123456" name="Global" msg="Sync" 
		greengrass|2026-01-05T10:00:00.123000Z|info|2026-01-05T10:00:00.123Z [INFO] (main) com.aws.greengrass.lifecyclemanager.Kernel: system-start. {version=2.9}
		greengrass|2024-08-07T23:57:21.910000Z|info|2024-08-07T23:57:21.910Z [INFO] (aws.greengrass.Cli-lifecycle) com.aws.greengrass.cli.CLIService: service-set-state. {serviceName=aws.greengrass.Cli, currentState=RUNNING, newState=STOPPING}
		greengrass-lite|2026-01-05T10:00:00.123456Z|info|2026-01-05T10:00:00.123456+00:00 gg ggdeploymentd[612]: I[ggdeploymentd] [A34F:01BC:----:src/deployment_handler.c:77] trace_start: deployment_jobs
		greengrass-lite|2026-01-05T10:00:00.123456Z|error|2026-01-05T10:00:00.123456+00:00 gg gghealthd[613]: E[gghealthd] src/health.c:12: text
		kanto|2022-05-05T09:12:33.123456Z|info|2022/05/05 09:12:33.123456  [suite-connector]   INFO   Starting suite connector
		kanto|2023-05-05T09:12:33.123456Z|debug|2023/05/05 09:12:33.123456  [update-manager] DEBUG    received current state get
		logfmt|2022-05-05T09:12:33.123456789Z|info|time="2022-05-05T09:12:33.123456789Z" level=info msg="starting container management"
		thin-edge|2026-01-05T10:00:00.123456Z|warning|2026-01-05T10:00:00.123456Z  WARN tedge_agent: no time
		evp|2025-06-01T12:00:00.123456789Z|info|[ 1748779200.123456789|0A1F|main.c:12|I] EVP device agent is up
		js7|2026-01-05T09:00:00.123000Z|info|2026-01-05 10:00:00.123+01 info  js7.agent.Main - Begin
		imp|2015-09-15T19:21:49.000000Z|null|2015-09-16 07:21:49 UTC+12 [Device] Agent stopped: migrating.
		imp|2015-09-14T21:35:47.000000Z|null|2015-09-14 17:35:47 UTC-4 [Agent]	msg
		imp-console|2020-08-05T17:41:33.627000Z|null|2020-08-05T17:41:33.627 +00:00 	[Status] 	Agent restarted: reload.
		imp-console|2018-08-20T13:19:27.000000Z|null|2018-08-20 16:19:27 +03:00 	[Status] 	Agent restarted: reload.
		imp-console|2023-05-17T22:22:58.000000Z|null|2023-05-17 17:22:58-0500 [Agent]  of VS Code
		imp-console|2023-05-17T22:22:58.123000Z|null|2023-05-17T22:22:58.123+00:00 "name": [Device]   of Squinter
		impt|2018-01-22T18:36:05.603000Z|null|[234776801163a9ee] 2018-01-22T18:36:05.603Z [agent.log] Data published
		impt|2018-01-22T18:33:59.537000Z|null|2018-01-22T18:33:59.537Z [agent.log] Data
		imp-sse|2017-05-19T17:28:19.095000Z|null|232390b030728cee 2017-05-19T17:28:19.095Z development server.log Connected by WiFi
		snap|2026-01-05T10:00:00.000000Z|null|2026-01-05T10:00:00Z snapd[123]: started
		tai64n|2026-01-05T10:00:00.000000Z|null|@40000000695b8baa00000000 text
		klog|2026-01-05T10:00:00.123456Z|warning|W0105 10:00:00.123456    1234 file.go:12] text
		log4j|2026-01-05T10:00:00.123000Z|error|2026-01-05 10:00:00,123 [main] ERROR org.x.Y - text
		log4j|2026-01-05T09:00:00.123000Z|info|2026-01-05T10:00:00.123+01:00  INFO 1234 --- [app] [main] c.e.App : Started
		log4j|2026-01-05T10:00:00.123000Z|warning|2026-01-05 10:00:00,123 - name - WARNING - msg
		logback|2026-01-05T10:00:00.123000Z|info|10:00:00.123 [main] INFO com.x.Y - text
		clf|2000-10-10T20:55:36.000000Z|null|127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 2326
		logfmt|2026-01-05T10:00:00.000000Z|warning|time=2026-01-05T10:00:00Z level=warn msg="a b"
		jsonl|2026-01-05T10:00:00.000000Z|error|{"level":"error","ts":1767607200000,"msg":"x"}
		cri|2016-10-06T00:17:09.669794202Z|null|2016-10-06T00:17:09.669794202Z stdout F text
		monit|2026-01-05T10:00:00.000000Z|info|[CET Jan  5 10:00:00] info     : 'x' start
		syslog|2026-01-05T10:00:00.000000Z|null|Jan  5 10:00:00 host app[1]: text
		syslog-iso|2026-01-05T10:00:00.123456Z|null|2026-01-05T10:00:00.123456+00:00 host app[1]: text
		auto|2026-01-05T10:00:00.000000Z|null|2026-01-05T10:00:00Z text
		auto|2026-01-05T10:00:00.123000Z|null|2026-01-05T10:00:00.123Z [info] whoever writes so
		auto|2026-01-05T09:00:00.123000Z|null|2026-01-05 10:00:00.123 +01:00 [INF] or so
		auto|2026-01-05T10:00:00.000000Z|null|2026-01-05 10:00:00 UTC [1234] LOG:  of PostgreSQL
		auto|2026-01-05T10:00:00.000000Z|null|2026-01-05T10:00:00Z GET /x t=35ms ts=-
		auto|2026-01-05T10:00:00.000000Z|null|2026-01-05T10:00:00Z t {"time":5}
		adu-journal|2024-08-14T06:03:26.851700Z|error|Aug 14 06:07:00 host AducIotAgent[522]: 2024-08-14T06:03:26.8517Z 522[522] [E] IoTHub connection is broken. [f:222]
		greengrass-json|2026-01-05T10:00:00.123000Z|info|{"thread":"main","level":"INFO","eventType":"x","message":"m","timestamp":1767607200123,"cause":null}
		mender-deployment|2026-01-05T10:00:00.000000Z|info|{"timestamp":"2026-01-05T10:00:00Z","level":"info","message":"x"}
		imp-json|2018-01-22T19:49:30.423000Z|null|{"device_id":"234776801163a9ee","ts":"2018-01-22T19:49:30.423Z","log_type":"development","type":"status","msg":"Agent restarted: reload."}
		docker|2026-01-05T10:00:00.123456789Z|null|{"log":"text\n","stream":"stdout","time":"2026-01-05T10:00:00.123456789Z"}
		rauc|2026-01-05T10:00:00.000000Z|null|2026-01-05T10:00:00Z: Marked slot good
		rauc|2023-06-14T20:18:07.000000Z|null|2023-06-14T20:18:07Z: Booted into rootfs.0 (A)
		rauc-json|2023-06-14T21:15:41.000000Z|null|{"TS":"2023-06-14T21:15:41Z","MESSAGE":"Booted into rootfs.0 (A)","MESSAGE_ID":"e60e0addd3454cb8b796eae0d497af96","GLIB_DOMAIN":"rauc-event","RAUC_EVENT_TYPE":"boot","BOOT_ID":"16655d2c-c5ca-48d3-bea8-7b95c803b4b2","BUNDLE_HASH":"unknown"}
		fwupd|null|null|no time
		swupdate|null|info|[INFO ] : SWUPDATE running :  [main] : text
		rauc-hawkbit|null|notice|MESSAGE: Checking for new software...
	EOF
}

@test "lines of the shipped formats are told apart, and their times and levels found" {
	needs jq
	local format time level line
	while IFS='|' read -r format time level line; do
		printf '%s\n' "$line" >x.log
		touch -d 2026-01-06T00:00:00Z x.log
		case $format in
		adu-journal|greengrass-json|mender-deployment|imp-json|docker|rauc|rauc-json|fwupd) run --separate-stderr rejoin-log -v --json "x.log,format=$format" ;;
		*) run --separate-stderr rejoin-log -v --json x.log ;;
		esac
		status_is 0
		err_has "x.log: format $format, "
		[ "$(jq -r '"\(.time)|\(.level)"' <<<"$output")" = "$time|$level" ] || {
			echo "$format: $output"
			return 1
		}
	done < <(shipped)
}

@test "a time and JSON is not a host and its vector clock, and a level stays that of a record of many lines" {
	printf '2026-01-05T10:00:0%s\n' '0Z {"status":200}' '1Z {"a":1}' '2Z {"b":2}' '3Z {"c":3}' >x.log
	run --separate-stderr rejoin-log -v x.log
	status_is 0
	err_has 'format auto, order fifo'
	out_is "$(cat x.log)"
	printf '%s\n' '2021-03-05T17:21:11.5491Z [D] a' 'b [main]' '2021-03-05T17:21:11.5492Z [E] c' 'd [main]' >x.log
	run --separate-stderr rejoin-log --level error x.log
	status_is 0
	out_is "$(sed -n 3,4p x.log)"
	printf '2022-01-01T00:00:00.1234567Z 1     2     %-8s {F} text\n' '' info warn >x.log
	run --separate-stderr rejoin-log --level info x.log
	out_is "$(sed -n 2,3p x.log)"
}

@test "what is before the first time goes with it, and a byte order mark hides none" {
	needs jq
	printf '%s\n' '{"msg":"head"}' '{"ts":"2026-11-21T10:00:05Z"}' '{"msg":"between"}' '{"ts":"2026-11-21T10:00:07Z"}' >x.log
	printf '2026-11-21T10:00:0%sZ y\n' 1 6 >y.log
	run --separate-stderr rejoin-log x.log y.log
	status_is 0
	out_is "$(sed -n 1p y.log; sed -n 1,3p x.log; sed -n 2p y.log; sed -n 4p x.log)"
	for exact in '' --exact; do
		# shellcheck disable=SC2086	# none or one word
		run --separate-stderr rejoin-log $exact --since 2026-11-21T10:00:02Z x.log y.log
		out_is "$(sed -n 1,3p x.log; sed -n 2p y.log; sed -n 4p x.log)"
	done
	for line in '{"ts":"2026-11-21T10:00:05.000Z","level":"info"}' '2026-11-21T10:00:05.0000Z 1[1] [info] adu' \
		'2026-11-21T10:00:05Z text' '2026-11-21 10:00:05,000 INFO log4j'; do
		printf '\xef\xbb\xbf%s\n' "${line/\[info\]/[I]}" >x.log
		[ "$(rejoin-log --json x.log | jq -r .time)" = 2026-11-21T10:00:05.000000Z ]
		[ "$(rejoin-log --level error x.log)" = "$([[ $line != *text ]] || cat x.log)" ]
		rejoin-log x.log | cmp - x.log
	done
}

@test "members of JSON by other names, and what they mean" {
	needs jq
	printf '[format]\nrecord = json\ntime = any\ntime-key = when\nemitter-key = who\nlevel-key = severity\npriority = 60\n' \
		>"$REJOIN_CONFIG_DIR/formats.d/mine.conf"
	printf '%s\n' '{"when":1767607200,"who":"caf\u00e9 \"x\"","severity":"war\u006e"}' \
		'{"nested":{"when":5}, "when" : "2026-01-05T10:00:01Z", "who" : null}' >x.log
	rejoin-log -v --json x.log 2>err | jq -c '[.time,.emitter,.level]' >got
	grep -q 'format mine' err
	diff -u - got <<-'EOF'
		["2026-01-05T10:00:00.000000Z","café \"x\"","warn"]
		["2026-01-05T10:00:01.000000Z",null,null]
	EOF
	# an emitter= of the operand is one in JSON, too
	printf '%s\n' '2026-11-21T10:00:01Z [a] 1' '2026-11-21T10:00:00Z [b] 0' >y.log
	[ "$(rejoin-log --json 'y.log,emitter=\[(\w)\]' | jq -r .emitter)" = $'b\na' ]
}

@test "the kernel's times are counted from the boot of this machine" {
	needs jq
	local boot
	printf '%s\n' '[    0.000000] Linux version 6.1.0 (builder) #1 SMP PREEMPT_DYNAMIC' \
		'[    1.500000] systemd[1]: Hostname set to <gateway>.' >plain.log
	printf '[    1.250000][    T%s] pci 0000:00:01.0: probed\n' 1 17 >caller.log
	boot=$(awk '/^btime/ { print $2 }' /proc/stat)
	run --separate-stderr rejoin-log -v --json plain.log caller.log
	status_is 0
	err_has 'plain.log: format dmesg'
	err_has 'caller.log: format dmesg'
	[ "$(jq -r .source <<<"$output" | tr '\n' ' ')" = 'plain.log caller.log caller.log plain.log ' ]
	# a clock that is set meanwhile moves the boot, by little here
	[ "$(jq -s --argjson boot "$boot" '(.[0].time | sub("[.].*"; "Z") | fromdate) - $boot | fabs < 3' <<<"$output")" = true ]
}

@test "what RAUC writes below a line belongs to it" {
	cat >rauc.log <<-'EOF'
		2023-06-14T20:18:07Z: Booted into rootfs.0 (A)
		                      bundle hash: unknown
		                      boot ID: 16655d2c-c5ca-48d3-bea8-7b95c803b4b2
		2023-06-14T20:18:12Z: Marked slot rootfs.0 as active.
		                      bundle hash: unknown
	EOF
	printf '2023-06-14T20:18:07Z: other\n' >z.log
	run --separate-stderr rejoin-log -v rauc.log,format=rauc z.log,format=rauc
	status_is 0
	err_has '3 records'
	out_is "$(sed -n 1,3p rauc.log; cat z.log; sed -n 4,5p rauc.log)"
}

@test "local time by a zone, with the hour that comes twice" {
	[ -e /usr/share/zoneinfo/Europe/Berlin ] || cannot 'no zones'
	# 02:30 twice on that day: first +02:00, then +01:00
	printf '2025-10-26 %s\n' '02:30:00 first' '02:50:00 first' '02:10:00 second' '02:40:00 second' >local.log
	printf '2025-10-26T%sZ\n' '00:40:00' '01:05:00' '01:30:00' >utc.log
	run --separate-stderr rejoin-log local.log,tz=Europe/Berlin utc.log
	status_is 0
	[ "$(awk '{print $2 ? $1 " " $2 : $1}' <<<"$output" | cut -c12-16 | tr '\n' ' ')" = '02:30 00:40 02:50 01:05 02:10 01:30 02:40 ' ]
}

# times FILE [OPERAND]: the time of each record, as JSON has it
times() { rejoin-log --json --order=time "${2-$1}" | jq -r .time; }

@test "a zone that only some lines name, and what a zone may look like" {
	local pad=0123456789012345678901234567890123456789012345678901234567890123456789
	# the same second, as a cache would have it
	printf "2026-11-21 10:00:00%s $pad\n" '' ' +05:00' ' UTC+2' ' Z' '' ' UTC5.' ' UTC5.5' ' UTC-2:30' >a.log
	run times a.log
	out_is "$(printf '2026-11-21T%s:00.000000Z\n' 10:00 05:00 08:00 10:00 10:00 05:00 04:30 12:30)"
}

@test "a zone that goes on in the next line is read anew there" {
	printf '2026-11-21 20:16:00UTC5. a\n2026-11-21 20:16:00UTC5.5 b\n2026-11-21 20:16:00U c\n2026-11-21 20:16:00UTC2 d\n' >log
	for i in 1 2 3 4; do printf '2026-11-21 20:16:00UTC%s padding so that the short way is open\n' "$i" >>log; done
	run --separate-stderr rejoin-log --json --order=time log,tz=UTC
	status_is 0
	[ "$(jq -r '.time[11:16]' <<<"$output" | sort | xargs)" = '14:46 15:16 16:16 17:16 18:16 18:16 19:16 20:16' ]
}

@test "local time by a rule in TZ, and by a zone's rule beyond its table" {
	printf '%s\n' '2026-01-01 12:00:00' '2026-07-01 12:00:00' >a.log
	TZ='CET-1CEST,M3.5.0,M10.5.0/3' run times a.log
	out_is $'2026-01-01T11:00:00.000000Z\n2026-07-01T10:00:00.000000Z'
	TZ='<+0330>-3:30' run times a.log
	out_is $'2026-01-01T08:30:00.000000Z\n2026-07-01T08:30:00.000000Z'
	TZ='AEST-10AEDT,M10.1.0,M4.1.0/3' run times a.log
	out_is $'2026-01-01T01:00:00.000000Z\n2026-07-01T02:00:00.000000Z'
	[ -e /usr/share/zoneinfo/Europe/Berlin ] || cannot 'no zones'
	printf '%s\n' '2045-01-01 12:00:00' '2045-07-01 12:00:00' >a.log
	run times a.log a.log,tz=Europe/Berlin
	out_is $'2045-01-01T11:00:00.000000Z\n2045-07-01T10:00:00.000000Z'
}

@test "a date without a year is in the last that has it" {
	printf '%s\n' 'Feb 29 10:00:00 host p: leap' >a.log
	touch -d 2028-01-15 a.log
	run times a.log
	out_is 2024-02-29T10:00:00.000000Z
	printf '%s\n' 'Dec 31 23:59:59 host p: old' 'Jan  1 00:00:01 host p: new' >a.log
	touch -d 2027-01-01T00:00:02Z a.log
	run times a.log
	out_is $'2026-12-31T23:59:59.000000Z\n2027-01-01T00:00:01.000000Z'
}

# boot_entry REALTIME MONOTONIC MESSAGE, both in seconds
boot_entry() {
	printf '__REALTIME_TIMESTAMP=%s000000\n__MONOTONIC_TIMESTAMP=%s000000\n_BOOT_ID=b\nMESSAGE=%s\n\n' "$@"
}

# merged - the messages of the export and the words of o.log, in the order of the merge
merged() {
	rejoin-log a.export,format=journal-export o.log |
		sed -n 's/^MESSAGE=//p; s/^2026-[^ ]* //p' | tr '\n' ' '
}

@test "a boot's clock gives order and no time: set late, put back, stopped by a suspend" {
	printf '%s\n' '2026-03-05T14:07:08.5Z o1' '2026-03-05T14:07:12Z o2' >o.log
	# the clock is set a year ahead after two records
	{ boot_entry 1732719628 1 early; boot_entry 1772719628 10 synced; boot_entry 1772719631 13 late; } >a.export
	[ "$(merged)" = 'early synced o1 late o2 ' ]
	# it stands still while the machine sleeps for an hour
	{ boot_entry 1772716028 1 before; boot_entry 1772719630 3 awake; } >a.export
	[ "$(merged)" = 'before o1 awake o2 ' ]
	# it is put back by an hour: the records of the boot keep their order
	{ boot_entry 1772719629 1 one; boot_entry 1772716030 2 two; boot_entry 1772716031 3 three; } >a.export
	[ "$(merged)" = 'o1 one two three o2 ' ]
	# in two files, the boot orders them across the files
	{ boot_entry 1772719629 1 one; boot_entry 1772719633 3 three; } >a.export
	{ boot_entry 1772719635 2 two; } >b.export
	[ "$(rejoin-log {a,b}.export,format=journal-export | sed -n 's/^MESSAGE=//p' | tr '\n' ' ')" = 'one two three ' ]
}

@test "the journal's export format goes by the boot's clock" {
	entry() {
		printf '__CURSOR=%s\n__REALTIME_TIMESTAMP=%s\n__MONOTONIC_TIMESTAMP=%s\n_BOOT_ID=%s\nMESSAGE=%s\n\n' "$@"
	}
	{ entry 1 1795255200000000 1000000 b one; entry 3 1795250000000000 3000000 b three; } >a.export
	entry 2 1795255201000000 2000000 b two >b.export
	run --separate-stderr rejoin-log a.export b.export
	status_is 0
	[ "$(sed -n 's/^MESSAGE=//p' <<<"$output" | tr '\n' ' ')" = 'one two three ' ]
}

@test "the logs of a profile" {
	echo '2026-11-21T10:00:00Z from the profile' >p.log
	cat >"$REJOIN_CONFIG_DIR/agents.d/mine.conf" <<-EOF
		[agent]
		name = mine
		[log.a]
		path = $PWD/p*.log
	EOF
	run --separate-stderr rejoin-log -A mine
	status_is 0
	out_is '2026-11-21T10:00:00Z from the profile'
}

@test "every format and every rule that is shipped is right, and rules of others are refused" {
	echo '2026-11-21T10:00:00Z' >a.log
	for f in "$TOP"/packaging/formats.d/*.conf; do
		f=${f##*/}
		run --separate-stderr rejoin-log "a.log,format=${f%.conf}"
		status_is 0
		out_is 2026-11-21T10:00:00Z
	done
	chmod o+w "$REJOIN_CONFIG_DIR/rules.d/imp.conf"
	run --separate-stderr rejoin-log a.log
	status_is 7
	err_has 'writable by others'
}

@test "what is written wrong is named" {
	echo '2026-11-21T10:00:00Z' >a.log
	printf '[m]\nkind = message\nsend = (x\nrecv = y\n' >bad.conf
	printf '[m]\nkind = message\nsend = x\nrecv = y\n' >noid.conf
	for args in '--order=up a.log' '--patience=5 a.log' '--since=noon a.log' '--rules=bad.conf a.log' \
		'--rules=noid.conf a.log' 'a.log,format=nope' 'a.log,order=maybe' 'a.log,tz=Nowhere' '--level=loud a.log' \
		'--offset=x a.log' '--offset=other=1s a.log' '--include=( a.log'; do
		# shellcheck disable=SC2086	# words
		run --separate-stderr rejoin-log $args
		status_is 2
		[ -z "$output" ]
		[ -n "$stderr" ]
	done
	run --separate-stderr rejoin-log --rules=bad.conf a.log
	err_has 'bad.conf:3'
}

@test "compressed logs and one by another name are merged, and the result is in order" {
	mkdir front
	printf '%s\n' '2026-11-21T10:00:00.150Z POST /x id=7a' | gzip >front/1.log.gz
	printf '%s\n' '2026-11-21T10:00:01.150Z POST /x id=7b' | gzip >front/2.log.gz
	printf '%s\n' '2026-11-21T10:00:00.100Z handling 7a' '2026-11-21T10:00:01.200Z handling 7b' >app.log
	printf '[requests]\nkind = message\nsend = POST .* id=(?<id>[0-9a-f]+)\nrecv = handling (?<id>[0-9a-f]+)\n' >ids.conf
	run --separate-stderr rejoin-log --rules ids.conf front/*.log.gz back=app.log
	status_is 0
	[ "$(cut -c26- <<<"$output" | tr '\n' ',')" = 'POST /x id=7a,handling 7a,POST /x id=7b,handling 7b,' ]
	printf '%s\n' "$output" >merged.log
	run --separate-stderr rejoin-log --check --rules ids.conf merged.log
	status_is 0
	run --separate-stderr rejoin-log --exact --rules ids.conf front/*.log.gz back=app.log
	status_is 0
	out_is "$(cat merged.log)"
}

@test "a full standard output is trouble" {
	echo '2026-11-21T10:00:00Z' >a.log
	run --separate-stderr bash -c 'rejoin-log a.log >/dev/full'
	status_is 3
	err_has 'standard output'
}

@test "controls do not reach a terminal, but for --raw" {
	needs script
	printf '2026-11-21T10:00:00Z a\033[31mred\n' >a.log
	script -qec 'rejoin-log a.log' /dev/null >shown </dev/null
	grep -qF 'a\x1b[31mred' shown
	script -qec 'rejoin-log --raw a.log' /dev/null >shown </dev/null
	grep -qF $'a\033[31mred' shown
	# C1 in either form; what is text stays
	printf '2026-11-21T10:00:01Z \x9b31m \xc2\x9b31m \xc3\x9b \xe4\n' >a.log
	script -qec 'rejoin-log a.log' /dev/null >shown </dev/null
	LC_ALL=C grep -qF $'Z \\x9b31m \\u009b31m \xc3\x9b \xe4' shown
	# what turns the text round; what only is of the other direction stays
	printf '2026-11-21T10:00:01Z a\xe2\x80\xaeb\xe2\x81\xa6c\xe2\x80\x8fd\xd8\x9ce \xd7\x90\xe2\x80\x8d\n' >a.log
	script -qec 'rejoin-log a.log' /dev/null >shown </dev/null
	grep -qF $'Z a\\u202eb\\u2066c\\u200fd\\u061ce \xd7\x90\xe2\x80\x8d' shown
	rejoin-log a.log | cmp - a.log
	script -qec 'rejoin-log --json a.log' /dev/null >shown </dev/null
	grep -qF 'Z a\u202eb\u2066c\u200fd\u061ce ' shown
	# nor does a file's name
	printf '%s\n' '2026-11-21T10:00:01Z gets rx=7' '2026-11-21T10:00:02Z sends tx=7' >a.log
	mv a.log $'a\033[31m\n\xe2\x80\xae.log'
	for how in --prefix=always --explain '--check --rules messages.conf' -v --json; do
		echo '2026-11-21T10:00:02Z' >b.log
		script -qc "rejoin-log $how *.log" /dev/null >shown </dev/null
		[ -s shown ]
		run ! grep -q $'\033\[31m\|\xe2\x80\xae' shown
	done
}

@test "large sorted files by several workers, and one that is not sorted" {
	for f in a b c d; do
		awk -v f=$f 'BEGIN { srand(f == "a" ? 1 : f == "b" ? 2 : f == "c" ? 3 : 4); t = 0
			for (i = 0; i < 60000; i++) { t += int(rand() * 3000)
				printf "2026-11-21T%02d:%02d:%02d.%06dZ %s %d some text that makes the line as long as they are\n",
				int(t / 3600e6), int(t / 60e6) % 60, int(t / 1e6) % 60, t % 1000000, f, i } }' >$f.log
	done
	LC_ALL=C sort -s -m -k1,1 a.log b.log c.log d.log >want
	rejoin-log a.log b.log c.log d.log | cmp - want
	# a clock that jumps back, where no sample shows it: as one worker alone would have it
	sed -i '30000s/^2026-11-21T../2026-11-21T00/' c.log
	rejoin-log a.log b.log c.log d.log >two
	taskset -c "$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')" rejoin-log a.log b.log c.log d.log | cmp - two
	[ "$(lines two)" = "$(lines ./?.log)" ]
}

# bats test_tags=plain
@test "a line of any length passes through in little memory, in every format" {
	{ printf '2026-11-21T10:00:00Z '; head -c 150M /dev/zero | tr '\0' x; printf '"\n2026-11-21T10:00:01Z next\n'; } >long.log
	for how in '' --json --prefix=always --explain --include=x --graph; do
		# shellcheck disable=SC2086	# none or one word
		(ulimit -v 131072; exec rejoin-log $how long.log) >out
		[ -s out ]
	done
	rejoin-log long.log | cmp - long.log
	rejoin-log --json long.log | jq -rj '.text, "\n"' | cmp - long.log
}

@test "--json and --explain name each constraint, whether or not a record waited for it" {
	needs jq
	cat >r.conf <<-'EOF'
		[m]
		send = tx=(?<id>\w+)
		recv = rx=(?<id>\w+)
	EOF
	printf '2026-01-01T00:00:00.000Z tx=1\n2026-01-01T00:00:00.001Z tx=2\n2026-01-01T00:00:09.000Z back\n2026-01-01T00:00:08.000Z here\n' >a.log
	printf '2026-01-01T00:00:00.000Z rx=1 \n2026-01-01T00:00:00.002Z rx=1 rx=2\n2026-01-01T02:00:00.000Z rx=2\n' >b.log
	run --separate-stderr rejoin-log -v --json --rules r.conf a.log b.log
	status_is 0
	err_has ' 0 unmatched'
	[ "$(jq -c 'select(.edges != []) | [.source, .edges]' <<<"$output")" = '["b.log",["message m 1 after a.log:1"]]
["b.log",["message m 1 after a.log:1"]]
["a.log",["program order after a.log:3"]]
["b.log",["message m 2 (forgotten)"]]' ]
	run --separate-stderr rejoin-log --explain --rules r.conf a.log b.log
	status_is 0
	out_has '# b.log: message m 1 after a.log:1'
	out_has '# a.log: program order after a.log:3, moved 1000.000 ms'
	out_has '# b.log: message m 2 (forgotten)'
}

@test "--exact: a receive is matched with a send longer before it than patience" {
	cat >r.conf <<-'EOF'
		[m]
		send = tx=(?<id>\w+)
		recv = rx=(?<id>\w+)
	EOF
	printf '2026-01-01T00:00:00Z tx=%s\n' 1 2 >a.log
	printf '2026-01-01T01:00:00Z rx=%s\n' 1 2 3 >b.log
	for how in '' --exact; do
		# shellcheck disable=SC2086	# none or one word
		run --separate-stderr rejoin-log -v $how --patience 30ms --rules r.conf a.log b.log
		status_is 0
		err_has '5 records, 1 unmatched'
	done
}

@test "sends whose receives follow two hours later: none is unmatched" {
	awk -v n=300000 'BEGIN { for (i = 0; i < n; i++) {
		t = i / 100; printf "2026-01-01T%02d:%02d:%05.2fZ send x%d\n", t / 3600, t % 3600 / 60, t % 60, i >"s.log"
		t += 7200; printf "2026-01-01T%02d:%02d:%05.2fZ recv x%d\n", t / 3600, t % 3600 / 60, t % 60, i >"r.log" } }'
	printf '[m]\nkind = message\nsend = send (?<id>\\S+)\nrecv = recv (?<id>\\S+)\n' >r.conf
	for how in '' --json --explain; do
		# shellcheck disable=SC2086	# none or one word
		rejoin-log -v $how --rules r.conf s.log r.log >out 2>err
		grep -q '^rejoin-log: 600000 records, 0 unmatched, 0 late, ' err
		run ! grep -q unmatched out
		# shellcheck disable=SC2086
		rejoin-log -v $how --rules r.conf s.log=<(cat s.log) r.log=<(cat r.log) >pipes 2>err
		grep -q '^rejoin-log: 600000 records, 0 unmatched, 0 late, ' err
		cmp out pipes
	done
}

@test "the bytes do not depend on the order of operands, nor on what the sources come through" {
	cp "$LOGS"/*.log .
	for how in '' --json; do
		# shellcheck disable=SC2086	# none or one word
		rejoin-log $how --patience 1s imp*.log chord.log ts*.log >out
		# shellcheck disable=SC2086
		rejoin-log $how --patience 1s ts*.log imp_2016*.log chord.log imp_2015-09-16.log imp_2015-09-14.log >shuffled
		cmp out shuffled
		pipes=() packed=()
		for f in *.log; do
			gzip -kf "$f"
			pipes+=("$f=p.$f") packed+=("$f=$f.gz")
			mkfifo "p.$f"
			cat "$f" >"p.$f" 3>&- 4>&- &
		done
		# shellcheck disable=SC2086
		rejoin-log $how --patience 1s "${pipes[@]}" >piped
		cmp out piped
		# shellcheck disable=SC2086
		rejoin-log $how --patience 1s "${packed[@]}" >unpacked
		cmp out unpacked
		rm p.* ./*.gz
	done
}

@test "the file that standard output goes to is no source" {
	printf '2026-01-01T00:00:02Z old\n' >all.log
	printf '2026-01-01T00:00:01Z new\n' >a.log
	for how in '' --exact '--save-state st'; do
		status=0
		# shellcheck disable=SC2086	# words
		rejoin-log $how all.log a.log >>all.log 2>err || status=$?
		[ "$status" -eq 1 ]
		grep -q '^rejoin-log: all.log: is the file that standard output is written to' err
	done
	[ "$(sort all.log | uniq -c | awk '{print $1, $3}')" = $'3 new\n1 old' ]
}

@test "a reader that ends takes the merge along, also while workers wait" {
	for i in 1 2 3 4; do
		awk -v i=$i 'BEGIN { for (k = 0; k < 40000; k++)
			printf "2026-01-01T%02d:%02d:%02dZ log %d has line %d\n", k / 3600, k % 3600 / 60, k % 60, i, k }' >"$i.log"
	done
	rejoin-log ./*.log | head -1 >out
	[ "${PIPESTATUS[0]}" -eq 141 ]
	[ "$(wc -l <out)" -eq 1 ]
}

@test "REJOIN_FORMAT is for records that are printed, and an option comes first" {
	echo '2026-11-29T10:00:00Z a' >a.log
	export REJOIN_FORMAT=jsonl
	run --separate-stderr rejoin-log a.log
	status_is 0
	[ "$(jq -r .text <<<"$output")" = "2026-11-29T10:00:00Z a" ]
	run --separate-stderr rejoin-log --format=text a.log
	out_is '2026-11-29T10:00:00Z a'
	for o in --graph --check --sources --stamp=utc; do
		run --separate-stderr rejoin-log $o a.log
		status_is 0
		[[ $output != '{'* ]] || [ $o = --sources ]
	done
	REJOIN_FORMAT=table run --separate-stderr rejoin-log a.log
	out_is '2026-11-29T10:00:00Z a'
}
