load helper

setup() {
	begin
	mkdir cam1 cam2
	echo '{"version": "1.0"}' >cam1/firmware.json
	echo '{"version":"1.1"}' >cam2/firmware.json
	inventory cam1 cam2 cam3 >inv.json
	cat >check.sh <<-'EOF'
		#!/bin/sh
		while [ $# -gt 0 ]; do
			case $1 in
			--result-file) result=$2; shift ;;
			--installed-criteria) criteria=$2; shift ;;
			--path) path=$2; shift ;;
			esac
			shift
		done
		if grep -q "\"version\": *\"$criteria\"" "$path/firmware.json"; then
			echo '{"resultCode":900}' >"$result"
		else
			echo '{"resultCode":901,"resultDetails":"another version"}' >"$result"
		fi
	EOF
}

# inventory NAME... - a camera each, whose firmware file is in the directory NAME
inventory() {
	printf '%s\n' "$@" | jq -Rn --arg d "$PWD" '{components: [inputs | {id: ., name: ("the " + .),
		group: "cameras", manufacturer: "contoso", model: "virtual",
		properties: {path: ($d + "/" + .), firmwareDataFile: "firmware.json", a: {b: "deep value"}}}]}'
}

# answers TEXT - make a script that does TEXT, with the result file in $r and the work folder in $w
answers() {
	cat >s.sh <<-EOF
		while [ \$# -gt 0 ]; do
			case \$1 in
			--result-file) r=\$2 ;;
			--work-folder) w=\$2 ;;
			--component) id=\$2 ;;
			esac
			shift
		done
		$1
	EOF
}

# what the verdicts say, a line each: "ID INSTALLED REASON"
verdicts() { jq -r '[.id, (.installed | tostring), .reason // "-"] | join(" ")' <<<"$output"; }

verdicts_are() { diff -u <(printf '%s\n' "$@") <(verdicts); }

no_work_left() { [ -z "$(find "$TMPDIR" -mindepth 1 -name 'rejoin-installed.*')" ]; }

# payload FILE... - the manifest's files
files() {
	local f
	for f; do
		jq -n --arg n "${f##*/}" --arg h "$(openssl dgst -sha256 -binary "$f" | base64)" \
			--argjson s "$(stat -c %s "$f")" \
			'{("f_" + $n): {fileName: $n, sizeInBytes: $s, hashes: {sha256: $h}}}'
	done | jq -s add
}

# manifest COMPATIBILITY STEPS [FILE...]
manifest() {
	local f
	f=$(files "${@:3}")
	jq -cn --argjson c "$1" --argjson s "$2" --argjson f "$f" '{manifestVersion: "5",
		updateId: {provider: "Contoso", name: "try", version: "1.1"}, compatibility: $c,
		instructions: {steps: $s}, files: $f}'
}

@test "a version is equal or it is not; what is offline cannot be told" {
	run --separate-stderr rejoin-installed -c 1.1 inv.json
	status_is 3
	verdicts_are 'cam1 false its version is 1.0' 'cam2 true -' 'cam3 null offline'
	[ "$(jq -r .criteria <<<"$output" | sort -u)" = 1.1 ]
	[ "$(jq -r .properties.path <<<"${lines[0]}")" = "$PWD/cam1" ]
	[ -z "$stderr" ]
}

@test "the status says whether all are" {
	inventory cam2 >two.json
	run --separate-stderr rejoin-installed -c 1.1 two.json
	status_is 0
	inventory cam1 cam2 >two.json
	run --separate-stderr rejoin-installed -c 1.1 two.json
	status_is 1
	run --separate-stderr rejoin-installed -c 1.1 - </dev/null
	status_is 1
	out_is ''
	err_has 'no component'
	echo '{"components":[]}' >two.json
	run --separate-stderr rejoin-installed --missing -c 1.1 two.json
	status_is 1
	err_has 'no component'
}

@test "a missing version and an unreadable component are not a no" {
	printf '%s\n' '{"id":"a"}' '{"id":"b","version":"1.1","state":"unreadable"}' \
		'{"id":"c","state":"unreadable","reason":"it has a cold"}' >in
	run --separate-stderr rejoin-installed -c 1.1 - <in
	status_is 3
	verdicts_are 'a null it has no version' 'b null unreadable' 'c null it has a cold'
	run --separate-stderr rejoin-installed -c 1.1 --missing - <in
	status_is 3
	out_is ''
	err_has 'a: cannot be told: it has no version'
	run --separate-stderr rejoin-installed -q -c 1.1 --missing - <in
	[ -z "$stderr" ]
}

