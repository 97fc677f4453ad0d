#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "agent/status.h"
#include "agent/status_method.h"
#include "agent/unit.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/num.h"
#include "base/xalloc.h"

enum { STATUS_FILE_MAX = 65536, POLL_MS = 50, ASK_MS = 250 };

static const char *const state_names[] = {
	[AGENT_UNKNOWN] = "unknown", [AGENT_STOPPED] = "stopped", [AGENT_STARTING] = "starting",
	[AGENT_IDLE] = "idle", [AGENT_BUSY] = "busy", [AGENT_FAILED] = "failed",
	[AGENT_STOPPING] = "stopping",
};

enum kind { TEXT, LONG_TEXT, NUMBER, RESULT, PID, FLAG, STATE };

#define AT(member)	offsetof(struct status, member)

/* The keys of the file, in its order. */
static const struct key {
	const char *name;
	enum kind kind;
	size_t at;
} keys[] = {
	{ "agent", TEXT, AT(agent) },
	{ "pid", PID, AT(pid) },
	{ "incarnation", TEXT, AT(incarnation) },
	{ "since", TEXT, AT(since) },
	{ "state", STATE, AT(state) },
	{ "state_since", TEXT, AT(state_since) },
	{ "workflow", TEXT, AT(workflow) },
	{ "phase", TEXT, AT(phase) },
	{ "progress", TEXT, AT(progress) },
	{ "waiting", NUMBER, AT(waiting) },
	{ "pending", FLAG, AT(pending) },
	{ "cycle", NUMBER, AT(cycle) },
	{ "retries", NUMBER, AT(retries) },
	{ "covered", NUMBER, AT(covered) },
	{ "settled", NUMBER, AT(settled) },
	{ "settled_cycle", NUMBER, AT(settled_cycle) },
	{ "result", RESULT, AT(result) },
	{ "unsigned", FLAG, AT(is_unsigned) },
	{ "note", TEXT, AT(note) },
	{ "report", LONG_TEXT, AT(report) },
};

const char *
status_state_name(enum agent_state s)
{
	return state_names[s];
}

/* The N bytes of VALUE into TEXT of SIZE bytes, without the quotes of os-release(5). */
static void
set_text(char *text, size_t size, const char *value, size_t n)
{
	const char *end = value + n;
	char quote = '\0';

	if (n >= 2 && (*value == '"' || *value == '\'') && value[n - 1] == *value) {
		quote = *value++;
		end--;
	}
	for (; value < end && size > 1; value++, size--) {
		if (quote == '"' && *value == '\\' && value + 1 < end)
			value++;
		*text++ = *value;
	}
	*text = '\0';
}

static void
set(const struct key *k, const char *value, size_t n, struct status *s)
{
	void *at = (char *)s + k->at;
	char text[STATUS_TEXT];
	int64_t number = 0;
	int yes;

	set_text(text, sizeof text, value, n);
	switch (k->kind) {
	case TEXT:
		strcpy(at, text);
		break;
	case LONG_TEXT:
		set_text(at, STATUS_PATH, value, n);
		break;
	case NUMBER:
		if (num_parse(text, 0, INT64_MAX, &number) == 0)
			*(int64_t *)at = number;
		break;
	case RESULT:
		if (num_parse(text, INT32_MIN, INT32_MAX, &number) == 0)
			*(int32_t *)at = (int32_t)number;
		break;
	case PID:
		if (num_parse(text, 0, INT32_MAX, &number) == 0)
			*(pid_t *)at = (pid_t)number;
		break;
	case FLAG:
		if (num_parse_bool(text, &yes) == 0)
			*(bool *)at = yes;
		break;
	case STATE:
		for (int i = 0; i < (int)(sizeof state_names / sizeof *state_names); i++)
			if (strcmp(text, state_names[i]) == 0)
				*(enum agent_state *)at = (enum agent_state)i;
		break;
	}
}

static void
parse_line(const char *line, size_t n, struct status *s)
{
	const char *eq = memchr(line, '=', n);
	size_t len;

	if (!eq)
		return;
	len = (size_t)(eq - line);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (strlen(keys[i].name) == len && memcmp(keys[i].name, line, len) == 0)
			set(&keys[i], eq + 1, n - len - 1, s);
}

void
status_parse(const char *text, size_t len, struct status *s)
{
	const char *end = text + len;

	*s = (struct status){ .running = -1 };
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		const char *stop = nl ? nl : end;

		parse_line(text, (size_t)(stop - text), s);
		text = stop + 1;
	}
}

