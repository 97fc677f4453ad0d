#include <errno.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "input/pump.h"

struct feed_pump {
	struct loop *loop;
	struct feed *feed;
	struct fail failure;	/* the first; EXIT_OK for none */
};

static void
wake(void *cookie)
{
	struct feed_pump *p = cookie;

	loop_stop(p->loop, 0);
}

static void
report(const struct fail *f, void *cookie)
{
	struct feed_pump *p = cookie;

	if (f->status != EXIT_OK && p->failure.status == EXIT_OK)
		p->failure = *f;
}

struct feed_pump *
pump_new(struct feed *feed, struct fail *f)
{
	struct feed_pump *p = xcalloc(1, sizeof *p);
	const struct feed_host host = { .wake = wake, .tell = report, .cookie = p };

	p->loop = loop_new();
	p->feed = feed;
	feed->once = true;
	if (feed_start(feed, p->loop, &host, f) == 0)
		return p;
	pump_free(p);
	return NULL;
}

void
pump_free(struct feed_pump *p)
{
	if (!p)
		return;
	feed_free(p->feed);
	loop_free(p->loop);
	free(p);
}

struct feed *
pump_feed(const struct feed_pump *p)
{
	return p->feed;
}

ssize_t
pump_read(struct feed_pump *p, char *to, size_t n)
{
	ssize_t r;

	while ((r = feed_read(p->feed, to, n)) == -EAGAIN)
		loop_run(p->loop);
	return r;
}

bool
pump_failed(const struct feed_pump *p, struct fail *f)
{
	*f = p->failure;
	return f->status != EXIT_OK;
}
