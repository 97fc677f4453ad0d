#!/bin/bash
# Run the commands of a transcript one after another in one shell, as a reader
# types them, and compare what they print: transcript.bash FILE, where FILE is
# what test/transcript.awk made.
#
# Each command must end with 0, unless "echo $?" follows and shows its status.
# Times, incarnations and process ids may differ; "..." stands for any text, and
# on a line of its own for any lines.  A command without output in the
# transcript may print anything.
set -u
printed=$(mktemp) || exit
trap 'rm -f "$printed"' EXIT
# the caller's timeout; it may come while a command has stdout
exec {stdout}>&1
trap 'exec >&"$stdout"; printf "still running: %s\n" "$cmd"; cat "$printed"; exit 124' TERM
export PAGER=cat SYSTEMD_PAGER=cat

# What differs from run to run, as one word each; columns as one blank.
same() {
	sed -E 's/[0-9]+ (s|min|h|d) ago/TIME/g; s/[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(Z|\+0000)?/TIME/g; s/[0-9a-f]{8}-[0-9]+-[0-9]+|[0-9a-f]{32}/INCARNATION/g
		s/process [0-9]+/process PID/g; s/[0-9]+(\.[0-9]+)? ?(ms|s)\b/DURATION/g; s/[ \t]+/ /g; s/ $//'
}

# like EXPECTED PRINTED - a pattern of the shell, made from the text
like() {
	local pattern=''
	pattern=$(same <<<"$1" | sed -E 's/[][\\*?]/\\&/g; s/\.\.\./*/g')
	# shellcheck disable=SC2053	# a pattern
	[[ $(same <<<"$2") == $pattern ]]
}

last=0 n=0 cmd=''
while IFS= read -r -d '' cmd && IFS= read -r -d '' expected; do
	n=$((n + 1))
	if [ "$last" -ne 0 ] && [ "$cmd" != "echo \$?" ]; then
		printf 'status %s of: %s\n' "$last" "$before"
		cat "$printed"
		exit 1
	fi
	# on a terminal, what goes from tool to tool is no table
	if [[ $cmd == *rejoin-*'|'*rejoin-* ]]; then
		unset REJOIN_FORMAT
	else
		export REJOIN_FORMAT=table
	fi
	(exit "$last")
	eval "$cmd" >"$printed" 2>&1 </dev/null
	last=$?
	before=$cmd
	if [ -n "$expected" ] && ! like "${expected%$'\n'}" "$(cat "$printed")"; then
		printf 'command: %s\nexpected:\n%sprinted:\n%s\n' "$cmd" "$expected" "$(cat "$printed")"
		exit 1
	fi
done <"$1"
[ "$last" -eq 0 ] || { printf 'status %s of: %s\n' "$last" "$before"; cat "$printed"; exit 1; }
[ "$n" -gt 0 ] || { echo 'no command in it'; exit 1; }
echo "$n commands"
