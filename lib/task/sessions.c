#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "task/oversessions.h"
#include "task/sessions.h"
#include "task/storedir.h"

enum { SESSION_FILE_MAX = 4096 };

struct sessions_item {
	struct task_session session;
	int fd;		/* of its file, for the lease; -1 until it is written */
};

struct sessions {
	char *path, *boot;
	struct sessions_item **items;
	size_t n, cap;
	struct oversessions *over;
};

static char *
session_path(const struct sessions *s, int64_t id)
{
	return xasprintf("%s/%jd.json", s->path, (intmax_t)id);
}

static struct sessions_item *
add_item(struct sessions *s, const struct task_session *p)
{
	struct sessions_item *i = xcalloc(1, sizeof *i);

	*i = (struct sessions_item){ *p, -1 };
	s->items = xgrow(s->items, s->n, &s->cap, sizeof *s->items);
	return s->items[s->n++] = i;
}

static void
remove_item(struct sessions *s, size_t i)
{
	io_closep(&s->items[i]->fd);
	free(s->items[i]);
	s->items[i] = s->items[--s->n];
}

/* One that cannot be read is no session: its shims count its lease as expired. */
static void
load_item(struct sessions *s, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", s->path, name);
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct task_session p;
	struct fail f;

	if (file_load(path, FILE_NOFOLLOW, SESSION_FILE_MAX, &b, &f) == 0 &&
	    session_parse(b.s, b.len, s->boot, &p) == 0)
		add_item(s, &p);
	else
		unlink(path);
}

struct sessions *
sessions_open(const char *path, const char *boot, struct fail *f)
{
	_cleanup_free_ char *over = xasprintf("%s/.over", path);
	struct sessions *s = xcalloc(1, sizeof *s);
	struct dirent *e;
	DIR *d = NULL;

	*s = (struct sessions){ .path = xstrdup(path), .boot = xstrdup(boot) };
	if (storedir_make(path, f) == 0) {
		d = opendir(path);
		if (!d)
			fail_errno(f, errno, "%s", path);
	}
	if (!d) {
		sessions_close(s);
		return NULL;
	}
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			load_item(s, e->d_name);
	closedir(d);
	s->over = oversessions_open(over, clock_wall_us(), f);
	if (s->over)
		return s;
	sessions_close(s);
	return NULL;
}

void
sessions_close(struct sessions *s)
{
	if (!s)
		return;
	while (s->n > 0)
		remove_item(s, s->n - 1);
	oversessions_close(s->over);
	free(s->items);
	free(s->path);
	free(s->boot);
	free(s);
}

static struct sessions_item *
find_item(struct sessions *s, int64_t id)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i]->session.id == id)
			return s->items[i];
	return NULL;
}

struct task_session *
sessions_find(struct sessions *s, int64_t id)
{
	struct sessions_item *i = find_item(s, id);

	return i ? &i->session : NULL;
}

static int
write_item(struct sessions *s, struct sessions_item *i)
{
	_cleanup_free_ char *path = session_path(s, i->session.id);
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	session_format(&i->session, s->boot, &b);
	r = file_replace(path, b.s, b.len, 0600, 0);
	io_closep(&i->fd);
	i->fd = r < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return r < 0 ? r : i->fd < 0 ? -errno : 0;
}

static struct task_session *
take_up(struct sessions_item *i, const struct task_session *new, int64_t now, struct refusal *r)
{
	if (i->session.owner != new->owner || i->session.run != new->run) {
		refusal_set(r, 409, "differs", "session %jd belongs to another controller", (intmax_t)new->id);
		return NULL;
	}
	if (!session_is_valid(&i->session, now)) {
		refusal_set(r, 404, "no-session", "the lease of session %jd has expired", (intmax_t)new->id);
		return NULL;
	}
	i->session.n = 0;	/* a restarted controller counts anew; what was seen bounds the lease */
	i->session.heard_ms = now;
	return &i->session;
}

