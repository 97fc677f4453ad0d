/* input/events with a server of its own on loopback, which answers by a script. */
#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "input/events.h"

enum { ANSWERS = 4, BIG = (1 << 20) + 100 };

#define HEAD	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

/* A connection each: what the server says, before it closes.  N 0: the length of TEXT; then 204 ends it all. */
struct answer {
	const char *text;
	size_t n;
};

struct script {
	const char *name;
	struct answer answers[ANSWERS];
	const char *events;	/* ID=TEXT; */
	const char *ids;	/* Last-Event-ID of each request, "-" for none */
	enum exit_status status;	/* the worst that was reported */
};

struct server {
	const struct script *script;
	int fd, port;
	struct buf ids;
	pthread_t thread;
};

struct client {
	struct loop *loop;
	struct buf got;
	enum exit_status worst;
};

static void
read_request(struct server *s, int fd)
{
	char request[8192];
	size_t n = 0;
	const char *id;

	while (n + 1 < sizeof request) {
		ssize_t r = io_read(fd, request + n, sizeof request - 1 - n);

		assert(r > 0);
		n += (size_t)r;
		request[n] = '\0';
		if (strstr(request, "\r\n\r\n"))
			break;
	}
	assert(strstr(request, "Accept-Encoding: identity\r\n"));
	id = strstr(request, "Last-Event-ID: ");
	if (s->ids.len)
		buf_putc(&s->ids, ' ');
	buf_add(&s->ids, id ? id + 15 : "-", id ? strcspn(id + 15, "\r") : 1);
}

static void *
serve(void *cookie)
{
	struct server *s = cookie;
	bool over = false;

	for (unsigned i = 0; !over; i++) {
		const struct answer *a = &s->script->answers[i];
		int fd = accept(s->fd, NULL, NULL);

		assert(fd >= 0 && i < ANSWERS);
		read_request(s, fd);
		over = !a->text;
		if (over)
			assert(io_write_all(fd, "HTTP/1.1 204 No Content\r\n\r\n", 27) == 0);
		else
			assert(io_write_all(fd, a->text, a->n ? a->n : strlen(a->text)) == 0);
		close(fd);
	}
	return NULL;
}

static void
server_start(struct server *s, const struct script *script)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;

	*s = (struct server){ .script = script, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .ids = BUF_INIT };
	assert(bind(s->fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(s->fd, 5) == 0);
	assert(getsockname(s->fd, (struct sockaddr *)&at, &n) == 0);
	s->port = ntohs(at.sin_port);
	assert(pthread_create(&s->thread, NULL, serve, s) == 0);
}

static void
on_event(const char *id, const char *text, size_t n, void *cookie)
{
	struct client *c = cookie;

	buf_printf(&c->got, "%s=%.*s;", id, n > 40 ? 5 : (int)n, text);
	if (n > 40)
		buf_printf(&c->got, "(%zu)", n);
}

static void
on_gap(const char *why, void *cookie)
{
	struct client *c = cookie;

	(void)why;
	buf_puts(&c->got, "gap;");
}

static void
on_report(const struct fail *f, void *cookie)
{
	struct client *c = cookie;

	c->worst = f->status > c->worst ? f->status : c->worst;
}

static void
on_done(const struct fail *f, void *cookie)
{
	struct client *c = cookie;

	if (f)
		on_report(f, c);
	loop_stop(c->loop, 0);
}

static void
play(const struct script *script)
{
	struct client c = { .loop = loop_new(), .got = BUF_INIT };
	const struct events_ops ops = { on_event, on_gap, on_report, on_done, &c };
	char url[64];
	const struct events_spec spec = { .url = url, .idle_ms = 10000 };
	struct server s;
	struct events *e;
	struct fail f;

	server_start(&s, script);
	snprintf(url, sizeof url, "http://127.0.0.1:%d/s", s.port);
	assert(events_start(c.loop, &spec, &ops, &e, &f) == 0);
	loop_run(c.loop);
	pthread_join(s.thread, NULL);
	if (strcmp(c.got.s, script->events) != 0 || strcmp(s.ids.s, script->ids) != 0 || c.worst != script->status) {
		printf("%s: got '%s' '%s' %d, want '%s' '%s' %d\n", script->name, c.got.s, s.ids.s, c.worst, script->events,
		    script->ids, script->status);
		exit(1);
	}
	events_free(e);
	loop_free(c.loop);
	close(s.fd);
	buf_release(&s.ids);
	buf_release(&c.got);
}

