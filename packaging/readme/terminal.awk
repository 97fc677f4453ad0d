# Draw a transcript as an SVG picture of a terminal: awk -f terminal.awk terminal.txt
#
# It is text, so that it can be searched and is sharp at any size; its colours
# stand on a dark ground in a light page and in a dark one.
function xml(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); gsub(/>/, "\\&gt;", s); return s }
{
	sub(/^    /, "")
	line[++n] = $0
	if (length > wide)
		wide = length
}
END {
	w = wide * 8.4 + 32
	h = n * 20 + 56
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">\n", w, h, w, h
	print "<title>A camera is plugged in, and gets the update it missed</title>"
	print "<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;fill:#d6dbe1;white-space:pre}" \
	    ".p{fill:#7ee787;font-weight:600}.c{fill:#f0f3f6;font-weight:600}.h{fill:#8b949e}.on{fill:#7ee787}.off{fill:#ffa657}</style>"
	printf "<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#161b22\"/>\n", w, h
	split("#ff5f57 #febc2e #28c840", dot, " ")
	for (i = 1; i <= 3; i++)
		printf "<circle cx=\"%d\" cy=\"18\" r=\"6\" fill=\"%s\"/>\n", i * 20, dot[i]
	for (i = 1; i <= n; i++) {
		s = xml(line[i])
		if (s ~ /^[$#] / || more) {
			more = s ~ /[|\\]$/
			sub(/^[$#] /, "<tspan class=\"p\">&</tspan>", s)
			class = "c"
		} else
			class = s ~ /^[A-Z ]+$/ ? "h" : "o"
		sub(/ online /, "<tspan class=\"on\">&</tspan>", s)
		sub(/ offline /, "<tspan class=\"off\">&</tspan>", s)
		printf "<text class=\"%s\" x=\"16\" y=\"%d\">%s</text>\n", class, i * 20 + 32, s
	}
	print "</svg>"
}
