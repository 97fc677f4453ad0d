/*
 * program - is a program that something names there, and could nobody but root
 * and the caller have written it?
 */
#ifndef DOCTOR_PROGRAM_H
#define DOCTOR_PROGRAM_H

#include "doctor/exam.h"

/*
 * Add a finding about NAME, which WHERE names, unless all is well.  Without a
 * slash it is looked for in PATH.  GROUP may write it, too.  False where it
 * cannot be run.
 */
bool program_test(struct exam *x, const char *where, const char *name, gid_t group);

/* Where it is, to be freed; NULL where it is not. */
char *program_find(const char *name);

#endif
