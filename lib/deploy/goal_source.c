#include <stdlib.h>
#include <string.h>

#include "base/filewatch.h"
#include "base/xalloc.h"
#include "deploy/goal_source.h"

enum { POLL_MS = 5000 };

struct goal_source {
	char *path;
	loop_fn *changed;
	void *cookie;
	struct filewatch *filewatch;
};

static void
file_changed(bool names, void *cookie)
{
	struct goal_source *h = cookie;

	(void)names;
	h->changed(h->cookie);
}

const char *
goal_source_file(const char *url)
{
	const char *path = strncmp(url, "file://", 7) == 0 ? url + 7 :
	    strncmp(url, "file:", 5) == 0 ? url + 5 : NULL;

	return path && *path == '/' ? path : NULL;
}

int
goal_source_open(struct loop *l, const char *url, loop_fn *changed, void *cookie, struct goal_source **out,
    struct fail *f)
{
	const char *path = goal_source_file(url);
	struct goal_source *h;

	if (!path)
		return fail_set(f, EXIT_USAGE, "not a goal's address: '%s' (such as file:/etc/rejoin/goal.json)",
		    url);
	h = xcalloc(1, sizeof *h);
	*h = (struct goal_source){ .path = xstrdup(path), .changed = changed, .cookie = cookie,
	    .filewatch = filewatch_new(l, POLL_MS) };
	filewatch_add(h->filewatch, path, FILEWATCH_PATH, file_changed, h);
	*out = h;
	return 0;
}

void
goal_source_close(struct goal_source *h)
{
	if (!h)
		return;
	filewatch_free(h->filewatch);
	free(h->path);
	free(h);
}

const char *
goal_source_path(const struct goal_source *h)
{
	return h->path;
}
