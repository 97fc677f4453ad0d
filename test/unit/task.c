#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/loop.h"
#include "base/xalloc.h"
#include "supervise/lease.h"
#include "task/backlog.h"
#include "task/committer.h"
#include "task/controller.h"
#include "task/forgotten.h"
#include "task/frames.h"
#include "task/link.h"
#include "task/oversessions.h"
#include "task/quota.h"
#include "task/session.h"
#include "task/submit.h"
#include "task/target.h"
#include "task/taskcursor.h"
#include "task/taskhistory.h"
#include "task/usage.h"

static void
shares_the_limits(void)
{
	const uid_t other = geteuid() + 1000;
	struct taskrecord a = { .owner = other, .state = TASK_RUNNING, .log_bytes = 700 };
	struct taskrecord b = { .owner = other, .state = TASK_ENDED, .log_bytes = 100 };
	struct taskrecord c = { .owner = other + 1, .state = TASK_RECORDED, .log_bytes = 30 };
	struct taskset set = { (struct taskrecord *[]){ &a, &c, &b }, 3, 3 };
	_cleanup_usage_ struct usage_table u = { NULL, 0, 0 };

	assert(usage_share(1000, 50, other) == 500 && usage_share(1000, 100, other) == 1000);
	assert(usage_share(3, 50, other) == 2 && usage_share(1, 1, other) == 1 && usage_share(256, 1, other) == 3);
	assert(usage_share(INT64_MAX, 50, other) == INT64_MAX / 2 + 1);
	assert(usage_share(1000, 50, 0) == 1000 && usage_share(1000, 50, geteuid()) == 1000);
	usage_count(&u, &set);
	assert(u.n == 2 && usage_of(&u, other)->tasks == 2 && usage_of(&u, other)->running == 1);
	assert(usage_of(&u, other)->log_bytes == 800 && usage_of(&u, other + 1)->tasks == 1);
	/* no more than the share of each counts for the others */
	assert(usage_log_bytes(&u, 1000, 50) == 530 && usage_log_bytes(&u, 1000, 100) == 830);
	assert(usage_of(&u, other + 2)->tasks == 0);
}

static void
bounds_what_is_held(void)
{
	struct quota q = { 0, NULL };
	struct quota_user *a = quota_enter(&q, 1), *b = quota_enter(&q, 2), *c, *d;
	size_t parts[6] = { 0 }, whole = 0;

	assert(a != b && quota_enter(&q, 1) == a && a->connections == 2);
	assert(quota_room(&q, a, 0) == QUOTA_A_USER);
	/* a user's own bound */
	quota_set(&q, a, &parts[0], QUOTA_A_USER - 100);
	assert(quota_room(&q, a, 0) == 100 && quota_room(&q, a, parts[0]) == QUOTA_A_USER && quota_room(&q, b, 0) == QUOTA_A_USER);
	assert(!quota_has_room(&q, a, 0, QUOTA_SMALL + 1) && quota_has_room(&q, a, 0, QUOTA_SMALL));
	/* small parts are not counted */
	quota_set(&q, a, &parts[1], QUOTA_SMALL);
	assert(parts[1] == 0 && quota_room(&q, a, 0) == 100);
	/* that of all */
	quota_set(&q, b, &parts[2], QUOTA_A_USER);
	c = quota_enter(&q, 3);
	d = quota_enter(&q, 4);
	quota_set(&q, c, &parts[3], QUOTA_A_USER);
	assert(q.held == QUOTA_ALL - 100 && quota_room(&q, d, 0) == 100 && !quota_has_room(&q, d, 0, QUOTA_SMALL + 1));
	/* one that could never have room has it while its user holds nothing else */
	assert(quota_has_room(&q, d, 0, QUOTA_A_USER + 1) && !quota_has_room(&q, a, 0, QUOTA_A_USER + 1));
	quota_set(&q, d, &whole, QUOTA_A_USER + 1);
	assert(quota_room(&q, a, 0) == 0);
	quota_set(&q, d, &whole, 0);
	quota_set(&q, b, &parts[2], 0);
	quota_leave(&q, b);
	quota_leave(&q, c);	/* with what it held */
	quota_leave(&q, d);
	quota_set(&q, a, &parts[0], 0);
	quota_leave(&q, a);
	assert(q.users == a && q.held == 0);
	quota_leave(&q, a);
	assert(!q.users);
}

/* --- the words of the contract, on a clock that the test moves */

static const struct link_timing usual = LINK_TIMING;

/* A link that was coupled at 0, with the agent's clock AHEAD of ours. */
static struct task_link
coupled(int64_t ahead)
{
	struct task_link l;

	assert(link_init(&l, &usual) == 0 && l.state == LINK_NEW && !link_step(&l, 100000));
	link_couple(&l, ahead, 0);
	return l;
}

