#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "agent/process.h"
#include "agent/process_view.h"
#include "agent/status.h"
#include "base/io.h"
#include "restart/last.h"
#include "restart/pidfile.h"

static int
find_process(const struct profile *p, pid_t *pid, struct fail *f)
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

static int
set_wrong_program(const struct profile *p, const struct fail *why, struct fail *f)
{
	return fail_set(f, EXIT_DENIED, "%s: %s: correct [restart] exe, or end that process", p->file,
	    why->text);
}

/*
 * Does the pid of L belong to another process by now: 1, 0, or an error.  A removed
 * program (-ESTALE) does not tell; then the age of the pid file decides.
 */
static int
is_reused(const struct profile *p, const struct instance_state *l, struct fail *f)
{
	struct restart_last last;
	struct fail wrong;
	int exe = p->restart.exe ? process_check_exe(l->pid, p->restart.exe, &wrong) : 0, age;

	if (exe == -ESRCH || exe == -ENOENT)
		return 1;
	if (exe < 0 && exe != -ENOEXEC && exe != -ESTALE) {
		*f = wrong;
		return exe;
	}
	if (!p->restart.pid_file)
		return exe == -ENOEXEC ? set_wrong_program(p, &wrong, f) : 0;
	/* the instance that the last restart ended with is known, whatever the clock did since */
	if (exe == 0 && restart_last_read(p, &last) == 0 && strcmp(last.incarnation, l->name) == 0)
		return 0;
	age = process_check_age(l->pid, p->restart.pid_file, p->restart.exe && exe == 0, f);
	if (age == -ESRCH || (age == -ESTALE && exe < 0))
		return 1;
	return age == 0 && exe == -ENOEXEC ? set_wrong_program(p, &wrong, f) : age;
}

static int
set_absent(struct instance_state *l)
{
	*l = (struct instance_state){ .began_ms = -1, .text = "not running" };
	return 0;
}

/* There is no process PID in /proc: there is none, if /proc shows all that it could be. */
static int
set_unseen(const struct profile *p, pid_t pid, struct instance_state *l, struct fail *f)
{
	const bool is_locked = !p->restart.pid_file && p->status.method == STATUS_FILE;	/* so it runs */
	const enum process_view view = process_view_read();
	_cleanup_fd_ int fd = view == PROCESS_VIEW_OWN ? pidfd_open(pid, 0) : -1;

	if (fd < 0 && (!is_locked || view == PROCESS_VIEW_ALL))
		return set_absent(l);
	fail_set(f, EXIT_TROUBLE, "%s: process %jd runs, and cannot be inspected: %s", p->name, (intmax_t)pid,
	    process_view_limit(view));
	fail_hint(f, "run rejoin-restart %s", view == PROCESS_VIEW_OWN ? "as root" : "in the pid namespace of the agent");
	return -EXDEV;
}

int
pidfile_inspect(const struct profile *p, int64_t end_ms, struct instance_state *l, struct fail *f)
{
	pid_t pid = 0;
	int r = find_process(p, &pid, f);

	(void)end_ms;
	if (r < 0)
		return f->status == EXIT_ABSENT ? set_absent(l) : r;
	r = instance_state_of_process(pid, l);
	if (r == -ESRCH)
		return set_unseen(p, pid, l, f);
	/* what cannot be read may run: to take it for absent would start a second agent */
	if (r < 0)
		return fail_errno(f, r, "%s: process %jd", p->name, (intmax_t)pid);
	r = is_reused(p, l, f);
	return r > 0 ? set_absent(l) : r;
}

int
pidfile_check(const struct profile *p, pid_t pid, const struct instance_state *l, struct fail *f)
{
	struct instance_state now;
	int r = instance_state_of_process(pid, &now);

	if (r < 0)
		return r;
	if (strcmp(now.name, l->name) != 0)
		return fail_set(f, EXIT_DENIED, "process %jd: its pid was used again", (intmax_t)pid);
	r = p->restart.exe ? process_check_exe(pid, p->restart.exe, f) : 0;
	return r == -ESTALE ? 0 : r;
}
