#!/bin/bash
# Let each system call of a command fail once with each error that it can have,
# one run an error, and see each time what came of it.
#
#	errorwalk.sh CALLS BEFORE COMMAND AFTER
#
# CALLS are strace's, by commas.  COMMAND is words, BEFORE and AFTER are shell
# text.  AFTER must succeed; it finds the status of the run in walk_status and
# what it wrote to stderr in the file walk_stderr names.  A run that dies of a
# signal, or takes longer than 120 s, is bad in any case, and so is a failure
# (a status that is not 0 or 1) without a word.  ERRORWALK_MAX evenly spaced
# points at most (16), all of them with SOAK=1.  Calls of the loader are left out.
# With ERRORWALK_ALL each bad point is printed, and the walk goes on.  ERRORWALK_PART
# N/M takes the Nth of M parts of the points, for M walks at once: by call and number, as
# each walk traces a run of its own, and one that waits longer has more calls.
set -u
# shellcheck source=/dev/null
. "$(dirname "$0")/points.bash"
walk_calls=$1 walk_before=$2 walk_command=$3 walk_after=$4
: "${ERRORWALK_MAX:=16}"
log=$(mktemp) walk_stderr=$(mktemp) || exit
export walk_stderr walk_status=0
trap 'rm -f "$log" "$walk_stderr"' EXIT

# errors_of CALL
errors_of() {
	case $1 in
	open | openat) echo EMFILE ENFILE ENOMEM EACCES EINTR EIO ENOSPC ;;
	read | pread64 | readv) echo EIO EINTR ;;
	write | pwrite64 | writev | copy_file_range | ftruncate | fallocate) echo ENOSPC EIO EINTR EDQUOT ;;
	fsync | fdatasync | syncfs) echo EIO ENOSPC ;;
	rename* | link* | symlink* | mkdir* | mknod*) echo ENOSPC EIO EACCES ;;
	unlink* | rmdir | fchmod* | chmod | fchown*) echo EIO EACCES ;;
	clone* | fork | vfork) echo EAGAIN ENOMEM ;;
	pipe2 | socket | socketpair | eventfd2 | epoll_create1 | inotify_init1 | timerfd_create | signalfd4) echo EMFILE ENOMEM ;;
	inotify_add_watch) echo ENOSPC ENOMEM EACCES ;;
	getdents64) echo EIO ENOMEM ;;
	fcntl | flock) echo ENOLCK EINTR ;;
	connect | sendto | sendmsg) echo EAGAIN EINTR ECONNREFUSED ;;
	*) echo EIO ENOMEM ;;
	esac
}

eval "$walk_before"
# shellcheck disable=SC2086	# the command is words
strace -qq -e trace="$walk_calls" -o "$log" $walk_command || exit
walk_status=0
eval "$walk_after" || { echo "errorwalk: fails without an error"; exit 1; }

# "CALL N ERROR"; the loader is through when it has mapped the last library
loader=$(grep -n 'openat(AT_FDCWD, "/[a-z/0-9_-]*lib[^"]*\.so[.0-9]*"' "$log" | tail -1 | cut -d: -f1)
points=$(walk_points "$log" | awk -v skip="$(head -n "${loader:-0}" "$log" |
	sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' | sort | uniq -c | tr '\n' ' ')" '
	BEGIN { k = split(skip, s, " "); for (i = 1; i < k; i += 2) n[s[i + 1]] = s[i] }
	$2 > n[$1]' | while read -r name n; do
	for error in $(errors_of "$name"); do echo "$name $n $error"; done
done)
part=${ERRORWALK_PART:-1/1}
points=$(awk -v part="${part%/*}" -v of="${part#*/}" '
	$1 $2 != last { last = $1 $2; k = 0 }
	($2 + length($1) + k++) % of == part - 1' <<<"$points")
total=$(wc -l <<<"$points")
step=$(walk_step "$total" "$ERRORWALK_MAX")

first=$((1 + (step > 1 ? RANDOM % step : 0)))
runs=0 bad=0
for ((i = first; i <= total; i += step)); do
	read -r name n error < <(sed -n "${i}p" <<<"$points")
	eval "$walk_before"
	# shellcheck disable=SC2086
	timeout -s KILL 120 strace -qq -o /dev/null -e trace="$name" -e inject="$name:error=$error:when=$n" \
		$walk_command 2>"$walk_stderr"
	walk_status=$? runs=$((runs + 1)) why=''
	if [ "$walk_status" -ge 128 ]; then
		why="ended with status $walk_status"
	elif [ "$walk_status" -gt 1 ] && [ ! -s "$walk_stderr" ]; then
		why="status $walk_status without a word"
	elif ! eval "$walk_after"; then
		why="status $walk_status, and not as it should be afterwards"
	fi
	[ -n "$why" ] || continue
	bad=$((bad + 1))
	echo "errorwalk: $name number $n with $error: $why"
	sed 's/^/	/' "$walk_stderr" | tail -3
	[ -n "${ERRORWALK_ALL-}" ] || exit 1
done
echo "errorwalk: $runs of $total errors, $bad bad"
[ "$bad" -eq 0 ]
