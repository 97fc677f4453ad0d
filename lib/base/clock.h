/*
 * clock - what time it is, and waiting.
 *
 * Timeouts are measured on the monotonic clock, which does not jump; wall time
 * is only for what people and records read.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Room for the text of a time and its NUL. */
enum { CLOCK_TEXT = 32 };

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_mono_ms(void);

/* Milliseconds since boot, time asleep included: CLOCK_BOOTTIME, as processes' starts are counted. */
int64_t clock_boot_ms(void);
int64_t clock_boot_us(void);

/* Milliseconds since 1970, UTC. */
int64_t clock_wall_ms(void);
int64_t clock_wall_us(void);

/* RFC 3339 in UTC with microseconds, "2026-11-21T20:16:00.123456Z", into TEXT; returns TEXT. */
char *clock_format(struct timespec t, char text[CLOCK_TEXT]);

/* TEXT, RFC 3339 with any fraction and zone, as milliseconds since 1970; -EINVAL where it is none. */
int clock_parse(const char *text, int64_t *ms);

/* Now, formatted so. */
char *clock_now(char text[CLOCK_TEXT]);

/*
 * For tests: from here on clock_mono_ms() shows MS, and moves only where a loop
 * waits for its next timer, by as much as it would have waited.
 */
void clock_script(int64_t ms);

/* The timeout for poll(2) of a wait of MS; with a scripted clock 0, and the clock has moved.  -1 stays. */
int clock_wait(int ms);

/* Sleep; a signal ends it early. */
void clock_sleep_ms(int64_t ms);

#endif
