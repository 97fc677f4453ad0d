#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "hub/devicecall.h"
#include "module/agent_calls.h"
#include "supervise/segment.h"
#include "supervise/supervise.h"

enum { METHOD_MAX = 16, MESSAGE_MAX = 512 };

struct agent_calls {
	struct loop *loop;
	struct agent_calls_spec spec;
	char *dir;			/* of the run of rejoin-restart */
	struct supervise *restart;	/* while it runs */
	int64_t number;			/* of the call that asked for it */
};

static void
outcome_tell(struct agent_calls *c, const char *method, int64_t number, const char *outcome, const char *details)
{
	_cleanup_free_ char *text = xasprintf("%s %jd %s%s%s", method, (intmax_t)number, outcome, *details ? " " : "", details);
	_cleanup_free_ char *line = xasprintf("the link asks: %s: %s%s%s", method, outcome, *details ? ": " : "", details);

	c->spec.log(line, c->spec.cookie);
	c->spec.outcome(text, c->spec.cookie);
}

/* Does the profile NAME allow METHOD? */
static bool
profile_allows(const char *name, const char *method)
{
	_cleanup_profile_ struct profile *p = NULL;
	struct fail ignored;

	return profile_load(name, &p, &ignored) == 0 && devicecall_is_allowed(p->hub.allow, method);
}

static bool
is_allowed(const struct agent_calls *c, const char *method)
{
	const char *report = c->spec.config->report;

	return devicecall_is_allowed(c->spec.profile->hub.allow, method) ||
	    (report && strncmp(report, "hub:", 4) == 0 && profile_allows(report + 4, method));
}

/* --- restart */

/* The first line that the run of DIR has written to its standard error. */
static char *
first_message(const char *dir)
{
	_cleanup_fd_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct segment_reader reader = SEGMENT_READER_INIT(fd, "err");
	char text[MESSAGE_MAX + 1], *at;
	int64_t next;
	ssize_t n = fd < 0 ? -errno : segment_read(&reader, 0, text, MESSAGE_MAX, &next);

	if (fd >= 0)
		segment_reader_close(&reader);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	at = strncmp(text, "rejoin-restart: ", 16) == 0 ? text + 16 : text;
	return xstrdup(at);
}

/* The agent is still there: either the restart failed, or another process has done it since. */
static void
restart_ended(const struct supervise_view *v, const struct fail *f, void *cookie)
{
	struct agent_calls *c = cookie;
	_cleanup_free_ char *message = NULL;

	c->restart = NULL;
	if (v->state != SUPERVISE_ENDED) {
		outcome_tell(c, "restart", c->number, v->state == SUPERVISE_NEW ? "failed" : "unknown", f && *f->text ? f->text : "");
		return;
	}
	message = first_message(c->dir);
	outcome_tell(c, "restart", c->number, devicecall_outcome(outcome_status(&v->outcome)), message);
}

static void
env_add(char **env, size_t *n, const char *name)
{
	const char *value = getenv(name);

	if (value)
		env[(*n)++] = xasprintf("%s=%s", name, value);
}

static void
restart_describe_launch(const struct agent_calls *c, struct launch *l)
{
	static const char *const kept[] = { "PATH", "TZ", "REJOIN_CONFIG_DIR", "REJOIN_STATE_DIR", "REJOIN_RUNTIME_DIR" };
	size_t n = 0;

	l->argv = xcalloc(5, sizeof *l->argv);
	l->argv[0] = xstrdup("rejoin-restart");
	l->argv[1] = xstrdup("-A");
	l->argv[2] = xstrdup(c->spec.profile->name);
	l->argv[3] = xstrdup("--reason=asked by the hub");
	l->env = xcalloc(sizeof kept / sizeof *kept + 1, sizeof *l->env);
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		env_add(l->env, &n, kept[i]);
}

static int
restart_start(struct agent_calls *c, struct fail *f)
{
	_cleanup_free_ char *unit = xasprintf("rejoin-restart-call-%jd.service", (intmax_t)clock_wall_ms());
	const bool is_service = geteuid() == 0 && getenv("INVOCATION_ID") && access("/run/systemd/system", F_OK) == 0;
	const struct supervise_spec spec = { .dir = c->dir, .unit = is_service ? unit : NULL };
	struct launch launch = LAUNCH_INIT;
	struct supervise_view v;
	int r = access(c->dir, F_OK) == 0 ? supervise_examine(c->dir, &v, f) : 0;

	if (r < 0)
		return r;
	if (c->restart || (access(c->dir, F_OK) == 0 && v.state == SUPERVISE_RUNNING))
		return fail_set(f, EXIT_BUSY, "a restart is under way");
	r = file_remove_tree(c->dir);
	if (r < 0 && r != -ENOENT)
		return fail_errno(f, r, "%s", c->dir);
	restart_describe_launch(c, &launch);
	r = supervise_make(c->dir, &launch, JSON_ABSENT, f);
	launch_release(&launch);
	if (r < 0)
		return r;
	c->restart = supervise_start(c->loop, &spec, restart_ended, c, f);
	return c->restart ? 0 : -EIO;
}

/* --- */

void
agent_calls_run(struct agent_calls *c, const char *text)
{
	char method[METHOD_MAX];
	const char *blank = strchr(text, ' ');
	int64_t number;
	struct fail f;
	int r;

	if (!blank || (size_t)(blank - text) >= sizeof method || num_parse(blank + 1, 0, INT64_MAX, &number) < 0)
		return;
	memcpy(method, text, (size_t)(blank - text));
	method[blank - text] = '\0';
	if (!is_allowed(c, method)) {
		outcome_tell(c, method, number, "denied", "not in 'allow' of [hub]");
		return;
	}
	if (strcmp(method, "pause") == 0 || strcmp(method, "resume") == 0) {
		r = modules_pause(c->spec.modules, *method == 'p', &f);
	} else if (strcmp(method, "restart") == 0) {
		r = restart_start(c, &f);
		if (r == 0) {
			c->number = number;
			return;
		}
	} else {
		fail_set(&f, EXIT_DENIED, "no such call of the agent");
		r = -ENOSYS;
	}
	outcome_tell(c, method, number, r < 0 ? devicecall_outcome((int)f.status) : "settled", r < 0 ? f.text : "");
}

struct agent_calls *
agent_calls_new(struct loop *l, const struct agent_calls_spec *spec)
{
	struct agent_calls *c = xcalloc(1, sizeof *c);

	*c = (struct agent_calls){ .loop = l, .spec = *spec, .dir = xasprintf("%s/restart-call", spec->state) };
	return c;
}

void
agent_calls_free(struct agent_calls *c)
{
	if (!c)
		return;
	if (c->restart)
		supervise_forget(c->restart);
	free(c->dir);
	free(c);
}
