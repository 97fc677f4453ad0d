/*
 * access - explains a denied write: the mode, owner and group of the file, the
 * user and groups of the process, and what can be done about it.
 */
#ifndef AGENT_ACCESS_H
#define AGENT_ACCESS_H

#include "base/fail.h"

/* Fill F (EXIT_DENIED) about PATH, which cannot be written; returns its negative errno. */
int access_explain(const char *path, struct fail *f);

#endif
