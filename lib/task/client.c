#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/http_response.h"
#include "base/io.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "task/client.h"

enum { BODY_MAX = 8 << 20, REAP_MS = 1000, CONNECTIONS = 2, CONNECT_MS = 15000 };

extern char **environ;

struct client {
	struct loop *loop;
	struct http *http;
	char *socket;
	/* over ssh: libcurl connects to a socket of ours, and each connection becomes a child's stdin and stdout */
	char *dir, *host, *port;
	int listen_fd;
	int64_t connected_ms;		/* when the last of these connections was begun */
	pid_t *children;
	size_t n, cap;
	struct loop_timer reap;
};

struct client_request {
	struct client *client;
	struct http_transfer *transfer;
	int64_t begun_ms;
	struct loop_timer due;		/* over ssh: its time is over, but for that of a new connection */
	client_done *done;
	void *cookie;
};

/* --- over ssh */

static void
reap_children(void *cookie)
{
	struct client *c = cookie;
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (waitpid(c->children[i], NULL, WNOHANG) == 0)
			c->children[n++] = c->children[i];
	c->n = n;
	if (n > 0)
		loop_timer_set(c->loop, &c->reap, REAP_MS);
}

/* Without our terminal's signals: Ctrl-C is for the task, not for the connection. */
static int
start_ssh(struct client *c, int fd, pid_t *pid)
{
	const char *argv[16] = { "ssh", "-T", "-e", "none", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15" };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none, dfl;
	int n = 8, r;

	if (c->port) {
		argv[n++] = "-p";
		argv[n++] = c->port;
	}
	argv[n++] = "--";
	argv[n++] = c->host;
	argv[n++] = "rejoin-taskd";
	argv[n++] = "--dial";
	sigemptyset(&none);
	sigfillset(&dfl);
	posix_spawnattr_init(&at);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&at, &none);
	posix_spawnattr_setsigdefault(&at, &dfl);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, fd, 0);
	posix_spawn_file_actions_adddup2(&fa, fd, 1);
	r = posix_spawnp(pid, "ssh", &fa, &at, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&at);
	return -r;
}

static void
connection_wanted(int listen_fd, short events, void *cookie)
{
	struct client *c = cookie;
	_cleanup_fd_ int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	pid_t pid;

	(void)events;
	if (fd < 0 || start_ssh(c, fd, &pid) < 0)
		return;		/* the connection is closed: the request fails */
	c->children = xgrow(c->children, c->n, &c->cap, sizeof *c->children);
	c->children[c->n++] = pid;
	c->connected_ms = clock_mono_ms();
	loop_timer_set(c->loop, &c->reap, REAP_MS);
}

static int
listen_for_curl(struct client *c, const struct target *t, struct fail *f)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *tmp = getenv("TMPDIR");

	c->dir = xasprintf("%s/rejoin-task.XXXXXX", tmp && *tmp == '/' && strlen(tmp) < 60 ? tmp : "/tmp");
	if (!mkdtemp(c->dir)) {
		free(TAKE_PTR(c->dir));
		return fail_errno(f, errno, "temporary directory");
	}
	c->socket = xasprintf("%s/socket", c->dir);
	c->host = xstrdup(t->host);
	c->port = t->port ? xstrdup(t->port) : NULL;
	memcpy(a.sun_path, c->socket, strlen(c->socket));
	c->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listen_fd < 0 || bind(c->listen_fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(c->listen_fd, 16) < 0)
		return fail_errno(f, errno, "%s", c->socket);
	loop_watch(c->loop, c->listen_fd, POLLIN, connection_wanted, c);
	return 0;
}

/* --- requests */

struct client *
client_new(struct loop *l, const struct target *t, struct fail *f)
{
	struct client *c = xcalloc(1, sizeof *c);

	*c = (struct client){ .loop = l, .listen_fd = -1 };
	c->reap = (struct loop_timer){ .fn = reap_children, .cookie = c };
	c->http = http_new(l);
	http_limit(c->http, CONNECTIONS);
	if (t->socket)
		c->socket = xstrdup(t->socket);
	else if (listen_for_curl(c, t, f) < 0) {
		client_free(c);
		return NULL;
	}
	return c;
}

void
client_free(struct client *c)
{
	if (!c)
		return;
	http_free(c->http);	/* its connections close, and the children end */
	loop_timer_stop(c->loop, &c->reap);
	if (c->listen_fd >= 0)
		loop_unwatch(c->loop, c->listen_fd);
	io_closep(&c->listen_fd);
	for (size_t i = 0; i < c->n; i++) {
		kill(c->children[i], SIGTERM);
		waitpid(c->children[i], NULL, 0);
	}
	if (c->dir) {
		unlink(c->socket);
		rmdir(c->dir);
	}
	free(c->children);
	free(c->dir);
	free(c->host);
	free(c->port);
	free(c->socket);
	free(c);
}

