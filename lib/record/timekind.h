/*
 * timekind - the kinds of time stamps: what they look like, and nothing else.
 *
 *	rfc3339	2026-11-21T20:16:00.123456Z and the like: a blank, a tab or a slash for
 *		T and "-"; "," or ":" before the fraction; AM or PM; no seconds; a month
 *		by name; a weekday before; 20261121T201600Z; DB2's 2026-11-21-20.16.00;
 *		RocksDB's 2026/11/21-20:16:00; 2026 Nov 21 20:16:00 (OSSEC)
 *	syslog	Nov 21 20:16:00 (RFC 3164), no year; "21 Nov 20:16:00" of ntpd;
 *		nov/21 20:16:00 (RouterOS 6)
 *	epoch	1700000000, with a fraction or an exponent, or of 13, 16, 19 digits: ms, us, ns
 *	klog	I1121 20:16:00.123456, no year; I20261121 20:16:00.123456
 *	clf	21/Nov/2026:20:16:00 +0000, 21-Nov-2026 20:16:00, 21 Nov 2026 20:16:00
 *	tai64n	@4000000037c219bf2ef02e94, and tai64 without the nanoseconds
 *	dmesg	[   12.345678], seconds since the boot of this machine
 *	clock	20:16:00.123, no day; 8:16PM, without seconds only with its half of the day
 *	ctime	Sat Nov 21 20:16:00 2026, with a zone before the year as date(1) prints it;
 *		Nov 21 2026 20:16:00 (Cisco), Nov 21, 2026 8:16:00 PM (java.util.logging);
 *		Sat, 21-Nov-2026 20:16:00 GMT; nov/21/2026 20:16:00 (RouterOS 6)
 *	mdy	11/21/2026 20:16:00, also with two digits of the year; 11-21-2026 20:16:00
 *	dmy	21.11.2026 20:16:00, 21/11/2026 20:16:00, 21-11-2026 20:16:00
 *	ymd	26/11/21 20:16:00 (Spark), 20261121 20:16:00, 261121 20:16:00 (MySQL 5.5), 261121 201600 (HDFS),
 *		20261121:201600.123 (Zabbix)
 *	logcat	11-21 20:16:00.123, 11/21-20:16:00.123456 (Snort), 11-21|20:16:00 (go-ethereum), no year
 *	audit	audit(1700000000.123:100)
 *
 * Every kind but epoch, tai64n, dmesg and audit may have a zone behind it:
 * Z, +hh[[:]mm], UTC, UTC+h, or a name that the zone of the source or the table
 * of record/zone.h knows.
 */
#ifndef RECORD_TIMEKIND_H
#define RECORD_TIMEKIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/zone.h"

enum time_kind {
	TIME_ANY,		/* whichever of those below fits */
	TIME_RFC3339, TIME_SYSLOG, TIME_EPOCH, TIME_KLOG, TIME_CLF, TIME_TAI64N, TIME_DMESG, TIME_CTIME,
	TIME_MDY, TIME_DMY, TIME_YMD, TIME_LOGCAT, TIME_AUDIT, TIME_CLOCK,
	TIME_NONE,
	TIME_KINDS
};

/* What of the date is not in the text. */
enum moment_lacks { LACKS_NOTHING, LACKS_YEAR, LACKS_DAY, LACKS_BOOT };

struct moment {
	enum time_kind kind;
	enum moment_lacks lacks;
	int64_t s;		/* seconds since 1970 of the civil time, or since what it lacks */
	int64_t month, day, of_day;	/* with LACKS_YEAR; OF_DAY with LACKS_DAY, too */
	int64_t frac_ns, res;
	int64_t east_s;		/* of its zone, if ZONED */
	size_t frac_at;		/* offset of the first digit of the fraction, or of its place; 0: do not remember the text */
	unsigned digits;	/* of the fraction, that count: at most nine */
	size_t len;
	bool absolute;		/* S is UTC */
	bool zoned;		/* the text names its zone */
	bool zone_may_follow;	/* it does not, but could have, behind the blank that follows */
	bool day_order;		/* day and month could be the other way round */
	bool zone_unsure;	/* the name of its zone is that of several */
	bool unit_unsure;	/* the order of a year of two digits and a day is a guess */
};

/* The kind called NAME, or -EINVAL; and its name. */
int timekind_parse_name(const char *name);
const char *timekind_name(enum time_kind kind);

/* The stamp of that kind with which the N bytes of P begin; ZONE knows names of zones. */
bool timekind_parse(enum time_kind kind, const char *p, size_t n, const struct zone *zone, struct moment *out);

#endif
