#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/xalloc.h"
#include "log/sources.h"
#include "record/source_open.h"

enum {
	VIEW = 64 << 10,		/* read at once of a part of a source */
	READ_ALL = 8 << 20,		/* of all sources together, at once, if it can be */
	READ_MAX = 256 << 10,		/* more than fits into a cache is no gain */
	READ_MIN = 16 << 10,
	DESCRIPTORS_KEPT = 16,		/* for what else a tool has open */
};

static bool
can_keep_open(size_t n)
{
	struct rlimit l;

	return getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur == RLIM_INFINITY || n + DESCRIPTORS_KEPT < l.rlim_cur;
}

int
sources_open(struct sources *all, const struct source_specs *specs, const struct formats *formats,
    void (*problem)(const struct fail *f, void *cookie), void *cookie, struct fail *f)
{
	size_t buffer = READ_ALL / (specs->n + 1) & ~(size_t)4095;

	buffer = buffer > READ_MAX ? READ_MAX : buffer < READ_MIN ? READ_MIN : buffer;
	*all = (struct sources){ .v = xcalloc(specs->n + 1, sizeof(struct source *)), .domains = domains_new() };
	for (size_t i = 0; i < specs->n; i++) {
		struct source *s;
		int r = source_open(&specs->v[i], formats, buffer, can_keep_open(specs->n), &s, f);

		if (r < 0 && f->status == EXIT_USAGE)
			return r;
		if (r < 0) {
			problem(f, cookie);
			continue;
		}
		s->rank = all->n;
		source_set_domains(s, all->domains);
		all->v[all->n++] = s;
	}
	return 0;
}

void
sources_split(struct sources *all, unsigned i, const struct domain **domains, unsigned n)
{
	struct source *s = all->v[i], **v = xcalloc((size_t)all->n + n + 1, sizeof *v);

	memcpy(v, all->v, (i + 1) * sizeof *v);
	memcpy(v + i + 1 + n, all->v + i + 1, (all->n - i - 1) * sizeof *v);
	for (unsigned k = 0; k < n; k++) {
		v[i + 1 + k] = source_view(s, 0, INT64_MAX, VIEW);
		v[i + 1 + k]->only = domains[k];
	}
	s->except = domains;
	s->n_except = n;
	free(all->v);
	all->v = v;
	all->n += n;
	all->apart = domains;
}

void
sources_close(struct sources *all, void (*problem)(const struct fail *f, void *cookie), void *cookie)
{
	struct fail f;

	/* Views are closed before what they are views of. */
	for (unsigned i = all->n; i-- > 0;) {
		if (all->v[i]->error && !all->v[i]->shared) {
			fail_errno(&f, all->v[i]->error, "%s", all->v[i]->location);
			problem(&f, cookie);
		}
		if (source_close(all->v[i], &f) < 0)
			problem(&f, cookie);
	}
	free(all->v);
	free(all->apart);
	domains_free(all->domains);
	*all = (struct sources){ .v = NULL };
}

const struct source *
sources_find_once(const struct sources *all)
{
	for (unsigned i = 0; i < all->n; i++)
		if (!all->v[i]->seekable)
			return all->v[i];
	return NULL;
}
