#!/bin/bash
# Boot a copy of TREE with the toolkit installed in it: machine.sh TREE DIR PID
#
# Leaves DIR/installed once the toolkit is there, then the pid of the machine's
# init in DIR/leader, what it printed in DIR/console.  Lives as long as the
# process PID, or until SIGTERM: then the machine is ended and its tree removed,
# whatever became of the tests.
set -eu
tree=$1 dir=$2 owner=$3
root=$(mktemp -d "$(dirname "$tree")/run.XXXXXX")
nspawn='' leader='' tail='' bus=''

finish() {
	trap '' TERM INT HUP
	for p in $tail $bus; do kill "$p" 2>/dev/null || :; done
	if [ -n "$nspawn" ] && kill -0 "$nspawn" 2>/dev/null; then
		# its init first: it takes everything in there with it
		[ -z "$leader" ] || kill -KILL "$leader" 2>/dev/null || :
		timeout 10 tail --pid="$nspawn" -f /dev/null || kill -KILL "$nspawn" 2>/dev/null || :
	fi
	rm -rf "$root" "${root%/*}/.#${root##*/}.lck"
}
trap finish EXIT
trap 'exit 143' TERM INT HUP

cp -a --reflink=auto "$tree/." "$root"
make -s -C "$(dirname "$0")/../.." DEPS=none DESTDIR="$root" PREFIX=/usr B="${B##*/}" install >"$dir/install" 2>&1 || {
	cat "$dir/install" >&2
	exit 1
}
: >"$root/etc/machine-id"
: >"$dir/installed"

# nspawn wants a bus to exist, though the machine is not registered on it
dbus-daemon --system --nofork --nopidfile --address="unix:path=$dir/bus" >"$dir/bus.log" 2>&1 &
bus=$!
for _ in $(seq 250); do
	[ -S "$dir/bus" ] && break
	sleep 0.02
done

# /sys writable, or udevd does not start in there
boot() {
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=$dir/bus SYSTEMD_NSPAWN_API_VFS_WRITABLE=1 \
		systemd-nspawn --quiet --directory="$root" --boot --register=no --keep-unit \
		--private-network --console=pipe --link-journal=no --machine=rejoin-test \
		>>"$dir/console" 2>&1 </dev/null &
	nspawn=$!
	for _ in $(seq 500); do
		leader=$(pgrep -P "$nspawn" -x systemd) && break
		kill -0 "$nspawn" 2>/dev/null || { cat "$dir/console" >&2; exit 1; }
		sleep 0.02
	done
	echo "$leader" >"$dir/leader.new"
	mv "$dir/leader.new" "$dir/leader"
}

tail --pid="$owner" -f /dev/null &
tail=$!
boot
# with --keep-unit a machine that reboots ends with 133, for a service manager to start it again
while status=0; wait -n "$nspawn" "$tail" || status=$?; [ "$status" = 133 ]; do
	boot
done
