# The commands of a transcript and what each prints, for test/transcript.bash:
# COMMAND NUL OUTPUT NUL ... - from a page as mandoc renders it, or from a
# Markdown file.
#
# A command stands indented behind "$ " or "# ", whichever its block begins with, and goes on while a line ends in
# "|" or a backslash, to the end of a here-document, and to "done" of a loop.  What follows without
# such a mark, up to an empty line or one that is indented less, is its output.
function finish() {
	if (cmd != "")
		printf "%s%c%s%c", cmd, 0, out, 0
	cmd = out = here = ""
}
function loop(s) { return s ~ /^(while|until|for) / && s !~ /(^|[; \n])done( |$)/ }
function strip(line) { return substr(line, length(indent) + 1) }
function begin(line) {
	finish()
	match(line, /^ +/)
	indent = substr(line, 1, RLENGTH)
	prompt = substr(line, RLENGTH + 1, 1)
	cmd = substr(line, RLENGTH + 3)
	if (match(cmd, /<<'[A-Z]+'/))
		here = substr(cmd, RSTART + 3, RLENGTH - 4)
}
here != "" {
	cmd = cmd "\n" strip($0)
	if (strip($0) == here)
		here = ""
	next
}
/^ +[$#] / && cmd !~ /[|\\]$/ && (prompt == "" || $1 == prompt) { begin($0); next }
loop(cmd) { cmd = cmd "\n" strip($0); next }
/^ *$/ { prompt = "" }
cmd == "" { next }
cmd ~ /[|\\]$/ { sub(/^ +/, ""); cmd = cmd "\n" $0; next }
/^ *$/ || index($0, indent) != 1 { finish(); prompt = ""; next }
{ out = out strip($0) "\n" }
END { finish() }
