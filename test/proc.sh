#!/bin/sh
# Run a command, with /proc, /sys and /dev/pts mounted for as long where they are not, as
# in a tree that was only just unpacked and entered with chroot: proc.sh CMD...
#
# The tools tell one incarnation of a process from the next by /proc, and bash has its
# pipes there; devices are found in /sys; tests of what a terminal shows take one of
# /dev/pts.
[ -e /proc/self/stat ] && [ -e /sys/class ] && exec "$@"
if [ "$(id -u)" -ne 0 ]; then
	[ -e /proc/self/stat ] && exec "$@"
	echo "proc: /proc is not mounted; as root: mount -t proc proc /proc" >&2
	exit 1
fi
echo "proc: mounting what is missing of /proc, /sys and /dev/pts (until this ends)" >&2
# shellcheck disable=SC2016	# it is the inner shell's
exec unshare --mount --propagation unchanged sh -c '
	mounted=
	if [ ! -e /proc/self/stat ]; then
		mount -t proc proc /proc || exit
		mounted=/proc
	fi
	if [ ! -e /sys/class ] && mount -t sysfs sysfs /sys; then
		mounted="/sys $mounted"
	fi
	if [ ! -e /dev/pts/ptmx ] && mount -t devpts -o ptmxmode=666 devpts /dev/pts; then
		mounted="/dev/pts $mounted"
	fi
	trap : INT TERM HUP
	"$@"
	status=$?
	for m in $mounted; do
		umount "$m" || umount -l "$m"
	done
	exit $status' proc "$@"
