load helper

# complete TOOL WORD... - what bash offers for the last WORD, a line each
complete_line() {
	# shellcheck disable=SC1090
	bash -c '
		compopt() { :; }
		. "$1/completions/bash/$2"
		f=_${2//-/_}
		shift
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		"$f"
		printf "%s\n" "${COMPREPLY[@]}"' - "$TOP" "$@"
}

@test "options, and only those that begin so" {
	run complete_line rejoin-restart --c
	out_is --conditional
	run complete_line rejoin-restart -
	out_has --agent
	out_has --version
}

@test "the choices of an option, behind a blank and behind =" {
	run complete_line rejoin-enum --format j
	out_is $'jsonl\njson'
	run complete_line rejoin-enum --format = j
	out_is $'jsonl\njson'
	run complete_line rejoin-enum --format =
	out_has table
}

@test "profiles, sub-commands, checks, durations and files" {
	touch inv.json
	run complete_line rejoin-status -A ad
	out_has adu
	run complete_line rejoin-ready a
	out_is announce
	run complete_line rejoin-doctor exp
	out_is explain
	run complete_line rejoin-doctor fif
	out_is fifo
	run complete_line rejoin-retry --timeout 3
	out_is 30s
	run complete_line rejoin-enum inv
	out_is inv.json
}

@test "sub-commands where they may stand, and behind them what they take" {
	touch inv.json
	mkdir -p "$REJOIN_RUNTIME_DIR/ready/lamp"
	# no file beside the sub-commands, also behind an option's argument
	for words in '' '-A adu' '--agent = adu' '-v' '--step rejoin/copy {}'; do
		# shellcheck disable=SC2086
		run complete_line rejoin-goal $words ''
		out_is $'make\ncheck\nshow'
	done
	run complete_line rejoin-goal check ''
	out_has inv.json
	[[ $output != *make* ]]
	run complete_line rejoin-ready wait ''
	out_is lamp
	run complete_line rejoin-ready wait lamp ''
	out_is ''
	run complete_line rejoin-doctor explain ''
	out_is ''
	run complete_line rejoin-doctor fifo ''
	out_has limits
	[[ $output != *explain* ]]
	run complete_line rejoin-hub ''
	out_has blob
	run complete_line rejoin-hub -A hub send ''
	out_is $'report\nstate\ntelemetry\nlog'
	run complete_line rejoin-hub send state ''
	out_is ''
	run complete_line rejoin-task device7 ''
	out_has attach
}

@test "the options of a sub-command" {
	run complete_line rejoin-goal make --c
	out_is $'--compatibility\n--criteria'
	run complete_line rejoin-goal check --c
	out_is ''
	run complete_line rejoin-goal --c
	out_is $'--compatibility\n--criteria'
	run complete_line rejoin-hub answer --w
	out_is --wait
	run complete_line rejoin-hub call --w
	out_is ''
}

@test "a command behind --" {
	run complete_line rejoin-watch -- rejoin-retr
	out_has rejoin-retry
	# that is the argument of --state
	run complete_line rejoin-watch --state -- --u
	out_is --udev
}

@test "zsh and fish have each option, with what it does" {
	local t word
	for t in "$TOP"/cmd/*.c; do
		t=$(basename "$t" .c)
		while IFS=$'\t' read -r kind _ word _; do
			[ "$kind" = option ] || continue
			grep -q -e "--$word" "$TOP/completions/zsh/_$t"
			grep -q -e "-l $word " "$TOP/completions/fish/$t.fish"
		done < <("$t" --print-options)
	done
}

@test "zsh can read its functions" {
	needs zsh
	local f
	for f in "$TOP"/completions/zsh/_*; do
		zsh -n "$f"
	done
	# an empty word is a word of the tool that is named
	grep -qF '"${(@)words[3,-1]}"' "$TOP/completions/zsh/_rejoin"
}

# fish_offers LINE - what fish offers at its end, a word each
fish_offers() {
	# shellcheck disable=SC2016
	fish --no-config -c 'set fish_complete_path $argv[1] $fish_complete_path
		complete -C $argv[2]' "$TOP/completions/fish" "$1" | cut -f1
}

@test "fish offers sub-commands, then what they take" {
	needs fish
	touch inv.json
	run fish_offers 'rejoin-goal '
	out_is $'check\nmake\nshow'
	run fish_offers 'rejoin-goal -A adu '
	out_is $'check\nmake\nshow'
	run fish_offers 'rejoin-goal check i'
	out_is inv.json
	run fish_offers 'rejoin-goal check --c'
	out_is ''
	run fish_offers 'rejoin-goal make --c'
	out_is $'--compatibility\n--criteria'
	run fish_offers 'rejoin-doctor explain '
	out_is ''
	run fish_offers 'rejoin goal '
	out_is $'check\nmake\nshow'
}
