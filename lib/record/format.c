#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dirs.h"
#include "base/file.h"
#include "base/argv.h"
#include "base/ini.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "record/format.h"
#include "record/scan.h"

static const char *const field_names[FIELD_N] = {
	"time", "emitter", "level", "body", "seq", "seqid", "boot", "mono", "clock", "host", "date",
};

/* What has no file: a time of any kind at the start of each record. */
static const struct format builtin = {
	.name = (char[]){ "auto" }, .kinds = TIME_SET(TIME_ANY), .where = WHERE_START, .cut = CUT_TIMED, .fifo = true,
	.group = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 },
};

/* A value may be put in double quotes, to keep the blanks around it. */
static char *
unquote(const char *value)
{
	size_t n = strlen(value);

	return n >= 2 && value[0] == '"' && value[n - 1] == '"' ? xstrndup(value + 1, n - 2) : xstrdup(value);
}

static void
replace(char **slot, char *text)
{
	free(*slot);
	*slot = text;
}

static int
set_record(struct format *fmt, const struct ini_entry *e, struct fail *f)
{
	static const char *const words[] = { "timed", "line", "json", "logfmt", "journal-export", NULL };
	int i, r = ini_word(e, words, &i, f);

	if (r < 0)
		return r;
	fmt->cut = i == 0 ? CUT_TIMED : i == 4 ? CUT_EXPORT : CUT_LINE;
	if (i >= 2)
		fmt->where = i == 2 ? WHERE_JSON : i == 3 ? WHERE_LOGFMT : WHERE_EXPORT;
	return 0;
}

static int
set_line(struct format *fmt, const struct ini_entry *e, struct fail *f)
{
	_cleanup_free_ char *where = xasprintf("%s:%d", e->file, e->line);

	regex_free(fmt->line);
	fmt->line = regex_new(where, e->value, f);
	if (!fmt->line)
		return -EINVAL;
	for (int i = 0; i < FIELD_N; i++)
		fmt->group[i] = regex_group(fmt->line, field_names[i]);
	/* As many lines are looked at together when a format is told from a sample. */
	for (const char *p = e->value; fmt->cut != CUT_LINES && (p = strstr(p, ")\\n")); p++)
		fmt->lines = fmt->lines ? fmt->lines + 1 : 2;
	return 0;
}

/* Which lines are parts of one line, and of which stream. */
static int
set_stream(struct format *fmt, const struct ini_entry *e, struct fail *f)
{
	_cleanup_free_ char *where = xasprintf("%s:%d", e->file, e->line);

	regex_free(fmt->stream);
	fmt->stream = regex_new(where, e->value, f);
	if (!fmt->stream)
		return -EINVAL;
	fmt->stream_group = regex_group(fmt->stream, "stream");
	fmt->part_group = regex_group(fmt->stream, "part");
	return fmt->stream_group < 0 || fmt->part_group < 0 ?
	    ini_bad(e, f, "stream: the groups (?<stream>...) and (?<part>...) are missing") : 0;
}

static int
set_number(const struct ini_entry *e, int64_t lo, int64_t hi, int64_t *out, struct fail *f)
{
	return num_parse(e->value, lo, hi, out) < 0 ?
	    ini_bad(e, f, "%s: not a number from %jd to %jd: '%s'", e->key, (intmax_t)lo, (intmax_t)hi, e->value) : 0;
}

static int
set_time(struct format *fmt, const struct ini_entry *e, struct fail *f)
{
	if (time_parse_kinds(e->value, &fmt->kinds) < 0)
		return ini_bad(e, f, "time: unknown kind in '%s'; known are any, rfc3339, syslog, epoch, klog, clf, tai64n, "
		    "dmesg, ctime, mdy, dmy, ymd, logcat, audit, clock and none", e->value);
	return 0;
}

/* "time-key = ts time": in which members of a JSON or logfmt record. */
static int
set_keys(struct format *fmt, const struct ini_entry *e, struct fail *f)
{
	size_t n = strlen(e->key);
	const char *why;

	for (int i = 0; n > 4 && i < FIELD_N; i++) {
		if (strlen(field_names[i]) != n - 4 || memcmp(e->key, field_names[i], n - 4) != 0 ||
		    strcmp(e->key + n - 4, "-key") != 0)
			continue;
		xfree_strv(fmt->keys[i]);
		fmt->keys[i] = argv_split(e->value, &why);
		return fmt->keys[i] ? 0 : ini_bad(e, f, "%s: %s", e->key, why);
	}
	return ini_unknown(e, "description time record line after begin end zone order detect lines priority "
	    "time-key date-key emitter-key level-key body-key host-key", f);
}

