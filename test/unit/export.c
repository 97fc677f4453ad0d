/* The journal's export format: whatever the pieces, the same entries. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "input/export.h"

static const char text[] =
    "__CURSOR=s=1;i=2\n"
    "__REALTIME_TIMESTAMP=1795255201000000\n"
    "__MONOTONIC_TIMESTAMP=5000000\n"
    "__SEQNUM=17\n"
    "__SEQNUM_ID=abc\n"
    "_BOOT_ID=b00t\n"
    "_SOURCE_REALTIME_TIMESTAMP=1795255200999000\n"
    "_HOSTNAME=box\n"
    "SYSLOG_IDENTIFIER=demo\n"
    "_PID=42\n"
    "PRIORITY=3\n"
    "OTHER\n\x05\0\0\0\0\0\0\0a\nb\n\n\n"
    "MESSAGE\n\x09\0\0\0\0\0\0\0one\ntwo\xff\n\n"
    "INVOCATION_ID=0123\n"
    "\n"
    "\n"
    "MESSAGE=plain\n"
    "_COMM=cat\n"
    "MESSAGE=again\n"
    "\n"
    "MESSAGE\n\0\0\0\0\0\0\0\0\n"
    "\n"
    "SYSLOG_IDENTIFIER\n\x05\0\0\0\0\0\0\0a\nb\0c\n"
    "SYSLOG_PID\n\x03\0\0\0\0\0\0\0" "1\n2\n"
    "MESSAGE=of one line\n"
    "\n"
    "MESSAGE=never ended\n";

static const char want[] =
    "17 5000000 1795255200999000000 s=1;i=2 2026-11-21T10:00:00.999000+0000 box demo[42]: one\n    two\xff"
    " (invocation 0123)\n"
    "-1 -1 -1  cat: plain\n"
    "-1 -1 -1  unknown: \n"
    "-1 -1 -1  a b c[1 2]: of one line\n";

static void
entry(const struct export_entry *e, void *cookie)
{
	struct buf *out = cookie;

	buf_printf(out, "%jd %jd %jd %s ", (intmax_t)export_number(e, EXPORT_SEQNUM),
	    (intmax_t)export_number(e, EXPORT_MONOTONIC), (intmax_t)export_time_ns(e), e->v[EXPORT_CURSOR].s);
	export_text(e, out);
	buf_putc(out, '\n');
}

int
main(void)
{
	setenv("TZ", "UTC", 1);
	for (size_t piece = 1; piece <= sizeof text; piece++) {
		_cleanup_buf_ struct buf out = BUF_INIT;
		struct export x;

		export_init(&x);
		for (size_t i = 0; i < sizeof text - 1; i += piece)
			export_put(&x, text + i, piece < sizeof text - 1 - i ? piece : sizeof text - 1 - i, entry, &out);
		export_release(&x);
		if (out.len != sizeof want - 1 || memcmp(out.s, want, out.len) != 0) {
			fprintf(stderr, "export: in pieces of %zu: got\n%s\nwant\n%s\n", piece, out.s, want);
			return 1;
		}
	}
	return 0;
}
