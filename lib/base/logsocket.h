/*
 * logsocket - messages to the system's log, by its socket /dev/log.
 *
 * The message is "<PRIORITY>TAG[PID]: TEXT" of RFC 3164 without a time: journald,
 * rsyslog, syslog-ng and busybox then use the time of arrival.  syslog(3) would load
 * the time zone for it, which takes a third of what a whole rejoin-retry does.
 *
 * Without a log the message is lost, as with syslog(3).
 */
#ifndef BASE_LOGSOCKET_H
#define BASE_LOGSOCKET_H

#include <stdbool.h>

/* Is there a log?  Where not, a message need not be made. */
bool logsocket_open(void);

/* PRIORITY is a facility and a level of <syslog.h>. */
void logsocket_send(int priority, const char *tag, const char *text);

#endif
