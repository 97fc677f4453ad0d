/*
 * dirs - where the toolkit keeps its files.
 *
 *	configuration	REJOIN_CONFIG_DIR	/etc/rejoin
 *	vendor		(built in)		PREFIX/share/rejoin, overridden file by file
 *	state		REJOIN_STATE_DIR	/var/lib/rejoin
 *	runtime		REJOIN_RUNTIME_DIR	/run/rejoin
 *
 * An ordinary user who sets none of them has the XDG base directories instead
 * (XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR, each with /rejoin).  The
 * environment is not looked at when real and effective ids differ.
 */
#ifndef BASE_DIRS_H
#define BASE_DIRS_H

/* Borrowed, for the life of the process. */
const char *dirs_config(void);
const char *dirs_vendor(void);
const char *dirs_state(void);
const char *dirs_runtime(void);

/* The system's runtime directory, whoever asks. */
const char *dirs_runtime_system(void);

/*
 * SUBDIR/NAME in the configuration directory, else in the vendor's; NULL where
 * neither has it.  To be freed.
 */
char *dirs_find(const char *subdir, const char *name);

/*
 * The program NAME that our tools run, not people: ../libexec/rejoin/NAME from
 * where this one is, else where it was to be installed.  To be freed.
 */
char *dirs_helper(const char *name);

/* TEXT with ${config}, ${state} and ${runtime} replaced by those directories.  To be freed. */
char *dirs_expand(const char *text);

#endif
