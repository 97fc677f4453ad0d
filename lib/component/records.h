/*
 * records - component records that come in from elsewhere, one a line: JSON
 * Lines, as the tools hand them to each other (component/component.h).
 *
 * A line is at most 1 MiB; an empty one is passed over.  One that is no record
 * is an error of that line alone: "line N: ...", EXIT_USAGE.
 */
#ifndef COMPONENT_RECORDS_H
#define COMPONENT_RECORDS_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"

struct records;

/* From FD, which stays the caller's. */
struct records *records_open(struct loop *l, int fd, loop_fn *wake, void *cookie);
void records_close(struct records *r);

/*
 * Read whenever there is something, and call WAKE then; or do not, so that who
 * writes has to wait.
 */
void records_watch(struct records *r, bool yes);

/*
 * 1 with a record in OUT; 0 where more has to be read first; < 0 for a bad
 * line, or, EXIT_TROUBLE, where reading failed, which is an end.
 */
int records_next(struct records *r, struct json *out, struct fail *f);

/* Has all of it been read, and handed out? */
bool records_is_at_end(const struct records *r);

#endif
