# Real udevd, real devices: network devices of the machine, which has a network
# of its own.
load helper

setup_file() {
	boot || return
	on_device make_device
	cat >"$MACHINE_ROOT/etc/rejoin/nics.json" <<-'EOF'
	{"components":[{"id":"nic-${INTERFACE}","group":"nics","each":true,
		"udev":{"SUBSYSTEM":"net","INTERFACE":"cam*"}}]}
	EOF
}

# watching ARGS... - rejoin-watch as a unit of the machine, its events in /run/events
watching() {
	in_machine systemd-run --quiet --unit=try-watch --property=Type=notify --property=TimeoutStartSec=20 \
		--property=StandardOutput=truncate:/run/events rejoin-watch "$@"
}
events() { # NAME
	jq -r "select(.event == \"$1\").id" "$MACHINE_ROOT/run/events" | sort -u
}

# whatever became of the test before
setup() {
	cd "$BATS_TEST_TMPDIR" || return
	up stop try-watch 2>/dev/null || :
	up reset-failed try-watch 2>/dev/null || :
	in_machine ip link del cam0 2>/dev/null || :
}

@test "a rule that runs rejoin-retry --queue: a veth pair appears, one frame" {
	# both ends are within one quiet period
	sed '/^debounce/s/=.*/= 500ms/' "$TOP/packaging/agents.d/rejoin.conf" >"$MACHINE_ROOT/etc/rejoin/agents.d.conf"
	mkdir -p "$MACHINE_ROOT/etc/rejoin/agents.d"
	mv "$MACHINE_ROOT/etc/rejoin/agents.d.conf" "$MACHINE_ROOT/etc/rejoin/agents.d/rejoin.conf"
	sed 's/port0/cam*/' "$MACHINE_ROOT/usr/share/rejoin/examples/hotplug.rules" \
		>"$MACHINE_ROOT/etc/udev/rules.d/70-rejoin.rules"
	in_machine udevadm control --reload
	up start rejoin-agent.service rejoin-retry@rejoin.path
	[ "$(status_of retries)" = 0 ]
	in_machine ip link add cam0 type veth peer name cam1
	wait_for '[ "$(status_of retries)" = 1 ]' 20
	in_machine udevadm settle
	wait_for '[ ! -e "$MACHINE_ROOT/run/rejoin/retry/rejoin/pending" ] &&
		[ "$(up is-active rejoin-retry@rejoin.service)" = inactive ]' 20
	[ "$(status_of retries)" = 1 ]
	wait_for '[ "$(status_of settled)" = 1 ]'
	in_machine ip link del cam0
	rm "$MACHINE_ROOT/etc/udev/rules.d/70-rejoin.rules"
	in_machine udevadm control --reload
	up stop rejoin-retry@rejoin.path rejoin-agent.service
}

@test "rejoin-watch --udev sees the same device come and go" {
	watching --udev SUBSYSTEM=net -a /etc/rejoin/nics.json
	in_machine ip link add cam0 type veth peer name cam1
	wait_for '[ "$(events arrived)" = "nic-cam0
nic-cam1" ]'
	in_machine ip link del cam0
	wait_for '[ "$(events departed)" = "nic-cam0
nic-cam1" ]'
	up stop try-watch
}

@test "of 200 devices that appear at once none is lost" {
	watching --udev SUBSYSTEM=net /etc/rejoin/nics.json
	seq 0 2 199 | sed 's/.*/echo "link add cam& type veth peer name cam$((& + 1))"/' | sh >"$MACHINE_ROOT/run/add"
	in_machine ip -batch /run/add
	wait_for '[ "$(events arrived | wc -l)" -eq 200 ]' 30
	seq 0 199 | sed 's/^/nic-cam/' | LC_ALL=C sort >expected
	events arrived | diff expected -
	up stop try-watch
}

# A rule gives the device full of the subsystem mem a property while /run/plugged exists.
property_rule() {
	echo 'SUBSYSTEM=="mem", KERNEL=="full", TEST=="/run/plugged", ENV{X_READY}="1"' \
		>"$MACHINE_ROOT/etc/udev/rules.d/72-try.rules"
	echo '{"components":[{"id":"full","udev":{"SUBSYSTEM":"mem","X_READY":"1"}}]}' >"$MACHINE_ROOT/etc/rejoin/mem.json"
	in_machine udevadm control --reload
}

@test "a device that loses a property has departed, and has arrived when it gets it back" {
	property_rule
	touch "$MACHINE_ROOT/run/plugged"
	in_machine udevadm trigger --action=change /sys/class/mem/full
	in_machine udevadm settle
	watching -a --rescan 0s /etc/rejoin/mem.json
	rm "$MACHINE_ROOT/run/plugged"
	in_machine udevadm trigger --action=change /sys/class/mem/full
	wait_for '[ "$(events departed)" = full ]'
	touch "$MACHINE_ROOT/run/plugged"
	in_machine udevadm trigger --action=change /sys/class/mem/full
	wait_for '[ "$(events arrived)" = full ]'
	up stop try-watch
	rm "$MACHINE_ROOT/etc/udev/rules.d/72-try.rules" "$MACHINE_ROOT/run/plugged"
	in_machine udevadm control --reload
}

@test "a device that udev has not finished with is not here yet" {
	echo 'ACTION!="remove", SUBSYSTEM=="net", KERNEL=="cam0", PROGRAM="/bin/sleep 2", ENV{X_SERIAL}="S1"' \
		>"$MACHINE_ROOT/etc/udev/rules.d/72-try.rules"
	in_machine udevadm control --reload
	echo '{"components":[{"id":"nic","udev":{"SUBSYSTEM":"net","INTERFACE":"cam0"}},
		{"id":"t-${X_SERIAL}","each":true,"udev":{"SUBSYSTEM":"net","INTERFACE":"cam0"}}]}' >"$MACHINE_ROOT/etc/rejoin/slow.json"
	watching --rescan 0s /etc/rejoin/slow.json
	in_machine ip link add cam0 type veth peer name cam1
	wait_for '[ -e "$MACHINE_ROOT/run/udev/queue" ]'
	in_machine rejoin-enum -a /etc/rejoin/slow.json >got 2>err
	[ "$(jq -r '.id + " " + .state' got)" = 'nic offline' ]
	[ ! -s err ]
	in_machine udevadm settle
	in_machine rejoin-enum -a /etc/rejoin/slow.json >got 2>err
	[ "$(jq -r '.id + " " + .state' got | paste -sd,)" = 'nic online,t-S1 online' ]
	wait_for '[ "$(events arrived | paste -sd,)" = nic,t-S1 ]'
	up stop try-watch
	rm "$MACHINE_ROOT/etc/udev/rules.d/72-try.rules"
	in_machine udevadm control --reload
}
