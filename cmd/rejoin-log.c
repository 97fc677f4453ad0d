/*
 * rejoin-log - many logs as one, in causal order
 *
 * Reads each source, or those of the agent's profile where none is named, and
 * prints all their records by time, but none before one that caused it.  A
 * source that cannot be read is reported and passed over; the tool then ends
 * with EXIT_NO.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/profile.h"
#include "base/progress_signal.h"
#include "base/file.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "log/check.h"
#include "log/follow.h"
#include "log/learning.h"
#include "log/options.h"
#include "log/spool.h"
#include "output/picture.h"
#include "output/sourcelist.h"
#include "record/doubt.h"

/* A source that is passed over, or what there is to know of one (EXIT_OK); COOKIE is the bool that remembers the former. */
static void
on_problem(const struct fail *f, void *cookie)
{
	fail_tell(f, NULL);
	*(bool *)cookie |= f->status != EXIT_OK;
}

static void
list_sources(const struct options *set, char *operands[], struct source_specs *specs, bool *failed)
{
	_cleanup_profile_ struct profile *p = *operands ? NULL : profile_load_or_die(set->agent);
	struct fail f;

	specs->live = set->follow;
	for (size_t i = 0; p && i < p->n_logs; i++)
		if (source_specs_add_log(specs, &p->logs[i], &f) < 0)
			on_problem(&f, failed);
	if (p)
		source_specs_find_twins(specs);
	if (p)
		source_specs_add_restarts(specs, p);
	for (; *operands; operands++)
		if (source_specs_add(specs, *operands, &f) < 0) {
			if (f.status == EXIT_USAGE)
				fail_die(&f);
			on_problem(&f, failed);
		}
	source_specs_finish(specs);
}

static void
tell_violation(const struct violation *v, void *cookie)
{
	_cleanup_buf_ struct buf name = BUF_INIT;

	(void)cookie;
	render_name(&name, v->source->name, isatty(STDOUT_FILENO));
	printf("%s:%jd: stands before line %jd, which it follows (%s)\n", name.s, (intmax_t)v->line,
	    (intmax_t)v->cause, v->what);
}

static bool
check(const struct options *set, struct sources *all)
{
	struct check_spec spec = { .tell = tell_violation };
	int64_t found = 0, records = 0;

	run_scheduler_spec(&set->run, &spec.merge);
	for (unsigned i = 0; i < all->n; i++)
		found += check_run(all->v[i], &spec, &records);
	diag_note("%jd records, %jd edges violated", (intmax_t)records, (intmax_t)found);
	return found == 0;
}

static void
tell_dropped(const struct scheduler_dropped *d, void *cookie)
{
	(void)cookie;
	diag_info("a cycle: %s at byte %jd does not wait for %s at byte %jd any more (%s)", d->after->name,
	    (intmax_t)d->after_off, d->before->name, (intmax_t)d->before_off, d->what);
}

static void
tell_unsafe(const struct rule *r, int64_t pairs, int64_t lost_sends, int64_t lost_receives, void *cookie)
{
	(void)cookie;
	diag_info("rule [%s] is not safe: %jd pairs, but %jd receives without a send and %jd sends without a receive", r->name,
	    (intmax_t)pairs, (intmax_t)lost_sends, (intmax_t)lost_receives);
}

static void
tell_lost_channel(const struct rule *r, const struct source *s, int64_t off, void *cookie)
{
	(void)cookie;
	diag_info("rule [%s]: %s at byte %jd receives more than was sent; the channel is given up", r->name, s->name,
	    (intmax_t)off);
}

static void
tell_refuted(const struct rule *r, int64_t pairs, int64_t against, void *cookie)
{
	(void)cookie;
	diag_info("rule [%s] is not used any more: %jd of its last %jd pairs contradict what is known better", r->name, (intmax_t)against,
	    (intmax_t)pairs);
}

static void
tell_offset(const char *clock, int64_t ns)
{
	if (!clock) {
		diag_info("offsets are not estimated: %jd clocks are too many", (intmax_t)ns);
		diag_hint("give those that are wrong by --offset NAME=DUR, or clock=NAME to sources that share one");
		return;
	}
	diag_note("clock %s: %.6f s ahead", clock, (double)ns / 1e9);
}

static void
tell_by_host(const struct source *s)
{
	diag_info("%s: its order contradicts what caused what, so only the records of one host are in order (order=host)",
	    s->name);
}

