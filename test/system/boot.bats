load helper

@test "the machine runs, and nothing of ours has failed" {
	run up is-system-running
	[[ $output == running || $output == degraded ]]
	run up list-units --failed --plain --no-legend
	[[ $output != *rejoin* ]]
}

@test "each tool installed says its version, and its page is there" {
	local t
	for t in "$TOP"/cmd/*.c; do
		t=$(basename "$t" .c)
		run in_machine "$t" --version
		status_is 0
		out_is "$t $(cat "$TOP/VERSION")"
		in_machine test -s "/usr/share/man/man1/$t.1"
	done
}

@test "the units installed are valid where they are installed" {
	run in_machine sh -c 'systemd-analyze verify --man=no /usr/lib/systemd/system/rejoin-*'
	status_is 0
	out_is ''
}

@test "tmpfiles has made the directories" {
	run in_machine stat -c '%a %U %n' /run/rejoin /run/rejoin/ready /run/rejoin/retry /var/lib/rejoin
	out_is $'755 root /run/rejoin\n755 root /run/rejoin/ready\n755 root /run/rejoin/retry\n755 root /var/lib/rejoin'
}

@test "the udev rule installed is read and does nothing of itself" {
	in_machine test -s /usr/lib/udev/rules.d/70-rejoin.rules
	in_machine grep -q '/usr/bin/rejoin-retry' /usr/lib/udev/rules.d/70-rejoin.rules
	run in_machine grep -c '^[^#]' /usr/lib/udev/rules.d/70-rejoin.rules
	out_is 0
}