static int
format_set_key(const struct ini_entry *e, void *cookie, struct fail *f)
{
	static const char *const orders[] = { "none", "fifo", "host", NULL };
	struct format *fmt = cookie;
	int64_t v = 0;
	int i = 0, r;

	if (strcmp(e->section, "format") != 0)
		return ini_bad(e, f, "section [%s] is not known", e->section);
	if (!e->key || strcmp(e->key, "description") == 0)
		return 0;
	if (strcmp(e->key, "time") == 0)
		return set_time(fmt, e, f);
	if (strcmp(e->key, "record") == 0)
		return set_record(fmt, e, f);
	if (strcmp(e->key, "line") == 0)
		return set_line(fmt, e, f);
	if (strcmp(e->key, "after") == 0) {
		replace(&fmt->after, unquote(e->value));
		fmt->where = WHERE_AFTER;
		return *fmt->after ? 0 : ini_bad(e, f, "after: is empty");
	}
	if (strcmp(e->key, "begin") == 0) {
		replace(&fmt->begin, unquote(e->value));
		return *fmt->begin ? 0 : ini_bad(e, f, "begin: is empty");
	}
	if (strcmp(e->key, "end") == 0) {
		replace(&fmt->end, unquote(e->value));
		return *fmt->end ? 0 : ini_bad(e, f, "end: is empty");
	}
	if (strcmp(e->key, "stream") == 0)
		return set_stream(fmt, e, f);
	if (strcmp(e->key, "zone") == 0) {
		replace(&fmt->zone, xstrdup(e->value));
		return 0;
	}
	if (strcmp(e->key, "order") == 0) {
		r = ini_word(e, orders, &i, f);
		fmt->fifo = i != 0;
		fmt->by_host = i == 2;
		return r;
	}
	if (strcmp(e->key, "detect") == 0) {
		r = ini_bool(e, &i, f);
		fmt->detect = i;
		return r;
	}
	if (strcmp(e->key, "lines") == 0) {
		r = set_number(e, 1, 100, &v, f);
		fmt->lines = (unsigned)v;
		fmt->cut = CUT_LINES;
		return r;
	}
	if (strcmp(e->key, "priority") == 0) {
		r = set_number(e, 0, 100, &v, f);
		fmt->priority = (int)v;
		return r;
	}
	return set_keys(fmt, e, f);
}

int
format_parse(const char *file, const char *name, const char *text, size_t len, struct format *out,
    struct fail *f)
{
	struct format fmt = builtin;
	int r;

	fmt.name = xstrdup(name);
	fmt.detect = true;
	fmt.kinds = TIME_SET(TIME_RFC3339);
	r = ini_parse(file, text, len, format_set_key, &fmt, f);
	if (r == 0 && fmt.where == WHERE_START && fmt.group[FIELD_TIME] >= 0)
		fmt.where = WHERE_REGEX;
	if (r == 0 && fmt.end && !fmt.begin)
		r = fail_set(f, EXIT_USAGE, "%s: end needs begin", file);
	if (r == 0 && fmt.begin && !fmt.end) {
		fmt.begin_line = regex_new(file, fmt.begin, f);
		r = fmt.begin_line ? 0 : -EINVAL;
	}
	if (r == 0 && (fmt.where == WHERE_JSON || fmt.where == WHERE_LOGFMT) && !fmt.keys[FIELD_TIME])
		r = fail_set(f, EXIT_USAGE, "%s: time-key is missing", file);
	if (r < 0)
		format_release(&fmt);
	else
		*out = fmt;
	return r;
}

void
format_release(struct format *fmt)
{
	free(fmt->name);
	free(fmt->after);
	free(fmt->begin);
	free(fmt->end);
	free(fmt->zone);
	regex_free(fmt->line);
	regex_free(fmt->begin_line);
	regex_free(fmt->stream);
	for (int i = 0; i < FIELD_N; i++)
		xfree_strv(fmt->keys[i]);
	*fmt = (struct format){ .name = NULL };
}

static int
load_one(struct formats *fs, const char *path, const char *name, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct format fmt;
	int r = file_load(path, FILE_TRUSTED, FILE_DATA_MAX, &b, f);

	if (r == 0)
		r = format_parse(path, name, b.s, b.len, &fmt, f);
	if (r < 0)
		return r;
	fs->v = xrealloc(fs->v, fs->n + 1, sizeof *fs->v);
	fs->v[fs->n++] = fmt;
	return 0;
}

