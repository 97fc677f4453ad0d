#!/bin/sh
# Tag the version, or say what does not agree: release.sh VERSION
set -u
no() { echo "release: $*" >&2; exit 1; }

v=$1
first=$(sed -n '1s/^rejoin \([0-9][0-9.]*[0-9]\).*/\1/p' NEWS)
[ "$first" = "$v" ] || no "VERSION says $v, NEWS begins with '${first:-no version}'"
changes=$(sed -n '1s/^rejoin (\([^)]*\)).*/\1/p' packaging/debian/changelog)
head -1 NEWS | grep -qi 'not yet' && no "NEWS says that $v is not yet released"
[ "$changes" = "$v" ] || no "VERSION says $v, packaging/debian/changelog '${changes:-no version}'"
[ -z "$(git status --porcelain)" ] || no "there are changes that are not committed"
tag=$(git describe --exact-match --match 'v*' 2>/dev/null)
[ -z "$tag" ] || [ "$tag" = "v$v" ] || no "this commit is tagged $tag already"
if git rev-parse -q --verify "refs/tags/v$v" >/dev/null; then
	[ "$(git rev-parse "v$v^{commit}")" = "$(git rev-parse HEAD)" ] ||
		no "v$v is another commit; raise VERSION"
else
	git tag -a -m "rejoin $v" "v$v" || exit 1
fi
git archive --prefix="rejoin-$v/" -o "rejoin-$v.tar.gz" "v$v" || exit 1
echo "release: rejoin-$v.tar.gz"
