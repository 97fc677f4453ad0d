# rejoin-retry and rejoin-status with our own agent: what it counts is what
# they follow.
load helper
load goal

setup() {
	begin
	mkdir -p dev/cam up
	echo '{"version":"1.0"}' >dev/cam/fw.json
	printf '{"components":[{"id":"cam","group":"g","properties":{"path":"%s","firmwareDataFile":"fw.json"}},
		{"id":"rear","group":"g","name":"rear camera","properties":{"path":"%s","firmwareDataFile":"fw.json"}}]}' \
		"$PWD/dev/cam" "$PWD/dev/rear" >"$REJOIN_CONFIG_DIR/inventory.json"
	cat >"$REJOIN_CONFIG_DIR/agent.conf" <<-EOF
	[agent]
	goal = file:$PWD/goal.json
	allow-unsigned = yes
	handler-user = $(id -un)
	EOF
	cat >up/install.sh <<-'EOF'
	#!/bin/sh
	while [ $# -gt 0 ]; do
		case $1 in
		--action-*) action=${1#--action-} ;;
		--path) path=$2; shift ;;
		--result-file) result=$2; shift ;;
		esac
		shift
	done
	say() { printf '{"resultCode":%d,"extendedResultCode":0,"resultDetails":""}' "$1" >"$result"; exit 0; }
	case $action in
	is-installed) grep -q 2.0 "$path/fw.json" && say 900; say 901 ;;
	download) say 500 ;;
	install) while [ -e "$path/slow" ]; do sleep .05; done
		[ -e "$path/broken" ] && say 0
		echo '{"version":"2.0"}' >"$path/fw.json"; say 600 ;;
	apply) say 700 ;;
	esac
	EOF
}

deploy() {
	local step='{"handler":"microsoft/script:1","files":["f-install.sh"],"handlerProperties":{'
	step+='"scriptFileName":"install.sh","installedCriteria":"2.0","arguments":"--path --component-prop-val path"}}'
	goal_forget
	goal_file up/install.sh
	goal_manifest child '{"group":"g"}' "$step" >up/child.json
	goal_file up/child.json
	goal_manifest device '{"model":"test"}' \
		'{"type":"reference","detachedManifestFileId":"f-child.json"}' >up/manifest.json
	goal "$1" up/manifest.json >goal.new
	mv goal.new goal.json
}

retry() { run --separate-stderr rejoin-retry "$@"; }
view() { run --separate-stderr rejoin-status --json "$@"; }
member() { [ "$(jq -r "$1" <<<"$output")" = "$2" ] || { echo "$1 is not $2: $output"; return 1; }; }

@test "without a goal a retry is nothing, and nothing fails" {
	retry --wait --timeout 300ms
	status_is 5
	start agent rejoin-agent
	view --until ready --timeout 20s
	status_is 0
	member .state idle
	retry --wait
	status_is 0
}

@test "a component that came back is updated by a retry, and its result is followed" {
	deploy w1
	start agent rejoin-agent
	view --until settled --timeout 20s
	status_is 0
	member '[.state,.workflow,.waiting[0].id,.waiting[0].name,.results[0].component]|join(" ")' \
		'idle w1 rear rear camera cam'
	member .unsigned true
	mkdir dev/rear
	echo '{"version":"1.0"}' >dev/rear/fw.json
	retry --wait
	status_is 0
	grep -q 2.0 dev/rear/fw.json
	view
	status_is 0
	member '.waiting|length' 0
	member '[.results[].component]|sort|join(" ")' 'cam rear'
	retry --wait
	status_is 0
	# five at once are five frames at most, and each sees the end of one
	seq 5 | xargs -P 5 -I '{}' rejoin-retry --wait
}

@test "a failed update is what --wait and status say" {
	deploy w1
	touch dev/cam/broken
	start agent rejoin-agent
	view --until settled --timeout 20s
	status_is 1
	member .state failed
	retry --wait
	status_is 1
	err_has 'the deployment w1 failed'
	rm dev/cam/broken
	# its next attempt is not due yet; --again begins anew
	retry --wait
	status_is 1
	err_has 'held, attempt 2 of 3'
	retry --again --wait
	status_is 0
	view
	status_is 0
}

@test "a retry during a cycle is answered by the cycle after it" {
	deploy w1
	touch dev/cam/slow
	start agent rejoin-agent
	view --until busy --timeout 20s
	status_is 0
	view
	status_is 6
	retry --wait --timeout 100ms
	status_is 4
	rm dev/cam/slow
	retry --wait
	status_is 0
	view
	status_is 0
	member .pending false
}

@test "an agent that is killed while it is asked answers when it is back" {
	echo 'backoff = 0s' >>"$REJOIN_CONFIG_DIR/agent.conf"
	deploy w1
	touch dev/cam/slow
	start agent rejoin-agent
	view --until busy --timeout 20s
	rejoin-retry --wait --timeout 30s &
	local pid=$!
	wait_for '[ "$(sed -n "s/^retries=//p" "$REJOIN_RUNTIME_DIR/agent/status")" = 1 ]'
	kill -KILL "$agent_pid"
	wait_for '! alive "$agent_pid"'
	view
	status_is 5
	rm dev/cam/slow
	start agent rejoin-agent
	wait $pid
	view
	status_is 0
}

@test "no request is lost to a reader that is killed, or that ends between frames and is away" {
	needs inotifywait
	local sizes='400 6'
	[ -z "${SOAK-}" ] || sizes='100000 200'
	# shellcheck disable=SC2086	# they are two words
	"$TOP/test/retry-kill.sh" $sizes KILL reader
	# shellcheck disable=SC2086
	"$TOP/test/retry-kill.sh" $sizes TERM reader
}

@test "no request is lost by a delivering process that is killed" {
	needs inotifywait
	local sizes='200 10'
	[ -z "${SOAK-}" ] || sizes='100000 200'
	# shellcheck disable=SC2086
	"$TOP/test/retry-kill.sh" $sizes KILL retry
}
