/*
 * hlc - ids that sort by time and never repeat: hybrid logical clocks.
 *
 * An id is wall milliseconds * 1000 + n; the next one is
 * max(now * 1000, last + 1), so ids go on rising when the clock jumps back.
 * A received id raises the clock, so that later ids sort after it.
 * After Kulkarni et al., "Logical Physical Clocks" (2014).
 */
#ifndef BASE_HLC_H
#define BASE_HLC_H

#include <stdint.h>

struct hlc {
	int64_t last;	/* the highest id given or seen; 0 at first */
};

int64_t hlc_next(struct hlc *h, int64_t wall_ms);

/*
 * The same with n the microseconds of WALL_US, for ids that several processes give
 * without knowing of each other: those of one millisecond then differ, too.
 */
int64_t hlc_next_us(struct hlc *h, int64_t wall_us);
void hlc_see(struct hlc *h, int64_t id);

#endif
