load helper

# The loader asks as the Azure agent does.  B/lib has the shared object that is
# installed, B/tool the same with a deadline of half a second.
setup() {
	begin
	SO=$B/lib/librejoin_adu_enumerator.so
	export REJOIN_ADU_ENUM=$B/bin/rejoin-enum
	# here is no user adu
	sed -i '/^user\|^group/d' "$REJOIN_CONFIG_DIR/agents.d/adu.conf"
	cat >"$REJOIN_CONFIG_DIR/inventory.json" <<-E
	{"components":[
	 {"id":"z","group":"motors","properties":{"path":"$PWD/z","firmwareDataFile":"fw.json"}},
	 {"id":"a","group":"cameras","model":"eye","properties":{"path":"$PWD/a","firmwareDataFile":"fw.json"}},
	 {"id":"off","group":"cameras","model":"eye","properties":{"path":"$PWD/off","firmwareDataFile":"fw.json"}}]}
	E
	for c in z a; do
		mkdir $c
		echo '{"version":"1.0"}' >$c/fw.json
	done
}

ids() { jq -r '.components | map(.id) | join(" ")' <<<"$output"; }

@test "all components that are here, in the order of the inventory" {
	run --separate-stderr adu-loader "$SO" 1
	status_is 0
	[ "$(ids)" = 'z a' ]
	[ "$(jq -r '.components[0].version' <<<"$output")" = 1.0 ]
	[ "$(jq -r '.components[0].properties.status' <<<"$output")" = ok ]
}

@test "a selector with any number of keys, and one that matches nothing here" {
	run --separate-stderr adu-loader "$SO" 1 '{"group":"cameras","model":"eye"}'
	status_is 0
	[ "$(ids)" = a ]
	run --separate-stderr adu-loader "$SO" 1 '{"group":"wheels"}'
	status_is 0
	[ "$(jq -c . <<<"$output")" = '{"components":[]}' ]
	rm -r a
	run --separate-stderr adu-loader "$SO" 1 '{"group":"cameras"}'
	status_is 0
	[ "$(jq -c . <<<"$output")" = '{"components":[]}' ]
}

@test "what cannot be told is no answer, never an empty list" {
	run --separate-stderr adu-loader "$SO" 1 'no selector'
	status_is 1
	[ -z "$output" ]
	echo '{"components":3}' >"$REJOIN_CONFIG_DIR/inventory.json"
	run --separate-stderr adu-loader "$SO" 1
	status_is 1
	[ -z "$output" ]
	REJOIN_ADU_ENUM=/does/not/exist run --separate-stderr adu-loader "$SO" 1
	status_is 1
	printf '#!/bin/sh\necho "{\\"components\\":[]}"\nkill -SEGV $$\n' >crash
	chmod +x crash
	REJOIN_ADU_ENUM=$PWD/crash run --separate-stderr adu-loader "$SO" 1
	status_is 1
	[ -z "$output" ]
}

@test "a program that hangs, or ends its output and stays, is killed at the deadline with its children" {
	printf '#!/bin/sh\nsleep 300 & echo $! >pid\necho "{}"\n%s\nsleep 300\n' '' >hang
	printf '#!/bin/sh\necho "{}"\nexec >&-\nsleep 300 & echo $! >pid\nwait\n' >stay
	chmod +x hang stay
	for p in hang stay; do
		rm -f pid
		REJOIN_ADU_ENUM=$PWD/$p run --separate-stderr timeout -k 1 20 adu-loader "$B/tool/adu-enumerator-quick.so" 1
		status_is 1
		wait_for '! kill -0 "$(cat pid)" 2>/dev/null'
	done
}

@test "its answers leave no descriptor, child or memory behind" {
	run --separate-stderr adu-loader "$SO" "$([ -n "${SOAK-}" ] && echo 10000 || echo 60)" '{"group":"motors"}'
	status_is 0
	[ "$(ids)" = z ]
}

@test "an ordinary user has the same answer" {
	needs_root
	needs setpriv
	local d
	d=$(mktemp -d /tmp/rejoin-adu.XXXXXX)
	cp "$SO" "$B/tool/adu-loader" "$B/bin/rejoin-enum" "$d/"
	cp -r "$REJOIN_CONFIG_DIR" "$d/etc"
	cp -r a "$d/"
	sed -i "s|$PWD|$d|" "$d/etc/inventory.json"
	chmod -R a+rX "$d"
	run --separate-stderr setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH=/usr/bin:/bin \
		REJOIN_CONFIG_DIR="$d/etc" REJOIN_ADU_ENUM="$d/rejoin-enum" "$d/adu-loader" "$d/${SO##*/}" 1 '{"group":"cameras"}'
	rm -r "$d"
	status_is 0
	[ "$(ids)" = a ]
}

@test "the inventory is that of the system, though the agent's user has a home" {
	local v
	# shellcheck disable=SC2016	# for the program
	printf '#!/bin/sh\nprintf %%s "$REJOIN_CONFIG_DIR"\n' >directory
	chmod +x directory
	for v in '' REJOIN_CONFIG_DIR=; do
		run --separate-stderr env -u REJOIN_CONFIG_DIR $v HOME="$PWD" REJOIN_ADU_ENUM="$PWD/directory" adu-loader "$SO" 1
		status_is 0
		[ "$output" = /etc/rejoin ]
	done
	REJOIN_ADU_ENUM=$PWD/directory run --separate-stderr adu-loader "$SO" 1
	[ "$output" = "$REJOIN_CONFIG_DIR" ]
}

@test "it needs libc alone, and exports what the agent asks for" {
	needs readelf nm
	[ -n "${SAN-}" ] || [ "$(readelf -d "$SO" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')" = libc.so.6 ]
	[ "$(nm -D --defined-only "$SO" | sed 's/.* //' | sort | tr '\n' ' ')" = \
		'FreeComponentsDataString GetAllComponents GetContractInfo SelectComponents ' ]
}
