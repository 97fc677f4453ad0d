# The guides, typed as they stand, in one shell each.  Agents that are not
# packages of Debian are doubles: the guides say so.
load helper

setup_file() {
	needs mandoc col
	boot
}

# type_guide NAME - on a machine on which nothing of the guides is configured
type_guide() { mandoc -Tascii "$TOP/man/rejoin-guide-$1.7" | col -bx | type_transcript; }

# type_transcript - standard input, as test/transcript.awk reads it
type_transcript() {
	awk -f "$TOP/test/transcript.awk" >"$MACHINE_ROOT/test/steps"
	cp "$TOP/test/transcript.bash" "$MACHINE_ROOT/test/"
	run in_machine timeout -k 1 120 bash /test/transcript.bash /test/steps
	echo "$output"
	status_is 0
}

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
	up stop 'rejoin-*' >/dev/null 2>&1 || :
	rm -rf "$MACHINE_ROOT"/etc/rejoin "$MACHINE_ROOT"/srv/vacuum "$MACHINE_ROOT"/var/lib/rejoin
}

@test "the first hour" { type_guide first-hour; }

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
	type_transcript <"$TOP/packaging/readme/terminal.txt"
}

@test "what the README types" { type_transcript <"$TOP/README.md"; }