static void
beats_once_a_period(void)
{
	struct task_link l = coupled(1000);

	assert(!link_step(&l, 4999) && link_next(&l) == 5000);
	assert(link_step(&l, 5000) && l.n == 1 && l.seen == 1000);
	assert(!link_step(&l, 5001));		/* one unanswered beat at a time */
	assert(link_answer(&l, 1, 6010, 5020) && l.seen == 6010 && l.state == LINK_COUPLED);
	assert(!link_step(&l, 9999) && link_step(&l, 10000) && l.n == 2);
	assert(!link_answer(&l, 1, 9999, 10001));	/* a late one */
	assert(!link_answer(&l, 3, 9999, 10001));
	assert(link_answer(&l, 2, 11000, 10001) && !link_answer(&l, 2, 11000, 10002));
}

/* "5 s acknowledgement": an answer is waited for 5 s, a timeout comes then and not before. */
static void
waits_5_s_for_an_acknowledgement(void)
{
	struct task_link l = coupled(0);

	assert(usual.answer_ms == 5000 && link_step(&l, 5000) && l.in_flight && link_next(&l) <= 10000);
	assert(!link_step(&l, 9999) && l.in_flight);
	assert(!link_step(&l, 10000) && !l.in_flight && l.unanswered && link_next(&l) == 11000);
	/* in the last millisecond it is in time */
	l = coupled(0);
	assert(link_step(&l, 5000) && !link_step(&l, 9999) && link_answer(&l, 1, 9999, 9999));
	assert(!l.unanswered && l.state == LINK_COUPLED && link_step(&l, 10000) && l.n == 2);
}

/* "five re-sends" of the same beat, 1 3 6 10 10 s after each timeout of 5 s. */
static void
re_sends_a_beat_five_times(void)
{
	static const int64_t delays[] = { 1000, 3000, 6000, 10000, 10000 };
	struct link_timing patient = usual;
	struct task_link l;
	int64_t t = 5000;

	patient.leave = true;
	assert(link_init(&l, &patient) == 0);
	link_couple(&l, 0, 0);
	assert(link_step(&l, t) && l.n == 1);
	for (int i = 0; i < 5; i++) {
		assert(!link_step(&l, t + 4999) && link_next(&l) >= t + 5000 - 1);
		assert(!link_step(&l, t + 5000));
		t += 5000 + delays[i];
		assert(link_next(&l) == t && !link_step(&l, t - 1));
		assert(link_step(&l, t) && l.n == 1 && l.seen == 0 && (int)l.tries == i + 1);
	}
	assert(link_answer(&l, 1, 70000, t + 10) && l.state == LINK_COUPLED);
	assert(link_step(&l, t + 11) && l.n == 2);	/* it was due long ago */
	/* a refusal is known at once */
	link_fail(&l, t + 12);
	assert(!link_step(&l, t + 1011) && link_step(&l, t + 1012) && l.n == 2);
}

/* "two missed heartbeats": suspect, no more; "reconnected" by any answer. */
static void
is_suspect_after_two_missed_heartbeats(void)
{
	struct task_link l = coupled(0);

	assert(link_step(&l, 5000));
	link_step(&l, 9999);
	assert(l.state == LINK_COUPLED);
	link_step(&l, 10000);
	assert(l.state == LINK_SUSPECT);
	assert(link_answer(&l, 1, 12000, 12000) && l.state == LINK_COUPLED);
}

/* "unrecoverable means killed": lost at the first sending + lease + grace + slack; the lease has ended before. */
static void
unrecoverable_means_killed(void)
{
	struct task_session s = { .id = 1, .lease_ms = LINK_LEASE_MS, .period_ms = LINK_PERIOD_MS };
	struct task_link l = coupled(0);
	int64_t sent = 0;

	session_open(&s, 0);
	for (int64_t t = 0; t < 5000 + 51000; t++) {
		sent += link_step(&l, t);
		assert(l.state != LINK_LOST);
	}
	assert(!link_step(&l, 56000) && l.state == LINK_LOST && link_next(&l) == INT64_MAX);
	assert(sent == 5 && link_safe_after(&l) == 56000);	/* the fifth would be too late */
	/* the other side has killed its tasks, and renews nothing any more */
	assert(s.deadline_ms + LINK_GRACE_MS < 56000 && !session_is_valid(&s, s.deadline_ms));
	assert(session_beat(&s, 1, 0, 56000) == SESSION_EXPIRED && s.deadline_ms == LINK_LEASE_MS);
	assert(!link_answer(&l, 1, 60000, 57000) && l.state == LINK_LOST);
}

static void
keeps_within_its_rules(void)
{
	struct link_timing t = usual;
	struct task_link l;

	t.period_ms = 20001;
	assert(link_init(&l, &t) == -EINVAL);
	t.leave = true;
	assert(link_init(&l, &t) == 0);
	t = (struct link_timing){ 5000, 5000, 10000, 10000, 1000, false };	/* one lost beat ends it */
	assert(link_init(&l, &t) == 0);
	link_couple(&l, 0, 0);
	link_step(&l, 5000);
	assert(link_safe_after(&l) == 26000);
}

/*
 * P = 5 s, A = 5 s, L = 40 s, G = 10 s, D = 1 s: the agent is lost L + G + D after the
 * first sending of the beat that stays unanswered, 56 s after the last answer; what the
 * agent ran is gone before.  Renewed to the arrival of each re-send it would not be.
 */
