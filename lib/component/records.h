/*
 * records - a stream of component records, one per line: JSON Lines, as the tools
 * pass them to each other (component/component.h).
 *
 * A line is at most 1 MiB; an empty one is skipped.  One that is no record
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
 * With YES, read when there is something and call WAKE then; else do not read, so
 * that the writer blocks.
 */
void records_watch(struct records *r, bool yes);

/*
 * 1 with a record in OUT; 0 if more has to be read first; < 0 for a bad line, or,
 * with EXIT_TROUBLE, if reading failed, which is an end.
 */
int records_next(struct records *r, struct json *out, struct fail *f);

/* True when all records have been read and returned. */
bool records_is_at_end(const struct records *r);

#endif
