#!/usr/bin/env bats
# Many devices asked over a real broker.
load helper
load hub

# controller - the profile fleet, of a program that may speak to all devices
controller() {
	printf '%s\n' '[agent]' 'description = controller' '[hub]' 'dialect = rejoin' "broker = mqtt://127.0.0.1:$PORT" \
		'client-id = controller' >"$REJOIN_CONFIG_DIR/agents.d/fleet.conf"
}

fleet() { rejoin-fleet --via mqtt:fleet "$@" <devices; }

totals() { jq -r 'select(.outcome) | .outcome' "${1-out}" | sort | uniq -c | awk '{ printf "%s%s %s", (NR > 1 ? " " : ""), $2, $1 }'; }

# simulated FIRST COUNT [BAD] - devices on connections of their own, and the file devices
simulated() {
	start "sim$1" fleet-devices "$PORT" "$1" "$2" "$PWD/carried" "${3-0}"
	wait_for "grep -q connected sim$1.out" 60
	seq -f 'd%g' "$1" $(($1 + $2 - 1)) >>devices
}

@test "wrong profiles and actions" {
	PORT=1 controller
	echo d1 >devices
	for args in '--via mqtt: retry' '--via mqtt:absent retry' '--via mqtt:fleet frob' '--via mqtt:fleet goal' '--via mqtt:fleet goal a b' \
		'--via mqtt:fleet goal absent' '--via mqtt:rejoin retry'; do
		# shellcheck disable=SC2086
		run --separate-stderr rejoin-fleet $args <devices
		status_is 2 || { echo "$args"; false; }
	done
	echo '{"a":1}' >goal.json
	run --separate-stderr fleet goal goal.json
	status_is 2
	err_has 'neither a workflow'
	run --separate-stderr rejoin-fleet --via mqtt:fleet retry <<<'a+b'
	status_is 2
	sed -i 's/^dialect.*/dialect = thingsboard/' "$REJOIN_CONFIG_DIR/agents.d/fleet.conf"
	run --separate-stderr fleet retry
	status_is 2
	err_has 'cannot address other devices'
}

@test "devices with rejoin-hub carry out what they allow, each request once" {
	broker
	controller
	profile rejoin 'allow = status'
	collector
	link
	{ echo d1; echo gone; echo off; } >devices
	pub rejoin/1/off/online '{"online":false}' -r
	sub res rejoin/1/d1/res
	run --separate-stderr fleet --waves 100% --timeout 3s status
	printf '%s\n' "$output" >out
	# the outcome is that of rejoin-status there, which knows no way to ask the agent
	run -0 jq -c 'select(.device == "d1") | [.outcome, .response.agent]' out
	out_is '["failed","dev"]'
	run -0 jq -r 'select(.device != "d1") | "\(.device) \(.outcome)"' out
	[[ $output == *'gone absent'* && $output == *'off absent'* ]]
	# half-way to the deadline nothing was carried out again
	run -0 grep -c '"value"' "$HUB/handled.jsonl"
	out_is 1
	echo d1 >devices
	run --separate-stderr fleet restart
	status_is 1
	run -0 jq -r '[.outcome, .details] | @tsv' <<<"$output"
	out_is "denied	not in 'allow' of [hub]"
}

