#!/bin/bash
# rejoin-task and rejoin-taskd: 1,000 tasks that run at once, heartbeats, the bytes of a log,
# and what a command costs beside ssh(1) and systemd-run(1).
set -u
cd "$(dirname "$0")/../.." || exit
: "${B:=$PWD/build}"
PATH=$B/bin:$B/tool:$PATH
: "${TASKS:=1000}" "${MIB:=1024}" "${RUNS:=20}"
dir=$(mktemp -d "${TMPDIR:-/tmp}/rejoin-bench.XXXXXX") || exit
export REJOIN_STATE_DIR=$dir/state REJOIN_RUNTIME_DIR=$dir/run REJOIN_CONFIG_DIR=$dir/etc LC_ALL=C
mkdir "$dir/state" "$dir/run" "$dir/etc"
printf '[taskd]\nrunning = 1000\nlog-max = 2G\nlog-total = 8G\n' >"$dir/etc/taskd.conf"
taskd=0 sshd=0
clean_up() {
	local r
	kill "$taskd" 2>/dev/null
	[ "$sshd" -eq 0 ] || kill "$sshd" 2>/dev/null
	for r in "$dir"/state/tasks/*/started; do
		[ ! -e "$r" ] || kill -KILL "$(jq .shim "$r")" 2>/dev/null
	done
	wait 2>/dev/null
	rm -rf "$dir"
}
trap clean_up EXIT
agent() { curl -s --unix-socket "$dir/run/taskd.sock" "http://localhost$1" "${@:2}"; }
row() { printf '%s\t%s\t%s\t%s\n' "$1" "${3--}" "$2" "${4--}"; } # WHAT MEASURED [AGAINST [REACH]]
now() { echo "${EPOCHREALTIME/./}"; }

rejoin-taskd --idle 0s 2>"$dir/err" &
taskd=$!
until rejoin-task list >/dev/null 2>&1; do sleep 0.05; done

# --- many tasks in one session, all running at once, and the heartbeats of that session
# Each task waits for a byte of a FIFO.  The controller's own period is so long that the heartbeats are
# ours: the next n of the same session, on one connection; curl measures each from the request's first byte
# to the answer's last.
mkfifo "$dir/go"
for ((i = 0; i < TASKS; i++)); do
	echo '{"argv":["sh","-c","read -r go <'"$dir"'/go; echo ended"]}'
done >"$dir/lines"
begun=$(now)
rejoin-task run --lines --period 1h --lease 24h <"$dir/lines" >"$dir/records" 2>"$dir/lines.err" &
many=$!
until [ -s "$dir/records" ] && id=$(agent /1/tasks | jq -e '.tasks[0].session'); do sleep 0.1; done
seen=$(awk '{ printf "%d", $1 * 1000 }' /proc/uptime) n=0
# beat FILE COUNT - so many, and their times to FILE
beat() {
	local k
	for ((k = n + 1; k <= n + $2; k++)); do
		printf 'next\nurl = "http://localhost/1/beat"\nunix-socket = "%s"\nsilent\noutput = /dev/null\n' "$dir/run/taskd.sock"
		printf 'data = "{\\"id\\":1,\\"session\\":%s,\\"n\\":%s,\\"seen\\":%s}"\nwrite-out = "%%{http_code} %%{time_total}\\n"\n' "$id" "$k" "$seen"
	done | sed 1d | curl -sK - >>"$1"
	n=$((n + $2))
}
beats() { # FILE - how long they took; one that was not answered 200 counts as an hour
	sort -n -k 2 <(sed 's/^[^2].*/0 3600/' "$1") | awk '{ t[NR] = $2 * 1000 }
		END { printf "%d: p50 %.1f ms, p99 %.1f ms, max %.1f ms", NR, t[int(NR * .5)], t[int(NR * .99)], t[NR] }'
}
started() { find "$dir/state/tasks" -maxdepth 2 -name started 2>/dev/null | wc -l; }
while kill -0 "$many" 2>/dev/null && [ "$(started)" -lt "$TASKS" ]; do
	beat "$dir/beats.starting" 100
done
row "$TASKS tasks in one session, until all run" "$((($(now) - begun) / 1000)) ms"
beat "$dir/beats.running" 2000
row "running at once, as the agent says" "$(agent '/1/tasks?state=running' | jq '.tasks | length')" - "$TASKS"
exec 9<>"$dir/go"
for ((i = 0; i < TASKS; i++)); do echo >&9; done
while kill -0 "$many" 2>/dev/null; do
	beat "$dir/beats.ending" 100
