/*
 * status_board - the agent's status as it is published: what it does, how far it has
 * come, and a note of what an operator should know.
 *
 * The owner writes the counters of STATUS itself and publishes them with one of the
 * functions below.
 */
#ifndef DEPLOY_STATUS_BOARD_H
#define DEPLOY_STATUS_BOARD_H

#include <stddef.h>
#include <stdint.h>

#include "agent/status.h"
#include "base/loop.h"

struct status_board {
	struct status status;
	char link_note[STATUS_TEXT], report_note[STATUS_TEXT];	/* of what goes on beside the cycles; "" for nothing */
	/* Private: */
	struct loop *loop;
	void (*publish)(const struct status *s, void *cookie);
	void (*log)(const char *text, void *cookie);
	void *cookie;
	size_t done, total;		/* tasks of the cycle */
	int64_t published_ms;
	struct loop_timer later;
};

/* PUBLISH and LOG are called with COOKIE. */
void status_board_init(struct status_board *b, struct loop *l, void (*publish)(const struct status *s, void *cookie),
    void (*log)(const char *text, void *cookie), void *cookie);
void status_board_release(struct status_board *b);

/* Publish it now; or soon, together with what changes until then. */
void status_board_publish(struct status_board *b);
void status_board_publish_soon(struct status_board *b);

void status_board_set_state(struct status_board *b, enum agent_state state);

/* PHASE, NULL for the same as before, and DONE of TOTAL tasks, 0 for not known. */
void status_board_set_phase(struct status_board *b, const char *phase, size_t done, size_t total);

/* The progress of a download: GOT of SIZE bytes (-1: not known), RATE bytes a second. */
void status_board_set_fetching(struct status_board *b, int64_t got, int64_t size, int64_t rate);

/* TEXT is the note until it is no longer true; it is logged when it is new. */
void status_board_set_note(struct status_board *b, const char *text);

/* The same without a line in the log: the caller has one that says it. */
void status_board_show_note(struct status_board *b, const char *text);

/* TEXT becomes WHICH, link_note or report_note: the note while there is nothing else to be said. */
void status_board_set_standing_note(struct status_board *b, char *which, const char *text);

/* The note while there is nothing else to be said; "" for none. */
const char *status_board_standing_note(const struct status_board *b);

#endif
