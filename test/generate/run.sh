#!/bin/sh
# Make the completions and the option lists of the pages from the tables of
# the tools (lib/base/opt_help.h): run.sh DIRECTORY, a tree like this one.
#
#	completions/	whole files
#	man/TOOL.[18]	what stands between '.\" option NAME' and '.\" end', in
#			the list from '.\" begin options' to '.\" end options'.
#			Prose after '.\" end' belongs to that option, and stays.
#
# An option that is new gets a place in the list; one that is gone must be
# taken out by hand where it has prose of its own.  B is where the programs are.
set -eu
: "${B:=build}"
here=$(dirname "$0")
to=$1
table=$(mktemp)
trap 'rm -f "$table" "$table.page"' EXIT

mkdir -p "$to/completions/bash" "$to/completions/zsh" "$to/completions/fish" "$to/man"
for c in cmd/*.c; do
	t=$(basename "$c" .c)
	"$B/bin/$t" --print-options >"$table"
	page=man/$t.1
	[ ! -e "man/$t.8" ] || page=man/$t.8
	awk -f "$here/lib.awk" -f "$here/bash.awk" -v section="${page##*.}" "$table" >"$to/completions/bash/$t"
	awk -f "$here/lib.awk" -f "$here/zsh.awk" "$table" >"$to/completions/zsh/_$t"
	awk -f "$here/lib.awk" -f "$here/fish.awk" "$table" >"$to/completions/fish/$t.fish"
	[ -e "$page" ] || continue
	awk -f "$here/lib.awk" -f "$here/page.awk" "$table" "$page" >"$table.page"
	cmp -s "$table.page" "$to/$page" || cat "$table.page" >"$to/$page"
done
