# shellcheck disable=SC2154	# run sets status and stderr; start sets *_pid
# The state directories that an earlier version has left are read by this one, and go on.
#
# They are in test/data/state, as that version wrote them.  To write them anew, with the tools of
# another tree:
#
#	RECORD=1 B=/TREE/build bats test/state.bats
load helper
load goal
load hub
load task

# earlier NAME DIR FUNCTION - DIR is what FUNCTION made of it with the earlier version
earlier() {
	local kept=$TOP/test/data/state/$1 boot f
	if [ -n "${RECORD-}" ]; then
		"$3"
		rm -rf "$kept"
		mkdir -p "$kept"
		(cd "$2" && find . -type f ! -name '*lock' ! -name .status -exec cp --parents {} "$kept" \;)
		# of no boot that there is, so that its processes are none of this machine
		boot=$(cat /proc/sys/kernel/random/boot_id)
		find "$kept" -type f -exec sed -i "s|$PWD|@PWD@|g; s|$boot|00000000-0000-4000-8000-000000000000|g; s|${boot%%-*}-|00000000-|g" {} +
		return
	fi
	mkdir -p "$2"
	chmod 700 "$2"
	cp -r "$kept/." "$2"
	grep -rlF @PWD@ "$2" | while read -r f; do sed -i "s|@PWD@|$PWD|g" "$f"; done
}

# A device whose left motor takes version 2.0, and whose right motor fails to.
device() {
	mkdir -p dev/left dev/right up
	echo '{"version":"1.0"}' | tee dev/left/fw.json >dev/right/fw.json
	printf '{"components":[%s,%s]}' "$(motor left)" "$(motor right)" >"$REJOIN_CONFIG_DIR/inventory.json"
	printf '%s\n' '[agent]' "goal = file:$PWD/goal.json" 'allow-unsigned = yes' "handler-user = $(id -un)" \
		'max-attempts = 1' >"$REJOIN_CONFIG_DIR/agent.conf"
	cat >up/install.sh <<-EOF
	#!/bin/sh
	while [ \$# -gt 0 ]; do
		case \$1 in
		--action-*) action=\${1#--action-} ;;
		--path) path=\$2; shift ;;
		--result-file) result=\$2; shift ;;
		esac
		shift
	done
	say() { printf '{"resultCode":%d,"extendedResultCode":0,"resultDetails":"%s"}' \$1 "\$2" >"\$result"; exit 0; }
	echo "\$action \${path##*/}" >>$PWD/calls
	case \$action in
	is-installed) grep -q 2.0 "\$path/fw.json" && say 900; say 901 ;;
	download) say 500 ;;
	install) case \$path in */right) say 0 'no power' ;; esac; echo '{"version":"2.0"}' >"\$path/fw.json"; say 600 ;;
	apply) say 700 ;;
	esac
	EOF
	goal_file up/install.sh
	goal_manifest motors '{"group":"motors"}' '{"handler":"microsoft/script:1","files":["f-install.sh"],"handlerProperties":{"scriptFileName":"install.sh","installedCriteria":"2.0","arguments":"--path --component-prop-val path"}}' >up/motors.json
	goal_forget
	goal_file up/install.sh
	goal_file up/motors.json
	goal_manifest device '{"manufacturer":"a","model":"b"}' '{"type":"reference","detachedManifestFileId":"f-motors.json"}' >manifest.json
	goal w1 manifest.json >goal.json
}
motor() {
	printf '{"id":"%s","group":"motors","properties":{"path":"%s/dev/%s","firmwareDataFile":"fw.json"}}' "$1" "$PWD" "$1"
}
deployed() { run -1 rejoin-agent -q --once; }

@test "rejoin-agent: what was installed stays, and what failed for good is not tried again" {
	device
	earlier agent "$REJOIN_STATE_DIR/agent" deployed
	echo '{"version":"2.0"}' >dev/left/fw.json
	local before
	before=$(cat "$REJOIN_STATE_DIR/agent/journal.jsonl")
	[ "$(jq -r .component <<<"$before" | sort -u | xargs)" = 'left right' ]
	rm -f calls
	run -1 --separate-stderr rejoin-agent --once
	[ "$(grep -c install calls)" -ge 1 ]
	run grep -E '^(download|install|apply) ' calls
	status_is 1
	# the results are those of the earlier version, with their ids
	[ "$(head -n "$(wc -l <<<"$before")" "$REJOIN_STATE_DIR/agent/journal.jsonl")" = "$before" ]
	jq -se '[.[].id] == ([.[].id] | unique)' "$REJOIN_STATE_DIR/agent/journal.jsonl"
	jq -r '.rejoin.results[] | select(.component == "right") | .details' "$REJOIN_STATE_DIR/agent/twins/current.json" |
		grep -q '^not installed after 1 attempt'
	# a new goal counts anew
	goal w2 manifest.json >goal.json
	run -1 rejoin-agent -q --once
	[ "$(grep '^install ' calls)" = 'install right' ]
}

