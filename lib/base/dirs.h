/*
 * dirs - where the toolkit keeps its files.
 *
 *	configuration	REJOIN_CONFIG_DIR	/etc/rejoin
 *	vendor		(built in)		PREFIX/share/rejoin, overridden file by file;
 *						of a program in TREE/build/bin TREE/packaging,
 *						so that a tree works where it was built
 *	state		REJOIN_STATE_DIR	/var/lib/rejoin
 *	runtime		REJOIN_RUNTIME_DIR	/run/rejoin
 *
 * An ordinary user who sets none of them has the XDG base directories instead
 * (XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR, each with /rejoin).  The
 * environment is not looked at when real and effective ids differ.
 */
#ifndef BASE_DIRS_H
#define BASE_DIRS_H

#include <stdbool.h>

/* Borrowed, for the life of the process. */
const char *dirs_config(void);
const char *dirs_vendor(void);
const char *dirs_state(void);
const char *dirs_runtime(void);

/* Is that an XDG directory, which the session of an ordinary user has? */
bool dirs_runtime_is_users(void);

/* The runtime directory of the system, for an ordinary user as well. */
const char *dirs_runtime_system(void);

/*
 * SUBDIR/NAME, or NAME where SUBDIR is NULL, in the configuration directory, else in the vendor's; NULL where
 * neither has it.  To be freed.
 */
char *dirs_find(const char *subdir, const char *name);

/*
 * The files in SUBDIR of the configuration and the vendor directory whose name
 * ends in SUFFIX, without it, in alphabetical order, each once.  A
 * NULL-terminated list, to be freed with xfree_strv().
 */
char **dirs_list(const char *subdir, const char *suffix);

/* TREE where the program that runs is in TREE/build/bin (or build-SOMETHING) or its libexec, else NULL.  Borrowed. */
const char *dirs_build_tree(void);

/*
 * The program NAME that our tools run, not people: ../libexec/rejoin/NAME from
 * where this one is, else where it was to be installed.  To be freed.
 */
char *dirs_helper(const char *name);

/* TEXT with ${config}, ${state} and ${runtime} replaced by those directories.  To be freed. */
char *dirs_expand(const char *text);

#endif
