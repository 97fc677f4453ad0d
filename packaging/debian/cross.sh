#!/bin/sh
# Build the packages for another architecture, and run its unit tests under
# qemu-user: cross.sh DIRECTORY [ARCH], arm64 without one
#
# The cross compiler, the libraries of ARCH and the emulator are installed in a
# tree of its own, from the mirror of this machine; the tree is removed at the
# end.  Takes root, some 2 GB below /var/tmp, and a quarter of an hour.
set -eu
# mounts in a namespace of their own are gone with it
if [ "${CROSS_NAMESPACE-}" != "$$" ]; then
	# shellcheck disable=SC2016	# the shell in there expands it
	exec unshare --mount --propagation private sh -c 'CROSS_NAMESPACE=$$ exec "$0" "$@"' "$0" "$@"
fi
out=$1 arch=${2:-arm64}
cd "$(dirname "$0")/../.."
mkdir -p "$out"
out=$(cd "$out" && pwd)
log=$out/cross.log
work=$(mktemp -d /var/tmp/rejoin-cross.XXXXXX)
tree=$work/tree
trap 'umount "$tree/proc" 2>/dev/null; rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM
say() { printf '  %-7s %s\n' CROSS "$*"; }

# in_tree COMMAND... - as root in the tree; what it prints goes to the log
in_tree() {
	chroot "$tree" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive \
		DEB_BUILD_OPTIONS=nocheck "$@" >>"$log" 2>&1 && return
	tail -20 "$log" >&2
	echo "cross.sh: the whole log is in $log" >&2
	return 1
}

# shellcheck source=/dev/null
. /etc/os-release
# shellcheck disable=SC2016	# apt's variables, not ours
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 2>/dev/null | sed -n "s/ $VERSION_CODENAME\$//p" | head -1)
say "a tree with a compiler for $arch"
debootstrap --variant=buildd "$VERSION_CODENAME" "$tree" "${mirror:-http://deb.debian.org/debian}" >"$log" 2>&1 || {
	tail -5 "$log" >&2
	exit 1
}
cp /etc/resolv.conf "$tree/etc/"
mount -t proc proc "$tree/proc"
mkdir "$tree/src"
git archive HEAD | tar -x -C "$tree/src"
cp -r "$tree/src/packaging/debian" "$tree/src/debian"
in_tree dpkg --add-architecture "$arch"
in_tree apt-get -q update
in_tree apt-get -y -q --no-install-recommends install "crossbuild-essential-$arch"
in_tree sh -c "cd /src && apt-get -y -q --no-install-recommends build-dep -a$arch -Pcross,nocheck ./"

say "packages for $arch"
in_tree sh -c "cd /src && dpkg-buildpackage -a$arch -Pcross,nocheck -b -us -uc"
find "$out" -maxdepth 1 -name '*.deb' -delete
find "$tree" -maxdepth 1 -name '*.deb' ! -name '*-dbgsym_*' -exec mv -t "$out" {} +
ls "$out"/*.deb

say "unit tests for $arch, in qemu"
gnu=$(chroot "$tree" dpkg-architecture "-a$arch" -q DEB_HOST_GNU_TYPE 2>/dev/null)
emulator=qemu-${gnu%%-*}
make="make -C /src -j2 DEPS=none B=build-cross CC=$gnu-gcc AR=$gnu-ar PKG_CONFIG=$gnu-pkg-config EMULATOR=$emulator"
# shellcheck disable=SC2086	# words
in_tree $make all
# what tests run by its name
for h in "$tree"/src/build-cross/libexec/rejoin/*; do
	mv "$h" "$h.elf"
	printf '#!/bin/sh\nexec %s %s.elf "$@"\n' "$emulator" "${h#"$tree"}" >"$h"
	chmod 755 "$h"
done
# shellcheck disable=SC2086
in_tree $make unit
sed -n '/^unit:/,$p' "$log" | grep -E 'skip|FAIL|passed, ' | grep -v '(1 passed, '
