#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "doctor/checks.h"
#include "doctor/program.h"

/*
 * How far journald lags: each entry has the time at which it was sent
 * (_SOURCE_REALTIME_TIMESTAMP) and at which it was received (__REALTIME_TIMESTAMP).
 */
enum { LATE_US = 1000000, JOURNALCTL_MS = 10000 };

/* journald's entry about messages that its rate limit dropped: systemd.journal-fields(7), sd-messages.h */
static const char suppressed_id[] = "a596d6fe7bfa4994828e72309e95d61e";

/* Run journalctl with the options OPTIONS, NULL-terminated; false if it gave no answer. */
static bool
ask_journal(struct doctor_run *x, char *const *options, struct spawn_result *r)
{
	_cleanup_buf_ struct buf how = BUF_INIT;
	char *argv[16] = { (char[]){ "journalctl" }, (char[]){ "-q" }, (char[]){ "--no-pager" },
	    (char[]){ "-o" }, (char[]){ "json" } };
	const struct spawn_spec spec = { .argv = argv, .timeout_ms = JOURNALCTL_MS, .grace_ms = 100,
	    .out_max = 4 << 20 };

	for (size_t i = 5; *options && i < 15; i++)
		argv[i] = *options++;
	spawn_run(&spec, r);
	if (r->status == 0)
		return true;
	spawn_describe(r, &how);
	doctor_warn(x, "journal", "journalctl %s%s%.*s", how.s, r->err.len ? ": " : "",
	    (int)strcspn(r->err.s, "\n"), r->err.s);
	doctor_advise(x, "systemctl status systemd-journald; run the doctor as root or in the group systemd-journal");
	buf_release(&r->out);
	buf_release(&r->err);
	return false;
}

static int64_t
member_us(struct json entry, const char *key)
{
	_cleanup_json_ struct json v = json_get(entry, key);
	const char *s = json_get_string(v);

	return s ? strtoll(s, NULL, 10) : 0;
}

/* The longest time that one of the entries in TEXT took, in microseconds; N is their number. */
static int64_t
longest_lag(const char *text, size_t *n)
{
	int64_t worst = 0;
	struct fail f;

	*n = 0;
	for (size_t len; *text; text += len + (text[len] == '\n')) {
		_cleanup_json_ struct json entry = JSON_ABSENT;
		int64_t sent, received;

		len = strcspn(text, "\n");
		if (json_parse("journal", text, len, &entry, &f) < 0)
			continue;
		sent = member_us(entry, "_SOURCE_REALTIME_TIMESTAMP");
		received = member_us(entry, "__REALTIME_TIMESTAMP");
		if (sent <= 0 || received <= 0)
			continue;
		++*n;
		if (received - sent > worst)
			worst = received - sent;
	}
	return worst;
}

static void
test_lag(struct doctor_run *x)
{
	/* with -b: entries of the kernel from before journald's start have waited for it */
	char *const options[] = { (char[]){ "-b" }, (char[]){ "-n500" }, (char[]){ "_TRANSPORT=journal" },
	    (char[]){ "+" }, (char[]){ "_TRANSPORT=syslog" }, NULL };
	struct spawn_result r;
	int64_t lag;
	size_t n;

	if (!ask_journal(x, options, &r))
		return;
	lag = longest_lag(r.out.s, &n);
	if (n == 0 && access("/run/systemd/journal/socket", F_OK) < 0) {
		doctor_ok(x, "journal", "no journald runs here");
	} else if (n == 0) {
		doctor_warn(x, "journal", "no entry of this boot can be read");
		doctor_advise(x, "run the doctor as root or in the group systemd-journal; systemctl status systemd-journald");
	} else if (lag > LATE_US) {
		doctor_warn(x, "journal", "lags: of the last %zu entries one was recorded %.1f s after it was sent", n,
		    (double)lag / 1e6);
		doctor_advise(x, "follow it with rejoin-log -f --hold %" PRId64 "s; journalctl -u systemd-journald",
		    lag / 1000000 + 1);
	} else {
		doctor_ok(x, "journal", "recorded each of the last %zu entries within %" PRId64 " ms", n, lag / 1000 + 1);
	}
	buf_release(&r.out);
	buf_release(&r.err);
}

static void
test_suppressed(struct doctor_run *x)
{
	char match[64] = "MESSAGE_ID=";
	char *const options[] = { (char[]){ "-b" }, (char[]){ "-n1" }, match, NULL };
	_cleanup_json_ struct json entry = JSON_ABSENT, text = JSON_ABSENT;
	struct spawn_result r;
	struct fail f;

	strcat(match, suppressed_id);
	if (!ask_journal(x, options, &r))
		return;
	if (json_parse("journal", r.out.s, strcspn(r.out.s, "\n"), &entry, &f) == 0) {
		text = json_get(entry, "MESSAGE");
		doctor_warn(x, "journal", "dropped messages in this boot: %s",
		    json_get_string(text) ? json_get_string(text) : "its rate limit was reached");
		doctor_advise(x, "raise RateLimitBurst= in journald.conf(5), or LogRateLimitBurst= of the unit");
	}
	buf_release(&r.out);
	buf_release(&r.err);
}

void
journal_check_run(struct doctor_run *x)
{
	_cleanup_free_ char *program = program_find("journalctl");

	if (!program) {
		doctor_ok(x, "journal", "there is no journalctl here");
		return;
	}
	test_lag(x);
	test_suppressed(x);
}
