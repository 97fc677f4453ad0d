/* What the kernel says of a process, also of one with an awkward name, and of one that has ended. */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/procstat.h"

static void
check_name(const char *name)
{
	int ready[2];
	struct procstat s;
	siginfo_t ended;
	pid_t pid;
	char c;

	assert(pipe(ready) == 0 && (pid = fork()) >= 0);
	if (pid == 0) {
		prctl(PR_SET_NAME, name);
		_exit(write(ready[1], "", 1) == 1 ? pause() : 1);
	}
	assert(read(ready[0], &c, 1) == 1);
	assert(procstat_read_alive(pid, &s) == 0 && strcmp(s.command, name) == 0);
	assert(s.parent == getpid() && s.session == getsid(0) && s.start > 0 && strchr("RS", s.state));

	kill(pid, SIGKILL);
	assert(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT) == 0);
	assert(procstat_read(pid, &s) == 0 && s.state == 'Z' && s.parent == getpid());
	assert(procstat_read_alive(pid, &s) == -ESRCH);
	assert(waitpid(pid, NULL, 0) == pid);
	assert(procstat_read(pid, &s) == -ESRCH && s.state == '\0');
	close(ready[0]);
	close(ready[1]);
}

int
main(void)
{
	static const char *const names[] = { "plain", ") Z 1 2 3 4", "(((", "a b) S 7 7 7", "\n)\t" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		check_name(names[i]);
	return 0;
}
