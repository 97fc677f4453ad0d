/*
 * gate - pass lines on while the peer is ready for them.
 *
 * Open, bytes go from one descriptor to the other as they come.  Closed, nothing
 * is written, and nothing read either: the pipe fills and whoever writes to it
 * waits, so nothing is lost.  It opens and closes at line ends: a line that has
 * begun is passed on to its end.  With a bound on what it keeps it reads on
 * while it is closed, and beyond the bound drops the oldest whole lines and
 * counts them.
 */
#ifndef READY_GATE_H
#define READY_GATE_H

#include <stdint.h>

#include "base/fail.h"
#include "ready/readiness.h"

struct gate_spec {
	int in, out;
	int64_t keep_bytes;	/* read on while closed, keep that much; < 0: do not read */
	/* N lines of BYTES were dropped since the gate closed; when it opens, or IN ended */
	void (*dropped)(int64_t lines, int64_t bytes, void *cookie);
	void *cookie;
};

/* Until IN has ended and all that was kept is written; open while PLACE's peer is known. */
int gate_run(const struct gate_spec *spec, const struct readiness *place, struct fail *f);

#endif
