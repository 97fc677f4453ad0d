#!/bin/sh
# page.sh - print the C source of the page: page.html with the other files in it.
#
# A line "@FILE@" of page.html stands for the file, "@data@" for what output/html.c
# writes, and @hash@ for the hash of the script (Content Security Policy).
set -eu
cd "$(dirname "$0")"

page=$(while IFS= read -r line; do
	case $line in
	@data@) echo "$line" ;;
	@*@)
		file=${line#@}
		cat "${file%@}"
		;;
	*) printf '%s\n' "$line" ;;
	esac
done <page.html)

# The hash is of what stands between the two tags, from the newline behind the first on.
hash=$(printf '%s\n' "$page" | sed -n '/^<script>$/,/^<\/script>$/p' | sed '1s/.*//; $d' | sha256sum | cut -c1-64 | sed 's/../\\x&/g')
# the printf of coreutils knows \x, and writes NUL bytes; that of sh may not
# shellcheck disable=SC2059	# the format is the text
hash=$(env printf "$hash" | base64)

# array NAME - standard input as C
array() {
	echo "const char $1[] = {"
	od -An -v -tx1 | sed 's/ *\([0-9a-f][0-9a-f]\)/\\x\1/g; s/.*/"&"/'
	echo '};'
	echo "const size_t $1_len = sizeof $1 - 1;"
}

echo '/* Made by lib/output/page/page.sh. */'
echo '#include "output/page.h"'
printf '%s\n' "$page" | sed "s|@hash@|sha256-$hash|; /^@data@\$/,\$d" | array page_head
printf '%s\n' "$page" | sed '1,/^@data@$/d' | array page_body
