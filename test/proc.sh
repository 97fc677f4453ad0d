#!/bin/sh
# Run a command, with /proc mounted for as long where it is not, as in a tree
# that was only just unpacked and entered with chroot: proc.sh CMD...
#
# The tools tell one incarnation of a process from the next by /proc, and bash
# has its pipes there; tests of what a terminal shows take one of /dev/pts.
[ -e /proc/self/stat ] && exec "$@"
if [ "$(id -u)" -ne 0 ]; then
	echo "proc: /proc is not mounted; as root: mount -t proc proc /proc" >&2
	exit 1
fi
echo "proc: mount -t proc proc /proc; mount -t devpts devpts /dev/pts (until this ends)" >&2
# shellcheck disable=SC2016	# it is the inner shell's
exec unshare --mount --propagation unchanged sh -c '
	mount -t proc proc /proc || exit
	pts=
	[ -e /dev/pts/ptmx ] || ! mount -t devpts -o ptmxmode=666 devpts /dev/pts || pts=/dev/pts
	trap : INT TERM HUP
	"$@"
	status=$?
	umount $pts /proc || umount -l $pts /proc
	exit $status' proc "$@"
