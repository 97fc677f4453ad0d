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

@test "rejoin-doctor finds a registration that is missing, is the example, or has another hash, and registers" {
	mkdir -p data/extensions/component_enumerator fake
	x=data/extensions/component_enumerator/extension.json
	sed -i "s,^path = .*fifo,path = $PWD/data/du-commands.fifo," "$REJOIN_CONFIG_DIR/agents.d/adu.conf"
	cat >fake/AducIotAgent <<-E
	#!/bin/sh
	[ "\$1 \$2 \$3" = '--extension-type componentEnumerator --register-extension' ] || exit 1
	[ ! -e $PWD/refuse ] || exit 1
	jq -n --arg so "\$4" --arg h "\$(openssl dgst -sha256 -binary "\$4" | base64)" \
		'{fileName: \$so, sizeInBytes: 1, hashes: {sha256: \$h}}' >$PWD/$x
	E
	chmod +x fake/AducIotAgent
	doctor() { run --separate-stderr rejoin-doctor -A adu --json "$@" enumerator; }
	is() { jq -se --arg s "$1" --arg t "$2" 'length == 1 and .[0].state == $s and (.[0].what | contains($t))' <<<"$output"; }
	doctor
	is ok 'is not installed'
	PATH=$PWD/fake:$PATH
	doctor
	is warn 'no component enumerator is registered'
	touch refuse
	doctor --fix
	is warn 'no component enumerator is registered'
	rm refuse
	doctor --fix
	jq -se '.[0].repair | contains("registered '"$(realpath "$SO")"'")' <<<"$output"
	doctor
	status_is 0
	is ok "$(realpath "$SO") is registered"
	# after an upgrade of the package its hash is another one
	jq '.hashes.sha256 = "AAAA"' $x >new && mv new $x
	doctor
	is fail 'has not the hash of'
	doctor --fix
	doctor
	is ok 'is registered'
	# the example is replaced, and one of another vendor is not
	for so in libcontoso_component_enumerator.so libtruck.so; do
		echo "$so" >$so
		"fake/AducIotAgent" --extension-type componentEnumerator --register-extension "$PWD/$so"
		doctor --fix
	done
	is ok "another enumerator is registered: $PWD/libtruck.so"
	"fake/AducIotAgent" --extension-type componentEnumerator --register-extension "$PWD/libcontoso_component_enumerator.so"
	doctor
	is warn 'an example'
	doctor --fix
	doctor
	is ok 'is registered'
}
