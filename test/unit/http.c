/* base/http and base/secret, against a server of a few lines in a process of its own. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/http.h"
#include "base/http_run.h"
#include "base/io.h"
#include "base/xalloc.h"

static int port;

static void
say(int fd, const char *text)
{
	(void)!write(fd, text, strlen(text));
}

/* What the path asks for; the request itself comes back under /echo. */
static void
answer(int fd, const char *request, size_t n)
{
	char path[64] = "", head[128];
	struct pollfd gone = { .fd = fd, .events = POLLIN };

	sscanf(request, "%*s %63s", path);
	if (strcmp(path, "/echo") == 0) {
		snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nX-One:  1 \r\nContent-Length: %zu\r\n\r\n", n);
		say(fd, head);
		(void)!write(fd, request, n);
	} else if (strcmp(path, "/moved") == 0) {
		say(fd, "HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 5\r\n\r\nmoved");
	} else if (strcmp(path, "/slow") == 0) {
		say(fd, "HTTP/1.1 200 OK\r\n\r\nab");
		poll(&gone, 1, 20000);
	} else if (strcmp(path, "/stream") == 0) {
		say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
		say(fd, "2\r\nde\r\n0\r\n\r\n");
	} else if (strcmp(path, "/cut") == 0) {
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
	} else if (strcmp(path, "/big") == 0) {
		say(fd, "HTTP/1.1 200 OK\r\n\r\n");
		for (int i = 0; i < 1000; i++)
			say(fd, "0123456789012345678901234567890123456789");
	} else
		say(fd, "HTTP/1.1 429 Slow down\r\nX-RateLimit-Reset: 7\r\nContent-Length: 4\r\n\r\nbusy");
}

static void
serve(int at)
{
	char request[8192];

	for (;;) {
		_cleanup_fd_ int fd = accept(at, NULL, NULL);
		size_t n = 0;
		ssize_t got = 1;

		*request = '\0';
		while (fd >= 0 && got > 0 && n < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
			got = read(fd, request + n, sizeof request - 1 - n);
			n += got > 0 ? (size_t)got : 0;
			request[n] = '\0';
		}
		if (n)
			answer(fd, request, n);
	}
}

static pid_t
start_server(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	assert(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 16) == 0);
	assert(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
	port = ntohs(a.sin_port);
	pid = fork();
	assert(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		serve(fd);
		_exit(0);
	}
	close(fd);
	return pid;
}

/* The body or why there is none, and the status before it. */
static void
check(struct http_request q, const char *path, const char *want)
{
	_cleanup_free_ char *url = xasprintf("http://127.0.0.1:%d%s", port, path);
	_cleanup_buf_ struct buf got = BUF_INIT;
	struct http_response r;
	struct fail f;

	q.url = url;
	q.timeout_ms = q.timeout_ms ? q.timeout_ms : 20000;
	if (http_run(&q, &r, NULL, &f) < 0)
		buf_printf(&got, "%d!%d %s", r.status, f.status, strstr(f.text, path) ? strstr(f.text, path) : f.text);
	else
		buf_printf(&got, "%d %s", r.status, r.body.s);
	http_response_release(&r);
	if (!strstr(got.s, want)) {
		printf("%s: got '%s', want '%s'\n", path, got.s, want);
		exit(1);
	}
}

static const struct { const char *url; bool secret; const char *name, *wrong; } urls[] = {
	{ "https://h/p?token=x#f", true, "https://h/p?...", NULL },
	{ "http://127.0.0.1:80/p", true, "http://127.0.0.1:80/p", NULL },
	{ "http://127.9.9.9/p", true, "http://127.9.9.9/p", NULL },
	{ "http://[::1]:1/", true, "http://[::1]:1/", NULL },
	{ "http://localhost/", true, "http://localhost/", NULL },
	{ "http://127.0.0.1.example/", true, "http://127.0.0.1.example/", "https alone" },
	{ "http://10.0.0.1/", true, "http://10.0.0.1/", "https alone" },
	{ "http://10.0.0.1/", false, "http://10.0.0.1/", NULL },
	{ "https://me:word@h/", false, "https://h/", "a user or a password" },
	{ "ftp://h/", false, "ftp://h/", "not an http" },
	{ "file:///etc/passwd", false, "file:///etc/passwd", "not an http" },
	{ "nothing", false, "nothing", "not an http" },
	{ "", false, "", "not an http" },
};

static void
check_urls(void)
{
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		_cleanup_buf_ struct buf name = BUF_INIT;
		struct fail f = { .text = "" };
		int r = http_check_url(urls[i].url, urls[i].secret, &f);

		http_name(urls[i].url, &name);
		if (strcmp(name.s, urls[i].name) != 0 || (r < 0) != (urls[i].wrong != NULL) ||
		    (r < 0 && (!strstr(f.text, urls[i].wrong) || f.status != EXIT_USAGE))) {
			printf("%s: name '%s', %d %s\n", urls[i].url, name.s, r, f.text);
			exit(1);
		}
	}
}

/* Held up at the first bytes, then let go on. */
struct held {
	struct loop *loop;
	struct http_transfer *t;
	struct loop_timer timer;
	struct buf got;
	bool opened, paused, done;
	int abort_at;
};

static void
let_go(void *cookie)
{
	struct held *h = cookie;

	assert(!h->done && h->got.len == 0);
	h->paused = false;
	http_pause(h->t, false);
}

