# shellcheck disable=SC2154	# run sets status and stderr; start sets *_pid
# What a second local user can do to retry, ready, watch and status: locks,
# directories, ownership, links.
load helper
load hostile

setup() {
	begin
	needs_hostile
	rm -f "$REJOIN_CONFIG_DIR"/agents.d/*
	marks=$REJOIN_RUNTIME_DIR/retry/t
	echo '{"components":[{"id":"a","properties":{"path":"'"$PWD"'/a","firmwareDataFile":"v"}}]}' >inventory.json
	mkdir a public
	chmod 1777 public
	echo '{"version":"1"}' >a/v
	echo secret >private
	chmod 600 private
}

teardown() { end; }

profile() {
	{
		printf '[agent]\n%s\n[retry]\nmethod = fifo\npath = %s\n' "$owner" "${pipe:-$PWD/pipe}"
		printf 'frame = adu64\ncommand = retry-update\ndebounce = 0ms\n'
		printf '%s\n' "$@"
	} >"$REJOIN_CONFIG_DIR/agents.d/t.conf"
}
owner='description = t'

reader() {
	start reader adu-reader pipe counts
	wait_for '[ -p pipe ] && [ -e counts ]'
}
frames_are() { wait_for "[ \"\$(cut -d' ' -f1 counts)\" = $1 ]"; }

# lock_all DIR - hold a read lock, which any process that can read the file can take, on each file below DIR, of both kinds
lock_all() {
	cat >locker.pl <<-'END'
		use Fcntl qw(:flock F_SETLK F_RDLCK SEEK_SET);
		my @held;
		for my $path (@ARGV) {
			open my $f, "<", $path or next;
			flock $f, LOCK_SH | LOCK_NB;
			my $lock = pack("s s l! l! i", F_RDLCK, SEEK_SET, 0, 0, 0);
			fcntl $f, F_SETLK, $lock;
			push @held, $f;
		}
		$| = 1;
		print scalar(@held), "\n";
		sleep;
	END
	chmod a+rx . locker.pl
	local files
	mapfile -t files < <(find "$@" -type f)
	start locker setpriv --reuid="$HOSTILE_UID" --regid="$HOSTILE_UID" --clear-groups perl locker.pl "${files[@]}"
	wait_for '[ -s locker.out ]'
}

# closed_to_others PATH... - neither opened for writing, nor replaced, nor added to
closed_to_others() {
	local path
	for path; do
		[ -e "$path" ]
		run as_hostile mv "$path" "$path.moved"
		[ "$status" -ne 0 ]
		if [ -d "$path" ]; then
			run as_hostile touch "$path/planted"
		else
			run as_hostile perl -e 'open F, ">>", $ARGV[0] or exit 9' "$path"
		fi
		[ "$status" -ne 0 ]
	done
}

@test "retry: locks of another user on all that it can read hold nothing back" {
	profile
	reader
	rejoin-retry -A t
	rejoin-retry -A t --queue --reason waiting
	lock_all "$REJOIN_RUNTIME_DIR" "$REJOIN_CONFIG_DIR"
	run --separate-stderr timeout 20 rejoin-retry -A t --drain
	status_is 0
	for i in 1 2 3; do rejoin-retry -A t; done
	frames_are 5
	closed_to_others "$marks" "$marks/lock" "$REJOIN_RUNTIME_DIR/retry"
}

@test "retry: a planted directory of requests is refused, as a link, a file, another user's or open to all" {
	profile
	reader
	mkdir -p "$REJOIN_RUNTIME_DIR/retry"
	for how in link file theirs open; do
		rm -rf "$marks"
		case $how in
		link) ln -s "$PWD/public" "$marks" ;;
		file) : >"$marks" ;;
		theirs) mkdir "$marks"; chown "$HOSTILE_UID" "$marks" ;;
		open) mkdir -m 777 "$marks" ;;
		esac
		for mode in '' --queue --drain --wait; do
			run --separate-stderr timeout 20 rejoin-retry -A t $mode
			[ "$mode" = --wait ] && [ "$status" -eq 2 ] || status_is 7
			[[ $stderr == *"$marks"* || $stderr == *'--wait is'* ]]
		done
	done
	[ -z "$(find public -type f)" ]
	[ "$(cat counts)" = '0 0 0' ]
}

@test "retry: in the group's directory a member's links, pipes and directories change nothing of root's" {
	owner=$'user = daemon\ngroup = daemon'
	profile
	mkfifo -m 660 pipe
	chown daemon:daemon pipe
	start reader sh -c 'exec 3<>pipe; exec cat <&3 >taken'
	rejoin-retry -A t
	member() { setpriv --reuid="$HOSTILE_UID" --regid="$HOSTILE_UID" --groups="$(id -g daemon)" -- "$@"; }
	before=$(stat -c '%a %u %g %s %Y' private)
	for name in pending sending lock delivered again again-sending; do
		for kind in link fifo directory hard; do
			find "$marks" -mindepth 1 -delete
			case $kind in
			link) member ln -s "$PWD/private" "$marks/$name" ;;
			fifo) member mkfifo "$marks/$name" ;;
			directory) member mkdir "$marks/$name" ;;
			hard) ln private "$marks/$name" ;;	# fs.protected_hardlinks forbids it to the member
			esac
			run --separate-stderr timeout 20 rejoin-retry -A t
			# refused with the reason, or not in the way
			[ "$status" -eq 7 ] || [ "$status" -eq 0 ] || { echo "$name $kind: $status $stderr"; false; }
			[ "$status" -eq 0 ] || [[ $stderr == *"$marks/"* ]] || { echo "$name $kind: $stderr"; false; }
			find "$marks" -mindepth 1 -delete
			[ "$(stat -c '%a %u %g %s %Y' private)" = "$before" ]
			[ "$(cat private)" = secret ]
		done
	done
	run --separate-stderr rejoin-retry -A t
	status_is 0
}

@test "retry: the pipe of another user, in a place that all can write to, gets nothing" {
	pipe=$PWD/public/pipe
	profile
	as_hostile mkfifo -m 666 public/pipe
	start thief setpriv --reuid="$HOSTILE_UID" --regid="$HOSTILE_UID" --clear-groups sh -c 'cat public/pipe'
	run --separate-stderr timeout 20 rejoin-retry -A t
	status_is 7
	err_has public/pipe
	[ ! -s thief.out ]
	rm public/pipe
	# a link to root's own file, and a regular file, are no pipe
	for target in "$PWD/private" /dev/null; do
		as_hostile ln -s "$target" public/pipe
		run --separate-stderr timeout 20 rejoin-retry -A t
		status_is 7
		rm public/pipe
	done
	[ "$(cat private)" = secret ]
	[ -e "$marks/pending" ]
}

@test "ready: locks of another user on all that it can read keep no cycle and no announcement" {
	rejoin-ready announce lamp
	rejoin-ready run lamp --incarnation one --grace 0s -- sh -c 'echo one >>cycles'
	lock_all "$REJOIN_RUNTIME_DIR" "$REJOIN_STATE_DIR"
	timeout 20 rejoin-ready announce lamp
	run --separate-stderr timeout 20 rejoin-ready run lamp --incarnation two --grace 0s -- sh -c 'echo two >>cycles'
	[ "$(paste -sd, cycles)" = one,two ]
	timeout 20 rejoin-ready forget lamp
	closed_to_others "$REJOIN_STATE_DIR/ready" "$REJOIN_STATE_DIR/ready/lamp" "$REJOIN_STATE_DIR/ready/lamp/lock"
	closed_to_others "$REJOIN_RUNTIME_DIR/ready" "$REJOIN_RUNTIME_DIR/ready/lamp"
	run as_hostile env REJOIN_RUNTIME_DIR="$REJOIN_RUNTIME_DIR" "$B/bin/rejoin-ready" announce lamp
	status_is 7
	rejoin-ready announce lamp
	run as_hostile env REJOIN_RUNTIME_DIR="$REJOIN_RUNTIME_DIR" "$B/bin/rejoin-ready" forget lamp
	[ "$status" -ne 0 ]
}

@test "ready: planted directories and records are refused, and nothing is written through a link" {
	for dir in "$REJOIN_RUNTIME_DIR/ready/lamp" "$REJOIN_STATE_DIR/ready/lamp"; do
		for how in link theirs open; do
			rm -rf "$REJOIN_RUNTIME_DIR/ready" "$REJOIN_STATE_DIR/ready"
			mkdir -p "${dir%/*}"
			case $how in
			link) ln -s "$PWD/public" "$dir" ;;
			theirs) mkdir "$dir"; chown "$HOSTILE_UID" "$dir" ;;
			open) mkdir -m 777 "$dir" ;;
			esac
			run --separate-stderr timeout 20 sh -c 'rejoin-ready announce lamp && rejoin-ready run lamp --grace 0s -- touch ran'
			[ "$status" -ne 0 ] || { echo "$dir $how: accepted"; false; }
			[[ $stderr == *lamp* ]]
		done
	done
	[ ! -e ran ]
	[ -z "$(find public -mindepth 1)" ]
	# a record that is a link, a pipe or a directory
	for kind in link fifo directory; do
		rm -rf "$REJOIN_RUNTIME_DIR/ready" "$REJOIN_STATE_DIR/ready"
		mkdir -p "$REJOIN_RUNTIME_DIR/ready/lamp"
		case $kind in
		link) ln -s "$PWD/private" "$REJOIN_RUNTIME_DIR/ready/lamp/announced" ;;
		fifo) mkfifo "$REJOIN_RUNTIME_DIR/ready/lamp/announced" ;;
		directory) mkdir "$REJOIN_RUNTIME_DIR/ready/lamp/announced" ;;
		esac
		run --separate-stderr timeout 20 rejoin-ready wait lamp --grace 0s
		[ "$status" -ne 124 ]
		[[ $output != *start* ]] || { echo "$kind: $output"; false; }
		[ "$(cat private)" = secret ]
	done
}

@test "watch: locks of another user, and what it plants beside the state file" {
	rejoin-watch -1 --state w.json inventory.json >/dev/null || true
	lock_all "$PWD/w.json" "$PWD/w.json.lock" "$PWD/inventory.json"
	mv a b
	run --separate-stderr timeout 20 rejoin-watch -1 --state w.json inventory.json
	status_is 1
	mv b a
	run --separate-stderr timeout 20 rejoin-watch -1 --state w.json inventory.json
	status_is 0
	[[ $output == *arrived* ]]
	closed_to_others w.json w.json.lock
	# in a place where it may write, its file is not the state, and no link is written through
	for kind in file link lock; do
		rm -rf public/*
		case $kind in
		file) as_hostile sh -c 'echo "{}" >public/w.json' ;;
		link) as_hostile ln -s "$PWD/private" public/w.json ;;
		lock) as_hostile ln -s "$PWD/private" public/w.json.lock ;;
		esac
		run --separate-stderr timeout 20 rejoin-watch -1 --state public/w.json inventory.json
		[ "$status" -ge 2 ] || { echo "$kind: $status $output $stderr"; false; }
		[[ $stderr == *public/w.json* ]]
		[ "$(cat private)" = secret ]
	done
}

@test "watch: a tree in which another user makes links, pipes and many directories" {
	needs inotifywait
	start watch rejoin-watch -v --all --tree public --settle 50ms --rescan 0s inventory.json
	wait_for 'grep -q monitoring watch.err'
	as_hostile sh -c 'cd public && ln -s . loop && ln -s /proc proc && mkfifo pipe && mkdir -p d/d/d/d/d &&
		for i in $(seq 200); do mkdir "x$i"; done; printf "\033[2J" >"$(printf "n\nl\033")"'
	mv a b
	as_hostile touch public/go
	wait_for 'grep -q "\"departed\"" watch.out'
	run grep '"arrived"' watch.out
	status_is 1
	mv b a
	as_hostile touch public/go2
	wait_for 'grep -q "\"arrived\"" watch.out'
	alive "$watch_pid"
	# an inventory of its that names a program is not used
	as_hostile sh -c "echo '{\"components\":[{\"id\":\"x\",\"probe\":[\"touch\",\"$PWD/public/ran\"]}]}' >public/inventory.json"
	run --separate-stderr timeout 20 rejoin-watch -1 --state w2.json public/inventory.json
	[ "$status" -ne 0 ] && [ "$status" -ne 1 ]
	[ ! -e public/ran ]
}

@test "status: a status file of another user, as a link, a pipe, endless, or that names root's files" {
	profile '[status]' 'method = file' "path = $PWD/public/status"
	for kind in report link fifo large device directory; do
		rm -rf public/status
		case $kind in
		report) as_hostile sh -c "printf 'state=idle\npid=1\nreport=$PWD/private\nnote=x\033[2J\n' >public/status" ;;
		link) as_hostile ln -s "$PWD/private" public/status ;;
		fifo) as_hostile mkfifo public/status ;;
		large) as_hostile sh -c 'head -c 3000000 /dev/zero >public/status' ;;
		device) as_hostile ln -s /dev/zero public/status ;;
		directory) as_hostile mkdir public/status ;;
		esac
		run --separate-stderr timeout 20 rejoin-status -A t --json
		[ "$status" -ne 124 ] && [ "$status" -ne 0 ] || { echo "$kind: $status $output"; false; }
		[[ $output$stderr != *secret* && $output != *$'\033'* ]]
	done
	# and what it locks
	rm -rf public/status
	printf 'state=idle\npid=1\n' >public/status
	lock_all "$PWD/public/status" "$REJOIN_CONFIG_DIR"
	run --separate-stderr timeout 20 rejoin-status -A t --json
	[ "$status" -ne 124 ]
}

@test "status: a busy-path that another user fills, and its links" {
	profile '[status]' 'method = busy-path' "busy-path = $PWD/public/*"
	as_hostile sh -c 'cd public && for i in $(seq 500); do ln -s / "l$i"; done && mkdir -m 000 closed && mkfifo pipe'
	run --separate-stderr timeout 20 rejoin-status -A t --json
	[ "$status" -ne 124 ]
	[[ $output != *'"state":"idle"'* ]]
}