/* Its file, too, once it is recorded that it is over. */
static void
forget_item(struct sessions *s, size_t i)
{
	_cleanup_free_ char *path = session_path(s, s->items[i]->session.id);
	const struct task_session *p = &s->items[i]->session;

	oversessions_add(s->over, p->owner, p->run, p->id);
	if (oversessions_save(s->over) < 0)
		return;		/* it is tried again, and the session is known as over until then */
	unlink(path);
	remove_item(s, i);
}

/*
 * Of OWNER's sessions the one that was silent for longest goes, unless a task needs
 * it.  False where OWNER has as many as it may have afterwards, too.
 */
static bool
make_room(struct sessions *s, uid_t owner, sessions_in_use *in_use, void *cookie)
{
	size_t n = 0, oldest = s->n;

	for (size_t i = 0; i < s->n; i++) {
		const struct task_session *p = &s->items[i]->session;

		if (p->owner != owner)
			continue;
		n++;
		if ((oldest == s->n || p->heard_ms < s->items[oldest]->session.heard_ms) && !in_use(p->id, cookie))
			oldest = i;
	}
	if (n < SESSIONS_A_UID && s->n < SESSIONS_MAX)
		return true;
	if (oldest == s->n)
		return false;
	n = s->n;
	forget_item(s, oldest);
	return s->n < n;
}

struct task_session *
sessions_couple(struct sessions *s, const struct task_session *new, int64_t now, sessions_in_use *in_use, void *cookie,
    struct refusal *r)
{
	struct sessions_item *i = find_item(s, new->id);
	int e;

	if (i)
		return take_up(i, new, now, r);
	if (new->id <= sessions_floor(s, new)) {
		refusal_set(r, 404, "no-session", "session %jd is not newer than one of this controller that is over",
		    (intmax_t)new->id);
		return NULL;
	}
	if (!make_room(s, new->owner, in_use, cookie)) {
		refusal_set(r, 429, "limit", "more than %d sessions of this user, or %d of all", SESSIONS_A_UID, SESSIONS_MAX);
		return NULL;
	}
	i = add_item(s, new);
	session_open(&i->session, now);
	e = write_item(s, i);
	if (e < 0) {
		refusal_errno(r, e, "session");
		remove_item(s, s->n - 1);
		return NULL;
	}
	return &i->session;
}

int64_t
sessions_floor(const struct sessions *s, const struct task_session *p)
{
	return oversessions_floor(s->over, p->owner, p->run);
}

int
sessions_renew(struct sessions *s, const struct task_session *p)
{
	struct sessions_item *i = find_item(s, p->id);
	const struct lease l = session_lease(p, s->boot);

	if (!i)
		return -ENOENT;
	return i->fd < 0 ? write_item(s, i) : lease_write(i->fd, &l);
}

bool
sessions_any_valid(const struct sessions *s, int64_t now)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct task_session *p = &s->items[i]->session;

		if (!p->leave && session_is_valid(p, now))
			return true;
	}
	return false;
}

static bool
is_over(const struct task_session *p, int64_t now, sessions_in_use *in_use, void *cookie)
{
	return (p->leave ? now >= p->heard_ms + SESSION_LEASE_MAX_MS : !session_is_valid(p, now)) && !in_use(p->id, cookie);
}

void
sessions_sweep(struct sessions *s, int64_t now, sessions_in_use *in_use, void *cookie)
{
	/* all of them first: they are written together */
	for (size_t i = 0; i < s->n; i++) {
		const struct task_session *p = &s->items[i]->session;

		if (is_over(p, now, in_use, cookie))
			oversessions_add(s->over, p->owner, p->run, p->id);
	}
	for (size_t i = s->n; i > 0; i--)
		if (is_over(&s->items[i - 1]->session, now, in_use, cookie))
			forget_item(s, i - 1);
}