@test "a jq program says true or false, and anything else is neither" {
	printf '%s\n' '{"id":"a","version":"2"}' '{"id":"b","version":"1"}' '{"id":"c"}' >in
	run --separate-stderr rejoin-installed -w '.version | if . then . == "2" else null end' - <in
	status_is 3
	verdicts_are 'a true -' 'b false the program says false' \
		'c null the program says null, neither true nor false'
	for p in empty '"yes"' 1 'error("broken")'; do
		run --separate-stderr rejoin-installed -w "$p" - <<<'{"id":"a"}'
		status_is 3
		[ "$(jq .installed <<<"$output")" = null ]
	done
	[ "$(jq -r .reason <<<"$output")" = broken ]
	run --separate-stderr rejoin-installed -w '.[' - </dev/null
	status_is 2
	err_has ".["
}

@test "one question, sensible operands" {
	for a in '' '-c 1 -w 2' '-m a -H b' '-w 1 -H b' '-c 1 - inv.json' '-c 1 inv.json -- x' '-j 0 -c 1' \
		'-j x -c 1' '--timeout 5 -c 1' '--format=xml -c 1' '--format=kv -c 1'; do
		# shellcheck disable=SC2086
		run --separate-stderr rejoin-installed $a </dev/null
		status_is 2
		err_has 'hint: '
	done
	run --separate-stderr rejoin-installed -A no-such -c 1
	status_is 2
	run --separate-stderr rejoin-installed -c 1 no-such-inventory.json
	status_is 3
	err_has no-such-inventory.json
}

@test "without operands it is the profile's inventory" {
	cp inv.json "$REJOIN_CONFIG_DIR/inventory.json"
	run --separate-stderr rejoin-installed -c 1.1 --missing
	status_is 3
	verdicts_are 'cam1 false its version is 1.0'
}

@test "formats" {
	inventory cam1 cam2 >two.json
	run rejoin-installed -c 1.1 --format=tsv two.json
	out_is $'cam1\tfalse\t1.1\tits version is 1.0\ncam2\ttrue\t1.1\t'
	run rejoin-installed -c 1.1 --format=tsv inv.json
	[ "${lines[2]}" = $'cam3\tunknown\t1.1\toffline' ]
	run rejoin-installed -c 1.1 --format=table two.json
	[[ ${lines[0]} =~ ^ID\ +VERSION\ +INSTALLED ]]
	[ "${#lines[@]}" -eq 3 ]
	run rejoin-installed -c 1.1 --format=json two.json
	[ "$(jq -c '[.components[].installed]' <<<"$output")" = '[false,true]' ]
}

@test "bad lines on stdin are named and passed over" {
	printf '%s\n' '{"id":"a","version":"1"}' nonsense '' '{"id":5}' '["x"]' '{"id":"b","version":"1"}' >in
	run --separate-stderr rejoin-installed -c 1 - <in
	status_is 1
	verdicts_are 'a true -' 'b true -'
	err_has 'standard input: line 2: is not JSON'
	err_has 'line 4: id is a number, not a string'
	err_has 'line 5: is an array, not an object'
	{ echo '{"id":"a","version":"1"}'; head -c 3000000 /dev/zero | tr '\0' x; echo
		echo '{"id":"b","version":"1"}'; } >in
	run --separate-stderr rejoin-installed -c 1 - <in
	status_is 1
	verdicts_are 'a true -' 'b true -'
	err_has 'line 2: longer than'
}

