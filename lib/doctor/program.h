/*
 * program - whether a program that a profile or an inventory names exists and
 * can be trusted: owned by root or the caller, and not writable by others.
 */
#ifndef DOCTOR_PROGRAM_H
#define DOCTOR_PROGRAM_H

#include "doctor/run.h"

/*
 * Add a finding about the program NAME that the key WHERE names, if it is missing
 * or not trusted (base/trust.h).  A NAME without a slash is searched in PATH.
 * Members of GROUP may write to it.  False if there is no such program.
 */
bool program_test(struct doctor_run *x, const char *where, const char *name, gid_t group);

/* The path of NAME, searched as execvp(3) does, to be freed; NULL if there is none. */
char *program_find(const char *name);

/* The program NAME of the toolkit: beside the one that runs, else as found in PATH.  To be freed. */
char *program_sibling(const char *name);

#endif