static void
adds_up(void)
{
	static const int64_t delays[] = { 1000, 3000, 6000, 10000, 10000 };
	struct task_session s = { .id = 1, .lease_ms = LINK_LEASE_MS, .period_ms = LINK_PERIOD_MS };
	struct task_link l = coupled(0);
	int64_t sent = LINK_PERIOD_MS, resent, lost;

	session_open(&s, 0);
	assert(link_step(&l, sent) && l.seen == 0);
	lost = link_safe_after(&l);
	assert(lost == sent + LINK_LEASE_MS + LINK_GRACE_MS + LINK_SLACK_MS && lost == 56000);
	/* the answers alone are cut: this beat and its re-sends arrive, each after a timeout and its delay */
	assert(session_beat(&s, l.n, l.seen, sent) == SESSION_RENEWED);
	resent = sent;
	for (size_t i = 0; i < sizeof delays / sizeof *delays && resent + LINK_ANSWER_MS + delays[i] < s.deadline_ms; i++) {
		resent += LINK_ANSWER_MS + delays[i];
		assert(session_beat(&s, l.n, l.seen, resent) == SESSION_DUPLICATE);
	}
	assert(resent == 30000 && s.deadline_ms == LINK_LEASE_MS && s.deadline_ms + LINK_GRACE_MS < lost);
	assert(resent + LINK_LEASE_MS + LINK_GRACE_MS > lost);
	/* one lost beat is survived: period + answer + slack < lease */
	assert(LINK_PERIOD_MS + LINK_ANSWER_MS + LINK_SLACK_MS < LINK_LEASE_MS);
}

/*
 * A device that sleeps, from after its last beat until WAKE: what runs there when it wakes
 * ends before the controller says that nothing runs, or at once.
 */
static void
counts_time_asleep(void)
{
	struct task_session s = { .id = 1, .lease_ms = LINK_LEASE_MS, .period_ms = LINK_PERIOD_MS };
	struct task_link l = coupled(0);
	int64_t lost, ended;

	session_open(&s, 0);
	assert(link_step(&l, 5000) && session_beat(&s, l.n, l.seen, 5000) == SESSION_RENEWED);
	assert(link_answer(&l, l.n, 5000, 5000) && link_step(&l, 10000));	/* which finds the device asleep */
	lost = link_safe_after(&l);
	ended = s.deadline_ms + LINK_GRACE_MS;
	assert(ended < lost);
	for (int64_t wake = 10000; wake < 200000; wake += 500) {
		struct task_session asleep = s;
		const int64_t from = wake > s.deadline_ms ? wake : s.deadline_ms;
		const int64_t over = from + lease_grace_left_ns(s.deadline_ms * 1000000, from * 1000000, LINK_GRACE_MS) / 1000000;

		assert(over == (wake < ended ? ended : wake));
		/* the beat that waited for it renews no lease that has ended */
		assert((session_beat(&asleep, l.n, l.seen, wake) == SESSION_RENEWED) == (wake < s.deadline_ms));
		assert(asleep.deadline_ms + LINK_GRACE_MS < lost);
	}
	/* a controller that slept as long says at once that it is lost */
	assert(!link_step(&l, lost + 100000) && l.state == LINK_LOST);
}

static void
renews_a_lease(void)
{
	struct task_session s = { .id = 1, .lease_ms = 40000, .period_ms = 5000 };

	session_open(&s, 1000);
	assert(s.deadline_ms == 41000);
	assert(session_beat(&s, 1, 1000, 6000) == SESSION_RENEWED && s.deadline_ms == 41000);
	assert(session_beat(&s, 2, 6000, 11000) == SESSION_RENEWED && s.deadline_ms == 46000);
	/* a beat that was held up renews to what its sender had seen, not to its arrival */
	assert(session_beat(&s, 3, 11000, 44000) == SESSION_RENEWED && s.deadline_ms == 51000);
	/* reordered: nothing goes backwards */
	assert(session_beat(&s, 4, 2000, 45000) == SESSION_RENEWED && s.deadline_ms == 51000);
	assert(session_beat(&s, 5, 99999999, 50000) == SESSION_RENEWED && s.deadline_ms == 90000);
	assert(session_beat(&s, 6, 89999, 90000) == SESSION_EXPIRED && !session_is_valid(&s, 90000));
	s.leave = true;
	assert(session_is_valid(&s, 90000) && session_beat(&s, 6, 0, 90000) == SESSION_RENEWED);
}

