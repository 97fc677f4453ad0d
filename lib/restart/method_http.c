#include <string.h>

#include "agent/http_call.h"
#include "restart/method.h"
#include "restart/pidfile.h"

static int
restart_by_http(const struct restart_method_call *c, struct fail *f)
{
	return http_call_make(&c->p->restart.http, restart_method_left_ms(c->end_ms), f);
}

static void
describe_http(const struct profile *p, bool conditional, struct buf *out)
{
	const struct profile_http *h = &p->restart.http;

	(void)conditional;
	buf_printf(out, "request\t%s\nurl\t%.*s\n", h->request ? h->request : "POST",
	    (int)strcspn(h->url, "?#"), h->url);
}

const struct restart_method restart_method_http = { "http", pidfile_inspect, restart_by_http, describe_http, false, 0 };