@test "a verdict is printed as soon as it is decided" {
	mkfifo in
	start it bash -c 'rejoin-installed -c 1 - <in'
	exec 9>in
	echo '{"id":"a","version":"1"}' >&9
	wait_for 'grep -q "\"id\":\"a\"" it.out'
	printf '{"id":"b",' >&9
	echo '"version":"2"}' >&9
	wait_for 'grep -q "\"id\":\"b\"" it.out'
	answers 'while [ "$id" = slow ] && ! [ -e go ]; do :; done; echo "{\"resultCode\":900}" >$r'
	exec 9>&-
	wait "$it_pid" && return 1
	start it bash -c 'rejoin-installed -j 2 -H s.sh - -- --component --component-id-val <in'
	exec 9>in
	printf '%s\n' '{"id":"slow"}' '{"id":"quick"}' >&9
	wait_for 'grep -q "\"id\":\"quick\"" it.out'
	[ "$(wc -l <it.out)" -eq 1 ]
	: >go
	exec 9>&-
	wait "$it_pid"
	[ "$(wc -l <it.out)" -eq 2 ]
}

@test "a script is run with the agent's arguments, in a folder that goes" {
	export TMPDIR=$PWD/tmp
	mkdir tmp
	answers ''
	cat >s.sh <<-'EOF'
		#!/bin/sh
		printf '<%s>' "$0" "$@"
		echo
		while [ "$1" != --result-file ]; do shift; done
		echo '{"resultCode":900}' >"$2"
	EOF
	inventory cam1 >one.json
	run --separate-stderr rejoin-installed -v -H s.sh -c '1 1' one.json -- \
		--name --component-name-val '--prop a.b --component-prop-val a.b' \
		'' --version --component-version-val --none --component-prop-val x.y
	status_is 0
	[[ $stderr =~ "<$TMPDIR/rejoin-installed."([A-Za-z0-9]+/work.[A-Za-z0-9]+)"/s.sh>"(.*) ]]
	w=$TMPDIR/rejoin-installed.${BASH_REMATCH[1]}
	[ "${BASH_REMATCH[2]}" = "<--action-is-installed><--name><the cam1><--prop><a.b><deep value>\
<--version><1.0><--none><n/a><--work-folder><$w><--result-file>\
<$w/action_is-installed_aduc_result.json><--installed-criteria><1 1>" ]
	[ "$(jq -r .criteria <<<"$output")" = '1 1' ]
	[ ! -x s.sh ]
	no_work_left
	run --separate-stderr rejoin-installed -v -H s.sh - -- </dev/null
	status_is 1
	run --separate-stderr rejoin-installed -v -H s.sh one.json
	err_has '<--action-is-installed><--work-folder>'
	[[ $stderr != *--installed-criteria* ]]
}

@test "a script answers for each component" {
	run --separate-stderr rejoin-installed -H check.sh -c 1.1 inv.json -- --path --component-prop-val path
	status_is 3
	verdicts_are 'cam1 false another version' 'cam2 true -' 'cam3 null offline'
}

@test "what is neither 900 nor 901 cannot be told" {
	inventory cam1 >one.json
	export TMPDIR=$PWD/tmp
	mkdir tmp
	try() {
		answers "$1"
		run --separate-stderr rejoin-installed -H s.sh one.json
		status_is 3
		verdicts_are "cam1 null $2" && no_work_left
	}
	try ':' 's.sh left no result file: 0x30500205'
	try 'echo "{\"resultCode\":900}" >$r; exit 7' 's.sh exited with 7: 0x30501007'
	try 'echo "{\"resultCode\":900}" >$r; kill -KILL $$' 's.sh was killed by SIGKILL: 0x30501009'
	try 'echo "{\"resultCode\":0,\"extendedResultCode\":805306870,\"resultDetails\":\"no answer\"}" >$r' \
		'no answer: 0x300001F6'
	try 'echo "{\"resultCode\":600}" >$r' 'resultCode 600 is neither 900 nor 901'
	try 'echo "{\"resultCode\":0}" >$r' '0x30500206'
	try 'echo 900 >$r' 's.sh left a result file that holds no result: 0x30500205'
	answers 'echo "{\"resultCode\":900}" >$w/x; ln -s x $r'
	run --separate-stderr rejoin-installed -H s.sh one.json
	status_is 3
	[[ $output == *'is a symbolic link'* ]]
	answers 'mkfifo $r'
	run --separate-stderr rejoin-installed -H s.sh one.json
	status_is 3
	[[ $output == *'is not a regular file'* ]]
	answers 'truncate -s 1G $r'
	run --separate-stderr rejoin-installed -H s.sh one.json
	status_is 3
	[[ $output == *'bytes are too many'* ]]
	no_work_left
}

