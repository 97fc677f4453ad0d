#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/history.h"
#include "base/clock.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/hlc.h"
#include "base/journal.h"
#include "base/num.h"
#include "base/xalloc.h"

/* A few hundred restarts, and as many in the renamed file. */
enum { HISTORY_MAX = 128 << 10 };

char *
history_path(const struct profile *p)
{
	return xasprintf("%s/restart/%s.jsonl", dirs_state(), p->name);
}

/* Append TEXT as a JSON string, or null if it is empty; what needs more than a backslash is replaced. */
static void
add_member(const char *key, const char *text, struct buf *out)
{
	char clean[REASON_MAX + 1];

	buf_printf(out, ",\"%s\":", key);
	if (!*text) {
		buf_puts(out, "null");
		return;
	}
	reason_clean(text, strlen(text), clean);
	buf_putc(out, '"');
	for (const char *p = clean; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *p);
	}
	buf_putc(out, '"');
}

void
history_format(const struct profile *p, const struct history_entry *e, int64_t id,
    const char *time, struct buf *out)
{
	buf_printf(out, "{\"id\":%" PRId64, id);
	add_member("time", time, out);
	add_member("agent", p->name, out);
	add_member("reason", e->reason, out);
	add_member("method", e->method, out);
	add_member("before", e->before, out);
	add_member("after", e->after, out);
	add_member("outcome", e->outcome, out);
	buf_printf(out, ",\"status\":%d", e->status);
	add_member("detail", e->detail, out);
	buf_puts(out, "}\n");
}

/* The id at the begin of LINE, 0 for none. */
static int64_t
id_of(const char *line)
{
	char digits[24];
	int64_t id = 0;

	if (strncmp(line, "{\"id\":", 6) == 0) {
		snprintf(digits, sizeof digits, "%.*s", (int)strspn(line + 6, "0123456789"), line + 6);
		(void)num_parse(digits, 0, INT64_MAX / 2, &id);
	}
	return id;
}

static int
make_dir(const char *path)
{
	_cleanup_free_ char *dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));

	return file_make_dirs(dir, 0755);
}

int
history_add(const struct profile *p, const struct history_entry *e, struct fail *f)
{
	_cleanup_free_ char *path = history_path(p);
	_cleanup_buf_ struct buf last = BUF_INIT, line = BUF_INIT;
	struct journal *j = NULL;
	struct hlc clock = { 0 };
	char now[CLOCK_TEXT];
	int r = make_dir(path);

	if (r == 0)
		r = journal_last(path, &last);
	if (r == 0) {
		hlc_see(&clock, id_of(last.s));
		j = journal_open(path, HISTORY_MAX);
		r = j ? 0 : -errno;
	}
	if (j) {
		/* any user may read the status of an agent, and so its restarts */
		(void)chmod(path, 0644);
		history_format(p, e, hlc_next(&clock, clock_wall_ms()), clock_now(now), &line);
		r = journal_add(j, line.s, line.len - 1);
		if (r == 0)
			r = journal_sync(j);
		journal_close(j);
	}
	return r < 0 ? fail_errno(f, r, "%s", path) : 0;
}

/* Load both files, the older one first. */
static int
load_lines(const struct profile *p, struct buf *out, struct fail *f)
{
	_cleanup_free_ char *path = history_path(p), *old = xasprintf("%s.1", path);
	_cleanup_buf_ struct buf b = BUF_INIT;
	const char *const paths[] = { old, path };

	buf_reset(out);
	for (size_t i = 0; i < 2; i++) {
		int r = file_load(paths[i], FILE_NOFOLLOW, FILE_DATA_MAX, &b, f);
		char *nl;

		if (r < 0 && r != -ENOENT)
			return r;
		/* an incomplete last line was left by a crash */
		nl = r == 0 ? memrchr(b.s, '\n', b.len) : NULL;
		if (nl)
			buf_add(out, b.s, (size_t)(nl - b.s) + 1);
	}
	return 0;
}

static bool
is_asked(const char *line, const char *nl)
{
	const char *at = memmem(line, (size_t)(nl - line), ",\"outcome\":\"asked\",", strlen(",\"outcome\":\"asked\","));

	return at != NULL;
}

/* Remove each line "asked" that another line follows. */
static void
drop_answered(struct buf *all)
{
	struct buf kept = BUF_INIT;

	for (const char *line = all->s, *nl; (nl = strchr(line, '\n')); line = nl + 1)
		if (!is_asked(line, nl) || !nl[1])
			buf_add(&kept, line, (size_t)(nl - line) + 1);
	buf_release(all);
	*all = kept;
}

int
history_tail(const struct profile *p, size_t n, struct buf *out, struct fail *f)
{
	_cleanup_buf_ struct buf all = BUF_INIT;
	int r = load_lines(p, &all, f);
	size_t from;

	drop_answered(&all);
	from = all.len;
	buf_reset(out);
	for (; n > 0 && from > 0; n--) {
		char *nl = memrchr(all.s, '\n', from - 1);

		from = nl ? (size_t)(nl - all.s) + 1 : 0;
	}
	buf_add(out, all.s + from, all.len - from);
	return r;
}

/* The string member KEY of LINE, as add_member() wrote it; "" for null. */
static void
read_member(const char *line, const char *nl, const char *key, char *text, size_t size)
{
	_cleanup_free_ char *begin = xasprintf(",\"%s\":\"", key);
	const char *at = memmem(line, (size_t)(nl - line), begin, strlen(begin));
	size_t n = 0;

	if (at)
		for (at += strlen(begin); at < nl && *at != '"' && n + 1 < size; at++) {
			if (*at == '\\')
				at++;
			text[n++] = *at;
		}
	text[n] = '\0';
}

bool
history_is_open(const struct profile *p, char before[INSTANCE_NAME], char *reason)
{
	_cleanup_buf_ struct buf last = BUF_INIT;
	const char *nl;
	struct fail f;

	if (history_tail(p, 1, &last, &f) < 0 || !(nl = strchr(last.s, '\n')) || !is_asked(last.s, nl))
		return false;
	read_member(last.s, nl, "before", before, INSTANCE_NAME);
	read_member(last.s, nl, "reason", reason, REASON_MAX + 1);
	return true;
}

int
history_find(const struct profile *p, const char *incarnation, struct buf *out, struct fail *f)
{
	_cleanup_free_ char *after = xasprintf(",\"after\":\"%s\",", incarnation);
	_cleanup_buf_ struct buf all = BUF_INIT;
	int r = load_lines(p, &all, f);

	buf_reset(out);
	if (r < 0)
		return r;
	for (const char *line = all.s, *nl; (nl = strchr(line, '\n')); line = nl + 1) {
		const char *found = strstr(line, after);

		if (!found || found > nl)
			continue;
		buf_reset(out);
		buf_add(out, line, (size_t)(nl - line) + 1);
	}
	return out->len ? 0 : -ENOENT;
}