@test "a goal reaches each device, and is settled when the device reports it" {
	broker
	controller
	printf 'd1\nd2\nd3\n' >devices
	sub goals rejoin/1/+/goal
	echo '{"workflow":{"action":3,"id":"w7"},"updateManifest":"x"}' >goal.json
	start fleet bash -c 'exec rejoin-fleet --via mqtt:fleet --waves 100% --max-failed 100% goal goal.json <devices'
	wait_for '[ "$(grep -c w7 goals.out)" -eq 3 ]'
	report() { pub "rejoin/1/$1/report" "{\"id\":1,\"prev\":0,\"kind\":\"report\",\"key\":\"\",\"value\":{\"deviceUpdate\":{\"agent\":{\"state\":$3,\"workflow\":{\"id\":\"$2\"}}}}}"; }
	report d1 w6 0
	report d1 w7 6
	report d2 w7 255
	wait_for 'grep -q failed fleet.out'
	[ "$(wc -l <fleet.out)" -eq 1 ]
	report d1 w7 0
	report d3 w7 0
	wait_for '! alive "$fleet_pid"'
	run wait "$fleet_pid"
	status_is 1
	run -0 totals fleet.out
	out_is 'failed 1 settled 2'
	# a deployment of modules
	echo '{"deploymentId":"m1","instanceSpecs":{},"modules":{}}' >goal.json
	echo d1 >devices
	start fleet bash -c 'exec rejoin-fleet --via mqtt:fleet goal goal.json <devices'
	wait_for 'grep -q m1 goals.out'
	pub rejoin/1/d1/report '{"kind":"report","key":"deploymentStatus","value":{"deploymentId":"m1","reconcileStatus":"applying"}}'
	pub rejoin/1/d1/report '{"kind":"report","key":"deploymentStatus","value":{"deploymentId":"m1","reconcileStatus":"ok"}}'
	wait_for '! alive "$fleet_pid"'
	wait "$fleet_pid"
}

@test "broker and controller killed: each device carries it out once, and each outcome is there" {
	n=200 kills=6
	[ -z "${SOAK-}" ] || n=2000 kills=40
	broker
	# for thousands of devices a store that is written for each change is too slow: it is lost with the broker then
	[ -z "${SOAK-}" ] || { kill_hard "$broker_pid"; sed -i '/^persistence/d; /^autosave/d' broker.conf; broker_up; }
	controller
	simulated 1 "$n" 50
	command='exec rejoin-fleet --via mqtt:fleet --journal roll --per-minute 6000 --max-failed 100% retry <devices >>out'
	[ -z "${SOAK-}" ] || command=${command/6000/30000}
	for ((i = 1; i <= kills; i++)); do
		start fleet bash -c "$command"
		wait_for "[ \$(grep -c outcome roll || :) -ge $((i * n / (kills + 3))) ] || ! alive $fleet_pid" 90
		[ $((i % 3)) -ne 0 ] || kill_hard "$broker_pid"
		kill -KILL "$fleet_pid" 2>/dev/null || :
		wait "$fleet_pid" 2>/dev/null || :
		[ $((i % 3)) -ne 0 ] || broker_up
	done
	# once more, with the broker lost while it waits
	start fleet bash -c "$command"
	wait_for "[ \$(grep -c outcome roll) -ge $((n * 9 / 10)) ] || ! alive $fleet_pid" 90
	kill_hard "$broker_pid"
	broker_up
	# half-way to the deadline what is still missing is asked for once more
	wait_for "! alive $fleet_pid" 420 || { tail fleet.err; tail -3 roll; false; }
	run wait "$fleet_pid"
	status_is 1
	run -0 bash -c "cut -d' ' -f1 carried | sort | diff - <(sort devices)"
	run -0 bash -c "jq -r 'select(.outcome) | .device' roll | sort | diff - <(sort devices)"
	run -0 totals roll
	out_is "failed $((n / 50)) settled $((n - n / 50))"
}

@test "many connections on one broker: each device once, outcomes complete" {
	n=1000
	[ -z "${SOAK-}" ] || n=10000
	# without a store: that of the other tests is written anew for each message
	free_port
	printf 'listener %s 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n' "$PORT" >broker.conf
	[ "$(id -u)" -ne 0 ] || echo user root >>broker.conf
	broker_up
	controller
	simulated 1 $((n / 2))
	simulated $((n / 2 + 1)) $((n / 2))
	[ "$(wc -l <devices)" -eq "$n" ]
	began=${EPOCHREALTIME/./}
	run --separate-stderr fleet -j 20000 --journal roll retry
	took=$(((${EPOCHREALTIME/./} - began) / 1000))
	status_is 0
	printf '%s\n' "$output" >out
	run -0 totals
	out_is "settled $n"
	run -0 bash -c 'cut -d" " -f1 carried | sort | uniq -d; wc -l <carried'
	out_is "$n"
	echo "# $n devices in waves of 1%, 10%, 100%: $took ms, broker $(awk '/VmRSS/ { print $2 }' "/proc/$broker_pid/status") KB, $(awk '{ print ($14 + $15) * 10 }' "/proc/$broker_pid/stat") ms CPU" >&3
}