static int
hold(const struct http_response *r, const char *p, size_t n, void *cookie)
{
	struct held *h = cookie;

	assert(r->status == 200 && !h->paused);
	if (n == 0) {
		assert(!h->opened);
		h->opened = true;
		h->paused = true;
		http_pause(h->t, true);
		loop_timer_set(h->loop, &h->timer, 50);
	}
	buf_add(&h->got, p, n);
	return h->abort_at && h->got.len >= (size_t)h->abort_at ? -1 : 0;
}

static void
held_done(const struct http_response *r, const struct fail *f, void *cookie)
{
	struct held *h = cookie;

	(void)r;
	if (!f != !h->abort_at)
		fprintf(stderr, "stream: %s\n", f ? f->text : "not aborted");
	assert(!f == !h->abort_at);
	h->done = true;
	loop_stop(h->loop, 0);
}

static void
check_stream(int abort_at)
{
	_cleanup_free_ char *url = xasprintf("http://127.0.0.1:%d/stream", port);
	struct held h = { .loop = loop_new(), .got = BUF_INIT, .abort_at = abort_at };
	struct http_request q = { .url = url, .chunk = hold, .idle_ms = 20000 };
	struct http *engine = http_new(h.loop);

	h.timer = (struct loop_timer){ .fn = let_go, .cookie = &h };
	h.t = http_start(engine, &q, held_done, &h);
	http_cancel(http_start(engine, &q, held_done, &h));
	loop_run(h.loop);
	assert(h.done && h.opened && (abort_at || strcmp(h.got.s, "abcde") == 0));
	http_free(engine);
	loop_free(h.loop);
	buf_release(&h.got);
}

static void
check_secret(mode_t mode, const char *text, size_t n, const char *want)
{
	_cleanup_secret_ struct secret s = SECRET_NONE;
	char path[] = "/tmp/rejoin-secret.XXXXXX";
	int fd = mkstemp(path);
	struct fail f = { .text = "" };
	int r;

	assert(fd >= 0 && write(fd, text, n) == (ssize_t)n && fchmod(fd, mode) == 0);
	close(fd);
	r = secret_load(path, &s, &f);
	if (r == 0 ? strcmp(s.s, want) != 0 : !strstr(f.text, want)) {
		printf("secret of mode %o: %s\n", mode, r == 0 ? s.s : f.text);
		exit(1);
	}
	unlink(path);
}

int
main(void)
{
	_cleanup_secret_ struct secret token = SECRET_NONE;
	const struct http_request plain = { .url = NULL };
	struct http_request q = plain;
	struct http_response r = { .headers = BUF_INIT };
	char big[SECRET_MAX + 10];
	struct fail f;
	pid_t server;

	setenv("http_proxy", "http://127.0.0.1:1/", 1);		/* never for what is here */
	check_urls();
	server = start_server();
	check(plain, "/echo", "200 GET /echo HTTP/1.1\r\n");
	check(plain, "/echo", "User-Agent: rejoin/" VERSION);
	check(plain, "/moved", "200 GET /echo");
	q.headers = (const char *const[]){ "X-A: b", NULL };
	check(q, "/echo", "\r\nX-A: b\r\n");
	q.headers = (const char *const[]){ "X-A: b\r\nX-B: c", NULL };
	check(q, "/echo", "control character");
	q = plain;
	q.method = "PUT";
	check(q, "/echo", "200 PUT /echo");
	q.body = "{}";
	q.body_len = 2;
	check(q, "/echo", "Content-Length: 2");
	q = plain;
	secret_set(&token, "s3cret", 6);
	q.token = &token;
	check(q, "/echo", "\r\nAuthorization: Bearer s3cret\r\n");
	check(q, "/moved", "302 moved");
	check(plain, "/cut", "200!3 /cut");
	q = plain;
	q.idle_ms = 500;
	check(q, "/slow", "200!4 /slow: nothing came for 500 ms");
	q = plain;
	q.timeout_ms = 500;
	check(q, "/slow", "200!4 /slow: ");
	q = plain;
	q.max = 20000;
	check(q, "/big", "200!3 /big: more than 20000 bytes");
	check(plain, "/busy", "429 busy");
	buf_add(&r.headers, "A: b\0X-RateLimit-Reset:  7\0Other: x", 36);
	assert(strcmp(http_response_header(&r, "x-ratelimit-reset"), "7") == 0 && !http_response_header(&r, "Othe"));
	r.status = 429;
	assert(http_response_check(&r, "url", &f) < 0 && f.status == EXIT_BUSY && strstr(f.text, "url: HTTP 429"));
	r.status = 204;
	assert(http_response_check(&r, "url", &f) == 0);
	http_response_release(&r);
	check_stream(0);
	check_stream(3);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	check(plain, "/gone", "0!5 /gone: ");

	check_secret(0600, " key \r\n", 7, "key");
	check_secret(0640, "k e y", 5, "k e y");
	check_secret(0644, "key\n", 4, "mode 0644");
	check_secret(0660, "key\n", 4, "mode 0660");
	check_secret(0600, "\n", 1, "is empty");
	check_secret(0600, "two\nlines\n", 10, "more than one line");
	memset(big, 'x', sizeof big);
	check_secret(0600, big, sizeof big, "more than");
	assert(secret_load("/nonexistent/key", &token, &f) < 0 && f.status == EXIT_TROUBLE);
	return 0;
}
