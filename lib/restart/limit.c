#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bootid.h"
#include "base/clock.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "restart/limit.h"

enum { LIMIT_MAX = 4096 };

static char *
path_of(const struct profile *p)
{
	return xasprintf("%s/restart/%s.limit", dirs_state(), p->name);
}

static void
read_clock(struct limit_clock *c)
{
	*c = (struct limit_clock){ .boot_ms = clock_boot_ms(), .wall_ms = clock_wall_ms() };
	if (bootid_read(c->boot) < 0)
		strcpy(c->boot, "unknown");
}

/* The value of KEY in TEXT, "" for none. */
static void
value_of(const char *text, size_t len, const char *key, char value[64])
{
	const char *end = text + len, *nl;
	size_t n = strlen(key);

	*value = '\0';
	for (; text < end; text = nl + 1) {
		nl = memchr(text, '\n', (size_t)(end - text));
		if (!nl)
			return;
		if ((size_t)(nl - text) > n && memcmp(text, key, n) == 0 && text[n] == '=')
			snprintf(value, 64, "%.*s", (int)(nl - text - (ptrdiff_t)n - 1), text + n + 1);
	}
}

static int64_t
number_of(const char *text, size_t len, const char *key)
{
	char value[64];
	int64_t n = 0;

	value_of(text, len, key, value);
	(void)num_parse(value, 0, INT64_MAX / 4, &n);
	return n;
}

int64_t
limit_credit(const char *text, size_t len, const struct limit_clock *now, int64_t window_ms)
{
	const int64_t credit = number_of(text, len, "credit_ms");
	char boot[64];
	int64_t gained;

	value_of(text, len, "boot", boot);
	if (!*boot)
		return -1;	/* empty or damaged */
	if (strcmp(boot, now->boot) == 0)
		gained = now->boot_ms - number_of(text, len, "boot_ms");
	else
		gained = now->wall_ms - number_of(text, len, "wall_ms");
	/* this boot has lasted at least so long */
	if (strcmp(boot, now->boot) != 0 && gained < now->boot_ms)
		gained = now->boot_ms;
	if (gained < 0)
		gained = 0;
	return gained >= window_ms - credit ? window_ms : credit + gained;
}

/* The price of one restart, in time of the window. */
static int64_t
price_of(const struct profile *p)
{
	int64_t price = p->restart.limit_ms / p->restart.limit;

	return price > 0 ? price : 1;
}

/* A damaged file counts as a bucket that was empty when the file was written. */
static int64_t
credit_since_change(const char *path, const struct limit_clock *now, int64_t window_ms)
{
	struct stat st;
	int64_t gained;

	if (stat(path, &st) < 0)
		return 0;
	gained = now->wall_ms - (int64_t)st.st_mtim.tv_sec * 1000;
	return gained < 0 ? 0 : gained < window_ms ? gained : window_ms;
}

static int
read_credit(const struct profile *p, const struct limit_clock *now, int64_t *credit, struct fail *f)
{
	_cleanup_free_ char *path = path_of(p);
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = file_load(path, FILE_NOFOLLOW, LIMIT_MAX, &b, f);

	if (r == -ENOENT) {
		*credit = p->restart.limit_ms;	/* no restart yet */
		return 0;
	}
	if (r < 0)
		return r;
	*credit = limit_credit(b.s, b.len, now, p->restart.limit_ms);
	if (*credit < 0)
		*credit = credit_since_change(path, now, p->restart.limit_ms);
	return 0;
}

static void
set_limit(const struct profile *p, int64_t credit, struct limit *l)
{
	const int64_t price = price_of(p);

	*l = (struct limit){ .left = credit / price, .wait_ms = credit < price ? price - credit : 0 };
	if (l->left > p->restart.limit)
		l->left = p->restart.limit;
}

/* The limit at *NOW, which is the present, and the credit that is left.  A profile without a limit has no credit. */
static int
read_limit(const struct profile *p, struct limit_clock *now, int64_t *credit, struct limit *l, struct fail *f)
{
	int r;

	*l = (struct limit){ .left = INT64_MAX };
	*credit = 0;
	if (p->restart.limit == 0)
		return 0;
	read_clock(now);
	r = read_credit(p, now, credit, f);
	if (r == 0)
		set_limit(p, *credit, l);
	return r;
}

int
limit_read(const struct profile *p, struct limit *l, struct fail *f)
{
	struct limit_clock now;
	int64_t credit;

	return read_limit(p, &now, &credit, l, f);
}

static int
write_credit(const struct profile *p, const struct limit_clock *now, int64_t credit, struct fail *f)
{
	_cleanup_free_ char *path = path_of(p);
	_cleanup_free_ char *dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = file_make_dirs(dir, 0755);

	buf_printf(&b, "boot=%s\nboot_ms=%" PRId64 "\nwall_ms=%" PRId64 "\ncredit_ms=%" PRId64 "\n",
	    now->boot, now->boot_ms, now->wall_ms, credit);
	if (r == 0)
		r = file_replace(path, b.s, b.len, 0644, FILE_DURABLE);
	return r < 0 ? fail_errno(f, r, "%s", path) : 0;
}

/* "3m 20s" */
static void
format_wait(int64_t ms, struct buf *out)
{
	const int64_t s = (ms + 999) / 1000;
	const int64_t parts[] = { s / 3600, s / 60 % 60, s % 60 };

	for (size_t i = 0; i < 3; i++)
		if (parts[i] || (i == 2 && !out->len))
			buf_printf(out, "%s%" PRId64 "%c", out->len ? " " : "", parts[i], "hms"[i]);
}

static int
set_limited(const struct profile *p, const struct limit *l, struct fail *f)
{
	_cleanup_buf_ struct buf wait = BUF_INIT, window = BUF_INIT;
	char at[CLOCK_TEXT];
	struct timespec when;

	clock_gettime(CLOCK_REALTIME, &when);
	when.tv_sec += l->wait_ms / 1000 + 1;
	format_wait(l->wait_ms, &wait);
	format_wait(p->restart.limit_ms, &window);
	return fail_set(f, EXIT_BUSY, "%s: its limit of %" PRId64 " restarts in %s is used up; again "
	    "in %s, at %.19sZ", p->name, p->restart.limit, window.s, wait.s, clock_format(when, at));
}

int
limit_check(const struct profile *p, struct fail *f)
{
	struct limit l;
	int r = limit_read(p, &l, f);

	return r == 0 && l.wait_ms ? set_limited(p, &l, f) : r;
}

int
limit_take(const struct profile *p, struct fail *f)
{
	struct limit_clock now;
	struct limit l;
	int64_t credit;
	int r = read_limit(p, &now, &credit, &l, f);

	if (r < 0 || p->restart.limit == 0)
		return r;
	return l.wait_ms ? set_limited(p, &l, f) : write_credit(p, &now, credit - price_of(p), f);
}
