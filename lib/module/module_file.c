#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "deploy/download.h"
#include "deploy/forked.h"
#include "deploy/payload.h"
#include "module/module_file.h"

enum { DIGEST = 32 };

struct module_file {
	struct forked *forked;
	module_file_done *done;
	void *cookie;
	bool is_cancelled;
	struct http_job_link link;
	struct payload payload;
	char *dir;
};

/* What the child gets; the pointers are valid there, as it is a fork. */
struct fetch {
	const struct payload *payload;
	const char *dir;
	const struct http_job_link *link;
	struct download_progress progress;
};

/* Others execute it, so they pass through its directory; none writes to it. */
static int
file_open_up(const char *path, struct fail *f)
{
	_cleanup_free_ char *parent = xstrndup(path, (size_t)(strrchr(path, '/') - path));

	return chmod(parent, 0755) < 0 || chmod(path, 0755) < 0 ? fail_errno(f, errno, "%s", path) : 0;
}

static int
file_fetch(void *shared, struct fail *f)
{
	struct fetch *x = shared;
	_cleanup_free_ char *path = NULL;
	int r;

	download_allow(x->link, &x->progress);
	r = payload_fetch(x->payload, x->dir, &path, f);
	return r < 0 ? r : file_open_up(path, f);
}

/* As the EVP agent has it where a server refuses; else our own words. */
static char *
failure_text(const struct fail *f)
{
	const char *http = strstr(f->text, ": HTTP ");
	int64_t status;

	if (http && num_parse(http + 7, 100, 999, &status) == 0)
		return xasprintf("Download failed HTTP Response = %d", (int)status);
	return xstrdup(f->text);
}

static void
file_fetched(const void *shared, const struct fail *f, void *cookie)
{
	struct module_file *m = cookie;
	_cleanup_free_ char *failure = f ? failure_text(f) : NULL;

	(void)shared;
	if (!m->is_cancelled)
		m->done(failure, m->cookie);
	payload_release(&m->payload);
	free(m->dir);
	free(m);
}

/* 64 hex digits as base64, to be freed. */
static char *
hash_base64(const char *hex)
{
	unsigned char digest[DIGEST];
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < DIGEST; i++) {
		unsigned int byte = 0;

		sscanf(hex + 2 * i, "%2x", &byte);
		digest[i] = (unsigned char)byte;
	}
	base64_encode(digest, sizeof digest, &b);
	return buf_steal(&b);
}

struct module_file *
module_file_start(struct loop *l, const char *dir, const char *id, const char *url, const char *hex,
    const struct http_job_link *link, module_file_done *done, void *cookie, struct fail *f)
{
	struct module_file *m = xcalloc(1, sizeof *m);
	struct fetch x;

	*m = (struct module_file){ .done = done, .cookie = cookie, .link = *link, .dir = xstrdup(dir),
	    .payload = { .id = xstrdup(id), .name = xstrdup("module"), .size_bytes = -1, .algorithm = xstrdup("sha256"),
	    .hash = hash_base64(hex), .url = xstrdup(url) } };
	m->link.patience_ms = 0;
	x = (struct fetch){ .payload = &m->payload, .dir = m->dir, .link = &m->link };
	m->forked = forked_start(l, "fetching a module", file_fetch, &x, sizeof x, file_fetched, m, f);
	if (m->forked)
		return m;
	payload_release(&m->payload);
	free(m->dir);
	free(m);
	return NULL;
}

void
module_file_cancel(struct module_file *m)
{
	m->is_cancelled = true;
	forked_end(m->forked);
}

char *
module_file_path(const char *dir, const char *hex)
{
	return xasprintf("%s/sha256/%s", dir, hex);
}
