#include <sched.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/hostorder.h"
#include "causal/prescan.h"
#include "causal/scheduler.h"
#include "causal/skew.h"
#include "log/run.h"

enum {
	THREADS_MAX = 8,	/* beyond, memory is the limit */
	APART_MAX = 8,		/* hosts that are read by themselves */
};

/* One for each core that is ours. */
static unsigned
threads(void)
{
	cpu_set_t cpus;
	int n = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;

	return n > THREADS_MAX ? THREADS_MAX : (unsigned)n;
}

void
run_scheduler_spec(const struct run *run, struct scheduler_spec *spec)
{
	const struct render_style *style = &run->style;
	const bool minimax = run->order == RUN_MINIMAX;

	*spec = (struct scheduler_spec){ .rules = &run->rules, .patience_ns = run->patience_ms * 1000000,
	    .remember_ns = run->patience_ms * 1000000, .minimax = minimax,
	    .buffer = minimax ? SIZE_MAX : (size_t)run->buffer_bytes, .explain = style->explain || style->json,
	    .fields = style->json || run->filter.level >= 0, .dropped = run->dropped };
}

struct printing {
	struct render *out;
	const struct filter *filter;	/* NULL: all records */
};

static bool
print(const struct printed *p, void *cookie)
{
	const struct printing *x = cookie;
	struct shown shown = { .source = p->source, .record = p->record, .fields = p->fields, .mark = p->mark,
	    .why = p->why, .moved_ns = p->moved_ns };

	if (x->filter && !filter_passes(x->filter, p->record, p->fields))
		return false;
	render_record(x->out, p->source, &shown);
	return true;
}

static void
print_bytes(const struct span *records, size_t n, void *cookie)
{
	struct render *out = ((const struct printing *)cookie)->out;

	for (size_t i = 0; i < n; i++)
		render_bytes(out, records[i].p, records[i].n, false);
}

static void
print_piece(struct span piece, void *cookie)
{
	render_bytes(((const struct printing *)cookie)->out, piece.p, piece.n, true);
}

/* It is not known when more will come. */
static void
flush(void *cookie)
{
	render_flush(((const struct printing *)cookie)->out);
}

static bool
has_failed(void *cookie)
{
	return ((const struct printing *)cookie)->out->w.error != 0;
}

/* What is found out of the clocks before the first record is printed. */
struct clocks {
	struct run *run;
	struct sources *all;
	struct prescan_spec spec;
};

void
run_choose_orders(const struct run *run, struct sources *all)
{
	for (unsigned i = 0; i < all->n; i++) {
		struct source *s = all->v[i];
		const bool apt = s->fifo && !s->order_named && !s->by_host && !s->emitter && s->seekable && source_names_hosts(s);
		bool any, *used = apt ? scheduler_rules_for(&run->rules, s, &any) : NULL;

		if (apt && any) {
			source_read_hosts(s);
			s->by_host = hostorder_is_violated(s, &run->rules, used);
			if (s->by_host)
				run->by_host(s);
		}
		free(used);
	}
}

static void
give_offsets(struct clocks *c, const int64_t *offsets)
{
	struct domains *d = c->all->domains;

	for (unsigned i = 0; i < domains_count(d) && i < SKEW_CLOCKS_MAX; i++) {
		struct domain *x = domains_at(d, i);

		x->offset_ns += offsets[i];
		if (offsets[i])
			c->run->offset(x->name, offsets[i]);
	}
}

/* Is any clock wrong that only some records of a source are stamped by? */
static bool
is_any_host_off(struct domains *d)
{
	for (unsigned i = 0; i < domains_count(d); i++)
		if (domains_at(d, i)->offset_ns && domains_at(d, i)->is_host)
			return true;
	return false;
}