/* "duplicates handled": a beat that arrives twice is answered and renews nothing, a second answer changes nothing. */
static void
handles_duplicates(void)
{
	struct task_session s = { .id = 1, .lease_ms = 40000, .period_ms = 5000 };
	struct task_link l = coupled(0);

	session_open(&s, 1000);
	assert(session_beat(&s, 2, 6000, 11000) == SESSION_RENEWED && s.deadline_ms == 46000);
	assert(session_beat(&s, 2, 6000, 30000) == SESSION_DUPLICATE && s.deadline_ms == 46000);
	assert(session_beat(&s, 2, 29000, 30000) == SESSION_DUPLICATE && s.deadline_ms == 46000);
	assert(session_beat(&s, 1, 1000, 31000) == SESSION_DECREASED && s.deadline_ms == 46000);
	assert(link_step(&l, 5000) && link_answer(&l, 1, 5010, 5020));
	assert(!link_answer(&l, 1, 5030, 5040) && l.seen == 5010 && !l.unanswered && l.n == 1);
}

static void
keeps_a_session_in_its_file(void)
{
	struct task_session s = { .id = 123, .owner = 1000, .controller = "a \"b\"", .run = 7, .period_ms = 5000,
	    .lease_ms = 40000, .deadline_ms = 123456 }, r;
	static const char boot[] = "682befc3-1fac-41a8-9d7c-a6fa9966bb64";
	static const char other[] = "782befc3-1fac-41a8-9d7c-a6fa9966bb64";
	_cleanup_buf_ struct buf b = BUF_INIT;

	session_format(&s, boot, &b);
	assert(session_parse(b.s, b.len, boot, &r) == 0 && r.id == 123 && r.owner == 1000 && r.run == 7 &&
	    r.deadline_ms == 123456 && !r.leave && strcmp(r.controller, s.controller) == 0);
	assert(session_parse(b.s, b.len, other, &r) == 0 && r.deadline_ms == 0);
	for (size_t n = 0; n + 2 < b.len; n++)
		assert(session_parse(b.s, n, boot, &r) == -EBADMSG);
}

static void
names_a_target(void)
{
	static const char *const good[] = { "device7", "user@device7", "ssh://user@device7.example:2222",
		"ssh://[fe80::1%eth0]:22", "u@[::1]", "unix:/run/x.sock" };
	static const char *const bad[] = { "-oProxyCommand=x", "u@-x", "a b", "a;b", "a:22", "ssh://", "ssh://a:0",
		"ssh://a:b", "@a", "u@", "ssh://a/x", "[::1", "$(id)", "a`b`" };
	struct target t;
	struct fail f;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert(target_parse(good[i], &t, &f) == 0 && (t.socket || t.host) && !strchr(t.key, '/'));
		target_release(&t);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert(target_parse(bad[i], &t, &f) < 0 && f.status == EXIT_USAGE);
		target_release(&t);
	}
	assert(target_parse("ssh://me@[::1]:22", &t, &f) == 0 && strcmp(t.host, "me@::1") == 0 &&
	    strcmp(t.port, "22") == 0);
	target_release(&t);
}

/* A controller may not choose what is executed in another's place, nor where output goes. */
static void
takes_a_request(void)
{
	static const char text[] = "{\"id\":7,\"session\":3,\"argv\":[\"a\"],\"stdio\":\"inherit\",\"stdin\":\"lock\","
	    "\"program\":{\"path\":\"/bin/sh\",\"dev\":1,\"ino\":1},\"cgroup\":\"x\",\"background\":\"leave\","
	    "\"stdin_b64\":\"aGk=\",\"log_max\":1000}";
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct submit a = SUBMIT_INIT, b = SUBMIT_INIT;
	struct refusal r;
	struct fail f;

	assert(json_parse(NULL, text, strlen(text), &v, &f) == 0);
	assert(submit_parse(v, 5000, &a, &r) == 0 && a.id == 7 && a.session == 3 && a.launch.log_max == 1000);
	assert(!a.launch.inherit && !a.launch.program && !a.launch.leave_background && a.launch.lease &&
	    !a.launch.cgroup && strcmp(a.launch.stdin_name, "stdin") == 0 && strcmp(a.in.s, "hi") == 0);
	json_set(&v, "session", json_number(4));	/* another session: the same task */
	assert(submit_parse(v, 5000, &b, &r) == 0 && strcmp(a.digest, b.digest) == 0);
	submit_release(&b);
	b = (struct submit)SUBMIT_INIT;
	json_set_text(&v, "stdin_b64", "aGo=");
	assert(submit_parse(v, 5000, &b, &r) == 0 && strcmp(a.digest, b.digest) != 0);
	submit_release(&a);
	submit_release(&b);
}

static void
reads_frames(void)
{
	static const char text[] = "7 out 10 3\nabc7 err-gap 5 9\n8 end 0 2\n{}0 cursor 0 1\nz";
	static const char *const bad[] = { "out 0 1\n", "out 0 2\na", "out -1 1\na", "out 0\n", "out 0 1 2\na", "x 0 1\na",
		"end 0 1\na", "out 0 99999999999999999999\na", "out 0 1" };
	const char *p = text, *end = text + sizeof text - 1;
	struct task_frame f;

	assert(frames_next(&p, end, true, &f) == 1 && f.task == 7 && f.kind == FRAMES_OUT && f.offset == 10 &&
	    f.length == 3 && memcmp(f.bytes, "abc", 3) == 0);
	assert(frames_next(&p, end, true, &f) == 1 && f.kind == FRAMES_ERR_GAP && f.length == 9 && !f.bytes);
	assert(frames_next(&p, end, true, &f) == 1 && f.task == 8 && f.kind == FRAMES_END);
	assert(frames_next(&p, end, true, &f) == 1 && f.kind == FRAMES_CURSOR && *f.bytes == 'z');
	assert(frames_next(&p, end, true, &f) == 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		p = bad[i];
		assert(frames_next(&p, p + strlen(p), false, &f) == -EBADMSG);
	}
}

