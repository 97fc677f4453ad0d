#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "restart/verifier.h"

/* An inspection may run a program, so there are fewer of them after OFTEN_MS. */
enum { POLL_FIRST_MS = 50, POLL_MS = 250, OFTEN_MS = 2000 };

struct verification {
	struct restart_verifier *w;
	char current[INSTANCE_NAME];	/* the new incarnation; empty while there is none */
	int instances;			/* how many were seen */
	bool is_ready;
	int64_t ready_at_ms;
};

static int
set_outcome(struct restart_verifier *w, const char *outcome, int r)
{
	w->outcome = outcome;
	return r;
}

/* There is a new instance: 1 if it has stayed long enough, 0 if not yet, or an error. */
static int
check_new(struct verification *s, struct fail *f)
{
	struct restart_verifier *w = s->w;
	const struct instance_state *l = &w->instance;
	int r;

	if (strcmp(s->current, l->name) != 0) {
		strcpy(s->current, l->name);
		s->is_ready = false;
		if (s->instances++ > 0)
			readiness_probe_reset(w->probe);
	}
	if (!s->is_ready) {
		r = readiness_probe_check(w->probe, l, w->end_ms, f);
		if (r < 0)
			return set_outcome(w, "trouble", r);
		s->is_ready = r > 0;
		s->ready_at_ms = clock_mono_ms();
		w->ready_ms = s->ready_at_ms - w->begun_ms;
	}
	return s->is_ready && clock_mono_ms() - s->ready_at_ms >= w->p->restart.stable_ms;
}

/* There is no new instance: 0 if one may still appear, else the error. */
static int
check_none(struct verification *s, struct fail *f)
{
	struct restart_verifier *w = s->w;
	const struct instance_state *l = &w->instance;

	*s->current = '\0';
	s->is_ready = false;
	if (w->acted < 0 && w->why->status != EXIT_TIMEOUT && (l->has_ended || l->running)) {
		*f = *w->why;
		return set_outcome(w, "refused", w->acted);
	}
	if (l->running && w->m->is_prompt && w->acted == 0)
		return set_outcome(w, "unchanged", fail_set(f, EXIT_NO, "%s: did not restart: it is still "
		    "incarnation %s", w->p->name, l->name));
	if (l->has_ended && w->acted == 0)
		return set_outcome(w, "not-stable", fail_set(f, EXIT_NO, "%s: ended again: %s", w->p->name,
		    l->text));
	return 0;
}

static int
set_overdue(const struct verification *s, struct fail *f)
{
	struct restart_verifier *w = s->w;
	const struct instance_state *l = &w->instance;
	const double took = (double)(clock_mono_ms() - w->begun_ms) / 1000;

	if (s->instances > 1 || (s->instances == 1 && !*s->current))
		return set_outcome(w, "not-stable", fail_set(f, EXIT_NO, "%s: does not stay up: started "
		    "%d time%s in %.1f s, now %s", w->p->name, s->instances, s->instances > 1 ? "s" : "", took,
		    l->text));
	if (s->instances == 1)
		return set_outcome(w, "not-ready", fail_set(f, EXIT_TIMEOUT, "%s: timed out waiting for it to be "
		    "ready: incarnation %s, %s, after %.1f s", w->p->name, l->name, l->text, took));
	if (w->acted < 0) {
		fail_set(f, EXIT_TIMEOUT, "%s: timed out waiting for the restart: %s, after %.1f s", w->p->name,
		    l->text, took);
		return set_outcome(w, "not-ready", w->acted);
	}
	if (l->running)
		return set_outcome(w, "unchanged", fail_set(f, EXIT_NO, "%s: did not restart: it is still "
		    "incarnation %s", w->p->name, l->name));
	return set_outcome(w, "absent", fail_set(f, EXIT_TIMEOUT, "%s: did not come back: %s, after %.1f s",
	    w->p->name, l->text, took));
}

static void
sleep_until_next(const struct verification *s)
{
	const struct restart_verifier *w = s->w;
	int64_t now = clock_mono_ms(), left;
	int64_t ms = now - w->begun_ms < OFTEN_MS ? POLL_FIRST_MS : POLL_MS;

	if (ms < w->m->inspect_ms)
		ms = w->m->inspect_ms;
	left = s->is_ready ? s->ready_at_ms + w->p->restart.stable_ms - now : w->end_ms - now;
	clock_sleep_ms(left < 1 ? 1 : left < ms ? left : ms);
}

int
restart_verifier_wait(struct restart_verifier *w, struct fail *f)
{
	struct verification s = { .w = w };
	bool seen = false, is_new;
	int r;

	for (;;) {
		r = w->m->inspect(w->p, w->end_ms, &w->instance, f);
		/* an agent that is being replaced cannot always be inspected */
		if (r < 0 && clock_mono_ms() >= w->end_ms)
			return seen ? set_overdue(&s, f) : set_outcome(w, "trouble", r);
		if (r == 0) {
			seen = true;
			is_new = w->instance.running == 1 && *w->instance.name &&
			    strcmp(w->instance.name, w->old) != 0;
			r = is_new ? check_new(&s, f) : check_none(&s, f);
			if (r != 0)
				return r < 0 ? r : set_outcome(w, *w->old ? "restarted" : "started", 0);
			if (!s.is_ready && clock_mono_ms() >= w->end_ms)
				return set_overdue(&s, f);
		}
		sleep_until_next(&s);
	}
}
