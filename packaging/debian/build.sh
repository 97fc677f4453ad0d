#!/bin/sh
# Build the Debian packages from a copy of what is committed: build.sh DIRECTORY
#
# The packages come to DIRECTORY, those with debugging symbols to DIRECTORY/debug.  The time in them is that of the changelog, so
# that two builds of one commit are the same bytes.  DEB_BUILD_OPTIONS and
# DEB_BUILD_PROFILES are obeyed; without any, "make check" is not run again.
set -eu
out=$1
: "${DEB_BUILD_OPTIONS=nocheck}" "${DEB_BUILD_PROFILES=nocheck}"
export DEB_BUILD_OPTIONS DEB_BUILD_PROFILES LC_ALL=C
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
cd "$(dirname "$0")/../.."
mkdir -p "$out"
out=$(cd "$out" && pwd)
version=$(cat VERSION)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
tree=$work/rejoin-$version
mkdir "$tree"
git archive HEAD | tar -x -C "$tree"
cp -r "$tree/packaging/debian" "$tree/debian"
(cd "$tree" && dpkg-buildpackage -b -us -uc) >"$out/build.log" 2>&1 || {
	tail -20 "$out/build.log" >&2
	echo "build.sh: the whole log is in $out/build.log" >&2
	exit 1
}
find "$out" -maxdepth 2 -name '*.deb' -delete
mkdir -p "$out/debug"
find "$work" -maxdepth 1 -name '*-dbgsym_*.deb' -exec mv -t "$out/debug" {} +
mv "$work"/*.deb "$out/"
ls "$out"/*.deb
