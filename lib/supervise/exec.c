#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "supervise/exec.h"

extern char **environ;

enum { USER_GROUPS_MAX = 256, EXIT_NOT_RELEASED = 125 };

static char default_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* All that needs memory or may be refused, found before the fork. */
struct exec_plan {
	const struct exec_spec *spec;
	const struct launch *launch;
	int in_fd, program_fd;
	char **env, *mark;
	bool has_user;
	uid_t uid;
	gid_t gid, groups[USER_GROUPS_MAX];
	int n_groups;
	pid_t shim;
};

static int
find_user(struct exec_plan *p, struct fail *f)
{
	const struct passwd *pw;

	if (!p->launch->user)
		return 0;
	errno = 0;
	pw = getpwnam(p->launch->user);
	if (!pw)
		return fail_set(f, EXIT_USAGE, "%s: no such user", p->launch->user);
	p->has_user = true;
	p->uid = pw->pw_uid;
	p->gid = pw->pw_gid;
	p->n_groups = USER_GROUPS_MAX;
	if (getgrouplist(p->launch->user, p->gid, p->groups, &p->n_groups) < 0)
		return fail_set(f, EXIT_TROUBLE, "%s: a member of more than %d groups", p->launch->user,
		    USER_GROUPS_MAX);
	return 0;
}

