#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/http.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/sse.h"
#include "base/xalloc.h"
#include "imp/stream.h"

enum { EVENT_MAX = 1 << 20, OPENED_MS = 5000, EVICTIONS_MAX = 3, EVICTIONS_MS = 600000 };

struct imp_stream {
	struct loop *loop;
	const struct imp_stream_spec *spec;
	const struct imp_stream_ops *ops;
	struct http *http;
	struct http_transfer *transfer;
	struct sse sse;
	struct backoff backoff;
	struct loop_timer again, subscribe, poll;
	char *id;			/* of the stream; enough to read it */
	bool subscribed, evicted, *apart;	/* APART: the devices that are not in the stream */
	int64_t evictions[EVICTIONS_MAX];
	int n_evictions;
	int lock;
};

/* One of our processes an account: by its server and its key's file. */
static int
take_lock(const struct imp_account *a, struct fail *f)
{
	_cleanup_free_ char *what = xasprintf("%s %s", a->url, a->key_file), *name = file_encode(what);
	_cleanup_free_ char *dir = xasprintf("%s/impcentral", dirs_runtime());
	_cleanup_free_ char *path = xasprintf("%s/%s.lock", dir, name);
	int fd, r = file_make_dirs(dir, 0755);

	fd = r < 0 ? r : lock_open(path, 0600);
	if (fd < 0)
		return fail_errno(f, fd, "%s", path);
	r = lock_try(fd);
	if (r == 0)
		return fd;
	io_closep(&fd);
	return r == -EAGAIN ? fail_set(f, EXIT_BUSY, "%s: another process follows devices of this account, which has"
	    " one log stream", a->url) : fail_errno(f, r, "%s", path);
}

static void
show_entry(struct history *h, const struct imp_stream_ops *ops, const struct imp_entry *e)
{
	if (history_show(h, e))
		ops->entry(e, ops->cookie);
}

static void
show_found(struct history *h, const struct imp_stream_ops *ops, struct history_found *x)
{
	if (x->gap.len)
		ops->gap(x->gap.s, ops->cookie);
	history_found_sort(x);
	for (size_t k = 0; k < x->n; k++)
		show_entry(h, ops, &x->v[k]);
	history_found_release(x);
}

int
imp_stream_fill(struct history *h, const struct imp_stream_ops *ops, struct fail *f)
{
	struct history_found x = { .gap = BUF_INIT };
	int r = 0;

	for (size_t k = 0; r == 0 && k < h->n_devices; k++)
		r = history_read(h, &h->devices[k], &x, f);
	if (r < 0)
		history_found_release(&x);
	else
		show_found(h, ops, &x);
	return r;
}

/* Nothing that passes by itself. */
static bool
is_for_good(const struct fail *f)
{
	return f->status == EXIT_DENIED || f->status == EXIT_USAGE;
}

static void
end_transfer(struct imp_stream *s)
{
	if (s->transfer)
		http_cancel(s->transfer);
	s->transfer = NULL;
	s->subscribed = false;
	loop_timer_stop(s->loop, &s->subscribe);
	free(TAKE_PTR(s->id));
}

/* It broke, or could not be opened: once more, after a while. */
static void
try_again(struct imp_stream *s, const struct fail *f)
{
	const bool first = s->backoff.tries == 0;
	const int64_t ms = backoff_next(&s->backoff);
	struct fail say;

	end_transfer(s);
	if (is_for_good(f)) {
		s->ops->done(f, s->ops->cookie);
		return;
	}
	fail_set(&say, first && !s->evicted ? EXIT_OK : f->status, "%s; trying again in %jd ms", f->text,
	    (intmax_t)ms);
	s->ops->tell(&say, s->ops->cookie);
	s->evicted = false;
	loop_timer_set(s->loop, &s->again, ms);
}