static void
keeps_a_place_in_a_cursor(void)
{
	static const char *const bad[] = { ",", "1,", "0", "1.", "1.2.", "1-.2", "1..2", "A", "1,0", "1 ", "zzzzzzzzzzzzzzzzzz" };
	_cleanup_taskcursor_ struct taskcursor c = { NULL, 0, 0 }, r = { NULL, 0, 0 };
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct taskcursor_item i = { .id = 1795939818495001 };
	size_t n = 0;

	assert(taskcursor_add(&c, &i, &text));
	for (; ; n++) {
		i.id += 1 + (int64_t)n * 1000;
		i.over = n % 3 == 0;
		i.at[0] = n % 3 == 1 ? 64 << 20 : 0;
		i.at[1] = n % 3 == 2 ? 35 : 0;
		if (!taskcursor_add(&c, &i, &text))
			break;
	}
	assert(n > 300 && text.len <= TASKCURSOR_MAX);
	assert(taskcursor_parse(text.s, &r) == 0 && r.n == c.n);
	for (size_t k = 0; k < r.n; k++) {
		const struct taskcursor_item *a = &c.items[k], *b = taskcursor_find(&r, a->id);

		assert(b && b->over == a->over && (a->over || (b->at[0] == a->at[0] && b->at[1] == a->at[1])));
	}
	assert(!taskcursor_find(&r, 5));
	for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
		taskcursor_release(&r);
		assert(taskcursor_parse(bad[k], &r) == -EBADMSG);
	}
}

static void
count_report(struct json event, const char *text, void *cookie)
{
	(void)event, (void)text;
	++*(int *)cookie;
}

/* A report at the beginning, each two seconds, and at the end; none for what is not worth it. */
static void
reports_a_backlog(void)
{
	int n = 0;
	const struct taskevent_sink sink = { count_report, count_report, &n };
	struct backlog b = { .bytes = 0 };

	backlog_begin(&b, 1000, &sink, 0);
	backlog_add(&b, 1000, &sink, 9000);
	assert(n == 0);
	backlog_begin(&b, 10 << 20, &sink, 0);
	backlog_add(&b, 1 << 20, &sink, 1999);
	assert(n == 1);
	backlog_add(&b, 1 << 20, &sink, 2000);
	backlog_add(&b, 1 << 20, &sink, 2001);
	assert(n == 2);
	backlog_add(&b, 8 << 20, &sink, 2002);
	backlog_add(&b, 8 << 20, &sink, 9000);
	assert(n == 3);
}