@test "details are data, however odd and long" {
	inventory cam1 >one.json
	answers 'echo "{\"resultCode\":901,\"resultDetails\":\"%n%s%n%s\"}" >$r'
	run --separate-stderr rejoin-installed -H s.sh one.json
	status_is 1
	verdicts_are 'cam1 false %n%s%n%s'
	answers '{ printf "{\"resultCode\":901,\"resultDetails\":\""; head -c 1048576 /dev/zero | tr "\0" x; echo "\"}"; } >$r'
	run --separate-stderr rejoin-installed -H s.sh one.json
	status_is 1
	[ "$(jq -r '.reason | length' <<<"$output")" -eq 4096 ]
}

@test "a script that hangs is ended with its children, also one that left the group" {
	inventory cam1 >one.json
	answers 'setsid sh -c "trap : TERM; echo \$\$ >'"$PWD"'/child; sleep 600; sleep 600" & sleep 600'
	run --separate-stderr rejoin-installed --timeout 700ms -H s.sh one.json
	status_is 3
	verdicts_are 'cam1 null s.sh did not end within 700 ms: 0x30500206'
	wait_for '! alive "$(cat child)"'
}

@test "ended by a signal, it ends its scripts and leaves nothing" {
	export TMPDIR=$PWD/tmp
	mkdir tmp
	inventory cam1 >one.json
	answers 'echo $$ >'"$PWD"'/child; sleep 600'
	for s in HUP TERM; do
		rm -f child
		start it rejoin-installed -H s.sh one.json
		wait_for '[ -s child ]'
		kill -$s "$it_pid"
		status=0
		wait "$it_pid" || status=$?
		[ "$status" -eq $((128 + $(kill -l $s))) ]
		wait_for '! alive "$(cat child)"'
		no_work_left
	done
}

@test "many at a time, in the order of their ids" {
	local n=() i
	for i in $(seq -w 200); do
		n+=("c$i")
		mkdir "c$i"
		echo "{\"version\":\"1.$((10#$i % 2))\"}" >"c$i/firmware.json"
	done
	inventory "${n[@]}" >many.json
	run --separate-stderr rejoin-installed -j 8 -H check.sh -c 1.1 many.json -- --path --component-prop-val path
	status_is 1
	[ "$(verdicts | awk '{print $1}')" = "$(printf '%s\n' "${n[@]}")" ]
	[ "$(verdicts | grep -c ' true')" -eq 100 ]
	[ "$(verdicts | grep -c ' false another version')" -eq 100 ]
}

@test "two really run at once" {
	inventory cam1 cam2 >two.json
	# each waits for the other
	answers ': >'"$PWD"'/seen.$id; while [ "$(ls '"$PWD"' | grep -c ^seen)" -lt 2 ]; do :; done
		echo "{\"resultCode\":900}" >$r'
	run --separate-stderr rejoin-installed -j 2 --timeout 20s -H s.sh two.json -- --component --component-id-val
	status_is 0
}

@test "a manifest's steps are asked of those it selects" {
	child=$(manifest '[{"group":"motors"},{"group":"cameras","model":"virtual"}]' '[{"handler":"microsoft/script:1",
		"files":["f_check.sh"],"handlerProperties":{"scriptFileName":"check.sh",
		"arguments":"--path --component-prop-val path","installedCriteria":"1.1"}}]' check.sh)
	printf %s "$child" >child.json
	parent=$(manifest '[{"deviceManufacturer":"contoso"}]' \
		'[{"type":"reference","detachedManifestFileId":"f_child.json"}]' child.json)
	jq -n --arg m "$parent" --arg d "$PWD" '{workflow: {action: 3, id: "w1"}, updateManifest: $m,
		fileUrls: {"f_child.json": ("file://" + $d + "/child.json"),
			"f_check.sh": ("file:" + $d + "/check.sh")}}' >goal.json
	jq '.components += [{"id":"host","group":"firmware","version":"7"}]' inv.json >more.json
	run --separate-stderr rejoin-installed -m goal.json more.json
	status_is 3
	verdicts_are 'cam1 false step_0.0: another version' 'cam2 true -' 'cam3 null offline'
	[ "$(jq -r '.criteria // empty' <<<"$output" | sort -u)" = 1.1 ]
	# inside the twin's component, too
	jq '{deviceUpdate: {service: .}}' goal.json >twin.json
	run --separate-stderr rejoin-installed --missing -m twin.json more.json
	verdicts_are 'cam1 false step_0.0: another version'
	# no component is meant
	run --separate-stderr rejoin-installed -m goal.json - <<<'{"id":"host","group":"firmware"}'
	status_is 1
	err_has 'no component'
	# an inventory that is wrong is a usage error, which wins
	run --separate-stderr rejoin-installed -m goal.json goal.json inv.json
	status_is 2
	[ "$(verdicts | wc -l)" -eq 3 ]
}

