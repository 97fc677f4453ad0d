/*
 * version - which of two versions is older.
 *
 * Compared as dpkg does it within a version: runs of digits by their value, the
 * rest character by character, letters before other signs, and '~' before
 * everything, even the end: 1.0~rc1 < 1.0 < 1.0a < 1.0.1 < 1.9 < 1.10.  The
 * order of names that are no versions (hashes) has no meaning.
 */
#ifndef COMPONENT_VERSION_H
#define COMPONENT_VERSION_H

/* Below 0 where A is older than B, 0 where they are the same (1.0 and 1.00 are), else above. */
int version_compare(const char *a, const char *b);

#endif
