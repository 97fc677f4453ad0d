# Updates of the agent itself: what installs goes on outside of its unit.
load helper

setup_file() {
	boot || return
	on_device 'make_device
		sed -i "s/^script-timeout.*/script-timeout = 60s/" /etc/rejoin/agent.conf
		sed -i "s#^install)#install) echo begun >>/srv/log; . /srv/hook; echo ended >>/srv/log;#" /srv/up/install.sh
		host_goal() {
			goal_forget; goal_file /srv/up/install.sh
			goal_manifest hosts "{\"group\":\"hosts\"}" "{\"handler\":\"microsoft/script:1\",\"files\":[\"f-install.sh\"],\"handlerProperties\":{\"scriptFileName\":\"install.sh\",\"installedCriteria\":\"$2\",\"arguments\":\"--path --component-prop-val path\"}}" >"/srv/up/hosts-$2.json"
			goal_file "/srv/up/hosts-$2.json"
			goal_manifest device "{\"model\":\"test\"}" "{\"type\":\"reference\",\"detachedManifestFileId\":\"f-hosts-$2.json\"}" >/srv/up/manifest.json
			goal "$1" /srv/up/manifest.json >/etc/rejoin/goal.json.new
			mv /etc/rejoin/goal.json.new /etc/rejoin/goal.json
		}
		declare -f host_goal >>/test/device.bash
		: >/srv/hook'
	up enable --now rejoin-agent.service
}

host() { jq -r .version "$MACHINE_ROOT/srv/device/host/fw.json"; }
hook() { cat >"$MACHINE_ROOT/srv/hook"; : >"$MACHINE_ROOT/srv/log"; }
# is_updated VERSION - once, and the agent runs
is_updated() {
	wait_for "[ \"\$(host)\" = $1 ]" 40
	wait_for '[ "$(status_of state)" = idle ]' 20
	[ "$(paste -sd' ' "$MACHINE_ROOT/srv/log")" = 'begun ended' ]
	run up is-active rejoin-agent.service
	out_is active
	wait_for '[ -z "$(in_machine systemctl list-units --plain --no-legend "rejoin-handler-*")" ]' 20
}

@test "an update that restarts the agent's unit ends well, once" {
	hook <<<'systemctl restart rejoin-agent.service'
	on_device 'host_goal self-1 2.0'
	is_updated 2.0
	journal rejoin-agent.service | grep -q 'install goes on, as an earlier agent began it'
}

@test "a package whose postinst restarts the agent is installed by dpkg -i, once" {
	on_device 'mkdir -p /srv/pkg/DEBIAN /srv/pkg/srv/from
		printf "Package: rejoin-try\nVersion: 3.0\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: try\n" >/srv/pkg/DEBIAN/control
		printf "#!/bin/sh\nset -e\nsystemctl daemon-reload\nsystemctl restart rejoin-agent.service\nsleep 1\n" >/srv/pkg/DEBIAN/postinst
		chmod 755 /srv/pkg/DEBIAN/postinst
		echo 3.0 >/srv/pkg/srv/from/package
		dpkg-deb --root-owner-group -b /srv/pkg /srv/try.deb >/dev/null'
	hook <<<'dpkg -i /srv/try.deb >/dev/null 2>&1 || say 0'
	on_device 'host_goal self-2 3.0'
	is_updated 3.0
	[ "$(in_machine dpkg-query -W -f '${Status}' rejoin-try)" = 'install ok installed' ]
	[ -s "$MACHINE_ROOT/srv/from/package" ]
}

@test "an update that stops the agent, works, and starts it again, ends well" {
	hook <<<'systemctl stop rejoin-agent.service; sleep 2; systemctl start rejoin-agent.service'
	on_device 'host_goal self-3 4.0'
	is_updated 4.0
}

@test "an agent that crashes during an update adopts it; stopping the slice ends it" {
	hook <<<'systemctl kill -s KILL rejoin-agent.service; until [ -e /srv/go ]; do sleep 0.1; done'
	on_device 'host_goal self-4 5.0'
	wait_for '[ "$(up show -P NRestarts rejoin-agent.service)" -ge 1 ]' 20
	wait_for '[ "$(status_of state) $(status_of phase)" = "busy install" ]' 20
	touch "$MACHINE_ROOT/srv/go"
	is_updated 5.0
	rm "$MACHINE_ROOT/srv/go"
	hook <<<'until [ -e /srv/go ]; do sleep 0.1; done'
	on_device 'host_goal self-5 6.0'
	wait_for '[ "$(status_of phase)" = install ]' 20
	up stop rejoin-handlers.slice
	wait_for '[ "$(status_of state)" = failed ]' 20
	[ "$(host)" = 5.0 ]
}

@test "the agent's unit is exposed less than 5" {
	run in_machine systemd-analyze security --no-pager rejoin-agent.service
	exposure=$(sed -n 's/.*exposure level for rejoin-agent.service: \([0-9.]*\).*/\1/p' <<<"$output")
	[ -n "$exposure" ]
	[ "$(echo "$exposure < 5" | bc)" = 1 ] 2>/dev/null || [ "${exposure%%.*}" -lt 5 ]
}