static int
open_program(struct exec_plan *p, struct fail *f)
{
	struct stat st;

	if (!p->launch->program)
		return 0;
	p->program_fd = open(p->launch->program, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (p->program_fd < 0 || fstat(p->program_fd, &st) < 0)
		return fail_errno(f, errno, "%s", p->launch->program);
	if (st.st_dev != p->launch->program_dev || st.st_ino != p->launch->program_ino)
		return fail_set(f, EXIT_DENIED, "%s: is not the file that was checked", p->launch->program);
	return 0;
}

static int
open_stdin(struct exec_plan *p, struct fail *f)
{
	const char *name = p->launch->stdin_name;

	if (p->launch->inherit && !name)
		return 0;
	p->in_fd = name ? openat(p->spec->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) :
	    open("/dev/null", O_RDONLY | O_CLOEXEC);
	return p->in_fd < 0 ? fail_errno(f, errno, "%s", name ? name : "/dev/null") : 0;
}

static size_t
count_strings(char **v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

/* Is the variable of ENTRY, "NAME=VALUE", among those of ENV? */
static bool
is_set(char **env, const char *entry)
{
	const size_t n = strcspn(entry, "=");

	for (char **e = env; e && *e; e++)
		if (strncmp(*e, entry, n) == 0 && (*e)[n] == '=')
			return true;
	return false;
}

static void
make_environment(struct exec_plan *p)
{
	char **outer = p->launch->inherit_env ? environ : NULL;
	size_t n = 0;

	p->env = xcalloc(count_strings(outer) + count_strings(p->launch->env) + 3, sizeof *p->env);
	if (!p->launch->env && !outer)
		p->env[n++] = default_path;
	for (char **e = outer; e && *e; e++)
		if (strncmp(*e, "REJOIN_RUN=", 11) != 0 && !is_set(p->launch->env, *e))
			p->env[n++] = *e;
	for (char **e = p->launch->env; e && *e; e++)
		if (strncmp(*e, "REJOIN_RUN=", 11) != 0)
			p->env[n++] = *e;
	p->mark = xasprintf("REJOIN_RUN=%s", p->spec->mark);
	p->env[n] = p->mark;
}

static void
plan_release(struct exec_plan *p)
{
	io_closep(&p->in_fd);
	io_closep(&p->program_fd);
	free(p->env);
	free(p->mark);
}

/* --- in the child; nothing here returns to the shim's own code */

/* What the shim ignores or catches is not for the command. */
static void
reset_dispositions(void)
{
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
}

/* A signal that came since the fork ends the child now, as it would have ended the command. */
static void
unblock_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
reset_oom_score(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!write(fd, "0", 1);
		close(fd);
	}
}

static int
place_descriptors(const struct exec_plan *p)
{
	if (p->in_fd >= 0 && dup2(p->in_fd, 0) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		if (p->spec->out[i] >= 0 && dup2(p->spec->out[i], i + 1) < 0)
			return -errno;
	return 0;
}

static int
set_limits(const struct launch *l)
{
	for (int i = 0; i < l->n_limits; i++) {
		const rlim_t n = (rlim_t)l->limits[i].value;
		const struct rlimit limit = { n, n };

		if (setrlimit((__rlimit_resource_t)l->limits[i].resource, &limit) < 0)
			return -errno;
	}
	return 0;
}

static int
become_user(const struct exec_plan *p)
{
	if (p->has_user && (p->uid != geteuid() || p->gid != getegid())) {
		if (setgroups((size_t)p->n_groups, p->groups) < 0 || setresgid(p->gid, p->gid, p->gid) < 0 ||
		    setresuid(p->uid, p->uid, p->uid) < 0)
			return -errno;
	}
	if (!p->launch->new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* after the change of user, which would clear it */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != p->shim)
		_exit(EXIT_NOT_RELEASED);
	umask(022);
	if (!p->launch->cwd && p->launch->inherit_env)
		return 0;	/* the shim is still where it was started */
	return chdir(p->launch->cwd ? p->launch->cwd : "/") < 0 ? -errno : 0;
}

static int
execute_command(const struct exec_plan *p)
{
	environ = p->env;
	if (p->program_fd < 0) {
		execvp(p->launch->argv[0], p->launch->argv);
		return -errno;
	}
	fexecve(p->program_fd, p->launch->argv, p->env);
	if (errno != ENOENT)
		return -errno;
	/* a script: its interpreter opens it again, by descriptor */
	fcntl(p->program_fd, F_SETFD, 0);
	fexecve(p->program_fd, p->launch->argv, p->env);
	return -errno;
}

static void NORETURN
run_child(const struct exec_plan *p, int go_fd, int error_fd)
{
	char go;
	int r;

	reset_dispositions();
	setsid();
	if (io_read(go_fd, &go, 1) != 1)
		_exit(EXIT_NOT_RELEASED);	/* the shim is gone, and nothing was executed */
	unblock_signals();
	reset_oom_score();
	r = place_descriptors(p);
	if (r == 0)
		r = set_limits(p->launch);
	if (r == 0)
		r = become_user(p);
	if (r == 0)
		r = execute_command(p);
	r = -r;
	(void)!write(error_fd, &r, sizeof r);
	_exit(r == ENOENT ? SPAWN_NOT_FOUND : SPAWN_CANNOT_RUN);
}

static int
fork_child(const struct exec_plan *p, struct exec_child *c)
{
	int go[2], err[2], r = 0;
	sigset_t all, before;

	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(err, O_CLOEXEC | O_NONBLOCK) < 0) {
		r = -errno;
		close(go[0]);
		close(go[1]);
		return r;
	}
	/* a signal to the child is lost while it has the shim's dispositions: it is to wait until they are reset */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	c->pid = fork();
	if (c->pid == 0) {
		close(go[1]);
		run_child(p, go[0], err[1]);
	}
	if (c->pid < 0)
		r = -errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(go[0]);
	close(err[1]);
	c->go_fd = go[1];
	c->error_fd = err[0];
	if (r < 0) {
		close(go[1]);
		close(err[0]);
	}
	return r;
}

int
exec_prepare(const struct exec_spec *spec, struct exec_child *c, struct fail *f)
{
	struct exec_plan p = { .spec = spec, .launch = spec->launch, .in_fd = -1, .program_fd = -1,
	    .shim = getpid() };
	int r = find_user(&p, f);

	if (r == 0)
		r = open_program(&p, f);
	if (r == 0)
		r = open_stdin(&p, f);
	if (r == 0) {
		make_environment(&p);
		r = fork_child(&p, c);
		if (r < 0)
			fail_errno(f, r, "fork");
	}
	plan_release(&p);
	return r;
}

void
exec_release(struct exec_child *c)
{
	(void)!io_write(c->go_fd, "g", 1);
	close(c->go_fd);
}

void
exec_cancel(struct exec_child *c)
{
	close(c->go_fd);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
