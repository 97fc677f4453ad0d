#!/bin/sh
# Make sure of the Debian packages that something needs, and of no others.
#
#	deps.sh build|demo|check|fuzz|system|bench...
#
# packaging/debian/control is the only list of them: Build-Depends without a
# profile are needed to build, those marked <!nocheck> to check, those marked
# <pkg.rejoin.NAME> for NAME; what the package Depends on, to run the tools.
# Our own packages are left out.  As root on Debian it prints the command line and installs what is missing; as
# an ordinary user it prints that line and fails.  DEPS=none does nothing.
set -u

[ "${DEPS-}" != none ] || exit 0
control=$(dirname "$0")/../packaging/debian/control

# The packages of field $1 whose profile is $2 (none: ''), a line each.
field() {
	awk -v field="$1:" -v profile="$2" -v ours=" $(sed -n 's/^Package: //p' "$control" | tr '\n' ' ') " '
		/^[^ \t#]/ { inside = ($1 == field); sub(/^[^:]*:/, "") }
		inside {
			n = split($0, item, ",")
			for (i = 1; i <= n; i++) {
				has = ""
				if (match(item[i], /<[^>]*>/))
					has = substr(item[i], RSTART + 1, RLENGTH - 2)
				split(item[i], word, /[ \t(<\[|:]+/)
				name = word[1] != "" ? word[1] : word[2]
				if (name ~ /^[a-z0-9]/ && name != "debhelper-compat" && !index(ours, " " name " ") && has == profile)
					print name
			}
		}' "$control"
}

# What building a Debian package takes for granted is not in the list.
needed() {
	echo gcc
	echo libc6-dev
	field Build-Depends ''
	for k; do
		case $k in
		build) ;;
		demo) field Depends '' ;;
		check) field Build-Depends '!nocheck'; field Depends '' ;;
		*) field Build-Depends "pkg.rejoin.$k"; field Depends '' ;;
		esac
	done
}

want=$(needed "$@" | sort -u)
if ! command -v dpkg-query >/dev/null; then
	echo "deps: this is not Debian. The packages needed are there called:" >&2
	printf '%s\n' "$want" | sed 's/^/  /' >&2
	echo "deps: with their like installed, set DEPS=none" >&2
	exit 1
fi

# dpkg-query fails where it knows nothing of one of them, and still tells of the others.
# shellcheck disable=SC2086	# one word a package
have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $want 2>/dev/null |
	sed -n 's/^installed //p' | sort -u)
missing=$(printf '%s\n' "$want" | while read -r p; do
	printf '%s\n' "$have" | grep -qxF "$p" || printf ' %s' "$p"
done)
[ -n "$missing" ] || exit 0

line="apt-get install --no-install-recommends$missing"
if [ "$(id -u)" -ne 0 ]; then
	printf 'deps: packages are missing; as root:\n\n  %s\n\n' "$line" >&2
	echo "deps: or set DEPS=none to go on without" >&2
	exit 1
fi

echo "deps: $line" >&2
export DEBIAN_FRONTEND=noninteractive
apt() { apt-get -y -q -o DPkg::Lock::Timeout=120 "$@" >&2; }
# shellcheck disable=SC2086	# one word a package
fetch() { apt install --no-install-recommends $missing; }

# A fresh tree knows no packages; one that was not looked after knows old ones.
lists=$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' 2>/dev/null)
[ -n "$lists" ] || apt update || exit 1
fetch && exit 0
echo "deps: trying once more with fresh package lists" >&2
apt update && fetch && exit 0
echo "deps: could not install$missing" >&2
exit 1
