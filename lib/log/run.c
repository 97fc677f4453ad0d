#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "causal/hostorder.h"
#include "causal/prescan.h"
#include "causal/scheduler.h"
#include "causal/skew.h"
#include "log/run.h"
#include "log/twins.h"
#include "record/source_open.h"

enum {
	THREADS_MAX = 8,	/* beyond, memory is the limit */
	APART_MAX = 8,		/* hosts that are read by themselves */
	PIPES_MS = 1000,	/* for the first bytes of pipes, where clocks are to be estimated */
	SAMPLE_READ = 64 << 10,
	SAMPLED_MAX = SKEW_CLOCKS_MAX,	/* files that are looked at before they are followed */
};

unsigned
run_threads(void)
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
	    .remember_ns = (run->remember_ms < 0 ? run->patience_ms : run->remember_ms) * 1000000, .minimax = minimax,
	    .buffer = minimax ? SIZE_MAX : (size_t)run->buffer_bytes, .explain = style->explain || style->json, .lines = style->lines,
	    .relations = style->artist,
	    .fields = style->json || run->filter.level >= 0, .dropped = run->dropped, .unsafe = run->unsafe,
	    .lost_channel = run->lost_channel, .refuted = run->refuted };
}

struct printing {
	struct render *out;
	const struct filter *filter;	/* NULL: all records */
	struct twins *twins;
};

static bool
print(const struct printed *p, void *cookie)
{
	const struct printing *x = cookie;
	struct shown shown = { .source = p->source, .record = p->record, .fields = p->fields, .mark = p->mark,
	    .why = p->why, .moved_ns = p->moved_ns, .where = p->where, .relations = p->relations,
	    .n_relations = p->n_relations, .line = p->line };

	if (p->source->twin && twins_is_known(x->twins, p))
		return false;
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
	unsigned n;			/* of ALL, before any was split */
	bool any;			/* some constraint may tell the clocks */
};

