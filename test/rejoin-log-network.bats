# rejoin-log and what comes over the network: Server-Sent Events, impCentral.
# The server is test/tool/http-double.c, most often with TLS.
load helper
load http

setup() {
	begin
	cp -r "$TOP/packaging/formats.d" "$REJOIN_CONFIG_DIR/"
}

# account - impcentral.conf for the server here, with two devices
account() {
	serve tls
	printf 'login-key\n' >key
	chmod 600 key
	printf '[account]\nurl = %s/v5\nlogin-key-file = %s/key\nca-file = %s/ca.pem\n' "$url" "$PWD" "$PWD" \
		>"$REJOIN_CONFIG_DIR/impcentral.conf"
	say "device 00000000000000d1"
	say "device 00000000000000d2"
}

# entries FROM TO [COMMAND [DEVICE]] - one each second
entries() {
	local i
	for ((i = $1; i <= $2; i++)); do
		say "${3:-log} ${4:-00000000000000d1} 2026-11-21T20:00:$(printf %02d "$i").000Z server.log line $i"
	done
}

# follow ARG... - the helper for impcentral, as rejoin-log -f runs it, into f.out
follow() { start f "$B/libexec/rejoin/rejoin-log-impcentral" --feed "$@"; }

# The numbers of the lines that came, and what else did.
lines_of() { sed -n 's/.* line \([0-9]*\)$/\1/p' "${1:-f.out}" | xargs; }
lines_are() { wait_for "[ \"\$(lines_of)\" = '$1' ]" 20 || { lines_of; cat f.out; return 1; }; }

# followed [DEVICE] - until the device is in the stream
followed() { wait_for "grep -q '^PUT /v5/logstream/secret-[0-9]*/${1:-00000000000000d1} token' requests" 20; }