/* So that a shell can read the file without running what a workflow's id says. */
static void
add_text(const char *value, struct buf *out)
{
	if (!value[strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789_./:%+,@-")]) {
		buf_puts(out, value);
		return;
	}
	buf_putc(out, '"');
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (strchr("\"$`\\", c))
			buf_putc(out, '\\');
		buf_putc(out, c < 0x20 || c == 0x7f ? ' ' : (char)c);
	}
	buf_putc(out, '"');
}

void
status_format(const struct status *s, struct buf *out)
{
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const void *at = (const char *)s + keys[i].at;

		buf_printf(out, "%s=", keys[i].name);
		switch (keys[i].kind) {
		case TEXT:
		case LONG_TEXT:
			add_text(at, out);
			break;
		case NUMBER:
			buf_printf(out, "%" PRId64, *(const int64_t *)at);
			break;
		case RESULT:
			buf_printf(out, "%" PRId32, *(const int32_t *)at);
			break;
		case PID:
			buf_printf(out, "%jd", (intmax_t)*(const pid_t *)at);
			break;
		case FLAG:
			buf_puts(out, *(const bool *)at ? "yes" : "no");
			break;
		case STATE:
			buf_puts(out, status_state_name(*(const enum agent_state *)at));
			break;
		}
		buf_putc(out, '\n');
	}
}

/* NAME in the directory of the status file PATH.  To be freed. */
static char *
beside(const char *path, const char *name)
{
	_cleanup_free_ char *copy = xstrdup(path);

	return xasprintf("%s/%s", dirname(copy), name);
}

/* Is the lock NAME beside the status file held: 1, 0 (also where it is not there), or an error. */
static int
held(const char *path, const char *name)
{
	_cleanup_free_ char *lock = beside(path, name);
	_cleanup_fd_ int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return lock_is_held(fd);
}

static int
read_file(const char *path, struct status *s, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int alive = held(path, "lock");
	int r = file_load(path, FILE_NOFOLLOW, STATUS_FILE_MAX, &b, f);

	if (r == -ENOENT) {
		*s = (struct status){ .running = alive < 0 ? -1 : alive,
		    .state = alive < 0 ? AGENT_UNKNOWN : alive ? AGENT_STARTING : AGENT_STOPPED };
		return 0;
	}
	if (r < 0)
		return r;
	status_parse(b.s, b.len, s);
	s->running = alive < 0 ? -1 : alive;
	if (alive == 0 && s->state != AGENT_STOPPED) {
		snprintf(s->note, sizeof s->note, "ended without a word while %s",
		    status_state_name(s->state));
		s->state = AGENT_STOPPED;
	}
	return 0;
}

