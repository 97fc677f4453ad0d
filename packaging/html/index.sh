#!/bin/sh
# Print the index of the manual: each page with its line of description.
set -eu
cd "$(dirname "$0")/../.."
cat <<'END'
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>rejoin: the manual</title><link rel="stylesheet" href="manual.css"></head><body>
<h1 class="Sh">rejoin: the manual</h1>
<ul class="index">
END
for page in man/*.7 man/*.1 man/*.8 man/*.5; do
	[ -e "$page" ] || continue
	file=${page#man/}
	# an uninstalled page is plain mdoc: its description is the line of .Nd
	what=$(sed -n 's/^\.Nd //p' "$page" | head -1 | sed 's/&/\&amp;/g; s/</\&lt;/g')
	printf '<li><a href="%s.html">%s(%s)</a> %s</li>\n' "$file" "${file%.*}" "${file##*.}" "$what"
done
echo '</ul></body></html>'
