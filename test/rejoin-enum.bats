load helper

# inv ENTRY... - an inventory inv.json of these entries
inv() {
	local IFS=,
	printf '{"components":[%s]}\n' "$*" >inv.json
}

# The vacuum of the Azure agent's example: motors, cameras, one of them unplugged.
vacuum() {
	local d
	mkdir -p dev/motor-{0,1,2} dev/camera-0
	for d in dev/*; do
		echo '{"version":"1.0","description":"made for testing"}' >"$d/firmware.json"
	done
	inv '{"id":"hostfw","name":"hostfw","group":"firmware","manufacturer":"contoso","model":"virtual-firmware","version":"3"}' \
		"$(part motor 0 left-motor)" "$(part motor 1 right-motor)" "$(part motor 2 vacuum-motor)" \
		"$(part camera 0 front-camera)" "$(part camera 1 rear-camera)"
}

part() {
	printf '{"id":"%s-%s","name":"%s","group":"%ss","manufacturer":"contoso","model":"virtual-%s","properties":{"path":"%s/dev/%s-%s","firmwareDataFile":"firmware.json"}}' \
		"$1" "$2" "$3" "$1" "$1" "$PWD" "$1" "$2"
}

# data ENTRY-FILE - one component c whose data file is dev/FILE
data() { inv "{\"id\":\"c\",\"properties\":{\"path\":\"dev\",\"firmwareDataFile\":\"$1\"}}"; }

ids() { jq -r .id <<<"$output" | paste -sd ' '; }

@test "lists what is here, sorted by id, with what its data file says" {
	vacuum
	run --separate-stderr rejoin-enum inv.json
	status_is 0
	[ "$(ids)" = 'camera-0 hostfw motor-0 motor-1 motor-2' ]
	[ "$(jq -c '[.version,.state,.description,.properties.firmwareDataFile]' <<<"${lines[0]}")" = \
		'["1.0","online","made for testing","firmware.json"]' ]
	[ -z "$stderr" ]

	# what comes back is seen at once, and what goes
	mkdir dev/camera-1
	echo '{"version":"0.9"}' >dev/camera-1/firmware.json
	rm -r dev/motor-1
	run --separate-stderr rejoin-enum inv.json
	[ "$(ids)" = 'camera-0 camera-1 hostfw motor-0 motor-2' ]
}

@test "-a lists the others, too, with the reason" {
	vacuum
	run --separate-stderr rejoin-enum -a -s '{"id":"camera-1"}' inv.json
	status_is 0
	[ "$(jq -r '.state, .reason' <<<"$output")" = \
		"offline"$'\n'"$PWD/dev/camera-1/firmware.json: No such file or directory" ]
}

@test "a selector with any number of keys selects exactly the right ones" {
	vacuum
	mkdir dev/camera-1
	cp dev/camera-0/firmware.json dev/camera-1
	sel() { run --separate-stderr rejoin-enum "$@" inv.json; }
	sel -s '{"manufacturer":"contoso","model":"virtual-camera"}'
	status_is 0
	[ "$(ids)" = 'camera-0 camera-1' ]
	sel -s '{"manufacturer":"contoso","model":"virtual-camera","name":"rear-camera","group":"cameras","version":"1.0"}'
	[ "$(ids)" = camera-1 ]
	sel -s '{"group":"motors"}'
	[ "$(ids)" = 'motor-0 motor-1 motor-2' ]
	sel -s '{}'
	[ "${#lines[@]}" -eq 6 ]
	# alternatives
	sel -s '{"name":"left-motor"}' -s '{"group":"firmware"}' -s '{"name":"none"}'
	[ "$(ids)" = 'hostfw motor-0' ]
	# not the same, not a string, not on the first level
	for s in '{"group":"Motors"}' '{"group":""}' '{"":"motors"}' '{"properties":{}}' '{"group":1}' \
	    '{"manufacturer":"contoso","model":"virtual-Camera"}' '{"firmwareDataFile":"firmware.json"}' \
	    '{"group":["motors"]}' '{"none":"x"}'; do
		sel -s "$s"
		status_is 1
		[ -z "$output$stderr" ]
	done
	sel -s '{"group\u0000":"motors"}'
	status_is 2
	err_has 'NUL character in a name'
}

@test "numbers keep their spelling, alone and from tool to tool" {
	mkdir dev
	echo '{"version":"1","size":12345678901234567890,"scale":0.1000}' >dev/f
	inv '{"id":"a","size":12345678901234567890,"scale":0.1000,"n":[1E5,-0,1.0]}' \
		'{"id":"b","properties":{"path":"dev","firmwareDataFile":"f"}}'
	for how in '' '-f .size>12345678901234000000'; do
		# shellcheck disable=SC2086	# none or two words
		run --separate-stderr rejoin-enum $how inv.json
		status_is 0
		[ "$(grep -c '"size":12345678901234567890,"scale":0.1000' <<<"$output")" -eq 2 ]
		out_has '"n":[1E5,-0,1.0]'
	done
	rejoin-enum inv.json | rejoin-installed -w true - >got
	[ "$(grep -c '"size":12345678901234567890,"scale":0.1000' got)" -eq 2 ]
}

@test "JSON that programs read differently is refused" {
	while read -r reason text; do
		printf '{"components":[{"id":"a",%s}]}' "$text" >bad.json
		run --separate-stderr rejoin-enum bad.json
		status_is 2
		err_has "bad.json: is not JSON: ${reason//_/ }"
	done <<-'X'
		lone_surrogate "name":"\ud800"
		NUL_character_in_a_name "n\u0000":1
		control_character "name":"a	b"
		number_with_a_leading_zero "n":007
		unexpected "n":NaN
		invalid_number "n":1.
	X
	# of two members with one name the last wins
	printf '{"components":[{"id":"a","name":"x","\\u006eame":"y"}]}' >twice.json
	run --separate-stderr rejoin-enum twice.json
	out_is '{"id":"a","name":"y","state":"online"}'
}

@test "-f asks jq" {
	vacuum
	run --separate-stderr rejoin-enum -f '.version | tonumber > 1' inv.json
	status_is 0
	[ "$(ids)" = hostfw ]
	run --separate-stderr rejoin-enum -s '{"group":"motors"}' -f '.name | startswith("left")' inv.json
	[ "$(ids)" = motor-0 ]
	run --separate-stderr rejoin-enum -f false inv.json
	status_is 1
	run --separate-stderr rejoin-enum -f '.name | tonumber' inv.json
	status_is 2
	err_has 'filter: camera-0:'
}

@test "each format, also with tabs and newlines in what is printed" {
	inv '{"id":"b","name":"two\tthree\nfour\\","version":"1.0","n":1}' '{"id":"a b=c","group":"g"}'
	f() { run --separate-stderr rejoin-enum --format "$1" inv.json; status_is 0; }
	f jsonl
	out_is '{"id":"a b=c","group":"g","state":"online"}
{"id":"b","name":"two\tthree\nfour\\","version":"1.0","n":1,"state":"online"}'
	f json
	[ "$(jq -c '.components | map(.id)' <<<"$output")" = '["a b=c","b"]' ]
	f tsv
	out_is $'a b=c\t\ntwo\\tthree\\nfour\\\\\t1.0'
	f kv
	out_is 'a%20b%3Dc.group=g
a%20b%3Dc.state=online
b.name=two\tthree\nfour\\
b.version=1.0
b.state=online'
	f table
	[ "${#lines[@]}" -eq 3 ]
	[[ ${lines[0]} =~ ^ID\ +STATE\ +VERSION\ +NAME\ +GROUP$ ]]
	[[ ${lines[2]} == *'two\x09three\x0afour'* ]]
	run --separate-stderr rejoin-enum --json inv.json
	[ "${#lines[@]}" -eq 2 ]
	for fmt in xml '' JSON; do
		run --separate-stderr rejoin-enum --format "$fmt" inv.json
		status_is 2
		err_has "--format: unknown choice: '$fmt'"
		err_has 'choices: jsonl, json, table, tsv, kv, adu'
	done
	# nothing to list is still a document
	inv
	f json
	[ "$(jq -c . <<<"$output")" = '{"components":[]}' ]
	f tsv
	[ -z "$output" ]
	# U+009B begins an escape sequence as ESC [ does
	inv '{"id":"c","name":"\u009b2J"}'
	f tsv
	out_is $'\\xc2\\x9b2J\t'
}

@test "adu keeps the order of the inventories, all other formats sort by id" {
	printf '{"components":[{"id":"b"},{"id":"c"}]}' >one.json
	printf '{"components":[{"id":"d"},{"id":"a"}]}' >two.json
	run --separate-stderr rejoin-enum --format adu one.json two.json
	[ "$(jq -r '.components | map(.id) | join(" ")' <<<"$output")" = 'b c d a' ]
	run --separate-stderr rejoin-enum --format adu two.json one.json
	[ "$(jq -r '.components | map(.id) | join(" ")' <<<"$output")" = 'd a b c' ]
	run --separate-stderr rejoin-enum --format json one.json two.json
	[ "$(jq -r '.components | map(.id) | join(" ")' <<<"$output")" = 'a b c d' ]
}

@test "adu is what the Azure agent expects, without those that are offline" {
	vacuum
	echo '{' >dev/motor-1/firmware.json
	run --separate-stderr rejoin-enum --format adu inv.json
	status_is 0
	[ "$(jq -c '[.components[] | [.id, .properties.status, .version, .state]]' <<<"$output")" = \
		'[["hostfw","ok","3",null],["motor-0","ok","1.0",null],["motor-1","unknown",null,null],["motor-2","ok","1.0",null],["camera-0","ok","1.0",null]]' ]
	[ "$(jq -c '.components[1]' <<<"$output")" = "$(jq -c '.components[1] + {version: "1.0", description: "made for testing"} | .properties.status = "ok"' inv.json |
		jq -c '{id,name,group,manufacturer,model,properties,version,description}')" ]
}

@test "a table on a terminal, JSON Lines elsewhere" {
	needs script
	inv '{"id":"c","name":"\u001b[2Jx"}'
	run script -qec 'rejoin-enum inv.json' /dev/null
	[[ $output == ID*STATE*NAME*'c'*'online'*'\x1b[2Jx'* ]]
	inv '{"id":"c","name":"\u009b2Jx"}'
	run script -qec 'rejoin-enum --json inv.json' /dev/null
	[[ $output == '{"id":"c","name":"\u009b2Jx"'* ]]
	run script -qec $'rejoin-enum "no\xc2\x9b2J"' /dev/null
	[[ $output == 'rejoin-enum: no\u009b2J: No such file'* ]]
}

@test "a data file may not choose the component's id" {
	mkdir dev
	echo '{"id":"other","state":"offline","udev":{},"each":true,"probe":["reboot"],"properties":{"path":"/"},"name":"n","version":"2"}' >dev/f
	data f
	run --separate-stderr rejoin-enum inv.json
	status_is 0
	out_is '{"id":"c","properties":{"path":"dev","firmwareDataFile":"f"},"name":"n","version":"2","state":"online"}'
	err_has "inv.json: components[0] ('c'): dev/f: claims to be 'other'; ignored"
	echo '{"id":"c"}' >dev/f
	run --separate-stderr rejoin-enum inv.json
	[ -z "$stderr" ]
}

@test "a data file that cannot be used makes its component unreadable, never a hang" {
	mkdir dev
	mkfifo dev/fifo
	mkdir dev/directory
	ln -s /dev/null dev/link
	ln -s nowhere dev/dangling
	truncate -s 1G dev/huge
	echo '{"version":1}' >dev/number
	echo '["not an object"]' >dev/array
	echo '{"version":"1' >dev/torn
	: >dev/empty
	printf '{"version":"\xff"}' >dev/latin1
	printf '{"version":"%05000d"}' 1 >dev/long
	head -c 20000 /dev/zero | tr '\0' '[' >dev/deep
	local f reason
	while read -r f reason; do
		data "$f"
		run --separate-stderr timeout 20 rejoin-enum inv.json
		status_is 0
		[ "$(jq -r .state <<<"$output")" = unreadable ]
		err_has "inv.json: components[0] ('c'): dev/$f: $reason"
		[[ $(jq -r .reason <<<"$output") == "dev/$f: $reason"* ]]
	done <<-'X'
		fifo is not a regular file
		directory is not a regular file
		link is a symbolic link
		dangling is a symbolic link
		huge 1073741824 bytes are too many
		number version is a number, not a string
		array is an array, not an object
		torn is not JSON
		empty is not JSON
		latin1 is not UTF-8 at byte 12
		long version is 5000 bytes long
		deep nested more than 256 deep
	X
	inv '{"id":"c","properties":{"path":"/dev","firmwareDataFile":"zero"}}'
	run --separate-stderr timeout 20 rejoin-enum inv.json
	[ "$(jq -r .state <<<"$output")" = unreadable ]
	err_has '/dev/zero: is not a regular file'
	# a file in place of the directory is absence
	: >plain
	inv '{"id":"c","properties":{"path":"plain","firmwareDataFile":"f"}}'
	run --separate-stderr rejoin-enum -a inv.json
	[ "$(jq -r .state <<<"$output")" = offline ]
}

@test "a key that is a slip of one that presence depends on is reported, and its component is not online" {
	mkdir dev
	echo '{"version":"1"}' >dev/f
	while IFS=' ' read -r name entry; do
		inv "{\"id\":\"a\",$entry}" '{"id":"b","port":1,"role":"x","edge":"y","probability":2,"patch":"3"}'
		for how in '' --json -a; do
			# shellcheck disable=SC2086	# none or one word
			run --separate-stderr rejoin-enum $how inv.json
			status_is 0
			[ "$(jq -r '.id + " " + .state' <<<"$output" | paste -sd ,)" = 'a unreadable,b online' ]
			err_has "inv.json: components[0] ('a'): '$name' is not a known key"
			err_has 'so its presence is unknown'
		done
	done <<-'X'
		Udev "Udev":{"SUBSYSTEM":"usb"}
		prob "prob":["true"]
		porbe "porbe":["false"]
		probes "probes":["false"]
		udevs "udevs":{"SUBSYSTEM":"usb"}
		Properties "Properties":{"path":"dev","firmwareDataFile":"f"}
		properties.firmwaredatafile "properties":{"path":"dev","firmwaredatafile":"f"}
		properties.firmwareDatFile "properties":{"path":"dev","firmwareDatFile":"f"}
		properties.Path "properties":{"Path":"dev","firmwareDataFile":"f"}
		prope "prope":["true"],"properties":{"path":"dev","firmwareDataFile":"f"}
	X
	# what is absent by another key stays absent
	inv '{"id":"a","prob":["true"],"properties":{"path":"dev","firmwareDataFile":"none"}}'
	run --separate-stderr rejoin-enum -a inv.json
	[ "$(jq -r .state <<<"$output")" = offline ]
}

@test "a path without a data file, and the other way round, tell nothing of presence" {
	inv '{"id":"a","properties":{"path":"/dev"}}' '{"id":"b","properties":{"firmwareDataFile":"f"}}' \
		'{"id":"c","properties":{"path":"/dev"},"probe":["true"]}' '{"id":"d","properties":{"patch":"1"}}'
	run --separate-stderr rejoin-enum inv.json
	status_is 0
	[ "$(jq -r '.id + " " + .state' <<<"$output" | paste -sd ,)" = 'a unreadable,b unreadable,c unreadable,d online' ]
	err_has "components[0] ('a'): properties.path without firmwareDataFile, so its presence is unknown"
	err_has "components[1] ('b'): properties.firmwareDataFile without path, so its presence is unknown"
	[ "$(jq -r .reason <<<"${lines[0]}")" = 'properties.path without firmwareDataFile, so its presence is unknown' ]
}

@test "an inventory that is wrong is refused with file, entry and reason" {
	bad() {
		printf '%s' "$1" >bad.json
		run --separate-stderr rejoin-enum bad.json
		status_is 2
		err_has "rejoin-enum: bad.json: $2"
		[ -z "$output" ]
	}
	bad '' 'is not JSON'
	bad 'components' 'is not JSON'
	bad '{"components":[{"id":"a"},]}' 'is not JSON'
	bad $'{"components":[\n{"id":"a"},\n{"id":"b" 1}\n]}' "is not JSON: expected ',' or '}' at line 3, column 11"
	bad '[]' 'is an array, not an object'
	bad '{}' 'components is nothing, not an array'
	bad '{"components":{}}' 'components is an object, not an array'
	bad '{"components":[1]}' 'components[0]: is a number, not an object'
	bad '{"components":[{"id":"a"},{"name":"x"}]}' 'components[1]: has no id'
	bad '{"components":[{"id":""}]}' "components[0] (''): id is empty"
	bad '{"components":[{"id":7}]}' 'components[0]: id is a number, not a string'
	bad '{"components":[{"id":"a"},{"id":"b","version":1.5}]}' "components[1] ('b'): version is a number, not a string"
	bad '{"components":[{"id":"a\u0000b"}]}' "components[0]: id has a NUL character"
	bad '{"components":[{"id":"a","state":"gone"}]}' "components[0] ('a'): state is 'gone'"
	bad '{"components":[{"id":"a","properties":[]}]}' "components[0] ('a'): properties is an array, not an object"
	bad '{"components":[{"id":"a","properties":{"path":1,"firmwareDataFile":"f"}}]}' "components[0] ('a'): properties.path is a number"
	bad '{"components":[{"id":"a","udev":"usb"}]}' "components[0] ('a'): udev is a string, not an object"
	bad '{"components":[{"id":"a","udev":{}}]}' "components[0] ('a'): udev is empty"
	bad '{"components":[{"id":"a","udev":{"attr:../../x":"1"}}]}' "components[0] ('a'): udev: 'attr:../../x' is neither"
	bad '{"components":[{"id":"a","udev":{"ID_MODEL":7}}]}' "components[0] ('a'): udev: ID_MODEL is a number"
	bad '{"components":[{"id":"a","each":true}]}' "components[0] ('a'): each without udev"
	bad '{"components":[{"id":"a","udev":{"A":"b"},"each":"yes"}]}' "components[0] ('a'): each is a string"
	bad '{"components":[{"id":"a","probe":"true"}]}' "components[0] ('a'): probe is a string, not an array"
	bad '{"components":[{"id":"a","probe":[]}]}' "components[0] ('a'): probe is empty"
	bad '{"components":[{"id":"a","probe":["sh",1]}]}' "components[0] ('a'): probe[1] is a number"
	bad $'{"components":[{"id":"\xc3("}]}' 'is not UTF-8 at byte 22'
	printf '{"components":[{"id":"a\0b"}]}' >bad.json
	run --separate-stderr rejoin-enum bad.json
	status_is 2
	{ printf '{"components":[1'; head -c 2000000 /dev/zero | sed 's/\x0\x0/,1/g'; printf ']}'; } >bad.json
	run --separate-stderr rejoin-enum bad.json
	status_is 2
	err_has 'bad.json: 1000001 components are too many, at most 1000000'
	bad "$(printf '{"components":[{"id":"%05000d"}]}' 1)" 'components[0]'
	err_has 'id is 5000 bytes long'
	bad "$(printf '{"components":%s1%s}' "$(printf '[%.0s' {1..10000})" "$(printf ']%.0s' {1..10000})")" 'nested more than 256 deep'
}

@test "what is no inventory at all is trouble, never a hang" {
	mkfifo fifo
	truncate -s 1G huge
	for f in fifo /dev/zero . none huge; do
		run --separate-stderr timeout 20 rejoin-enum "$f"
		status_is 3
		err_has "rejoin-enum: $f: "
	done
	inv '{"id":"a"}'
	run --separate-stderr bash -c 'rejoin-enum inv.json >/dev/full'
	status_is 3
	err_has 'write error'
}

@test "a wrong inventory does not keep those of another from being listed" {
	inv '{"id":"a"}'
	echo '{' >bad.json
	run --separate-stderr rejoin-enum bad.json inv.json none
	status_is 3
	out_is '{"id":"a","state":"online"}'
	err_has 'bad.json: is not JSON'
	err_has 'none: No such file'
}

@test "a doubled id names both places" {
	inv '{"id":"a"}' '{"id":"b"}' '{"id":"a","name":"again"}'
	run --separate-stderr rejoin-enum inv.json
	status_is 2
	err_has "inv.json: components[2] ('a'): the same id as inv.json: components[0]"
	[ -z "$output" ]

	echo '{"components":[{"id":"x"},{"id":"b"}]}' >one.json
	echo '{"components":[{"id":"b"},{"id":"y"}]}' >two.json
	echo '{"components":[{"id":"y"},{"id":"z"}]}' >three.json
	run --separate-stderr rejoin-enum one.json two.json three.json
	status_is 2
	err_has "two.json: components[0] ('b'): the same id as one.json: components[1]"
	# what the second says does not count, so the third is right
	[ "$(ids)" = 'b x y z' ]
	[[ $stderr != *three* ]]
}

@test "100,000 entries, a string of 5 MiB, names that stand twice" {
	seq 100000 | jq -cn '{components: [inputs | {id: "c\(.)", name: "n", n: .}]}' >inv.json
	run --separate-stderr timeout 60 bash -c 'rejoin-enum inv.json | wc -l; rejoin-enum -s "{\"id\":\"c77777\"}" inv.json'
	status_is 0
	out_is $'100000\n{"id":"c77777","name":"n","n":77777,"state":"online"}'
	seq 100000 | jq -cn '{components: [inputs | {id: "c\(. % 99999)"}]}' >inv.json
	run --separate-stderr timeout 60 rejoin-enum inv.json
	status_is 2
	err_has "components[99999] ('c1'): the same id as inv.json: components[0]"
	{ printf '{"components":[{"id":"a","text":"'; head -c 5242880 /dev/zero | tr '\0' x; printf '"}]}'; } >inv.json
	run --separate-stderr bash -c 'rejoin-enum inv.json | jq ".text | length"'
	status_is 0
	out_is 5242880
	inv '{"id":"a","name":"one","id":"b","name":"two","x":{"y":1,"y":2}}'
	run --separate-stderr rejoin-enum inv.json
	out_is '{"id":"b","name":"two","x":{"y":2},"state":"online"}'
	printf '{"components":[{"id":"lost"}],"compon\\u0065nts":[{"id":"kept"}]}' >inv.json
	run --separate-stderr rejoin-enum inv.json
	out_is '{"id":"kept","state":"online"}'
}

@test "a probe says whether its component is here, and what it is" {
	inv '{"id":"a","probe":["sh","-c","echo \"{\\\"version\\\":\\\"7\\\",\\\"id\\\":\\\"evil\\\"}\""]}' \
		'{"id":"b","probe":["true"]}' '{"id":"c","probe":["sh","-c","echo unplugged >&2; exit 1"]}' \
		'{"id":"d","probe":["sh","-c","echo oops >&2; exit 9"]}' '{"id":"e","probe":["/no/such/program"]}' \
		'{"id":"f","probe":["echo","hello"]}' '{"id":"g","probe":["sh","-c","kill -9 $$"]}' \
		'{"id":"h","probe":["echo","[1]"]}' '{"id":"i","probe":["head","-c","2000000","/dev/zero"]}' \
		'{"id":"j","probe":["echo","{\"model\":1}"]}'
	run --separate-stderr rejoin-enum -a inv.json
	status_is 0
	jq -r '[.id,.state,.version // "",.reason // ""] | join(" ")' <<<"$output" >got
	diff -u - got <<-'X'
		a online 7 
		b online  
		c offline  the probe exited with 1: unplugged
		d unreadable  the probe exited with 9: oops
		e unreadable  the probe could not be run: No such file or directory
		f unreadable  what the probe printed: is not JSON: unexpected character at column 1
		g unreadable  the probe was killed by SIGKILL
		h unreadable  what the probe printed is an array, not an object
		i unreadable  the probe printed more than 1048576 bytes
		j unreadable  what the probe printed: model is a number, not a string
	X
	err_has "inv.json: components[3] ('d'): the probe exited with 9: oops"
	err_has "inv.json: components[0] ('a'): what the probe printed: claims to be 'evil'; ignored"
}

@test "a probe that hangs is ended with all that it started, and the others do not wait" {
	inv '{"id":"a","probe":["sh","-c","trap \"\" TERM; sleep 600 & echo $! >>kids; setsid sleep 600 & echo $! >>kids; wait"]}' \
		'{"id":"b","probe":["true"]}'
	run --separate-stderr timeout 20 rejoin-enum -a --probe-timeout 300ms inv.json
	status_is 0
	[ "$(jq -r .state <<<"$output" | paste -sd ' ')" = 'unreadable online' ]
	err_has "components[0] ('a'): the probe did not end within 300 ms"
	[ "$(wc -l <kids)" -eq 2 ]
	for kid in $(cat kids); do wait_for "! alive $kid"; done

	# ended itself, it takes them along
	inv '{"id":"a","probe":["sh","-c","echo $$ >began; exec sleep 600"]}'
	start enum rejoin-enum inv.json
	wait_for '[ -s began ]'
	kill -TERM "$PID"
	wait "$PID" || [ $? -eq 143 ]
	wait_for '! alive "$(cat began)"'
}

@test "probes run many at a time" {
	seq 32 | jq -cn '{components: [inputs | {id: "c\(.)", probe: ["sleep", "0.5"]}]}' >inv.json
	local begin=${EPOCHREALTIME/./}
	run --separate-stderr rejoin-enum inv.json
	status_is 0
	[ "${#lines[@]}" -eq 32 ]
	[ $((${EPOCHREALTIME/./} - begin)) -lt 14000000 ]
}

@test "an inventory with a probe must be trusted, one without need not" {
	mkdir open
	inv '{"id":"a"}' '{"id":"b","probe":["touch","ran"]}'
	cp inv.json open
	chmod 666 inv.json
	chmod 777 open
	for f in inv.json open/inv.json; do
		run --separate-stderr rejoin-enum "$f"
		status_is 7
		err_has "$f: components[1] ('b'): has a probe, but the inventory is not trusted"
		[ -z "$output" ]
		[ ! -e ran ]
	done
	chmod 644 inv.json
	run --separate-stderr rejoin-enum inv.json
	status_is 0
	[ -e ran ]
	inv '{"id":"a"}'
	chmod 666 inv.json
	run --separate-stderr rejoin-enum inv.json
	status_is 0
}

@test "the profile's group may write an inventory with probes" {
	needs_root
	getent group daemon >/dev/null || cannot 'no group daemon'
	inv '{"id":"a","probe":["true"]}'
	chgrp daemon inv.json
	chmod 664 inv.json
	printf '[agent]\ngroup = daemon\n[inventory]\nfile = %s/inv.json\n' "$PWD" >"$REJOIN_CONFIG_DIR/agents.d/mine.conf"
	run --separate-stderr rejoin-enum -A mine
	status_is 0
	run --separate-stderr rejoin-enum inv.json
	status_is 7
	err_has 'writable by group'
}

@test "the profile names the inventory" {
	inv '{"id":"a"}'
	cp inv.json "$REJOIN_CONFIG_DIR/inventory.json"
	for a in '' '-A rejoin'; do
		# shellcheck disable=SC2086
		run --separate-stderr rejoin-enum $a
		status_is 0
		out_is '{"id":"a","state":"online"}'
	done
	run --separate-stderr rejoin-enum -A none
	status_is 2
	err_has "no profile 'none'"
	printf '[agent]\ndescription = none\n' >"$REJOIN_CONFIG_DIR/agents.d/bare.conf"
	run --separate-stderr rejoin-enum -A bare
	status_is 2
	err_has 'has no [inventory] file'
}

@test "a component is here while a device matches" {
	[ -e /sys/class/net/lo ] || cannot 'no /sys'
	inv '{"id":"a","udev":{"SUBSYSTEM":"net","INTERFACE":"lo"}}' \
		'{"id":"b","udev":{"SUBSYSTEM":"net","INTERFACE":"l*","attr:mtu":"?????"}}' \
		'{"id":"c","udev":{"SUBSYSTEM":"net","INTERFACE":"l"}}' \
		'{"id":"d","udev":{"SUBSYSTEM":"none"}}' \
		'{"id":"e","udev":{"INTERFACE":"lo","attr:none":"*"}}' \
		'{"id":"if-${INTERFACE}","version":"${attr:mtu}","x":"$${INTERFACE}","udev":{"SUBSYSTEM":"net","INTERFACE":"lo"},"each":true}'
	run --separate-stderr rejoin-enum -a inv.json
	status_is 0
	[ "$(jq -r '.id + " " + .state' <<<"$output" | paste -sd ,)" = \
		'a online,b online,c offline,d offline,e offline,if-lo online' ]
	[ "$(tail -1 <<<"$output" | jq -r '.version, .x' | paste -sd ' ')" = "$(cat /sys/class/net/lo/mtu) \${INTERFACE}" ]
}

# camera SERIAL N - a made-up USB camera in the testbed
camera() {
	printf 'P: /devices/usb/%s\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\nE: ID_VENDOR_ID=abcd\n%sA: bcdDevice=0%s00\\n\n' \
		"$2" "${1:+E: ID_SERIAL_SHORT=$1$'\n'}" "$2" >"camera-$2.umockdev"
}

@test "a template is one component a device, and devices are distrusted" {
	needs umockdev-run
	camera A1 1
	camera B2 2
	inv '{"id":"cam-${ID_SERIAL_SHORT}","version":"${attr:bcdDevice}","udev":{"SUBSYSTEM":"usb","ID_VENDOR_ID":"abcd"},"each":true}' \
		'{"id":"cam-C3"}'
	mock() { run --separate-stderr env ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0 umockdev-run "${@/#/--device=}" -- rejoin-enum inv.json; }
	mock camera-1.umockdev camera-2.umockdev
	status_is 0
	[ "$(jq -r '.id + " " + .version' <<<"$output" | paste -sd ,)" = 'cam-A1 0100,cam-B2 0200,cam-C3 ' ]

	# the same serial twice: they cannot be told apart, and the others are listed
	camera A1 2
	mock camera-1.umockdev camera-2.umockdev
	status_is 1
	[ "$(jq -r '.id + " " + .state' <<<"$output" | paste -sd ,)" = 'cam-A1 unreadable,cam-C3 online' ]
	err_has "components[0] ('cam-A1') (/sys/devices/usb/2): left out: the same id as inv.json: components[0] ('cam-A1') (/sys/devices/usb/1)"

	# an id that the inventory itself has; no serial at all
	camera C3 1
	camera '' 2
	mock camera-1.umockdev camera-2.umockdev
	status_is 1
	[ "$(jq -r '.id + " " + .state' <<<"$output" | paste -sd ,)" = 'cam-C3 online' ]
	err_has "left out: \${ID_SERIAL_SHORT}: the device has none"
	err_has "('cam-C3') (/sys/devices/usb/1): left out: the same id as inv.json: components[1] ('cam-C3')"

	# what a device says cannot lead elsewhere, nor become an option
	camera ../x 1
	camera -rf 2
	mkdir dev
	inv '{"id":"${attr:bcdDevice}","properties":{"path":"dev","firmwareDataFile":"${ID_SERIAL_SHORT}"},"probe":["touch","${ID_SERIAL_SHORT}"],"udev":{"SUBSYSTEM":"usb"},"each":true}'
	mock camera-1.umockdev camera-2.umockdev
	err_has '${ID_SERIAL_SHORT}: would lead elsewhere'
	err_has '${ID_SERIAL_SHORT}: would be taken for an option'
	[ "$(jq -r '.id + " " + .state' <<<"$output" | paste -sd ,)" = '0100 unreadable' ] ||
		[ "$(jq -r '.id + " " + .state' <<<"$output" | paste -sd ,)" = '0100 unreadable,0200 unreadable' ]
}

@test "a command line that is wrong" {
	run --separate-stderr rejoin-enum -s '[]' x
	status_is 2
	err_has "selector: is an array, not an object: '[]'"
	run --separate-stderr rejoin-enum -s '{' x
	status_is 2
	run --separate-stderr rejoin-enum -f '.[' x
	status_is 2
	err_has 'filter: '
	run --separate-stderr rejoin-enum --probe-timeout 5 x
	status_is 2
	err_has "--probe-timeout: not a duration: '5'"
	run --separate-stderr rejoin-enum --prob-timeout 5s x
	status_is 2
	err_has "--prob-timeout: unknown option"
	err_has "hint: did you mean '--probe-timeout'?"
}

# bats test_tags=plain
@test "memory and read errors end it cleanly" {
	inv '{"id":"a"}'
	run --separate-stderr env LD_PRELOAD="$B/fault.so" FAULT=read:1:EIO rejoin-enum inv.json
	status_is 3
	err_has 'inv.json: Input/output error'
	run --separate-stderr env LD_PRELOAD="$B/fault.so" FAULT=read:1:EINTR rejoin-enum inv.json
	status_is 0
}

@test "options and operands in any order, and operands behind --" {
	inv '{"id":"a"},{"id":"b"}'
	mv inv.json ./-inv.json
	run --separate-stderr rejoin-enum --json -s '{"id":"b"}' -- -inv.json
	status_is 0
	out_has '"id":"b"'
	mv ./-inv.json inv.json
	run --separate-stderr rejoin-enum inv.json -s '{"id":"b"}' --json
	status_is 0
	[ "${#lines[@]}" -eq 1 ]
}

@test "REJOIN_FORMAT decides where no option does" {
	inv '{"id":"a","version":"1"}'
	REJOIN_FORMAT=tsv run --separate-stderr rejoin-enum inv.json
	status_is 0
	out_is $'a\t1'
	REJOIN_FORMAT=tsv run --separate-stderr rejoin-enum --json inv.json
	out_has '"id":"a"'
	# rejoin-installed has no kv, and its default then
	REJOIN_FORMAT=kv run --separate-stderr rejoin-installed -c 1 inv.json
	status_is 0
	out_has '"installed":true'
	REJOIN_FORMAT=tvs run --separate-stderr rejoin-enum inv.json
	status_is 2
	err_has "REJOIN_FORMAT: unknown choice: 'tvs'"
	err_has "did you mean 'tsv'?"
}

@test "a table fits the terminal" {
	needs script
	inv '{"id":"camera-0123456789-0123456789-0123456789-end","version":"1","name":"中文"}'
	run script -qec "stty cols 40; rejoin-enum inv.json" /dev/null
	status_is 0
	local online=$'\e\\[32monline\e\\[0m'
	[[ ${lines[1]} =~ ^camera-0[0-9-]*~[0-9-]*-end\ +$online\ +1\ +中文 ]]
	# in bytes: two characters of three bytes and two columns, a carriage return, and a colour of nine
	[ "${#lines[1]}" -le 52 ]
	run script -qec "stty cols 40; NO_COLOR=1 rejoin-enum inv.json" /dev/null
	[[ $output != *$'\e'* ]]
	run script -qec "stty cols 200; rejoin-enum inv.json" /dev/null
	[[ ${lines[1]} == camera-0123456789-0123456789-0123456789-end* ]]
}

# in_udev SCRIPT - the shell text in a mount namespace with records of udev of its own: c1:7 is /dev/full, c1:3
# /dev/null, n1 the loopback device.  The file queue exists while udev has events to process.
in_udev() {
	needs_mounts
	[ -e /sys/class/mem/full ] || cannot 'no /sys/class/mem'
	mkdir -p /run/udev
	{
		echo "mount -t tmpfs tmpfs /run/udev && mkdir /run/udev/data && : >/run/udev/queue && cd '$PWD' || exit 99"
		echo 'finish() { printf "I:1234567\nE:X_SERIAL=%s\n" "$2" >"/run/udev/data/$1"; }'
		echo "$1"
	} >in_udev
	run --separate-stderr own-mounts bash in_udev
}

@test "udev is not done: a template of attributes and one of properties say nothing of the device" {
	needs jq
	echo '{"components":[{"id":"a-${attr:dev}","each":true,"udev":{"SUBSYSTEM":"mem","attr:dev":"1:7"}},
		{"id":"p-${X_SERIAL}","each":true,"udev":{"SUBSYSTEM":"mem","DEVNAME":"*/full"}}]}' >inventory.json
	in_udev 'rejoin-enum -a inventory.json; echo $?; finish c1:7 S1; rm /run/udev/queue; rejoin-enum -a inventory.json | jq -r .id; rejoin-enum inventory.json >/dev/null; echo $?'
	out_is $'0\na-1:7\np-S1\n0'
	[ -z "$stderr" ]
}

@test "udev is not done with one of two devices: the other is here" {
	needs jq
	echo '{"components":[{"id":"full","udev":{"SUBSYSTEM":"mem","DEVNAME":"*/full"}},
		{"id":"null","udev":{"SUBSYSTEM":"mem","DEVNAME":"*/null"}}]}' >inventory.json
	in_udev 'finish c1:3 S1; rejoin-enum -a inventory.json | jq -r ".id + \" \" + .state"'
	out_is $'full offline\nnull online'
	[ -z "$stderr" ]
}
