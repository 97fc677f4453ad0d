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
	mkdir "$MACHINE_ROOT/debs" "$MACHINE_ROOT/next"
	cp "$DEBS"/*.deb "$MACHINE_ROOT/debs/"
	next_version
	in_machine systemctl daemon-reload
}

# next_version - the same packages in /next, with a higher version
next_version() {
	local deb dir=$BATS_FILE_TMPDIR/next version
	version=$(cat "$TOP/VERSION")
	for deb in "$DEBS"/*.deb; do
		rm -rf "$dir"
		dpkg-deb -R "$deb" "$dir" || return
		sed -i "/^Version:/s/\$/+next/; s/(= $version)/(= $version+next)/" "$dir/DEBIAN/control"
		dpkg-deb -Zgzip -z1 --root-owner-group -b "$dir" "$MACHINE_ROOT/next/" >/dev/null || return
	done
}

# installs DIRECTORY - as "apt install ./*.deb" there
installs() { in_machine sh -c "cd $1 && apt install -y ./*.deb" >out 2>&1 || { cat out; return 1; }; }

# purges - remove all packages, and what they left
purges() {
	in_machine apt purge -y 'rejoin*' >out 2>&1 || { cat out; return 1; }
	[ -z "$(left)" ] || { left; return 1; }
}

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
	installs /debs
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
	# no message of a helper: the groups of agents that are not here are not named
	run grep -E 'Failed to|rejoin-tmpfiles:' out
	out_is ''
	run in_machine systemd-tmpfiles --create
	[[ $output != *'Failed to resolve'* ]]
	purges
}

@test "an agent that is installed later brings its group, and gets the directory of its requests" {
	installs /debs
	in_machine test ! -e /run/rejoin/retry/adu
	mkdir -p agent/DEBIAN agent/usr/lib/systemd/system
	printf 'Package: an-agent\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n' >agent/DEBIAN/control
	printf '#!/bin/sh\ngetent group adu >/dev/null || groupadd --system adu\n' >agent/DEBIAN/postinst
	chmod 755 agent/DEBIAN/postinst
	printf '[Service]\nExecStart=/bin/true\n' >agent/usr/lib/systemd/system/an-agent.service
	dpkg-deb --root-owner-group -b agent "$MACHINE_ROOT/an-agent.deb" >/dev/null
	in_machine dpkg -i /an-agent.deb >out 2>&1 || { cat out; false; }
	[ "$(in_machine stat -c '%a %G' /run/rejoin/retry/adu)" = '2770 adu' ]
	in_machine grep -q 'root adu' /etc/tmpfiles.d/rejoin-adu.conf
	in_machine dpkg -P an-agent >out 2>&1 || { cat out; false; }
	in_machine groupdel adu
	purges
}

# What the README types "in this tree", where there is no compiler: "make demo" runs what was built for
# this machine, and "make deb" has the packages that were built.
tree() {
	local tree=$MACHINE_ROOT/root/rejoin
	mkdir -p "$tree/build"
	git -C "$TOP" archive HEAD | tar -x -C "$tree"
	cp -r "$B/bin" "$B/libexec" "$B/lib" "$tree/build/"
	cat >"$tree/make" <<-'EOF'
	#!/bin/sh
	case $* in
	demo) exec test/demo.sh ;;
	deb) mkdir -p build/deb && cp /debs/*.deb build/deb/ ;;
	*) exit 2 ;;
	esac
	EOF
	chmod 755 "$tree/make"
}

@test "the first hour of the README, typed as it stands" {
	local tree=$MACHINE_ROOT/root/rejoin
	tree
	{ printf '    # cd /root/rejoin && PATH=/root/rejoin:$PATH\n\n'; cat "$TOP/README.md"; } | type_transcript 300
	[ -z "$(left)" ] || { left; false; }
	rm -r "$tree"
}

@test "an upgrade in the middle of a cycle restarts what runs, and the update is installed" {
	installs /debs
	slow_install
	on_device 'deploy w1 2.0'
	up enable --quiet --now rejoin-agent.service rejoin-watch@rejoin.service rejoin-retry@rejoin.path
	wait_for '[ "$(status_of phase)" = install ] || [ "$(status_of state)" = busy ]' 20
	local agent watch
	agent=$(up show -p InvocationID --value rejoin-agent.service)
	watch=$(up show -p InvocationID --value rejoin-watch@rejoin.service)
	installs /next
	[ "$(in_machine dpkg-query -W -f '${Version}' rejoin-agent)" = "$(cat "$TOP/VERSION")+next" ]
	[ "$(up show -p InvocationID --value rejoin-agent.service)" != "$agent" ]
	[ "$(up show -p InvocationID --value rejoin-watch@rejoin.service)" != "$watch" ]
	up is-active rejoin-agent.service rejoin-watch@rejoin.service rejoin-retry@rejoin.path
	wait_for '[ "$(on_device "version front")" = 2.0 ] && [ "$(status_of state)" = idle ]' 60
}

@test "an update that replaces the toolkit's own packages by dpkg -i ends well, once" {
	# a later version, as a hub would send it
	cat >"$MACHINE_ROOT/srv/hook" <<-'EOF'
	echo begun >>/srv/installs
	dpkg -i /srv/self/*.deb >/srv/dpkg.log 2>&1 || { echo failed >>/srv/installs; say 0; }
	echo ended >>/srv/installs
	EOF
	# nothing of the update before may begin while this one is made
	up stop rejoin-watch@rejoin.service rejoin-agent.service
	on_device 'make_device
		mkdir -p /srv/self
		for deb in /debs/*.deb; do
			rm -rf /srv/tree
			dpkg-deb -R "$deb" /srv/tree
			sed -i -E "s/^Version: .*/&+self/; s/\(= ([^)]*)\)/(= \1+self)/g" /srv/tree/DEBIAN/control
			dpkg-deb --root-owner-group -b /srv/tree /srv/self >/dev/null
		done
		: >/srv/installs
		sed -i "s#^install)#install) . /srv/hook;#" /srv/up/install.sh
		sed -i "s/^script-timeout.*/script-timeout = 5m/" /etc/rejoin/agent.conf
		deploy w2 3.0'
	up start rejoin-agent.service rejoin-watch@rejoin.service
	local agent
	agent=$(up show -p InvocationID --value rejoin-agent.service)
	wait_for '[ "$(on_device "version front")" = 3.0 ] && [ "$(status_of state)" = idle ]' 240 ||
		{ on_device 'cat /srv/dpkg.log /srv/installs'; journal rejoin-agent.service | tail -20; false; }
	[ "$(in_machine paste -sd' ' /srv/installs)" = 'begun ended' ]
	for p in rejoin rejoin-agent; do
		run in_machine dpkg-query -W -f '${Status} ${Version}' $p
		[[ $output == 'install ok installed '*+self ]]
	done
	[ "$(up show -p InvocationID --value rejoin-agent.service)" != "$agent" ]
	up is-active rejoin-agent.service rejoin-watch@rejoin.service rejoin-retry@rejoin.path
	journal rejoin-agent.service | grep -q 'install goes on, as an earlier agent began it'
	run in_machine rejoin-status
	status_is 0
	# what follows is about another update
	echo "sleep 3" >"$MACHINE_ROOT/srv/hook"
	on_device 'deploy w3 2.0'
	wait_for '[ "$(on_device "version front")" = 2.0 ] && [ "$(status_of workflow) $(status_of state)" = "w3 idle" ]' 60
}

