/*
 * request_stream - requests that come as lines, delivered a burst at a time.
 *
 * Each line is recorded at once, with its text as the reason (agent/reason.h).  The
 * burst is delivered once no line has come for DEBOUNCE_MS, or after ten times that.
 */
#ifndef RETRY_REQUEST_STREAM_H
#define RETRY_REQUEST_STREAM_H

#include <stdbool.h>
#include <stdint.h>

struct request_stream {
	int fd;
	int64_t debounce_ms;
	bool (*record)(const char *reason, void *cookie);	/* false: it was not recorded */
	void (*deliver)(void *cookie);
	void *cookie;
};

/*
 * Read to the end of the input; 1 where requests were recorded that are not delivered
 * yet, else 0, or -errno of read(2).
 */
int request_stream_run(const struct request_stream *s);

#endif
