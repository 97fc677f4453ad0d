/*
 * format - what the records of a log look like: formats.d/NAME.conf, which
 * rejoin-formats(5) describes.
 *
 * Errors: EXIT_USAGE with file and line; EXIT_DENIED for a file that others
 * could have written.
 */
#ifndef RECORD_FORMAT_H
#define RECORD_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"
#include "record/regex.h"
#include "record/time.h"

/* Where records end. */
enum format_cut {
	CUT_TIMED,		/* before the next line with a time */
	CUT_LINE,		/* at every line's end */
	CUT_LINES,		/* after a fixed number of lines */
	CUT_EXPORT,		/* journald's export format: at the empty line */
};

/* How the time of a line is found. */
enum format_where {
	WHERE_START,		/* the line begins with it */
	WHERE_AFTER,		/* it stands behind the first AFTER */
	WHERE_REGEX,		/* the group "time" of LINE */
	WHERE_JSON,		/* the first of KEYS in a JSON object */
	WHERE_LOGFMT,		/* the first of KEYS in key=value pairs */
	WHERE_EXPORT,
};

enum field {
	FIELD_TIME, FIELD_EMITTER, FIELD_LEVEL, FIELD_BODY, FIELD_SEQ, FIELD_SEQID, FIELD_BOOT, FIELD_MONO,
	FIELD_CLOCK, FIELD_HOST,
	FIELD_DATE,		/* where the time is a clock alone: date=2026-11-21 time=20:16:00 */
	FIELD_N
};

struct fields {
	struct span v[FIELD_N];
};

struct format {
	char *name;
	uint32_t kinds;			/* of its times, as in record/time.h */
	enum format_where where;
	enum format_cut cut;
	unsigned lines;			/* of a record: exactly with CUT_LINES, else of those LINE looks at */
	char *after;			/* WHERE_AFTER */
	char *begin, *end;		/* a block of lines from one to the other is one record; NULL */
	struct regex *begin_line;	/* of the first line of each record; NULL */
	struct regex *stream;		/* groups "stream" and, of a line that goes on, "part"; NULL */
	int stream_group, part_group;
	char *zone;			/* NULL: the source's */
	bool fifo;			/* position is program order */
	bool by_host;			/* but only among the records of one host */
	bool detect;			/* tried on a log without a named format */
	int priority;			/* of two that fit, the higher */
	struct regex *line;		/* or NULL */
	int group[FIELD_N];		/* of LINE */
	char **keys[FIELD_N];		/* WHERE_JSON and WHERE_LOGFMT: in which members; or NULL */
};

struct formats {
	struct format *v;
	size_t n;
};

/* All of formats.d, the configuration's before the vendor's of the same name. */
int formats_load(struct formats *fs, struct fail *f);
void formats_release(struct formats *fs);

/* The format called NAME: one of FS, or built in ("auto"); NULL where there is none. */
const struct format *format_find(const struct formats *fs, const char *name);

/* The text of one format, for tests. */
int format_parse(const char *file, const char *name, const char *text, size_t len, struct format *out,
    struct fail *f);
void format_release(struct format *fmt);

/* Is KEY one of the names for the field? */
bool format_has_key(const struct format *fmt, enum field field, struct span key);

/* May a record have the field? */
static inline bool
format_has_field(const struct format *fmt, enum field field)
{
	return fmt->where == WHERE_EXPORT || fmt->group[field] >= 0 || fmt->keys[field];
}

/* May it have an emitter or a level, which output shows and filters? */
static inline bool
format_is_shown(const struct format *fmt)
{
	return format_has_field(fmt, FIELD_EMITTER) || format_has_field(fmt, FIELD_LEVEL);
}

/* The parts of a record; false where it does not look as the format says. */
bool format_fields(const struct format *fmt, const char *p, size_t n, struct fields *out);

/* The same with LINE, a share of the format's regular expression: for several threads at once. */
bool format_match(const struct format *fmt, struct regex *line, const char *p, size_t n, struct fields *out);

/*
 * The time of a record with FIELDS, whose date may be in a field of its own;
 * false where it has none.
 */
bool format_time(const struct fields *fields, struct time_ctx *c, struct stamp *out);

/* The member PATH, "a.b", of the JSON object VALUE, strings without their quotes; false where there is none. */
bool format_member(struct span value, const char *path, struct span *out);

/* syslog's number for a word or a letter, 0 emerg to 7 debug and 8 trace; -1 for none. */
int format_level(struct span level);

/* The word for a level from 0 to 8: emerg alert crit error warning notice info debug trace. */
const char *format_level_name(int level);

#endif
