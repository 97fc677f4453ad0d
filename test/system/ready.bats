# Units of a real systemd, an event of a real udevd.
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	up stop weather-agent.service 2>/dev/null || :
}

# the example's unit, with a shorter grace period
weather() {
	local dir=$MACHINE_ROOT/etc/systemd/system/weather-agent.service.d
	in_machine systemctl enable --quiet /usr/share/rejoin/examples/weather-agent.service
	mkdir -p "$dir"
	{
		echo '[Service]'
		echo 'Environment=WEATHER_PERIOD=1'
		echo 'ExecStart='
		sed -n 's/--grace 30s --connected .* -- /--grace 2s -- /p' "$TOP/packaging/examples/weather-agent.service"
	} >"$dir/try.conf"
	up daemon-reload
}
# the shell of the cycle, but for the moments in which it has a shell below it
cycles() { in_machine pgrep -cf '^/bin/sh .*weather.sh cycle'; }
the_cycle() { in_machine pgrep -of '^/bin/sh .*weather.sh cycle'; }
verdicts() { journal weather-agent.service | grep -xE '[a-z]+-(start|restart|offline)' | tail -n "$1" | tr '\n' ' '; }

@test "a unit: cold start with its device, agent-restart when it is restarted alone" {
	weather
	run in_machine systemd-analyze verify --man=no weather-agent.service
	status_is 0
	out_is ''
	up start weather-agent.service
	in_machine rejoin-ready announce lamp --incarnation p1
	wait_for '[ "$(verdicts 1)" = "cold-start " ]' 20
	wait_for '[ "$(cycles)" = 1 ]'
	grep -qx "agent=$(up show -P InvocationID weather-agent.service)" "$MACHINE_ROOT/var/lib/rejoin/ready/lamp/cycle"
	# a migration
	up restart weather-agent.service
	wait_for '[ "$(verdicts 2)" = "cold-start agent-restart " ]' 20
	wait_for '[ "$(cycles)" = 1 ]'
	# so is one after a kill of all of it
	up kill --kill-whom=all --signal=KILL weather-agent.service
	wait_for '[ "$(verdicts 2)" = "agent-restart agent-restart " ]' 20
	wait_for '[ "$(cycles)" = 1 ]'
	# and one whose run alone was killed
	up kill --kill-whom=main --signal=KILL weather-agent.service
	wait_for '[ "$(verdicts 3)" = "agent-restart agent-restart agent-restart " ]' 20
	wait_for '[ "$(cycles)" = 1 ]'
	# the device reboots: one cycle, the same
	local pid
	pid=$(the_cycle)
	in_machine rejoin-ready announce lamp --incarnation p2
	wait_for 'journal weather-agent.service | grep -q "peer-restart: incarnation p2 after p1"'
	[ "$(the_cycle)" = "$pid" ]
	wait_for '[ "$(cycles)" = 1 ]'
	# it stops in order, and nothing is left
	up stop weather-agent.service
	[ "$(cycles)" = 0 ]
	run up show -P Result weather-agent.service
	[ "$output" != timeout ]
}

@test "both at once, from a udev rule: a device that is plugged in again is another incarnation" {
	weather
	echo 'ACTION=="add", SUBSYSTEM=="net", KERNEL=="cam0", RUN+="/usr/bin/rejoin-ready announce lamp"
ACTION=="remove", SUBSYSTEM=="net", KERNEL=="cam0", RUN+="/usr/bin/rejoin-ready forget lamp"' \
		>"$MACHINE_ROOT/etc/udev/rules.d/71-ready.rules"
	in_machine udevadm control --reload
	in_machine rejoin-ready forget lamp
	up start weather-agent.service
	in_machine ip link add cam0 type veth peer name cam1
	wait_for 'grep -qE "^peer=[0-9a-f]{8}-usec-[0-9]+$" "$MACHINE_ROOT/run/rejoin/ready/lamp/announced"' 20
	wait_for '[ "$(verdicts 1)" = "cold-start " ]' 20
	in_machine ip link del cam0
	wait_for '[ ! -e "$MACHINE_ROOT/run/rejoin/ready/lamp/announced" ]' 20
	up restart weather-agent.service
	wait_for '[ "$(verdicts 1)" = "peer-offline " ]' 20
	[ "$(cycles)" = 0 ]
	in_machine ip link add cam0 type veth peer name cam1
	wait_for '[ "$(verdicts 2)" = "peer-offline cold-start " ]' 20
	wait_for '[ "$(cycles)" = 1 ]'
	in_machine ip link del cam0
	rm "$MACHINE_ROOT/etc/udev/rules.d/71-ready.rules"
	up stop weather-agent.service
}

# What a package's postinst, an administrator or a reload of the rules does: the device is the same.
@test "a synthetic event of udev is no restart of the peer: one device, all, change, a reload" {
	weather
	echo 'ACTION!="remove", SUBSYSTEM=="net", KERNEL=="cam0", RUN+="/usr/bin/rejoin-ready announce lamp"' \
		>"$MACHINE_ROOT/etc/udev/rules.d/71-ready.rules"
	in_machine udevadm control --reload
	in_machine rejoin-ready forget lamp
	up start weather-agent.service
	in_machine ip link add cam0 type veth peer name cam1
	wait_for '[ "$(verdicts 1)" = "cold-start " ]' 20
	wait_for '[ "$(cycles)" = 1 ]'
	local announced=$MACHINE_ROOT/run/rejoin/ready/lamp/announced peer how pid
	peer=$(grep ^peer= "$announced")
	pid=$(the_cycle)
	for how in '--action=add /sys/class/net/cam0' '--action=add --subsystem-match=net' \
		'--action=change /sys/class/net/cam0' '--type=devices --action=change'; do
		rm "$announced"
		# shellcheck disable=SC2086
		in_machine udevadm trigger $how
		in_machine udevadm settle
		wait_for '[ -e "$announced" ]' 20
		grep -qx "$peer" "$announced" || { echo "$how: $(cat "$announced"), expected $peer"; return 1; }
	done
	in_machine udevadm control --reload
	in_machine udevadm settle
	# a replug comes after them: what it leads to, they would have led to before
	in_machine ip link del cam0
	in_machine ip link add cam0 type veth peer name cam1
	wait_for 'journal weather-agent.service | grep -q "peer-restart: incarnation .* after ${peer#peer=}"' 20
	[ "$(journal weather-agent.service | grep -c "peer-restart: incarnation .* after ${peer#peer=}")" = 1 ]
	[ "$(the_cycle)" = "$pid" ]
	in_machine ip link del cam0
	rm "$MACHINE_ROOT/etc/udev/rules.d/71-ready.rules"
	up stop weather-agent.service
}
