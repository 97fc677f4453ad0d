# shellcheck disable=SC2016,SC2030,SC2031,SC2154	# wait_for evaluates; start sets log_pid
# rejoin-log -f and --save-state where names change: links, directories, rotated and compressed files.
load helper

# line N: a line of a log that holds the number
line() { printf '2026-11-28T10:00:%02d.%03dZ n%d\n' $(($1 / 1000)) $(($1 % 1000)) "$1"; }

# numbers FILE N...: the lines of FILE are these, in any order, and no others
numbers() {
	local file=$1
	shift
	wait_for "[ \"\$(wc -l <$file)\" -ge $# ]" 20 || { cat "$file" "${file%.out}.err"; return 1; }
	diff -u <(printf 'n%d\n' "$@" | sort) <(sed 's/.* //' "$file" | sort)
}

# follow ARG...: until the first line is out, which every case begins with
follow() {
	# shellcheck disable=SC2034	# log_pid is for the test
	start log rejoin-log -f "$@"
	wait_for '[ -s log.out ]'
}

# has_open RE: what is followed has a file open whose name matches
has_open() { find "/proc/$log_pid/fd" -lname '*/*' -printf '%l\n' | grep -q "/$1\$"; }

# run_on ARG...: one more run with the same state, what it prints behind what the others did
run_on() {
	rejoin-log --save-state state "$@" >>out 2>err
}

@test "a link is followed to the file that it leads to, whatever changes on the way" {
	mkdir pods containers data
	line 1 >containers/x.log
	ln -s ../containers/x.log pods/0.log
	follow pods/0.log
	# its target is rotated
	mv containers/x.log containers/x.log.1
	line 2 >containers/x.log
	numbers log.out 1 2
	# another link takes its place at once
	line 3 >data/y.log
	ln -s ../data/y.log pods/new
	mv -T pods/new pods/0.log
	numbers log.out 1 2 3
	line 4 >>data/y.log
	numbers log.out 1 2 3 4
	# a file takes its place
	line 5 >pods/new
	mv -T pods/new pods/0.log
	numbers log.out 1 2 3 4 5
	line 6 >>pods/0.log
	numbers log.out 1 2 3 4 5 6
}

@test "a link in the middle of a chain, or to a directory, may change" {
	mkdir -p v1/logs v2/logs v3
	line 1 >v1/logs/x.log
	ln -s v1 current
	ln -s current/logs logs
	follow logs/x.log
	line 2 >v2/logs/x.log
	ln -sfn v2 current
	numbers log.out 1 2
	line 3 >v3/x.log
	ln -sfn v3 logs
	numbers log.out 1 2 3
	line 4 >>v3/x.log
	numbers log.out 1 2 3 4
}

@test "a directory that is renamed, removed or made anew is noticed, however far up" {
	mkdir -p a/b/c
	line 1 >a/b/c/x.log
	follow a/b/c/x.log
	mv a old
	mkdir -p a/b/c
	line 2 >a/b/c/x.log
	numbers log.out 1 2
	rm -r a
	mkdir -p a/b/c
	line 3 >a/b/c/x.log
	numbers log.out 1 2 3
	mv a/b/c a/b/d
	mkdir a/b/c
	line 4 >a/b/c/x.log
	numbers log.out 1 2 3 4
	line 5 >>a/b/c/x.log
	numbers log.out 1 2 3 4 5
}

@test "a pattern's directories may come later, go, and come again" {
	mkdir -p pods/one
	line 1 >pods/one/0.log
	follow 'pods/*/*.log' 'later/*.log'
	mkdir pods/two later
	line 2 >pods/two/0.log
	line 3 >later/x.log
	numbers log.out 1 2 3
	rm -r later
	mkdir later
	line 4 >later/x.log
	line 5 >later/y.log
	numbers log.out 1 2 3 4 5
}