@test "a script that cannot be had leaves the verdict open" {
	inventory cam1 >one.json
	step='[{"handler":"microsoft/script:1","files":["f_check.sh"],"handlerProperties":{
		"scriptFileName":"check.sh","arguments":"--path --component-prop-val path","installedCriteria":"1.0"}}]'
	manifest '[{"group":"cameras"}]' "$step" check.sh >m.json
	# a bare manifest's files are beside it
	run --separate-stderr rejoin-installed -m m.json one.json
	status_is 0
	echo '# changed' >>check.sh
	run --separate-stderr rejoin-installed -m m.json one.json
	status_is 3
	[ "$(jq .installed <<<"$output")" = null ]
	[[ $(verdicts) == 'cam1 null step_0: file f_check.sh (check.sh): '*'the manifest says'* ]]
	rm check.sh
	run --separate-stderr rejoin-installed -m m.json one.json
	[[ $(verdicts) == *'No such file or directory' ]]
	jq '.files = {} | .instructions.steps[0].files = []' m.json >n.json
	run --separate-stderr rejoin-installed -m n.json one.json
	status_is 3
	verdicts_are "cam1 null step_0: scriptFileName 'check.sh' is none of the step's files"
	# a child manifest that cannot be had may be for any component
	jq -n --arg m "$(manifest '[]' '[{"type":"reference","detachedManifestFileId":"f_m.json"}]' m.json)" \
		'{updateManifest: $m, fileUrls: {"f_m.json": "file:/no/such/file"}}' >goal.json
	run --separate-stderr rejoin-installed -m goal.json one.json
	status_is 3
	[[ $(verdicts) == 'cam1 null step_0: file f_m.json (m.json): /no/such/file: No such file or directory' ]]
}

@test "with several steps one no decides, and else one that cannot tell" {
	inventory cam1 >one.json
	for a in 900 901 7; do
		printf '#!/bin/sh\nwhile [ "$1" != --result-file ]; do shift; done
			echo "{\\"resultCode\\":%s}" >"$2"\n' "$a" >"s$a"
	done
	for try in '900 900 true' '900 901 false' '901 7 false' '7 901 false' '7 900 null' '900 7 null'; do
		read -r a b want <<<"$try"
		manifest '[{"group":"cameras"}]' "$(jq -n --args '[$ARGS.positional[] | {handler: "microsoft/script:1",
			files: ["f_s" + .], handlerProperties: {scriptFileName: ("s" + .)}}]' "$a" "$b")" \
			s900 s901 s7 >m.json
		run --separate-stderr rejoin-installed -m m.json one.json
		[ "$(jq .installed <<<"$output")" = "$want" ] || { echo "$try: $output"; return 1; }
	done
}

@test "what the agent has fetched is not fetched again" {
	inventory cam1 >one.json
	manifest '[{"group":"cameras"}]' '[{"handler":"microsoft/script:1","files":["f_check.sh"],"handlerProperties":{
		"scriptFileName":"check.sh","arguments":"--path --component-prop-val path","installedCriteria":"1.0"}}]' \
		check.sh >m.json
	mkdir -p "$REJOIN_STATE_DIR/agent/cache/sha256"
	mv check.sh "$REJOIN_STATE_DIR/agent/cache/sha256/$(sha256sum <check.sh | cut -d' ' -f1)"
	run --separate-stderr rejoin-installed -m m.json one.json
	status_is 0
}

