#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ready/readiness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What is written again reads the same, and any of it has a verdict in the end. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct readiness_self self = { .id = "a", .began_us = 100 };
	struct readiness_now now = { 0 };
	_cleanup_buf_ struct buf once = BUF_INIT, twice = BUF_INIT;
	struct readiness_note note, again;

	readiness_note_parse((const char *)data, n, &note);
	if (strpbrk(note.agent, "\n") || strpbrk(note.peer, "\n") || note.made_us < 0)
		abort();
	readiness_note_format(&note, &once);
	readiness_note_parse(once.s, once.len, &again);
	readiness_note_format(&again, &twice);
	if (strcmp(once.s, twice.s) != 0)
		abort();
	note.is_there = true;
	now.announced = now.cycle = note;
	if (readiness_judge(&self, &now, CONNECTED_NOT_ASKED, true) == VERDICT_NONE)
		abort();
	return 0;
}