/* When PID started, on the wall clock. */
static void
set_since(pid_t pid, struct status *s)
{
	const int64_t hz = sysconf(_SC_CLK_TCK);
	struct timespec now, boot;
	char text[CLOCK_TEXT];
	uint64_t ticks;
	int64_t ns;

	if (incarnation_start(pid, &ticks) < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	ns = (now.tv_sec - boot.tv_sec) * INT64_C(1000000000) + now.tv_nsec - boot.tv_nsec +
	    (int64_t)ticks * (1000000000 / hz);
	now = (struct timespec){ ns / 1000000000, ns % 1000000000 };
	strcpy(s->since, clock_format(now, text));
}

static void
set_incarnation(struct status *s)
{
	if (s->pid > 0 && incarnation_of(s->pid, s->incarnation) == 0)
		set_since(s->pid, s);
}

static void
read_unit(const struct profile *p, struct status *s)
{
	int r = p->unit ? unit_main_pid(NULL, p->unit, &s->pid) : -ENODATA;

	s->running = r == 0 ? 1 : r == -ESRCH ? 0 : -1;
	set_incarnation(s);
}

/* Who asks the service manager need not look at control groups. */
static void
read_answer(const struct profile *p, struct status *s)
{
	*s = (struct status){ .state = AGENT_UNKNOWN, .running = -1 };
	if (p->status.method != STATUS_SYSTEMD)
		read_unit(p, s);
	if (s->running == 0) {
		s->state = AGENT_STOPPED;
		return;
	}
	status_method_ask(p, s);
	if (p->status.method == STATUS_SYSTEMD)
		set_incarnation(s);
}

/* Can the directory before the pattern's first wildcard be looked into? */
static int
check_pattern(const char *pattern)
{
	size_t n = strcspn(pattern, "*?[");
	_cleanup_free_ char *prefix = xstrndup(pattern, n);
	_cleanup_free_ char *dir = pattern[n] && n && prefix[n - 1] == '/' ? xstrdup(prefix)
	    : xstrdup(dirname(prefix));

	return access(dir, pattern[n] ? R_OK | X_OK : X_OK) < 0 ? -errno : 0;
}

/* Does anything match the busy-path: 1, 0, or an error where that cannot be seen. */
static int
busy_path(const struct profile *p, struct fail *f)
{
	const char *pattern = p->status.busy_path;
	int r = check_pattern(pattern);
	glob_t g;

	if (r == 0) {
		r = glob(pattern, GLOB_ERR | GLOB_NOSORT, NULL, &g);
		globfree(&g);
		if (r == 0)
			return 1;
		if (r == GLOB_NOMATCH)
			return 0;
		r = -EACCES;
	}
	fail_set(f, EXIT_BUSY, "the state of %s is unknown: %s: %s", p->name, pattern, strerror(-r));
	return -ENODATA;
}

static int
read_busy_path(const struct profile *p, struct status *s, struct fail *f)
{
	int busy;

	*s = (struct status){ .state = AGENT_UNKNOWN };
	read_unit(p, s);
	busy = busy_path(p, f);
	if (s->running == 0)
		s->state = AGENT_STOPPED;
	else if (busy >= 0)
		s->state = busy ? AGENT_BUSY : AGENT_IDLE;
	else
		snprintf(s->note, sizeof s->note, "%.250s", f->text);
	return 0;
}

int
status_read(const struct profile *p, struct status *s, struct fail *f)
{
	int r = 0;

	switch (p->status.method) {
	case STATUS_FILE:
		r = read_file(p->status.path, s, f);
		break;
	case STATUS_BUSY_PATH:
		r = read_busy_path(p, s, f);
		break;
	case STATUS_SYSTEMD:
	case STATUS_DBUS:
	case STATUS_EXEC:
	case STATUS_ADU_API:
		read_answer(p, s);
		break;
	case STATUS_NONE:
		*s = (struct status){ .state = AGENT_UNKNOWN };
		read_unit(p, s);
		if (s->running == 0)
			s->state = AGENT_STOPPED;
		strcpy(s->note, "its profile has no [status]");
		break;
	}
	if (r == 0)
		snprintf(s->agent, sizeof s->agent, "%.255s", p->name);
	return r;
}

static int
wait_lock(const struct profile *p, int64_t timeout_ms, struct fail *f)
{
	_cleanup_free_ char *path = beside(p->status.path, "busy");
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int r;

	/* without the file no cycle has ever run */
	if (fd < 0 && errno == ENOENT)
		return 0;
	r = fd < 0 ? -errno : lock_wait_free(fd, timeout_ms);
	if (r == 0 || r == -ETIMEDOUT)
		return r;
	fail_set(f, EXIT_BUSY, "the state of %s is unknown: %s: %s", p->name, path, strerror(-r));
	return -ENODATA;
}

static int
poll_path(const struct profile *p, int64_t timeout_ms, struct fail *f)
{
	const int64_t end = clock_mono_ms() + timeout_ms;
	struct status s;

	for (;;) {
		int busy = busy_path(p, f);
		int64_t left = end - clock_mono_ms();

		if (busy <= 0)
			return busy;
		/* a dead agent leaves its sandbox behind, and it is not busy */
		if (read_busy_path(p, &s, f) == 0 && s.running == 0)
			return 0;
		if (left <= 0)
			return -ETIMEDOUT;
		clock_sleep_ms(left < POLL_MS ? left : POLL_MS);
	}
}

static int
poll_answer(const struct profile *p, int64_t timeout_ms, struct fail *f)
{
	const int64_t end = clock_mono_ms() + timeout_ms;
	struct status s;

	for (;;) {
		int64_t left = end - clock_mono_ms();

		read_answer(p, &s);
		if (s.state == AGENT_UNKNOWN) {
			fail_set(f, EXIT_BUSY, "the state of %s is unknown: %s", p->name, s.note);
			return -ENODATA;
		}
		if (s.state != AGENT_BUSY)
			return 0;
		if (left <= 0)
			return -ETIMEDOUT;
		clock_sleep_ms(left < ASK_MS ? left : ASK_MS);
	}
}

int
status_wait_idle(const struct profile *p, int64_t timeout_ms, struct fail *f)
{
	switch (p->status.method) {
	case STATUS_FILE:
		return wait_lock(p, timeout_ms, f);
	case STATUS_BUSY_PATH:
		return poll_path(p, timeout_ms, f);
	case STATUS_SYSTEMD:
	case STATUS_DBUS:
	case STATUS_EXEC:
	case STATUS_ADU_API:
		return poll_answer(p, timeout_ms, f);
	case STATUS_NONE:
		break;
	}
	fail_set(f, EXIT_BUSY, "the state of %s is unknown: its profile has no [status]", p->name);
	return -ENODATA;
}
