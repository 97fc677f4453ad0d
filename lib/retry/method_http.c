#include <string.h>

#include "base/clock.h"
#include "retry/http_delegate.h"
#include "retry/method.h"

static int
send_http(const struct profile *p, int64_t end_ms, const struct delivery *last, struct delivery *d,
    struct fail *f)
{
	const int64_t left = end_ms - clock_mono_ms();

	retry_method_set_target(p, 0, last, d);
	return http_delegate_run(&p->retry.http, left > 0 ? left : 1, f);
}

static int
describe_http(const struct profile *p, struct buf *out, struct fail *f)
{
	const struct profile_http *h = &p->retry.http;

	(void)f;
	buf_printf(out, "method\thttp\nrequest\t%s\nurl\t%.*s\n", h->request ? h->request : "POST",
	    (int)strcspn(h->url, "?#"), h->url);
	return 0;
}

const struct retry_method retry_method_http = { send_http, describe_http };
