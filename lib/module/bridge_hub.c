#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/file.h"
#include "base/inotify.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "hub/dialect.h"
#include "hub/hubdir.h"
#include "hub/reader.h"
#include "hub/submission.h"
#include "module/bridge_hub.h"

enum { RESCAN_MS = 5000 };

struct open_call {
	char *id;
	uint64_t number;
	bool present, is_answered;
};

struct bridge_hub {
	struct loop *loop;
	char *dir, *instance;		/* DIR is NULL without a link */
	struct bridge_hub_callbacks cb;
	int inotify;
	struct loop_timer scan;
	struct json told;		/* TOPIC -> id of the value that was told */
	struct open_call *calls;
	size_t n_calls, calls_cap;
	uint64_t last_number;
	bool has_complained;
};

/* A value as bytes, for the instance. */
static void
value_bytes(struct json value, struct buf *out)
{
	if (json_kind(value) != JSON_NONE && json_kind(value) != JSON_NULL)
		(void)dialect_bytes(value, out);
}

static int
on_config(struct json record, void *cookie)
{
	struct bridge_hub *h = cookie;
	_cleanup_json_ struct json value = json_get(record, "value"), id = json_get(record, "id"), was = JSON_ABSENT;
	const char *topic = json_get_text(record, "topic");
	_cleanup_buf_ struct buf bytes = BUF_INIT;

	was = topic ? json_get(h->told, topic) : JSON_ABSENT;
	if (!topic || json_equal(was, id))
		return 0;
	json_set(&h->told, topic, json_copy(id));
	value_bytes(value, &bytes);
	h->cb.config(topic, bytes.s, bytes.len, h->cb.cookie);
	return 0;
}

static struct open_call *
call_find(struct bridge_hub *h, const char *id, uint64_t number)
{
	for (size_t i = 0; i < h->n_calls; i++)
		if (id ? strcmp(h->calls[i].id, id) == 0 : h->calls[i].number == number)
			return &h->calls[i];
	return NULL;
}

static int
on_call(struct json record, void *cookie)
{
	struct bridge_hub *h = cookie;
	_cleanup_json_ struct json params = json_get(record, "params");
	const char *id = json_get_text(record, "id"), *method = json_get_text(record, "method");
	struct open_call *c = id ? call_find(h, id, 0) : NULL;
	_cleanup_buf_ struct buf text = BUF_INIT;

	if (c)
		c->present = true;
	if (c || !id || !method)
		return 0;
	h->calls = xgrow(h->calls, h->n_calls, &h->calls_cap, sizeof *h->calls);
	h->calls[h->n_calls++] = (struct open_call){ .id = xstrdup(id), .number = ++h->last_number, .present = true };
	value_bytes(params, &text);
	h->cb.call(h->last_number, method, text.s, h->cb.cookie);
	return 0;
}

static void
watch_again(struct bridge_hub *h)
{
	_cleanup_free_ char *file = file_encode(h->instance), *config = xasprintf("%s/config", h->dir);
	_cleanup_free_ char *own = xasprintf("%s/%s", config, file), *calls = xasprintf("%s/calls", h->dir);
	const uint32_t mask = IN_MOVED_TO | IN_CREATE | IN_ONLYDIR;

	if (h->inotify < 0)
		return;
	(void)inotify_watch(h->inotify, config, mask);
	(void)inotify_watch(h->inotify, own, mask);
	(void)inotify_watch(h->inotify, calls, mask);
}

/* A directory that cannot be read is told once: the instance then has neither configuration nor calls. */
static void
report_denied(struct bridge_hub *h, const struct fail *f)
{
	if (!h->has_complained && f->status == EXIT_DENIED)
		diag_info("%s (the instance's user is not in the group of the link's [hub])", f->text);
	h->has_complained |= f->status == EXIT_DENIED;
}

static void
hub_scan(void *cookie)
{
	struct bridge_hub *h = cookie;
	size_t kept = 0;
	struct fail f;

	watch_again(h);
	if (reader_config(h->dir, h->instance, false, on_config, h, &f) < 0)
		report_denied(h, &f);
	for (size_t i = 0; i < h->n_calls; i++)
		h->calls[i].present = false;
	if (reader_calls(h->dir, h->instance, false, on_call, h, &f) < 0)
		report_denied(h, &f);
	for (size_t i = 0; i < h->n_calls; i++)
		if (h->calls[i].present)
			h->calls[kept++] = h->calls[i];
		else
			free(h->calls[i].id);
	h->n_calls = kept;
	loop_timer_set(h->loop, &h->scan, RESCAN_MS);
}

