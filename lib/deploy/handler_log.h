/*
 * handler_log - lines for the agent's log that come from elsewhere.
 *
 * What a handler prints is logged a line at a time, as "STEP: COMPONENT: ACTION| LINE",
 * and control characters are replaced: none of it can be taken for a line of
 * the agent's own.
 */
#ifndef DEPLOY_HANDLER_LOG_H
#define DEPLOY_HANDLER_LOG_H

#include "deploy/handler_result.h"

typedef void handler_log_fn(const char *line, void *cookie);

/* Each line of OUTPUT to LOG, marked; empty ones are skipped.  COMPONENT is "" for the host. */
void handler_log_output(const char *step, const char *component, enum handler_action action, const char *output,
    handler_log_fn *log, void *cookie);

/* TEXT is one line now: each control character of it has become a blank. */
void handler_log_flatten(char *text);

#endif