/* Another client has opened the stream.  If neither gave up, both would be useless. */
static void
on_evicted(struct imp_stream *s)
{
	const int64_t now = clock_mono_ms();
	struct fail f;

	fail_set(&f, EXIT_BUSY, "%s: another client has opened a log stream for this account, which ended ours",
	    imp_url(s->spec->imp));
	s->evicted = true;
	s->evictions[s->n_evictions++ % EVICTIONS_MAX] = now;
	if (s->n_evictions >= EVICTIONS_MAX &&
	    now - s->evictions[s->n_evictions % EVICTIONS_MAX] < EVICTIONS_MS) {
		end_transfer(s);
		s->ops->done(&f, s->ops->cookie);
	} else
		try_again(s, &f);
}

static void
set_apart(struct imp_stream *s, const char *device)
{
	struct history *h = s->spec->history;
	struct fail f;

	for (size_t k = 0; k < h->n_devices; k++)
		if (strcmp(h->devices[k].id, device) == 0 && !s->apart[k]) {
			s->apart[k] = true;
			fail_set(&f, EXIT_BUSY, "%s: the server takes no more devices into the stream; its history is"
			    " looked into each %jd ms", device, (intmax_t)s->spec->poll_ms);
			s->ops->tell(&f, s->ops->cookie);
			loop_timer_set(s->loop, &s->poll, s->spec->poll_ms);
		}
}

/* "opened", "DEVICE unsubscribed" in either order, or JSON that has them as members. */
static void
take_state(struct imp_stream *s, const struct sse_event *x)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct history *h = s->spec->history;
	const char *state = x->data, *device = x->data;
	struct fail f;

	if (*x->data == '{' && json_parse(NULL, x->data, x->len, &v, &f) == 0) {
		state = json_get_text(v, "state");
		device = json_get_text(v, "device_id");
	}
	if (!state)
		return;
	if (strcmp(state, "opened") == 0)
		loop_timer_set(s->loop, &s->subscribe, 0);
	else if (strcmp(state, "closed") == 0)
		s->evicted = true;
	else if (strstr(state, "unsubscribed") && device)
		for (size_t k = 0; k < h->n_devices; k++)
			if (strstr(device, h->devices[k].id))
				set_apart(s, h->devices[k].id);
}

static int
take_event(const struct sse_event *x, void *cookie)
{
	struct imp_stream *s = cookie;
	struct imp_entry e;
	struct fail f;

	if (strcmp(x->name, "state_change") == 0) {
		take_state(s, x);
		return s->evicted ? -1 : 0;
	}
	if (imp_entry_parse(x->data, x->len, &e) < 0) {
		fail_set(&f, EXIT_OK, "not a log entry: %.100s", x->data);
		s->ops->tell(&f, s->ops->cookie);
		return 0;
	}
	s->backoff.tries = 0;
	show_entry(s->spec->history, s->ops, &e);
	imp_entry_release(&e);
	return 0;
}

static int
take_chunk(const struct http_response *r, const char *p, size_t n, void *cookie)
{
	struct imp_stream *s = cookie;

	(void)r;
	if (n == 0) {		/* not every server says "opened" */
		sse_restart(&s->sse);
		loop_timer_set(s->loop, &s->subscribe, OPENED_MS);
		return 0;
	}
	return sse_feed(&s->sse, p, n);
}

static void
on_done(const struct http_response *r, const struct fail *why, void *cookie)
{
	struct imp_stream *s = cookie;
	struct fail f;

	s->transfer = NULL;
	if (s->evicted) {
		on_evicted(s);
		return;
	}
	if (why)
		f = *why;
	else if (http_response_check(r, imp_url(s->spec->imp), &f) == 0)
		fail_set(&f, EXIT_TROUBLE, "%s: the server ended the log stream", imp_url(s->spec->imp));
	if (f.status == EXIT_DENIED || f.status == EXIT_USAGE)
		f.status = EXIT_TROUBLE;	/* the stream's id may have lost its worth: there is a new one to be had */
	try_again(s, &f);
}

