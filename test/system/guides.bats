# The guides, typed as they stand, in one shell each.  Agents that are not
# packages of Debian are doubles: the guides say so.
load helper

setup_file() {
	needs mandoc col
	boot
}

# type_guide NAME - on a machine on which nothing of the guides is configured
type_guide() { mandoc -Tascii "$TOP/man/rejoin-guide-$1.7" | col -bx | type_transcript; }

# double NAME - a program of that name that notes how it is called, and stays when it is a daemon
double() {
	printf '#!/bin/sh\necho "$*" >>/run/%s.calls\n[ "$1" != daemon ] || exec sleep infinity\n' "$1" >"$MACHINE_ROOT/usr/bin/$1"
	chmod 755 "$MACHINE_ROOT/usr/bin/$1"
}
# unit NAME PROGRAM
unit() {
	printf '[Service]\nExecStart=/usr/bin/%s daemon\n' "$2" >"$MACHINE_ROOT/etc/systemd/system/$1.service"
	up daemon-reload
	up start "$1.service"
}

teardown() {
	# what a failed test left to read
	[ -n "${BATS_TEST_COMPLETED-}" ] ||
		in_machine journalctl -b --no-pager -o short-precise -n 60 -u 'rejoin*' -u deviceupdate-agent || :
	up stop 'rejoin-*' >/dev/null 2>&1 || :
	rm -rf "$MACHINE_ROOT"/etc/rejoin "$MACHINE_ROOT"/srv/vacuum "$MACHINE_ROOT"/var/lib/rejoin
}

@test "the first hour" { type_guide first-hour; }

@test "many devices" { type_guide fleet; }

@test "any service of systemd" { type_guide systemd; }

@test "Mender" {
	double mender-update
	unit mender-updated mender-update
	unit mender-authd mender-update
	# the log of a deployment, as the client leaves one
	mkdir -p "$MACHINE_ROOT/var/lib/mender"
	echo '{"timestamp":"2026-11-29T08:00:00Z","level":"info","message":"Installation starting"}' \
		>"$MACHINE_ROOT/var/lib/mender/deployments.0000.aa.log"
	type_guide mender
	# by hand, and when the camera came back
	wait_for '[ "$(grep -cx check-update "$MACHINE_ROOT/run/mender-update.calls")" -ge 2 ]' 30
}

# adu_agent - what the package of the agent installs, with a double of the agent
adu_agent() {
	local root=$MACHINE_ROOT
	cp "$BATS_TEST_DIRNAME/adu-agent.sh" "$root/usr/bin/AducIotAgent"
	cp "$B/tool/adu-loader" "$root/usr/bin/"
	in_machine useradd --system --user-group adu
	for d in /var/lib/adu /var/lib/adu/downloads /var/lib/adu/extensions; do
		in_machine install -d -o adu -g adu -m 770 "$d"
	done
	in_machine install -d -o adu -g adu -m 755 /var/log/adu
	# as root for the agent, like its own adu-shell
	printf '#!/bin/sh\nexec /usr/bin/adu-install -T -m 644 /dev/stdin "$1"\n' >"$root/usr/bin/adu-shell"
	chmod 755 "$root/usr/bin/adu-shell"
	in_machine install -o root -g adu -m 4550 /usr/bin/install /usr/bin/adu-install
	echo 2.0 >"$root/var/lib/adu/deployment"
	printf '[Service]\nUser=adu\nGroup=adu\nExecStart=/usr/bin/AducIotAgent daemon\nRestart=always\nRestartSec=5\n' \
		>"$root/etc/systemd/system/deviceupdate-agent.service"
	up daemon-reload
	up start deviceupdate-agent.service
	wait_for '[ -p "$MACHINE_ROOT/var/lib/adu/du-commands.fifo" ]'
	# what the package of rejoin does for each profile whose group exists
	in_machine systemd-tmpfiles --create rejoin-adu.conf
}

@test "the Azure Device Update agent" {
	adu_agent
	type_guide adu
	# no retry came while a deployment was evaluated
	[ ! -e "$MACHINE_ROOT/var/lib/adu/dead" ]
	grep -q "Executing command handler function for 'retry-update'" "$MACHINE_ROOT"/var/log/adu/du-agent.*.log
}

@test "thin-edge.io" {
	double tedge
	double mosquitto_sub
	type_guide thin-edge
	grep -qx 'mqtt pub c8y/s/us 500' "$MACHINE_ROOT/run/tedge.calls"
}

@test "an imp" { type_guide imp; }

@test "the picture of the README" {
	mkdir -p "$MACHINE_ROOT"/etc/rejoin "$MACHINE_ROOT"/srv/cameras/1 "$MACHINE_ROOT"/srv/up "$MACHINE_ROOT"/srv/unplugged
	echo '{"version":"2.0"}' | tee "$MACHINE_ROOT/srv/cameras/1/firmware.json" >"$MACHINE_ROOT/srv/up/camera.json"
	echo '{"version":"1.0"}' >"$MACHINE_ROOT/srv/unplugged/firmware.json"
	for n in 1 2; do
		printf '{"id":"camera-%s","group":"cameras","properties":{"path":"/srv/cameras/%s","firmwareDataFile":"firmware.json"}}\n' $n $n
	done | jq -s '{components:.}' >"$MACHINE_ROOT/etc/rejoin/inventory.json"
	cp "$TOP/packaging/examples/agent.conf" "$MACHINE_ROOT/etc/rejoin/"
	in_machine sh -c "cd /srv/up && rejoin-goal make --dir /etc/rejoin --step rejoin/copy:1 '{\"group\":\"cameras\"}' camera.json --criteria 2.0 \
		--arguments '--file camera.json --to --component-prop-val path --as firmware.json'"
	up start rejoin-agent.service
	wait_for '[ "$(status_of settled_cycle)" -ge 1 ]' 20
	type_transcript <"$TOP/packaging/readme/terminal.txt"
}