@test "rotated files are looked for beside the file that a link leads to" {
	mkdir pods containers
	line 1 >containers/x.log
	ln -s ../containers/x.log pods/0.log
	run_on pods/0.log
	# renamed twice
	line 2 >>containers/x.log
	mv containers/x.log containers/x.log.2
	line 3 >containers/x.log.1
	line 4 >containers/x.log
	run_on pods/0.log
	numbers out 1 2 3 4
	# copied and truncated
	line 5 >>containers/x.log
	cp containers/x.log containers/x.log-20261128
	line 6 >containers/x.log
	run_on pods/0.log
	numbers out 1 2 3 4 5 6
	# compressed
	line 7 >>containers/x.log
	rm containers/x.log.*
	mv containers/x.log containers/x.log.1
	gzip containers/x.log.1
	line 8 >containers/x.log
	run_on pods/0.log
	numbers out 1 2 3 4 5 6 7 8
	[ ! -s err ]
}

@test "a name that ends in a number is a log of its own where it is named, or grows" {
	for i in 1 2 3; do line $i >"$(printf 'web\nweb-1\nweb.2\n' | sed -n ${i}p)"; done
	start named rejoin-log -f web web-1 web.2
	start matched rejoin-log -f 'web*'
	numbers named.out 1 2 3
	numbers matched.out 1 2 3
	line 4 >>web-1
	line 5 >>web.2
	line 6 >>web
	numbers named.out 1 2 3 4 5 6
	numbers matched.out 1 2 3 4 5 6
	# each is rotated, and none is read for another
	mv web-1 web-1.1
	line 7 >web-1
	numbers named.out 1 2 3 4 5 6 7
	mv web web.1
	line 8 >web
	numbers named.out 1 2 3 4 5 6 7 8
	line 9 >>web-1
	line 10 >>web
	numbers named.out 1 2 3 4 5 6 7 8 9 10
}

@test "a rotated file that a pattern matches is read to its torn end, and on where it grows" {
	line 1 >a.log
	line 2 >a.log.1
	line 3 | tr -d '\n' >>a.log.1
	: >a.log.2
	line 4 | gzip >a.log.3.gz
	follow 'a.log*'
	numbers log.out 1 2 3 4
	line 5 >>a.log.2
	numbers log.out 1 2 3 4 5
	# what is copied over a rotated file was read before
	cp a.log a.log.1
	line 6 >a.log
	numbers log.out 1 2 3 4 5 6
	! has_open 'a[.]log[.].*'
}

@test "a log and the name that its rotation gives may be followed both: no line comes twice" {
	line 1 >a.log
	line 2 >a.log.1
	follow a.log a.log.1
	numbers log.out 1 2
	for i in 3 4 5 6; do
		mv a.log a.log.new
		mv a.log.1 a.log.2
		mv a.log.new a.log.1
		line $i >a.log
		numbers log.out $(seq $i)
	done
}

@test "numbered logs keep their places in a state" {
	line 1 >web
	line 2 >web-1
	run_on web web-1
	line 3 >>web
	line 4 >>web-1
	run_on web web-1
	numbers out 1 2 3 4
	line 5 >>web-1
	mv web web.1
	line 6 >web
	run_on web web-1
	numbers out 1 2 3 4 5 6
}

# limited N ARG...: followed with room for N descriptors
limited() {
	local n=$1
	shift
	(ulimit -n "$n"; exec setsid rejoin-log -f "$@" >log.out 2>log.err) &
	log_pid=$!
	PIDS+=("$log_pid")
}

@test "files that are gone are closed, their torn last lines printed" {
	line 0 >h0.log
	limited 24 'h*.log'
	numbers log.out 0
	for i in {1..40}; do
		line "$i" | tr -d '\n' >"h$i.log"
		[ $((i % 2)) -eq 0 ] || echo >>"h$i.log"
		wait_for "has_open 'h${i}[.]log'"
		rm "h$i.log"
	done
	numbers log.out {0..40}
	# but for a few that a program may still write to, if it has them open
	[ "$(ls "/proc/$log_pid/fd" | wc -l)" -lt 20 ]
}

