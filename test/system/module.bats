# Module instances of the agent: services of their own, outside of its unit.
load helper

setup_file() {
	boot || return
	on_device 'make_device
		sed -i "s/^\[agent\]/&\nallow-modules = yes/" /etc/rejoin/agent.conf
		printf "[module-impl.spawn]\nuser = nobody\n" >>/etc/rejoin/agent.conf
		printf "#!/bin/sh\necho start >>log\ntrap \"echo stop >>log; exit 0\" TERM\ncat /proc/self/cgroup >cgroup\nwhile :; do sleep 0.1; done\n" >/srv/module
		printf "{\"deploymentId\":\"d-1\",\"instanceSpecs\":{\"a\":{\"moduleId\":\"M\"}},\"modules\":{\"M\":{\"downloadUrl\":\"file:/srv/module\",\"hash\":\"%s\"}}}" \
			"$(sha256sum /srv/module | cut -d" " -f1)" >/etc/rejoin/goal.json'
	up enable --now rejoin-agent.service
}

home() { echo "$MACHINE_ROOT/var/lib/rejoin/agent/instances/a/home"; }
log_of() { paste -sd' ' "$(home)/log" 2>/dev/null; }
pid_of() { jq .pid "$MACHINE_ROOT/var/lib/rejoin/agent/instances/a/run/started"; }

@test "an instance is a service of its own, as its user" {
	wait_for '[ "$(log_of)" = start ]' 20
	wait_for 'grep -q "/rejoin-instances.slice/rejoin-instance-a-[0-9]*\.service" "$(home)/cgroup"'
	[ "$(stat -c %U "$(home)/log")" = nobody ]
}

@test "it outlives an agent that is killed, and is adopted" {
	local was
	was=$(pid_of)
	up kill -s KILL rejoin-agent.service
	wait_for 'journal rejoin-agent.service | grep -q "instance a: goes on"' 30
	[ "$(pid_of)" = "$was" ]
	[ "$(log_of)" = start ]
}

@test "stopping the agent stops it in order, and a start starts it again" {
	up stop rejoin-agent.service
	[ "$(log_of)" = 'start stop' ]
	wait_for '[ -z "$(in_machine systemctl list-units --plain --no-legend "rejoin-instance-*")" ]' 20
	up start rejoin-agent.service
	wait_for '[ "$(log_of)" = "start stop start" ]' 20
}

@test "stopping the slice ends it; the agent does not start it again" {
	up stop rejoin-instances.slice
	wait_for '[ "$(in_machine rejoin-status --json | jq -r ".instances[0].status")" = self-exiting ]' 20
	[ "$(log_of)" = 'start stop start stop' ]
}

@test "the state of a link is seen from outside of its unit's sandbox" {
	on_device 'mkdir -p /etc/rejoin/agents.d
		printf "%s\n" "[agent]" "description = link" "[hub]" "dialect = rejoin" "broker = mqtt://127.0.0.1:1" "client-id = d1" \
		>/etc/rejoin/agents.d/link.conf'
	# it is ready with a broker alone, and there is none
	up start --no-block rejoin-hub@link.service
	wait_for 'in_machine rejoin-hub -A link status | grep -qE "backoff|connecting|resolving"' 20
	up stop rejoin-hub@link.service
	run in_machine rejoin-hub -A link status
	status_is 5
}
