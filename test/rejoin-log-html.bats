# rejoin-log --html: the file; and the page as a browser shows it, see test/explore.py.
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

# data FILE - the records in a page, as JSON
data() { sed -n '/id="data">/,/<\/script>/p' "$1" | sed 's/^.*id="data">//; s/<\/script>$//'; }

@test "--html writes a page with all records and constraints, and prints nothing" {
	needs jq
	run --separate-stderr rejoin-log --html out.html --rules messages.conf front back store
	status_is 0
	[ -z "$output$stderr" ]
	[ "$(stat -c %a out.html)" = 644 ]
	[ "$(head -1 out.html)" = '<!doctype html>' ]
	[ "$(data out.html | jq -c '.records | map(.[1])')" = '[0,1,0,1,2,1,0,0]' ]
	[ "$(data out.html | jq -c '[.emitters[][0]]')" = '["front","back","store"]' ]
	[ "$(data out.html | jq -c '.kinds')" = '[["message","requests",0,0]]' ]
	# the bytes, the line of the source, the arrows: one record back, of the first kind, with its id
	[ "$(data out.html | jq -c '.records[1][4:9]')" = '["2026-11-21T10:00:00.090Z ","handling rx=1","",1,[1,0,"1"]]' ]
	[ "$(data out.html | jq -c '.records[2][4:8]')" = '["2026-11-21T10:00:00.150Z ","<b>&\"ho\" tx=2","",2]' ]
	[ "$(data out.html | jq -r '.records[4][4]' | base64 -d)" = "$(cat store)" ]
	# the same again is the same page; on standard output, too
	rejoin-log --html - --rules messages.conf store front back | cmp - out.html
}

@test "no text of a log is markup in the page" {
	printf '2026-11-21T10:00:00Z %s\n' '</script><script>alert(1)</script>' '<!--<script>' "<img src=x onerror='alert(1)'>" \
		']]>&lt;' $'\u202eturned\u2066' >'<b>evil'
	rejoin-log --html out.html '<b>evil'
	[ "$(grep -c '<script' out.html)" = 2 ]
	[ "$(grep -c '</script>' out.html)" = 2 ]
	run ! grep -q '<img\|<b>evil\|alert(1)</script' out.html
	data out.html | jq -e '.records[0][5] == "</script><script>alert(1)</script>"'
	data out.html | jq -e '.emitters[0][0] == "<b>evil"'
	# what may run is named by its hash, and nothing may be loaded
	hash=$(sed -n '/^<script>$/,/^<\/script>$/p' out.html | sed '1d;$d' | { echo; cat; } | openssl dgst -sha256 -binary | base64)
	grep -qF "default-src 'none'; script-src 'sha256-$hash'" out.html
	run ! grep -E '(src|href|url)[=(]' <(sed '/id="data">/,/<\/script>/d' out.html)
}

@test "times, long records, and records in pieces keep their bytes" {
	needs jq
	printf '%s\n' '1990-01-01T00:00:00Z first' '2026-11-21T10:00:00.000000001Z second' >a
	rejoin-log --html out.html a
	[ "$(data out.html | jq -c '[.t0, .records[1][0]]')" = '["631152000000000000","1164103200000000001"]' ]
	{ printf '2026-11-21T10:00:00Z '; head -c 200000 /dev/zero | tr '\0' x; echo; } >long
	rejoin-log --html out.html long
	[ "$(data out.html | jq '.records[0] | (.[4] + .[5] + .[6] | length), .[2]' | tr '\n' ' ')" = '65536 8 ' ]
	: >empty
	rejoin-log --html out.html empty
	[ "$(data out.html | jq '.records | length')" = 0 ]
}

@test "a page has the last records that -n asks for, and says what is cut" {
	needs jq
	for i in {1..300}; do printf '2026-11-21T10:%02d:%02dZ line %d\n' $((i / 60)) $((i % 60)) "$i"; done >many
	run --separate-stderr rejoin-log --html out.html -n 100 many
	status_is 0
	[ -z "$stderr" ]
	[ "$(data out.html | jq -c '[(.records | length), .lost, .records[0][5]]')" = '[100,0,"line 201"]' ]
}

@test "a page that cannot be written is trouble; it goes into what is no file, and through a link" {
	mkdir dir
	run --separate-stderr rejoin-log --html dir front
	status_is 3
	err_has 'dir: '
	run --separate-stderr rejoin-log --html missing/out.html front
	status_is 3
	err_has 'missing/out.html: No such file'
	run --separate-stderr bash -c 'rejoin-log --html - front >/dev/full'
	status_is 3
	ln -s there.html link.html
	rejoin-log --html link.html front
	[ -L link.html ]
	rejoin-log --html - front | cmp - there.html
}

@test "--html goes with --svg, and not with what prints or follows" {
	rejoin-log --html out.html --svg out.svg --graph front >graph
	[ -s out.html ] && [ -s out.svg ] && [ -s graph ]
	for how in '--html x --json' '--html x --check' '--html x --format=shiviz' '--html x --sources' '--html x --stamp=utc' \
		'--html - --graph' '--html - --svg -' '--html x -f' '--html x --save-state=s'; do
		# shellcheck disable=SC2086	# words
		run --separate-stderr rejoin-log $how front
		status_is 2
	done
	[ ! -e x ]
}

# explore CASE - see test/explore.py; the screenshots stay in build/browser/.  With a
# sanitizer the tests above are enough.
explore() {
	needs chromium python3
	mkdir -p "$B/browser"
	SHOTS=$B/browser PYTHONDONTWRITEBYTECODE=1 run --separate-stderr python3 "$TOP/test/explore.py" "$1"
	status_is 0
}

# bats test_tags=plain
@test "in a browser: a click highlights the causal past and future, as --json has them" { explore closure; }

# bats test_tags=plain
@test "in a browser: search, filters, zoom, keys, and the address" { explore filters; }

# bats test_tags=plain
@test "in a browser: the page at the width of a phone, with accessible names" { explore phone; }

# bats test_tags=plain
@test "in a browser: hostile text is shown, and does nothing" { explore hostile; }

# bats test_tags=plain
@test "in a browser: pages of nothing, one record, no times, many emitters, violations" { explore odd; }

# bats test_tags=plain
@test "in a browser: the diagram has all arrows, and learned ones are dashed" { explore diagram; }
