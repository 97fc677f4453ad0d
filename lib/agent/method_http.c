#include <string.h>

#include "agent/call.h"
#include "agent/method.h"
#include "agent/seat.h"

static int
act(const struct method_call *c, struct fail *f)
{
	return call_make(&c->p->restart.http, method_left_ms(c->end_ms), f);
}

static void
describe(const struct profile *p, bool conditional, struct buf *out)
{
	const struct profile_http *h = &p->restart.http;

	(void)conditional;
	buf_printf(out, "request\t%s\nurl\t%.*s\n", h->request ? h->request : "POST",
	    (int)strcspn(h->url, "?#"), h->url);
}

const struct method method_http = { "http", seat_look, act, describe, false, 0 };
