#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "fleet/execcarrier.h"
#include "supervise/segment.h"
#include "supervise/supervise.h"

#define DEVICE "${device}"

enum { LOG_MAX = 4 << 20, LINE_MAX_BYTES = 300, SSH_LOST = 255 };

/* The command of one device. */
struct device_run {
	struct execcarrier *carrier;
	uint32_t device;
	int attempt;
	struct supervise *supervise;
	struct device_run *next;
};

struct execcarrier {
	struct carrier base;
	struct execcarrier_spec spec;
	struct carrier_callbacks cb;
	struct device_run *runs;
};

static char *
run_dir(const struct execcarrier *c, uint32_t device, int attempt)
{
	return xasprintf("%s/%u.%d", c->spec.runs, device, attempt);
}

static char *
word_expand(const char *word, const char *device)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (const char *at; (at = strstr(word, DEVICE)) != NULL; word = at + strlen(DEVICE)) {
		buf_add(&b, word, (size_t)(at - word));
		buf_puts(&b, device);
	}
	buf_puts(&b, word);
	return buf_steal(&b);
}

static char **
argv_expand(char *const *argv, const char *device)
{
	size_t n = 0;
	char **v;

	while (argv[n])
		n++;
	v = xcalloc(n + 1, sizeof *v);
	for (size_t i = 0; i < n; i++)
		v[i] = word_expand(argv[i], device);
	return v;
}

/* --- the result */

enum rollout_state
execcarrier_outcome(int status)
{
	switch (status) {
	case EXIT_OK:
		return ROLLOUT_SETTLED;
	case EXIT_TIMEOUT:
	case 124:
	case SSH_LOST:
		return ROLLOUT_UNKNOWN;
	case EXIT_ABSENT:
		return ROLLOUT_ABSENT;
	case EXIT_BUSY:
		return ROLLOUT_BUSY;
	case EXIT_DENIED:
		return ROLLOUT_DENIED;
	default:
		return ROLLOUT_FAILED;
	}
}

/* The last bytes of a stream of the run. */
static void
output_read(const char *dir, const char *name, size_t max, struct buf *out)
{
	_cleanup_fd_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct segment_reader r = { .dir = fd, .name = name, .fd = -1 };
	int64_t from, end, next;
	char block[4096];
	ssize_t n = 0;

	if (fd < 0 || segment_bounds(fd, name, &from, &end) < 0)
		return;
	if (end - from > (int64_t)max)
		from = end - (int64_t)max;
	while (from < end && ((n = segment_read(&r, from, block, sizeof block, &next)) > 0 || n == -ENODATA)) {
		if (n > 0)
			buf_add(out, block, (size_t)n);
		from = n > 0 ? from + n : next;
	}
	segment_reader_close(&r);
}

/* The last line of B that is not empty, cut to LINE_MAX_BYTES. */
static char *
last_line(const struct buf *b)
{
	size_t end = b->len, begin;

	while (end > 0 && strchr("\r\n\t ", b->s[end - 1]))
		end--;
	for (begin = end; begin > 0 && b->s[begin - 1] != '\n'; )
		begin--;
	if (end - begin > LINE_MAX_BYTES)
		end = begin + LINE_MAX_BYTES;
	return xstrndup(b->s + begin, end - begin);
}

static void
ending_describe(const struct supervise_view *v, struct carrier_result *r, char text[LINE_MAX_BYTES])
{
	const struct outcome *o = &v->outcome;

	if (v->state != SUPERVISE_ENDED) {
		r->outcome = ROLLOUT_UNKNOWN;
		snprintf(text, LINE_MAX_BYTES, "the end of the command is not known: its supervisor was killed");
	} else if (o->error) {
		r->outcome = ROLLOUT_FAILED;
		snprintf(text, LINE_MAX_BYTES, "could not be run: %s", strerror(o->error));
	} else if (o->why != WHY_ITSELF || o->signo) {
		r->outcome = ROLLOUT_UNKNOWN;
		if (o->why == WHY_TIMEOUT)
			snprintf(text, LINE_MAX_BYTES, "no outcome before the deadline");
		else
			snprintf(text, LINE_MAX_BYTES, "the command was killed by signal %d", o->signo);
	} else {
		r->outcome = execcarrier_outcome(o->exit);
	}
}

static void
run_free(struct device_run *run)
{
	struct device_run **p = &run->carrier->runs;

	while (*p != run)
		p = &(*p)->next;
	*p = run->next;
	free(run);
}

static void
run_ended(const struct supervise_view *v, const struct fail *f, void *cookie)
{
	struct device_run *run = cookie;
	struct execcarrier *c = run->carrier;
	_cleanup_free_ char *dir = run_dir(c, run->device, run->attempt), *line = NULL;
	_cleanup_buf_ struct buf out = BUF_INIT, err = BUF_INIT;
	_cleanup_json_ struct json response = JSON_ABSENT;
	struct carrier_result r = { .device = run->device };
	char text[LINE_MAX_BYTES] = "";
	struct fail ignored;

	if (v->state == SUPERVISE_NEW) {
		run_free(run);
		file_remove_tree(dir);
		c->cb.not_asked(r.device, f, c->cb.cookie);
		return;
	}
	output_read(dir, "out", EXECCARRIER_OUTPUT_MAX, &out);
	output_read(dir, "err", EXECCARRIER_OUTPUT_MAX, &err);
	line = last_line(&err);
	ending_describe(v, &r, text);
	while (out.len > 0 && out.s[out.len - 1] == '\n')
		out.s[--out.len] = '\0';
	if (out.len > 0 && json_parse(NULL, out.s, out.len, &response, &ignored) < 0)
		response = json_string_n(out.s, out.len);
	r.details = text[0] ? text : r.outcome != ROLLOUT_SETTLED && line[0] ? line : NULL;
	r.response = response;
	run_free(run);
	c->cb.result(&r, c->cb.cookie);
}

