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