@test "events of a server are read to their end" {
	serve tls
	say 'event 1 2026-11-21T20:00:01.000Z one'
	say 'event 2 2026-11-21T20:00:02.000Z two'
	start log rejoin-log "$url/events?key=hidden,ca-file=$PWD/ca.pem"
	wait_for 'grep -q "^GET /events" requests'
	say break
	wait_for '! alive $log_pid'
	[ "$(cat log.out)" = '2026-11-21T20:00:01.000Z one
2026-11-21T20:00:02.000Z two' ]
	grep -q "rejoin-log-http: $url/events?...: " log.err
	run ! grep -q hidden log.err
	# a server without a trusted certificate is not read
	run --separate-stderr rejoin-log "$url/events"
	status_is 1
	err_has "$url/events: "
	run --separate-stderr rejoin-log "$url/gone,ca-file=$PWD/ca.pem"
	status_is 1
	err_has 'HTTP 404: not found'
	run --separate-stderr rejoin-log "$url/well,ca-file=$PWD/ca.pem"
	status_is 1
	err_has 'is no stream of events'
}

@test "the history of a device is read, whatever its order, and doubles of its pages are dropped" {
	account
	entries 1 9
	entries 5 6 quiet
	run --separate-stderr rejoin-log impcentral:00000000000000d1
	status_is 0
	[ "$(lines_of <(echo "$output"))" = '1 2 3 4 5 6 7 8 9' ]
	[[ $output == '00000000000000d1 2026-11-21T20:00:01.000Z development server.log line 1'* ]]
	say 'history-order oldest'
	entries 3 4 log 00000000000000d2
	run --separate-stderr rejoin-log --json impcentral:00000000000000d1,00000000000000d2
	status_is 0
	[ "$(grep -c '"emitter":"server.log"' <<<"$output")" = 11 ]
	run --separate-stderr rejoin-log impcentral:00000000000000d3
	status_is 1
	err_has 'HTTP 404: not found: Not Found: no such device'
	run --separate-stderr rejoin-log impcentral:../x
	status_is 1
	err_has "not a device's id"
	[ "$(requests_of POST /v5/auth/token)" = 3 ]
	[ "$(requests_of POST /v5/logstream)" = 0 ]
}

@test "without a key, or with one that others may read, nothing is asked" {
	account
	mv key away
	run --separate-stderr "$B/libexec/rejoin/rejoin-log-impcentral" --feed 00000000000000d1
	status_is 2
	out_has 'key: No such file or directory'
	mv away key
	chmod 644 key
	run --separate-stderr rejoin-log impcentral:00000000000000d1
	status_is 1
	err_has 'key: mode 0644'
	chmod 600 key
	echo another >key
	run --separate-stderr rejoin-log impcentral:00000000000000d1
	err_has 'HTTP 401: not authorised: Unauthorized: no such login key'
	sed -i 's/^ca-file.*//' "$REJOIN_CONFIG_DIR/impcentral.conf"
	run --separate-stderr rejoin-log impcentral:00000000000000d1
	status_is 1
	err_has "$url/v5/auth/token: "
	sed -i 's/^url.*/url = http:\/\/192.0.2.1\/v5/' "$REJOIN_CONFIG_DIR/impcentral.conf"
	run --separate-stderr rejoin-log impcentral:00000000000000d1
	err_has 'a token goes over https alone'
}

@test "devices are followed; doubles come once, swapped lines both" {
	account
	entries 1 2
	follow 00000000000000d1,00000000000000d2
	followed 00000000000000d2
	lines_are '1 2'
	entries 3 3
	entries 3 3 again
	entries 4 4 log 00000000000000d2
	entries 2 2 again
	entries 6 6
	entries 5 5
	lines_are '1 2 3 4 6 5'
	grep -qE '^event [0-9]+ 00000000000000d1 2026-11-21T20:00:03.000Z [0-9a-f]{16}$' f.out
	# its reader leaves
	[ "$(requests_of POST /v5/logstream)" = 1 ]
}

@test "after a break the history is asked for what came meanwhile, and only what is lost is a gap" {
	account
	entries 1 2
	follow 00000000000000d1
	lines_are '1 2'
	followed
	say break
	entries 3 4 quiet
	lines_are '1 2 3 4'
	run ! grep -q '^gap' f.out
	grep -q '^tell 0 .*trying again' f.out
	[ "$(requests_of POST /v5/logstream)" = 2 ]
	entries 5 5
	lines_are '1 2 3 4 5'
	# what the history has lost, too, is told
	say hide
	say break
	entries 8 9 quiet
	lines_are '1 2 3 4 5 8 9'
	grep -q '^gap 00000000000000d1: entries between 2026-11-21T20:00:05.000Z and 2026-11-21T20:00:08.000Z may be missing' f.out
}

@test "a token that has run out is exchanged once; a request that comes too soon waits" {
	account
	entries 1 1
	follow 00000000000000d1
	lines_are 1
	followed
	say expire
	say 'fail 429 2 X-RateLimit-Reset: 1'
	say break
	entries 2 2 quiet
	lines_are '1 2'
	[ "$(requests_of POST /v5/auth/token)" -ge 2 ]
	run ! grep -q '^tell [1-9]' f.out
	say 'fail 500 1'
	say break
	entries 3 3 quiet
	lines_are '1 2 3'
	grep -q '^tell 3 .*HTTP 500: internal error: Injected: as the test wants it' f.out
}

@test "a stream on which nothing comes any more is broken" {
	account
	entries 1 1
	follow --idle 2s 00000000000000d1
	lines_are 1
	followed
	say hang
	entries 2 2
	lines_are '1 2'
	grep -q 'nothing came for 2000 ms' f.out
}

@test "a stream that is taken away is reported, and given up at the third time" {
	account
	entries 1 1
	follow 00000000000000d1
	lines_are 1
	local n
	for n in 1 2 3; do
		wait_for "[ \$(requests_of PUT /v5/logstream/secret-$n/00000000000000d1) = 1 ]" 20
		say evict
	done
	wait_for '! alive $f_pid' 20
	wait "$f_pid" || [ $? = 6 ]
	[ "$(grep -c '^tell 6 .*another client has opened a log stream' f.out)" = 3 ]
}

@test "one process follows an account's devices" {
	account
	follow 00000000000000d1
	followed
	run --separate-stderr "$B/libexec/rejoin/rejoin-log-impcentral" --feed 00000000000000d2
	status_is 6
	[[ $output == 'tell 6 '*'another process follows devices of this account'* ]]
	[ "$(requests_of POST /v5/logstream)" = 1 ]
	# its history can be read anyway
	run --separate-stderr rejoin-log impcentral:00000000000000d1
	status_is 0
}

@test "a device that the server takes out of the stream is asked for its history" {
	account
	follow --poll 200ms 00000000000000d1,00000000000000d2
	followed 00000000000000d2
	say 'unsubscribe 00000000000000d1'
	wait_for 'grep -q "^tell 6 00000000000000d1: the server takes no more devices" f.out'
	entries 1 1
	entries 2 2 log 00000000000000d2
	wait_for '[ "$(lines_of | xargs -n1 | sort | xargs)" = "1 2" ]' 20
}

@test "what was known before is not shown again, and nothing after it is lost" {
	account
	entries 1 5
	start f sh -c "exec '$B/libexec/rejoin/rejoin-log-impcentral' --feed 00000000000000d1 <known"
	: >known
	end_pids "$f_pid"
	start f sh -c ": >known; exec '$B/libexec/rejoin/rejoin-log-impcentral' --feed 00000000000000d1 <known"
	lines_are '1 2 3 4 5'
	end_pids "$f_pid"
	sed -n 's/^event [0-9]* //p' f.out | head -3 >known
	start f sh -c "exec '$B/libexec/rejoin/rejoin-log-impcentral' --feed 00000000000000d1 <known"
	lines_are '4 5'
	run ! grep -q '^gap' f.out
}

@test "a stream of events goes on behind the last one that came" {
	serve
	say 'event 1 one line 1'
	say 'event 2 two line 2'
	start f "$B/libexec/rejoin/rejoin-log-http" --feed "$url/events"
	lines_are '1 2'
	say 'raw retry: 20\n\n: still here\n\n'
	say break
	say 'event 3 three line 3'
	lines_are '1 2 3'
	run ! grep -q '^gap' f.out
	# what cannot be had again is told
	say break
	say forget
	say 'event 6 six line 6'
	lines_are '1 2 3 6'
	grep -qx 'gap 2 events are missing' f.out
	# the pieces and the line ends do not matter
	say 'raw id: 7\r\ndata: seven\r'
	say 'raw \ndata: x line 7\r\n\r\n'
	lines_are '1 2 3 6 7'
}

@test "a server that begins anew after a break, and one that falls silent" {
	serve
	say 'event a 1 line 1'
	say 'event b 2 line 2'
	printf 'a\nb\n' >known
	start f sh -c "exec '$B/libexec/rejoin/rejoin-log-http' --feed --idle 2s '$url/events' <known"
	wait_for 'grep -q "^GET /events" requests'
	say 'raw id: a\ndata: 1 line 1\n\nid: b\ndata: 2 line 2\n\nretry: 20\n\n'
	say 'event c 3 line 3'
	lines_are 3
	say hang
	wait_for 'grep -q "nothing came for 2000 ms" f.out' 20
	say 'event d 4 line 4'
	lines_are '3 4'
	run ! grep -q '^gap' f.out
}

@test "a stream without ids cannot go on, and says so" {
	serve
	start f "$B/libexec/rejoin/rejoin-log-http" --feed "$url/events"
	wait_for 'grep -q "^GET /events" requests'
	say 'raw retry: 20\ndata: a line 1\n\n'
	lines_are 1
	say break
	wait_for '[ "$(requests_of GET /events)" = 2 ]' 20
	say 'raw data: a line 2\n\n'
	lines_are '1 2'
	grep -qx 'gap the server gives no ids to go on from' f.out
}

@test "a server that is not there is asked again; one that wants no more is not" {
	serve
	end_pids "$server_pid"
	start f "$B/libexec/rejoin/rejoin-log-http" --feed "$url/events"
	wait_for 'grep -q "^tell 5 .*trying again in 3000 ms" f.out' 20
	end_pids "$f_pid"
	rm -f control
	serve
	say 'fail 204 1'
	run --separate-stderr "$B/libexec/rejoin/rejoin-log-http" --feed "$url/events"
	status_is 0
	[ -z "$output" ]
}

@test "followed by rejoin-log: killed and resumed, its helpers too, every line comes once" {
	account
	entries 1 3
	local i n=3
	for i in 1 2 3; do say "event $i 2026-11-21T20:00:0$i.500Z event line 10$i"; done
	local sources=(impcentral:00000000000000d1 "events=$url/events,ca-file=$PWD/ca.pem")
	touch all
	for i in 1 2 3; do
		start log sh -c 'exec rejoin-log -f --save-state state "$@" >>all' log "${sources[@]}"
		wait_for "[ \"\$(lines_of all | xargs -n1 | sort -n | xargs)\" = \"\$(seq -s ' ' $n) \$(seq -s ' ' 101 10$n)\" ]" 60 ||
			{ cat all log.err requests; false; }
		[ "$i" != 2 ] || { pkill -KILL -P "$log_pid"; say break; }
		[ "$i" = 3 ] || kill -KILL "$log_pid"
		n=$((n + 1))
		entries "$n" "$n" "$([ "$i" = 3 ] && echo log || echo quiet)"
		say "event $n 2026-11-21T20:00:0$n.500Z event line 10$n"
	done
	wait_for '[ "$(lines_of all | wc -w)" = 12 ]' 60
	lines_of all
	[ "$(lines_of all | xargs -n1 | sort -n | xargs)" = '1 2 3 4 5 6 101 102 103 104 105 106' ]
	end_pids "$log_pid"
	# no process is left behind
	wait_for '! pgrep -g "$log_pid" >/dev/null'
}

@test "followed by rejoin-log: a gap is marked, and what is no error is told quietly" {
	serve
	say 'event 1 2026-11-21T20:00:01.000Z line 1'
	start log rejoin-log -f --json "$url/events"
	wait_for 'grep -q "line 1" log.out' 20
	say 'raw id: 2\ndata: 2026-11-21T20:00:02.000Z line 2\n\nretry: 20\n\n'
	wait_for 'grep -q "line 2" log.out' 20
	say break
	say forget
	say 'event 9 2026-11-21T20:00:09.000Z line 9'
	wait_for 'grep -q "line 9" log.out' 20
	[ "$(jq -r '[.text, .mark] | @csv' log.out | grep -c gap)" = 1 ]
	jq -e 'select(.mark == "gap") | .text | test("line 9")' log.out
	grep -q 'a gap: 6 events are missing' log.err
	# with nothing to follow it exits, and says why
	say 'fail 404 9'
	say break
	wait_for '! alive $log_pid' 20
	grep -q 'HTTP 404: not found' log.err
}

@test "followed by rejoin-log: breaks, an eviction, doubles and swapped lines, and every entry comes once" {
	account
	local i what d when n=1
	RANDOM=7
	start log rejoin-log -f impcentral:00000000000000d1,00000000000000d2
	followed 00000000000000d2
	for ((i = 1; i <= 90; i++)); do
		d=00000000000000d$((RANDOM % 2 + 1))
		when=2026-11-21T20:$((10 + i / 60)):$(printf %02d $((i % 60))).000Z
		case $((RANDOM % 6)) in
		0) what=quiet ;;
		*) what=log ;;
		esac
		say "$what $d $when server.log line $i"
		case $((RANDOM % 8)) in
		0) say "again $d $when server.log line $i" ;;
		1) say "log $d ${when%000Z}500Z server.log swap $i"
			say "log $d ${when%000Z}400Z server.log swap $i" ;;
		esac
		case $i in
		20 | 60) say break ;;
		40) say evict ;;
		39 | 59 | 89)	# back in the stream
			n=$((n + 1))
			wait_for '[ "$(requests_of PUT "/v5/logstream/.*d2 token")" = "$n" ]' 20 ;;
		esac
	done
	# what the stream lost comes from the history, after the last break
	say break
	wait_for '[ "$(lines_of log.out | wc -w)" = 90 ]' 30 || { lines_of log.out; cat log.err; return 1; }
	[ "$(lines_of log.out | xargs -n1 | sort -n | xargs)" = "$(seq -s ' ' 90)" ]
	[ -z "$(sort log.out | uniq -d)" ]
	grep -q 'another client has opened a log stream' log.err
	run ! grep -q 'a gap' log.err
}