static const char packed[] = HEAD "Content-Encoding: gzip\r\nContent-Length: 41\r\n\r\n"
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x4c\xb1\x52\xa8\x32\xe4\x4a\x49\x2c\x49\xb4\x52\x28\x48\x4c\xce\x4e\x4d\xe1"
    "\xe2\x02\x00\xe2\x82\xb3\x37\x15\x00\x00\x00";

static const struct script scripts[] = {
	{ "an event that is torn off comes again", { { HEAD "\r\nretry: 10\nid: a\ndata: 1\n\nid: b\nda", 0 },
	    { HEAD "\r\nretry: 10\nid: b\ndata: 2\n\n", 0 } }, "a=1;b=2;", "- a b", EXIT_OK },
	{ "the id alone was read", { { HEAD "\r\nretry: 10\nid: a\ndata: 1\n\nid: b\n", 0 }, { HEAD "\r\nretry: 10\nid: b\ndata: 2\n\n", 0 } },
	    "a=1;b=2;", "- a b", EXIT_OK },
	{ "all but the empty line", { { HEAD "\r\nretry: 10\nid: a\ndata: 1\n\nid: b\ndata: 2\n", 0 }, { HEAD "\r\nretry: 10\nid: b\ndata: 2\n\n", 0 } },
	    "a=1;b=2;", "- a b", EXIT_OK },
	{ "an id without data counts", { { HEAD "\r\nretry: 10\nid: a\ndata: 1\n\nid: b\n\n", 0 }, { HEAD "\r\nretry: 10\nid: c\ndata: 3\n\n", 0 } },
	    "a=1;c=3;", "- b c", EXIT_OK },
	{ "repeated within a connection", { { HEAD "\r\nretry: 10\nid: a\ndata: 1\n\nid: a\ndata: 1\n\nid: a\ndata: 1\n\nid: b\ndata: 2\n\n", 0 } },
	    "a=1;b=2;", "- b", EXIT_OK },
	{ "the same id, other data", { { HEAD "\r\nretry: 10\nid: 1\ndata: a\n\nid: 1\ndata: b\n\n", 0 } }, "1=a;1=b;", "- 1", EXIT_OK },
	{ "the same data without ids", { { HEAD "\r\nretry: 10\ndata: a\n\ndata: a\n\n", 0 } }, "=a;=a;", "- -", EXIT_OK },
	{ "gzip that was not asked for", { { packed, sizeof packed - 1 } }, "z1=packed;", "- z1", EXIT_OK },
	{ "an encoding that is not known", { { HEAD "Content-Encoding: rot13\r\n\r\nqngn: 1\n\n", 0 } }, "", "- -", EXIT_OK },
};

/* An event of more than the maximum: its beginning, and a report. */
static void
too_long(void)
{
	struct script big = { "an event that is too long", { { NULL, 0 } }, "a=xxxxx;(1048570)b=2;", "- b", EXIT_NO };
	_cleanup_buf_ struct buf text = BUF_INIT;

	buf_puts(&text, HEAD "\r\nretry: 10\nid: a\ndata: ");
	for (int i = 0; i < BIG; i++)
		buf_putc(&text, 'x');
	buf_puts(&text, "\n\nid: b\ndata: 2\n\n");
	big.answers[0] = (struct answer){ text.s, text.len };
	play(&big);
}

/* "retry: 0": a server that ends each connection at once is not asked without end. */
static void
no_storm(void)
{
	static const struct script storm = { "retry: 0", { { HEAD "\r\nretry: 0\nid: 1\ndata: a\n\n", 0 },
	    { HEAD "\r\nid: 2\ndata: b\n\n", 0 }, { HEAD "\r\nid: 3\ndata: c\n\n", 0 } }, "1=a;2=b;3=c;", "- 1 2 3", EXIT_OK };
	int64_t from = clock_mono_ms();

	play(&storm);
	assert(clock_mono_ms() - from >= 3 * 100);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
		play(&scripts[i]);
	too_long();
	no_storm();
	return 0;
}
