function safe(s) {
	gsub(/\\/, "\\\\", s); gsub(/:/, "\\:", s); gsub(/\[/, "\\[", s); gsub(/\]/, "\\]", s)
	return quoted(s)
}
function action(i, word,  kind) {
	kind = completed(i, word)
	if (kind == "profiles") return "($profiles)"
	if (kind == "file") return "_files"
	if (kind == "directory") return "_files -/"
	if (kind == "command") return "_command_names"
	return kind == "words" ? "(" safe(list) ")" : " "
}
END {
	printf "#compdef %s\n# made by \"make generate\": do not edit\nlocal -a profiles operands\n", tool
	print "profiles=(${REJOIN_CONFIG_DIR:-/etc/rejoin}/agents.d/*.conf(N:t:r)"
	print "\t${XDG_CONFIG_HOME:-$HOME/.config}/rejoin/agents.d/*.conf(N:t:r)"
	print "\t/usr/local/share/rejoin/agents.d/*.conf(N:t:r) /usr/share/rejoin/agents.d/*.conf(N:t:r))"
	if (operands == "listed")
		printf "operands=(${${(f)\"$(%s --list 2>/dev/null)\"}%%%% *})\n", tool
	if (operands == "listed" && words != "") {
		line = words
		gsub(/ /, "|", line)
		printf "((! $words[(I)(%s)])) || operands=()\n", line
	}
	if (after != "") {
		count = followers(verb, choice)
		print "case $words[2,CURRENT-1] in"
		for (i = 1; i <= count; i++) printf "*%s*) operands=(%s) ;;\n", verb[i], choice[i]
		print "esac"
	}
	if (operands == "tasks") {
		print "if (($words[(I)(attach|kill|log|release)])); then"
		print "\tlocal -a target"
		print "\t[[ $words[2] == (attach|kill|log|release) ]] || target=($words[2])"
		print "\toperands=(${(f)\"$(" tool " $target list --format=jsonl 2>/dev/null |"
		print "\t\tsed -n 's/^{\"id\":\\([0-9]*\\),.*/\\1/p')\"})"
		print "fi"
	}
	if (operands == "peers") print "operands=(${REJOIN_RUNTIME_DIR:-/run/rejoin}/ready/*(N:t))"
	if (operands == "tools") {
		print "operands=(" words " ${${(M)${(k)commands}:#rejoin-*}#rejoin-})"
		print "if ((CURRENT > 2)) && [[ $words[2] != help ]]; then"
		print "\twords=(rejoin-$words[2] \"${(@)words[3,-1]}\")"
		print "\t((CURRENT--))"
		print "\t_normal"
		print "\treturn"
		print "fi"
	}
	print "_arguments -s -S \\"
	for (i = 1; i <= n; i++) {
		ends = name[i] == "help" || name[i] == "version"
		s = ""
		if (letter[i] != "") {
			s = repeats[i] != "" ? "'*'" : ends ? "'(- *)'" : "'(-" letter[i] " --" name[i] ")'"
			s = s "{-" letter[i] ",--" name[i] "}'"
		} else {
			s = "'" (repeats[i] != "" ? "*" : "") "--" name[i]
		}
		s = s "[" safe(described(i)) "]"
		k = split(arg[i], part, " ")
		for (j = 1; j <= k; j++) s = s ":" part[j] ":" action(i, part[j])
		printf "\t%s' \\\n", s
	}
	if (operands == "tools") print "\t'*:operand:($operands)'"
	else if (operands == "listed") printf "\t'1:operand:(%s $operands)' \\\n\t'*:operand:($operands)'\n", words
	else if (operands == "tasks")
		printf "\t'1:sub-command:(%s)' \\\n\t'*:task:($operands)'\n", words
	else if (operands == "peers") {
		printf "\t'1:sub-command:(%s)' \\\n\t'2:peer:($operands)' \\\n\t'*::command:_normal'\n", words
	} else {
		if (words != "") printf "\t'1:sub-command:(%s)' \\\n", words
		if (after != "") print "\t'2:word:($operands)' \\"
		print operands == "files" ? "\t'*:file:_files'" : operands == "none" ? "\t&& return" : "\t'*:operand: '"
	}
}
