load helper

setup() {
	begin
	printf '[agent]\ngoal = file:%s/goal.json\nallow-unsigned = yes\nhandler-user = %s\n' \
		"$PWD" "$(id -un)" >"$REJOIN_CONFIG_DIR/agent.conf"
	printf '{"components":[{"id":"cam1","group":"cameras","properties":{"path":"%s","firmwareDataFile":"fw.json"}}]}\n' \
		"$PWD/dev" >"$REJOIN_CONFIG_DIR/inventory.json"
	mkdir dev
	echo '{"version":"1.0"}' >dev/fw.json
	echo '{"version":"2.0"}' >camera-2.0.json
}

# make_copy ARG... - a goal that copies camera-2.0.json to each camera
make_copy() {
	rejoin-goal make --id w1 --step rejoin/copy:1 '{"group":"cameras"}' "${file-camera-2.0.json}" \
		--arguments '--file camera-2.0.json --to --component-prop-val path --as fw.json' "$@"
}

# check_goal - findings as "LEVEL OBJECT: TEXT" lines
check_goal() {
	run --separate-stderr rejoin-goal check --format tsv goal.json
	output=$(printf '%s\n' "$output" | sed 's/\t/ /; s/\t/: /')
}

script() {
	printf '#!/bin/sh\n# --result-file\n' >install.sh
}

@test "a goal that is made is carried out by the agent" {
	run --separate-stderr make_copy --criteria 2.0
	status_is 0
	out_is ./goal.json
	check_goal
	status_is 0
	out_has "ok step 1: selects 1 component that is here and 0 that are offline"
	run --separate-stderr timeout -k 1 20 rejoin-agent --once
	status_is 0
	[ "$(cat dev/fw.json)" = '{"version":"2.0"}' ]
}

@test "without a file, the goal of the configuration is checked and shown" {
	make_copy --criteria 2.0
	run --separate-stderr rejoin-goal check --json
	status_is 0
	[ "$output" = "$(rejoin-goal check --json goal.json)" ]
	run --separate-stderr rejoin-goal show --json
	status_is 0
	[ "$output" = "$(rejoin-goal show --json goal.json)" ]
	sed -i /handler-user/d "$REJOIN_CONFIG_DIR/agent.conf"
	if [ "$(id -u)" = 0 ]; then
		run --separate-stderr rejoin-goal check --json
		status_is 1
		out_has 'handler-user is not set'
		# also where the configuration names no goal yet
		sed -i /goal/d "$REJOIN_CONFIG_DIR/agent.conf"
		run --separate-stderr rejoin-goal check --json goal.json
		status_is 1
		out_has 'handler-user is not set'
	fi
	echo '[agent]' >"$REJOIN_CONFIG_DIR/agent.conf"
	run --separate-stderr rejoin-goal check
	status_is 2
	err_has 'agent.conf names no goal in a file'
	run --separate-stderr rejoin-goal show a b
	status_is 2
}

@test "a goal and its manifests go to the directory that is named, and their files stay" {
	mkdir 'out dir'
	run --separate-stderr make_copy --dir 'out dir' --criteria 2.0
	out_is 'out dir/goal.json'
	[ -e 'out dir/w1.1.json' ] && [ ! -e 'out dir/camera-2.0.json' ]
	run --separate-stderr rejoin-goal check 'out dir/goal.json'
	status_is 0
}

@test "file names with blanks, percent signs and quotes are found again" {
	mkdir '100% "odd" ä'
	mv camera-2.0.json '100% "odd" ä/'
	file='100% "odd" ä/camera-2.0.json' make_copy --criteria 2.0
	check_goal
	status_is 0
	run --separate-stderr timeout -k 1 20 rejoin-agent --once
	status_is 0
	[ "$(cat dev/fw.json)" = '{"version":"2.0"}' ]
}

