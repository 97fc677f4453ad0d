# shellcheck shell=bash
# The tools in a pipe, as an operator types them.
load helper
load goal

plug() {
	mkdir -p "usb/$1"
	printf '{"version":"%s"}\n' "$2" >"usb/$1/new"
	mv "usb/$1/new" "usb/$1/firmware.json"
}

frames() { cut -d' ' -f1 counts 2>/dev/null || echo 0; }

# A vacuum with three cameras, and an agent's command pipe that is read as the real one's is.
setup() {
	begin
	mkdir -p usb "$REJOIN_RUNTIME_DIR/agent"
	printf '%s\n' camera-1 camera-2 camera-3 | jq -Rn --arg d "$PWD/usb/" '{components: [inputs |
		{id: ., group: "cameras", properties: {path: ($d + .), firmwareDataFile: "firmware.json"}}]}' \
		>"$REJOIN_CONFIG_DIR/inventory.json"
}

agent_reads() {
	mkfifo -m 660 "$REJOIN_RUNTIME_DIR/agent/commands.fifo"
	start reader adu-reader "$REJOIN_RUNTIME_DIR/agent/commands.fifo" counts
}

@test "an arrival that is up to date causes no frame, the next one does" {
	needs inotifywait jq
	agent_reads
	echo '{"version":"2.0"}' >camera-2.0.json
	goal_file camera-2.0.json
	goal_manifest cameras '{"group":"cameras"}' '{"handler":"rejoin/copy:1","files":["f-camera-2.0.json"],'"\
"'"handlerProperties":{"installedCriteria":"2.0","arguments":"--file camera-2.0.json --to --component-prop-val path --as firmware.json"}}' >manifest
	goal w1 manifest >goal.json

	start pipe bash -c 'rejoin-watch -v | tee events | rejoin-installed -m goal.json --missing - |
		tee missing | rejoin-retry --stdin'
	wait_for 'grep -q monitoring pipe.err'
	# the others end when it does
	PIDS+=("$(pgrep -P "$pipe_pid" -x rejoin-watch)")
	plug camera-1 2.0
	wait_for 'grep -q camera-1 events'
	# the second comes behind the first in the pipe: what the first causes would be seen by then
	begin=${EPOCHREALTIME/./}
	plug camera-2 1.0
	wait_for '[ "$(frames)" -ge 1 ]'
	took=$((${EPOCHREALTIME/./} - begin))
	[ "$(jq -r .id events | paste -sd,)" = camera-1,camera-2 ]
	[ "$(jq -r .id missing)" = camera-2 ]
	[ "$(frames)" -eq 1 ]
	# the settle time is 250 ms; the rest is for a machine that is busy
	[ "$took" -ge 250000 ]
	[ "$took" -lt 6000000 ]
	plug camera-3 1.0
	wait_for '[ "$(frames)" -eq 2 ]'
}

@test "what arrives while the agent is down is asked for when it is there" {
	needs inotifywait jq
	start watch rejoin-watch -v --state state -- rejoin-retry --queue
	wait_for 'grep -q monitoring watch.err'
	plug camera-1 1.0
	wait_for '[ -e "$REJOIN_RUNTIME_DIR/retry/rejoin/pending" ]'
	run --separate-stderr rejoin-retry --drain
	status_is 5
	agent_reads
	rejoin-retry --drain
	wait_for '[ "$(frames)" -eq 1 ]'
	rejoin-retry --drain
	[ "$(frames)" -eq 1 ]
}

@test "rejoin/copy:1 restores also what no install has changed, and after one what was there" {
	mkdir to work
	echo payload >work/new
	action() {
		rm -f result
		"$TOP/packaging/handlers.d/rejoin_copy_1" "--action-$1" --file new --as fw --to "$PWD/to" \
			--work-folder "$PWD/work" --result-file "$PWD/result"
		[ "$(jq .resultCode result)" = "$2" ] || { cat result; return 1; }
	}
	action restore 1101
	action backup 1001
	echo old >to/fw
	# interrupted after the backup: its two names are of one file
	action backup 1000
	action restore 1100
	[ "$(cat to/fw)" = old ]
	action restore 1101
	action backup 1000
	action install 600
	[ "$(cat to/fw)" = payload ]
	action restore 1100
	[ "$(cat to/fw)" = old ]
	# the file is gone meanwhile
	action backup 1000
	rm to/fw
	action restore 1100
	[ "$(cat to/fw)" = old ]
	[ "$(ls -A to)" = fw ]
}
