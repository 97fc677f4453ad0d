function one(i, kind, what) {
	printf "\t%s)\n", (letter[i] != "" ? "-" letter[i] "|" : "") "--" name[i]
	if (kind == "profiles") {
		print "\t\tmapfile -t COMPREPLY < <(compgen -W \"$(find \"${REJOIN_CONFIG_DIR:-/etc/rejoin}/agents.d\" \\"
		print "\t\t\t\"${XDG_CONFIG_HOME:-$HOME/.config}/rejoin/agents.d\" /usr/local/share/rejoin/agents.d \\"
		print "\t\t\t/usr/share/rejoin/agents.d -name '*.conf' 2>/dev/null |"
		print "\t\t\tsed 's|.*/||; s|\\.conf$||')\" -- \"$cur\")"
	} else if (kind == "file" || kind == "directory") {
		print "\t\tcompopt -o filenames"
		printf "\t\tmapfile -t COMPREPLY < <(compgen -%s -- \"$cur\")\n", kind == "file" ? "f" : "d"
	} else if (kind == "command") {
		print "\t\tmapfile -t COMPREPLY < <(compgen -c -- \"$cur\")"
	} else if (kind == "words") {
		printf "\t\tmapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")\n", quoted(what)
	}
	print "\t\treturn"
	print "\t\t;;"
}
function tool_completion() {
	# the tools beside the one that is completed, or the completion of the tool that is named
	print "\tlocal tool=rejoin-${COMP_WORDS[1]}"
	print "\tif ((COMP_CWORD > 1)) && [[ ${COMP_WORDS[1]} != help ]]; then"
	print "\t\tdeclare -F \"_${tool//-/_}\" >/dev/null || _completion_loader \"$tool\" 2>/dev/null"
	print "\t\tdeclare -F \"_${tool//-/_}\" >/dev/null || return"
	print "\t\tCOMP_WORDS=(\"$tool\" \"${COMP_WORDS[@]:2}\")"
	print "\t\t((COMP_CWORD--))"
	print "\t\t\"_${tool//-/_}\""
	print "\t\treturn"
	print "\tfi"
}
# Options with an argument, as a pattern; with two, if TWO.
function taking(two,  i, line) {
	for (i = 1; i <= n; i++)
		if (arg[i] != "" && (index(arg[i], " ") > 0) == two)
			line = line (line != "" ? "|" : "") (letter[i] != "" ? "-" letter[i] "|" : "") "--" name[i]
	return line
}
# Sets "verb" to the first operand and "count" to how many there are before the cursor; completes what is behind "--".
function scan_words(  two) {
	two = taking(1)
	print "\tfor ((i = 1; i < COMP_CWORD; i++)); do"
	print "\t\tcase ${COMP_WORDS[i]} in"
	if (taking(0) != "") {
		printf "\t\t%s)\n", taking(0)
		print "\t\t\t[[ ${COMP_WORDS[i+1]} != = ]] || ((i++))\n\t\t\t((i++))\n\t\t\t;;"
	}
	if (two != "") {
		printf "\t\t%s)\n", two
		print "\t\t\t[[ ${COMP_WORDS[i+1]} != = ]] || ((i++))\n\t\t\t((i += 2))\n\t\t\t;;"
	}
	if (has_command) {
		print "\t\t--)"
		print "\t\t\tcompopt -o filenames"
		print "\t\t\tmapfile -t COMPREPLY < <(compgen \"$([[ $prev == -- ]] && echo -c || echo -f)\" -- \"$cur\")"
		print "\t\t\treturn"
		print "\t\t\t;;"
	}
	if (words != "") {
		if (operands == "tasks") {	# a target may stand before it
			line = words
			gsub(/ /, "|", line)
			printf "\t\t%s)\n\t\t\tverb=${verb:-${COMP_WORDS[i]}}\n\t\t\t((count++))\n\t\t\t;;\n", line
			print "\t\t[!-]*)\n\t\t\t[[ -n $verb ]] || target=(\"${COMP_WORDS[i]}\")\n\t\t\t;;"
		} else {
			print "\t\t[!-]*)\n\t\t\tverb=${verb:-${COMP_WORDS[i]}}\n\t\t\t((count++))\n\t\t\t;;"
		}
	}
	print "\t\tesac"
	print "\tdone"
}
# compgen's arguments for an operand of a tool without sub-commands, or behind one.
function operand_of(  what) {
	if (operands == "files") return "-f "
	if (operands == "listed") return "-W \"$(" tool " --list 2>/dev/null | cut -d' ' -f1)\" "
	if (operands == "tools")
		return "-W \"" words " $(compgen -c rejoin- | sed 's/^rejoin-//' | sort -u)\" "
	if (operands == "tasks") {
		what = "-W \"$(" tool " \"${target[@]}\" list --format=jsonl 2>/dev/null |\n"
		return what "\t\t\tsed -n 's/^{\"id\":\\([0-9]*\\),.*/\\1/p')\" "
	}
	if (operands == "peers") {
		what = "-W \"$(find \"${REJOIN_RUNTIME_DIR:-/run/rejoin}/ready\" \\\n"
		return what "\t\t\t-mindepth 1 -maxdepth 1 -printf '%f\\n' 2>/dev/null)\" "
	}
	return ""
}
function offer(pattern, what, files) {
	printf "\t%s)\n", pattern
	if (files) print "\t\tcompopt -o filenames"
	if (what != "") printf "\t\tmapfile -t COMPREPLY < <(compgen %s-- \"$cur\")\n", what
	else print "\t\t:"
	print "\t\t;;"
}
# What may stand at the cursor, by the sub-command before it and the operands so far.
function offer_operands(  behind, i, k, verb, choice) {
	print "\tcase $verb:$count in"
	offer(":*", "-W \"" words (operands == "listed" ? " $(" tool " --list 2>/dev/null | cut -d' ' -f1)" : "") "\" ")
	k = followers(verb, choice)
	for (i = 1; i <= k; i++)
		if (after != "") offer(verb[i] ":1", "-W '" choice[i] "' ")
	behind = words
	gsub(/ /, ":*|", behind)
	if (operands == "listed") offer(behind ":*", "")
	if (operands == "files") offer("*", operand_of(), 1)
	if (operands == "listed") offer("*", operand_of())
	if (operands == "peers") offer("*:1", operand_of())
	if (operands == "tasks") offer("attach:1|kill:1|log:1|release:*", operand_of())
	print "\tesac"
}
# The options, or those of the sub-command.
function offer_options(  i, j, k, v, line, part) {
	k = split(words, part, " ")
	print "\tif [[ $cur == -* ]]; then"
	for (i = 1; i <= n; i++)
		if (verbs_of(i) != "") v = 1
	if (v) print "\t\tcase $verb in"
	for (j = 1; v && j <= k; j++) {
		line = ""
		for (i = 1; i <= n; i++)
			if (verbs_of(i) == "" || index("|" verbs_of(i) "|", "|" part[j] "|") > 0)
				line = line (line != "" ? " " : "") "--" name[i]
		printf "\t\t%s)\n\t\t\tmapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")\n\t\t\t;;\n", part[j], line
	}
	line = ""
	for (i = 1; i <= n; i++) line = line (line != "" ? " " : "") "--" name[i]
	if (v) print "\t\t*)"
	printf "\t\t%smapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")\n", v ? "\t" : "", line
	if (v) print "\t\t\t;;\n\t\tesac"
	print "\t\treturn"
	print "\tfi"
}
END {
	f = "_" tool
	gsub(/-/, "_", f)
	verbs = words != "" && operands != "tools"
	printf "# bash completion for %s(%d), made by \"make generate\": do not edit\n", tool, section
	printf "%s() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}%s%s%s\n\n", f, \
		has_command || verbs ? " i" : "", verbs ? " verb='' count=0" : "", operands == "tasks" ? " target=()" : ""
	# "=" is a word of its own in COMP_WORDS
	print "\tif [[ $cur == = ]]; then"
	print "\t\tcur="
	print "\telif [[ $prev == = ]]; then"
	print "\t\tprev=${COMP_WORDS[COMP_CWORD-2]}"
	print "\tfi"
	if (has_command || verbs) scan_words()
	print "\tcase $prev in"
	for (i = 1; i <= n; i++) {
		split(arg[i], part, " ")
		if (arg[i] != "") {
			kind = completed(i, part[1])
			one(i, kind, list)
		}
	}
	print "\tesac"
	if (operands == "tools") tool_completion()
	offer_options()
	if (verbs) {
		offer_operands()
	} else if (operand_of() != "") {
		if (operands == "files") print "\tcompopt -o filenames"
		printf "\tmapfile -t COMPREPLY < <(compgen %s-- \"$cur\")\n", operand_of()
	}
	printf "}\ncomplete -F %s %s\n", f, tool
}
