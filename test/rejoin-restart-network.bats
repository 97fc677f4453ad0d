# rejoin-restart with the methods that ask over the network.
load helper
load http

teardown() {
	[ ! -s pid ] || kill -KILL "$(cat pid)" 2>/dev/null || :
	end
}

profile() { printf '%s\n' '[restart]' 'stable = 100ms' 'timeout = 20s' "$@" >"$REJOIN_CONFIG_DIR/agents.d/t.conf"; }

restart() { run --separate-stderr rejoin-restart -A t "$@"; }

# by_http LINE... - an agent that is restarted when the server is asked for /restart
by_http() {
	printf '#!/bin/sh\ncd %s || exit\necho $$ >pid.new; mv pid.new pid\nexec sleep 600\n' "$PWD" >run
	chmod +x run
	setsid ./run </dev/null >/dev/null 2>&1 3>&- 4>&- 9>&- &
	wait_for '[ -s pid ]'
	profile 'method = http' "url = $url/restart?key=hidden" "pid-file = $PWD/pid" "ca-file = $PWD/ca.pem" "$@"
}

# keep - restart it when that is asked for
keep() {
	start keep bash -c 'until grep -q "^POST /restart token" requests; do sleep 0.05; done
		kill -KILL "$(cat pid)"; setsid ./run 9>&- &'
}

# device WORDS... - impCentral's device, and its profile
device() {
	serve tls
	printf 'login-key\n' >key
	chmod 600 key
	printf '[account]\nurl = %s/v5\nlogin-key-file = %s/key\nca-file = %s/ca.pem\n' "$url" "$PWD" "$PWD" >account
	profile 'method = impcentral' 'device = 00000000000000d1' "account = $PWD/account"
	say "device 00000000000000d1 $*"
	say 'log 00000000000000d1 2026-01-01T00:00:30.000Z status Agent restarted: reload.'
	say 'log 00000000000000d1 2026-01-01T00:00:31.000Z server.log Agent restarted, says the device'
}

@test "http: what a request restarts is proved by its process" {
	serve tls
	printf 'token-1\n' >token
	chmod 600 token
	by_http "token-file = $PWD/token"
	keep
	restart
	status_is 0
	err_has 't: restarted: '
	[ "$(requests_of POST '/restart token')" = 1 ]
}

@test "http: a request that is refused, and one that does nothing" {
	serve tls
	by_http 'timeout = 1s'
	say 'fail 403 1'
	restart
	status_is 7
	err_has "$url/restart?...: HTTP 403: forbidden"
	restart
	status_is 1
	err_has 't: did not restart: it is still incarnation'
	run --separate-stderr rejoin-restart -A t --dry-run
	status_is 0
	out_has "url	$url/restart"
	[[ $output$stderr != *hidden* ]]
	[ "$(requests_of POST /restart)" = 2 ]
}

@test "impcentral: a device's restart is followed through its log" {
	device
	say 'restart-takes 300 2026-01-01T00:01:00.000Z'
	restart --reason 'it hangs'
	status_is 0
	err_has 't: restarted: log:2026-01-01T00:00:30.000Z -> log:2026-01-01T00:01:00.000Z'
	[ "$(requests_of POST /v5/auth/token)" = 1 ]
	[ "$(requests_of POST /v5/devices/00000000000000d1/restart)" = 1 ]
	[ "$(tail -1 "$REJOIN_STATE_DIR/restart/t.jsonl" | jq -r .outcome)" = restarted ]
	say 'restart-takes 0 2026-01-01T00:02:00.000Z'
	restart --conditional
	status_is 0
	[ "$(requests_of POST /v5/devices/00000000000000d1/conditional_restart)" = 1 ]
	run ! grep -rqE 'token-1|login-key' "$REJOIN_STATE_DIR"
}

@test "impcentral: accepted is not restarted" {
	device
	say 'restart-takes never'
	restart --timeout 2s
	status_is 1
	err_has 't: did not restart: it is still incarnation log:2026-01-01T00:00:30.000Z'
	say 'device 00000000000000d1 offline'
	restart --timeout 2s
	status_is 4
	err_has 't: did not come back: offline since 2026-01-01T00:00:00.000Z, will restart when it connects'
	# one that connects while we wait does so
	say 'restart-takes 0 2026-01-01T00:03:00.000Z'
	start restart rejoin-restart -A t --timeout 20s
	wait_for '[ "$(requests_of POST /v5/devices/00000000000000d1/restart)" = 3 ]'
	say 'device 00000000000000d1 online'
	wait_for '! alive $restart_pid' 20
	grep -q 't: restarted: .* -> log:2026-01-01T00:03:00.000Z' restart.err
	say 'device 00000000000000d1 offline'
	restart --conditional
	status_is 5
}

