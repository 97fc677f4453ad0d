# The profiles that are shipped, with the answers that their agents gave: those of
# rauc, fwupd, snapd, monit, mosquitto_sub, s6 and runit as Debian 12's programs
# printed them, those of the others as they are documented.
load helper

setup() {
	begin
	mkdir fake
	# where the real ones are is not where these are
	sed -i "s|^argv = /[^ ]*/|argv = |" "$REJOIN_CONFIG_DIR"/agents.d/*.conf
}

nones='evp greengrass-lite imp kanto mender mender-3 mender-orchestrator swupdate'

# says PROGRAM STATUS TEXT - it is what PROGRAM prints, and ends with
says() {
	printf '%s' "$3" >"fake/$1.says"
	printf '#!/bin/sh\ncat "%s"\nexit %s\n' "$PWD/fake/$1.says" "$2" >"fake/$1"
	chmod +x "fake/$1"
}

# state_is AGENT STATE
state_is() {
	local is
	is=$(PATH=$PWD/fake:$PATH rejoin-status -A "$1" --json | jq -r .state)
	[ "$is" = "$2" ] || { echo "$1: $is, expected $2: $(cat fake/*.says)"; return 1; }
}

@test "dbus: rauc, rauc-hawkbit, fwupd" {
	for a in rauc rauc-hawkbit; do
		says busctl 0 $'s "idle"\n'
		state_is $a idle
		says busctl 0 $'s "installing"\n'
		state_is $a busy
		says busctl 0 $'s "something new"\n'
		state_is $a unknown
	done
	says busctl 0 $'u 1\n'
	state_is fwupd idle
	for n in 2 5 12; do
		says busctl 0 "u $n"$'\n'
		state_is fwupd busy
	done
}

@test "exec: snapd" {
	says snap 0 $'ID   Status  Spawn               Ready               Summary\n1    Done    today at 23:38 UTC  today at 23:38 UTC  Initialize system state\n\n'
	state_is snapd idle
	says snap 0 $'ID   Status  Spawn               Ready  Summary\n1    Done    today at 23:38 UTC  today at 23:38 UTC  Initialize system state\n2    Doing   today at 23:40 UTC  -      Refresh "core" snap\n\n'
	state_is snapd busy
	says snap 1 'error: cannot communicate with server: connection refused'
	state_is snapd unknown
}

@test "exec: monit" {
	says monit 0 $'Monit 5.33.0 uptime: 0m\n Service Name                     Status                      Type          \n vm                               OK                          System        \n'
	state_is monit idle
	says monit 0 $'Monit 5.33.0 uptime: 0m\n Service Name                     Status                      Type          \n vm                               OK                          System        \n nop                              Does not exist              Process       \n'
	state_is monit failed
	says monit 1 $'Monit: the monit daemon is not running\n'
	state_is monit stopped
	says monit 1 $'Monit: the monit HTTP interface is not enabled, please add the \'set httpd\' statement\n'
	state_is monit unknown
}

@test "exec: s6, runit" {
	says s6-svstat 0 $'true true\n'
	state_is s6 idle
	says s6-svstat 0 $'true false\n'
	state_is s6 starting
	says s6-svstat 0 $'false false\n'
	state_is s6 stopped
	says s6-svstat 1 ''
	state_is s6 stopped
	says sv 0 $'run: agent2: (pid 589) 6s; run: log: (pid 588) 6s\n'
	state_is runit idle
	says sv 0 $'down: agent2: 1s, normally up; run: log: (pid 904) 682s\n'
	state_is runit stopped
	says sv 1 $'fail: none: unable to change to service directory: file does not exist\n'
	state_is runit stopped
}

@test "exec: thin-edge, greengrass, balena, js7, sysupdate" {
	says mosquitto_sub 27 $'Timed out\n'
	state_is thin-edge idle
	says mosquitto_sub 27 $'te/device/main///cmd/software_list/1 {"status":"executing"}\nTimed out\n'
	state_is thin-edge busy
	says mosquitto_sub 27 $'te/device/main///cmd/software_list/1 {"status":"successful"}\nTimed out\n'
	state_is thin-edge idle
	says mosquitto_sub 1 $'Error: Connection refused\n'
	state_is thin-edge unknown
	says greengrass-cli 0 $'ab1c: SUCCEEDED\n'
	state_is greengrass idle
	says greengrass-cli 0 $'ab1c: SUCCEEDED\ncd2e: IN_PROGRESS\n'
	state_is greengrass busy
	says curl 0 '{"status":"success","appState":"applied","overallDownloadProgress":null}'
	state_is balena idle
	says curl 0 '{"status":"success","appState":"applying","overallDownloadProgress":13}'
	state_is balena busy
	says curl 22 ''
	state_is balena unknown
	says agent.sh 0 ''
	state_is js7 idle
	says agent.sh 1 ''
	state_is js7 stopped
	for pair in activating:busy inactive:idle failed:failed deactivating:busy; do
		says systemctl 0 "ActiveState=${pair%:*}"$'\n'
		state_is sysupdate "${pair#*:}"
	done
}

@test "systemd: systemd, mosquitto, taskd, evp-hub, thingsboard" {
	local a pair
	for a in systemd mosquitto taskd evp-hub thingsboard; do
		for pair in active/running:idle activating/start:starting reloading/reload:busy deactivating/stop:stopping \
			inactive/dead:stopped failed/failed:failed; do
			says systemctl 0 "$(printf 'LoadState=loaded\nInvocationID=0123\nMainPID=0\nNRestarts=0\nResult=success\nJob=0\nActiveState=%s\nSubState=%s\n' \
				"${pair%/*}" "$(sed 's|.*/||; s|:.*||' <<<"$pair")")"
			state_is $a "${pair#*:}"
		done
		says systemctl 1 'no bus'
		state_is $a unknown
	done
}

