#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/filewatch.h"
#include "base/xalloc.h"
#include "deploy/goal_poll.h"
#include "deploy/goal_source.h"

enum { POLL_MS = 5000 };

/* A file that is watched, or an address that is polled. */
struct goal_source {
	char *path;			/* of a file */
	loop_fn *changed;
	void *cookie;
	struct filewatch *filewatch;
	struct goal_poll *poll;
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

static bool
is_http(const char *url)
{
	return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

/* URL is none; where it is the path of a file, that is what the hint says. */
static int
set_misaddressed(const char *url, struct fail *f)
{
	_cleanup_free_ char *path = realpath(strncmp(url, "file:", 5) == 0 ? url + 5 : url, NULL);
	int r = fail_set(f, EXIT_USAGE,
	    "not a goal's address: '%s' (such as file:/etc/rejoin/goal.json or https://HOST/goal.json)", url);

	if (path)
		fail_hint(f, "the address of that file is file:%s", path);
	return r;
}

int
goal_source_open(struct loop *l, const struct goal_source_spec *spec, struct goal_source **out, struct fail *f)
{
	const char *url = spec->url;
	const char *path = goal_source_file(url);
	struct goal_source *h;

	if (!is_http(url) && !path)
		return set_misaddressed(url, f);
	h = xcalloc(1, sizeof *h);
	*h = (struct goal_source){ .changed = spec->changed, .cookie = spec->cookie };
	if (is_http(url)) {
		h->poll = goal_poll_new(l, url, spec->dir, spec->link, &(struct goal_poll_callbacks){ spec->changed,
		    spec->failed, spec->cookie });
	} else {
		h->path = xstrdup(path);
		h->filewatch = filewatch_new(l, POLL_MS);
		filewatch_add(h->filewatch, path, FILEWATCH_PATH, file_changed, h);
	}
	*out = h;
	return 0;
}

void
goal_source_close(struct goal_source *h)
{
	if (!h)
		return;
	filewatch_free(h->filewatch);
	goal_poll_free(h->poll);
	free(h->path);
	free(h);
}

const char *
goal_source_path(const struct goal_source *h)
{
	return h->poll ? goal_poll_path(h->poll) : h->path;
}

const char *
goal_source_name(const struct goal_source *h)
{
	return h->poll ? goal_poll_name(h->poll) : h->path;
}

bool
goal_source_refresh(struct goal_source *h, loop_fn *done, void *cookie)
{
	if (h->poll)
		goal_poll_refresh(h->poll, done, cookie);
	return h->poll != NULL;
}
