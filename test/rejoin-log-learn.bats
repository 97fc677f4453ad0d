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
	rejoin-log --rules rules.conf --offset off --rules turned.conf ./*.log >got
	run -0 rejoin-log --check --rules rules.conf got
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
	for o in -f --check --sources --learn '--save-state=s'; do
		run -2 rejoin-log --rules auto "$o" a.log
		[[ $output == *'--rules=auto cannot be combined with'* ]]
	done
}

@test "how well is learned, on made logs with known causes" {
	needs python3
	python3 "$TOP/test/learn.py" "$(command -v rejoin-log)" "$([ -n "${SOAK-}" ] && echo whole || echo small)"
}