@test "a manifest that is wrong, or that others could have written" {
	for m in '' '[]' '{' '{"manifestVersion":"3"}' '{"updateManifest":5,"workflow":{"id":"x","action":3}}' \
		'{"workflow":{"id":"x","action":255}}' '{"updateManifest":"{"}' \
		'{"manifestVersion":"5","updateId":{},"compatibility":[],"instructions":{"steps":[{}]}}'; do
		printf %s "$m" >m.json
		run --separate-stderr rejoin-installed -m m.json inv.json
		status_is 2
		err_has m.json
		out_is ''
	done
	run --separate-stderr rejoin-installed -m none.json inv.json
	status_is 3
	mkfifo fifo
	run --separate-stderr rejoin-installed -m fifo inv.json
	status_is 3
	chmod o+w m.json
	run --separate-stderr rejoin-installed -m m.json inv.json
	status_is 7
	err_has 'm.json: writable by others (mode 0646)'
	run --separate-stderr rejoin-installed -H no-such-script inv.json
	status_is 3
	err_has 'no-such-script: No such file or directory'
	run --separate-stderr rejoin-installed -H fifo inv.json
	status_is 3
}

@test "rejoin/copy:1 says what is there, and puts another in its place" {
	inventory cam1 cam2 cam3 >all.json
	manifest '[{"group":"cameras"}]' '[{"handler":"rejoin/copy:1","files":[],"handlerProperties":{
		"arguments":"--file new.json --to --component-prop-val path --as firmware.json",
		"installedCriteria":"1.1"}}]' >m.json
	run --separate-stderr rejoin-installed -m m.json all.json
	status_is 3
	verdicts_are 'cam1 false step_0: firmware.json is at 1.0' 'cam2 true -' 'cam3 null offline'
	# it is asked itself, whatever the record says
	rejoin-enum -a all.json | jq -c '.state = "online"' >in
	run --separate-stderr rejoin-installed -m m.json - <in
	[[ $(verdicts) == *"cam3 null step_0: cannot reach the component: no directory $PWD/cam3: 0x300001F6"* ]]
	c=$REJOIN_CONFIG_DIR/handlers.d/rejoin_copy_1
	mkdir w
	printf '{\n "version" :\t"2.0"}' >w/new.json
	copy() { "$c" "$@" --work-folder w --result-file w/r && code=$(jq .resultCode w/r); }
	copy --action-install --file new.json --to "$PWD/cam1" --as firmware.json
	[ "$code" -eq 600 ]
	cmp w/new.json cam1/firmware.json
	[ "$(ls -A cam1)" = firmware.json ]
	copy --action is-installed --file new.json --to "$PWD/cam1" --as firmware.json --installed-criteria 2.0
	[ "$code" -eq 900 ]
	copy --action is-installed --file new.json --to "$PWD/cam1" --as firmware.json
	[ "$code" -eq 900 ]
	copy --action-is-installed --file new.json --to "$PWD/cam1" --as firmware.json \
		--installed-criteria "sha256:$(sha256sum <w/new.json | cut -d' ' -f1)"
	[ "$code" -eq 900 ]
	copy --action-is-installed --file new.json --to "$PWD/cam2" --as firmware.json --installed-criteria sha256:0
	[ "$code" -eq 901 ]
	for a in '--file ../x --to /tmp' '--file x --to tmp' "--file x --to $PWD/none" "--file x --to $PWD" '--file x --to n/a'; do
		# shellcheck disable=SC2086
		copy --action-install $a
		[ "$code" -eq 0 ]
		[ "$(jq -r '.resultDetails | length' w/r)" -gt 5 ]
	done
	copy --action-download --file x --to /x
	[ "$code" -eq 500 ]
	# the backup is another file than the one that is installed afterwards
	before=$(cat cam1/firmware.json)
	copy --action-backup --file new.json --to "$PWD/cam1" --as firmware.json
	[ "$code" -eq 1000 ]
	echo '{"version":"3.0"}' >w/new.json
	copy --action-install --file new.json --to "$PWD/cam1" --as firmware.json
	copy --action-restore --file new.json --to "$PWD/cam1" --as firmware.json
	[ "$code" -eq 1100 ]
	[ "$(cat cam1/firmware.json)" = "$before" ]
	[ "$(ls -A cam1)" = firmware.json ]
	[ "$(stat -c %a cam1/firmware.json)" = 644 ]
	copy --action-restore --file new.json --to "$PWD/cam1" --as firmware.json
	[ "$code" -eq 1101 ]
	copy --action-apply --file x --to /x
	[ "$code" -eq 700 ]
}

