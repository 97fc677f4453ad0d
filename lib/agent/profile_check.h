/*
 * profile_check - whether the keys of a profile make a whole.
 *
 * Each key has been read by itself (agent/profile.h).  This looks for what one needs of another: a
 * method without its path, a probe without a log, a broker that is not encrypted.
 */
#ifndef AGENT_PROFILE_CHECK_H
#define AGENT_PROFILE_CHECK_H

#include "agent/profile.h"
#include "base/fail.h"

/* 0, or a negative errno with F filled: EXIT_USAGE, with the section and what it lacks. */
int profile_check(const struct profile *p, struct fail *f);

#endif
