# rejoin-doctor for all that is configured here: which agents, their configuration,
# goal, logs and journal; and the bundle of a bug report.
load helper

setup() {
	begin
	cp -r "$TOP/packaging/formats.d" "$REJOIN_CONFIG_DIR/"
	unset REJOIN_AGENT
	rm -f "$REJOIN_CONFIG_DIR"/agents.d/*
}

teardown() { end; }

# agent NAME LINE... - a profile
agent() { printf '%s\n' "${@:2}" >"$REJOIN_CONFIG_DIR/agents.d/$1.conf"; }

doctor() { run --separate-stderr rejoin-doctor "$@"; }

# found FILTER - a finding for which the jq program is true
found() {
	jq -se "any(.[]; $1)" <<<"$output" >/dev/null ||
		{ printf 'no finding: %s\nof:\n%s\n' "$1" "$output"; return 1; }
}

# none FILTER - no finding for which it is true
none() {
	jq -se "any(.[]; $1) | not" <<<"$output" >/dev/null ||
		{ printf 'a finding: %s\nof:\n%s\n' "$1" "$output"; return 1; }
}

# lacks PATTERN FILE
lacks() {
	if grep -E -- "$1" "$2"; then return 1; fi
}

# a journalctl that answers with the lines of the files lag and suppressed
fake_journal() {
	mkdir -p fake
	cat >fake/journalctl <<-'END'
		#!/bin/sh
		case "$*" in
		*MESSAGE_ID=*) cat "${0%/*}/suppressed" ;;
		*) cat "${0%/*}/lag" ;;
		esac
	END
	chmod +x fake/journalctl
	: >fake/suppressed
	printf '{"_SOURCE_REALTIME_TIMESTAMP":"%d","__REALTIME_TIMESTAMP":"%d"}\n' 1000000 1000500 2000000 2000900 >fake/lag
	PATH=$PWD/fake:$PATH
}

@test "without arguments: each agent that is configured, and the machine once" {
	agent one '[agent]' 'description = the first'
	agent two '[agent]' 'description = the second'
	doctor
	[ "$(jq -r 'select(.check == "marks").agent' <<<"$output" | sort | paste -sd' ')" = 'one two' ]
	[ "$(jq -r 'select(.check == "limits").object' <<<"$output" | sort | uniq -d)" = '' ]
	found '.check == "limits" and (has("agent") | not)'
	# nothing of the default, which was not chosen
	found '.agent == "one"'
	none '.agent == "rejoin"'
	# the default, if it was chosen
	REJOIN_AGENT=two doctor
	[ "$(jq -r 'select(.check == "marks").agent' <<<"$output" | paste -sd' ')" = 'two one' ]
	# our own agent is configured by its agent.conf
	printf '[agent]\n' >"$REJOIN_CONFIG_DIR/agent.conf"
	doctor
	found '.agent == "rejoin"'
	# for a person, below the names
	doctor --format table
	[[ $output == *$'one:\n'*$'\ntwo:\n'*$'\nthis machine:\n'* ]]
	# an agent that was chosen without a profile is a finding, and the others are checked
	REJOIN_AGENT=gone doctor
	status_is 1
	found '.agent == "gone" and .state == "fail" and (.advice | length > 0)'
	found '.agent == "one"'
	# and with an operand or -A it is one agent, as ever
	doctor marks
	[ "$(jq -r .agent <<<"$output" | paste -sd' ')" = rejoin ]
}

@test "profiles: which there are, which are here, which are configured" {
	agent here '[agent]' 'description = is here' '[retry]' 'method = fifo' "path = $PWD/pipe" 'frame = adu64' 'command = x'
	agent away '[retry]' 'method = fifo' "path = $PWD/none" 'frame = adu64' 'command = x'
	agent vague '[agent]' 'description = nothing to tell by'
	agent broken '[agent'
	agent program '[retry]' 'method = exec' 'argv = sh -c true'
	agent commanded '[retry]' 'method = exec' 'argv = systemctl restart no-such-unit-here.service'
	mkfifo pipe
	doctor profiles
	status_is 0
	found '.name == "here" and .here == true and .configured and .evidence == "'"$PWD"'/pipe"'
	found '.name == "away" and .here == false'
	found '.name == "vague" and .here == null'
	found '.name == "broken" and .here == null and (.error | contains("broken.conf"))'
	found '.name == "program" and .here == true and (.evidence | endswith("/sh"))'
	found '.name == "commanded" and .here == false'
	found '.name == "adu" and (.configured | not) and (.file | endswith("agents.d/adu.conf"))'
	doctor profiles --format table
	[[ $output == PROFILE*HERE*CONFIGURED* && $output == *'here '*' yes '*' yes '*'is here'* ]]
	doctor profiles extra
	status_is 2
	err_has "unexpected operand: 'extra'"
	doctor proflies
	status_is 2
	err_has "did you mean 'profiles'?"
}

@test "config: agent.conf and its goal" {
	printf '[agent]\ngaol = file:/x\n' >"$REJOIN_CONFIG_DIR/agent.conf"
	doctor config
	status_is 1
	found '.state == "fail" and (.what | contains("gaol")) and (.advice | length > 0)'
	printf '[agent]\nhandler-user = nobody\n' >"$REJOIN_CONFIG_DIR/agent.conf"
	doctor config
	status_is 0
	found '.state == "warn" and (.what | contains("names no goal"))'
	printf '[agent]\nhandler-user = nobody\ngoal = file:%s/goal.json\n' "$PWD" >"$REJOIN_CONFIG_DIR/agent.conf"
	doctor config
	status_is 1
	found '.state == "fail" and .what == "no such file: the agent has no deployment" and (.advice | contains("rejoin-goal make"))'
	echo '{' >goal.json
	doctor config
	status_is 1
	found '.state == "fail" and (.object | endswith("goal.json")) and (.advice | length > 0)'
	# a goal that is well but for its signature, and then wholly
	echo '{"version":"1.0"}' >fw.bin
	rm goal.json
	rejoin-goal make --dir . --step rejoin/copy:1 '{"group":"cameras"}' fw.bin --criteria 1.0 \
		--arguments '--file fw.bin'
	doctor config
	status_is 1
	found '.state == "fail" and (.object | contains("signature")) and (.advice | contains("rejoin-goal check"))'
	echo 'allow-unsigned = yes' >>"$REJOIN_CONFIG_DIR/agent.conf"
	doctor config
	echo "$output"
	none '.state == "fail"'
	# a file that decides which programs run, and that others can write
	chmod 666 "$REJOIN_CONFIG_DIR/agent.conf"
	doctor config
	status_is 1
	found '.state == "fail" and (.advice | contains("chmod go-w"))'
}

@test "config: --fix begins an empty configuration with the examples, and no other" {
	export REJOIN_CONFIG_DIR=$PWD/new/rejoin
	doctor config
	status_is 0
	found '.state == "warn" and (.what | contains("is empty")) and (.advice | contains("--fix"))'
	[ ! -e new ]
	doctor --fix config
	status_is 0
	found '.state == "ok" and (.repair | contains("agent.conf")) and (.repair | contains("inventory.json")) and (.repair | contains("goal.json"))'
	cmp "$TOP/packaging/examples/agent.conf" new/rejoin/agent.conf
	for f in inventory.json goal.json; do
		sed "s|/usr/share/rejoin|$TOP/packaging|g" "$TOP/packaging/examples/$f" | cmp - new/rejoin/$f
	done
	# nothing in the examples is missing: what they name is there
	doctor config inventory
	status_is 0
	none '.state == "fail"'
	found '.check == "inventory" and .state == "ok"'
	[ "$(rejoin-enum -a new/rejoin/inventory.json | jq -r 'select(.id == "motor").state')" = offline ]
	[ "$(stat -c %a new/rejoin/agent.conf)" = 644 ]
	echo '# mine' >new/rejoin/agent.conf
	doctor --fix config
	none 'has("repair")'
	[ "$(cat new/rejoin/agent.conf)" = '# mine' ]
	# directories without a file are empty, too; a link or a file below them is not
	rm new/rejoin/*
	mkdir -p new/rejoin/agents.d
	doctor config
	found '.what | contains("is empty")'
	ln -s /nowhere new/rejoin/agents.d/default
	doctor --fix config
	none 'has("repair")'
	# a configuration directory that is none
	: >file
	REJOIN_CONFIG_DIR=$PWD/file doctor --fix config
	status_is 1
	found '.state == "fail" and (.advice | length > 0)'
}

@test "journal: its lag, and what it dropped" {
	fake_journal
	doctor journal
	status_is 0
	found '.state == "ok" and (.what | contains("last 2 entries within 1 ms"))'
	printf '{"_SOURCE_REALTIME_TIMESTAMP":"1000000","__REALTIME_TIMESTAMP":"4500000"}\n' >>fake/lag
	printf '{"MESSAGE":"Suppressed 7 messages from x.service"}\n' >fake/suppressed
	doctor journal
	status_is 0
	found '.state == "warn" and (.what | contains("3.5 s after it was sent")) and (.advice | contains("--hold 4s"))'
	found '.state == "warn" and (.what | contains("Suppressed 7 messages"))'
	# what is no entry of its is passed over; and no answer is no wellness
	printf 'x\n{"__REALTIME_TIMESTAMP":5}\n{}\n' >fake/lag
	doctor journal
	found '(.what | contains("no entry")) or (.what | contains("no journald"))'
	printf '#!/bin/sh\necho "No access" >&2; exit 1\n' >fake/journalctl
	doctor journal
	found '.state == "warn" and (.what | contains("exited with 1: No access")) and (.advice | length > 0)'
}

@test "logs: formats that match nothing, records that lag or are ahead" {
	agent t '[log.a]' "path = $PWD/*.log" 'format = imp'
	doctor -A t logs
	found '.state == "ok" and (.what | contains("no log file"))'
	printf '2026-01-22 10:18:13 UTC+00 [Status] a\n' >old.log
	touch -d 2026-01-01T00:00:00Z old.log
	# the newest counts
	printf 'no time\nno time\n' >new.log
	doctor -A t logs
	status_is 0
	found '.state == "warn" and (.object | endswith("new.log")) and (.what | contains("format matches none")) and (.advice | length > 0)'
	agent t '[log.a]' "path = $PWD/new.log"
	for lag in 0:ok 30:warn:31s 5000:warn:zone=; do
		IFS=: read -r s state text <<<"$lag"
		printf '%s a\n' "$(date -u -d "@$((1764400000 - s))" +%FT%TZ)" >new.log
		touch -d @1764400000 new.log
		doctor -A t logs
		found '.state == "'"$state"'" and (.advice // "" | contains("'"$text"'"))'
	done
	printf '%s a\n' "$(date -u -d @1764403600 +%FT%TZ)" >new.log
	touch -d @1764400000 new.log
	doctor -A t logs
	found '.state == "warn" and (.what | contains("3600 s after")) and (.advice | contains("zone="))'
}

@test "bundle: all that an engineer needs, and no secret" {
	printf 's3cr3t-of-the-file\n' >token
	chmod 600 token
	agent t '[agent]' 'description = for the bundle' '[retry]' 'method = http' \
		'url = https://joe:pass1@localhost:1/x?sig=query1' 'header = X-Auth: header1' '    X-More: header2' \
		"token-file = $PWD/token" '[inventory]' "file = $PWD/inventory.json" '[log.a]' "path = $PWD/*.log"
	echo '{"components":[{"id":"lamp","group":"g","properties":{"path":"/x","firmwareDataFile":"f"}}]}' >inventory.json
	printf '2026-01-22T10:18:13Z sent s3cr3t-of-the-file, password=plain1 to it\n2026-01-22T10:18:14Z the end\n' >a.log
	doctor --bundle report.txt
	status_is 0
	found '.section == "rejoin-doctor" and .bytes > 100'
	found '.section == "'"$PWD"'/a.log"'
	err_has 'report.txt: written; read it before you send it'
	[ "$(stat -c %a report.txt)" = 600 ]
	for text in 'rejoin-bundle 1' 'for the bundle' '"lamp"' 'the end' '=== rejoin-status --json -A t' \
	    '=== files below' 'ok    marks' 'agents.d/t.conf' 'token-file = '; do
		grep -qF "$text" report.txt
	done
	lacks 's3cr3t-of-the-file|pass1|query1|header1|header2|plain1' report.txt
	grep -q 'sent \[left out\]' report.txt
	# its sections are as long as they say
	awk '/^=== .* \([0-9]+ bytes\)$/ { if (n != 0 && n != -1) { print title ": " n; bad = 1 }
		title = $0; match($0, /\([0-9]+ bytes\)$/); n = substr($0, RSTART + 1) + 0; next }
		title { n -= length($0) + 1 } END { exit bad }' <(LC_ALL=C cat report.txt)
	# of one agent
	agent other '[agent]' 'description = not wanted'
	doctor -A t --bundle report.txt
	status_is 0
	lacks '=== rejoin-status --json -A other' report.txt
}

@test "bundle: what it does not read, and where it is not written" {
	agent t '[log.a]' "path = $PWD/logs/*.log"
	mkdir logs elsewhere
	echo hidden1 >elsewhere/private
	ln -s "$PWD/elsewhere/private" logs/link.log
	ln elsewhere/private logs/name.log
	mkfifo logs/pipe.log
	echo '2026-01-22T10:18:13Z plain' >logs/plain.log
	doctor --bundle report.txt
	status_is 0
	lacks hidden1 report.txt
	grep -q 'not read: it has several names' report.txt
	grep -q 'not read: no regular file' report.txt
	grep -q ':13Z plain' report.txt
	# a file that others may read is replaced by one that they may not, and a reader of it keeps the old one
	echo old >public.txt
	chmod 666 public.txt
	exec 7<public.txt
	doctor --bundle public.txt
	status_is 0
	[ "$(stat -c %a public.txt)" = 600 ]
	[ "$(cat <&7)" = old ]
	exec 7<&-
	# no link and no pipe is written through
	ln -s "$PWD/elsewhere/private" link.txt
	doctor --bundle link.txt
	status_is 7
	err_has 'link.txt: exists, and is no regular file'
	[ "$(cat elsewhere/private)" = hidden1 ]
	doctor --bundle none/report.txt
	status_is 3
	err_has 'none/report.txt: No such file'
	doctor --bundle report.txt --fix
	status_is 2
	doctor --bundle report.txt limits
	status_is 2
	# nothing is left of one that could not be written whole
	(ulimit -f 1; trap '' XFSZ; rejoin-doctor --bundle small.txt >/dev/null 2>err) && return 1
	grep -q 'small.txt: File too large' err
	[ ! -e small.txt ]
	[ -z "$(find . -name '.rejoin.*')" ]
}
