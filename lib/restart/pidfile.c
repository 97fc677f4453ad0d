#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/process.h"
#include "agent/status.h"
#include "restart/last.h"
#include "restart/pidfile.h"

static int
find(const struct profile *p, pid_t *pid, struct fail *f)
{
	struct status s;
	int r;

	if (p->restart.pid_file || p->status.method != STATUS_FILE)
		return process_find(p, p->restart.pid_file, pid, f);
	r = status_read(p, &s, f);
	if (r < 0)
		return r;
	if (s.running != 1 || s.pid < 2)
		return fail_set(f, EXIT_ABSENT, "%s: not running", p->name);
	*pid = s.pid;
	return 0;
}

/* A number used again: 1 where L is the life of something else, 0, or an error. */
static int
is_another(const struct profile *p, const struct instance_state *l, struct fail *f)
{
	struct restart_last last;
	int r = p->restart.exe ? process_check_exe(l->pid, p->restart.exe, f) : 0;

	if (r < 0)
		return r == -ENOEXEC || r == -ESRCH || r == -ENOENT ? 1 : r;
	if (!p->restart.pid_file)
		return 0;
	/* whom we saw come back is known, however the clock was set since */
	if (restart_last_read(p, &last) == 0 && strcmp(last.incarnation, l->name) == 0)
		return 0;
	r = process_check_age(l->pid, p->restart.pid_file, f);
	return r == -ESRCH ? 1 : r;
}

static int
nobody(struct instance_state *l)
{
	*l = (struct instance_state){ .began_ms = -1, .text = "not running" };
	return 0;
}

int
pidfile_inspect(const struct profile *p, int64_t end_ms, struct instance_state *l, struct fail *f)
{
	pid_t pid = 0;
	int r = find(p, &pid, f);

	(void)end_ms;
	if (r < 0)
		return f->status == EXIT_ABSENT ? nobody(l) : r;
	if (instance_state_of_process(pid, l) < 0)
		return nobody(l);
	r = is_another(p, l, f);
	return r > 0 ? nobody(l) : r;
}

int
pidfile_check(const struct profile *p, pid_t pid, const struct instance_state *l, struct fail *f)
{
	struct instance_state now;
	int r = instance_state_of_process(pid, &now);

	if (r < 0)
		return r;
	if (strcmp(now.name, l->name) != 0)
		return fail_set(f, EXIT_DENIED, "process %jd is another by now", (intmax_t)pid);
	return p->restart.exe ? process_check_exe(pid, p->restart.exe, f) : 0;
}
