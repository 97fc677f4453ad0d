# rejoin-log: which send a receive belongs to, and which stop a start follows.

load helper

setup() {
	begin
	cp -r "$TOP/packaging/formats.d" "$TOP/packaging/rules.d" "$REJOIN_CONFIG_DIR/"
}

# arrive LOG SECONDS SEED - the lines of LOG, the stop SECONDS later, as they arrive 0-4 s after their stamps
arrive() {
	awk -v later="$2" -v seed="$3" 'BEGIN { srand(seed) }
		{
			split($2, t, ":")
			s = t[1] * 3600 + t[2] * 60 + t[3]
			if (/Agent (stopped|restarted)/) {
				s += later
				$2 = sprintf("%02d:%02d:%02d", int(s / 3600), int(s / 60) % 60, s % 60)
			}
			d = substr($1, 9, 2) * 86400
			printf "%d 0 %s\n", (d + s) * 1000 + int(rand() * 4000), $0
		}' "$1" | sort -n -s -k1,1 >script
	echo 'log,format=imp' >operands
	: >options
	cp "$TOP/packaging/rules.d/imp.conf" rules.conf
}

# place TEXT - the line of out that has TEXT first
place() {
	grep -n -m1 -F -- "$1" out | cut -d: -f1
}

# golden LOG - what must hold of out, whose bytes must be those of the script
golden() {
	[ "$(cut -d' ' -f3- script | sort)" = "$(sort out)" ] || return
	grep -v -e 'Agent st' -e 'Agent restarted' -e 'Agent Setup' -e 'OnConnect' out | cut -d' ' -f1,2 | sort -c -s || return
	grep -q 'Agent started' out || return
	[ "$(place 'Agent stopped')$(place 'Agent restarted')" -lt "$(place 'Agent started')" ] || return
	! grep -q 'Agent Setup' out || [ "$(place 'Agent started')" -lt "$(place 'Agent Setup')" ] || return
	! grep -q ' OnConnect' out || [ "$(place 'Agent started')" -lt "$(place ' OnConnect')" ]
}

@test "the seed's logs in random arrivals: stopped before started, and what belongs to the start behind it" {
	local runs=12 log seed later
	[ -z "${SOAK-}" ] || runs=200
	for log in imp_2015-09-14 imp_2015-09-16 imp_2016-01-27; do
		for ((seed = 1; seed <= runs; seed++)); do
			later=$((seed % 3 == 0 ? seed % 6 : 0))
			arrive "$TOP/test/data/logs/$log.log" $later $seed
			"$B/tool/log-script" --hold 5000 . >out 2>err || { cat err; false; }
			golden || { echo "$log, seed $seed, the stop $later s later:"; cat script out; false; }
		done
	done
}

@test "followed: the last line of a log is admitted before what came earlier is printed" {
	local line='2015-09-16 07:21:49 UTC+12'
	# What belongs to the start came 3.2 s before it, and nothing comes behind it for 5 s more.
	printf '%s\n' "1000 0 2015-09-16 07:21:12 UTC+12 [Agent] OnDisconnect" "40000 0 $line [Agent] OnConnect" \
		"43200 0 $line [Device] Agent started." "50100 0 2015-09-16 07:21:52 UTC+12 [Device] Agent stopped: migrating." >script
	echo 'log,format=imp' >operands
	: >options
	cp "$TOP/packaging/rules.d/imp.conf" rules.conf
	"$B/tool/log-script" --hold 5000 . >out
	golden
}

@test "followed: a start waits for a stop that is later by the rule's window, and late besides" {
	local last
	for last in 11900 12100; do
		printf '%s\n' "1000 0 2015-09-16 07:21:48 UTC+12 [Device] x" "2000 0 2015-09-16 07:21:49 UTC+12 [Device] Agent started." \
			"$last 0 2015-09-16 07:21:53 UTC+12 [Device] Agent stopped: migrating." "30000 0 2015-09-16 07:22:53 UTC+12 [Device] x" >script
		echo 'log,format=imp' >operands
		: >options
		cp "$TOP/packaging/rules.d/imp.conf" rules.conf
		"$B/tool/log-script" --hold 1000 . >out
		[ "$(cut -d' ' -f5- out | sed -n 2p)" = "$([ $last = 11900 ] && echo 'Agent stopped: migrating.' || echo 'Agent started.')" ]
	done
}

@test "the seed's logs with a stop whose stamp is later, read at once" {
	local log later
	for log in imp_2015-09-14 imp_2015-09-16 imp_2016-01-27; do
		for later in 0 1 3 5; do
			arrive "$TOP/test/data/logs/$log.log" $later 1
			sort -s -n -k1,1 script | cut -d' ' -f3- | sort -s -k1,2 >log
			run -0 --separate-stderr rejoin-log log,format=imp
			printf '%s\n' "$output" >out
			golden || { echo "$log, the stop $later s later:"; cat log out; false; }
		done
	done
}

@test "a rule with match = nth that finds no other sides is reported" {
	printf '[r]\nmatch = nth\nsend = tx=(?<id>\\w+)\nrecv = rx=(?<id>\\w+)\nwithin = 1s\n' >r.conf
	for i in {10..40}; do
		echo "2026-11-21T10:$i:00.500Z tx=ping" >>a
		echo "2026-11-21T10:$i:00.400Z rx=ping" >>b
	done
	echo '2026-11-21T11:00:00.400Z rx=ping' >>b
	run --separate-stderr rejoin-log --offset off --rules r.conf a b
	status_is 0
	err_has 'rule [r] is not safe: 31 pairs, but 1 receives without a send and 0 sends'
	# Each receive stands behind its send.
	[ "$(grep -c tx= <(head -62 <(printf '%s\n' "$output") | sed -n 'p;n'))" = 31 ]
}

@test "rules: match, open, id, belongs and initial are checked" {
	while read -r text; do
		printf '[r]\n%b\n' "$text" >r.conf
		: >a
		run --separate-stderr rejoin-log --rules r.conf a
		status_is 2
	done <<-'END'
		match = second\nsend = (?<id>a)\nrecv = (?<id>b)
		match = stream\nsend = (?<id>a)\nrecv = (?<id>b)
		match = stream\nsend = (?<id>a) (?<len>\\\\d)\nrecv = (?<id>b) (?<len>\\\\d)
		kind = lifecycle\nmatch = nth\nstop = a\nstart = b
		belongs = x\nsend = (?<id>a)\nrecv = (?<id>b)
		id = b\nsend = a\nrecv = b
	END
}

@test "a message is matched by a whole member of JSON" {
	printf '[r]\nsend = "sent"\nrecv = "got"\nid = json:msg.id\n' >r.conf
	echo '{"time":"2026-11-21T10:00:01Z","what":"got","msg":{"id":"a b"}}' >a
	echo '{"time":"2026-11-21T10:00:02Z","what":"sent","msg":{"id":"a b"}}' >b
	echo '{"time":"2026-11-21T10:00:03Z","what":"got","msg":{"id":"a"}}' >>a
	run --separate-stderr rejoin-log --offset off --rules r.conf a b
	status_is 0
	out_is "$(cat b a)"
	err_has '1 unmatched'
}
