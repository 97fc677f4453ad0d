# rejoin-log: trace contexts in JSON and logfmt, and files of spans.

load helper

setup() {
	begin
}

spans() { python3 "$TOP/test/spans.py" "$@"; }

@test "files of spans: no parent behind its child with a service 60 ms and 5 s off" {
	needs python3
	local kind off
	for kind in otlp otlp-lines zipkin zipkin-shared jaeger; do
		for off in web=0 cart=-0.06 pay=0.06 pay=-5 'cart=5 db=-0.06'; do
			# shellcheck disable=SC2086	# several clocks
			spans $kind 7 $off >"$kind.json"
			run -0 --separate-stderr rejoin-log --strict "$kind.json"
			printf '%s\n' "$output" | spans check >found
			grep -Eq '^[1-9][0-9]+ spans, [1-9][0-9]+ parents, [0-9]+ shared, 0 violated$' found || { echo "$kind $off"; cat found; false; }
		done
	done
	grep -q ', 0 shared' found
	spans zipkin-shared 7 pay=-5 >shared.json
	rejoin-log shared.json | spans check | grep -Eq ' [1-9][0-9]+ shared, 0 violated'
	# That is no property of the times.
	rejoin-log --order=time shared.json | spans check | grep -Eq ' [1-9][0-9]* violated'
}

@test "spans of several files and of each way to read them are one merge" {
	needs python3
	spans otlp 3 pay=-0.06 >all.json
	rejoin-log all.json >want
	rejoin-log --exact all.json | cmp - want
	gzip -k all.json
	rejoin-log all.json.gz,format=spans | cmp - want
	rejoin-log spans=-,format=spans <all.json | cmp - want
	rejoin-log --save-state state all.json | sort | cmp - <(sort want)
	run -0 --separate-stderr rejoin-log --sources all.json
	[ "$(jq -r '.format + " " + .clock' <<<"$output")" = 'spans by host' ]
	rejoin-log --json all.json | jq -se 'all(.emitter) and any(.edges | any(test("^span trace [0-9a-f]+ after all.json:")))'
	rejoin-log all.json >merged.log
	run -0 rejoin-log --check merged.log
}

@test "OTLP: logs follow the beginning of their span, and name their service and level" {
	cat >spans.json <<-'END'
	{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"web"}}]},"scopeSpans":[{"spans":[
	 {"traceId":"5b8e","spanId":"eee1","name":"GET /","kind":"SPAN_KIND_SERVER","startTimeUnixNano":"1763755000200000000","endTimeUnixNano":"1763755000300000000","status":{"code":2}}]}]}]}
	END
	cat >logs.json <<-'END'
	{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"store"}}]},"scopeLogs":[{"logRecords":[
	 {"timeUnixNano":"1763755000100000000","severityText":"WARN","body":{"stringValue":"slow"},"traceId":"5B8E","spanId":"EEE1"}]}]}]}
	END
	run -0 rejoin-log --json logs.json spans.json
	[ "$(jq -r '[.emitter, .level] | join(" ")' <<<"$output")" = $'web error\nstore warning' ]
	run -0 rejoin-log --level error logs.json spans.json
	[ "${#lines[@]}" -eq 1 ]
}

@test "what is no JSON in a file of spans is reported, and the rest is read" {
	needs python3
	spans otlp-lines 5 >lines.json
	sed -i '2s/traceId.*$/traceId/' lines.json
	run -1 --separate-stderr rejoin-log lines.json
	[ "$(grep -c . <<<"$output")" -gt 100 ]
	[[ $stderr == *'lines.json: a document that begins on line 2 is not JSON'* ]]
	[[ $stderr == *'lines.json: a part of it is not understood'* ]]
	spans zipkin 5 | head -c 5000 >torn.json
	run -1 --separate-stderr rejoin-log torn.json
	[ "${#lines[@]}" -gt 10 ]
	[[ $stderr == *'torn.json: a document that begins on line 1 is not JSON: unfinished string'* ]]
	printf '{"resourceMetrics":[]}\n' >>lines.json
	run -1 --separate-stderr rejoin-log lines.json
	[[ $stderr == *'1 documents of metrics are left out'* ]]
}

# calls PARENT CHILD - a caller's log with the members PARENT, and one of a callee, 20 ms earlier, with CHILD: is the cause first?
calls() {
	printf '{"time":"2026-11-21T20:16:00.120Z","msg":"calling",%s}\n' "$1" >web.log
	printf '{"time":"2026-11-21T20:16:00.100Z","msg":"serving",%s}\n' "$2" >store.log
	run -0 --separate-stderr rejoin-log --offset off web.log store.log
	[[ ${lines[0]} == *calling* ]] || { echo "not tied: $1 and $2"; false; }
	rejoin-log --offset off --json web.log store.log | tail -n 1 | jq -e '.edges == ["span trace " + (.edges[0] | split(" ")[2]) + " after web.log:1"]' >/dev/null
	# Nothing is said of a parent that is in no log.
	run -0 --separate-stderr rejoin-log -v store.log
	[[ $stderr == *', 0 unmatched,'* ]]
}