static int
load_dir(struct formats *fs, const char *dir, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/formats.d", dir);
	struct dirent **list;
	int n = scandir(path, &list, NULL, alphasort), r = 0;

	for (int i = 0; i < n; i++) {
		size_t len = strlen(list[i]->d_name);

		if (r == 0 && len > 5 && list[i]->d_name[0] != '.' && strcmp(list[i]->d_name + len - 5, ".conf") == 0) {
			_cleanup_free_ char *name = xstrndup(list[i]->d_name, len - 5);
			_cleanup_free_ char *file = xasprintf("%s/%s", path, list[i]->d_name);

			if (format_find(fs, name) == NULL)
				r = load_one(fs, file, name, f);
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return r;
}

int
formats_load(struct formats *fs, struct fail *f)
{
	int r = load_dir(fs, dirs_config(), f);

	return r < 0 ? r : load_dir(fs, dirs_vendor(), f);
}

void
formats_release(struct formats *fs)
{
	for (size_t i = 0; i < fs->n; i++)
		format_release(&fs->v[i]);
	free(fs->v);
	*fs = (struct formats){ NULL, 0 };
}

const struct format *
format_find(const struct formats *fs, const char *name)
{
	for (size_t i = 0; i < fs->n; i++)
		if (strcmp(fs->v[i].name, name) == 0)
			return &fs->v[i];
	return strcmp(name, builtin.name) == 0 ? &builtin : NULL;
}

bool
format_has_key(const struct format *fmt, enum field field, struct span key)
{
	char **k = fmt->keys[field];

	for (; k && *k; k++)
		if (strlen(*k) == key.n && memcmp(*k, key.p, key.n) == 0)
			return true;
	return false;
}

/* Is KEY what PATH begins with, up to its end or a "."? */
static bool
is_head(struct span key, const char *path)
{
	return strlen(path) >= key.n && memcmp(path, key.p, key.n) == 0 && (path[key.n] == '\0' || path[key.n] == '.');
}

bool
format_member(struct span value, const char *path, struct span *out)
{
	struct scan s = { value.p, value.p + value.n };
	struct span key, v;

	if (value.n == 0 || *value.p != '{')
		return false;
	while (scan_json(&s, &key, &v)) {
		if (!is_head(key, path))
			continue;
		if (path[key.n] == '\0') {
			*out = v;
			return true;
		}
		if (format_member(v, path + key.n + 1, out))
			return true;
	}
	return false;
}

/*
 * If KEY with VALUE is, or holds, one of the field's members of which none named
 * before it was found: *RANK tells how many those are.
 */
static bool
match_member(char **names, struct span key, struct span value, bool json, int *rank, struct span *out)
{
	for (int i = 0; names && names[i] && i < *rank; i++) {
		const char *name = names[i];

		if (*name != *key.p || !is_head(key, name))
			continue;
		if (name[key.n] == '\0')
			*out = value;
		else if (!json || !format_member(value, name + key.n + 1, out))
			continue;
		*rank = i;
		return true;
	}
	return false;
}

/* Of records of key and value pairs. */
static bool
pair_fields(const struct format *fmt, const char *p, size_t n, struct fields *out)
{
	const bool json = fmt->where == WHERE_JSON;
	struct scan s = { p, p + n };
	struct span key, value;
	int rank[FIELD_N];
	bool any = false;

	for (int i = 0; i < FIELD_N; i++)
		rank[i] = 1 << 16;
	while (json ? scan_json(&s, &key, &value) : scan_logfmt(&s, &key, &value))
		for (int i = 0; key.n && i < FIELD_N; i++)
			any |= match_member(fmt->keys[i], key, value, json, &rank[i], &out->v[i]);
	return any;
}

static bool
export_fields(const char *p, size_t n, struct fields *out)
{
	static const struct { const char *name; enum field field; } known[] = {
		{ "__REALTIME_TIMESTAMP", FIELD_TIME }, { "__MONOTONIC_TIMESTAMP", FIELD_MONO },
		{ "_BOOT_ID", FIELD_BOOT }, { "MESSAGE", FIELD_BODY }, { "PRIORITY", FIELD_LEVEL },
		{ "__SEQNUM", FIELD_SEQ }, { "__SEQNUM_ID", FIELD_SEQID }, { "_HOSTNAME", FIELD_EMITTER },
		{ "_MACHINE_ID", FIELD_HOST },
	};
	struct scan s = { p, p + n };
	struct span key, value;

	while (scan_export(&s, &key, &value))
		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			if (strlen(known[i].name) == key.n && memcmp(known[i].name, key.p, key.n) == 0)
				out->v[known[i].field] = value;
	return out->v[FIELD_TIME].p;
}

bool
format_match(const struct format *fmt, struct regex *line, const char *p, size_t n, struct fields *out)
{
	*out = (struct fields){ .v[0].p = NULL };
	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {	/* a byte order mark, as a file may begin with */
		p += 3;
		n -= 3;
	}
	while (n && (p[n - 1] == '\n' || p[n - 1] == '\r'))
		n--;
	if (fmt->where == WHERE_JSON || fmt->where == WHERE_LOGFMT)
		return pair_fields(fmt, p, n, out);
	if (fmt->where == WHERE_EXPORT)
		return export_fields(p, n + (n > 0), out);
	if (!line || !regex_match(line, p, n))
		return false;
	for (int i = 0; i < FIELD_N; i++)
		out->v[i] = regex_span(line, fmt->group[i], p);
	return true;
}

bool
format_fields(const struct format *fmt, const char *p, size_t n, struct fields *out)
{
	return format_match(fmt, fmt->line, p, n, out);
}

bool
format_time(const struct fields *fields, struct time_ctx *c, struct stamp *out)
{
	const struct span date = fields->v[FIELD_DATE], at = fields->v[FIELD_TIME];
	char both[64 + TIME_CACHE] = "";	/* zeroes behind it: time_parse() may read on */

	/* A date that has its clock in another field, and not a time of its own beside it. */
	if (date.p && at.p && date.n >= 6 && date.n <= 12 && at.n >= 7 && at.n <= 24 &&
	    (at.p[1] == ':' || at.p[2] == ':') && !memchr(date.p, ':', date.n)) {
		memcpy(both, date.p, date.n);
		both[date.n] = ' ';
		memcpy(both + date.n + 1, at.p, at.n);
		if (time_parse(c, both, date.n + 1 + at.n, out) > 0)
			return true;
	}
	return at.p && time_parse_value(c, at.p, at.n, out);
}

/* pino and bunyan count in tens, Monolog in hundreds. */
static int
level_of_number(struct span v)
{
	static const struct { const char *number; int level; } known[] = {
		{ "10", 8 }, { "20", 7 }, { "30", 6 }, { "40", 4 }, { "50", 3 }, { "60", 2 },
		{ "100", 7 }, { "200", 6 }, { "250", 5 }, { "300", 4 }, { "400", 3 }, { "500", 2 }, { "550", 1 }, { "600", 0 },
	};

	if (v.n == 1)
		return *v.p <= '8' ? *v.p - '0' : -1;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strlen(known[i].number) == v.n && memcmp(known[i].number, v.p, v.n) == 0)
			return known[i].level;
	return -1;
}

int
format_level(struct span v)
{
	static const struct { const char *word; int level; } words[] = {
		{ "emerg", 0 }, { "panic", 0 }, { "alert", 1 }, { "crit", 2 }, { "fatal", 2 }, { "f", 2 }, { "c", 2 },
		{ "err", 3 }, { "e", 3 }, { "warn", 4 }, { "w", 4 }, { "notice", 5 }, { "message", 5 }, { "n", 5 }, { "info", 6 },
		{ "i", 6 }, { "debug", 7 }, { "d", 7 }, { "trace", 8 }, { "t", 8 }, { "verbose", 8 },
	};

	if (v.p && v.n && *v.p >= '0' && *v.p <= '9')
		return level_of_number(v);
	if (v.p && v.n == 0)
		return 8;	/* a column left blank, as Delivery Optimization does for verbose */
	for (size_t i = 0; v.p && i < sizeof words / sizeof *words; i++) {
		size_t n = strlen(words[i].word);

		/* "error" and "warning" begin with their short forms; a letter stands alone. */
		if (n == 1 ? v.n == 1 && strncasecmp(v.p, words[i].word, 1) == 0 :
		    v.n >= n && strncasecmp(v.p, words[i].word, n) == 0)
			return words[i].level;
	}
	return -1;
}

const char *
format_level_name(int level)
{
	static const char *const names[] = { "emerg", "alert", "crit", "error", "warning", "notice", "info", "debug", "trace" };

	return level >= 0 && (size_t)level < sizeof names / sizeof *names ? names[level] : NULL;
}
