#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "deploy/forked.h"

enum { GRACE_MS = 100 };

/* Shared with the child; the caller's bytes follow. */
struct head {
	struct fail fail;
	max_align_t bytes[];
};

struct forked {
	struct loop *loop;
	struct loop_child *child;
	const char *what;
	struct head *head;
	size_t mapped;
	forked_done *done;
	void *cookie;
};

/* In the child: none of our descriptors, default signals, and it ends with us. */
static void
become_child(pid_t parent)
{
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* locks among them: they must not outlive the agent */
	close_range(3, ~0U, 0);
}

static void
child_ended(const struct loop_child_end *e, void *cookie)
{
	struct forked *j = cookie;
	struct fail f = j->head->fail;
	const bool ok = e->status == 0 && !e->ended;

	f.text[sizeof f.text - 1] = f.hint[sizeof f.hint - 1] = '\0';
	if (e->signo)
		fail_set(&f, EXIT_TROUBLE, "%s: killed by signal %d", j->what, e->signo);
	else if (!ok && !*f.text)
		fail_set(&f, EXIT_TROUBLE, "%s: exited with %d", j->what, e->status);
	j->done(j->head->bytes, ok ? NULL : &f, j->cookie);
	munmap(j->head, j->mapped);
	free(j);
}

struct forked *
forked_start(struct loop *l, const char *what, forked_fn *fn, const void *arg, size_t size,
    forked_done *done, void *cookie, struct fail *f)
{
	const size_t mapped = sizeof(struct head) + size;
	const pid_t parent = getpid();
	struct head *head = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct forked *j;
	pid_t pid;

	if (head == MAP_FAILED) {
		fail_errno(f, errno, "%s", what);
		return NULL;
	}
	memcpy(head->bytes, arg, size);
	pid = fork();
	if (pid == 0) {
		become_child(parent);
		_exit(fn(head->bytes, &head->fail) < 0);
	}
	if (pid < 0) {
		fail_errno(f, errno, "fork");
		munmap(head, mapped);
		return NULL;
	}
	setpgid(pid, pid);
	j = xcalloc(1, sizeof *j);
	*j = (struct forked){ .loop = l, .what = what, .head = head, .mapped = mapped, .done = done, .cookie = cookie };
	j->child = loop_child_add(l, &(struct loop_child_spec){ .pid = pid, .grace_ms = GRACE_MS }, child_ended, j);
	if (j->child)
		return j;
	fail_errno(f, errno, "pidfd_open");
	munmap(head, mapped);
	free(j);
	return NULL;
}

const void *
forked_shared(const struct forked *j)
{
	return j->head->bytes;
}

void
forked_end(struct forked *j)
{
	loop_child_end(j->child);
}
