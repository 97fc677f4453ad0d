#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "hub/outcalls.h"
#include "hub/results.h"

struct outcall {
	int64_t number, deadline_ms;	/* CLOCK_MONOTONIC */
	char *name, *method;
	struct json params;
	bool sent;
};

struct outcalls {
	struct outcalls_spec spec;
	struct outcall calls[OUTCALLS_MAX];
	size_t n;
	int64_t last;
	struct loop_timer timer;
};

static void
call_remove(struct outcalls *o, size_t i)
{
	free(o->calls[i].name);
	free(o->calls[i].method);
	json_release(&o->calls[i].params);
	memmove(&o->calls[i], &o->calls[i + 1], (--o->n - i) * sizeof *o->calls);
}

static void
call_send(struct outcalls *o, struct outcall *c)
{
	_cleanup_dialect_message_ struct dialect_message m = DIALECT_MESSAGE_INIT;

	o->spec.dialect->call(o->spec.context, c->number, c->method, c->params, &m);
	c->sent = o->spec.publish(&m, o->spec.cookie) >= 0;
}

static void
timer_set(struct outcalls *o)
{
	int64_t next = INT64_MAX, now = clock_mono_ms();

	for (size_t i = 0; i < o->n; i++)
		if (o->calls[i].deadline_ms < next)
			next = o->calls[i].deadline_ms;
	if (o->n > 0)
		loop_timer_set(o->spec.loop, &o->timer, next > now ? next - now : 0);
}

static void
on_timer(void *cookie)
{
	outcalls_expire(cookie);
}

struct outcalls *
outcalls_new(const struct outcalls_spec *spec)
{
	struct outcalls *o = xcalloc(1, sizeof *o);

	o->spec = *spec;
	o->timer = (struct loop_timer){ .fn = on_timer, .cookie = o };
	/* a response to a call of an earlier process must not be taken for one of ours */
	o->last = clock_wall_ms() % 1000000000;
	return o;
}

void
outcalls_free(struct outcalls *o)
{
	if (!o)
		return;
	while (o->n > 0) {
		(void)results_write(o->spec.dir, o->calls[0].name, 0, "refused", EXIT_TIMEOUT, "the link ended", JSON_ABSENT);
		call_remove(o, 0);
	}
	loop_timer_stop(o->spec.loop, &o->timer);
	free(o);
}

int
outcalls_accept(struct outcalls *o, const struct intake_item *item, struct fail *f)
{
	_cleanup_json_ struct json timeout = json_get(item->value, "timeout_ms");
	int64_t ms;

	if (!o->spec.dialect->has_calls)
		return fail_set(f, EXIT_USAGE, "call: the dialect %s has no calls of the hub", o->spec.dialect->name);
	if (o->n == OUTCALLS_MAX)
		return fail_set(f, EXIT_BUSY, "call: %d calls are open", OUTCALLS_MAX);
	if (!json_get_whole(timeout, &ms) || ms <= 0)
		ms = OUTCALLS_TIMEOUT_MS;
	o->calls[o->n++] = (struct outcall){ .number = ++o->last, .deadline_ms = clock_mono_ms() + ms,
	    .name = xstrdup(item->name), .method = xstrdup(json_get_text(item->value, "key")),
	    .params = json_get(item->value, "value") };
	call_send(o, &o->calls[o->n - 1]);
	timer_set(o);
	return 0;
}

void
outcalls_link(struct outcalls *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (!o->calls[i].sent)
			call_send(o, &o->calls[i]);
}

bool
outcalls_has(const struct outcalls *o, int64_t number)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->calls[i].number == number)
			return true;
	return false;
}

void
outcalls_response(struct outcalls *o, int64_t number, struct json response)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->calls[i].number == number) {
			_cleanup_json_ struct json error = json_get(response, "error");

			(void)results_write(o->spec.dir, o->calls[i].name, 0, "confirmed",
			    json_kind(error) == JSON_NONE ? EXIT_OK : EXIT_NO, NULL, response);
			call_remove(o, i);
			return;
		}
}

void
outcalls_expire(struct outcalls *o)
{
	const int64_t now = clock_mono_ms();

	for (size_t i = o->n; i-- > 0; )
		if (o->calls[i].deadline_ms <= now) {
			(void)results_write(o->spec.dir, o->calls[i].name, 0, "refused", EXIT_TIMEOUT,
			    o->calls[i].sent ? "no response before the deadline" : "the link was down until the deadline",
			    JSON_ABSENT);
			call_remove(o, i);
		}
	timer_set(o);
}
