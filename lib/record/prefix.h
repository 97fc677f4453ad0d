/*
 * prefix - what stands before the time stamp of a line.
 *
 * Always skipped: blanks, NULs (of a file that was cut or of a power failure), a
 * byte order mark, "[", "(", quotes, escape sequences for colours, syslog's <PRI> with
 * or without the version of RFC 5424.
 *
 * With PREFIX_NAMES also a level ("INFO", "I,", "E "), a name in brackets
 * ("[main] ", "[pod/web-1/c] "), docker compose's "web-1  | ", Redis' "1:M ",
 * auditd's "type=SYSCALL msg=", Erlang's "=INFO REPORT==== ", Cisco's "*", "." and
 * sequence number, WebLogic's "<".
 *
 * With PREFIX_WORDS also one or two words, as stern and load balancers have them,
 * and strace's process id: any text may begin so, so a sample must show it first.
 */
#ifndef RECORD_PREFIX_H
#define RECORD_PREFIX_H

#include <stddef.h>

enum { PREFIX_NAMES = 1, PREFIX_WORDS = 2 };

/* The bytes to skip at AT in the N bytes of the line P, where no time stamp begins; 0 where there is nothing to skip. */
size_t prefix_skip(const char *p, size_t n, size_t at, unsigned rules);

#endif
