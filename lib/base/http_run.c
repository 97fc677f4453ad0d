#include "base/http_run.h"

struct http_running {
	struct loop *loop;
	struct http_response *r;
	struct fail *f;
	int result;
	http_chunk *chunk;
	void *cookie;
};

static int
run_chunk(const struct http_response *r, const char *p, size_t n, void *cookie)
{
	const struct http_running *run = cookie;

	return run->chunk(r, p, n, run->cookie);
}

static void
run_done(const struct http_response *r, const struct fail *f, void *cookie)
{
	struct http_running *run = cookie;

	run->r->status = r->status;
	buf_add(&run->r->body, r->body.s, r->body.len);
	buf_add(&run->r->headers, r->headers.s, r->headers.len);
	if (f)
		run->result = fail_set(run->f, f->status, "%s", f->text);
	loop_stop(run->loop, 0);
}

int
http_run(const struct http_request *q, struct http_response *r, void *cookie, struct fail *f)
{
	struct http_running run = { .loop = loop_new(), .r = r, .f = f, .chunk = q->chunk, .cookie = cookie };
	struct http_request mine = *q;
	struct http *h = http_new(run.loop);

	*r = (struct http_response){ .body = BUF_INIT, .headers = BUF_INIT };
	if (q->chunk)
		mine.chunk = run_chunk;
	http_start(h, &mine, run_done, &run);
	loop_run(run.loop);
	http_free(h);
	loop_free(run.loop);
	return run.result;
}
