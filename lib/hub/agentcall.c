#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/fifo.h"
#include "agent/status.h"
#include "base/clock.h"
#include "base/filewatch.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "hub/agentcall.h"

/* A restart waits for an idle agent, and for the new one to be ready. */
enum { FRAME = 64, ANSWER_MS = 10000, RESTART_MS = 120000, POLL_MS = 1000 };

struct agentcall {
	struct loop *loop;
	const struct profile *profile;
	char *prefix;			/* of `call` in the status: "METHOD NUMBER " */
	char incarnation[STATUS_TEXT];	/* before a restart; else empty */
	int fd;				/* of the pipe: an agent that opens it again still reads the frame */
	struct filewatch *filewatch;
	struct loop_timer check, deadline;
	agentcall_fn *fn;
	void *cookie;
};

static void
call_end(struct agentcall *a, const char *outcome, const char *details)
{
	agentcall_fn *fn = a->fn;
	void *cookie = a->cookie;

	agentcall_free(a);
	fn(outcome, details, cookie);
}

static bool
has_restarted(const struct agentcall *a, const struct status *s)
{
	return *a->incarnation && s->running == 1 && *s->incarnation && strcmp(s->incarnation, a->incarnation) != 0 &&
	    s->state != AGENT_UNKNOWN && s->state != AGENT_STARTING && s->state != AGENT_STOPPED;
}

/* Called by a timer: a filewatch is not freed within its own call. */
static void
on_check(void *cookie)
{
	struct agentcall *a = cookie;
	const size_t n = strlen(a->prefix);
	struct status s = { .running = -1 };
	struct fail ignored;
	char *outcome, *details;

	if (status_read(a->profile, &s, &ignored) < 0)
		return;
	if (has_restarted(a, &s)) {
		call_end(a, "settled", s.incarnation);
	} else if (strncmp(s.call, a->prefix, n) == 0) {
		outcome = s.call + n;
		details = outcome + strcspn(outcome, " ");
		if (*details)
			*details++ = '\0';
		call_end(a, outcome, details);
	}
}

static void
on_status(bool names, void *cookie)
{
	struct agentcall *a = cookie;

	(void)names;
	loop_timer_set(a->loop, &a->check, 0);
}

static void
on_deadline(void *cookie)
{
	struct agentcall *a = cookie;

	call_end(a, "unknown", *a->incarnation ? "no new incarnation of the agent was seen in time" :
	    "the agent has not answered in time");
}

/* The frame: the pipe takes all of it, or nothing. */
static int
frame_write(int fd, const struct profile *p, const char *prefix, struct fail *f)
{
	char frame[FRAME] = "";
	ssize_t n;

	snprintf(frame, sizeof frame, "%s %s", p->retry.call_command, prefix);
	frame[strlen(frame) - 1] = '\0';	/* the blank */
	n = io_write(fd, frame, sizeof frame);
	if (n == -EAGAIN)
		return fail_set(f, EXIT_BUSY, "%s: the pipe is full, and %s does not read", p->retry.path, p->name), -EAGAIN;
	return n < 0 ? fail_errno(f, (int)n, "%s", p->retry.path) : 0;
}

struct agentcall *
agentcall_start(struct loop *l, const struct profile *p, const char *method, agentcall_fn *fn, void *cookie,
    struct fail *f)
{
	const bool is_restart = strcmp(method, "restart") == 0;
	struct agentcall *a;
	struct status s = { .running = -1 };
	int fd = status_read(p, &s, f);

	if (fd == 0)
		fd = fifo_open(p, f);
	if (fd < 0)
		return NULL;
	a = xcalloc(1, sizeof *a);
	*a = (struct agentcall){ .loop = l, .profile = p, .prefix = xasprintf("%s %jd ", method, (intmax_t)clock_wall_ms()),
		.fd = fd, .check = { .fn = on_check, .cookie = a }, .deadline = { .fn = on_deadline, .cookie = a }, .fn = fn, .cookie = cookie };
	if (is_restart)
		memcpy(a->incarnation, s.incarnation, sizeof a->incarnation);
	if (frame_write(fd, p, a->prefix, f) < 0) {
		agentcall_free(a);
		return NULL;
	}
	a->filewatch = filewatch_new(l, POLL_MS);
	filewatch_add(a->filewatch, p->status.path, FILEWATCH_PATH, on_status, a);
	loop_timer_set(l, &a->check, 0);
	loop_timer_set(l, &a->deadline, is_restart ? RESTART_MS : ANSWER_MS);
	return a;
}

void
agentcall_free(struct agentcall *a)
{
	if (!a)
		return;
	loop_timer_stop(a->loop, &a->check);
	loop_timer_stop(a->loop, &a->deadline);
	filewatch_free(a->filewatch);
	io_closep(&a->fd);
	free(a->prefix);
	free(a);
}
