#!/bin/bash
# Print how fast the tools are: each script beside this one prints rows of four
# columns with tabs between them,
#	WHAT	AGAINST	MEASURED	REACH
# where what is measured is a ratio taken side by side in one run wherever that
# can be.  No time makes this fail; a script that breaks off does.
#
#	run.sh [NAME...]	make bench T='retry enum'
set -u
cd "$(dirname "$0")/../.." || exit
: "${B:=$PWD/build}" "${CC:=cc}"
export B CC LC_ALL=C PATH="$B/bin:$B/tool:$PATH"
status=0

# shellcheck disable=SC2046	# names of our own
[ $# -gt 0 ] || set -- $(basename -s .sh test/bench/*.sh | grep -vx run)
printf '%s, %s x %s, Linux %s\n\n' "$(date +%F)" "$(nproc)" \
	"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" "$(uname -r)"
rows=$(mktemp) || exit
trap 'rm -f "$rows"' EXIT
printf 'WHAT\tAGAINST\tMEASURED\tREACH\n' >"$rows"
for name; do
	[ ! -t 2 ] || printf '%s ...\r' "$name" >&2
	"test/bench/$name.sh" >>"$rows" || { echo "bench: $name: status $?" >&2; status=1; }
done
column -t -s $'\t' <"$rows"
exit $status
