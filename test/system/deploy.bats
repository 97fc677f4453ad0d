# What an update asks of the whole system: packages of apt, a reboot, a restart of the agent.
load helper

setup_file() {
	boot || return
	on_device 'make_device
		sed -i "s/^script-timeout.*/script-timeout = 120s/" /etc/rejoin/agent.conf
		printf "reboot = systemctl reboot\nreboot-timeout = 2m\n" >>/etc/rejoin/agent.conf
		sed -i "s#^install)#install) echo install >>/srv/log; . /srv/hook;#; s#^apply)#apply) echo apply >>/srv/log; . /srv/hook2;#" /srv/up/install.sh
		: >/srv/hook; : >/srv/hook2'
	up enable --now rejoin-agent.service
}

# host_goal ID VERSION - for the host's component
host_goal() {
	: >"$MACHINE_ROOT/srv/log"
	on_device "rejoin-goal make --id $1 --dir /srv/up --step microsoft/script:1 '{\"group\":\"hosts\"}' /srv/up/install.sh \
		--criteria $2 --arguments '--path --component-prop-val path' &&
		mv /srv/up/goal.json /etc/rejoin/goal.json"
}
hook() { cat >"$MACHINE_ROOT/srv/$1"; }
host() { jq -r .version "$MACHINE_ROOT/srv/device/host/fw.json"; }
twin() { jq -r "$1" "$MACHINE_ROOT/var/lib/rejoin/agent/twins/current.json"; }
at_goal() { # ID
	# in this order: a workflow is there once its cycle has begun, and idle is after that
	wait_for "[ \"\$(status_of workflow) \$(status_of state)\" = '$1 idle' ]" 60
}

