/*
 * Lines of well-known programs have the time that test/data/times/programs.tsv
 * says, with its resolution, without any configuration; and what could be read
 * otherwise is reported, and nothing else is.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "record/doubt.h"
#include "record/source.h"
#include "record/source_open.h"

enum { PROGRAM, ZONE, MTIME, EXPECTED, RESOLUTION, AMBIGUOUS, CITATION, LINE, COLUMNS };

static struct formats formats;

/* 2026-11-21T20:16:00 and perhaps .123456789, Z: by timegm(3), not by the parser that is tested. */
static int64_t
time_of(const char *text)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t ns = 0;

	assert(rest);
	if (*rest == '.')
		ns = strtol(rest + 1, NULL, 10);
	return (int64_t)timegm(&tm) * 1000000000 + ns;
}

static void
write_line(const char *path, const char *line, const char *mtime)
{
	const struct timespec at = { .tv_sec = (time_t)(time_of(mtime) / 1000000000) };
	FILE *f = fopen(path, "w");

	assert(f);
	for (const char *p = line; *p; p++) {
		if (strncmp(p, "\\t", 2) == 0 || strncmp(p, "\\e", 2) == 0) {
			putc(*++p == 't' ? '\t' : '\033', f);
		} else {
			putc(*p, f);
		}
	}
	putc('\n', f);
	assert(fclose(f) == 0 && utimensat(AT_FDCWD, path, (struct timespec[2]){ at, at }, 0) == 0);
}

static bool
check_row(char *v[COLUMNS])
{
	_cleanup_free_ char *path = xasprintf("%s/line.log", getenv("TMPDIR") ? getenv("TMPDIR") : ".");
	struct source_spec spec = { .name = (char[]){ "line.log" }, .location = path };
	const int64_t want = time_of(v[EXPECTED]), res = strtol(v[RESOLUTION], NULL, 10);
	const bool reported = strcmp(v[AMBIGUOUS], "reported") == 0;
	struct source *s;
	struct record r;
	struct fail f;
	bool good;

	setenv("TZ", v[ZONE], 1);
	write_line(path, v[LINE], v[MTIME]);
	assert(source_open(&spec, &formats, 4096, true, &s, &f) == 0);
	assert(source_next(s, &r) == 1);
	good = !r.inherited && r.t == want && r.res == res && (s->doubts != 0) == reported;
	if (!good)
		fprintf(stderr, "%s: %s: format %s, %s%jd.%09jd (%jd), resolution %jd (%jd), doubts %x: %s\n", v[PROGRAM],
		    v[EXPECTED], s->fmt->name, r.inherited ? "no time, " : "", (intmax_t)(r.t / 1000000000),
		    (intmax_t)(r.t % 1000000000), (intmax_t)(want / 1000000000), (intmax_t)r.res, (intmax_t)res, s->doubts,
		    v[LINE]);
	source_close(s, &f);
	return good;
}

int
main(void)
{
	const char *top = getenv("top") ? getenv("top") : ".";
	_cleanup_free_ char *etc = xasprintf("%s/packaging", top);
	_cleanup_free_ char *table = xasprintf("%s/test/data/times/programs.tsv", top);
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail f;
	int rows = 0, bad = 0;

	setenv("REJOIN_CONFIG_DIR", etc, 1);
	assert(formats_load(&formats, &f) == 0);
	assert(file_load(table, 0, 1 << 20, &b, &f) == 0);
	for (char *line = b.s, *nl; line < b.s + b.len; line = nl + 1) {
		char *v[COLUMNS], *p = line;

		nl = strchr(line, '\n');
		assert(nl);
		*nl = '\0';
		if (*line == '#')
			continue;
		for (int i = 0; i < COLUMNS; i++)
			assert((v[i] = i + 1 < COLUMNS ? strsep(&p, "\t") : p));
		bad += !check_row(v);
		rows++;
	}
	assert(rows > 500);
	formats_release(&formats);
	if (bad)
		fprintf(stderr, "%d of %d lines are not understood\n", bad, rows);
	return bad != 0;
}
