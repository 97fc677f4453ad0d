#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/notify.h"
#include "base/xalloc.h"
#include "deploy/hub.h"

enum { POLL_MS = 5000 };

struct hub {
	struct loop *loop;
	char *path;
	loop_fn *changed;
	void *cookie;
	int fd;
	struct loop_timer again;
};

/* The directory may have been removed, or not be there yet: so it is watched anew each time. */
static void
watch(struct hub *h)
{
	if (h->fd < 0 || notify_watch(h->fd, h->path) < 0)
		loop_timer_set(h->loop, &h->again, POLL_MS);
}

static void
look_again(void *cookie)
{
	struct hub *h = cookie;

	watch(h);
	h->changed(h->cookie);
}

static void
on_edge(int fd, short events, void *cookie)
{
	struct hub *h = cookie;

	(void)events;
	if (!notify_read(fd))
		return;
	watch(h);
	h->changed(h->cookie);
}

int
hub_open(struct loop *l, const char *url, loop_fn *changed, void *cookie, struct hub **out,
    struct fail *f)
{
	const char *path = strncmp(url, "file://", 7) == 0 ? url + 7 :
	    strncmp(url, "file:", 5) == 0 ? url + 5 : NULL;
	struct hub *h;

	if (!path || *path != '/')
		return fail_set(f, EXIT_USAGE, "not a goal's address: '%s' (such as file:/etc/rejoin/goal.json)",
		    url);
	h = xcalloc(1, sizeof *h);
	*h = (struct hub){ .loop = l, .path = xstrdup(path), .changed = changed, .cookie = cookie,
	    .fd = notify_open(), .again = { .fn = look_again, .cookie = h } };
	if (h->fd >= 0)
		loop_watch(l, h->fd, POLLIN, on_edge, h);
	watch(h);
	*out = h;
	return 0;
}

void
hub_close(struct hub *h)
{
	if (!h)
		return;
	loop_timer_stop(h->loop, &h->again);
	if (h->fd >= 0)
		loop_unwatch(h->loop, h->fd);
	io_closep(&h->fd);
	free(h->path);
	free(h);
}

const char *
hub_path(const struct hub *h)
{
	return h->path;
}