/* The stream is open: put the devices into it, then look for what came before that. */
static void
subscribe_devices(void *cookie)
{
	struct imp_stream *s = cookie;
	struct history *h = s->spec->history;
	struct fail f;

	if (s->subscribed || !s->id)
		return;
	s->subscribed = true;
	for (size_t k = 0; k < h->n_devices; k++) {
		_cleanup_free_ char *path = xasprintf("/logstream/%s/%s", s->id, h->devices[k].id);

		if (s->apart[k])
			continue;
		if (imp_request(s->spec->imp, "PUT", path, NULL, NULL, &f) < 0) {
			try_again(s, &f);
			return;
		}
	}
	if (imp_stream_fill(h, s->ops, &f) < 0)
		try_again(s, &f);
	else
		s->backoff.tries = 0;
}

static void
poll_history(void *cookie)
{
	struct imp_stream *s = cookie;
	struct history *h = s->spec->history;
	struct history_found x = { .gap = BUF_INIT };
	struct fail f;
	int r = 0;

	for (size_t k = 0; r == 0 && k < h->n_devices; k++)
		if (s->apart[k])
			r = history_read(h, &h->devices[k], &x, &f);
	if (r < 0)
		s->ops->tell(&f, s->ops->cookie);
	show_found(h, s->ops, &x);
	loop_timer_set(s->loop, &s->poll, s->spec->poll_ms);
}

/* Its id, or where it is. */
static int
open_stream(struct imp_stream *s, char **url, struct fail *f)
{
	_cleanup_json_ struct json answer = JSON_ABSENT, data = JSON_ABSENT;
	const char *id;
	int r = imp_request(s->spec->imp, "POST", "/logstream", "", &answer, f);

	if (r < 0)
		return r;
	data = json_get(answer, "data");
	id = json_get_text(data, "id");
	if (!id || !*id || !imp_is_device(id))
		return fail_set(f, EXIT_TROUBLE, "%s/logstream: answers without a stream", imp_url(s->spec->imp));
	s->id = xstrdup(id);
	*url = xasprintf("%s/logstream/%s?format=json", imp_url(s->spec->imp), id);
	return 0;
}

static void
connect_stream(void *cookie)
{
	struct imp_stream *s = cookie;
	_cleanup_free_ char *url = NULL, *name = xasprintf("%s/logstream", imp_url(s->spec->imp));
	struct fail f;

	if (open_stream(s, &url, &f) < 0) {
		try_again(s, &f);
		return;
	}
	s->transfer = http_start(s->http, &(struct http_request){ .url = url, .name = name, .secret = true,
	    .headers = (const char *const[]){ "Accept: text/event-stream", NULL }, .chunk = take_chunk,
	    .ca_file = imp_ca_file(s->spec->imp), .idle_ms = s->spec->idle_ms }, on_done, s);
}

int
imp_stream_start(struct loop *l, const struct imp_stream_spec *spec, const struct imp_stream_ops *ops,
    const struct imp_account *a, struct imp_stream **out, struct fail *f)
{
	struct imp_stream *s;
	int lock = take_lock(a, f);

	if (lock < 0)
		return lock;
	s = xcalloc(1, sizeof *s);
	*s = (struct imp_stream){ .loop = l, .spec = spec, .ops = ops, .lock = lock, .http = http_new(l) };
	s->apart = xcalloc(spec->history->n_devices + 1, sizeof *s->apart);
	s->again = (struct loop_timer){ .fn = connect_stream, .cookie = s };
	s->subscribe = (struct loop_timer){ .fn = subscribe_devices, .cookie = s };
	s->poll = (struct loop_timer){ .fn = poll_history, .cookie = s };
	sse_init(&s->sse, EVENT_MAX, take_event, s);
	loop_timer_set(l, &s->again, 0);
	*out = s;
	return 0;
}

void
imp_stream_free(struct imp_stream *s)
{
	if (!s)
		return;
	end_transfer(s);
	loop_timer_stop(s->loop, &s->again);
	loop_timer_stop(s->loop, &s->poll);
	http_free(s->http);
	sse_release(&s->sse);
	free(s->apart);
	io_closep(&s->lock);
	free(s);
}
