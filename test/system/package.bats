# The Debian packages, in a machine on which nothing of ours is installed.
load helper

setup_file() {
	needs_root
	needs git dpkg-buildpackage dh
	git -C "$TOP" rev-parse HEAD >/dev/null 2>&1 || cannot 'not a clone: packages are built from what is committed'
	export DEBS=$BATS_FILE_TMPDIR/debs
	"$TOP/packaging/debian/build.sh" "$DEBS" >&2 || return
	boot
	make -s -C "$TOP" DEPS=none DESTDIR="$MACHINE_ROOT" PREFIX=/usr uninstall >/dev/null 2>&1
	# what tmpfiles.d made at boot
	rm -rf "$MACHINE_ROOT"/run/rejoin "$MACHINE_ROOT"/var/lib/rejoin
	mkdir "$MACHINE_ROOT/debs"
	cp "$DEBS"/*.deb "$MACHINE_ROOT/debs/"
	rm -f "$MACHINE_ROOT"/debs/*dbgsym*
	in_machine systemctl daemon-reload
}

installs() { in_machine sh -c 'dpkg -i /debs/*.deb' >out 2>&1 || { cat out; return 1; }; }

# left - what is anywhere of ours, but for the packages themselves and logs
left() {
	in_machine find /etc /lib /run /usr /var -xdev -iname '*rejoin*' ! -path '/var/log/*' ! -path '/var/cache/*'
}

# A handler that takes three seconds, and says how often it installed.
slow_install() {
	on_device 'make_device
		sed -i "s/^install) /install) sleep 3; echo once >>\/srv\/installs; /" /srv/up/install.sh'
}

@test "installing starts and enables nothing, and the tools work" {
	run left
	out_is ''
	installs
	for u in rejoin-agent.service rejoin-taskd.socket; do
		run up is-active $u
		[ "$output" = inactive ]
		run up is-enabled $u
		[ "$output" = disabled ]
	done
	run in_machine rejoin-enum --version
	[[ $output == rejoin-enum* ]]
	in_machine test -e /usr/share/bash-completion/completions/rejoin-retry
	in_machine test -e /usr/share/zsh/vendor-completions/_rejoin-retry
	in_machine test -x /usr/libexec/rejoin/rejoin-shim
	in_machine getent group rejoin
	in_machine test -d /run/rejoin/retry
}

@test "an upgrade in the middle of a cycle restarts what runs, and the update is installed" {
	slow_install
	on_device 'deploy w1 2.0'
	up start rejoin-agent.service rejoin-watch@rejoin.service rejoin-retry@rejoin.path
	wait_for '[ "$(status_of phase)" = install ] || [ "$(status_of state)" = busy ]' 20
	local agent watch
	agent=$(up show -p InvocationID --value rejoin-agent.service)
	watch=$(up show -p InvocationID --value rejoin-watch@rejoin.service)
	installs
	[ "$(up show -p InvocationID --value rejoin-agent.service)" != "$agent" ]
	[ "$(up show -p InvocationID --value rejoin-watch@rejoin.service)" != "$watch" ]
	up is-active rejoin-agent.service rejoin-watch@rejoin.service rejoin-retry@rejoin.path
	wait_for '[ "$(on_device "version front")" = 2.0 ] && [ "$(status_of state)" = idle ]' 60
}

@test "a device that comes back is patched by the units of the packages" {
	on_device 'plug rear 1.0'
	wait_for '[ "$(on_device "version rear")" = 2.0 ]' 60
}

@test "removing stops what runs, and purging leaves nothing" {
	in_machine dpkg -r rejoin-adu rejoin-fleet rejoin-hub rejoin-agent rejoin >out 2>&1 || { cat out; false; }
	for u in rejoin-agent.service rejoin-watch@rejoin.service rejoin-retry@rejoin.path rejoin-taskd.socket; do
		run up is-active $u
		[ "$output" != active ]
	done
	run in_machine sh -c 'cat /proc/[0-9]*/comm | grep ^rejoin'
	[ -z "$output" ]
	[ -n "$(left)" ]
	in_machine dpkg -P rejoin-adu rejoin-fleet rejoin-hub rejoin-agent rejoin >out 2>&1 || { cat out; false; }
	[ -z "$(left)" ] || { left; false; }
}
