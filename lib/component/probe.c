#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "component/probe.h"

enum { GRACE_MS = 100 };

struct probe {
	struct probe_pool *owner;
	struct spawn *spawn;	/* while it runs */
	struct json argv;
	probe_done *done;
	void *cookie;
	struct probe *next;	/* of those that wait */
};

struct probe_pool {
	struct loop *loop;
	int64_t timeout_ms;
	struct probe *first, **last;		/* waiting */
	struct probe *running[PROBE_POOL_SIZE];
	size_t n_running, n_started;
};

static void
probe_free(struct probe *p)
{
	json_release(&p->argv);
	free(p);
}

struct probe_pool *
probe_pool_new(struct loop *l, int64_t timeout_ms)
{
	struct probe_pool *ps = xcalloc(1, sizeof *ps);

	ps->loop = l;
	ps->timeout_ms = timeout_ms > 0 ? timeout_ms : PROBE_TIMEOUT_MS;
	ps->last = &ps->first;
	return ps;
}

/* The first line of what it said on stderr, after what became of it. */
static void
failure_describe(const struct spawn_result *r, int64_t timeout_ms, struct buf *reason)
{
	size_t n = strcspn(r->err.s, "\n");

	buf_puts(reason, "the probe ");
	if (r->timed_out)
		buf_printf(reason, "did not end within %jd ms", (intmax_t)timeout_ms);
	else
		spawn_describe(r, reason);
	if (n > 0)
		buf_printf(reason, ": %.*s", n > 200 ? 200 : (int)n, r->err.s);
}

/* What it printed; false with a reason where that is no object. */
static bool
read_members(const struct spawn_result *r, struct json *members, struct buf *reason)
{
	struct fail f;

	if (r->out.s[strspn(r->out.s, " \t\r\n")] == '\0' && strlen(r->out.s) == r->out.len)
		return true;
	if (r->out_lost > 0)
		buf_printf(reason, "the probe printed more than %d bytes", FILE_DATA_MAX);
	else if (json_parse("what the probe printed", r->out.s, r->out.len, members, &f) < 0)
		buf_puts(reason, f.text);
	else if (!json_is_object(*members))
		buf_printf(reason, "what the probe printed is %s, not an object",
		    json_kind_name(*members));
	return reason->len == 0;
}

static void probes_launch(struct probe_pool *ps);

static void
on_exited(const struct spawn_result *r, void *cookie)
{
	struct probe *p = cookie;
	struct probe_pool *ps = p->owner;
	_cleanup_json_ struct json members = JSON_ABSENT;
	_cleanup_buf_ struct buf reason = BUF_INIT;
	enum component_state state = COMPONENT_UNREADABLE;
	size_t i = 0;

	while (ps->running[i] != p)
		i++;
	ps->running[i] = ps->running[--ps->n_running];
	probes_launch(ps);
	if (r->status != 0 || r->timed_out) {
		failure_describe(r, ps->timeout_ms, &reason);
		if (r->status == 1 && !r->timed_out)
			state = COMPONENT_OFFLINE;
	} else if (read_members(r, &members, &reason)) {
		state = COMPONENT_ONLINE;
	} else {
		json_release(&members);
	}
	p->done(state, members, reason.len > 0 ? reason.s : NULL, p->cookie);
	probe_free(p);
}

static void
probe_start(struct probe_pool *ps, struct probe *p)
{
	const size_t n = json_count(p->argv);
	_cleanup_free_ char **argv = xcalloc(n + 1, sizeof *argv);
	/* an address is not had twice at a time; the dot ends the number, since prefixes count */
	_cleanup_free_ char *mark = xasprintf("probe.%d.%p.%zu.", (int)getpid(), (void *)ps,
	    ps->n_started++);
	const struct spawn_spec spec = {
		.argv = argv, .mark = mark, .timeout_ms = ps->timeout_ms,
		.grace_ms = GRACE_MS, .out_max = FILE_DATA_MAX, .guard = true,
	};

	for (size_t i = 0; i < n; i++) {
		struct json v = json_at(p->argv, i);

		argv[i] = xstrdup(json_get_string(v));
		json_release(&v);
	}
	ps->running[ps->n_running++] = p;
	p->spawn = spawn_start(ps->loop, &spec, on_exited, p);
	for (size_t i = 0; i < n; i++)
		free(argv[i]);
}

static void
probes_launch(struct probe_pool *ps)
{
	while (ps->first && ps->n_running < PROBE_POOL_SIZE) {
		struct probe *p = ps->first;

		ps->first = p->next;
		if (!ps->first)
			ps->last = &ps->first;
		probe_start(ps, p);
	}
}

void
probe_pool_add(struct probe_pool *ps, struct json argv, probe_done *done, void *cookie)
{
	struct probe *p = xcalloc(1, sizeof *p);

	*p = (struct probe){ .owner = ps, .argv = json_copy(argv), .done = done, .cookie = cookie };
	*ps->last = p;
	ps->last = &p->next;
	probes_launch(ps);
}

void
probe_pool_free(struct probe_pool *ps)
{
	if (!ps)
		return;
	for (size_t i = 0; i < ps->n_running; i++) {
		spawn_kill(ps->running[i]->spawn);
		probe_free(ps->running[i]);
	}
	while (ps->first) {
		struct probe *p = ps->first;

		ps->first = p->next;
		probe_free(p);
	}
	free(ps);
}
