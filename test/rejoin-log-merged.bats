# rejoin-log: merged logs that are merged again, and watermarks.
load helper

setup() {
	begin
	cp -r "$TOP/packaging/formats.d" "$TOP/packaging/rules.d" "$REJOIN_CONFIG_DIR/"
	printf '[m]\nsend = send msg=(?<id>\\w+)\nrecv = recv msg=(?<id>\\w+)\n' >m.conf
}

# hosts N RECORDS - host.N.log, whose clocks are wrong by up to 200 ms and which send each other messages
hosts() {
	awk -v hosts="$1" -v records="$2" -v seed="${SEED:-7}" '
		function say(h, at, text) {
			at += skew[h]
			printf "2026-11-21T%02d:%02d:%09.6fZ host%d %s\n", 10 + int(at / 3600), int(at / 60) % 60, at % 60, h, text >("host." h ".log")
		}
		BEGIN {
			srand(seed)
			for (h = 0; h < hosts; h++)
				skew[h] = rand() * 0.4 + 1
			for (i = 0; i < records; i++) {
				t += rand() * 0.001
				for (k = first; k < last && due[k] <= t; k++)
					say(to[k], due[k], "recv msg=m" k)
				first = k
				h = int(rand() * hosts)
				if (rand() < 0.3) {
					say(h, t, "send msg=m" last)
					to[last] = (h + 1 + int(rand() * (hosts - 1))) % hosts
					due[last] = (last > first && due[last - 1] > t ? due[last - 1] : t) + 0.001
					last++
				} else {
					say(h, t, "work " i)
				}
			}
			for (k = first; k < last; k++)
				say(to[k], due[k], "recv msg=m" k)
		}'
}

# violations FILE - how many receives stand before their send
violations() {
	awk 'match($0, /recv msg=m[0-9]+/) { id = substr($0, RSTART + 5, RLENGTH - 5); if (!(id in sent)) n++ }
		match($0, /send msg=m[0-9]+/) { sent[substr($0, RSTART + 5, RLENGTH - 5)] = 1 }
		END { print n + 0 }' "$1"
}

@test "merged logs merged again violate nothing" {
	local h g groups=6 n=60 records=20000
	[ -z "${SOAK-}" ] || records=200000
	hosts $n $records
	run -0 rejoin-log --offset off --rules m.conf --order time host.*.log
	printf '%s\n' "$output" >by-time
	[ "$(violations by-time)" -gt 0 ]
	for how in json text; do
		for ((g = 0; g < groups; g++)); do
			set --
			for ((h = g; h < n; h += groups)); do set -- "$@" "host.$h.log"; done
			if [ $how = json ]; then
				rejoin-log --offset off --rules m.conf --json "$@" >leaf.$g
			else
				rejoin-log --offset off --rules m.conf --prefix always "$@" >leaf.$g
			fi
		done 2>/dev/null
		set --
		for ((g = 0; g < groups; g++)); do set -- "$@" "leaf.$g,order=merged"; done
		rejoin-log --offset off --rules m.conf "$@" >top 2>err
		[ "$(lines top)" = "$(lines leaf.*)" ]
		[ "$(violations top)" = 0 ]
		# Each host's own order stays.
		for h in 0 7 33; do
			diff <(grep -o "host$h \(send\|recv\|work\).*[0-9]" top | cut -d'"' -f1) <(cut -d' ' -f2- host.$h.log)
		done
	done
}

lines() { cat "$@" | sort | md5sum; }

@test "watermarks are printed among JSON records while following" {
	printf '2026-11-21T10:00:0%sZ x\n' 1 2 9 >a.log
	start log rejoin-log -f --json --watermark 1ms --patience 2s a.log
	wait_for 'grep -qF "\"watermark\":\"2026-11-21T10:00:07.000000Z\"" log.out'
	echo '2026-11-21T10:00:29Z y' >>a.log
	wait_for 'grep -qF "\"watermark\":\"2026-11-21T10:00:27.000000Z\"" log.out'
	[ "$(head -1 log.out)" = '{"watermark":"1970-01-01T00:00:00.000000Z"}' ]
	# No record stands behind a watermark that is beyond it.
	awk -F'"' '/watermark/ { w = $4 } /"time"/ { if ($4 <= w) exit 1 }' log.out
}

@test "a record of a source with watermarks waits for those of the others, and for no more" {
	mkfifo a b
	start log rejoin-log -f a,order=merged b,order=merged
	exec 7>a 8>b
	echo '{"watermark":"1970-01-01T00:00:00Z"}' | tee /dev/fd/7 >&8
	printf '%s\n' '{"time":"2026-11-21T10:00:02Z","source":"x","text":"2"}' '{"watermark":"2026-11-21T10:00:05Z"}' >&7
	printf '%s\n' '{"time":"2026-11-21T10:00:01Z","source":"y","text":"1"}' '{"watermark":"2026-11-21T10:00:01Z"}' >&8
	wait_for 'grep -qF "\"text\":\"1\"" log.out'
	[ "$(wc -l <log.out)" = 1 ]
	printf '%s\n' '{"watermark":"2026-11-21T10:00:03Z"}' >&8
	wait_for 'grep -qF "\"text\":\"2\"" log.out'
	exec 7>&- 8>&-
	[ "$(wc -l <log.out)" = 2 ]
	[ ! -s log.err ]
}

@test "a silent source with watermarks is not waited for beyond --idle" {
	mkfifo a b
	start log rejoin-log -f --idle 100ms a,order=merged b,order=merged
	exec 7>a 8>b
	echo '{"watermark":"1970-01-01T00:00:00Z"}' | tee /dev/fd/7 >&8
	printf '%s\n' '{"time":"2026-11-21T10:00:02Z","source":"x","text":"2"}' >&7
	wait_for 'grep -qF "\"text\":\"2\"" log.out'
	exec 7>&- 8>&-
}

@test "--watermark and --idle need what they are for" {
	run -2 --separate-stderr rejoin-log --watermark 1s --json a
	err_has 'is for --follow'
	run -2 --separate-stderr rejoin-log -f --watermark 1s a
	err_has 'needs --format=jsonl'
	run -2 --separate-stderr rejoin-log --idle 1s a
	err_has 'is for --follow'
}
