#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/xalloc.h"
#include "log/sources.h"
#include "record/source_open.h"
#include "record/sourcebuf.h"

enum {
	VIEW = 64 << 10,		/* read at once of a part of a source */
	READ_ALL = 8 << 20,		/* of all sources together, at once, if it can be */
	READ_MAX = 256 << 10,		/* more than fits into a cache is no gain */
	READ_MIN = 16 << 10,
	PIPES_AHEAD = 64 << 20,		/* of all pipes, before all of them have begun */
	DESCRIPTORS_KEPT = 16,		/* for what else a tool has open */
};

static bool
can_keep_open(size_t n)
{
	struct rlimit l;

	return getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur == RLIM_INFINITY || n + DESCRIPTORS_KEPT < l.rlim_cur;
}

/* A source that is being opened, by number of its specification. */
struct opening {
	const struct sources_wanted *wanted;
	struct source **v;		/* NULL: it cannot be opened */
	struct pollfd *pfds;		/* of pipes, that something is waited for; then -1 */
	size_t *of;			/* their numbers */
	size_t n;			/* of pipes */
	size_t unfinished;
	size_t ahead;			/* bytes that are read of a pipe while another one is waited for */
};

/* Number I has something, or is no pipe: its format can be told. */
static int
opening_finish(struct opening *o, size_t i, struct fail *f)
{
	const struct sources_wanted *w = o->wanted;
	int r = source_open_finish(o->v[i], &w->specs->v[i], w->formats, f);

	o->unfinished--;
	if (r < 0)
		o->v[i] = NULL;
	if (r < 0 && f->status == EXIT_USAGE)
		return r;
	if (r < 0)
		w->problem(f, w->cookie);
	return 0;
}

/*
 * Pipes become ready in any order.  What writes to several of them may have to write
 * much to one before it comes to another, so those that are known are read meanwhile.
 */
static int
opening_wait(struct opening *o, struct fail *f)
{
	while (o->unfinished) {
		if (poll(o->pfds, o->n, -1) < 0 && errno != EINTR)
			return fail_errno(f, errno, "poll");
		for (size_t k = 0; k < o->n; k++) {
			struct source *s = o->v[o->of[k]];
			int r = 0;

			if (o->pfds[k].fd < 0 || !o->pfds[k].revents)
				continue;
			if (!s->fmt)
				r = opening_finish(o, o->of[k], f);
			else if (!sourcebuf_fill(s) || s->hi >= o->ahead)
				o->pfds[k].fd = -1;
			if (!o->v[o->of[k]])
				o->pfds[k].fd = -1;
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Number I is open. */
static int
opening_add(struct opening *o, size_t i, struct fail *f)
{
	if (o->v[i]->fmt)
		return 0;
	o->unfinished++;
	if (o->v[i]->seekable || o->wanted->specs->n == 1)
		return opening_finish(o, i, f);
	o->of[o->n] = i;
	o->pfds[o->n++] = (struct pollfd){ .fd = o->v[i]->fd, .events = POLLIN };
	return 0;
}

static int
opening_run(struct opening *o, size_t buffer, struct fail *f)
{
	const struct sources_wanted *w = o->wanted;
	const size_t n = w->specs->n;

	for (size_t i = 0; i < n; i++) {
		int r = source_open_begin(&w->specs->v[i], w->formats, buffer, can_keep_open(n), &o->v[i], f);

		if (r < 0 && f->status == EXIT_USAGE)
			return r;
		if (r < 0)
			w->problem(f, w->cookie);
		else
			r = opening_add(o, i, f);
		if (r < 0 && f->status == EXIT_USAGE)
			return r;
	}
	return opening_wait(o, f);
}

int
sources_open(struct sources *all, const struct sources_wanted *w, struct fail *f)
{
	const size_t n = w->specs->n;
	size_t buffer = READ_ALL / (n + 1) & ~(size_t)4095;
	struct opening o = { .wanted = w, .v = xcalloc(n + 1, sizeof *o.v), .pfds = xcalloc(n + 1, sizeof *o.pfds),
	    .of = xcalloc(n + 1, sizeof *o.of),
	    .ahead = PIPES_AHEAD / (n + 1) };
	int r;

	buffer = buffer > READ_MAX ? READ_MAX : buffer < READ_MIN ? READ_MIN : buffer;
	*all = (struct sources){ .v = o.v, .domains = domains_new() };
	r = opening_run(&o, buffer, f);
	for (size_t i = 0; i < n; i++) {
		struct source *s = o.v[i];

		if (!s)
			continue;
		all->v[all->n] = s;
		s->rank = all->n++;
		if (r == 0)
			source_set_domains(s, all->domains);
	}
	free(o.pfds);
	free(o.of);
	return r;
}

void
sources_split(struct sources *all, unsigned i, const struct domain **domains, unsigned n)
{
	struct source *s = all->v[i], **v = xcalloc((size_t)all->n + n + 1, sizeof *v);

	memcpy(v, all->v, (i + 1) * sizeof *v);
	memcpy(v + i + 1 + n, all->v + i + 1, (all->n - i - 1) * sizeof *v);
	for (unsigned k = 0; k < n; k++) {
		v[i + 1 + k] = source_view(s, 0, INT64_MAX, VIEW);
		v[i + 1 + k]->only = domains[k];
	}
	s->except = domains;
	s->n_except = n;
	free(all->v);
	all->v = v;
	all->n += n;
	all->apart = domains;
}

void
sources_close(struct sources *all, void (*problem)(const struct fail *f, void *cookie), void *cookie)
{
	struct fail f;

	/* Views are closed before what they are views of. */
	for (unsigned i = all->n; i-- > 0;) {
		const struct source *s = all->v[i];
		struct stat st;

		if (s->error == ESTALE && !s->shared) {
			fail_set(&f, EXIT_TROUBLE, "%s: was cut or replaced while it was read; some of its records are missing", s->location);
			problem(&f, cookie);
		} else if (s->error && !s->shared) {
			fail_errno(&f, s->error, "%s", s->location);
			problem(&f, cookie);
		} else if (s->bounded && !s->shared && s->fd >= 0 && fstat(s->fd, &st) == 0 && st.st_size > s->end) {
			fail_set(&f, EXIT_OK, "%s: grew while it was read; the last %jd bytes are not in the result", s->location,
			    (intmax_t)(st.st_size - s->end));
			problem(&f, cookie);
		}
		if (source_close(all->v[i], &f) < 0)
			problem(&f, cookie);
	}
	free(all->v);
	free(all->apart);
	domains_free(all->domains);
	*all = (struct sources){ .v = NULL };
}