static void
sum_up(const struct causal_count *c, bool wanted)
{
	bool odd = wanted || c->unmatched || c->late || c->dropped || c->gaps || c->overflow;

	(odd ? diag_info : diag_note)("%jd records, %jd unmatched, %jd late, %jd edges of cycles dropped, %jd gaps, "
	    "%jd released early, %jd without a time", (intmax_t)c->records, (intmax_t)c->unmatched, (intmax_t)c->late,
	    (intmax_t)c->dropped, (intmax_t)c->gaps, (intmax_t)c->overflow, (intmax_t)c->inherited);
	if (c->behind)
		(wanted ? diag_info : diag_note)("%jd came behind the time of others", (intmax_t)c->behind);
}

/* What was drawn into FILE lacks LOST of RECORDS; R is how writing it went. */
static void
tell_saved(const char *file, int r, uint64_t lost, int64_t records)
{
	if (lost)
		diag_info("%s: cut to the last %jd records, %ju earlier ones are not drawn", file,
		    (intmax_t)records - (intmax_t)lost, (uintmax_t)lost);
	if (r < 0)
		die(EXIT_TROUBLE, r, "%s", file);
}

static void
save(const struct picture_wanted *wanted, const struct picture *pic, int64_t records)
{
	uint64_t lost;
	int r;

	if (wanted->svg) {
		r = picture_save_svg(pic, wanted->svg, &lost);
		tell_saved(wanted->svg, r, lost, records);
	}
	if (wanted->html) {
		r = picture_save_html(pic, wanted->html, &lost);
		tell_saved(wanted->html, r, lost, records);
	}
}

static void
tell_progress(void *cookie)
{
	sum_up(cookie, true);
}

static bool
merge_sources(struct options *set, const struct source_specs *specs, struct sources *all)
{
	struct render_style *s = &set->run.style;
	bool tty = isatty(STDOUT_FILENO);
	struct causal_count count = { 0 };
	struct picture *pic;
	struct progress_signal *ask;
	struct render out;
	struct fail f;

	if (set->run.exact && spool_run(all, set->spool_bytes, &f) < 0)
		fail_die(&f);
	options_settle_style(set, tty, specs);
	pic = picture_begin(&set->picture, &set->run.rules, s, tty);
	render_init(&out, STDOUT_FILENO, options_is_plain(set) ? NULL : s);
	out.line_buffered = tty;
	ask = progress_signal_begin(tell_progress, &count);
	run_merge(&set->run, all, &out, &count);
	progress_signal_end(ask);
	render_flush(&out);
	if (out.w.error)
		die(EXIT_TROUBLE, out.w.error, "standard output");
	render_release(&out);
	save(&set->picture, pic, count.records);
	picture_free(pic);
	sum_up(&count, false);
	return count.late == 0 && count.dropped == 0;
}

/* What is told of a run that goes on. */
struct following {
	const struct options *set;
	struct follow *follow;
	struct causal_count count;
	bool failed;
};

static void
report_problem(const struct fail *f, void *cookie)
{
	struct following *w = cookie;

	fail_tell(f, NULL);
	w->failed |= f->status != EXIT_OK;
}

static void
begin_source(struct source *s, void *cookie)
{
	struct following *w = cookie;
	unsigned doubts = s->doubts | (w->set->run.filter.level >= 0 && doubt_level(s) ? DOUBT_LEVEL : 0);
	struct fail f;

	while (doubt_next(s, &doubts, &f)) {
		fail_tell(&f, NULL);
		w->failed |= w->set->strict;
	}
	options_give_offset(w->set, s);
	diag_note("%s: format %s, order %s", s->name, s->fmt->name, source_order_name(s));
}

static void
on_progress_signal(void *cookie)
{
	const struct following *w = cookie;
	size_t bytes, records;

	follow_held(w->follow, &bytes, &records);
	sum_up(&w->count, true);
	diag_info("%zu records are held, in %zu bytes", records, bytes);
}

static void
tell_learned(const struct learned *w)
{
	diag_note("%u rules learned from %jd records, by one id in %u", w->rules, (intmax_t)w->records, 1U << (w->level < 31 ? w->level : 31));
	if (w->timed_out)
		diag_info("learning ended after %d s: not all records were read", LEARN_SECONDS);
}

