# rejoin-log --graph and --svg, as their users see them.
load helper

setup() {
	begin
	cp -r "$TOP/packaging/formats.d" "$TOP/packaging/rules.d" "$REJOIN_CONFIG_DIR/"
	cat >messages.conf <<-'EOF'
		[requests]
		kind = message
		send = tx=(?<id>\w+)
		recv = rx=(?<id>\w+)
	EOF
	printf '%s\n' '2026-11-21T10:00:00.100Z POST tx=1' '2026-11-21T10:00:00.150Z <b>&"ho" tx=2' \
		'2026-11-21T10:00:00.300Z answer rx=4' '2026-11-21T10:05:00.300Z later' >front
	printf '%s\n' '2026-11-21T10:00:00.090Z handling rx=1' '2026-11-21T10:00:00.160Z passes tx=3' \
		'2026-11-21T10:00:00.190Z done rx=2 tx=4' >back
	printf '2026-11-21T10:00:00.170Z stores rx=3 \033[31m\xff\n  more\n' >store
}

@test "a graph has a lane for each emitter and an arrow for each message" {
	run --separate-stderr rejoin-log --graph --rules messages.conf front back store
	status_is 0
	out_is "2026-11-21    front
              |   back
              |   |   store
10:00:00.100  *   |   |  front  POST tx=1
10:00:00.090  +-->o   |  back   [moved 10.0 ms] handling rx=1
10:00:00.150  *   |   |  front  <b>&\"ho\" tx=2
10:00:00.160  |   *   |  back   passes tx=3
10:00:00.170  |   +-->*  store  stores rx=3 \\x1b[31m\\xff (+1 lines)
10:00:00.190  +-->*   |  back   done rx=2 tx=4
10:00:00.300  *<--+   |  front  answer rx=4
              .   .   .  5 min 0 s
10:05:00.300  *   |   |  front  later"
	[ -z "$stderr" ]
}

@test "a graph is in UTF-8 where the locale is, but for --ascii, and coloured only on a terminal" {
	needs script
	LC_ALL=C.UTF-8 run --separate-stderr rejoin-log --graph --rules messages.conf front back store
	status_is 0
	out_has '10:00:00.170  │   ├──►●  store'
	[[ $output != *$'\e'* ]]
	LC_ALL=C.UTF-8 run --separate-stderr rejoin-log --graph --ascii --rules messages.conf front back store
	out_has '10:00:00.170  |   +-->*  store'
	COLUMNS=60 run script -qec 'rejoin-log --graph --rules messages.conf front back store' /dev/null </dev/null
	out_has $'\e[36m+--'
	out_has 'stores rx=3 '
	[[ $output != *$'\e[31m'* ]]
	NO_COLOR=1 run script -qec 'rejoin-log --graph --rules messages.conf front back store' /dev/null </dev/null
	[[ $output != *$'\e'* ]]
}

@test "a graph fits the width, and emitters beyond it share a lane" {
	for i in {1..40}; do
		printf '2026-11-21T10:00:%02dZ %s rx=%s tx=%s\n' "$i" 'a text that is long enough to be cut' $((i - 1)) "$i" >"emitter-$i"
	done
	for w in 40 60 80 120; do
		COLUMNS=$w run --separate-stderr rejoin-log --graph --rules messages.conf emitter-*
		status_is 0
		out_has '10:00:40.000'
		out_has 'others: '
		while IFS= read -r line; do
			[ "${#line}" -le $w ] || { echo "$w: $line"; false; }
		done <<<"$output"
	done
	COLUMNS=80 run --separate-stderr rejoin-log --graph -n 3 --explain front back store
	[ "$(wc -l <<<"$output")" = 7 ]
}

@test "--explain says how an arrow is known" {
	run --separate-stderr rejoin-log --graph --explain --rules messages.conf front back store
	status_is 0
	out_has 'back   [moved 10.0 ms] (message requests after front, -10.0 ms) handling rx=1'
}

@test "what comes too late is crossed out" {
	printf '%s\n' '2026-11-21T10:00:00Z gets rx=7' >a
	for s in 0 1 2 3 4 5; do echo "2026-11-21T10:00:0$s.5Z b$s"; done >b
	echo '2026-11-21T10:00:09Z sends tx=7' >>b
	run --separate-stderr rejoin-log --graph --patience 2s --rules messages.conf a b
	status_is 0
	out_has '|   *  a  [unmatched] gets rx=7'
	out_has '*---x  b  [late] sends tx=7'
}

@test "vector clocks: an arrow where something new is learnt" {
	run --separate-stderr rejoin-log --graph "$TOP/test/data/logs/chord.log"
	status_is 0
	out_has '|   *<--+   |'
	[ "$(grep -c 'Received initialize' <<<"$output")" = "$(grep -c '[<>+-].*Received initialize' <<<"$output")" ]
}

@test "--svg draws a document and prints nothing, unless --graph is asked for, too" {
	run --separate-stderr rejoin-log --svg out.svg --rules messages.conf front back store
	status_is 0
	[ -z "$output$stderr" ]
	[ "$(stat -c %a out.svg)" = 644 ]
	svg=$(cat out.svg)
	[[ $svg = '<svg xmlns="http://www.w3.org/2000/svg"'*'</svg>' ]]
	[[ $svg = *'<title>2026-11-21T10:00:00.150Z &lt;b&gt;&amp;&quot;ho&quot; tx=2</title>'* ]]
	[[ $svg = *'stores rx=3 \x1b[31m\xff'*'(+1 lines)'* ]]
	[[ $svg = *'message requests after front, -10.0 ms'* ]]
	[[ $svg = *'[moved 10.0 ms]'* ]]
	[[ $svg = *'5 min 0 s later'* ]]
	[[ $svg = *'prefers-color-scheme:dark'* ]]
	[ "$(grep -c 'class="a"' out.svg)" = 4 ]
	[[ $svg != *'<script'* && $svg != *'Cut: '* ]]
	# the same again is the same document
	rejoin-log --svg - --rules messages.conf store front back | cmp - out.svg
	run --separate-stderr rejoin-log --svg out.svg --graph --rules messages.conf front back store
	status_is 0
	out_has '10:00:00.170  |   +-->*  store'
	: >empty
	run --separate-stderr rejoin-log --svg - empty
	status_is 0
	out_has 'no records'
}

@test "arrows of a learned rule are dashed, and their reason says so" {
	sed '1a learned = yes' messages.conf >learned.conf
	rejoin-log --svg out.svg --rules messages.conf front back
	[ "$(grep -c 'class="ar k2 ' out.svg)" = 3 ]
	[[ $(cat out.svg) != *'class="ar le k2 '* ]]
	rejoin-log --svg out.svg --rules learned.conf front back
	[ "$(grep -c 'class="ar le k2 ' out.svg)" = 3 ]
	grep -q '<title>learned message requests after front, ' out.svg
	grep -q '\.le{stroke-dasharray:' out.svg
	echo 'learned = perhaps' >>learned.conf
	run --separate-stderr rejoin-log --rules learned.conf front
	status_is 2
	err_has 'learned.conf:'
}

@test "a document of too many records is cut, and says so" {
	for i in {1..12000}; do printf '2026-11-21T10:%02d:%02d.%03dZ %s\n' $((i / 1000)) $((i / 20 % 50)) $((i % 20)) "line $i"; done |
		sort >many
	run --separate-stderr rejoin-log --svg out.svg many
	status_is 0
	err_has 'out.svg: cut to the last 5000 records, 7000 earlier ones are not drawn'
	[ "$(grep -c 'class="r"' out.svg)" = 5000 ]
	grep -q 'Cut: 7000 earlier records are not drawn' out.svg
	run --separate-stderr rejoin-log --svg out.svg -n 100 many
	status_is 0
	[ -z "$stderr" ]
	[ "$(grep -c 'class="r"' out.svg)" = 100 ]
}

@test "a document that cannot be written is trouble, and the old one stays" {
	mkdir dir
	run --separate-stderr rejoin-log --svg dir front
	status_is 3
	err_has 'dir: '
	run --separate-stderr rejoin-log --svg missing/out.svg front
	status_is 3
	err_has 'missing/out.svg: No such file'
	run --separate-stderr bash -c 'rejoin-log --svg - front >/dev/full'
	status_is 3
}

@test "what draws does not print" {
	for how in '--graph --json' '--svg x --check' '--graph --format=jsonl'; do
		# shellcheck disable=SC2086	# words
		run --separate-stderr rejoin-log $how front
		status_is 2
		err_has 'say only one of them'
	done
	run --separate-stderr rejoin-log --ascii front
	status_is 2
	err_has '--ascii is for --graph'
	[ ! -e x ]
}

@test "the logs of an agent: with its restarts as a source of their own" {
	printf '[agent]\n[log.main]\npath = %s/front\n' "$PWD" >"$REJOIN_CONFIG_DIR/agents.d/mine.conf"
	run --separate-stderr rejoin-log -A mine --graph
	status_is 0
	[[ $output != *restarts* ]]
	mkdir "$REJOIN_STATE_DIR/restart"
	for n in 1 2; do
		printf '{"id":%d,"time":"2026-11-21T10:00:0%d.000000Z","agent":"mine","reason":"","method":"systemd","before":"a","after":"b","outcome":"restarted %d"}\n' $n $n $n
	done >"$REJOIN_STATE_DIR/restart/mine.jsonl"
	head -1 "$REJOIN_STATE_DIR/restart/mine.jsonl" >"$REJOIN_STATE_DIR/restart/mine.jsonl.1"
	sed -i 1d "$REJOIN_STATE_DIR/restart/mine.jsonl"
	run --separate-stderr rejoin-log -A mine --graph
	status_is 0
	out_has 'restarts.1  restarted 1'
	out_has 'restarts    restarted 2'
	out_has 'front       later'
	run --separate-stderr rejoin-log front
	status_is 0
	[[ $output != *restarted* ]]
}

@test "a graph goes on with what comes" {
	printf '2026-11-21T10:00:00Z asks tx=1\n' >a
	: >second
	start graph rejoin-log -f --graph --rules messages.conf a second
	wait_for 'grep -q "asks tx=1" graph.out' 30
	printf '2026-11-21T10:00:01Z answers rx=1\n' >>second
	wait_for 'grep -q answers graph.out' 30
	grep -qF '10:00:01.000  +-->*  second  answers rx=1' graph.out
	run --separate-stderr rejoin-log -f --svg x a
	status_is 2
	err_has '--follow does not go with --svg'
}

@test "of a journal, each program has a lane" {
	for i in 1 2 3; do
		printf '__REALTIME_TIMESTAMP=179525520000000%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=b\n_COMM=c\n' $i $i
		[ $i = 3 ] || printf 'SYSLOG_IDENTIFIER=program-%d\n' $i
		printf 'PRIORITY=%d\nMESSAGE=says %d\n\n' $((i + 2)) $i
	done | sed '1s/^/__CURSOR=s\n/; s/^__REALTIME.*[23]$/__CURSOR=s\n&/' >journal
	run --separate-stderr rejoin-log --graph journal
	status_is 0
	out_is '2026-11-21    program-1
              |   program-2
              |   |   c
10:00:00.000  #   |   |  program-1  says 1
10:00:00.000  |   *   |  program-2  says 2
10:00:00.000  |   |   *  c          says 3'
}

@test "a span's end follows those of its children" {
	printf '[s]\nkind = span\nbegin = begins (?<id>\\w+)(?: of (?<parent>\\w+))?\nend = ends (?<id>\\w+)\n' >spans.conf
	printf '%s\n' '2026-11-21T10:00:00Z begins one' '2026-11-21T10:00:03Z ends one' >a
	printf '%s\n' '2026-11-21T10:00:01Z begins two of one' '2026-11-21T10:00:02Z ends two' >b
	run --separate-stderr rejoin-log --graph --rules spans.conf a b
	status_is 0
	out_is '2026-11-21    a
              |   b
10:00:00.000  *   |  a  begins one
10:00:01.000  +-->*  b  begins two of one
10:00:02.000  |   *  b  ends two
10:00:03.000  *<--+  a  ends one'
}

@test "--svg writes into what is no file, and through a link, as > does" {
	mkfifo pipe
	cat pipe >piped &
	reader=$!
	timeout 20 rejoin-log --svg pipe --rules messages.conf front back store
	wait "$reader"
	[ -p pipe ]
	rejoin-log --svg - --rules messages.conf front back store | cmp - piped
	ln -s there.svg link.svg
	rejoin-log --svg link.svg --rules messages.conf front back store
	cmp there.svg piped
	[ -L link.svg ]
	ln -s /dev/full full.svg
	run --separate-stderr rejoin-log --svg full.svg front
	status_is 3
	err_has 'full.svg: No space left on device'
	[ -c /dev/full ]
}

# a send stands in one log, its receive, by a clock that is behind, in another
two_logs() {
	echo '2026-01-01T00:00:01Z a send x1' >a.log
	echo '2026-01-01T00:00:00Z b recv x1' >b.log
	printf '[m]\nkind = message\nsend = send (?<id>\\S+)\nrecv = recv (?<id>\\S+)\n' >r.conf
}

@test "--stamp, --color, --prefix and --explain go together" {
	two_logs
	merge() { TZ=CET-1 rejoin-log --rules r.conf "$@" a.log b.log | sed 's/\x1b/^/g'; }
	run merge --stamp utc
	out_is '2026-01-01T00:00:01.000000Z 2026-01-01T00:00:01Z a send x1
2026-01-01T00:00:00.000000Z 2026-01-01T00:00:00Z b recv x1'
	run merge --stamp local --prefix always
	out_is '2026-01-01T01:00:01.000000+01:00 a.log | 2026-01-01T00:00:01Z a send x1
2026-01-01T01:00:00.000000+01:00 b.log | 2026-01-01T00:00:00Z b recv x1'
	run merge --stamp utc --explain
	out_is '# a.log: time
2026-01-01T00:00:01.000000Z 2026-01-01T00:00:01Z a send x1
# b.log: message m x1 after a.log:1, moved 1000.000 ms
2026-01-01T00:00:00.000000Z 2026-01-01T00:00:00Z b recv x1'
	run merge --color always --prefix always --explain
	out_is '^[2m# a.log: time^[m
^[36ma.log |^[m 2026-01-01T00:00:01Z a send x1
^[2m# b.log: message m x1 after a.log:1, moved 1000.000 ms^[m
^[33mb.log |^[m 2026-01-01T00:00:00Z b recv x1'
	run merge --color always --stamp utc
	out_is '^[2m2026-01-01T00:00:01.000000Z^[m 2026-01-01T00:00:01Z a send x1
^[2m2026-01-01T00:00:00.000000Z^[m 2026-01-01T00:00:00Z b recv x1'
	NO_COLOR=1 run merge --color auto --prefix always
	[[ $output != *'^['* ]]
	run --separate-stderr rejoin-log --stamp utc --json a.log
	status_is 2
	run --separate-stderr rejoin-log --color sometimes a.log
	status_is 2
}

# clocks of the ShiViz log on stdin, as JSON: one object a record, with its emitter as "host"
shiviz_clocks() {
	sed 1,2d | awk 'NR % 2 == 1' | sed 's/^\([^ ]*\) \(.*\)/{"host":"\1","clock":\2}/'
}

@test "ShiViz: happened-before is what the constraints and the order of each log give" {
	printf '2026-01-01T00:00:0%sZ %s\n' 1 'send x1' 2 quiet 5 'recv y1' >a.log
	printf '2026-01-01T00:00:0%sZ %s\n' 0 'recv x1' 3 'send y1' 4 'send z1' >b.log
	printf '2026-01-01T00:00:0%sZ %s\n' 1 early 2 'recv z1' 9 last >c.log
	printf '[m]\nkind = message\nsend = send (?<id>\\S+)\nrecv = recv (?<id>\\S+)\n' >r.conf
	rejoin-log --exact --rules r.conf --format=shiviz a.log b.log c.log >s.log
	[ "$(head -1 s.log)" = '(?<host>\S*) (?<clock>{.*})\n(?<event>.*)' ]
	# every pair of records: A before B where B's clock has A's own number
	shiviz_clocks <s.log | jq -sc '. as $r | [range(length) as $i | range(length) as $j | select($i != $j) |
		select(($r[$j].clock[$r[$i].host] // 0) >= $r[$i].clock[$r[$i].host]) |
		"\($r[$i].host):\($r[$i].clock[$r[$i].host]) \($r[$j].host):\($r[$j].clock[$r[$j].host])"] | sort' >have
	# the closure of the order of each log and of the edges of --json
	rejoin-log --exact --rules r.conf --json a.log b.log c.log >j.log
	jq -sc '[range(1; 3) as $n | ("a.log", "b.log", "c.log") as $s | ["\($s):\($n)", "\($s):\($n + 1)"]] +
		[group_by(.source)[] | to_entries[] | .value as $v | .key as $k | $v.edges[] | select(startswith("message")) |
			[(. | sub(".* after "; "")), "\($v.source):\($k + 1)"]] |
		until(. as $e | ([.[] as $x | .[] as $y | select($x[1] == $y[0]) | [$x[0], $y[1]]] - $e) == [];
			. + [.[] as $x | .[] as $y | select($x[1] == $y[0]) | [$x[0], $y[1]]] | unique) |
		map(join(" ")) | unique' j.log >want
	[ "$(jq length want)" -gt 12 ]
	cmp have want || { diff <(jq -r '.[]' have) <(jq -r '.[]' want); false; }
	run --separate-stderr rejoin-log --format=shiviz --graph a.log
	status_is 2
}

@test "ShiViz: two emitters are never one host" {
	printf '2026-01-01T00:00:01Z one\n' >'x y'
	printf '2026-01-01T00:00:02Z two\n' >x_y
	printf '2026-01-01T00:00:03Z three\n' >a
	printf '2026-01-01T00:00:04Z four\n' >b
	long=$(printf '%0300d' 1)
	rejoin-log --format=shiviz 'x y' x_y "${long}1=a" "${long}2=b" >s.log
	shiviz_clocks <s.log | jq -se 'length == 4 and ([.[].host] | unique | length == 4) and
		all(.[]; .clock == {(.host): 1})'
	grep -q '^x_y {"x_y":1}$' s.log
	grep -q '^x_y_2 {"x_y_2":1}$' s.log
	grep -qF "${long}2 {\"${long}2\":1}" s.log
}

@test "ShiViz: --lines counts records, whose clocks stay those of the whole" {
	printf '2026-01-01T00:00:0%sZ %s\n' 1 one 2 two 3 three >a.log
	run -0 rejoin-log --format=shiviz -n 1 a.log
	[ "$output" = $'(?<host>\\S*) (?<clock>{.*})\\n(?<event>.*)\n\na.log {"a.log":3}\nthree' ]
	run -0 rejoin-log --format=shiviz -n 9 a.log
	[ "$output" = "$(rejoin-log --format=shiviz a.log)" ]
}

@test "what would be ignored is refused: --stamp, --explain and --lines beside what prints no records as text" {
	printf '2026-01-01T00:00:01Z one\n' >a.log
	for how in '--stamp utc --check' '--stamp utc --sources' '--format=shiviz --sources' '--format=shiviz --explain' \
		'--sources --explain' '--sources -n 1' '--sources --include x'; do
		# shellcheck disable=SC2086	# words
		run --separate-stderr rejoin-log $how a.log
		status_is 2
		[ -z "$output" ]
	done
}

@test "arrows of the n-th message and of bytes on a channel; what times alone contradict" {
	printf '%s\n' '[n]' 'match = nth' 'send = put (?<id>\w+)' 'recv = get (?<id>\w+)' '[s]' 'match = stream' \
		'open = open (?<id>\w+)' 'send = write (?<id>\w+) (?<len>\d+)' 'recv = read (?<id>\w+) (?<len>\d+)' >counts.conf
	printf '2026-11-21T10:00:00.%sZ %s\n' 100 'put a' 400 'put a' 500 'open c' 600 'write c 10' 800 'write c 4' >p
	printf '2026-11-21T10:00:00.%sZ %s\n' 200 'get a' 300 'get a' 700 'read c 4' 750 'read c 10' >q
	run --separate-stderr rejoin-log --graph --rules counts.conf p q
	status_is 0
	out_is "2026-11-21    p
              |   q
10:00:00.100  *   |  p  put a
10:00:00.200  +-->*  q  get a
10:00:00.400  *   |  p  put a
10:00:00.300  +-->o  q  [moved 100 ms] get a
10:00:00.500  *   |  p  open c
10:00:00.600  *   |  p  write c 10
10:00:00.700  +-->*  q  read c 4
10:00:00.800  *   |  p  write c 4
10:00:00.750  +-->o  q  [moved 50.0 ms] read c 10"
	run --separate-stderr rejoin-log --graph --order=time --rules counts.conf p q
	status_is 0
	out_is "2026-11-21    p
              |   q
10:00:00.100  *   |  p  put a
10:00:00.200  +-->*  q  get a
10:00:00.300  |   *  q  get a
10:00:00.400  *---x  p  [late] put a
10:00:00.500  *   |  p  open c
10:00:00.600  *   |  p  write c 10
10:00:00.700  +-->*  q  read c 4
10:00:00.750  |   *  q  read c 10
10:00:00.800  *---x  p  [late] write c 4"
	err_has '2 late'
}
