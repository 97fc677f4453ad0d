#!/bin/sh
# page.sh - print the C source of the page: page.html with the other files in it.
#
# A line "@FILE@" of page.html stands for the file, "@data@" for what output/html.c
# writes, and @hash@ for the hash of the script (Content Security Policy).
set -eu
cd "$(dirname "$0")"

# of the bytes between <script> and </script>, which are the file and the newline before it
hash=$({ echo; cat page.js; } | sha256sum | cut -c1-64 | sed 's/../\\x&/g')
# the printf of coreutils knows \x, and writes NUL bytes; that of sh may not
# shellcheck disable=SC2059	# the format is the text
hash=$(env printf "$hash" | base64)

# part FROM TO - the lines of the page between two, with what they stand for
part() {
	sed -n "$1,$2p" page.html | while IFS= read -r line; do
		case $line in
		@data@) ;;
		@*@)
			file=${line#@}
			cat "${file%@}"
			;;
		*@hash@*) printf '%s\n' "${line%%@hash@*}sha256-$hash${line#*@hash@}" ;;
		*) printf '%s\n' "$line" ;;
		esac
	done
}

# array NAME - standard input as C
array() {
	echo "const char $1[] = {"
	od -An -v -tx1 | sed 's/ *\([0-9a-f][0-9a-f]\)/\\x\1/g; s/.*/"&"/' | sed '1s/^/	/'
	echo '};'
	echo "const size_t $1_len = sizeof $1 - 1;"
}

echo '/* Made by lib/output/page.sh. */'
echo '#include "output/page.h"'
data=$(grep -n '^@data@$' page.html | cut -d: -f1)
part 1 "$data" | array page_head
part "$data" '$' | array page_body
