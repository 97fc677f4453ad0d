# rejoin-log: rules that are learned from the records.

load helper

setup() {
	begin
}

causes() { python3 "$TOP/test/causes.py" "$@"; }

@test "--learn prints rules that --rules reads, and --rules auto is both at once" {
	needs python3
	causes requests 3 . 3000 4 5
	run -0 --separate-stderr rejoin-log --learn ./*.log
	printf '%s\n' "$output" >learned.conf
	[[ $output == *'# cause:   calling tier b for <id>'*'# effect:  handling request <id> on tier b'* ]]
	[[ $output == *'# support: '*' pairs of records in two sources, by '*' ids; coverage: 100 % of the ids'* ]]
	[[ $output == *'# direction: by '*'# counter-examples: 0'*'learned = yes'* ]]
	[[ $output == *'# clock of n01.log: '*' that of n00.log, give or take '* ]]
	rejoin-log --rules learned.conf ./*.log >want
	rejoin-log --rules auto ./*.log | cmp - want
	rejoin-log ./*.log | cmp -s - want && false
	# The result depends on nothing but the records.
	rejoin-log --learn n03.log n01.log n02.log n00.log | cmp - learned.conf
	taskset -c 0 rejoin-log --learn ./*.log | cmp - learned.conf
	# Only what causes what is moved: each line is still there.
	[ "$(sort want)" = "$(sort ./*.log)" ]
	rejoin-log --explain --rules auto ./*.log | grep -q '^# .*message learned-[0-9]* '
}

@test "a cause that is missing is not spoken of, and a person's rule is stronger" {
	needs python3
	causes messages 3 . 3000 4 0.05
	rejoin-log --learn ./*.log >learned.conf
	run -0 --separate-stderr rejoin-log -v --rules learned.conf n00.log n01.log
	[[ $stderr == *', 0 unmatched, 0 late, 0 edges of cycles dropped,'* ]]
	# Learned the other way round: the records that contradict a rule stay where it puts them.
	sed -e '/^send =/s//x =/' -e '/^recv =/s//send =/' -e '/^x =/s//recv =/' learned.conf >turned.conf
	rejoin-log --rules rules.conf --offset off ./*.log >want
	run -0 --separate-stderr rejoin-log --rules rules.conf --offset off --rules turned.conf ./*.log
	printf '%s\n' "$output" >got
	# So many contradict it that it is not used any more.
	[ "$(grep -c '^rejoin-log: rule \[learned-[1-5]\] is not used any more: 5 of its last [0-9]* pairs contradict' <<<"$stderr")" = 5 ]
	run -0 rejoin-log --check --rules rules.conf got
	rejoin-log --order time --offset off ./*.log | sort | cmp - <(sort got)
}

@test "a learned rule is dropped only when more than 2 % of its next 200 pairs contradict it" {
	local i
	printf '[p]\nsend = take \\w+ (?<id>s\\d+)\nrecv = after (?<id>s\\d+)\n[q]\nlearned = yes\nsend = put (?<id>q\\d+)\nrecv = take (?<id>q\\d+)\n' >rules
	# Each take is behind its put; but for some, a person's rule has it before.
	for ((i = 0; i < 600; i++)); do
		printf '2026-11-21T10:%02d:%02d.500Z put q%d%s\n' $((i / 60)) $((i % 60)) $i "$([ $((i % 50)) -ne 7 ] || echo " after s$i")" >>a
		printf '2026-11-21T10:%02d:%02d.400Z take q%d%s\n' $((i / 60)) $((i % 60)) $i "$([ $((i % 50)) -ne 7 ] || echo " s$i")" >>b
	done
	run -0 --separate-stderr rejoin-log --offset off --rules rules a b
	[ -z "$stderr" ]
	[ "$(grep -n -e ' put q500$' -e ' take q500$' <<<"$output" | cut -d' ' -f2 | tr '\n' ' ')" = 'put take ' ]
	sed 's/ s\([0-9]*\)$/ s\1/; s/take q\(5[0-9]\)$/take q\1 s\1/' b >b2
	sed 's/put q\(5[0-9]\)$/put q\1 after s\1/' a >a2
	run -0 --separate-stderr rejoin-log --offset off --rules rules a2 b2
	[[ $stderr == *'rule [q] is not used any more: 5 of its last '*' pairs contradict what is known better'* ]]
	[ "$(grep -n -e ' put q500$' -e ' take q500$' <<<"$output" | cut -d' ' -f2 | tr '\n' ' ')" = 'take put ' ]
}

@test "--rules auto learns from files before they are followed" {
	local all
	needs python3
	causes messages 3 . 3000 3 0
	all=$(cat n0?.log | wc -l)
	start log rejoin-log -f --hold 1s --rules auto n00.log n01.log n02.log
	wait_for "[ \"\$(wc -l <log.out)\" -eq $all ]" 60
	echo '2026-11-21T20:16:00.100000Z got ping m1-zz from node 2 mark=x' >>n00.log
	echo '2026-11-21T20:16:00.120000Z send ping id=m1-zz to 1 nodes mark=y' >>n01.log
	wait_for "[ \"\$(wc -l <log.out)\" -eq $((all + 2)) ]" 60
	[ "$(tail -2 log.out | cut -d' ' -f2 | tr '\n' ' ')" = 'send got ' ]
	[ ! -s log.err ]
}

@test "nothing is learned from few records, and nothing is changed" {
	echo '2026-11-21T20:16:00.120Z send m-17' >a.log
	echo '2026-11-21T20:16:00.100Z receive m-17' >b.log
	: >empty.log
	run -0 rejoin-log --learn a.log b.log empty.log
	[[ $output == '# Learned by rejoin-log from 3 sources: 2 records'* ]]
	[ "$(grep -c '^\[' <<<"$output")" -eq 0 ]
	[ "$(rejoin-log --rules auto a.log b.log)" = "$(rejoin-log a.log b.log)" ]
}

@test "a pipe is learned from as far as --buffer allows, and then merged" {
	needs python3
	causes messages 5 . 3000 3 0.05
	rejoin-log --rules auto n00.log n01.log n02.log >want
	rejoin-log --rules auto n00.log <(cat n01.log) n02.log | sort | cmp - <(sort want)
	rejoin-log --learn n00.log n01.log one=- <n02.log | grep -q '^\[learned-1\]'
}

@test "--learn and --rules auto with options that they cannot go with" {
	local o
	echo '2026-11-21T20:16:00.120Z x' >a.log
	for o in -f --check --sources --explain --json --graph '--include=x' '-n 1'; do
		# shellcheck disable=SC2086	# an option and its argument
		run -2 rejoin-log --learn $o a.log
		[[ $output == *--learn* ]]
	done
	for o in --check --sources --learn '--save-state=s' '-f --save-state=s'; do
		# shellcheck disable=SC2086	# options
		run -2 rejoin-log --rules auto $o a.log
		[[ $output == *'--rules=auto cannot be combined with'* ]]
	done
}

@test "how well is learned, on made logs with known causes" {
	needs python3
	python3 "$TOP/test/learn.py" "$(command -v rejoin-log)" "$([ -n "${SOAK-}" ] && echo whole || echo small)"
}
