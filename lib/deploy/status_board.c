#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "deploy/handler_log.h"
#include "deploy/status_board.h"

enum { PUBLISH_MS = 50 };

static void
board_log(struct status_board *b, const char *text)
{
	char line[1024];

	snprintf(line, sizeof line, "%s", text);
	handler_log_flatten(line);
	b->log(line, b->cookie);
}

void
status_board_publish(struct status_board *b)
{
	loop_timer_stop(b->loop, &b->later);
	b->published_ms = clock_mono_ms();
	b->publish(&b->status, b->cookie);
}

static void
publish_later(void *cookie)
{
	status_board_publish(cookie);
}

void
status_board_init(struct status_board *b, struct loop *l, void (*publish)(const struct status *s, void *cookie),
    void (*log)(const char *text, void *cookie), void *cookie)
{
	*b = (struct status_board){ .loop = l, .publish = publish, .log = log, .cookie = cookie,
	    .later = { .fn = publish_later, .cookie = b } };
}

void
status_board_release(struct status_board *b)
{
	loop_timer_stop(b->loop, &b->later);
}

/* A thousand components settled in a second are not a thousand files. */
void
status_board_publish_soon(struct status_board *b)
{
	int64_t since = clock_mono_ms() - b->published_ms;

	if (since >= PUBLISH_MS)
		status_board_publish(b);
	else if (!b->later.set)
		loop_timer_set(b->loop, &b->later, PUBLISH_MS - since);
}

void
status_board_set_state(struct status_board *b, enum agent_state state)
{
	char now[CLOCK_TEXT];

	if (b->status.state != state)
		snprintf(b->status.state_since, sizeof b->status.state_since, "%s", clock_now(now));
	b->status.state = state;
	if (state != AGENT_BUSY)
		b->status.phase[0] = b->status.progress[0] = '\0';
	status_board_publish(b);
}

void
status_board_set_phase(struct status_board *b, const char *phase, size_t done, size_t total)
{
	if (phase)
		snprintf(b->status.phase, sizeof b->status.phase, "%s", phase);
	if (total > 0)
		snprintf(b->status.progress, sizeof b->status.progress, "%zu/%zu", done, total);
	b->done = done;
	b->total = total;
	status_board_publish_soon(b);
}

/* "2/5, 12.5 of 200.0 MiB, 3.2 MiB/s" */
void
status_board_set_fetching(struct status_board *b, int64_t got, int64_t size, int64_t rate)
{
	const double mib = 1 << 20;
	char of[32] = "";

	if (size > 0)
		snprintf(of, sizeof of, " of %.1f", (double)size / mib);
	snprintf(b->status.progress, sizeof b->status.progress, "%zu/%zu, %.1f%s MiB, %.1f MiB/s", b->done, b->total,
	    (double)got / mib, of, (double)rate / mib);
	status_board_publish_soon(b);
}

void
status_board_set_note(struct status_board *b, const char *text)
{
	if (*text && strcmp(b->status.note, text) != 0)
		board_log(b, text);
	status_board_show_note(b, text);
}

void
status_board_show_note(struct status_board *b, const char *text)
{
	snprintf(b->status.note, sizeof b->status.note, "%s", text);
}

const char *
status_board_standing_note(const struct status_board *b)
{
	return *b->link_note ? b->link_note : b->report_note;
}

void
status_board_set_standing_note(struct status_board *b, char *which, const char *text)
{
	const bool is_shown = !*b->status.note || strcmp(b->status.note, status_board_standing_note(b)) == 0;

	snprintf(which, STATUS_TEXT, "%s", text);
	if (is_shown)
		status_board_set_note(b, status_board_standing_note(b));
	else if (*text)
		board_log(b, text);
}
