#!/bin/bash
# rejoin-retry: what one costs from start to the frame drained, beside a program
# that does nothing and the shell bridge that people use; many marks; many in a row.
set -u
# marks live in a tmpfs, as /run is
dir=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")" rejoin-bench.XXXXXX) || exit
reader=
trap '[ -z "$reader" ] || kill "$reader"; rm -rf "$dir"' EXIT
export REJOIN_CONFIG_DIR=$dir/etc REJOIN_RUNTIME_DIR=$dir/run REJOIN_STATE_DIR=$dir/state
mkdir -p "$dir/etc/agents.d" "$dir/run"
chmod 755 "$dir"
cat >"$dir/etc/agents.d/t.conf" <<-END
	[retry]
	method = fifo
	path = $dir/pipe
	frame = adu64
	command = retry-update
	debounce = 0ms
END
printf 'int main(void) { return 0; }\n' >"$dir/null.c"
"$CC" -O2 -o "$dir/null" "$dir/null.c" || exit

# the bridge: sh, logger, and a client that writes the frame (here printf's 64 bytes)
cat >"$dir/bridge" <<-END
	#!/bin/sh
	set -eu
	logger --socket-errors=off -t adu-trigger-reprocess "Requesting deployment re-evaluation (reason: \${1:-unspecified})"
	"$dir/client" --command retry-update
END
cat >"$dir/client.c" <<-END
	#include <fcntl.h>
	#include <unistd.h>
	int main(void)
	{
		char frame[64] = "retry-update";
		int fd = open("$dir/pipe", O_WRONLY);

		return fd < 0 || write(fd, frame, sizeof frame) != sizeof frame;
	}
END
"$CC" -O2 -o "$dir/client" "$dir/client.c" || exit
chmod +x "$dir/bridge"

# a reader that is always there, as our agent's
mkfifo "$dir/pipe"
cat <>"$dir/pipe" >/dev/null &
reader=$!

row() { printf '%s\t%s\t%s\t%s\n' "$@"; }

# The mean seconds of each command, side by side.
hyperfine -N --warmup 50 --runs 1000 --export-json "$dir/times" --style none \
	"$dir/null" 'rejoin-retry -A t' "$dir/bridge test" >/dev/null 2>&1 || exit
read -r null ours bridge < <(jq -r '[.results[].median | tostring] | join(" ")' "$dir/times")
row 'rejoin-retry, mark to frame drained' 'int main(void){return 0;}' \
	"$(awk -v a="$ours" -v b="$null" 'BEGIN { printf "%.2f x (%.2f ms)", a / b, a * 1000 }')" '<= 1.4 x'
row 'the shell bridge: sh, logger, client' 'rejoin-retry' \
	"$(awk -v a="$bridge" -v b="$ours" 'BEGIN { printf "%.2f x (%.2f ms)", a / b, a * 1000 }')" '>= 3 x'

# The time of user and system of many marks, each a process.
TIMEFORMAT='%U %S'
n=10000
{ time seq $n | xargs -P 2 -n 1 rejoin-retry -A t --queue --reason >/dev/null; } 2>"$dir/cpu"
kill "$reader"
wait "$reader" 2>/dev/null
rm "$dir/pipe"
adu-reader "$dir/pipe" "$dir/counts" &
reader=$!
until [ -p "$dir/pipe" ] && [ -e "$dir/counts" ]; do sleep 0.01; done
rejoin-retry -A t --drain || exit
read -r frames _ <"$dir/counts"
row "$n rejoin-retry --queue, user + sys each" '-' \
	"$(awk -v n=$n '{ printf "%.2f ms", ($1 + $2) * 1000 / n }' "$dir/cpu"), $frames frame" '<= 1 ms, 1 frame'

# One after the other to a reader that closes and reopens as the Azure agent's.
n=2000
begin=${EPOCHREALTIME/./}
for ((i = 0; i < n; i++)); do rejoin-retry -A t || exit; done
took=$((${EPOCHREALTIME/./} - begin))
read -r all short unknown <"$dir/counts"
row "$n rejoin-retry in a row, a reader that reopens" '-' \
	"$((all - frames)) frames, $((short + unknown)) broken, $((took / n)) us each" "$n frames"
