# rejoin-log beside a real journal.
load helper

setup_file() {
	boot || return
	cat >"$MACHINE_ROOT/etc/systemd/system/demo.service" <<-'EOT'
		[Service]
		ExecStart=/bin/sh -c 'echo "demo is up"; exec sleep infinity'
		ExecStop=/bin/sh -c 'echo "demo goes down"'
	EOT
	up daemon-reload
	up start demo.service
}

invocation() { up show -P InvocationID demo.service; }

# the lines of the file OUT of the machine that say so
says() { grep -c -- "$1" "$MACHINE_ROOT/test/$2"; }

@test "a restart is a stop before a start, with both invocations" {
	local before after
	before=$(invocation)
	in_machine systemd-run --quiet --unit=follower sh -c \
		'exec rejoin-log -f journal:demo.service >/test/followed 2>/test/followed.err'
	wait_for '[ "$(says "demo is up" followed)$(says "Started demo" followed)" = 11 ]' 30
	up restart demo.service
	after=$(invocation)
	[ "$before" != "$after" ]
	wait_for '[ "$(says "Started demo.service" followed)" -eq 2 ]' 30
	cat "$MACHINE_ROOT/test/followed"
	# what came since, which the first "demo is up" may stand before or behind: down by the old one, up by the new
	sed '0,/Started demo/d' "$MACHINE_ROOT/test/followed" | grep -oE '(Stopp|Start)ed demo.*' >order
	[ "$(cat order)" = "$(printf '%s\n' "Stopped demo.service. (invocation $before)" \
		"Started demo.service. (invocation $after)")" ]
	[ ! -s "$MACHINE_ROOT/test/followed.err" ]
}

@test "journalctl is killed, and nothing is lost or doubled" {
	in_machine sh -c 'for i in 1 2 3; do echo "one $i" | systemd-cat -t numbered; done'
	in_machine systemd-run --quiet --unit=numbers sh -c \
		'exec rejoin-log -f --save-state /test/state journal: >>/test/numbers 2>/test/numbers.err'
	wait_for '[ "$(says "numbered.*: one" numbers)" -eq 3 ]' 30
	in_machine pkill -KILL -x journalctl
	in_machine sh -c 'for i in 1 2 3; do echo "two $i" | systemd-cat -t numbered; done'
	wait_for '[ "$(says "numbered.*: two" numbers)" -eq 3 ]' 30
	grep -q 'run again' "$MACHINE_ROOT/test/numbers.err"
	# and the reader itself
	up kill --signal=KILL numbers.service
	in_machine sh -c 'for i in 1 2 3; do echo "three $i" | systemd-cat -t numbered; done'
	in_machine sh -c 'rejoin-log --save-state /test/state journal: >>/test/numbers'
	[ "$(grep -o 'numbered.*' "$MACHINE_ROOT/test/numbers" | sed 's/.*: //' | sort | uniq -c | grep -c ' 1 ')" -eq 9 ]
	[ "$(grep -c 'numbered' "$MACHINE_ROOT/test/numbers")" -eq 9 ]
}