@test "two steps, one for the host, have their own options and files" {
	script
	echo data >data.bin
	rejoin-goal make --step microsoft/script:1 host install.sh data.bin --criteria 7 \
		--property scriptFileName=install.sh --step no/such:1 '{"model":"x"}' data.bin
	run --separate-stderr rejoin-goal show --format tsv goal.json
	status_is 0
	out_is "$(printf '1\tmicrosoft/script:1\thost\t7\tinstall.sh data.bin\n2.1\tno/such:1\t{"model":"x"}\t\tdata.bin')"
	err_has 'deployment update-1.0'
}

@test "what the agent would refuse or fail is found before" {
	make_copy --criteria 3.0
	check_goal
	status_is 1
	out_has "fail step 1.1: its criteria '3.0' can never be met: the version in 'camera-2.0.json' is '2.0'"
	make_copy --criteria "sha256:$(printf '%064d' 0)"
	check_goal
	status_is 1
	out_has "can never be met: 'camera-2.0.json' has the hash sha256:$(sha256sum <camera-2.0.json | cut -c1-64)"
	make_copy --criteria 2.0
	echo changed >camera-2.0.json
	check_goal
	status_is 1
	out_has 'fail camera-2.0.json:'
	rm w1.1.json
	check_goal
	status_is 1
	out_has 'fail step 1: its manifest cannot be had:'
}

@test "a step without a known handler, or a script without a result file, is found" {
	printf '#!/bin/sh\n' >install.sh
	rejoin-goal make --step microsoft/script:1 '{"group":"cameras"}' install.sh --step no/such:1 '{"group":"cameras"}'
	check_goal
	status_is 1
	out_has "fail step 1.1: its script 'install.sh' has no --result-file in it"
	out_has "warn step 1.1: has no installedCriteria"
	out_has "fail step 2.1: handler 'no/such:1' is not in handlers.d"
	rejoin-goal make --step microsoft/script:1 host install.sh --property scriptFileName=other.sh
	check_goal
	status_is 1
	out_has "fail step 1: its script 'other.sh' is not one of its files"
	rejoin-goal make --step rejoin/copy host install.sh
	check_goal
	status_is 1
	out_has "fail step 1: handler 'rejoin/copy' is not in handlers.d: did you mean 'rejoin/copy:1'?"
}

@test "a step of microsoft/swupdate:2 has a script and an image" {
	script
	echo image >os.swu
	echo other >b.swu
	rejoin-goal make --step microsoft/swupdate:2 '{"group":"cameras"}' os.swu install.sh b.swu --criteria 7
	check_goal
	status_is 0
	[[ $output != *fail* ]]
	run --separate-stderr rejoin-goal show --json goal.json
	[ "$(jq -c '.properties | [.scriptFileName, .swuFileName]' <<<"$output")" = '["install.sh","os.swu"]' ]
	rejoin-goal make --step microsoft/swupdate:2 host os.swu install.sh b.swu --criteria 7 --property swuFileName=b.swu
	run --separate-stderr rejoin-goal show --json goal.json
	[ "$(jq -r .properties.swuFileName <<<"$output")" = b.swu ]
	run --separate-stderr rejoin-goal make --step microsoft/swupdate:2 host install.sh
	status_is 2
	err_has 'step by microsoft/swupdate:2: has no image, a .swu file, among its files'
	run --separate-stderr rejoin-goal make --step microsoft/swupdate:2 host os.swu
	status_is 2
	err_has 'step by microsoft/swupdate:2: has no script to run among its files'
	run --separate-stderr rejoin-goal make --step microsoft/script:1 host
	status_is 2
	rejoin-goal make --step microsoft/swupdate:2 host os.swu install.sh --criteria 7 --property swuFileName=none.swu
	echo '{"--log-level":3}' >"$REJOIN_CONFIG_DIR/swupdate-handler-config.json"
	check_goal
	status_is 1
	out_has "fail step 1: its image 'none.swu' is not one of its files"
	out_has 'swupdate-handler-config.json: --log-level is a number, not a string'
}

@test "a selector that matches nothing here is a warning" {
	script
	rejoin-goal make --step microsoft/script:1 '{"group":"motors"}' install.sh --criteria 1
	check_goal
	status_is 0
	out_has "warn step 1: selects no component of this device's inventory"
}

