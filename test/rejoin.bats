load helper

@test "without an operand it lists every tool with its purpose" {
	local t
	run --separate-stderr rejoin
	status_is 0
	for t in "$TOP"/cmd/rejoin-*.c; do
		t=$(basename "$t" .c)
		[[ $output =~ (^|$'\n')\ +${t#rejoin-}\ +$("$t" --print-options | sed -n 's/^tool	[^	]*	//p') ]]
	done
}

@test "it lists what is configured here" {
	rm -r "$REJOIN_CONFIG_DIR/agents.d"
	mkdir "$REJOIN_CONFIG_DIR/agents.d"
	printf '[agent]\nname = one\n[inventory]\nfile = %s/inv.json\n' "$PWD" >"$REJOIN_CONFIG_DIR/agents.d/one.conf"
	printf '[agent]\nname = two\n' >"$REJOIN_CONFIG_DIR/agents.d/two.conf"
	REJOIN_AGENT=one run --separate-stderr rejoin
	status_is 0
	out_has "$REJOIN_CONFIG_DIR"
	[[ $output =~ agent\ +one,\ the\ default$'\n' ]]
	[[ $output =~ agent\ +two$'\n' ]]
	[[ $output =~ inventory\ +$PWD/inv.json,\ not\ there\ yet ]]
	touch inv.json
	REJOIN_AGENT=one run --separate-stderr rejoin
	[[ $output =~ inventory\ +$PWD/inv.json$'\n' ]]
	REJOIN_AGENT=three run --separate-stderr rejoin
	status_is 0
	out_has 'three, the default: its profile cannot be used'
}

@test "a tool is run with its own arguments, streams and status" {
	printf '{"components":[{"id":"a"}]}' >inv.json
	run --separate-stderr rejoin enum --json inv.json
	status_is 0
	out_has '"id":"a"'
	run --separate-stderr rejoin enum --no-such
	status_is 2
	err_has 'rejoin-enum: --no-such: unknown option'
	run --separate-stderr bash -c 'echo "{\"id\":\"a\",\"version\":\"1\"}" | rejoin installed -c 1 - -- '
	status_is 0
	run --separate-stderr bash -c 'echo "{\"id\":\"a\",\"version\":\"1\"}" | rejoin installed -c 2 -'
	[ "$status" -eq 1 ]
}

@test "a name that is wrong" {
	run -127 --separate-stderr rejoin instaled
	status_is 127
	err_has 'instaled: unknown tool'
	err_has "hint: did you mean 'installed'?"
	run -127 --separate-stderr rejoin help sttaus
	status_is 127
	err_has "did you mean 'status'?"
	run --separate-stderr rejoin --lst
	status_is 2
	run --separate-stderr rejoin help a b
	status_is 2
}

@test "tools of others are listed, not run for that, and can be run; what cannot be is said" {
	mkdir -p tree/bin
	cp "$B/bin/rejoin" tree/bin
	printf '#!/bin/sh\necho "$@" >>%s/ran\nexit 9\n' "$PWD" >tree/bin/rejoin-foo
	printf '#!/no/such/interpreter\n' >tree/bin/rejoin-bad
	printf 'x' >tree/bin/rejoin-data
	chmod +x tree/bin/rejoin-foo tree/bin/rejoin-bad
	run --separate-stderr tree/bin/rejoin
	status_is 0
	out_has foo
	[[ $output != *data* ]]
	[ ! -e ran ]
	run --separate-stderr tree/bin/rejoin foo --help -- x
	[ "$status" -eq 9 ]
	[ "$(cat ran)" = '--help -- x' ]
	run -127 --separate-stderr tree/bin/rejoin bad
	status_is 127
	head -c 100 /dev/zero >tree/bin/rejoin-bad
	run --separate-stderr tree/bin/rejoin bad
	status_is 126
}

@test "pages, of the tree they are built in and as they are installed" {
	mkdir bin
	printf '#!/bin/sh\necho "man $*"\n' >bin/man
	chmod +x bin/man
	PATH=$PWD/bin:$PATH
	run --separate-stderr rejoin help retry
	status_is 0
	if [[ ${B##*/} == build* ]]; then
		out_is "man $TOP/man/rejoin-retry.1"
		run --separate-stderr rejoin help
		out_is "man $TOP/man/rejoin.7"
	fi
	mkdir -p usr/bin usr/share/man/man5
	cp "$B/bin/rejoin" usr/bin
	: >usr/share/man/man5/rejoin-rules.5.gz
	run --separate-stderr usr/bin/rejoin help rules
	status_is 0
	[[ $output == "man "*/share/man/man5/rejoin-rules.5.gz ]]
	run --separate-stderr usr/bin/rejoin help
	out_is 'man 7 rejoin'
	: >usr/bin/rejoin-foo
	chmod +x usr/bin/rejoin-foo
	run --separate-stderr usr/bin/rejoin help foo
	out_is 'man rejoin-foo'
	run -127 --separate-stderr env PATH=/nowhere "$B/bin/rejoin" help retry
	status_is 127
	err_has 'hint: '
}

@test "a full disk" {
	run --separate-stderr bash -c 'rejoin >/dev/full'
	status_is 3
}

@test "a build tree has the profiles and formats of its own, without any configuration" {
	[[ ${B##*/} == build* ]] || skip 'not the build tree of this checkout'
	rm -r "$REJOIN_CONFIG_DIR"
	run --separate-stderr rejoin-status -A rejoin
	[ "$status" -eq 5 ]
	run --separate-stderr rejoin-status -A aduu
	status_is 2
	err_has "did you mean 'adu'?"
	run --separate-stderr rejoin-doctor explain 30500205
	status_is 0
}