done
wait "$many"
row "heartbeats of their session, while all run" "$(beats "$dir/beats.running")" - 'p99 < 50 ms'
row "the same, while they start" "$(beats "$dir/beats.starting")"
row "the same, while they end and are released" "$(beats "$dir/beats.ending")"
row "ended with 0, records of output" "$(grep -c '"state":"ended","exit":0' "$dir/records"), $(grep -c '"event":"output"' "$dir/records")" - "$TASKS"
row "rejoin-taskd, resident at most" "$(awk '/VmHWM/ { printf "%.1f MiB", $2 / 1024 }' "/proc/$taskd/status")" - '< 64 MiB'

# --- the bytes of a log
task=$(rejoin-task run --detach -- head -c "$((MIB << 20))" /dev/zero)
until [ "$(agent "/1/tasks/$task" | jq -r .state)" = ended ]; do sleep 0.1; done
begun=$(now)
rejoin-task log "$task" | wc -c >"$dir/count"
row "$MIB MiB of a log over the socket, rejoin-task log" "$((MIB * 1000000 / ($(now) - begun))) MiB/s, $(cat "$dir/count") bytes" - '>= 300 MB/s'
begun=$(now)
rejoin-task attach "$task" | wc -c >"$dir/count"
row "the same by rejoin-task attach" "$((MIB * 1000000 / ($(now) - begun))) MiB/s, $(cat "$dir/count") bytes"
begun=$(now)
rejoin-task run -- head -c "$((MIB << 20))" /dev/zero | wc -c >"$dir/count"
row "the same written and fetched at once, rejoin-task run" "$((MIB * 1000000 / ($(now) - begun))) MiB/s, $(cat "$dir/count") bytes"

# --- a command that does nothing
each() { # NAME CMD... - its time, RUNS times
	local name=$1 k begun
	shift
	"$@" >/dev/null 2>&1 || { row "$name" 'cannot be run here'; return; }
	begun=$(now)
	for ((k = 0; k < RUNS; k++)); do "$@" >/dev/null 2>&1; done
	row "$name" "$((($(now) - begun) / RUNS / 100))00 us"
}
each 'true, a command that does nothing' true
each 'rejoin-task run -- true' rejoin-task run -- true
each 'systemd-run --wait -q true' systemd-run --wait -q true
if mkdir -p /run/sshd 2>/dev/null && command -v sshd >/dev/null; then
	port=$((20000 + RANDOM % 20000))
	ssh-keygen -q -t ed25519 -N '' -f "$dir/key"
	ssh-keygen -q -t ed25519 -N '' -f "$dir/host"
	printf '%s\n' "Port $port" 'ListenAddress 127.0.0.1' "HostKey $dir/host" "AuthorizedKeysFile $dir/key.pub" \
		'StrictModes no' 'UsePAM no' 'PidFile none' "SetEnv PATH=$PATH REJOIN_RUNTIME_DIR=$dir/run" >"$dir/sshd.conf"
	"$(command -v sshd)" -D -f "$dir/sshd.conf" 2>/dev/null &
	sshd=$!
	mkdir "$dir/bin"
	printf '#!/bin/sh\nexec %s -F none -i %s -o UserKnownHostsFile=%s -o StrictHostKeyChecking=accept-new "$@"\n' \
		"$(command -v ssh)" "$dir/key" "$dir/known" >"$dir/bin/ssh"
	chmod +x "$dir/bin/ssh"
	PATH=$dir/bin:$PATH
	until ssh -p "$port" 127.0.0.1 true 2>/dev/null; do sleep 0.1; done
	each 'ssh HOST true' ssh -p "$port" 127.0.0.1 true
	each 'rejoin-task ssh://HOST run -- true' rejoin-task "ssh://127.0.0.1:$port" run -- true
	begun=$(now)
	ssh -p "$port" 127.0.0.1 head -c "$((MIB << 20))" /dev/zero | wc -c >"$dir/count"
	row "$MIB MiB by ssh HOST head" "$((MIB * 1000000 / ($(now) - begun))) MiB/s"
	begun=$(now)
	rejoin-task "ssh://127.0.0.1:$port" run -- head -c "$((MIB << 20))" /dev/zero | wc -c >"$dir/count"
	row "the same by rejoin-task ssh://HOST run" "$((MIB * 1000000 / ($(now) - begun))) MiB/s, $(cat "$dir/count") bytes"
fi
