# shellcheck disable=SC2154	# run sets status and stderr; start sets *_pid
# What a second local user, and the user of the handlers, can do to the agent.
load helper
load goal
load hostile

setup() {
	begin
	needs_hostile
	mkdir dev up
	echo '{"version":"1.0"}' >dev/fw.json
	echo '{"components":[]}' >"$REJOIN_CONFIG_DIR/inventory.json"
	printf '%s\n' '[agent]' "goal = file:$PWD/goal.json" 'allow-unsigned = yes' 'handler-user = nobody' \
		'script-timeout = 10s' >"$REJOIN_CONFIG_DIR/agent.conf"
	run_dir=$REJOIN_RUNTIME_DIR/agent state=$REJOIN_STATE_DIR/agent
	chmod 777 dev
}

status_of() { sed -n "s/^$1=//p" "$run_dir/status" 2>/dev/null; }

# deploy ID COMMANDS - a step for the host whose script runs COMMANDS in every action, and may say CODE
deploy() {
	cat >up/install.sh <<-EOF
	#!/bin/sh
	while [ \$# -gt 0 ]; do
		case \$1 in
		--action-*) action=\${1#--action-} ;;
		--work-folder) work=\$2 ;;
		--result-file) result=\$2 ;;
		esac
		shift
	done
	say() { printf '{"resultCode":%d,"extendedResultCode":0}' \$1 >"\$result"; exit 0; }
	$2
	case \$action in
	is-installed) [ -e $PWD/dev/done ] && say 900; say 901 ;;
	download) say 500 ;;
	install) touch $PWD/dev/done; say 600 ;;
	apply) say 700 ;;
	esac
	EOF
	goal_forget
	goal_file up/install.sh
	goal_manifest device '{}' '{"handler":"microsoft/script:1","files":["f-install.sh"],"handlerProperties":{"scriptFileName":"install.sh"}}' >up/manifest.json
	goal "$1" up/manifest.json >goal.json
}
once() { run --separate-stderr timeout -k 1 30 rejoin-agent --once; }

@test "another user can neither lock, nor read a request in, nor write what is the agent's" {
	deploy w1 ''
	start agent rejoin-agent
	wait_for '[ "$(status_of state)" = idle ] && [ -e dev/done ]'
	# what can be opened can be locked
	for file in "$run_dir"/{lock,busy,commands.fifo} "$state"/{lock,journal.jsonl,attempts.jsonl,twins/desired.json}; do
		[ -e "$file" ]
		run as_hostile perl -e 'open F, "<", $ARGV[0] or exit 9; exit 0' "$file"
		status_is 9
		run as_hostile perl -e 'open F, ">>", $ARGV[0] or exit 9; exit 0' "$file"
		status_is 9
	done
	for dir in "$run_dir" "$state" "$state"/{twins,cache,runs}; do
		run as_hostile touch "$dir/planted"
		[ "$status" -ne 0 ]
		run as_hostile mv "$dir" "$dir.moved"
		[ "$status" -ne 0 ]
	done
	run as_hostile kill "$agent_pid"
	[ "$status" -ne 0 ]
	alive "$agent_pid"
}

@test "state and runtime directories that another user has planted are refused" {
	deploy w1 ''
	for dir in "$state" "$run_dir" "$state/runs" "$state/twins" "$state/cache"; do
		rm -rf "$state" "$run_dir"
		mkdir -p "$dir"
		chown "$HOSTILE_UID" "$dir"
		once
		status_is 7
		err_has "owned by uid $HOSTILE_UID"
		[ ! -e dev/done ]
	done
	rm -rf "$state" "$run_dir"
	mkdir -p "$run_dir"
	mkfifo -m 666 "$run_dir/commands.fifo"
	chown "$HOSTILE_UID" "$run_dir/commands.fifo"
	once
	status_is 7
}

@test "a handler below a directory of another user is not run, whatever links and renames lead there" {
	mkdir theirs
	chown "$HOSTILE_UID" theirs
	as_hostile sh -c "mkdir theirs/d && printf '#!/bin/sh\ntouch $PWD/dev/pwned\n' >theirs/d/own_handler && chmod 755 theirs/d/own_handler"
	goal_forget
	goal_manifest device '{}' '{"handler":"own/handler","files":[],"handlerProperties":{}}' >up/manifest.json
	goal w1 up/manifest.json >goal.json
	# the file itself is root's in the second and third: only what leads to it is not
	for how in link parent file; do
		rm -rf "$REJOIN_CONFIG_DIR/handlers.d" && mkdir "$REJOIN_CONFIG_DIR/handlers.d"
		case $how in
		link) ln -s "$PWD/theirs/d/own_handler" "$REJOIN_CONFIG_DIR/handlers.d/own_handler" ;;
		parent) chown -R 0 theirs/d; rmdir "$REJOIN_CONFIG_DIR/handlers.d"; ln -s "$PWD/theirs/d" "$REJOIN_CONFIG_DIR/handlers.d" ;;
		file) chown -R 0 theirs; cp theirs/d/own_handler "$REJOIN_CONFIG_DIR/handlers.d/"; chmod 777 "$REJOIN_CONFIG_DIR/handlers.d/own_handler" ;;
		esac
		once
		status_is 1
		[ ! -e dev/pwned ]
	done
}

@test "the handlers' user cannot type into the agent's terminal" {
	needs script
	deploy w1 'perl -e '"'"'my $c = "x"; for my $t ("/dev/tty", glob("/dev/pts/*")) { open F, "+<", $t or next; print "opened $t\n" if ioctl(F, 0x5412, $c); }'"'"' >>'"$PWD"'/dev/typed'
	script -qec 'timeout -k 1 30 rejoin-agent --once' /dev/null </dev/null >typescript
	[ -e dev/done ]
	[ -e dev/typed ] && [ ! -s dev/typed ]
}

@test "a result that is a link, a FIFO or a device is none, and nothing of root's is read or changed" {
	echo '{"resultCode":600,"extendedResultCode":0,"resultDetails":"secret"}' >root.json
	chmod 600 root.json
	before=$(stat -c '%u %g %a %Y' root.json)
	for plant in "ln -s $PWD/root.json" 'mkfifo' 'mkdir'; do
		rm -rf "$state" dev/done
		deploy w1 "[ \$action = install ] && { rm -f \"\$result\"; $plant \"\$result\"; exit 0; }"
		once
		status_is 1
		run grep -q secret "$state/journal.jsonl"
		status_is 1
		[ "$(jq '.rejoin.results[0].resultCode' "$state/twins/current.json")" = 0 ]
	done
	[ "$(stat -c '%u %g %a %Y' root.json)" = "$before" ]
}

@test "a script that is swapped between its check and its use is not run as another, and gives nothing away" {
	echo root >root.txt
	chmod 600 root.txt
	before=$(stat -c '%u %g %a' root.txt)
	# the handlers' user replaces names in its work folder for as long as it runs
	deploy w1 '[ $action = download ] && { rm -f "$work/install.sh"; ln -s '"$PWD"'/root.txt "$work/install.sh"; ln -s '"$PWD"'/root.txt "$work/more"; say 500; }'
	once
	status_is 1
	err_has 'install.sh is no file of the work folder'
	[ ! -e dev/done ]
	[ "$(stat -c '%u %g %a' root.txt)" = "$before" ]
	[ "$(cat root.txt)" = root ]
}
