/*
 * reason - why a retry was asked for: a few words for people to read, in the
 * mark and in the log.  At most REASON_MAX bytes; controls, and what is no
 * UTF-8, become "?".
 */
#ifndef AGENT_REASON_H
#define AGENT_REASON_H

#include <stddef.h>

enum { REASON_MAX = 200 };

void reason_clean(const char *text, size_t len, char reason[REASON_MAX + 1]);

/*
 * Of a line on stdin: the "id" of a record (a JSON object's own member, not a
 * nested one's), else the line.  This is no JSON parser: what is not JSON has
 * a reason as well.
 */
void reason_of_line(const char *line, size_t len, char reason[REASON_MAX + 1]);

#endif