@test "impcentral: a log that scrolls, or fails for once, is no restart" {
	device
	say 'restart-takes never'
	start restart rejoin-restart -A t --timeout 3s
	wait_for '[ "$(requests_of POST /v5/devices/00000000000000d1/restart)" = 1 ]'
	say hide
	say 'log 00000000000000d1 2026-01-01T00:00:32.000Z server.log hello'
	wait_for '! alive $restart_pid' 20
	grep -q 't: did not restart: it is still incarnation log:2026-01-01T00:00:30.000Z' restart.err
	say 'log 00000000000000d1 2026-01-01T00:00:33.000Z status Agent restarted: reload.'
	start restart rejoin-restart -A t --timeout 3s
	wait_for '[ "$(requests_of POST /v5/devices/00000000000000d1/restart)" = 2 ]'
	say 'fail-logs 503'
	wait_for '! alive $restart_pid' 20
	run ! grep -q 'restarted:' restart.err
	restart --timeout 1s
	status_is 6
	err_has 'HTTP 503'
	say 'fail-logs 403'
	restart --timeout 2s
	status_is 1
	err_has 't: did not restart: it is still incarnation state:2026-01-01T00:00:00.000Z'
}

@test "impcentral: a device that cannot be restarted or is unknown, an account that may not" {
	device unassigned
	restart
	status_is 1
	err_has '00000000000000d1: not assigned to a device group, so it cannot be restarted'
	profile 'method = impcentral' 'device = 00000000000000d9' "account = $PWD/account"
	restart
	status_is 2
	err_has 'HTTP 404: not found: Not Found: no such device'
	echo other-key >key
	restart
	status_is 7
	err_has 'HTTP 401: not authorised: Unauthorized: no such login key'
	[[ $stderr != *other-key* ]]
	chmod 660 key
	restart
	status_is 7
	err_has "$PWD/key: mode 0660"
	profile 'method = impcentral'
	restart
	status_is 2
	err_has 'needs a device'
}

@test "impcentral: a token that has run out is exchanged once, and what comes too soon waits" {
	device
	say 'restart-takes 0 2026-01-01T00:04:00.000Z'
	say 'fail 429 1 X-RateLimit-Reset: 100000000'
	restart --timeout 3s
	status_is 6
	err_has 'HTTP 429: too many requests: Injected: as the test wants it'
	say 'fail 429 1 X-RateLimit-Reset: 1'
	restart
	status_is 0
	say 'restart-takes 1500 2026-01-01T00:05:00.000Z'
	start restart rejoin-restart -A t
	wait_for '[ "$(requests_of POST /v5/devices/00000000000000d1/restart)" = 2 ]'
	say expire
	wait_for '! alive $restart_pid' 20
	grep -q 'restarted: .* -> log:2026-01-01T00:05:00.000Z' restart.err
	[ "$(requests_of POST /v5/auth/token)" = 5 ]
}

@test "tokens are in no argument, no environment and no core file" {
	needs_root
	local pattern=/proc/sys/kernel/core_pattern was p
	device
	printf 'token-1\n' >token
	chmod 600 token
	say 'slow 20000'
	ulimit -c unlimited 2>/dev/null || cannot 'no core files here'
	[ -w $pattern ] || cannot 'core_pattern cannot be written'
	exec 8<$pattern
	flock 8		# it is the machine's
	read -r was <&8
	printf '%s' "$PWD/core.%p" >$pattern
	start restart rejoin-restart -A t
	start events "$B/libexec/rejoin/rejoin-log-http" --token-file token --ca-file ca.pem "$url/events"
	printf '[account]\nurl = %s/v5\nlogin-key-file = %s/key\nca-file = %s/ca.pem\n' "$url" "$PWD" "$PWD" \
		>"$REJOIN_CONFIG_DIR/impcentral.conf"
	start logs "$B/libexec/rejoin/rejoin-log-impcentral" 00000000000000d1
	printf 'url %s/again\ntoken-file %s/token\nca-file %s/ca.pem\ntimeout 20000\n\n' "$url" "$PWD" "$PWD" >text
	start request sh -c "exec '$B/libexec/rejoin/rejoin-retry-http' <text"
	# one that holds nothing leaves its core here, else this would show nothing
	start other sleep 60
	wait_for '[ "$(requests_of POST /v5/auth/token)" = 2 ] && [ "$(wc -l <requests)" = 4 ]' || :
	for p in "$restart_pid" "$events_pid" "$logs_pid" "$request_pid"; do
		cat "/proc/$p/cmdline" "/proc/$p/environ" >>seen
	done
	kill -ABRT "$restart_pid" "$events_pid" "$logs_pid" "$request_pid" "$other_pid"
	wait_for '! alive $restart_pid && ! alive $events_pid && ! alive $logs_pid && ! alive $request_pid &&
		! alive $other_pid' || :
	printf '%s' "$was" >$pattern
	exec 8<&-
	run ! grep -qE 'login-key|token-1' seen restart.out restart.err events.out events.err \
		logs.out logs.err request.out request.err
	[ "$(grep -c ' token' requests)" = 2 ]
	[ "$(ls core.* 2>/dev/null | wc -l)" -le 1 ]
	[ -e "core.$other_pid" ] || cannot 'the kernel leaves no core files here'
}