@test "trace contexts under their usual names" {
	local t=4bf92f3577b34da6a3ce929d0e0e4736 a=00f067aa0ba902b7 b=b7ad6b7169203331 name
	while read -r trace span parent; do
		calls "\"$trace\":\"$t\",\"$span\":\"$a\"" "\"$trace\":\"$t\",\"$span\":\"$b\",\"$parent\":\"$a\""
	done <<-'END'
	trace_id span_id parent_span_id
	trace_id span_id parent_id
	traceId spanId parentId
	traceId spanId parentSpanId
	traceID spanID parentSpanID
	TraceId SpanId ParentId
	trace.id span.id parent.id
	trace.id transaction.id parent.id
	dd.trace_id dd.span_id dd.parent_id
	otelTraceID otelSpanID parent_span_id
	X-B3-TraceId X-B3-SpanId X-B3-ParentSpanId
	@tr @sp @ps
	END
	calls "\"trace\":{\"id\":\"$t\"},\"span\":{\"id\":\"$a\"}" "\"trace\":{\"id\":\"$t\"},\"span\":{\"id\":\"$b\"},\"parent\":{\"id\":\"$a\"}"
	calls "\"context\":{\"trace_id\":\"0x$t\",\"span_id\":\"0x$a\"}" "\"context\":{\"trace_id\":\"0x$t\",\"span_id\":\"0x$b\"},\"parent_id\":\"0x$a\""
	calls "\"dd\":{\"trace_id\":\"8848\",\"span_id\":\"12\"}" "\"dd\":{\"trace_id\":\"8848\",\"span_id\":\"13\",\"parent_id\":\"12\"}"
	for name in traceparent Traceparent; do
		calls "\"trace_id\":\"$t\",\"span_id\":\"$a\"" "\"span_id\":\"$b\",\"$name\":\"00-$t-$a-01\""
		calls "\"$name\":\"00-$t-$a-01\"" "\"span_id\":\"$b\",\"headers\":{\"$name\":\"00-$t-$a-01\"}"
	done
	calls "\"b3\":\"$t-$a-1\"" "\"b3\":\"$t-$b-1-$a\""
	calls "\"uber-trace-id\":\"$t:$a:0:1\"" "\"uber-trace-id\":\"$t:$b:$a:1\""
	calls "\"traceId\":\"$t\",\"spanId\":\"$a\"" "\"spanId\":\"$b\",\"X-Amzn-Trace-Id\":\"Root=$t;Parent=$a;Sampled=1\""
	# Some write only the last 64 bits of a trace id, or capitals.
	calls "\"trace_id\":\"$t\",\"span_id\":\"$a\"" "\"trace_id\":\"A3CE929D0E0E4736\",\"span_id\":\"$b\",\"parent_id\":\"00F067AA0BA902B7\""
}

@test "trace contexts in logfmt, and with -f within --hold" {
	echo 'time=2026-11-21T20:16:00.120Z msg="calling store" trace_id=4bf9 span_id=00f0' >web.log
	echo 'time=2026-11-21T20:16:00.100Z msg=serving trace_id=4bf9 span_id=b7ad parent_id=00f0' >store.log
	echo 'time=2026-11-21T20:16:00.090Z msg=other trace_id=4bf9 span_id=cccc parent_id=dddd' >>store.log
	run -0 rejoin-log web.log store.log
	[[ ${lines[0]} == *calling* ]]
	start follow rejoin-log -f --hold 500ms web.log store.log
	wait_for "grep -q other follow.out"
	end_pids "$PID"
	[ "$(grep -o 'msg=[a-z"]*' follow.out | tr '\n' ' ')" = 'msg="calling msg=serving msg=other ' ]
}

@test "a record that says how long its span took is written at its end" {
	echo '{"time":"2026-11-21T20:16:00.120Z","msg":"done","trace_id":"4bf9","span_id":"00f0","duration_ms":40}' >web.log
	echo '{"time":"2026-11-21T20:16:00.100Z","msg":"serving","trace_id":"4bf9","span_id":"b7ad","parent_id":"00f0"}' >store.log
	run -0 rejoin-log web.log store.log
	[[ ${lines[0]} == *serving* ]]
}

@test "a program that writes its parents behind their children is left in its order, without a word" {
	echo '{"time":"2026-11-21T20:16:00.100Z","msg":"child","trace_id":"4bf9","span_id":"b7ad","parent_id":"00f0"}' >a.log
	echo '{"time":"2026-11-21T20:16:00.120Z","msg":"parent","trace_id":"4bf9","span_id":"00f0"}' >>a.log
	echo '{"time":"2026-11-21T20:16:00.110Z","msg":"other","trace_id":"4bf8","span_id":"00f0"}' >b.log
	run -0 --separate-stderr rejoin-log --strict a.log b.log
	[ "$(jq -r .msg <<<"$output" | tr '\n' ' ')" = 'child other parent ' ]
	[ -z "$stderr" ]
}

@test "an empty trace.conf has trace contexts left alone; kind = trace takes no expression" {
	echo '{"time":"2026-11-21T20:16:00.120Z","trace_id":"4bf9","span_id":"00f0"}' >web.log
	echo '{"time":"2026-11-21T20:16:00.100Z","trace_id":"4bf9","span_id":"b7ad","parent_id":"00f0"}' >store.log
	run -0 rejoin-log web.log store.log
	[[ ${lines[0]} == *00f0* ]]
	mkdir -p "$REJOIN_CONFIG_DIR/rules.d"
	: >"$REJOIN_CONFIG_DIR/rules.d/trace.conf"
	run -0 rejoin-log web.log store.log
	[[ ${lines[0]} == *b7ad* ]]
	printf '[x]\nkind = trace\nsend = (?<id>x)\n' >x.conf
	run -2 rejoin-log --rules x.conf web.log
	[[ $output == *'[x]: kind = trace has no expressions'* ]]
}