@test "more than one compatibility entry is a warning, none is a failure" {
	make_copy --criteria 2.0
	jq -c '.compatibility += [{"group":"motors"}]' w1.1.json >two.json
	jq -c '.compatibility = []' w1.1.json >none.json
	for f in two none; do
		mv $f.json w1.1.json
		jq -c --arg h "$(openssl dgst -sha256 -binary w1.1.json | base64)" --argjson n "$(stat -c %s w1.1.json)" \
			'.updateManifest |= (fromjson | .files[] |= (.hashes.sha256 = $h | .sizeInBytes = $n) | tojson)' \
			goal.json >$f.goal
		mv goal.json old.json
		cp $f.goal goal.json
		check_goal
		case $f in
		two)
			status_is 0
			out_has 'warn step 1: its manifest has 2 compatibility entries; the Azure agent considers the first alone'
			;;
		none)
			status_is 1
			out_has 'fail step 1: its manifest has no compatibility'
			;;
		esac
		mv old.json goal.json
	done
}

@test "an unsigned goal is a finding, and a signed one names its keys" {
	make_copy --criteria 2.0
	sed -i 's/^allow-unsigned.*/allow-unsigned = no/' "$REJOIN_CONFIG_DIR/agent.conf"
	check_goal
	status_is 1
	out_has 'fail signature: goal w1: is not signed'
	mkdir "$REJOIN_CONFIG_DIR/rootkeys.d"
	cp "$TOP/packaging/examples/rootkeys-azure.json" "$REJOIN_CONFIG_DIR/rootkeys.d/"
	cp "$TOP/test/data/adu/signed-good.json" goal.json
	# its files are on a server that tests do not ask
	export http_proxy=http://127.0.0.1:1 no_proxy=
	check_goal
	status_is 1
	out_has "ok signature: by 'ADU.210609.R.S', for which root key 'ADU.200702.R' vouches"
	out_has 'warn apt-manifest-tree-1.0.json: not checked: http://'
}

@test "a goal is replaced as a whole, and not at all where a file is missing" {
	make_copy --criteria 2.0
	cp goal.json before
	run --separate-stderr rejoin-goal make --id w1 --step rejoin/copy:1 '{}' missing.json
	status_is 3
	err_has 'missing.json: No such file or directory'
	cmp before goal.json
	run --separate-stderr rejoin-goal make --id w1 --step rejoin/copy:1 '{}' dev
	status_is 3
	err_has 'dev: is not a regular file'
	cmp before goal.json
}

@test "a directory that cannot be written is reported" {
	# root is subject to modes when it has no capabilities
	local drop=
	[ "$(id -u)" -ne 0 ] || drop='setpriv --bounding-set=-all --inh-caps=-all'
	mkdir -m 555 closed
	# shellcheck disable=SC2086
	run --separate-stderr $drop "$B/bin/rejoin-goal" make --dir closed --step rejoin/copy:1 '{}' camera-2.0.json
	status_is 7
	err_has 'closed/update-1.0.1.json: Permission denied'
	run --separate-stderr rejoin-goal make --dir missing --step rejoin/copy:1 '{}' camera-2.0.json
	status_is 3
}