static void
decodes_base64(void)
{
	static const char *const bad[] = { "a", "ab", "abc", "ab=c", "a===", "====", "ab c", "ab-_", "=abc" };
	_cleanup_buf_ struct buf b = BUF_INIT, t = BUF_INIT;
	char bytes[256];

	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	for (size_t n = 0; n < 256; n++) {
		buf_reset(&t);
		buf_reset(&b);
		assert(base64_encode(bytes, n, &t) == 0 && t.len == (n + 2) / 3 * 4);
		assert(base64_decode(t.s, t.len, &b) == 0 && b.len == n && memcmp(b.s, bytes, n) == 0);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert(base64_decode(bad[i], strlen(bad[i]), &b) < 0);
}

/* --- the model: a controller, an agent with shims, and a link that drops, delays and duplicates */

struct message {
	int64_t at, n, time;
	bool answer;
};

struct model {
	struct task_link link;
	struct task_session session;
	struct message queue[64];
	int queued;
	int64_t alive_until;	/* the shim ends the task: lease + grace */
	int64_t ahead;		/* the agent's clock */
};

static void
model_send(struct model *m, const struct message *msg, unsigned int *seed, bool cut, int loss)
{
	if (cut || rand_r(seed) % 100 < loss || m->queued == 64)
		return;
	m->queue[m->queued] = *msg;
	m->queue[m->queued++].at += rand_r(seed) % 20 == 0 ? rand_r(seed) % 30000 : rand_r(seed) % 200;
	if (rand_r(seed) % 10 == 0 && m->queued < 64) {	/* twice, and reordered */
		m->queue[m->queued] = *msg;
		m->queue[m->queued++].at += rand_r(seed) % 20000;
	}
}

static void
model_deliver(struct model *m, int64_t now, unsigned int *seed, bool answers_cut, int loss)
{
	for (int i = 0; i < m->queued; i++) {
		struct message got = m->queue[i], back;

		if (got.at > now)
			continue;
		m->queue[i--] = m->queue[--m->queued];
		if (got.answer) {
			link_answer(&m->link, got.n, got.time, now);
			continue;
		}
		if (session_beat(&m->session, got.n, got.time, now + m->ahead) == SESSION_EXPIRED)
			continue;
		back = (struct message){ now, got.n, now + m->ahead, true };
		model_send(m, &back, seed, answers_cut, loss);
	}
}

/*
 * Cut the requests, the answers or both for good at a random moment; how long is
 * the task alive after the controller said "lost" and started it elsewhere?
 */
static int64_t
double_run(unsigned int seed, bool cut_requests, bool cut_answers, int loss)
{
	struct model m = { .session = { .id = 1, .lease_ms = 40000, .period_ms = 5000 },
	    .ahead = rand_r(&seed) % 2 ? 7777777 : -3000 };
	const int64_t cut_at = 5000 + rand_r(&seed) % 60000;
	int64_t now = 0;

	link_init(&m.link, &usual);
	session_open(&m.session, now + m.ahead);
	link_couple(&m.link, now + m.ahead, now);
	for (; m.link.state != LINK_LOST && now < 1000000; now += 10) {
		const bool cut = now >= cut_at;

		model_deliver(&m, now, &seed, cut && cut_answers, loss);
		if (link_step(&m.link, now)) {
			struct message beat = { now, m.link.n, m.link.seen, false };

			model_send(&m, &beat, &seed, cut && cut_requests, loss);
		}
	}
	assert(m.link.state == LINK_LOST);
	/* what is still on its way arrives, too */
	for (int64_t t = now; t < now + 60000; t += 10)
		model_deliver(&m, t, &seed, true, loss);
	m.alive_until = m.session.deadline_ms - m.ahead + LINK_GRACE_MS;
	return m.alive_until - now;
}

static void
never_runs_a_task_on_two_machines(void)
{
	int64_t worst[3] = { INT64_MIN, INT64_MIN, INT64_MIN };

	for (unsigned int seed = 1; seed <= 400; seed++)
		for (int kind = 0; kind < 3; kind++) {
			int64_t d = double_run(seed * 3 + (unsigned int)kind, kind != 1, kind != 2, seed % 2 ? 0 : 30);

			if (d > worst[kind])
				worst[kind] = d;
		}
	printf("after \"lost\", the last process had ended (ms before): both ways cut %jd, answers %jd, requests %jd\n",
	    (intmax_t)-worst[0], (intmax_t)-worst[1], (intmax_t)-worst[2]);
	for (int kind = 0; kind < 3; kind++)
		assert(worst[kind] < 0);
}

static void
holds_a_floor_an_owner(void)
{
	struct fail f;
	struct forgotten *g = forgotten_open("forgotten", &f);

	assert(g);
	forgotten_add(g, 1000, 50, 60);
	forgotten_add(g, 1000, 40, 60);
	forgotten_add(g, 1000, 900, 61);	/* by a clock that is ahead */
	forgotten_add(g, 2000, 900, 61);
	for (int opened = 0; opened < 2; opened++) {
		assert(forgotten_has(g, 1000, 50) && forgotten_has(g, 1000, 1) && forgotten_has(g, 1000, 900));
		assert(!forgotten_has(g, 1000, 51) && !forgotten_has(g, 1000, 899) && !forgotten_has(g, 2000, 50));
		assert(!forgotten_has(g, 3000, 1) && !forgotten_has(g, 3000, 900));
		_cleanup_buf_ struct buf b = BUF_INIT;

		forgotten_format(g, &b);
		assert(file_replace("forgotten", b.s, b.len, 0600, 0) == 0);
		forgotten_close(g);
		g = forgotten_open("forgotten", &f);
		assert(g);
	}
	/* as many ahead as are kept by themselves, and one that raises the floor */
	for (int i = 1; i <= FORGOTTEN_AHEAD; i++)
		forgotten_add(g, 2000, 1000 + 2 * i, 70);
	assert(forgotten_has(g, 2000, 1002) && forgotten_has(g, 2000, 1003) && !forgotten_has(g, 1000, 1002));
	assert(forgotten_has(g, 2000, 1000 + 2 * FORGOTTEN_AHEAD) && !forgotten_has(g, 2000, 1001 + 2 * FORGOTTEN_AHEAD));
	forgotten_close(g);
}

static void
refuses_a_damaged_floor(void)
{
	static const char *const bad[] = {
		"\n", "{\"owner\":1,\"floor\":5}", "{\"owner\":1,\"floor\":5}x\n", "{\"owner\":1,\"flo",
		"{\"owner\":1,\"floor\":5}\n{\"owner\":1}\n", "{\"owner\":1,\"ahead\":x}\n",
	};
	struct fail f;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert(file_replace("damaged", bad[i], strlen(bad[i]), 0600, 0) == 0);
		assert(!forgotten_open("damaged", &f) && f.status == EXIT_TROUBLE && strstr(f.text, "damaged"));
	}
}

/* --- sessions that are over */