static void
on_response(const struct http_response *r, const struct fail *f, void *cookie)
{
	struct client_request *q = cookie;
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct client_answer a = { .f = f, .r = r, .status = f ? 0 : r->status };
	const char *type = f ? NULL : http_response_header(r, "Content-Type");
	struct fail ignored, denied;

	/* libcurl does not tell it from a socket that nothing listens on */
	if (f && f->status == EXIT_ABSENT && access(q->client->socket, W_OK) < 0 && errno == EACCES) {
		fail_errno(&denied, EACCES, "%s", q->client->socket);
		a.f = &denied;
	}
	if (type && strcmp(type, "application/json") == 0)
		json_parse(NULL, r->body.s, r->body.len, &v, &ignored);
	a.v = v;
	loop_timer_stop(q->client->loop, &q->due);
	q->done(&a, q->cookie);
	free(q);
}

static void
request_due(void *cookie)
{
	struct client_request *q = cookie;
	struct fail f;

	if (client_is_connecting(q))
		return;		/* the transfer has a timeout of its own */
	http_cancel(q->transfer);
	fail_set(&f, EXIT_TIMEOUT, "task agent: timed out waiting for an answer");
	on_response(NULL, &f, q);
}

static struct client_request *
client_request(struct client *c, const char *path, const struct buf *body, int64_t timeout_ms, client_done *done, void *cookie)
{
	static const char *const headers[] = { "Content-Type: application/json", "Expect:", NULL };
	_cleanup_free_ char *url = xasprintf("http://localhost%s", path);
	struct client_request *q = xcalloc(1, sizeof *q);
	const struct http_request h = { .url = url, .name = "task agent", .socket = c->socket, .headers = body ? headers : NULL,
	    .body = body ? body->s : NULL, .body_len = body ? body->len : 0, .max = BODY_MAX,
	    .timeout_ms = timeout_ms + (c->host ? CONNECT_MS : 0) };

	*q = (struct client_request){ .client = c, .begun_ms = clock_mono_ms(), .done = done, .cookie = cookie };
	q->due = (struct loop_timer){ .fn = request_due, .cookie = q };
	if (c->host)
		loop_timer_set(c->loop, &q->due, timeout_ms);
	q->transfer = http_start(c->http, &h, on_response, q);
	return q;
}

void
client_cancel(struct client_request *q)
{
	if (!q)
		return;
	loop_timer_stop(q->client->loop, &q->due);
	http_cancel(q->transfer);
	free(q);
}

bool
client_is_connecting(const struct client_request *q)
{
	return q && q->client->host && q->client->connected_ms >= q->begun_ms;
}

struct client_request *
client_get(struct client *c, const char *path, int64_t timeout_ms, client_done *done, void *cookie)
{
	return client_request(c, path, NULL, timeout_ms, done, cookie);
}

struct client_request *
client_post(struct client *c, const char *path, struct json body, int64_t timeout_ms, client_done *done,
    void *cookie)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_format(body, &b);
	return client_request(c, path, &b, timeout_ms, done, cookie);
}

void
client_explain(const struct client_answer *a, const char *name, struct fail *f)
{
	const char *reason = json_get_text(a->v, "reason"), *hint = json_get_text(a->v, "hint");
	enum exit_status status = EXIT_TROUBLE;

	if (a->f) {
		*f = *a->f;
		if (f->status == EXIT_ABSENT) {
			fail_set(f, EXIT_ABSENT, "%s: no task agent listens there", name);
			fail_hint(f, "start it on the device: systemctl enable --now rejoin-taskd.socket");
		}
		return;
	}
	if (a->status == 400 || a->status == 413)
		status = EXIT_USAGE;
	else if (a->status == 403)
		status = EXIT_DENIED;
	else if (a->status == 404)
		status = EXIT_NO;
	else if (a->status == 409 || a->status == 429)
		status = EXIT_BUSY;
	if (reason) {
		fail_set(f, status, "%s: %s", name, reason);
		if (hint)
			fail_hint(f, "%s", hint);
	} else {
		fail_set(f, status, "%s: an answer that is not understood (status %d)", name, a->status);
	}
}

int64_t
client_store(const struct client_answer *a)
{
	const char *text = a->r ? http_response_header(a->r, "Rejoin-Store") : NULL;
	int64_t id;

	return text && num_parse(text, 1, INT64_MAX, &id) == 0 ? id : 0;
}