# Each command of the page's first goal, as a reader types it, and what it prints.
@test "what the page types installs a first goal" {
	needs_mounts
	needs mandoc col
	mandoc -Tascii "$TOP/man/rejoin-goal.1" | col -bx | sed -n '/^   A first goal/,/^   Commands/p' |
		awk -f "$TOP/test/transcript.awk" | sed 's,/etc/rejoin,/srv/etc,g' >steps
	run own-mounts bash -c 'mount -t tmpfs -o mode=755 tmpfs /srv && mkdir /srv/etc &&
		cp -r "$REJOIN_CONFIG_DIR"/*.d /srv/etc/ || exit
		REJOIN_CONFIG_DIR=/srv/etc exec timeout -k 1 60 bash "$1" steps' - "$TOP/test/transcript.bash"
	status_is 0
	out_is '10 commands'
}

@test "misuse is told from trouble" {
	rm "$REJOIN_CONFIG_DIR/agent.conf"
	for args in '' 'mak' 'check' 'check a b' 'make' 'make a' 'make --criteria 2' 'make --step rejoin/copy:1' \
		'make --step rejoin/copy:1 {' 'make --step rejoin/copy:1 [] x' 'make --step a {} --property x'; do
		# shellcheck disable=SC2086
		run --separate-stderr rejoin-goal $args
		status_is 2
		[ -n "$stderr" ] && [ -z "$output" ]
	done
	run --separate-stderr rejoin-goal mak
	err_has "did you mean 'make'?"
	run --separate-stderr rejoin-goal show missing.json
	status_is 3
	echo '{}' >empty.json
	run --separate-stderr rejoin-goal show empty.json
	status_is 2
	run --separate-stderr rejoin-goal check goal.json --format xml
	status_is 2
}

# shellcheck disable=SC2120	# by run
# make_import ARG... - an update of a host script and of the cameras, as import manifests in the directory in/
make_import() {
	mkdir -p in
	cat >host.sh <<-EOF
		#!/bin/sh
		# ${note-}
		while [ "\$1" != --result-file ]; do shift; done
		echo '{"resultCode":900}' >"\$2"
	EOF
	rejoin-goal make --import --compatibility '{"manufacturer":"contoso","model":"truck"}' --dir in \
		--provider contoso --name cams --update-version 2.0 --step rejoin/copy:1 '{"group":"cameras"}' \
		camera-2.0.json --criteria 2.0 \
		--arguments '--file camera-2.0.json --to --component-prop-val path --as fw.json' \
		--step microsoft/script:1 host host.sh --criteria 1 "$@"
}

@test "import manifests that are made are checked, asked for and carried out, and are those of Azure" {
	run --separate-stderr make_import
	status_is 0
	out_is in/contoso.cams.2.0.importmanifest.json
	[ "$(cd in && printf '%s ' *)" = \
		'camera-2.0.json contoso.cams.1.2.0.importmanifest.json contoso.cams.2.0.importmanifest.json host.sh ' ]
	[ "$(jq -c '[.manifestVersion, .isDeployable, .compatibility, .instructions.steps[0].updateId.name,
		.instructions.steps[1].files[0], .files[0].filename]' "$output")" = \
		'["5.0",true,[{"manufacturer":"contoso","model":"truck"}],"cams.1","host.sh","host.sh"]' ]
	mv in moved
	rm camera-2.0.json host.sh
	run --separate-stderr rejoin-goal show --format tsv moved/contoso.cams.2.0.importmanifest.json
	status_is 0
	out_has "$(printf '1.1\trejoin/copy:1\t{"group":"cameras"}\t2.0\tcamera-2.0.json')"
	run --separate-stderr rejoin-goal check moved/contoso.cams.2.0.importmanifest.json
	status_is 0
	# a part is asked for by itself, but not deployed
	for m in contoso.cams.1.2.0 contoso.cams.2.0; do
		run --separate-stderr rejoin-installed -m moved/$m.importmanifest.json
		status_is 1
		[ "$(jq -c '[.id, .installed]' <<<"$output")" = '["cam1",false]' ]
	done
	run --separate-stderr rejoin-goal check moved/contoso.cams.1.2.0.importmanifest.json
	status_is 2
	err_has 'isDeployable is false'
	ln -s moved/contoso.cams.2.0.importmanifest.json goal.json
	run --separate-stderr timeout -k 1 20 rejoin-agent --once
	status_is 0
	[ "$(cat dev/fw.json)" = '{"version":"2.0"}' ]
	id=$(jq -r .deviceUpdate.agent.workflow.id "$REJOIN_STATE_DIR/agent/twins/current.json")
	[[ $id =~ ^contoso\.cams\.2\.0-[0-9a-f]{8}$ ]]
	run --separate-stderr rejoin-installed -m goal.json
	status_is 0
	# the same again is the same deployment, another content is another one
	run --separate-stderr timeout -k 1 20 rejoin-agent --once
	[ "$id" = "$(jq -r .deviceUpdate.agent.workflow.id "$REJOIN_STATE_DIR/agent/twins/current.json")" ]
	echo '{"version":"2.0"}' >camera-2.0.json
	note=new make_import
	ln -sf in/contoso.cams.2.0.importmanifest.json goal.json
	run --separate-stderr timeout -k 1 20 rejoin-agent --once
	status_is 0
	[ "$id" != "$(jq -r .deviceUpdate.agent.workflow.id "$REJOIN_STATE_DIR/agent/twins/current.json")" ]
	# it is not signed, so it says what is in it and is not to be trusted
	run --separate-stderr rejoin-agent --verify goal.json
	status_is 7
	out_has 'file host.sh host.sh'
}

@test "what is wrong with an import manifest is named, and runs nothing" {
	make_import
	m=in/contoso.cams.2.0.importmanifest.json child=in/contoso.cams.1.2.0.importmanifest.json
	cp $m good && cp $child good.child
	bad() { # JQ STATUS TEXT
		jq "$1" good >$m
		run --separate-stderr rejoin-goal check $m
		status_is "$2"
		err_has "$3"
		run --separate-stderr timeout -k 1 20 rejoin-agent --goal "file:$PWD/$m" --once
		[ "$status" -ne 0 ]
		[ "$(cat dev/fw.json)" = '{"version":"1.0"}' ]
	}
	bad '.manifestVersion = "3.0"' 2 "of version '3.0'"
	bad '.files[0].filename = "../x"' 2 'files[0].filename'
	bad '.files += .files' 2 "'host.sh' is there twice"
	bad '.instructions.steps[0].updateId = "x"' 2 'steps[0].updateId'
	bad '.instructions.steps[0].updateId.provider = "a/b"' 2 'steps[0].updateId'
	bad '.instructions.steps[0].updateId.version = "9"' 3 'contoso.cams.1.9.importmanifest.json: No such file'
	bad '.instructions.steps[1].files = ["y"]' 2 'steps[1].files[0] is no file'
	cp good $m
	echo '{"updateId":{}}' >$child
	bad . 2 'contoso.cams.1.2.0.importmanifest.json: is not an import manifest'
	jq '.instructions.steps[0] = {type: "reference", updateId: .updateId}' good.child >$child
	bad . 2 'a reference inside a reference'
	cp good.child $child
	echo more >>in/host.sh
	run --separate-stderr rejoin-goal check $m
	status_is 1
	out_has host.sh
}

@test "import manifests that could not be imported are not written" {
	run --separate-stderr rejoin-goal make --import --step rejoin/copy:1 '{}' camera-2.0.json
	status_is 2
	run --separate-stderr make_import --id w1
	status_is 2
	run --separate-stderr make_import --update-version 2
	status_is 2
	err_has 'two to four numbers'
	run --separate-stderr make_import --name a/b
	status_is 2
	mkdir -p in
	echo other >in/camera-2.0.json
	run --separate-stderr make_import
	status_is 2
	err_has "in/camera-2.0.json: is another file"
	[ "$(cat in/camera-2.0.json)" = other ]
	[ ! -e in/contoso.cams.2.0.importmanifest.json ]
}

@test "the goal of the examples is what make writes" {
	local dir=/usr/share/rejoin/examples
	cp "$TOP/packaging/examples/camera-2.0.json" .
	rejoin-goal make --dir . --id cameras-2.0 --step rejoin/copy:1 '{"group":"cameras"}' camera-2.0.json --criteria 2.0 \
		--arguments '--file camera-2.0.json --to --component-prop-val path --as firmware.json'
	sed "s|file:$PWD/|file:$dir/|g" goal.json | diff "$TOP/packaging/examples/goal.json" -
	diff "$TOP/packaging/examples/cameras-2.0.1.json" cameras-2.0.1.json
}
