#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "restart/verifier.h"

/* To look may mean to run a program, so it is done less often when it takes long. */
enum { LOOK_FIRST_MS = 50, LOOK_MS = 250, OFTEN_MS = 2000 };

struct verification {
	struct restart_verifier *w;
	char current[INSTANCE_NAME];	/* the new incarnation; empty while there is none */
	int lives;			/* how many of them were seen */
	bool is_ready;
	int64_t ready_at_ms;
};

static int
verdict(struct restart_verifier *w, const char *outcome, int r)
{
	w->outcome = outcome;
	return r;
}

/* A new incarnation is there: 1 where it has stayed long enough, 0 not yet, or an error. */
static int
see_new(struct verification *s, struct fail *f)
{
	struct restart_verifier *w = s->w;
	const struct instance_state *l = &w->life;
	int r;

	if (strcmp(s->current, l->name) != 0) {
		strcpy(s->current, l->name);
		s->is_ready = false;
		if (s->lives++ > 0)
			readiness_probe_reset(w->sign);
	}
	if (!s->is_ready) {
		r = readiness_probe_check(w->sign, l, w->end_ms, f);
		if (r < 0)
			return verdict(w, "trouble", r);
		s->is_ready = r > 0;
		s->ready_at_ms = clock_mono_ms();
		w->ready_ms = s->ready_at_ms - w->begun_ms;
	}
	return s->is_ready && clock_mono_ms() - s->ready_at_ms >= w->p->restart.stable_ms;
}

/* No new incarnation is there: 0 where it may yet come, or why it will not. */
static int
see_none(struct verification *s, struct fail *f)
{
	struct restart_verifier *w = s->w;
	const struct instance_state *l = &w->life;

	*s->current = '\0';
	s->is_ready = false;
	if (w->acted < 0 && w->why->status != EXIT_TIMEOUT && (l->has_ended || l->running)) {
		*f = *w->why;
		return verdict(w, "refused", w->acted);
	}
	if (l->running && w->m->is_prompt && w->acted == 0)
		return verdict(w, "unchanged", fail_set(f, EXIT_NO, "%s: did not restart: it is still "
		    "incarnation %s", w->p->name, l->name));
	if (l->has_ended && w->acted == 0)
		return verdict(w, "not-stable", fail_set(f, EXIT_NO, "%s: ended again: %s", w->p->name,
		    l->text));
	return 0;
}

static int
time_is_over(const struct verification *s, struct fail *f)
{
	struct restart_verifier *w = s->w;
	const struct instance_state *l = &w->life;
	const double took = (double)(clock_mono_ms() - w->begun_ms) / 1000;

	if (s->lives > 1 || (s->lives == 1 && !*s->current))
		return verdict(w, "not-stable", fail_set(f, EXIT_NO, "%s: does not stay: it was started "
		    "%d time%s in %.1f s, and is %s", w->p->name, s->lives, s->lives > 1 ? "s" : "", took,
		    l->text));
	if (s->lives == 1)
		return verdict(w, "not-ready", fail_set(f, EXIT_TIMEOUT, "%s: not ready in time: "
		    "incarnation %s, %s, after %.1f s", w->p->name, l->name, l->text, took));
	if (w->acted < 0) {
		fail_set(f, EXIT_TIMEOUT, "%s: not restarted in time: %s, after %.1f s", w->p->name,
		    l->text, took);
		return verdict(w, "not-ready", w->acted);
	}
	if (l->running)
		return verdict(w, "unchanged", fail_set(f, EXIT_NO, "%s: did not restart: it is still "
		    "incarnation %s", w->p->name, l->name));
	return verdict(w, "absent", fail_set(f, EXIT_TIMEOUT, "%s: did not come back: %s, after %.1f s",
	    w->p->name, l->text, took));
}

static void
sleep_until_next(const struct verification *s)
{
	const struct restart_verifier *w = s->w;
	int64_t now = clock_mono_ms(), left;
	int64_t ms = now - w->begun_ms < OFTEN_MS ? LOOK_FIRST_MS : LOOK_MS;

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
		r = w->m->inspect(w->p, w->end_ms, &w->life, f);
		/* who is being replaced may be hard to see */
		if (r < 0 && clock_mono_ms() >= w->end_ms)
			return seen ? time_is_over(&s, f) : verdict(w, "trouble", r);
		if (r == 0) {
			seen = true;
			is_new = w->life.running == 1 && *w->life.name &&
			    strcmp(w->life.name, w->old) != 0;
			r = is_new ? see_new(&s, f) : see_none(&s, f);
			if (r != 0)
				return r < 0 ? r : verdict(w, *w->old ? "restarted" : "started", 0);
			if (!s.is_ready && clock_mono_ms() >= w->end_ms)
				return time_is_over(&s, f);
		}
		sleep_until_next(&s);
	}
}