static void
on_inotify(int fd, short events, void *cookie)
{
	struct bridge_hub *h = cookie;

	(void)events;
	inotify_drain(fd);
	loop_timer_set(h->loop, &h->scan, 0);
}

struct bridge_hub *
bridge_hub_new(struct loop *l, const char *agent, const char *instance, const struct bridge_hub_callbacks *cb)
{
	struct bridge_hub *h = xcalloc(1, sizeof *h);

	*h = (struct bridge_hub){ .loop = l, .dir = agent ? hubdir_path(agent) : NULL, .instance = xstrdup(instance), .cb = *cb,
	    .inotify = agent ? inotify_open() : -1, .scan = { .fn = hub_scan, .cookie = h }, .told = json_object() };
	if (h->inotify >= 0)
		loop_watch(l, h->inotify, POLLIN, on_inotify, h);
	if (h->dir)
		loop_timer_set(l, &h->scan, 0);
	return h;
}

void
bridge_hub_free(struct bridge_hub *h)
{
	loop_timer_stop(h->loop, &h->scan);
	if (h->inotify >= 0)
		loop_unwatch(h->loop, h->inotify);
	io_closep(&h->inotify);
	for (size_t i = 0; i < h->n_calls; i++)
		free(h->calls[i].id);
	free(h->calls);
	json_release(&h->told);
	free(h->dir);
	free(h->instance);
	free(h);
}

void
bridge_hub_resend(struct bridge_hub *h)
{
	json_release(&h->told);
	h->told = json_object();
	if (h->dir)
		loop_timer_set(h->loop, &h->scan, 0);
}

/* The record of KIND and KEY; takes VALUE. */
static int
record_submit(struct bridge_hub *h, const char *kind, const char *key, struct json value, struct fail *f)
{
	_cleanup_json_ struct json v = json_object(), status = JSON_ABSENT, full = JSON_ABSENT;
	_cleanup_buf_ struct buf line = BUF_INIT;
	char now[CLOCK_TEXT], name[SUBMISSION_NAME];
	struct fail ignored;

	json_set_text(&v, "kind", kind);
	json_set_text(&v, "key", key);
	json_set(&v, "value", value);
	json_set_text(&v, "time", clock_now(now));
	if (!h->dir)
		return fail_set(f, EXIT_ABSENT, "there is no link");
	if (submission_is_urgent(kind) && hubdir_status(h->dir, &status, &ignored) == 0) {
		full = json_get(status, "full");
		if (json_kind(full) == JSON_TRUE)
			return fail_set(f, EXIT_BUSY, "%s: the urgent queue is full", h->dir);
	}
	json_format(v, &line);
	buf_putc(&line, '\n');
	return submission_send(h->dir, line.s, line.len, submission_is_urgent(kind), name, f);
}

int
bridge_hub_send(struct bridge_hub *h, const char *kind, const char *name, struct json value, struct fail *f)
{
	_cleanup_free_ char *key = xasprintf("%s/%s", h->instance, name);

	return record_submit(h, kind, key, value, f);
}

int
bridge_hub_answer(struct bridge_hub *h, uint64_t number, const char *status, struct json response, struct fail *f)
{
	struct open_call *c = call_find(h, NULL, number);
	struct json v = json_object();
	int r;

	json_set_text(&v, "status", status);
	json_set(&v, "response", response);
	if (!c || c->is_answered) {
		json_release(&v);
		return fail_set(f, EXIT_USAGE, "call %ju is not open", (uintmax_t)number), -ENOENT;
	}
	r = record_submit(h, "answer", c->id, v, f);
	c->is_answered = r == 0;
	return r;
}

void
bridge_hub_end(struct bridge_hub *h)
{
	struct fail ignored;

	if (!h->dir)
		return;
	loop_timer_stop(h->loop, &h->scan);
	/* those that came since are answered, too */
	(void)reader_calls(h->dir, h->instance, false, on_call, h, &ignored);
	for (size_t i = 0; i < h->n_calls; i++)
		if (!h->calls[i].is_answered)
			(void)bridge_hub_answer(h, h->calls[i].number, "error", json_string("instance ended"), &ignored);
}
