/*
 * denied - why the kernel would not let us write to something: its mode, owner
 * and group, whom we are, and what can be done about it.
 */
#ifndef AGENT_ACCESS_H
#define AGENT_ACCESS_H

#include "base/fail.h"

/* Fill F (EXIT_DENIED) about PATH, which cannot be written; returns its negative errno. */
int access_explain(const char *path, struct fail *f);

#endif
