#include "record/survey.h"

void
survey_run(struct source *s, int64_t max, struct survey *out)
{
	struct record r;
	const char *p;
	size_t n;

	*out = (struct survey){ .bytes = 0 };
	s->time.by_zone = false;
	/* A record is counted by its own time, which is that of the line parsed last but for the one looked ahead to. */
	while (out->bytes < max) {
		enum time_kind kind = s->time.last_kind;

		if (!source_next(s, &r)) {
			out->whole = true;
			break;
		}
		out->records++;
		out->bytes += (int64_t)r.n;
		if (r.inherited)
			out->untimed++;
		else
			out->kinds[kind != TIME_ANY ? kind : s->time.last_kind]++;
		while (r.more && source_rest(s, &p, &n))
			out->bytes += (int64_t)n;
	}
	out->by_zone = s->time.by_zone;
}

enum time_kind
survey_kind(const struct survey *v)
{
	int best = TIME_NONE;

	for (int i = 0; i < TIME_KINDS; i++)
		if (v->kinds[i] > (best == TIME_NONE ? 0 : v->kinds[best]))
			best = i;
	return (enum time_kind)best;
}

int
survey_margin(const struct source *s)
{
	const struct detected *d = &s->detected;

	if (!d->fmt || !d->tried)
		return d->fmt ? 0 : -1;
	return (d->fits - d->second_fits) * 100 / d->tried;
}
