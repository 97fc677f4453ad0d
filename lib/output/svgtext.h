/*
 * svgtext - text of a log inside an XML document.
 *
 * Characters are shown as in output/label.h and escaped for XML, so that the
 * document is well-formed whatever a record holds.
 */
#ifndef OUTPUT_SVGTEXT_H
#define OUTPUT_SVGTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/scan.h"

/* The N bytes of P into OUT, in MOST columns; 0: no limit. */
void svgtext_add(struct buf *out, const char *p, size_t n, unsigned most);

/* The name of a lane, in MOST columns: both its ends tell it from others. */
void svgtext_add_name(struct buf *out, const char *name, unsigned most);

/* Several lines. */
void svgtext_add_lines(struct buf *out, struct span text);

/* NS since 1970, UTC, with DIGITS (0, 3 or 6) of the second. */
void svgtext_add_time(struct buf *out, int64_t ns, bool with_day, unsigned digits);

/* The day since 1970 of NS. */
int64_t svgtext_day(int64_t ns);

#endif
