function safe(s) { gsub(/\\/, "\\\\", s); gsub(/'/, "\\'", s); return s }
END {
	printf "# made by \"make generate\": do not edit\n"
	if (operands != "files") printf "complete -c %s -f\n", tool
	# an argument of an option counts as an operand in __fish_use_subcommand
	first = operands == "tools" || operands == "listed" ? "__fish_use_subcommand" : "'not __fish_seen_subcommand_from " words "'"
	if (words != "") printf "complete -c %s -n %s -f -a '%s'\n", tool, first, words
	count = after != "" ? followers(verb, choice) : 0
	for (i = 1; i <= count; i++)
		printf "complete -c %s -n '__fish_seen_subcommand_from %s' -a '%s'\n", tool, verb[i], choice[i]
	if (operands == "listed")
		printf "complete -c %s -n 'not __fish_seen_subcommand_from " words "' -a '(%s --list 2>/dev/null | string replace -r \" +\" \"\\t\")'\n", tool, tool
	if (operands == "tools") {
		printf "complete -c %s -n __fish_use_subcommand -a '(complete -C rejoin- | string replace -r \"^rejoin-([^\\t]*).*\" \"\\$1\")'\n", tool
		printf "complete -c %s -n 'not __fish_use_subcommand' -a '(complete -C (string replace \"rejoin \" rejoin- (commandline -cp)))'\n", tool
	}
	if (operands == "tasks")
		printf "complete -c %s -n '__fish_seen_subcommand_from attach kill log release' -a '(%s (commandline -opc | sed -n \"2{/^-/d;/^attach\\$/d;/^kill\\$/d;/^log\\$/d;/^release\\$/d;p;}\") list --format=jsonl 2>/dev/null | string match -r --groups-only \"^{.id.:([0-9]+),\")'\n", tool, tool
	if (operands == "peers")
		printf "complete -c %s -n '__fish_seen_subcommand_from %s' -a '(command ls /run/rejoin/ready 2>/dev/null)'\n", tool, words
	for (i = 1; i <= n; i++) {
		verbs = verbs_of(i)
		gsub(/\|/, " ", verbs)
		s = "complete -c " tool (verbs != "" ? " -n '__fish_seen_subcommand_from " verbs "'" : "") (letter[i] != "" ? " -s " letter[i] : "") " -l " name[i]
		split(arg[i], part, " ")
		kind = arg[i] != "" ? completed(i, part[1]) : "flag"
		if (kind == "file" || kind == "directory") s = s " -r"
		else if (kind != "flag") s = s " -x"
		if (kind == "directory") s = s " -a '(__fish_complete_directories)'"
		if (kind == "command") s = s " -a '(__fish_complete_command)'"
		if (kind == "words") s = s " -a '" safe(list) "'"
		if (kind == "profiles") {
			s = s " -a '(command find /etc/rejoin/agents.d ~/.config/rejoin/agents.d /usr/local/share/rejoin/agents.d"
			s = s " /usr/share/rejoin/agents.d -name \"*.conf\" 2>/dev/null | string replace -r \".*/(.*)\\.conf\" \"\\$1\")'"
		}
		print s " -d '" safe(described(i)) "'"
	}
}
