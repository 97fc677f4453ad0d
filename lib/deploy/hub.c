#include <stdlib.h>
#include <string.h>

#include "base/filewatch.h"
#include "base/xalloc.h"
#include "deploy/hub.h"

enum { POLL_MS = 5000 };

struct hub {
	char *path;
	loop_fn *changed;
	void *cookie;
	struct filewatch *filewatch;
};

static void
file_changed(bool names, void *cookie)
{
	struct hub *h = cookie;

	(void)names;
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
	*h = (struct hub){ .path = xstrdup(path), .changed = changed, .cookie = cookie,
	    .filewatch = filewatch_new(l, POLL_MS) };
	filewatch_add(h->filewatch, path, FILEWATCH_PATH, file_changed, h);
	*out = h;
	return 0;
}

void
hub_close(struct hub *h)
{
	if (!h)
		return;
	filewatch_free(h->filewatch);
	free(h->path);
	free(h);
}

const char *
hub_path(const struct hub *h)
{
	return h->path;
}
