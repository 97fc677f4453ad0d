/*
 * sdnotify - notify the service manager of a state, with the protocol of
 * sd_notify(3): a datagram to the socket that NOTIFY_SOCKET names.  Without that
 * variable nothing is sent, which is no error.
 */
#ifndef BASE_SDNOTIFY_H
#define BASE_SDNOTIFY_H

#include <stdint.h>

/* STATE is "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=...", or several, a line each. */
void sdnotify(const char *state);

/* How often the manager wants WATCHDOG=1, halved for safety, or 0 for never. */
int64_t sdnotify_watchdog_ms(void);

#endif
