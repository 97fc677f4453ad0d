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
END {
	f = "_" tool
	gsub(/-/, "_", f)
	printf "# bash completion for %s(%d), made by \"make generate\": do not edit\n", tool, section
	printf "%s() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}%s\n\n", f, has_command ? " i" : ""
	# "=" is a word of its own in COMP_WORDS
	print "\tif [[ $cur == = ]]; then"
	print "\t\tcur="
	print "\telif [[ $prev == = ]]; then"
	print "\t\tprev=${COMP_WORDS[COMP_CWORD-2]}"
	print "\tfi"
	if (has_command) {
		line = ""
		for (i = 1; i <= n; i++)
			if (arg[i] != "") line = line (line != "" ? "|" : "") (letter[i] != "" ? "-" letter[i] "|" : "") "--" name[i]
		print "\tfor ((i = 1; i < COMP_CWORD; i++)); do"
		print "\t\tcase ${COMP_WORDS[i]} in"
		if (line != "") printf "\t\t%s)\n\t\t\t((i++))\n\t\t\t;;\n", line
		print "\t\t--)"
		print "\t\t\tcompopt -o filenames"
		print "\t\t\tmapfile -t COMPREPLY < <(compgen \"$([[ $prev == -- ]] && echo -c || echo -f)\" -- \"$cur\")"
		print "\t\t\treturn"
		print "\t\t\t;;"
		print "\t\tesac"
		print "\tdone"
	}
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
	if (operands == "tasks") {
		print "\tlocal command target=() tasks="
		print "\tfor command in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do"
		print "\t\tcase $command in"
		print "\t\tattach|kill|log|release)"
		print "\t\t\ttasks=$(" tool " \"${target[@]}\" list --format=jsonl 2>/dev/null |"
		print "\t\t\t\tsed -n 's/^{\"id\":\\([0-9]*\\),.*/\\1/p')"
		print "\t\t\t;;"
		print "\t\t[!-]*)"
		print "\t\t\t[[ $command != \"${COMP_WORDS[1]}\" ]] || target=(\"$command\")"
		print "\t\t\t;;"
		print "\t\tesac"
		print "\tdone"
	}
	print "\tcase $cur in"
	line = ""
	for (i = 1; i <= n; i++) line = line (i > 1 ? " " : "") "--" name[i]
	printf "\t-*)\n\t\tmapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")\n\t\t;;\n", line
	print "\t*)"
	if (operands == "files") print "\t\tcompopt -o filenames"
	what = words != "" ? "-W '" words "' " : ""
	if (operands == "files") what = what "-f "
	if (operands == "listed")
		what = "-W \"" words (words != "" ? " " : "") "$(" tool " --list 2>/dev/null | cut -d' ' -f1)\" "
	if (operands == "tasks") what = "-W \"${tasks:-" words "}\" "
	if (operands == "tools")
		what = "-W \"" words " $(compgen -c rejoin- | sed 's/^rejoin-//' | sort -u)\" "
	if (operands == "peers") {
		what = "-W \"" words " $(find \"${REJOIN_RUNTIME_DIR:-/run/rejoin}/ready\" \\\n"
		what = what "\t\t\t-mindepth 1 -maxdepth 1 -printf '%f\\n' 2>/dev/null)\" "
	}
	if (what != "") printf "\t\tmapfile -t COMPREPLY < <(compgen %s-- \"$cur\")\n", what
	else print "\t\t:"
	print "\t\t;;"
	printf "\tesac\n}\ncomplete -F %s %s\n", f, tool
}