@test "a handler must exist and be trusted" {
	inventory cam1 >one.json
	manifest '[{"group":"cameras"}]' '[{"handler":"no/such:1","files":[]}]' >m.json
	run --separate-stderr rejoin-installed -m m.json one.json
	status_is 3
	verdicts_are "cam1 null step_0: no handler 'no/such:1': it is not in handlers.d: 0x30000003"
	printf '#!/bin/sh\n' >"$REJOIN_CONFIG_DIR/handlers.d/no_such_1"
	chmod 0777 "$REJOIN_CONFIG_DIR/handlers.d/no_such_1"
	run --separate-stderr rejoin-installed -m m.json one.json
	status_is 3
	[[ $(verdicts) == *'writable by others'* ]]
}

@test "handlers run as the user that the configuration names" {
	needs_root
	needs setpriv
	chmod 0755 "$BATS_TEST_TMPDIR"
	inventory cam1 >one.json
	printf '[agent]\nhandler-user = nobody\n' >"$REJOIN_CONFIG_DIR/agent.conf"
	answers 'id -un >$w/user; printf "{\"resultCode\":901,\"resultDetails\":\"%s\"}" "$(cat $w/user)" >$r'
	manifest '[{"group":"cameras"}]' '[{"handler":"microsoft/script:1","files":["f_s.sh"],
		"handlerProperties":{"scriptFileName":"s.sh"}}]' s.sh >m.json
	run --separate-stderr rejoin-installed -m m.json one.json
	status_is 1
	verdicts_are 'cam1 false step_0: nobody'
}

@test "a full standard output ends it" {
	run --separate-stderr bash -c 'rejoin-installed -c 1.1 inv.json >/dev/full'
	status_is 3
	err_has 'No space left on device'
	answers 'sleep 600'
	printf '%s\n' '{"id":"a","state":"offline"}' '{"id":"b"}' >in
	run --separate-stderr timeout 20 bash -c 'rejoin-installed -j 2 -H s.sh - <in >/dev/full'
	status_is 3
}

@test "each run finds its folder as new" {
	printf '{"id":"%s"}\n' a b c >in
	# what is left there: a file and a link, a directory, another script
	for left in ':' 'mkdir $w/d' 'sed -i "1i exit 5" $0' 'chmod 0600 $0'; do
		answers 'ls $w >'"$PWD"'/listing.$id; echo x >$w/left; ln -s /etc $w/link; '"$left"'
			echo "{\"resultCode\":900,\"resultDetails\":\"$w\"}" >$r'
		for jobs in 1 3; do
			run --separate-stderr rejoin-installed -j $jobs -H s.sh - -- --component --component-id-val <in
			status_is 0
			[ "$(jq -r .reason <<<"$output" | sort -u | wc -l)" -eq 3 ]
			[ "$(cat listing.a listing.b listing.c | sort -u)" = s.sh ]
		done
	done
}

# bats test_tags=plain
@test "a disk that is full or broken leaves the verdict open, and nothing behind" {
	export TMPDIR=$PWD/tmp
	mkdir tmp
	inventory cam1 >one.json
	answers 'echo "{\"resultCode\":900}" >$r'
	with() { run --separate-stderr env LD_PRELOAD="$B/fault.so" FAULT="$1" rejoin-installed "${@:2}"; }
	# the first of each is of the script's copy
	for w in 'write:1:ENOSPC No space left on device' 'fsync:1:EIO Input/output error' \
		'rename:1:EROFS Read-only file system'; do
		with "${w%% *}" -H s.sh one.json
		status_is 3
		[[ $(verdicts) == "cam1 null file "*"${w#* }" ]]
		no_work_left
	done
	# the first are of lock files that can be done without
	bad=0
	for n in 1 2 3 4 5 6; do
		with open:$n:EACCES -H s.sh one.json
		[ "$status" -eq 0 ] || bad=$((bad + 1))
		no_work_left
	done
	[ "$bad" -ge 3 ]
	with read:1:EIO -c 1 - <<<'{"id":"a","version":"1"}'
	status_is 3
	err_has 'standard input: after line 0: Input/output error'
	with read:1:EINTR -c 1 - <<<'{"id":"a","version":"1"}'
	status_is 0
}
