#include <glob.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "doctor/checks.h"
#include "doctor/program.h"

/*
 * A file log that is written late: its lines are older than the writes that brought
 * them, as zlog of the Azure agent keeps lines for up to 30 s.  rejoin-log must then
 * hold records for as long.
 */
enum { LATE_S = 2, LATEST_S = 600, AHEAD_S = 60, READ_MS = 20000 };

/* The file that PATTERN matches and that was written last; to be freed, NULL for none. */
static char *
newest_file(const char *pattern, struct stat *st)
{
	char *newest = NULL;
	struct stat one;
	glob_t g;

	if (glob(pattern, GLOB_NOSORT, NULL, &g) != 0)
		return NULL;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		if (stat(g.gl_pathv[i], &one) < 0 || !S_ISREG(one.st_mode) || one.st_size == 0 ||
		    (newest && one.st_mtime <= st->st_mtime))
			continue;
		free(newest);
		newest = xstrdup(g.gl_pathv[i]);
		*st = one;
	}
	globfree(&g);
	return newest;
}

/* Run rejoin-log with OPTION for the file PATH, as FORMAT. */
static void
read_log(char *option, const char *path, const char *format, struct spawn_result *r)
{
	_cleanup_free_ char *program = program_sibling("rejoin-log");
	_cleanup_free_ char *source = format ? xasprintf("%s,format=%s", path, format) : xstrdup(path);
	const struct spawn_spec spec = { .argv = (char *[]){ program, (char[]){ "--json" }, option,
	    (char[]){ "--" }, source, NULL }, .timeout_ms = READ_MS, .grace_ms = 100, .out_max = 1 << 20 };

	spawn_run(&spec, r);
}

/* Pass on what rejoin-log reports about the file: "rejoin-log: NAME: TEXT", "hint: TEXT".  False if nothing. */
static bool
pass_on(struct doctor_run *x, const char *path, char *err)
{
	char *save = NULL, *line = strtok_r(err, "\n", &save);
	char *hint = strtok_r(NULL, "\n", &save), *text;

	if (!line)
		return false;
	text = strstr(line, ": ");
	text = text && strstr(text + 2, ": ") ? strstr(text + 2, ": ") + 2 : line;
	doctor_warn(x, path, "%s", text);
	doctor_advise(x, "%s", hint && strncmp(hint, "hint: ", 6) == 0 ? hint + 6 : "correct [log.NAME] format =");
	return true;
}

static void
test_lag(struct doctor_run *x, const char *path, const struct stat *st, const char *last)
{
	struct tm tm = { 0 };
	int64_t lag;

	if (!last || !strptime(last, "%Y-%m-%dT%H:%M:%S", &tm)) {
		doctor_ok(x, path, "has no record with a time yet");
		return;
	}
	lag = (int64_t)st->st_mtime - (int64_t)timegm(&tm);
	if (lag < -AHEAD_S || lag > LATEST_S) {
		doctor_warn(x, path, "its last record is %" PRId64 " s %s the modification of the file",
		    lag < 0 ? -lag : lag, lag < 0 ? "after" : "before");
		doctor_advise(x, "its times may be of another zone or clock: rejoin-log --sources %s shows the zone, "
		    "and %s,zone=ZONE sets it", path, path);
	} else if (lag > LATE_S) {
		doctor_warn(x, path, "its last record is %" PRId64 " s older than the write that brought it: it lags", lag);
		doctor_advise(x, "follow it with rejoin-log -f --hold %" PRId64 "s; the journal of the unit may be faster", lag + 1);
	} else {
		doctor_ok(x, path, "its records have times, and it does not lag");
	}
}

static void
test_log(struct doctor_run *x, const struct profile_log *log)
{
	struct stat st = { 0 };
	_cleanup_free_ char *path = newest_file(log->path, &st);
	_cleanup_json_ struct json record = JSON_ABSENT, time = JSON_ABSENT;
	struct spawn_result r;
	struct fail f;
	bool told;

	if (!path)		/* the check "profile" reports it */
		return;
	read_log((char[]){ "--sources" }, path, log->format, &r);
	told = pass_on(x, path, r.err.s);
	buf_release(&r.out);
	buf_release(&r.err);
	if (told)
		return;
	read_log((char[]){ "--lines=1" }, path, log->format, &r);
	if (r.status == 0 && json_parse(path, r.out.s, strcspn(r.out.s, "\n"), &record, &f) == 0)
		time = json_get(record, "time");
	if (r.status != 0 && !pass_on(x, path, r.err.s)) {
		doctor_warn(x, path, "rejoin-log cannot read it");
		doctor_advise(x, "rejoin-log %s shows why", path);
	} else if (r.status == 0) {
		test_lag(x, path, &st, json_get_string(time));
	}
	buf_release(&r.out);
	buf_release(&r.err);
}

void
logs_check_run(struct doctor_run *x)
{
	const struct profile *p = x->profile;
	const size_t first = x->n;

	for (size_t i = 0; i < p->n_logs; i++)
		if (p->logs[i].path && !strstr(p->logs[i].path, "://") && *p->logs[i].path == '/')
			test_log(x, &p->logs[i]);
	if (x->n == first)
		doctor_ok(x, p->name, "its profile names no log file that is here");
}