@test "a device that comes back is patched by the units of the packages" {
	on_device 'plug rear 1.0'
	wait_for '[ "$(on_device "version rear")" = 2.0 ]' 60
}

# handlers - processes in the slice of the agent's handlers
handlers() { find "$MACHINE_ROOT/sys/fs/cgroup/" -path '*/rejoin-handlers.slice/*' -name cgroup.procs -exec cat {} +; }

@test "removing stops what runs, a handler too, and purging leaves nothing" {
	on_device 'deploy w2 3.0'
	in_machine rejoin-retry --reason 'a new goal'
	wait_for '[ -n "$(handlers)" ]' 20
	in_machine apt remove -y rejoin-adu rejoin-fleet rejoin-hub rejoin-agent rejoin >out 2>&1 || { cat out; false; }
	for u in rejoin-agent.service rejoin-watch@rejoin.service rejoin-retry@rejoin.path rejoin-taskd.socket rejoin-handlers.slice; do
		run up is-active $u
		[ "$output" != active ]
	done
	[ -z "$(handlers)" ]
	run in_machine sh -c 'cat /proc/[0-9]*/comm | grep ^rejoin'
	[ -z "$output" ]
	# what was configured, and what is known of the deployment, is kept
	in_machine test -s /etc/rejoin/goal.json
	in_machine test -s /var/lib/rejoin/agent/journal.jsonl
	purges
}