static void
knows_sessions_that_are_over(void)
{
	static const char torn[] = "{\"owner\":1,\"run\":7,\"floor\":90}\n\0\0";
	struct fail f;
	struct oversessions *o = oversessions_open("over", 50, &f);

	assert(o && oversessions_floor(o, 1000, 1) == 0 && oversessions_save(o) == 0 && access("over", F_OK) < 0);
	oversessions_add(o, 1000, 1, 70);
	oversessions_add(o, 1000, 1, 60);
	oversessions_add(o, 1000, 2, 20);
	/* as many controllers as are kept, and two more: the lowest go */
	for (int i = 0; i < OVERSESSIONS_RUNS; i++)
		oversessions_add(o, 1000, 100 + i, 1000 + i);
	for (int i = 0; i < 2; i++) {
		assert(oversessions_floor(o, 1000, 1) == 70 && oversessions_floor(o, 1000, 2) == 70);
		assert(oversessions_floor(o, 1000, 100 + OVERSESSIONS_RUNS - 1) == 1000 + OVERSESSIONS_RUNS - 1);
		assert(oversessions_floor(o, 1000, 3) == 70 && oversessions_floor(o, 2000, 1) == 0);
		assert(oversessions_save(o) == 0);
		oversessions_close(o);
		o = oversessions_open("over", 50, &f);
		assert(o);
	}
	oversessions_close(o);
	/* a damaged one: what was up to now counts as over */
	assert(file_replace("over", torn, sizeof torn - 1, 0600, 0) == 0);
	for (int i = 0; i < 2; i++) {
		o = oversessions_open("over", 50, &f);
		assert(o && oversessions_floor(o, 1, 7) == 90 && oversessions_floor(o, 1, 8) == 50);
		assert(oversessions_floor(o, 2, 7) == 50 && oversessions_save(o) == 0);
		oversessions_close(o);
	}
}

/* --- ids of one controller directory, claimed by many processes in the same microsecond */

enum { CLAIMERS = 8, CLAIMS = 200 };

static void
claim_some(int out)
{
	int64_t ids[CLAIMS];
	struct fail f;
	struct controller *c = controller_open("target", &f);

	for (int i = 0; c && i < CLAIMS; i++)
		ids[i] = controller_claim_id(c, 1000, &f);
	_exit(c && write(out, ids, sizeof ids) == sizeof ids ? 0 : 1);
}

static void
claims_each_id_once(void)
{
	static bool seen[CLAIMERS * CLAIMS];
	int p[2], status;
	int64_t id;

	assert(pipe(p) == 0);
	for (int i = 0; i < CLAIMERS; i++)
		if (fork() == 0)
			claim_some(p[1]);
	close(p[1]);
	while (read(p[0], &id, sizeof id) == sizeof id) {
		assert(id >= 1000 && id < 1000 + CLAIMERS * CLAIMS && !seen[id - 1000]);
		seen[id - 1000] = true;
	}
	for (int i = 0; i < CLAIMERS; i++)
		assert(wait(&status) > 0 && status == 0);
	for (int i = 0; i < CLAIMERS * CLAIMS; i++)
		assert(seen[i]);
	close(p[0]);
}

/* --- the committer, and a history that it brings to the disk */

struct commits {
	struct loop *loop;
	int done, failed;
};