restarted() { run -0 rejoin-restart -q -A t --reason earlier; }

@test "rejoin-restart: the history goes on with higher ids" {
	printf '%s\n' '[restart]' 'method = exec' "argv = sh -c 'kill \$(cat $PWD/pid); sleep 1000 & echo \$! >$PWD/pid'" \
		"pid-file = $PWD/pid" 'ready = none' 'stable = 10ms' >"$REJOIN_CONFIG_DIR/agents.d/t.conf"
	sleep 1000 3>&- 4>&- &
	PIDS+=($!)
	echo $! >pid
	earlier restart "$REJOIN_STATE_DIR/restart" restarted
	local history=$REJOIN_STATE_DIR/restart/t.jsonl before
	before=$(wc -l <"$history")
	[ "$(rejoin-status -A t --json | jq -r '.restarts[].reason')" = earlier ]
	run rejoin-restart -q -A t --reason later
	PIDS+=("$(cat pid)")
	[ "$(rejoin-status -A t --json | jq -r '.restarts[].reason' | sort | xargs)" = 'earlier later' ]
	[ "$(wc -l <"$history")" -gt "$before" ]
	jq -se '[.[].id] == ([.[].id] | sort | unique)' "$history"
}

watched() { mkdir -p state && run -1 rejoin-watch -1 --state state/watch.json inventory.json; }

@test "rejoin-watch: only what has changed since is reported" {
	echo '{"components":[{"id":"a"},{"id":"b","version":"1"},{"id":"c"}]}' >inventory.json
	earlier watch state watched
	echo '{"components":[{"id":"a"},{"id":"b","version":"2"},{"id":"d"}]}' >inventory.json
	run -0 --separate-stderr rejoin-watch -1 -a --json --state state/watch.json inventory.json
	[ "$(jq -r '"\(.id) \(.event)"' <<<"$output" | sort | xargs)" = 'b changed c departed d arrived' ] ||
		{ echo "$output"; false; }
}

logged() { run -0 rejoin-log --save-state state/log.json a.log b.log; }

@test "rejoin-log: each record once, over the change of the version" {
	mkdir -p state
	printf '%s\n' '2026-11-21T10:00:00Z a1' '2026-11-21T10:00:02Z a2' >a.log
	echo '2026-11-21T10:00:01Z b1' >b.log
	earlier log state logged
	echo '2026-11-21T10:00:03Z a3' >>a.log
	echo '2026-11-21T10:00:04Z b2' >>b.log
	run -0 --separate-stderr rejoin-log --save-state state/log.json a.log b.log
	out_is $'2026-11-21T10:00:03Z a3\n2026-11-21T10:00:04Z b2'
	run -0 --separate-stderr rejoin-log --save-state state/log.json a.log b.log
	out_is ''
}

ran() {
	local id
	taskd
	run rejoin-task run -- sh -c 'echo released; exit 3'
	id=$(rejoin-task run --detach -- sh -c 'echo kept; echo why >&2; exit 7')
	wait_for "[ \"\$(rejoin-task list --json | jq -r .state)\" = ended ]"
	id=$(rejoin-task run --detach -- sleep 1000)
	wait_for '[ "$(states | sort | xargs)" = "ended running" ]'
	kill_taskd
	jq '.shim, .pid' "$REJOIN_STATE_DIR/tasks/$id/started" | xargs kill -KILL
}

@test "rejoin-taskd: an ended task has its status and output, one without a shim is lost" {
	earlier taskd "$REJOIN_STATE_DIR" ran
	taskd
	wait_for '! states | grep -q running'
	[ "$(states | sort | xargs)" = 'ended unknown' ] || { states; false; }
	local id
	id=$(rejoin-task list --json | jq -r 'select(.state == "ended") | .id')
	run -0 --separate-stderr rejoin-task log "$id"
	out_is kept
	[ "$stderr" = why ]
	[ "$(rejoin-task list --json | jq -r 'select(.state == "ended") | .status.exit')" = 7 ]
	run -0 rejoin-task release --all
	[ -z "$(states)" ]
}

queued() {
	broker
	link
	kill_hard "$broker_pid"
	for n in 1 2 3; do rejoin-hub send telemetry tel/kept <<<"{\"n\":$n}"; done
	rejoin-hub send report r <<<'{"r":1}'
	wait_for '[ "$(rejoin-hub status --json | jq .bulk.records)" = 3 ]' 5 || { rejoin-hub status --json; false; }
	end_pids "$hub_pid"
}

@test "rejoin-hub: what waited for the broker is delivered, in its order" {
	free_port
	profile rejoin
	earlier hub "$HUB" queued
	broker
	collector
	link
	wait_for '[ "$(wc -l <kept)" -ge 4 ]' || { cat hub.err; false; }
	[ "$(cut -d" " -f2- kept | jq -c 'select(.kind == "telemetry") | .value.n' | xargs)" = '1 2 3' ]
}
