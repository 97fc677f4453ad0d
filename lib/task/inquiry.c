#include <errno.h>

#include "base/clock.h"
#include "base/hlc.h"
#include "base/http_response.h"
#include "task/coupling.h"
#include "task/inquiry.h"
#include "task/link.h"

struct inquiry_wait {
	const struct inquiry_agent *agent;
	struct inquiry *q;
	struct fail *f;
	int result;
};

void
inquiry_release(struct inquiry *q)
{
	json_release(&q->v);
	buf_release(&q->body);
}

static void
inquiry_answered(const struct client_answer *a, void *cookie)
{
	struct inquiry_wait *w = cookie;

	if (a->f || ((a->status < 200 || a->status > 299) && a->status != 416)) {
		client_explain(a, w->agent->name, w->f);
		w->result = coupling_is_final(a) ? -EIO : -EAGAIN;
	} else {
		w->q->status = a->status;
		json_release(&w->q->v);
		w->q->v = json_copy(a->v);
		buf_reset(&w->q->body);
		buf_add(&w->q->body, a->r->body.s, a->r->body.len);
		w->q->end = http_response_header(a->r, "Rejoin-End") != NULL;
		w->q->store = client_store(a);
	}
	loop_stop(w->agent->loop, 0);
}

int
inquiry_get(const struct inquiry_agent *a, const char *path, struct inquiry *q, struct fail *f)
{
	struct inquiry_wait w = { a, q, f, 0 };

	client_get(a->client, path, a->timeout_ms, inquiry_answered, &w);
	loop_run(a->loop);
	return w.result;
}

static void
report_link(const struct inquiry_agent *a, const struct inquiry_link *l, enum link_state state, const char *text)
{
	struct json v = taskevent_new("link");

	json_set_text(&v, "state", link_state_name(state));
	json_set_text(&v, "target", a->name);
	taskevent_report(l->events, v, "%s", text);
}

int
inquiry_follow(const struct inquiry_agent *a, struct inquiry_link *l, const char *path, struct inquiry *q,
    struct fail *f)
{
	int r;

	while ((r = inquiry_get(a, path, q, f)) == -EAGAIN && l->answered) {
		if (!l->silent)
			report_link(a, l, LINK_SUSPECT, "no answer; waiting for the connection");
		l->silent = true;
		clock_sleep_ms(link_resend_ms(l->tries++));
	}
	if (r == 0 && l->silent)
		report_link(a, l, LINK_COUPLED, "reconnected");
	l->answered |= r == 0;
	l->silent = false;
	l->tries = 0;
	return r;
}

int
inquiry_post(const struct inquiry_agent *a, const char *path, struct json *body, struct inquiry *q,
    struct fail *f)
{
	struct inquiry_wait w = { a, q, f, 0 };
	struct hlc clock = { 0 };

	json_set(body, "id", json_number((double)hlc_next_us(&clock, clock_wall_us())));
	client_post(a->client, path, *body, a->timeout_ms, inquiry_answered, &w);
	loop_run(a->loop);
	return w.result;
}
