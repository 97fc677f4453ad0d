#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "hub/resolver.h"

struct resolver {
	struct loop *loop;
	struct loop_child *child;
	int fd;
	struct buf answer;
	resolver_fn *fn;
	void *cookie;
};

/* In the child: "+ADDRESS" or "-REASON" into FD. */
static void
resolve(const char *host, unsigned int attempt, int fd)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *all = NULL, *one;
	char address[RESOLVER_ADDRESS];
	unsigned int n = 0;
	int r = getaddrinfo(host, NULL, &hints, &all);

	for (one = all; one; one = one->ai_next)
		n++;
	one = all;
	for (unsigned int i = n ? attempt % n : 0; i > 0 && one; i--)
		one = one->ai_next;
	if (r == 0 && one)
		r = getnameinfo(one->ai_addr, one->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST);
	if (r == 0 && one)
		dprintf(fd, "+%s", address);
	else
		dprintf(fd, "-%s", r ? gai_strerror(r) : "no address");
	_exit(0);
}

static void
resolver_free(struct resolver *r)
{
	if (r->fd >= 0)
		close(r->fd);
	buf_release(&r->answer);
	free(r);
}

static void
on_end(const struct loop_child_end *e, void *cookie)
{
	struct resolver *r = cookie;
	resolver_fn *fn = r->fn;
	void *mine = r->cookie;
	struct buf answer = BUF_INIT;

	(void)e;
	while (io_read_buf(r->fd, &r->answer) > 0)
		;
	buf_add(&answer, r->answer.s, r->answer.len);
	resolver_free(r);
	if (answer.len > 1 && answer.s[0] == '+')
		fn(answer.s + 1, NULL, mine);
	else
		fn(NULL, answer.len > 1 ? answer.s + 1 : "the resolver was killed", mine);
	buf_release(&answer);
}

struct resolver *
resolver_start(struct loop *l, const char *host, unsigned int attempt, resolver_fn *fn, void *cookie)
{
	struct resolver *r = xcalloc(1, sizeof *r);
	int p[2];
	pid_t pid;

	*r = (struct resolver){ .loop = l, .fd = -1, .answer = BUF_INIT, .fn = fn, .cookie = cookie };
	if (pipe2(p, O_CLOEXEC) < 0) {
		free(r);
		return NULL;
	}
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		signal(SIGTERM, SIG_DFL);
		resolve(host, attempt, p[1]);
	}
	close(p[1]);
	r->fd = p[0];
	if (pid > 0)
		setpgid(pid, pid);
	r->child = pid < 0 ? NULL : loop_child_add(l, &(struct loop_child_spec){ .pid = pid, .grace_ms = 100 }, on_end, r);
	if (!r->child) {
		close(r->fd);
		free(r);
		return NULL;
	}
	return r;
}

void
resolver_cancel(struct resolver *r)
{
	if (!r)
		return;
	loop_child_kill(r->child);
	resolver_free(r);
}
