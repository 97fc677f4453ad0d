# The page with its option list made anew.
function flush_text() { if (text != "") print text; text = "" }
function macro(line) { flush_text(); print line }
# One word of running text.
function word(w,  tail, value) {
	tail = ""
	if (match(w, /[.,;:)]+$/)) { tail = substr(w, RSTART); w = substr(w, 1, RSTART - 1) }
	if (w in is_arg) {
		macro(".Ar " w (tail != "" ? " " tail : ""))
	} else if (w ~ /^--?[a-zA-Z0-9]/) {
		value = ""
		if (match(w, /=/)) { value = " Ns = Ns Cm " substr(w, RSTART + 1); w = substr(w, 1, RSTART - 1) }
		macro(".Fl " substr(w, 2) value (tail != "" ? " " tail : ""))
	} else {
		w = w tail
		gsub(/\\/, "\\e", w)
		if (text == "" && w ~ /^[.']/) w = "\\&" w
		if (text != "" && length(text) + length(w) > 80) flush_text()
		text = text (text != "" ? " " : "") w
	}
}
function sentence(s,  k, j, part) {
	k = split(s, part, " ")
	for (j = 1; j <= k; j++) word(part[j])
	flush_text()
}
function item(i,  k, j, part, v) {
	for (k in is_arg) delete is_arg[k]
	k = split(arg[i], part, " ")
	for (j = 1; j <= k; j++) is_arg[part[j]] = 1
	printf ".\\\" option %s\n", name[i]
	v = arg[i] != "" ? " Ar " arg[i] : ""
	print ".It " (letter[i] != "" ? "Fl " letter[i] v " , " : "") "Fl -" name[i] v
	sentence(toupper(substr(help[i], 1, 1)) substr(help[i], 2) (choices[i] != "" ? ":" : "."))
	if (choices[i] != "") {
		k = split(choices[i], part, " ")
		v = ".Cm " part[1]
		for (j = 2; j < k; j++) v = v " , " part[j]
		print v
		print "or"
		print ".Cm " part[k] " ."
	}
	if (preset[i] != "") sentence("The default is " preset[i] ".")
	if (repeats[i] != "") print "May be repeated."
	print ".\\\" end"
}
# The list, with the prose that each option has.
function all_items(  i) {
	for (i = 1; i <= n; i++) {
		item(i)
		printf "%s", prose[name[i]]
		delete prose[name[i]]
	}
	for (i in prose)
		if (prose[i] != "") {
			printf "%s: --%s is gone, and its prose is not\n", FILENAME, i >"/dev/stderr"
			failed = 1
		}
}
$0 == ".\\\" begin options" { print; inside = 1; of = ""; next }
$0 == ".\\\" end options" { all_items(); inside = 0; print; seen = 1; next }
inside && /^\.\\" option / { of = substr($0, 12); skipping = 1; next }
inside && $0 == ".\\\" end" { skipping = 0; next }
inside { if (!skipping) prose[of] = prose[of] $0 "\n"; next }
{ print }
END {
	if (!seen) {
		printf "%s: has no option list: .\\\" begin options, .\\\" end options\n", FILENAME >"/dev/stderr"
		failed = 1
	}
	exit failed
}