@test "too few descriptors are reported, and the files are read when there are some" {
	for i in {1..30}; do line "$i" >"f$i.log"; done
	limited 20 f*.log
	wait_for 'grep -q "Too many open files: raise the limit of open files (ulimit -n)" log.err'
	while [ "$(wc -l <log.out)" -lt 30 ]; do
		n=$(wc -l <log.out)
		sed 's/.* n/f/; s/$/.log/' log.out | xargs rm -f
		wait_for "[ \"\$(wc -l <log.out)\" -gt $n ]"
	done
	numbers log.out {1..30}
	grep -q 'can be read now' log.err
}

@test "a file that becomes readable is read" {
	needs_root
	needs setpriv
	chmod 755 .
	mkdir -m 0 closed
	line 1 >a.log
	for i in 2 3; do line $i >"closed/$i.log"; done
	line 4 >b.log
	line 5 >c.log
	ln -s c.log link.log
	chmod 0 b.log
	chmod 600 c.log
	start log setpriv --reuid=65534 --regid=65534 --clear-groups "$B/bin/rejoin-log" -f a.log b.log link.log closed/2.log closed/3.log
	numbers log.out 1
	wait_for '[ "$(grep -c "Permission denied" log.err)" -eq 4 ]'
	chmod 644 b.log
	numbers log.out 1 4
	chmod 644 c.log
	numbers log.out 1 4 5
	chmod 755 closed
	numbers log.out 1 2 3 4 5
	line 6 >>b.log
	numbers log.out 1 2 3 4 5 6
	# without -f it is an error at once
	chmod 0 b.log
	run --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups "$B/bin/rejoin-log" a.log b.log
	status_is 1
	err_has 'b.log: Permission denied'
}

@test "what is compressed while it is followed does not come twice" {
	needs xz zstd bzip2
	mkdir l
	line 1 >l/a.log
	follow 'l/*'
	n=1
	for tool in gzip 'xz -q' 'zstd -q --rm' bzip2; do
		line $((++n)) >>l/a.log
		numbers log.out $(seq $n)
		mv l/a.log "l/a.log-2026112$n"
		line $((++n)) >l/a.log
		numbers log.out $(seq $n)
		$tool "l/a.log-2026112$((n - 1))"
	done
	line $((++n)) >>l/a.log
	numbers log.out $(seq $n)
}

@test "what was compressed since the last run is read, from where that was" {
	needs xz zstd bzip2
	line 1 >a.log
	run_on a.log
	n=1
	for tool in gzip 'xz -q' 'zstd -q --rm' bzip2; do
		line $((++n)) >>a.log
		mv a.log "a.log.$((20 - n))"
		$tool "a.log.$((20 - n))"
		line $((++n)) >a.log
		run_on a.log
		numbers out $(seq $n)
	done
	# twice rotated, both compressed; and nothing new at all
	line $((++n)) >>a.log
	mv a.log a.log.2
	line $((++n)) >a.log.1
	gzip a.log.1 a.log.2
	line $((++n)) >a.log
	run_on a.log
	numbers out $(seq $n)
	gzip -c a.log >a.log.0.gz
	run_on a.log
	numbers out $(seq $n)
	# a pattern that matches them does not read them again
	run_on a.log*
	numbers out $(seq $n)
	[ ! -s err ]
}

@test "compressed while nothing was read: stopped, and gone on" {
	line 1 >a.log
	follow a.log
	kill -STOP "$log_pid"
	line 2 >>a.log
	mv a.log a.log.2
	line 3 >a.log.1
	gzip a.log.1 a.log.2
	line 4 >a.log
	kill -CONT "$log_pid"
	numbers log.out 1 2 3 4
}

@test "a compressed file that is damaged is reported, and the rest is read" {
	line 1 >a.log
	run_on a.log
	line 2 >>a.log
	mv a.log a.log.1
	gzip a.log.1
	truncate -s -6 a.log.1.gz
	line 3 >a.log
	run_on a.log || :
	numbers out 1 3
	grep -q 'a.log: what was read last is not there any more' err
}
