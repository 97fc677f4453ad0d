# shellcheck shell=bash
# A second local user, for tests of what it cannot do.
#
#	needs_hostile			skip where no process can become that user
#	as_hostile CMD...		as an unused uid: no account, no groups, no privileges to gain
#
# The test's directories can be entered by it, and not written.

HOSTILE_UID=64998

needs_hostile() {
	needs_root
	needs setpriv perl
	! getent passwd "$HOSTILE_UID" >/dev/null || cannot "uid $HOSTILE_UID is in use"
	chmod a+x "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/rejoin"
}

as_hostile() {
	setpriv --reuid="$HOSTILE_UID" --regid="$HOSTILE_UID" --clear-groups --no-new-privs -- "$@"
}
