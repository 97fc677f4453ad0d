# rejoin-log where what it reads, writes or needs fails in the middle.
load helper

setup() {
	begin
	cat >messages.conf <<-'EOF'
		[m]
		send = tx=(?<id>\w+)
		recv = rx=(?<id>\w+)
	EOF
}

# big FILE TEXT [SECOND] - 30,000 records, a second apart, from SECOND of 2026 on
big() {
	awk -v text="$2" -v at="$((1767225600 + ${3-0}))" 'BEGIN { for (i = 0; i < 30000; i++)
		print strftime("%Y-%m-%dT%H:%M:%SZ", at + i, 1), text, i, "tx=" text i }' >"$1"
}

# bats test_tags=plain
@test "without threads the result is the same" {
	[ "$(nproc)" -ge 2 ] || skip "one core: no thread is made"
	big a.log a
	big b.log b
	rejoin-log a.log b.log >want
	local n
	for n in 1 2; do
		FAULT=pthread_create:$n:EAGAIN LD_PRELOAD=$B/fault.so rejoin-log a.log b.log | cmp - want
		FAULT=pthread_create:$n:ENOMEM LD_PRELOAD=$B/fault.so rejoin-log --exact --rules messages.conf a.log b.log |
			cmp - want
	done
}

@test "a decompressor that dies: what came is printed, and the status is 1" {
	big a.log a
	gzip -c a.log | head -c 100000 >cut.gz
	echo '2026-01-01T00:00:00Z first' >b.log
	local how
	for how in '' --exact --json; do
		# shellcheck disable=SC2086	# none or one word
		run --separate-stderr rejoin-log $how --rules messages.conf cut.gz b.log
		status_is 1
		err_has 'cut.gz: the command that reads it ended with 1'
		[ "${#lines[@]}" -gt 1000 ]
		out_has first
	done
	[ "$(rejoin-log cut.gz 2>/dev/null)" = "$(zcat cut.gz 2>/dev/null)" ]
}

# between FILE COMMAND... - merge FILE with --exact; COMMAND runs when the second pass has begun
between() {
	local file=$1
	shift
	mkfifo out
	rejoin-log --exact --rules messages.conf "$file" >out 2>err &
	PIDS+=($!)
	exec 5<out
	# the pipe is full as soon as the second pass prints
	head -c 1 <&5 >got
	"$@"
	cat <&5 >>got
	exec 5<&-
	status=0
	wait "${PIDS[-1]}" || status=$?
	rm out
}

@test "a file that is cut, extended or replaced between the two passes of --exact" {
	big whole a
	cp whole a.log
	between a.log truncate -s 700000 a.log
	status_is 1
	grep -q 'a.log: was cut or replaced while it was read' err
	cmp got <(head -c "$(stat -c %s got)" whole)
	cp whole a.log
	append() { echo '2027-01-01T00:00:00Z more rx=nothing' >>a.log; }
	between a.log append
	status_is 0
	grep -q 'a.log: grew while it was read; the last 37 bytes are not in the result' err
	cmp got whole
	replace() { echo '2026-01-01T00:00:00Z other' >new && mv new a.log; }
	between a.log replace
	status_is 0
	cmp got <(cat whole; echo '2027-01-01T00:00:00Z more rx=nothing')
}

@test "two FIFOs that one process writes, one after the other" {
	big early a 0
	big late b 100000
	mkfifo p q
	local order how
	for order in 'p q' 'q p'; do
		for how in '' --json '--exact --rules messages.conf'; do
			# what is later is written first, and is much more than a pipe holds
			( set -- $order; exec 6>"$1" 7>"$2"; cat late >&6; cat early >&7 ) &
			PIDS+=($!)
			# shellcheck disable=SC2086	# words
			[ "$(timeout 60 rejoin-log $how p q | wc -l)" = 60000 ]
			wait "${PIDS[-1]}"
		done
	done
	( exec 6>p 7>q; cat late >&6; cat early >&7 ) &
	PIDS+=($!)
	rejoin-log p q | cmp - <(cat early late)
}

@test "what cannot be read twice is copied for --exact, as far as --spool allows" {
	big a.log a
	sed 's/tx=/rx=/' a.log >b.log
	rejoin-log --exact --rules messages.conf a.log b.log >want
	gzip -k a.log
	rejoin-log --exact --rules messages.conf a=a.log.gz b.log | cmp - want
	rejoin-log --exact --rules messages.conf a.log=- b.log <a.log | cmp - want
	rejoin-log --exact --rules messages.conf a=<(cat a.log) b=<(cat b.log) | cmp - want
	run --separate-stderr rejoin-log --exact --spool=100K --rules messages.conf a.log.gz b.log
	status_is 3
	out_is ''
	err_has 'a.log.gz: more than --spool holds'
	err_has 'hint: '
	TMPDIR=/nonexistent rejoin-log --exact --rules messages.conf a=<(cat a.log) b.log | cmp - want
}

@test "--remember says how long an id is looked for" {
	printf '%s\n' '2026-01-01T00:00:00Z tx=1' >a.log
	awk 'BEGIN { for (i = 0; i < 5000; i++) print strftime("%Y-%m-%dT%H:%M:%SZ", 1767225601 + i, 1), "tx=a" i }' >>a.log
	echo '2026-01-01T01:00:00Z rx=1' >b.log
	why() { rejoin-log --json --rules messages.conf "$@" a.log b.log | jq -r 'select(.source == "b.log") | .edges[], .mark'; }
	run -0 why
	out_is 'message m 1 (forgotten)
null'
	run -0 why --remember 59m
	out_has forgotten
	run -0 why --remember 1h
	out_is 'message m 1 after a.log:1
null'
	run --separate-stderr rejoin-log --remember 1001d a.log
	status_is 2
}

# without AddressSanitizer, which needs more address space
# bats test_tags=plain
@test "without memory the status is 3, and a message says so" {
	big a.log a
	cp a.log b.log
	local n full=0
	for n in 8000 16000 24000 32000; do
		run --separate-stderr bash -c "ulimit -v $n; exec rejoin-log --rules messages.conf a.log b.log"
		[ "$status" = 0 ] || [ "$status" = 127 ] || { status_is 3; err_has 'out of memory'; full=1; }
	done
	[ "$full" = 1 ]
}

# The signal that would end it may be ignored, as it is in services: then a failed write(2) does.
@test "a reader that ends takes the merge along, whatever the workers are at" {
	big a.log a
	big b.log b 7
	local how
	for how in '' --json --prefix=always '--rules messages.conf' '--rules messages.conf --exact'; do
		# shellcheck disable=SC2086	# words
		(
			trap '' PIPE
			timeout 30 rejoin-log $how a.log b.log 2>err || echo $? >status
		) | head -c 1000 >out
		[ "$(cat status)" -eq 3 ]
		grep -q '^rejoin-log: standard output: Broken pipe' err
		[ "$(wc -c <out)" -eq 1000 ]
		rm status
	done
}