@test "microsoft/apt:1 installs a package by apt, in a transient unit as its own user, and removes another" {
	on_device 'mkdir -p /srv/repo
		package() { # NAME VERSION
			rm -rf /srv/pkg
			mkdir -p /srv/pkg/DEBIAN /srv/pkg/srv/from
			printf "Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: try\n" $1 $2 >/srv/pkg/DEBIAN/control
			printf "#!/bin/sh\nid -un >/srv/proof\ncat /proc/self/cgroup >>/srv/proof\n" >/srv/pkg/DEBIAN/postinst
			chmod 755 /srv/pkg/DEBIAN/postinst
			echo $2 >/srv/pkg/srv/from/$1
			deb=/srv/repo/$1_$2.deb
			dpkg-deb --root-owner-group -b /srv/pkg $deb >/dev/null
			dpkg-deb -f $deb
			printf "Filename: ./%s\nSize: %s\nSHA256: %s\n\n" ${deb##*/} $(stat -c %s $deb) $(sha256sum <$deb | cut -c1-64)
		}
		{ package rejoin-thermo 1.0.1; package rejoin-thermo 2.0; package rejoin-old 1.0; } >/srv/repo/Packages
		echo "deb [trusted=yes] file:/srv/repo ./" >/etc/apt/sources.list
		dpkg -i /srv/repo/rejoin-old_1.0.deb >/dev/null 2>&1
		rm /srv/proof
		printf %s "{\"name\":\"edge\",\"version\":\"1.0\",\"packages\":[{\"name\":\"rejoin-thermo\",\"version\":\"1.0.1\"},{\"name\":\"rejoin-old-\"}]}" >/srv/up/apt.json
		rejoin-goal make --id apt-1 --dir /srv/up --step microsoft/apt:1 host /srv/up/apt.json
		rejoin-goal check /srv/up/goal.json
		mv /srv/up/goal.json /etc/rejoin/goal.json'
	at_goal apt-1
	[ "$(in_machine dpkg-query -W -f '${Status} ${Version}' rejoin-thermo)" = 'install ok installed 1.0.1' ]
	[[ $(in_machine dpkg-query -W -f '${Status}' rejoin-old 2>/dev/null) != *'ok installed'* ]]
	[ "$(head -1 "$MACHINE_ROOT/srv/proof")" = root ]
	grep -q '/rejoin-handlers.slice/rejoin-handler-.*\.service' "$MACHINE_ROOT/srv/proof"
	[ "$(twin .deviceUpdate.agent.installedUpdateId | jq -r .name)" = update ]
	# another version of the package takes its place, and one that does not exist is a failure with apt's reason
	on_device 'sed "s/1\.0\.1/2.0/" /srv/up/apt.json >/srv/up/apt2.json
		rejoin-goal make --id apt-2 --dir /srv/up --step microsoft/apt:1 host /srv/up/apt2.json
		mv /srv/up/goal.json /etc/rejoin/goal.json'
	at_goal apt-2
	[ "$(in_machine dpkg-query -W -f '${Version}' rejoin-thermo)" = 2.0 ]
	on_device 'sed "s/1\.0\.1/9.9/" /srv/up/apt.json >/srv/up/apt3.json
		rejoin-goal make --id apt-3 --dir /srv/up --step microsoft/apt:1 host /srv/up/apt3.json
		mv /srv/up/goal.json /etc/rejoin/goal.json'
	wait_for '[ "$(status_of workflow) $(status_of state)" = "apt-3 failed" ]' 60
	twin '.deviceUpdate.agent.lastInstallResult.resultDetails' | grep -q "Version '9.9' for 'rejoin-thermo' was not found"
	[ "$(in_machine dpkg-query -W -f '${Version}' rejoin-thermo)" = 2.0 ]
}

@test "microsoft/apt:1 as a user that may run apt-get and dpkg by sudo" {
	on_device 'cp /etc/rejoin/agent.conf /srv/agent.conf
		useradd --system updates
		echo "updates ALL=(root) NOPASSWD: /usr/bin/apt-get, /usr/bin/dpkg" >/etc/sudoers.d/updates
		sed -i "/^handler-user/d" /etc/rejoin/agent.conf
		printf "handler-user = updates\n" >>/etc/rejoin/agent.conf
		rm -f /srv/proof'
	up reload rejoin-agent.service
	on_device 'rejoin-goal make --id apt-4 --dir /srv/up --step microsoft/apt:1 host /srv/up/apt.json
		mv /srv/up/goal.json /etc/rejoin/goal.json'
	# the unit of a handler gains no privileges unless that is written
	wait_for '[ "$(status_of workflow) $(status_of state)" = "apt-4 failed" ]' 60
	twin '.deviceUpdate.agent.lastInstallResult.resultDetails' | grep -q 'new-privileges = yes'
	on_device 'printf "new-privileges = yes\n" >>/etc/rejoin/agent.conf'
	up reload rejoin-agent.service
	on_device 'sed -i "s/apt-4/apt-5/" /etc/rejoin/goal.json'
	at_goal apt-5
	[ "$(in_machine dpkg-query -W -f '${Version}' rejoin-thermo)" = 1.0.1 ]
	[ "$(head -1 "$MACHINE_ROOT/srv/proof")" = root ]
	on_device 'cp /srv/agent.conf /etc/rejoin/agent.conf'
	up reload rejoin-agent.service
}

@test "an update that asks for a restart of the agent is gone on with by the next one" {
	local before
	hook hook <<<'say 607'
	hook hook2 <<<'printf "{\"version\":\"$want\"}\n" >"$path/fw.json"'
	before=$(up show -P InvocationID rejoin-agent.service)
	host_goal restart-1 2.0
	at_goal restart-1
	[ "$(host)" = 2.0 ]
	[ "$(up show -P InvocationID rejoin-agent.service)" != "$before" ]
	[ "$(paste -sd' ' "$MACHINE_ROOT/srv/log")" = 'install apply' ]
	[ "$(twin .deviceUpdate.agent.installedUpdateId)" != null ]
}

@test "an update that asks for a reboot has one, and is gone on with after it" {
	local leader
	leader=$(cat "$MACHINE/leader")
	hook hook <<<'say 605'
	hook hook2 <<<'printf "{\"version\":\"$want\"}\n" >"$path/fw.json"'
	host_goal reboot-1 3.0
	rebooted "$leader"
	at_goal reboot-1
	[ "$(host)" = 3.0 ]
	[ "$(paste -sd' ' "$MACHINE_ROOT/srv/log")" = 'install apply' ]
	[ "$(twin .deviceUpdate.agent.installedUpdateId)" != null ]
	jq -se '[.[] | select(.workflow == "reboot-1") | .resultCode] | index(605) < index(700)' \
		"$MACHINE_ROOT/var/lib/rejoin/agent/journal.jsonl"
	# apply may ask for one, too; and each is had once
	: >"$MACHINE_ROOT/srv/hook"
	hook hook2 <<<'say 706'
	leader=$(cat "$MACHINE/leader")
	host_goal reboot-2 4.0
	rebooted "$leader"
	at_goal reboot-2
	[ "$(host)" = 4.0 ]
	[ "$(paste -sd' ' "$MACHINE_ROOT/srv/log")" = 'install apply' ]
	leader=$(cat "$MACHINE/leader")
	up restart rejoin-agent.service
	at_goal reboot-2
	[ "$(cat "$MACHINE/leader")" = "$leader" ]
}