static int
by_value(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The hosts that are further from most others than LIMIT_NS, into OUT: how many. */
static unsigned
find_far_hosts(struct domains *d, int64_t limit_ns, const struct domain **out)
{
	const unsigned n = domains_count(d);
	_cleanup_free_ int64_t *v = xcalloc((size_t)n + 1, sizeof *v);
	unsigned hosts = 0, far = 0;

	for (unsigned i = 0; i < n; i++)
		if (domains_at(d, i)->is_host)
			v[hosts++] = domains_at(d, i)->offset_ns;
	qsort(v, hosts, sizeof *v, by_value);
	for (unsigned i = 0; i < n && far < APART_MAX; i++) {
		const struct domain *x = domains_at(d, i);

		if (x->is_host && (x->offset_ns - v[hosts / 2] > limit_ns || v[hosts / 2] - x->offset_ns > limit_ns))
			out[far++] = x;
	}
	return far;
}

/* Records of a host whose clock is far off are far from those that they belong to: such a host is read apart. */
static void
split_sources(struct clocks *c)
{
	struct sources *all = c->all;
	unsigned n = 0;

	for (unsigned i = 0; i < all->n; i += n + 1) {
		const struct domain **far = xcalloc(APART_MAX, sizeof *far);

		n = all->v[i]->by_host && all->v[i]->per_host && all->v[i]->seekable && !all->apart ?
		    find_far_hosts(all->domains, c->run->patience_ms * 1000000, far) : 0;
		if (n)
			sources_split(all, i, far, n);
		else
			free(far);
	}
}

/* The offsets are known: hosts are looked up where they matter. */
static void
settle_hosts(struct clocks *c)
{
	const bool off = is_any_host_off(c->all->domains);

	for (unsigned i = 0; i < c->all->n; i++) {
		struct source *s = c->all->v[i];

		source_renew_offset(s);
		s->per_host &= s->by_host || off;
	}
}

/* What is known from reading all before (--exact), or of the clocks from a part: NULL then. */
static struct prescan *
prescan(struct run *run, struct sources *all)
{
	_cleanup_free_ int64_t *offsets = xcalloc(SKEW_CLOCKS_MAX, sizeof *offsets);
	_cleanup_free_ bool *clocks = xcalloc(all->n + 1, sizeof *clocks);
	struct clocks c = { run, all, { .rules = &run->rules, .used = xcalloc(all->n + 1, sizeof *c.spec.used),
	    .clocks = clocks, .domains = all->domains, .window_ns = run->patience_ms * 1000000, .workers = threads() - 1 } };
	const unsigned n = all->n;
	struct prescan *p = NULL;
	bool any = false;

	for (unsigned i = 0; i < n; i++) {
		bool some;

		c.spec.used[i] = scheduler_rules_for(&run->rules, all->v[i], &some);
		clocks[i] = scheduler_has_clocks(all->v[i]);
		any |= some;
	}
	if (run->exact)
		p = prescan_run(all->v, n, &c.spec, run->estimate ? offsets : NULL);
	else if (run->estimate && any)
		prescan_sample(all->v, n, &c.spec, offsets);
	give_offsets(&c, offsets);
	for (unsigned i = 0; i < n; i++)
		free(c.spec.used[i]);
	free(c.spec.used);
	settle_hosts(&c);
	split_sources(&c);
	return p;
}

static void
merge_causal(struct run *run, struct sources *all, struct render *out, struct causal_count *count)
{
	struct printing x = { out, filter_is_any(&run->filter) ? &run->filter : NULL };
	const bool by_time = run->order == RUN_TIME ||
	    (run->order == RUN_CAUSAL && !scheduler_is_needed(all->v, all->n, &run->rules));
	struct scheduler_spec spec;
	struct prescan *known;

	for (unsigned i = 0; i < all->n && (!by_time || is_any_host_off(all->domains)); i++)
		source_read_hosts(all->v[i]);
	if (!by_time)
		run_choose_orders(run, all);
	known = by_time ? NULL : prescan(run, all);
	run_scheduler_spec(run, &spec);
	spec.by_time = by_time;
	spec.prescan = known;
	spec.print = print;
	if (!x.filter && !out->style && !out->line_buffered) {
		spec.print_bytes = print_bytes;
		spec.print_piece = print_piece;
	}
	spec.stopped = has_failed;
	spec.idle = run->style.last ? NULL : flush;
	spec.cookie = &x;
	/* What draws records looks for their fields itself, with the regular expressions of the decoder. */
	spec.workers = run->style.artist ? 0 : threads() - 1;
	batch_run(all->v, all->n, &spec, count);
	prescan_free(known);
}

void
run_merge(struct run *run, struct sources *all, struct render *out, struct causal_count *count)
{
	*count = (struct causal_count){ 0 };
	merge_causal(run, all, out, count);
}
