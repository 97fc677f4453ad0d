load helper

# The examples of each page are run unchanged and in order, with the files that they
# name.  An example must exit with 0, or with a status that expected() lists for it:
# there is no agent here.  124: it runs until it is stopped, and is, after 1 s.

expected() {
	case $1 in
	systemctl*) echo 0 ;;
	*'rejoin-installed '*--missing*' -') echo '0 1' ;;
	*'rejoin-watch -1'*) echo '0 1' ;;
	*'rejoin-watch'* | 'rejoin-log -f'* | 'rejoin-taskd'* | *'rejoin-ready gate'* | 'rejoin-task device7'*) echo 124 ;;
	'rejoin-agent --verify'*) echo '0 7' ;;
	*'rejoin-doctor'* | 'rejoin doctor') echo '0 1' ;;
	*'rejoin-restart --dry-run'* | *'rejoin-retry --dry-run'*) echo '0 5' ;;
	'rejoin-restart -A'*) echo '3 5' ;;
	'rejoin-retry'* | 'rejoin status') echo 5 ;;
	'rejoin-task attach'*) echo 3 ;;
	*) echo 0 ;;
	esac
}

# The files and programs that examples name.
prepare() {
	local c=$REJOIN_CONFIG_DIR
	mount -t tmpfs tmpfs /srv && mount -t tmpfs tmpfs /var/log && mount -t tmpfs tmpfs /var/lib || return
	mkdir -p /srv/updates /srv/build /var/log/demo /var/log/adu /var/lib/demo /var/lib/rejoin/restart /var/lib/rejoin/agent bin motor front
	# a profile called adu, of an agent that does not need a user of its own
	sed 's/^user = .*//; s/^group = .*//' "$TOP/packaging/agents.d/adu.conf" >"$c/agents.d/adu.conf"
	printf '[agent]\nallow-unsigned = yes\nhandler-user = %s\n' "$(id -un)" >"$c/agent.conf"
	printf '{"version":"1.0"}' >motor/firmware.json
	cat >inventory.json <<-END
	{"components":[{"id":"motor-0","group":"motors","manufacturer":"contoso","model":"lamp",
	 "properties":{"path":"$PWD/motor","firmwareDataFile":"firmware.json"}},
	 {"id":"cam","group":"cameras","manufacturer":"fabrikam","version":"1.0"}]}
	END
	cp inventory.json "$c/inventory.json"
	cat >motor.sh <<-'END'
	#!/bin/sh
	while [ $# -gt 0 ]; do [ "$1" != --result-file ] || r=$2; shift; done
	echo '{"resultCode":900}' >"$r"
	END
	chmod +x motor.sh
	cp motor.sh install.sh
	echo firmware >lamp-3.bin
	echo '{"version":"2.0"}' >firmware-2.json
	rejoin-goal make --dir /srv/updates --step rejoin/copy:1 '{"group":"motors"}' firmware-2.json --criteria 2.0 \
		--arguments '--file firmware-2.json --to --component-prop-val path --as firmware.json' || return
	cp /srv/updates/* .
	cp "$TOP"/packaging/examples/{front.log,back.log,requests.rules} . || return
	printf '2026-01-05T10:00:00Z POST /x id=7f\n' | gzip >front/a.log.gz
	printf '2026-01-05T10:00:01Z handling 7f\n' | tee app.log agent.err >/var/log/demo/a.log
	printf '2026-01-05T10:00:01.0000Z 1[1] [W] x [f:1]\n' >/var/log/adu/du-agent.1.log
	printf '{"id":1,"time":"2026-01-05T10:00:00Z","phase":"apply","resultCode":700}\n' >/var/lib/rejoin/agent/journal.jsonl
	printf '{"time":"2026-01-05T10:00:00Z","outcome":"restarted","reason":"x"}\n' >/var/lib/rejoin/restart/adu.jsonl
	# only our units may be named, and none runs; a page that is shown must exist
	cat >bin/systemctl <<-END
	#!/bin/sh
	[ "\$1" != show ] || { printf 'LoadState=loaded\nActiveState=inactive\nSubState=dead\n'; exit; }
	for u; do case \$u in rejoin-*) f=\${u%%@*}; [ "\$f" = "\$u" ] || f=\$f@.\${u##*.}
		[ -e "$TOP/packaging/systemd/\$f.in" ] || { echo "no unit \$u" >&2; exit 1; };; esac; done
	END
	printf '#!/bin/sh\n[ -e "$1" ]\n' >bin/man
	# the other machine is unreachable
	printf '#!/bin/sh\nexit 255\n' >bin/ssh
	printf '#!/bin/sh\necho rain\nsleep 60\n' >bin/forecasts
	printf '#!/bin/sh\ncat\n' >bin/send-to-lamp
	chmod +x bin/*
	PATH=$PWD/bin:$PATH
	case $1 in *rejoin-task.1)
		rejoin-taskd >/dev/null 2>&1 &
		taskd=$!
		until rejoin-task list >/dev/null 2>&1; do kill -0 $taskd && sleep 0.1 || return; done ;;
	esac
}

# run_example COMMAND - in this shell, so that what it sets is there for the next
run_example() {
	local status=0 want
	want=$(expected "$1")
	bash -n -c "$1" || { echo "not a command: $1"; return 1; }
	if [ "$want" = 124 ]; then
		timeout -k 1 1 bash -c "$1" >out 2>err </dev/null || status=$?
	else
		eval "$1" >out 2>err </dev/null || status=$?
	fi
	[[ " $want " == *" $status "* ]] && ! grep -E "hint: (try|did you)" err && return
	printf 'example: %s\nstatus %s, expected %s\n%s\n' "$1" "$status" "$want" "$(tail -5 err)"
	return 1
}

run_examples() {
	local command bad=0 taskd=
	prepare "$1" >/dev/null || return
	while IFS= read -r -d '' -u 8 command; do
		run_example "$command" || bad=1
	done 8< <(mandoc -Tascii -O width=300 "$1" | col -bx | awk -f "$TOP/test/examples.awk")
	[ -z "$taskd" ] || { kill "$taskd"; wait "$taskd"; }
	return $bad
}
export -f expected prepare run_example run_examples
export TOP

# run_page PAGE - in a directory, with toolkit directories and mounts of its own
run_page() {
	local home
	home=$PWD/$(basename "$1")
	mkdir "$home" "$home/work"
	cp -r "$REJOIN_CONFIG_DIR" "$home/etc"
	export REJOIN_CONFIG_DIR=$home/etc REJOIN_STATE_DIR=$home/state REJOIN_RUNTIME_DIR=$home/run
	cd "$home/work" && own-mounts bash -c 'run_examples "$1"' - "$1" >"$home/log" 2>&1
}

# All at once: most examples wait.
@test "the examples of the pages can be copied and run" {
	needs mandoc col jq
	local page bad=0 pids=()
	own-mounts true 2>/dev/null || cannot 'no mount namespace can be made here'
	for page in "$TOP"/man/*.[1578]; do
		run_page "$page" 3>&- 4>&- &
		pids+=($!)
	done
	for page in "$TOP"/man/*.[1578]; do
		wait "${pids[0]}" || { bad=1; echo "--- ${page##*/}"; cat "${page##*/}/log"; }
		pids=("${pids[@]:1}")
	done
	[ "$bad" -eq 0 ]
}

# In a directory as of run_page: its first example, with what it prints.
run_first_update() {
	prepare "$1" >/dev/null || return
	printf '{"version":"1.0"}' >motor/firmware.json
	cat >"$REJOIN_CONFIG_DIR/inventory.json" <<-END
	{"components":[
	 {"id":"motor-0","group":"motors","properties":{"path":"$PWD/motor","firmwareDataFile":"firmware.json"}},
	 {"id":"motor-1","group":"motors","properties":{"path":"$PWD/away","firmwareDataFile":"firmware.json"}}]}
	END
	mandoc -Tascii -O width=300 "$1" | col -bx | sed -n '/# cat .*agent.conf/,/^$/s/^ \{11\}//p' >shown
	# the user differs where the tests do not run as root
	sed -n '/^\[agent/,/^#/{/^#/!p;}' shown | sed "s/^handler-user = root/handler-user = $(id -un)/" >"$REJOIN_CONFIG_DIR/agent.conf"
	rejoin-agent --once 2>ran || return
	diff <(sed '1,/^# rejoin-agent --once/d; /^$/d' shown) ran && [ -s ran ]
}
export -f run_first_update

@test "the first update of rejoin-agent prints what its page shows" {
	needs mandoc col
	own-mounts true 2>/dev/null || cannot 'no mount namespace can be made here'
	mkdir agent agent/work
	cp -r "$REJOIN_CONFIG_DIR" agent/etc
	export REJOIN_CONFIG_DIR=$PWD/agent/etc REJOIN_STATE_DIR=$PWD/agent/state REJOIN_RUNTIME_DIR=$PWD/agent/run
	cd agent/work
	own-mounts bash -c 'run_first_update "$1"' - "$TOP/man/rejoin-agent.1"
}

# Each command of the section with what it prints; the page's directory is where packages put ours.
@test "the first merge of rejoin-log prints what its page shows" {
	needs mandoc col
	local line shown ran
	shown=$(mandoc -Tascii "$TOP/man/rejoin-log.1" | col -bx | sed -n '/^   A first merge/,/^   Terms/s/^ \{11\}//p')
	ran=$(cd "$TOP/packaging/examples" && while IFS= read -r line; do
		case $line in '$ '*) echo "$line" ;; esac
		case $line in '$ cd '*) ;; '$ '*) eval "${line#??}" ;; esac
	done <<<"$shown")
	[[ $shown == '$ cd /usr/share/rejoin/examples'*'$ rejoin-log '* ]]
	diff <(echo "$shown") <(echo "$ran")
}
