# shellcheck shell=bash
# For the walks: the calls of a traced run, as points at which one is killed or fails.

# walk_points LOG - "NAME N" a line: the Nth call of that name, as strace counts
# them, of each process and thread by itself
walk_points() {
	sed -n 's/^\([0-9]*\) *\([a-z0-9_]*\)(.*/\2 \1x/p' "$1" | awk '{ $0 = $1 " " ++n[$1, $2] } !seen[$0]++'
}

# walk_step TOTAL MAX - which distance between points makes MAX of TOTAL; 1 with SOAK
walk_step() {
	if [ -n "${SOAK-}" ] || [ "$1" -le "$2" ]; then echo 1; else echo $((($1 + $2 - 1) / $2)); fi
}