void
run_choose_orders(const struct run *run, struct sources *all)
{
	for (unsigned i = 0; i < all->n; i++) {
		struct source *s = all->v[i];
		const bool apt = s->fifo && !s->order_named && !s->by_host && !s->emitter && (s->seekable || s->fd >= 0) && source_names_hosts(s);
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

	if (c->any && c->run->estimate && domains_count(d) > SKEW_CLOCKS_MAX)
		c->run->offset(NULL, domains_count(d));
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

static void
on_clock_problem(const struct fail *f, void *cookie)
{
	(void)f;
	*(bool *)cookie = true;
}

static void
clocks_begin(struct clocks *c, struct run *run, struct sources *all, bool *any)
{
	bool *clocks = xcalloc(all->n + 1, sizeof *clocks), some;

	*c = (struct clocks){ run, all, { .rules = &run->rules, .used = xcalloc(all->n + 1, sizeof *c->spec.used),
	    .clocks = clocks, .domains = all->domains, .window_ns = run->patience_ms * 1000000, .workers = run_threads() - 1 }, all->n };
	*any = false;
	for (unsigned i = 0; i < c->n; i++) {
		c->spec.used[i] = scheduler_rules_for(&run->rules, all->v[i], &some);
		clocks[i] = scheduler_has_clocks(all->v[i]);
		for (size_t k = 0; some && k < run->rules.n; k++)
			*any |= c->spec.used[i][k] && run->rules.v[k].kind != RULE_LIFECYCLE;
	}
	c->any = *any;
	/* What comes later of a pipe is not waited for. */
	for (unsigned i = 0; i < c->n && *any; i++)
		all->v[i]->view_until_ms = clock_mono_ms() + PIPES_MS;
}

static void
clocks_end(struct clocks *c)
{
	for (unsigned i = 0; i < c->n; i++)
		free(c->spec.used[i]);
	free(c->spec.used);
	free((void *)(uintptr_t)c->spec.clocks);
}

/* What is known from reading all before (--exact), or of the clocks from a part: NULL then. */
static struct known_ids *
prescan(struct run *run, struct sources *all)
{
	_cleanup_free_ int64_t *offsets = xcalloc(SKEW_CLOCKS_MAX, sizeof *offsets);
	struct known_ids *p = NULL;
	struct clocks c;
	bool any;

	clocks_begin(&c, run, all, &any);
	run_choose_orders(run, all);
	if (run->exact)
		p = prescan_run(all->v, all->n, &c.spec, run->estimate ? offsets : NULL);
	else if (run->estimate && any)
		prescan_sample(all->v, all->n, &c.spec, offsets);
	give_offsets(&c, offsets);
	clocks_end(&c);
	settle_hosts(&c);
	split_sources(&c);
	return p;
}

void
run_open_files(struct source_specs *specs, const struct formats *formats, struct domains *domains, struct sources *all)
{
	struct fail f;
	struct stat st;

	*all = (struct sources){ .v = xcalloc(specs->n + 1, sizeof(struct source *)), .domains = domains };
	for (size_t i = 0; i < specs->n && specs->n <= SAMPLED_MAX; i++) {
		struct source *s;

		if (stat(specs->v[i].location, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
		    source_open(&specs->v[i], formats, SAMPLE_READ, true, &s, &f) < 0)
			continue;
		s->rank = all->n;
		s->cookie = &specs->v[i];
		source_set_domains(s, domains);
		source_read_hosts(s);
		all->v[all->n++] = s;
	}
}

void
run_sample_clocks(struct run *run, struct source_specs *specs, const struct formats *formats, struct domains *domains)
{
	_cleanup_free_ int64_t *offsets = xcalloc(SKEW_CLOCKS_MAX, sizeof *offsets);
	bool any, failed = false;
	struct sources all;
	struct clocks c;

	run_open_files(specs, formats, domains, &all);
	clocks_begin(&c, run, &all, &any);
	run_choose_orders(run, &all);
	if (run->estimate && any)
		prescan_sample(all.v, all.n, &c.spec, offsets);
	give_offsets(&c, offsets);
	clocks_end(&c);
	for (unsigned i = 0; i < all.n; i++)
		if (all.v[i]->by_host)
			((struct source_spec *)all.v[i]->cookie)->order = ORDER_HOST;
	all.domains = NULL;
	sources_close(&all, on_clock_problem, &failed);
}

static bool
has_twins(const struct sources *all)
{
	for (unsigned i = 0; i < all->n; i++)
		if (all->v[i]->twin)
			return true;
	return false;
}

static void
merge_causal(struct run *run, struct sources *all, struct render *out, struct causal_count *count)
{
	struct printing x = { out, filter_is_any(&run->filter) ? &run->filter : NULL, twins_new() };
	const bool by_time = run->order == RUN_TIME ||
	    (run->order == RUN_CAUSAL && !scheduler_is_needed(all->v, all->n, &run->rules));
	const struct render_style *style = &run->style;
	struct scheduler_spec spec;
	struct known_ids *known;

	for (unsigned i = 0; i < all->n && (!by_time || is_any_host_off(all->domains)); i++)
		source_read_hosts(all->v[i]);
	known = by_time ? NULL : prescan(run, all);
	run_scheduler_spec(run, &spec);
	/* A picture of what times alone say shows what they contradict. */
	spec.verify = by_time && style->artist && run->order == RUN_TIME;
	spec.by_time = by_time && !spec.verify;
	spec.known = known;
	spec.print = print;
	if (!x.filter && !has_twins(all) && !out->style && !out->line_buffered) {
		spec.print_bytes = print_bytes;
		spec.print_piece = print_piece;
	}
	spec.stopped = has_failed;
	spec.idle = style->last ? NULL : flush;
	spec.cookie = &x;
	/* What draws records looks for their fields itself, with the regular expressions of the decoder. */
	spec.workers = style->artist ? 0 : run_threads() - 1;
	batch_run(all->v, all->n, &spec, count);
	known_ids_free(known);
	twins_free(x.twins);
}

void
run_merge(struct run *run, struct sources *all, struct render *out, struct causal_count *count)
{
	*count = (struct causal_count){ 0 };
	merge_causal(run, all, out, count);
}
