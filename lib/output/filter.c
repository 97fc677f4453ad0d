#include "output/filter.h"

bool
filter_is_any(const struct filter *f)
{
	return f->since_ns != INT64_MIN || f->until_ns != INT64_MAX || f->level >= 0 || f->include || f->exclude;
}

void
filter_share(struct filter *to, const struct filter *f)
{
	*to = *f;
	to->include = f->include ? regex_share(f->include) : NULL;
	to->exclude = f->exclude ? regex_share(f->exclude) : NULL;
}

void
filter_release(struct filter *f)
{
	regex_free(f->include);
	regex_free(f->exclude);
	f->include = f->exclude = NULL;
}

bool
filter_passes(const struct filter *f, const struct record *r, const struct fields *fields)
{
	size_t n = r->n;

	if (r->t < f->since_ns || r->t >= f->until_ns)
		return false;
	if (n && r->p[n - 1] == '\n')
		n--;
	if (f->include && !regex_match(f->include, r->p, n))
		return false;
	if (f->exclude && regex_match(f->exclude, r->p, n))
		return false;
	if (f->level >= 0 && r->meta && r->meta->level >= 0)
		return r->meta->level <= f->level;
	return f->level < 0 || !fields || format_level(fields->v[FIELD_LEVEL]) <= f->level;
}

bool
filter_wants(struct source *s, const struct record *r, void *filter)
{
	const struct filter *f = filter;
	struct fields fields;

	return filter_passes(f, r, f->level >= 0 && source_fields(s, r->p, r->n, &fields) ? &fields : NULL);
}
