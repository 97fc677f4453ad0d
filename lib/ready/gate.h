/*
 * gate - copies lines from one descriptor to another while the peer is ready.
 *
 * While it is open, bytes are copied as they arrive.  While it is closed, nothing
 * is written or read: the pipe fills and its writer blocks, so nothing is lost.
 * It opens and closes at line ends: a line that was begun is written to its end.
 * With a limit (KEEP_BYTES) it also reads while it is closed, drops the oldest
 * whole lines beyond the limit, and counts them.
 */
#ifndef READY_GATE_H
#define READY_GATE_H

#include <stdint.h>

#include "base/fail.h"
#include "ready/readiness.h"

struct gate_spec {
	int in, out;
	int64_t keep_bytes;	/* while closed, read and keep that much; < 0: do not read */
	/* called when the gate opens or IN ends: LINES of BYTES were dropped since it closed */
	void (*dropped)(int64_t lines, int64_t bytes, void *cookie);
	void *cookie;
};

/* Runs until IN ends and all kept lines are written; the gate is open while PLACE's peer is announced. */
int gate_run(const struct gate_spec *spec, const struct readiness *place, struct fail *f);

#endif
