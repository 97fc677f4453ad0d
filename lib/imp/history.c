#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "imp/history.h"

enum { PAGE = 100, PAGES_MAX = 25 };

void
history_init(struct history *h, struct imp *i)
{
	*h = (struct history){ .imp = i };
}

void
history_release(struct history *h)
{
	free(h->devices);
}

int
history_add_device(struct history *h, const char *id, struct fail *f)
{
	struct imp_device d;
	int r = imp_device_read(h->imp, id, &d, f);

	if (r < 0 || history_find_device(h, d.id))
		return r;
	h->devices = xrealloc(h->devices, h->n_devices + 1, sizeof *h->devices);
	h->devices[h->n_devices] = (struct history_device){ .n_recent = 0 };
	snprintf(h->devices[h->n_devices++].id, sizeof d.id, "%s", d.id);
	return 0;
}

struct history_device *
history_find_device(struct history *h, const char *id)
{
	for (size_t i = 0; i < h->n_devices; i++)
		if (strcmp(h->devices[i].id, id) == 0)
			return &h->devices[i];
	return NULL;
}

static bool
is_seen(const struct history *h, uint64_t hash)
{
	size_t n = h->n_seen < HISTORY_SEEN ? h->n_seen : HISTORY_SEEN;

	for (size_t i = 0; i < n; i++)
		if (h->seen[i] == hash)
			return true;
	return false;
}

static void
note_entry(struct history *h, const char *device, const char *when, uint64_t hash)
{
	struct history_device *d = history_find_device(h, device);

	h->seen[h->n_seen++ % HISTORY_SEEN] = hash;
	if (d)
		snprintf(d->recent[d->n_recent++ % HISTORY_RECENT], sizeof *d->recent, "%.39s", when);
}

bool
history_show(struct history *h, const struct imp_entry *e)
{
	if (is_seen(h, e->hash))
		return false;
	note_entry(h, e->device, e->time, e->hash);
	return true;
}

void
history_format_id(const struct imp_entry *e, struct buf *out)
{
	buf_printf(out, "%s %s %016" PRIx64, e->device, e->time, e->hash);
}

void
history_know(struct history *h, const char *id)
{
	_cleanup_free_ char *copy = xstrdup(id);
	char *rest = copy, *device = strsep(&rest, " "), *when = rest ? strsep(&rest, " ") : NULL;

	if (rest && strlen(rest) == 16)
		note_entry(h, device, when, strtoull(rest, NULL, 16));
}

/* What is older was shown, or is given up; NULL where that cannot be said of anything. */
static const char *
floor_of(const struct history_device *d)
{
	size_t n = d->n_recent < HISTORY_RECENT ? d->n_recent : HISTORY_RECENT;
	const char *least = NULL;

	if (d->complete && d->n_recent < HISTORY_RECENT)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (!least || strcmp(d->recent[i], least) < 0)
			least = d->recent[i];
	return least;
}

static const char *
newest_of(const struct history_device *d)
{
	size_t n = d->n_recent < HISTORY_RECENT ? d->n_recent : HISTORY_RECENT;
	const char *most = NULL;

	for (size_t i = 0; i < n; i++)
		if (!most || strcmp(d->recent[i], most) > 0)
			most = d->recent[i];
	return most;
}

static bool
has_found(const struct history_found *x, size_t from, uint64_t hash)
{
	for (size_t i = from; i < x->n; i++)
		if (x->v[i].hash == hash)
			return true;
	return false;
}

/* Takes the page's entries; *JOINED where it goes back to what was shown, *NEW where it held anything else. */
static void
take_page(struct history *h, const char *since, struct imp_entry *v, size_t n, struct history_found *x,
    size_t from, bool *joined, bool *new)
{
	for (size_t k = 0; k < n; k++) {
		if (is_seen(h, v[k].hash) || (since && strcmp(v[k].time, since) < 0))
			*joined = true;
		else if (!has_found(x, from, v[k].hash)) {
			x->v = xgrow(x->v, x->n, &x->cap, sizeof *x->v);
			x->v[x->n++] = v[k];
			v[k] = (struct imp_entry){ .device = NULL };
			*new = true;
		}
	}
}

int
history_read(struct history *h, struct history_device *d, struct history_found *x, struct fail *f)
{
	const char *since = floor_of(d), *newest = newest_of(d), *first = NULL;
	const size_t from = x->n;
	bool joined = false, new = true;
	int r = 0;

	for (int page = 1; page <= PAGES_MAX && !joined && new; page++) {
		struct imp_entry *v;
		size_t n;

		r = imp_entries_read(h->imp, d->id, page, PAGE, &v, &n, f);
		if (r < 0)
			return r;
		new = false;
		for (size_t k = 0; k < n; k++)		/* the first page is the newest */
			v[k].place = (size_t)(PAGES_MAX - page) * PAGE + k;
		take_page(h, since, v, n, x, from, &joined, &new);
		imp_entries_free(v, n);
	}
	for (size_t k = from; k < x->n; k++)
		if (!first || strcmp(x->v[k].time, first) < 0)
			first = x->v[k].time;
	if (newest && !joined && first)
		buf_printf(&x->gap, "%s%s: entries between %s and %s may be missing", x->gap.len ? "; " : "", d->id,
		    newest, first);
	else if (newest && !joined)
		buf_printf(&x->gap, "%s%s: entries after %s may be missing", x->gap.len ? "; " : "", d->id, newest);
	d->complete = d->complete || !newest;
	return 0;
}

static int
by_time(const void *a, const void *b)
{
	const struct imp_entry *x = a, *y = b;
	int r = strcmp(x->time, y->time);

	return r ? r : x->place < y->place ? -1 : x->place > y->place;
}

void
history_found_sort(struct history_found *x)
{
	if (x->n)
		qsort(x->v, x->n, sizeof *x->v, by_time);
}

void
history_found_release(struct history_found *x)
{
	imp_entries_free(x->v, x->n);
	buf_release(&x->gap);
	*x = (struct history_found){ .gap = BUF_INIT };
}
