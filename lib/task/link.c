#include <errno.h>

#include "task/link.h"

int64_t
link_resend_ms(unsigned int tries)
{
	static const int64_t delays[] = { 1000, 3000, 6000, 10000 };
	const unsigned int last = sizeof delays / sizeof *delays - 1;

	return delays[tries < last ? tries : last];
}

const char *
link_state_name(enum link_state s)
{
	static const char *const names[] = { "new", "coupled", "suspect", "lost" };

	return names[s];
}

int
link_init(struct task_link *l, const struct link_timing *timing)
{
	*l = (struct task_link){ .timing = *timing };
	if (timing->period_ms <= 0 || (!timing->leave && 2 * timing->period_ms > timing->lease_ms))
		return -EINVAL;
	return 0;
}

void
link_couple(struct task_link *l, int64_t seen, int64_t now)
{
	l->state = LINK_COUPLED;
	l->seen = seen;
	l->answered_ms = now;
	l->due_ms = now + l->timing.period_ms;
	l->unanswered = l->in_flight = false;
}

int64_t
link_safe_after(const struct task_link *l)
{
	const int64_t from = l->unanswered ? l->first_ms : l->due_ms;

	if (l->timing.leave)
		return -1;
	return from + l->timing.lease_ms + l->timing.grace_ms + l->timing.slack_ms;
}

bool
link_step(struct task_link *l, int64_t now)
{
	if (l->state == LINK_NEW || l->state == LINK_LOST)
		return false;
	if (l->unanswered && !l->timing.leave && now >= link_safe_after(l)) {
		l->state = LINK_LOST;
		return false;
	}
	if (l->unanswered && now >= l->answered_ms + 2 * l->timing.period_ms)
		l->state = LINK_SUSPECT;
	if (l->in_flight && now >= l->sent_ms + l->timing.answer_ms)
		link_fail(l, l->sent_ms + l->timing.answer_ms);
	if (l->in_flight || now < l->due_ms)
		return false;
	if (!l->unanswered) {
		l->n++;
		l->first_ms = now;
		l->tries = 0;
		l->unanswered = true;
	}
	l->sent_ms = now;
	l->in_flight = true;
	return true;
}

void
link_fail(struct task_link *l, int64_t now)
{
	if (!l->in_flight)
		return;
	l->in_flight = false;
	l->due_ms = now + link_resend_ms(l->tries++);
}

bool
link_answer(struct task_link *l, int64_t n, int64_t seen, int64_t now)
{
	if (l->state == LINK_NEW || l->state == LINK_LOST || !l->unanswered || n != l->n)
		return false;
	l->state = LINK_COUPLED;
	l->seen = seen;
	l->answered_ms = now;
	l->unanswered = l->in_flight = false;
	l->due_ms = l->first_ms + l->timing.period_ms;
	return true;
}

int64_t
link_next(const struct task_link *l)
{
	int64_t next, suspect = l->answered_ms + 2 * l->timing.period_ms;

	if (l->state == LINK_NEW || l->state == LINK_LOST)
		return INT64_MAX;
	next = l->in_flight ? l->sent_ms + l->timing.answer_ms : l->due_ms;
	if (l->unanswered && l->state == LINK_COUPLED && suspect < next)
		next = suspect;
	if (l->unanswered && !l->timing.leave && link_safe_after(l) < next)
		next = link_safe_after(l);
	return next;
}
