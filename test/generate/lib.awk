# The table of a tool, from the first file: n options with letter[i], name[i],
# arg[i], choices[i], preset[i], repeats[i], samples[i], help[i]; tool,
# purpose, operands, words, has_command.  "" stands for an empty field.
function field(i) { return $i == "-" ? "" : $i }

BEGIN { FS = "\t"; n = 0 }
FNR == NR && $1 == "tool" { tool = $2; purpose = $3 }
FNR == NR && $1 == "operands" { operands = $2; words = field(3); has_command = $4 == "command"; after = field(6) }
FNR == NR && $1 == "option" {
	n++
	letter[n] = field(2); name[n] = $3; arg[n] = field(4); choices[n] = field(5)
	preset[n] = field(6); repeats[n] = field(7); samples[n] = field(8); help[n] = $9
}
FNR == NR { next }

# The sub-commands that option I is for, A|B: its help begins with "a, b: "; "" is all of them.
function verbs_of(i,  k, j, part, list) {
	if (words == "" || !match(help[i], /^[a-z, ]+: /)) return ""
	list = substr(help[i], 1, RLENGTH - 2)
	k = split(list, part, ", ")
	for (j = 1; j <= k; j++)
		if (index(" " words " ", " " part[j] " ") == 0) return ""
	gsub(/, /, "|", list)
	return list
}

# What may follow sub-commands: N of them, verb[I] with the words in choice[I].  AFTER is "a:x y,b:z".
function followers(verb, choice,  k, j, part) {
	k = split(after, part, ",")
	for (j = 1; j <= k; j++) {
		verb[j] = choice[j] = part[j]
		sub(/:.*/, "", verb[j])
		sub(/^[^:]*:/, "", choice[j])
	}
	return k
}

# What the help line says besides the choices.
function described(i) { return help[i] }

# How the argument called WORD of option I is completed: profiles, file,
# directory, command, or words, which are then in LIST; else "".
function completed(i, word) {
	list = choices[i] != "" ? choices[i] : samples[i]
	if (name[i] == "agent") return "profiles"
	if (word == "FILE" || word == "SCRIPT") return "file"
	if (word == "DIR") return "directory"
	if (word == "ARGV") return "command"
	if (list == "" && word == "DUR") list = "250ms 1s 5s 30s 1m 10m 1h 1d"
	if (list == "" && word == "SIZE") list = "64K 1M 16M 1G"
	return list != "" ? "words" : ""
}
function quoted(s) { gsub(/'/, "'\\''", s); return s }
