#!/bin/bash
# Build the oracle: rejoin-log as of a fixed commit, with the changes of
# oracle.patch, whose merge a later one is compared with (test/differ.sh).  It is built from git, outside this tree:
#
#	oracle.sh [DIR]		into DIR; default $XDG_CACHE_HOME/rejoin-oracle or ~/.cache/rejoin-oracle
#
# Prints the directory that holds build/bin and build/tool.  Status 5 where the
# commit cannot be had: in an unpacked tarball, or in a shallow clone.
set -eu
cd "$(dirname "$0")/.."
commit=$(sed -n 's/^\([0-9a-f]\{40\}\)$/\1/p' test/oracle.commit)
dir=${1:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/rejoin-oracle}/$commit-$(sha256sum <test/oracle.patch | cut -c1-16)

absent() {
	printf 'oracle: %s\nhint: %s\n' "$1" "$2" >&2
	exit 5
}

if [ ! -x "$dir/built/tool/log-script" ]; then
	git rev-parse --git-dir >/dev/null 2>&1 ||
		absent 'not a git repository, and the oracle is a commit' 'run this in a clone'
	git cat-file -e "$commit^{commit}" 2>/dev/null ||
		absent "commit $commit is not here" 'git fetch --unshallow'
	mkdir -p "$dir"
	new=$(mktemp -d "$dir/new.XXXXXX")
	trap 'rm -rf "$new"' EXIT
	git archive "$commit" | tar -x -C "$new"
	patch -s -p1 -d "$new" <test/oracle.patch
	make -s -C "$new" -j"$(nproc)" DEPS=none CC="${CC:-cc}" build/bin/rejoin-log build/tool/log-script \
		build/tool/log-mess >&2
	# Another run may have been quicker: either is as good.
	mv -T "$new/build" "$dir/built" 2>/dev/null || [ -x "$dir/built/tool/log-script" ]
fi
printf '%s\n' "$dir/built"
