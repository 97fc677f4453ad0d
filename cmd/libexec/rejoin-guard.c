/*
 * rejoin-guard - run a program, and at its end leave nothing running that it started.
 *
 *	rejoin-guard GRACE_MS session|group PROGRAM [ARGUMENT...]
 *
 * base/spawn starts it where GUARD is set; people do not.  A descendant that calls
 * setsid(2), clears its environment and loses its parent is found by no group, session
 * or mark.  It is found below a child subreaper, which this is.
 *
 * SIGTERM, and the end of its parent, end the program: SIGTERM to its group, after GRACE_MS SIGKILL
 * to everything below; the rest of it also once the program itself has ended.  A program
 * that ends by itself may leave others running.
 *
 * Ends as the program did, by its status or by its signal.  Descriptor 3 takes the errno,
 * an int, of a program that cannot be run; the status is 126 or 127 then.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/io.h"
#include "base/num.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "supervise/procs.h"

enum { REPORT_FD = 3, GRACE_MAX = 86400000, AGAIN_MS = 20 };

extern char **environ;

/*
 * Our environment, for the program.  The mark is wiped out of ours: what kills by
 * marks (base/procset.h) must leave us the time to kill the rest.
 */
static char **
program_environment(void)
{
	static const char mark[] = "REJOIN_RUN=";
	size_t n = 0;
	char **env;

	while (environ[n])
		n++;
	env = xcalloc(n + 1, sizeof *env);
	for (size_t i = 0; i < n; i++) {
		env[i] = xstrdup(environ[i]);
		if (strncmp(environ[i], mark, sizeof mark - 1) == 0)
			explicit_bzero(environ[i], strlen(environ[i]));
	}
	return env;
}

/* An errno where it cannot be run. */
static int
program_start(char *const *argv, bool session, pid_t *pid)
{
	posix_spawnattr_t at;
	sigset_t none, all;
	char **env;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&at);
	posix_spawnattr_setflags(&at, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
	    (session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP)));
	posix_spawnattr_setsigmask(&at, &none);
	posix_spawnattr_setsigdefault(&at, &all);
	env = program_environment();
	r = posix_spawnp(pid, argv[0], NULL, &at, argv, env);
	for (size_t i = 0; env[i]; i++)
		free(env[i]);
	free(env);
	posix_spawnattr_destroy(&at);
	return r;
}

/* Its pipes are not ours: the other end must see that the program has closed them. */
static void
close_stdio(void)
{
	int fd = open("/dev/null", O_RDWR);

	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* True once PID, with its STATUS, is among the children that have ended. */
static bool
children_reap(pid_t pid, int *status)
{
	bool ended = false;
	int s;

	for (pid_t p; (p = waitpid(-1, &s, WNOHANG)) > 0; )
		if (p == pid) {
			*status = s;
			ended = true;
		}
	return ended;
}

/* Wait for the program's end, or end it; its status. */
static int
program_await(pid_t pid, int64_t grace_ms)
{
	int64_t kill_ms = 0, left;	/* 0: it is not to end yet */
	int status = 0;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	while (!children_reap(pid, &status)) {
		struct timespec t = { .tv_sec = 3600 };
		int signo;

		if (kill_ms) {
			left = kill_ms - clock_mono_ms();
			if (left <= 0)
				procs_kill_below(getpid());
			left = left > 0 ? left : AGAIN_MS;
			t = (struct timespec){ .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
		}
		signo = sigtimedwait(&set, NULL, &t);
		if (signo != SIGTERM || kill_ms)
			continue;
		kill_ms = clock_mono_ms() + grace_ms;
		kill(-pid, SIGTERM);
		/* a stopped process takes no SIGTERM until it continues */
		kill(-pid, SIGCONT);
	}
	while (kill_ms && procs_kill_below(getpid()) > 0)
		clock_sleep_ms(AGAIN_MS);
	children_reap(pid, &status);	/* zombies of others would be left to a process 1 that may not wait for them */
	return status;
}

int
main(int argc, char *argv[])
{
	const pid_t parent = getppid();
	sigset_t all;
	int64_t grace_ms;
	pid_t pid;
	int r, status;

	diag_init(argv);
	if (argc < 4 || num_parse(argv[1], 0, GRACE_MAX, &grace_ms) < 0)
		die(EXIT_USAGE, 0, "usage: rejoin-guard GRACE_MS session|group PROGRAM [ARGUMENT...]");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (getppid() != parent)
		return EXIT_TROUBLE;
	fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC);
	r = program_start(argv + 3, *argv[2] == 's', &pid);
	if (r != 0) {
		(void)!io_write_all(REPORT_FD, &r, sizeof r);
		return r == ENOENT ? SPAWN_NOT_FOUND : SPAWN_CANNOT_RUN;
	}
	close(REPORT_FD);
	close_stdio();
	status = program_await(pid, grace_ms);
	if (WIFSIGNALED(status)) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		signal(WTERMSIG(status), SIG_DFL);
		sigemptyset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
		raise(WTERMSIG(status));
	}
	return WEXITSTATUS(status);
}