# odd_stream SEED N - N events from a server with the habits of real ones, the reader killed at random
odd_stream() {
	local i n=$2 line got
	RANDOM=$1
	rm -f all state control requests
	serve
	start log sh -c 'exec rejoin-log -f --save-state state "$@" >>all' log "events=$url/events"
	for ((i = 1; i <= n; i++)); do
		line="2026-11-21T20:$(printf '%02d:%02d' $((i / 60)) $((i % 60))).000Z event line $i"
		case $((RANDOM % 12)) in
		0) say 'raw : a comment\n\nretry: 0\n\n:\n\n' ;;
		1) say 'raw retry: never\nid\nevent: ping\ndata\n\n' ;;
		2) say 'raw \r\n\r\n\n\revent: nothing to say\r\r' ;;
		3)	# torn off in the middle, and whole behind the break
			say "raw retry: 20\\n\\nid: $i\\ndata: $line"
			say break ;;
		4) say 'raw retry: 20\n\n'
			say break ;;
		5 | 6)
			kill -KILL "$log_pid"
			wait "$log_pid" || :
			start log sh -c 'exec rejoin-log -f --save-state state "$@" >>all' log "events=$url/events" ;;
		esac
		say "event $i $line"
		# the same id once more is no other event
		[ $((RANDOM % 6)) != 0 ] || say "raw id: $i\\r\\ndata: $line\\r\\n\\r\\n"
	done
	wait_for "[ \"\$(tail -n1 all)\" = '$line' ]" 30 || { tail -n3 all; cat log.err; return 1; }
	end_pids "$log_pid" "$server_pid"
	got=$(lines_of all | xargs -n1 | sort -n | xargs)
	[ "$got" = "$(seq -s ' ' "$n")" ] || { echo "seed $1: $got"; return 1; }
}

@test "odd events, torn ones and breaks, the reader killed at random: each event is printed once" {
	local seed runs=1
	[ -z "${SOAK-}" ] || runs=100
	for ((seed = 1; seed <= runs; seed++)); do
		odd_stream "$seed" 40
	done
}