/* As merge_sources(), and then what comes; with a state but without --follow, what there is now. */
static enum exit_status
follow_sources(struct options *set, struct source_specs *specs, const struct formats *formats, bool failed)
{
	struct following w = { .set = set, .failed = failed };
	struct domains *domains = domains_new();
	struct follow_spec spec = { .live = { .once = !set->follow, .formats = formats, .domains = domains,
	    .estimate = set->run.estimate && set->run.rules.n, .offset = tell_offset, .opened = begin_source },
	    .specs = specs, .state_path = set->state, .asked = on_progress_signal, .tell = report_problem, .cookie = &w };
	bool tty = isatty(STDOUT_FILENO);
	struct learned learned;
	struct picture *pic;
	struct render out;
	struct fail f;
	int signo;

	options_settle_style(set, tty, specs);
	if (set->auto_rules) {
		learning_use_files(&set->run, specs, formats, &learned);
		tell_learned(&learned);
		spec.live.estimate = set->run.estimate && set->run.rules.n;
	}
	pic = picture_begin(&set->picture, &set->run.rules, &set->run.style, tty);
	render_init(&out, STDOUT_FILENO, options_is_plain(set) ? NULL : &set->run.style);
	run_scheduler_spec(&set->run, &spec.live.merge);
	spec.live.filter = filter_is_any(&set->run.filter) ? &set->run.filter : NULL;
	spec.live.hold_ms = set->hold_ms;
	spec.live.watermark_ms = set->watermark_ms;
	spec.live.idle_ms = set->idle_ms;
	spec.live.patience_ms = set->run.patience_ms;
	options_give_offsets(set, specs, domains);
	if (set->run.order == RUN_CAUSAL)
		run_sample_clocks(&set->run, specs, formats, domains);
	if (follow_open(&spec, &out, &w.count, &w.follow, &f) < 0)
		fail_die(&f);
	signo = follow_run(w.follow);
	if (out.w.error)
		die(EXIT_TROUBLE, out.w.error, "standard output");
	sum_up(&w.count, false);
	follow_close(w.follow);
	domains_free(domains);
	render_release(&out);
	picture_free(pic);
	if (signo)
		raise(signo);
	return w.failed || (set->strict && (w.count.late || w.count.dropped)) ? EXIT_NO : EXIT_OK;
}

/* How each source is understood. */
static bool
list(const struct options *set, struct sources *all)
{
	struct survey *surveys = xcalloc(all->n + 1, sizeof *surveys);
	_cleanup_buf_ struct buf out = BUF_INIT;

	run_choose_orders(&set->run, all);
	for (unsigned i = 0; i < all->n; i++)
		survey_run(all->v[i], set->run.exact ? INT64_MAX : SURVEY_BYTES, &surveys[i]);
	sourcelist_print(all->v, surveys, all->n, set->run.style.json || !isatty(STDOUT_FILENO), &out);
	fwrite(out.s, 1, out.len, stdout);
	free(surveys);
	return true;
}

/* Print rules. */
static bool
learn(const struct options *set, const struct sources *all)
{
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct learned what;

	learning_rules(&set->run, all, &out, &what);
	fwrite(out.s, 1, out.len, stdout);
	tell_learned(&what);
	return true;
}

/* Learn rules, which the merge then uses. */
static void
learn_and_use(struct options *set, const struct sources *all)
{
	struct learned what;

	learning_use(&set->run, all, &what);
	tell_learned(&what);
}

static bool
read_to_the_end(struct options *set, const struct source_specs *specs, const struct formats *formats, bool *failed)
{
	struct following w = { .set = set };
	struct sources all;
	struct fail f;
	bool good;

	if (sources_open(&all, &(struct sources_wanted){ specs, formats, on_problem, failed }, &f) < 0)
		fail_die(&f);
	options_check_offsets(set, specs, all.v, all.n);
	options_give_offsets(set, specs, all.domains);
	for (unsigned i = 0; i < all.n; i++)
		begin_source(all.v[i], &w);
	*failed |= w.failed;
	if (set->auto_rules)
		learn_and_use(set, &all);
	good = set->learn ? learn(set, &all) : set->sources ? list(set, &all) : set->check ? check(set, &all) : merge_sources(set, specs, &all);
	sources_close(&all, on_problem, failed);
	return good || (!set->check && !set->strict);
}

int
main(int argc, char *argv[])
{
	struct options set;
	struct source_specs specs = { .v = NULL };
	struct formats formats = { NULL, 0 };
	enum exit_status status = EXIT_OK;
	struct fail f;
	bool failed = false;
	struct opt_scan scan;

	diag_init(argv);
	options_init(&set);
	set.run.offset = tell_offset;
	set.run.by_host = tell_by_host;
	set.run.dropped = tell_dropped;
	set.run.unsafe = tell_unsafe;
	set.run.lost_channel = tell_lost_channel;
	set.run.refuted = tell_refuted;
	opt_begin(&scan, argc, argv, &options_tool);
	while (opt_next(&scan) != -1)
		options_set(&set, &scan);
	options_use_environment(&set);
	options_check(&set);
	if (rules_load(&set.run.rules, NULL, &f) < 0 || formats_load(&formats, &f) < 0)
		fail_die(&f);
	list_sources(&set, scan.operands, &specs, &failed);
	if (set.follow || set.state)
		status = follow_sources(&set, &specs, &formats, failed);
	else if (!read_to_the_end(&set, &specs, &formats, &failed) || failed)
		status = EXIT_NO;
	options_release(&set);
	formats_release(&formats);
	source_specs_release(&specs);
	finish(status);
}