static int
write_number(struct committer_job *j, void *cookie)
{
	(void)cookie;
	committer_sync(j, open("number", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
	return 0;
}

static int
fail_to_write(struct committer_job *j, void *cookie)
{
	(void)cookie;
	committer_sync(j, open("no/such/file", O_RDONLY | O_CLOEXEC));
	return 0;
}

static void
count_commit(int err, void *cookie)
{
	struct commits *c = cookie;

	c->done += err == 0;
	c->failed += err == -ENOENT;
	if (c->done + c->failed == 200)
		loop_stop(c->loop, 0);
}

static void
commits_in_groups(void)
{
	struct commits c = { loop_new(), 0, 0 };
	struct fail f;
	struct committer *k = committer_new(c.loop, &f);

	for (int i = 0; i < 200; i++)
		committer_add(k, i % 10 == 7 ? fail_to_write : write_number, count_commit, &c);
	assert(k && committer_pending(k) == 200);
	loop_run(c.loop);
	assert(c.done == 180 && c.failed == 20 && committer_pending(k) == 0);
	committer_add(k, write_number, count_commit, &c);
	committer_free(k);	/* what was added is done, and told */
	assert(c.done == 181);
	loop_free(c.loop);
}

static void
note_error(int err, void *cookie)
{
	*(int *)cookie = err;
}

/* N records of OWNER of a kilobyte each, brought to the disk. */
static void
add_records(struct taskhistory *h, struct committer *k, uid_t owner, int n)
{
	_cleanup_json_ struct json more = json_object();
	char text[900];
	int err = 1;

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	json_set_text(&more, "reason", text);
	for (int i = 0; i < n; i++) {
		taskhistory_add(h, 7, owner, 0, "started", more);
		if (i % 50 == 0)
			committer_drain(k);
	}
	taskhistory_commit(h, note_error, &err);
	committer_drain(k);
	assert(err == 0 && taskhistory_is_committed(h));
}

struct records {
	int n;
	int64_t first, last, dropped;
};

/* All records of OWNER after AFTER: each once, ids rising. */
static struct records
read_records(const struct taskhistory *h, int64_t after, int64_t owner)
{
	struct records r = { 0, 0, after, 0 };

	for (;;) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		size_t before = (size_t)r.n;

		assert(taskhistory_read(h, r.last, owner, 100000, &b) == 0);
		for (char *p = b.s, *nl; b.len > 0 && (nl = strchr(p, '\n')); p = nl + 1) {
			int64_t id = atoll(p + strlen("{\"id\":"));

			*nl = '\0';
			assert(id > r.last);
			r.last = id;
			if (strstr(p, "\"event\":\"dropped\""))
				r.dropped = id;
			else if (r.n++ == 0)
				r.first = id;
		}
		if ((size_t)r.n == before)
			return r;
	}
}

static void
keeps_history_until_it_is_released(void)
{
	struct loop *l = loop_new();
	struct hlc clock = { 0 };
	struct fail f;
	struct committer *k = committer_new(l, &f);
	struct taskhistory *h = taskhistory_open("history", 1 << 20, &clock, k, &f);
	struct records of_1000, of_2000;
	int64_t before, mark;

	/* one owner releases all, the other one nothing: three times what is kept of released ones */
	assert(h);
	add_records(h, k, 2000, 10);
	taskhistory_add(h, 99, 2000, 0, "ended", JSON_ABSENT);
	taskhistory_add(h, 98, 1000, 0, "ended", JSON_ABSENT);
	before = taskhistory_last(h);
	for (int i = 0; i < 15; i++) {
		add_records(h, k, 1000, 100);
		taskhistory_release(h, 1000, taskhistory_last(h));
		committer_drain(k);
	}
	for (int opened = 0; opened < 2; opened++) {
		of_2000 = read_records(h, 0, 2000);
		assert(of_2000.n == 11 && of_2000.dropped == 0);
		of_1000 = read_records(h, before, 1000);
		assert(of_1000.n > 100 && of_1000.n < 700 && of_1000.dropped > before && of_1000.first > of_1000.dropped);
		assert(read_records(h, of_1000.dropped, 1000).dropped == 0);
		assert(read_records(h, 0, -1).n == of_1000.n + 11);
		assert(taskhistory_has_end(h, 99) && !taskhistory_may_have_dropped(h, 2000, 99));
		assert(!taskhistory_has_end(h, 98) && taskhistory_may_have_dropped(h, 1000, 98));
		taskhistory_close(h);
		h = taskhistory_open("history", 1 << 20, &clock, k, &f);
		assert(h);
	}
	/* what is kept has its bound: then the owner has no room, until it releases */
	for (int i = 0; i < 10 && taskhistory_room(h, 2000) == 0; i++)
		add_records(h, k, 2000, 200);
	assert(taskhistory_room(h, 2000) == -EDQUOT && taskhistory_room(h, 3000) == 0);
	of_2000 = read_records(h, 0, 2000);
	assert(of_2000.dropped == 0 && of_2000.n > 600);
	mark = of_2000.last;
	taskhistory_release(h, 2000, mark + 1000000000);	/* no more than there is */
	committer_drain(k);
	assert(taskhistory_room(h, 2000) == 0);
	add_records(h, k, 2000, 1);
	assert(read_records(h, mark, 2000).n == 1);
	taskhistory_close(h);
	committer_free(k);
	loop_free(l);
}

/* Whatever the caller's directory and settings are, the files are ours alone. */
static void
enter_own_directory(void)
{
	char dir[] = "task.XXXXXX";
	_cleanup_free_ char *own = NULL;

	assert(mkdtemp(dir) && chdir(dir) == 0);
	own = getcwd(NULL, 0);
	assert(own && setenv("REJOIN_STATE_DIR", own, 1) == 0);
}

int
main(void)
{
	_cleanup_free_ char *outer = getcwd(NULL, 0), *own = NULL;

	enter_own_directory();
	own = getcwd(NULL, 0);
	claims_each_id_once();
	shares_the_limits();
	bounds_what_is_held();
	commits_in_groups();
	keeps_history_until_it_is_released();
	beats_once_a_period();
	waits_5_s_for_an_acknowledgement();
	re_sends_a_beat_five_times();
	is_suspect_after_two_missed_heartbeats();
	unrecoverable_means_killed();
	keeps_within_its_rules();
	adds_up();
	counts_time_asleep();
	renews_a_lease();
	handles_duplicates();
	keeps_a_session_in_its_file();
	names_a_target();
	takes_a_request();
	decodes_base64();
	reads_frames();
	keeps_a_place_in_a_cursor();
	reports_a_backlog();
	holds_a_floor_an_owner();
	refuses_a_damaged_floor();
	knows_sessions_that_are_over();
	never_runs_a_task_on_two_machines();
	assert(chdir(outer) == 0 && file_remove_tree(own) == 0);
	return 0;
}