@test "a path and a log: adu" {
	local conf=$REJOIN_CONFIG_DIR/agents.d/adu.conf t
	mkdir downloads logs
	sed -i "/^user = /d; /^group = /d; s|^busy-path = .*|busy-path = $PWD/downloads/*|; s|^path = /var/log/adu/|path = $PWD/logs/|
		s|^path = .*fifo|path = $PWD/pipe|" "$conf"
	state_is adu idle
	start reader adu-reader pipe counts
	wait_for '[ -p pipe ] && [ -e counts ]'
	mkdir downloads/w1
	state_is adu busy
	# lines as du-agent writes them
	t=$(date -u -d '1 minute' +%Y-%m-%dT%H:%M:%S)
	printf '%s.0001Z 77[77] [I] Setting sandbox %s/downloads/w1\n' "$t" "$PWD" >logs/du-agent.1.log
	state_is adu busy
	printf '%s.0002Z 77[77] [E] WorkCompletionCallback: Install failed. Going to state Failed\n' "$t" >>logs/du-agent.1.log
	state_is adu failed
	printf '%s.0003Z 77[77] [I] Workflow is Complete.\n' "$t" >>logs/du-agent.1.log
	rmdir downloads/w1
	state_is adu idle
}

@test "an API: adu-1.3" {
	local conf=$REJOIN_CONFIG_DIR/agents.d/adu-1.3.conf pair
	mkdir api
	mkfifo -m 0660 api/apireq.fifo
	sed -i "/^user = /d; /^group = /d; s|^path = .*apireq.fifo|path = $PWD/api/apireq.fifo|" "$conf"
	state_is adu-1.3 stopped
	# it answers into the FIFO that the request names: a code and a value, of two bytes each
	cat >reader <<-'END'
	#!/bin/bash
	exec 3<>api/apireq.fifo
	echo up
	while :; do
		read -r _ _ _ _ l1 l2 < <(head -c 6 <&3 | od -An -tu1)
		cat says >"$(head -c $((l1 * 256 + l2)) <&3)"
	done
	END
	chmod +x reader
	start reader ./reader
	wait_for '[ -s reader.out ]'
	for pair in 1:starting 2:busy 6:busy 7:needs-reboot 9:idle 10:failed; do
		printf "\\0\\0\\0\\x$(printf %x "${pair%:*}")" >says
		state_is adu-1.3 "${pair#*:}"
	done
}

@test "a file: rejoin" {
	start double agent-double "$REJOIN_RUNTIME_DIR/agent"
	wait_for 'grep -q ready double.out'
	state_is rejoin idle
	end_pids "$double_pid"
	state_is rejoin stopped
}

@test "none: evp, greengrass-lite, imp, kanto, mender, mender-3, mender-orchestrator, swupdate" {
	local a
	sed -i "/^user = /d; /^group = /d" "$REJOIN_CONFIG_DIR/agents.d/evp.conf"
	for a in $nones; do
		state_is $a unknown
	done
}

@test "each profile that is shipped is tested here" {
	local a
	for a in $(basename -a -s .conf "$TOP"/packaging/agents.d/*.conf); do
		# in the name of a test
		grep -qE "^@test \"[^\"]*[ :]${a/./[.]}[,\"]" "$BATS_TEST_FILENAME" ||
			{ echo "$a is not tested"; return 1; }
	done
}

@test "logs: lines as the programs of Debian 12 wrote them have their times" {
	cp -r "$TOP/packaging/formats.d" "$TOP/packaging/rules.d" "$REJOIN_CONFIG_DIR/"
	while IFS='|' read -r format time line; do
		printf '%s\n' "$line" >one.log
		run --separate-stderr rejoin-log --json "one.log,format=$format"
		status_is 0
		[ "$(jq -r .time <<<"$output")" = "$time" ] || { echo "$format: $output"; false; }
	done <<-'EOF'
		monit|2026-11-21T23:38:03.000000Z|[2026-11-21T23:38:03+0000] info     : Starting Monit 5.33.0 daemon
		monit|2026-11-21T21:38:03.000000Z|[2026-11-21T23:38:03+0200] error    : There is no service named "nosuch"
		mosquitto|2026-11-21T23:38:03.000000Z|1795304283: mosquitto version 2.0.11 running
		tai64n|2026-11-22T00:03:21.598454041Z|@400000006b02315323abaf19 two
		tai64n|2026-11-21T23:51:00.218566500Z|@400000006b022e6e0d070f64 hello from agent
	EOF
	printf '%s\n' '[TRACE] : SWUPDATE running :  [network_thread] : Incoming network request: processing...' \
		'[INFO ] : SWUPDATE started :  Software Update started !' >swupdate.log
	run --separate-stderr rejoin-log --json swupdate.log
	[ "$(jq -r .level <<<"$output" | tr '\n' ' ')" = 'trace info ' ] || { echo "$output"; false; }
}