/* --- asking */

static int
run_make(struct execcarrier *c, const struct carrier_ask *a, const char *dir, struct fail *f)
{
	char **argv = argv_expand(c->spec.argv, roster_name(c->spec.roster, a->device));
	struct launch launch = LAUNCH_INIT;
	char none[] = "none";
	int r;

	launch.argv = argv;
	launch.inherit_env = launch.new_privileges = launch.leave_background = true;
	launch.cgroup = none;
	launch.timeout_ms = a->left_ms > EXECCARRIER_SLACK_MS ? a->left_ms - EXECCARRIER_SLACK_MS : 1;
	launch.grace_ms = EXECCARRIER_GRACE_MS;
	launch.log_max = LOG_MAX;
	r = supervise_make(dir, &launch, JSON_ABSENT, f);
	xfree_strv(argv);
	return r;
}

/* Start the run, or find what an earlier run has started. */
static int
exec_ask(struct carrier *carrier, const struct carrier_ask *a, struct fail *f)
{
	struct execcarrier *c = (struct execcarrier *)carrier;
	_cleanup_free_ char *dir = run_dir(c, a->device, a->attempt);
	_cleanup_free_ char *before = run_dir(c, a->device, a->attempt - 1);
	const struct supervise_spec spec = { .dir = dir };
	struct supervise_view v = { .state = SUPERVISE_NEW };
	struct device_run *run = xcalloc(1, sizeof *run);

	*run = (struct device_run){ c, a->device, a->attempt, NULL, c->runs };
	c->runs = run;
	file_remove_tree(before);
	if (a->again && supervise_examine(dir, &v, f) < 0)
		v.state = SUPERVISE_INTERRUPTED;
	if (v.state == SUPERVISE_ENDED) {
		run_ended(&v, NULL, run);
		return 0;
	}
	if (v.state != SUPERVISE_NEW) {
		run->supervise = supervise_adopt(c->spec.loop, dir, run_ended, run);
		return 0;
	}
	if (a->again)
		file_remove_tree(dir);	/* nothing was executed */
	if (run_make(c, a, dir, f) == 0)
		run->supervise = supervise_start(c->spec.loop, &spec, run_ended, run, f);
	if (run->supervise)
		return 0;
	run_free(run);
	file_remove_tree(dir);
	return -EIO;
}

static void
exec_recorded(struct carrier *carrier, uint32_t device, int attempt)
{
	_cleanup_free_ char *dir = run_dir((struct execcarrier *)carrier, device, attempt);

	file_remove_tree(dir);
}

static bool
exec_ready(const struct carrier *carrier)
{
	(void)carrier;
	return true;
}

static bool
exec_absent(const struct carrier *carrier, uint32_t device, bool expired)
{
	(void)carrier;
	(void)expired;
	(void)device;
	return false;
}

static bool
exec_stop(struct carrier *carrier)
{
	struct execcarrier *c = (struct execcarrier *)carrier;

	for (struct device_run *run = c->runs; run; run = run->next) {
		_cleanup_free_ char *dir = run_dir(c, run->device, run->attempt);

		(void)supervise_end(dir, WHY_KILL, 0, EXECCARRIER_GRACE_MS);
	}
	return true;
}

static void
exec_free(struct carrier *carrier)
{
	struct execcarrier *c = (struct execcarrier *)carrier;

	while (c->runs) {
		supervise_forget(c->runs->supervise);
		run_free(c->runs);
	}
	/* what is left in it belongs to runs that go on */
	(void)rmdir(c->spec.runs);
	free(c);
}

int
execcarrier_check(char *const *argv, struct fail *f)
{
	for (char *const *a = argv; *a; a++)
		if (strstr(*a, DEVICE))
			return 0;
	fail_set(f, EXIT_USAGE, "exec: the command does not name the device");
	fail_hint(f, "write ${device} where its name belongs: --via 'exec:ssh ${device}'");
	return -EINVAL;
}

struct carrier *
execcarrier_new(const struct execcarrier_spec *spec, const struct carrier_callbacks *cb, struct fail *f)
{
	static const struct carrier_ops ops = { exec_ask, exec_recorded, exec_ready, exec_absent, exec_stop, exec_free };
	struct execcarrier *c;

	if (mkdir(spec->runs, 0700) < 0 && errno != EEXIST) {
		fail_errno(f, errno, "%s", spec->runs);
		return NULL;
	}
	c = xcalloc(1, sizeof *c);
	c->base.ops = &ops;
	c->spec = *spec;
	c->cb = *cb;
	return &c->base;
}
