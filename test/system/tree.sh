#!/bin/sh
# Print the path of a Debian tree that systemd boots in, made at most once a
# day.  Its release is this machine's, so that what is built here runs there.
#
# The tree is kept in REJOIN_TEST_CACHE, /var/cache/rejoin-test where that can
# be written, or else build/; copy it, never use it.
set -eu

# what systemd in a container takes, and what the tests do in there
packages=systemd,systemd-sysv,dbus,udev,iproute2,procps,jq,mosquitto,sudo

here=$(dirname "$0")
cache=${REJOIN_TEST_CACHE-/var/cache/rejoin-test}
mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || cache=$here/../../build/cache
mkdir -p "$cache"

# What the package depends on, and the packages of the libraries the tools were linked with.
depends=$(awk '/^Depends:/ { d = 1; next } /^[^ ]/ { d = 0 } d && /^ [a-z]/ { sub(/,.*/, ""); print $1 }' \
	"$here/../../packaging/debian/control" | grep -v '^rejoin' | sort -u)
libraries=$(ldd "$B"/bin/* "$B"/libexec/rejoin/* | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | sort -u |
	while read -r l; do dpkg-query -S "$(realpath "$l")" "$l" 2>/dev/null || :; done |
	sed 's/:.*//' | sort -u)
for p in $depends $libraries; do packages=$packages,$p; done

# shellcheck source=/dev/null
. /etc/os-release
id=$(printf '%s' "$packages" | cksum | cut -d ' ' -f 1)
today=$VERSION_CODENAME-$(date +%Y%m%d)
tree=$cache/$today-$id
exec 9>"$cache/lock"
flock 9
if [ ! -d "$tree" ]; then
	# yesterday's are of no use any more, nor is one that was not finished
	for old in "$cache/$VERSION_CODENAME"-*; do
		case $old in
		"$cache/$today"-*[0-9]) continue ;;
		esac
		sed -n "s|^[^ ]* \($old/[^ ]*\) .*|\1|p" /proc/mounts | sort -r | xargs -r umount
		rm -rf --one-file-system "$old"
	done
	# shellcheck disable=SC2016	# apt's variables, not ours
	mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 2>/dev/null |
		sed -n "s/ $VERSION_CODENAME\$//p" | head -1)
	proxy=
	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	[ -z "$proxy" ] || export http_proxy="${http_proxy-$proxy}"
	debootstrap --variant=minbase --include="$packages" "$VERSION_CODENAME" "$tree.new" \
		"${mirror:-http://deb.debian.org/debian}" >"$tree.log" 2>&1 || {
		tail -5 "$tree.log" >&2
		rm -rf "$tree.new"
		exit 1
	}
	rm -rf "$tree.new/var/cache/apt/archives" "$tree.new/var/lib/apt/lists"
	rm -f "$tree.new/etc/resolv.conf" "$tree.log"
	mv "$tree.new" "$tree"
fi
echo "$tree"
