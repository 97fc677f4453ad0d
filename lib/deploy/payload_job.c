#include <stdlib.h>

#include "base/xalloc.h"
#include "deploy/forked.h"
#include "deploy/payload_job.h"

struct payload_job {
	struct forked *forked;
	payload_job_done *done;
	void *cookie;
};

static int
fetch_all(void *shared, struct fail *f)
{
	struct payload_job_spec *s = shared;
	int r = 0;

	download_allow(s->link, &s->progress);
	for (const struct payload *const *p = s->files; r == 0 && *p; p++) {
		_cleanup_free_ char *path = NULL;

		if (*p == s->skip || (s->only && *p != s->only))
			continue;
		r = payload_fetch(*p, s->cache, &path, f);
		if (r == 0)
			r = payload_place(*p, s->cache, s->folder, s->executable, f);
	}
	return r;
}

static void
job_ended(const void *shared, const struct fail *f, void *cookie)
{
	struct payload_job *j = cookie;

	(void)shared;
	j->done(f, j->cookie);
	free(j);
}

struct payload_job *
payload_job_start(struct loop *l, const struct payload_job_spec *spec, payload_job_done *done, void *cookie,
    struct fail *f)
{
	struct payload_job *j = xcalloc(1, sizeof *j);

	*j = (struct payload_job){ .done = done, .cookie = cookie };
	j->forked = forked_start(l, "fetching payloads", fetch_all, spec, sizeof *spec, job_ended, j, f);
	if (j->forked)
		return j;
	free(j);
	return NULL;
}

bool
payload_job_progress(const struct payload_job *j, int64_t *got, int64_t *size)
{
	const struct payload_job_spec *s = forked_shared(j->forked);

	*size = s->progress.size;
	*got = s->progress.got;
	return *size != 0;
}

void
payload_job_end(struct payload_job *j)
{
	forked_end(j->forked);
}
