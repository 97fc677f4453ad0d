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
		in_machine sh -c 'test -s "/usr/share/man/man1/$1.1" || test -s "/usr/share/man/man8/$1.8"' - "$t"
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

@test "the doctor reports units that are missing, masked, or restarted repeatedly" {
	in_machine sh -c 'mkdir -p /etc/rejoin/agents.d && cd /etc/rejoin/agents.d &&
		for u in missing masked looping; do
			printf "[agent]\nunit = try-$u.service\n[status]\nmethod = systemd\n" >$u.conf
		done
		printf "[Service]\nExecStart=sh -c \"exit 1\"\nRestart=always\nRestartSec=100ms\n[Unit]\nStartLimitIntervalSec=0\n" \
			>/run/systemd/system/try-looping.service
		systemctl mask --runtime try-masked.service && systemctl daemon-reload &&
		systemctl start try-looping.service'
	run in_machine rejoin-doctor -A missing profile
	status_is 1
	out_has 'no such unit'
	run in_machine rejoin-doctor -A masked profile
	status_is 1
	out_has 'is masked, so it cannot be started'
	wait_for 'in_machine rejoin-doctor -A looping agent | grep -q "was restarted by systemd [1-9]"' 20
	in_machine systemctl stop try-looping.service
}
