#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "task/quota.h"
#include "task/server.h"

enum {
	CONNECTIONS = 1024, CONNECTIONS_A_UID = 256, CONNECTION_MEMORY = 12 << 10,
	IDLE_S = 60, ARRIVE_MS = 10000, SWEEP_MS = 2000, SILENT_MS = 75000, STOP_ROUNDS = 10,
	ANSWER_MIN = 16 << 10,	/* less room than this for an answer is none */
};

struct server_connection {
	int fd;
	struct quota_user *user;
	int64_t began_ms;	/* a request began to arrive, the first one with the connection; 0: none is arriving */
	int64_t last_ms;	/* the last one that was complete */
	bool waiting;		/* for a reply of the handler */
	struct server_connection *next;
};

struct server {
	struct loop *loop;
	struct MHD_Daemon *daemon;
	int epoll_fd, listen_fd;
	int arrivals_fd;	/* an epoll of ours: connections to which bytes have come */
	server_fn *fn;
	void *cookie;
	struct loop_timer timer, sweep;
	struct server_connection *connections;
	struct server_exchange *exchanges;
	struct quota quota;
	int waiting;
	int64_t last_ms;
	bool stopping;		/* the handler gets no more requests */
};

struct server_exchange {
	struct server *server;
	struct server_connection *connection;
	struct MHD_Connection *mhd;
	struct server_request request;
	struct buf body;
	size_t held;		/* of the quota: for the body, then for the answer */
	struct MHD_Response *response;
	unsigned int status;
	bool dispatched, suspended, too_big, no_room;
	struct server_exchange *next;
};

static void server_work(struct server *s);

/* --- connections */

/*
 * A request begins with its first byte; the library tells only of whole request
 * lines.  To be called before the library reads, so that the bytes are still there.
 */
static void
notice_arrivals(struct server *s)
{
	struct epoll_event events[64];
	int n;

	while ((n = epoll_wait(s->arrivals_fd, events, 64, 0)) > 0)
		for (int i = 0; i < n; i++) {
			struct server_connection *c = events[i].data.ptr;

			if (!c->began_ms && !c->waiting)
				c->began_ms = clock_mono_ms();
		}
}

static uid_t
peer_of(int fd)
{
	struct ucred c = { .uid = (uid_t)-1 };
	socklen_t n = sizeof c;

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n);
	return c.uid;
}

static void
connection_opened(struct server *s, struct MHD_Connection *mhd, void **context)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct server_connection *c = xcalloc(1, sizeof *c);

	c->fd = info->connect_fd;
	c->user = quota_enter(&s->quota, peer_of(c->fd));
	c->began_ms = c->last_ms = clock_mono_ms();
	c->next = s->connections;
	s->connections = c;
	*context = c;
	epoll_ctl(s->arrivals_fd, EPOLL_CTL_ADD, c->fd, &(struct epoll_event){ EPOLLIN | EPOLLET, { .ptr = c } });
	if (c->user->connections > CONNECTIONS_A_UID)
		shutdown(c->fd, SHUT_RDWR);
}

static void
connection_closed(struct server *s, struct server_connection *c)
{
	struct server_connection **p = &s->connections;

	while (*p && *p != c)
		p = &(*p)->next;
	if (*p)
		*p = c->next;
	epoll_ctl(s->arrivals_fd, EPOLL_CTL_DEL, c->fd, NULL);
	quota_leave(&s->quota, c->user);
	free(c);
}

static void
notify_connection(void *cookie, struct MHD_Connection *mhd, void **context,
    enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		connection_opened(cookie, mhd, context);
	else if (*context)
		connection_closed(cookie, *context);
}

/*
 * libmicrohttpd's timeout is for silence; half a request, and a byte now and then,
 * is no request either.  What arrived while the loop was busy is read first.
 */
static void
sweep_connections(void *cookie)
{
	struct server *s = cookie;
	const int64_t now = clock_mono_ms();

	server_work(s);
	for (struct server_connection *c = s->connections; c; c = c->next)
		if (!c->waiting && ((c->began_ms && now - c->began_ms > ARRIVE_MS) || now - c->last_ms > SILENT_MS))
			shutdown(c->fd, SHUT_RDWR);
	loop_timer_set(s->loop, &s->sweep, SWEEP_MS);
}

/* --- requests */

static struct server_connection *
connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info->socket_context;
}

/* The request line is there. */
static void *
request_begins(void *cookie, const char *uri, struct MHD_Connection *mhd)
{
	struct server *s = cookie;
	struct server_connection *c = connection_of(mhd);

	(void)uri;
	s->last_ms = clock_mono_ms();
	if (c)
		c->began_ms = s->last_ms;
	return NULL;
}

/* R of LEN bytes is its reply. */
static void
exchange_set(struct server_exchange *x, int status, struct MHD_Response *r, size_t len)
{
	struct server *s = x->server;

	quota_set(&s->quota, x->connection->user, &x->held, len);

	if (x->response)	/* it has its reply */
		MHD_destroy_response(x->response);
	x->response = r;
	x->status = (unsigned int)status;
	if (x->connection && x->connection->waiting) {
		x->connection->waiting = false;
		s->waiting--;
	}
	if (!x->suspended)
		return;
	x->suspended = false;
	MHD_resume_connection(x->mhd);
	loop_timer_set(s->loop, &s->timer, 0);
}

static enum MHD_Result
queue_reply(struct server_exchange *x)
{
	enum MHD_Result r = MHD_queue_response(x->mhd, x->status, x->response);

	MHD_destroy_response(x->response);
	x->response = NULL;
	return r;
}

/* Only the toolkit's tools and curl are expected here, not a page in a browser. */
static bool
is_from_browser(struct MHD_Connection *mhd)
{
	return MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Origin") != NULL;
}

static void
refuse_stopping(struct server_exchange *x)
{
	server_reply_error(&x->request, 503, "stopping", "the task agent is stopping");
}

static void
dispatch_request(struct server_exchange *x)
{
	struct server *s = x->server;

	x->dispatched = true;
	x->request.body = x->body.s;
	x->request.body_len = x->body.len;
	x->connection->began_ms = 0;
	x->connection->last_ms = s->last_ms = clock_mono_ms();
	x->connection->waiting = true;
	s->waiting++;
	if (s->stopping)
		refuse_stopping(x);
	else if (x->too_big)
		server_reply_error(&x->request, 413, "too-large", "more than %d bytes", SERVER_BODY_MAX);
	else if (x->no_room)
		server_reply_busy(&x->request);
	else if (is_from_browser(x->mhd))
		server_reply_error(&x->request, 403, "denied", "requests of web pages are not served");
	else
		s->fn(&x->request, s->cookie);
	/* what the handler keeps of it until the reply is no more than that, so it stays counted */
	x->request.body = NULL;
	buf_release(&x->body);
}

/* A body that is too large, or has no room, is read to its end, and not kept. */
static void
receive_body(struct server_exchange *x, const char *data, size_t len)
{
	struct quota *quota = &x->server->quota;
	struct quota_user *user = x->connection->user;

	if (x->too_big || x->no_room)
		return;
	if (len > SERVER_BODY_MAX - x->body.len)
		x->too_big = true;
	else if (!quota_has_room(quota, user, x->held, x->body.len + len))
		x->no_room = true;
	else
		buf_add(&x->body, data, len);
	if (x->too_big || x->no_room)
		buf_release(&x->body);
	quota_set(quota, user, &x->held, x->body.len);
}

static struct server_exchange *
exchange_new(struct server *s, struct MHD_Connection *mhd, const char *path, const char *method)
{
	struct server_exchange *x = xcalloc(1, sizeof *x);

	*x = (struct server_exchange){ .server = s, .connection = connection_of(mhd), .mhd = mhd,
	    .body = BUF_MAX(SERVER_BODY_MAX), .next = s->exchanges };
	x->request = (struct server_request){ .method = xstrdup(method), .path = xstrdup(path),
	    .uid = x->connection->user->uid, .exchange = x };
	s->exchanges = x;
	return x;
}

static enum MHD_Result
on_request(void *cookie, struct MHD_Connection *mhd, const char *path, const char *method,
    const char *version, const char *data, size_t *len, void **context)
{
	struct server_exchange *x = *context;

	(void)version;
	if (!x) {
		*context = exchange_new(cookie, mhd, path, method);
		return MHD_YES;
	}
	if (*len > 0) {
		receive_body(x, data, *len);
		*len = 0;
		return MHD_YES;
	}
	if (!x->dispatched)
		dispatch_request(x);
	if (x->response)
		return queue_reply(x);
	x->suspended = true;
	MHD_suspend_connection(mhd);
	return MHD_YES;
}

static void
request_completed(void *cookie, struct MHD_Connection *mhd, void **context,
    enum MHD_RequestTerminationCode why)
{
	struct server *s = cookie;
	struct server_exchange *x = *context, **p = &s->exchanges;

	(void)mhd, (void)why;
	if (!x)
		return;
	while (*p && *p != x)
		p = &(*p)->next;
	if (*p)
		*p = x->next;
	if (x->response)
		MHD_destroy_response(x->response);
	quota_set(&s->quota, x->connection->user, &x->held, 0);
	buf_release(&x->body);
	free((void *)(uintptr_t)x->request.method);
	free((void *)(uintptr_t)x->request.path);
	free(x);
	*context = NULL;
}

/* --- the loop */

static void
server_work(struct server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	notice_arrivals(s);
	MHD_run(s->daemon);
	if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
		loop_timer_set(s->loop, &s->timer, ms > 60000 ? 60000 : (int64_t)ms);
	else
		loop_timer_stop(s->loop, &s->timer);
}

static void
server_readable(int fd, short events, void *cookie)
{
	(void)fd, (void)events;
	server_work(cookie);
}

static void
server_due(void *cookie)
{
	server_work(cookie);
}

struct server *
server_new(struct loop *l, int listen_fd, server_fn *fn, void *cookie, struct fail *f)
{
	struct server *s = xcalloc(1, sizeof *s);

	*s = (struct server){ .loop = l, .fn = fn, .cookie = cookie, .listen_fd = listen_fd,
	    .last_ms = clock_mono_ms(), .arrivals_fd = epoll_create1(EPOLL_CLOEXEC) };
	s->timer = (struct loop_timer){ .fn = server_due, .cookie = s };
	s->sweep = (struct loop_timer){ .fn = sweep_connections, .cookie = s };
	fcntl(listen_fd, F_SETFL, O_NONBLOCK);
	s->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, s,
	    MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S,
	    MHD_OPTION_NOTIFY_CONNECTION, notify_connection, s, MHD_OPTION_NOTIFY_COMPLETED, request_completed, s,
	    MHD_OPTION_URI_LOG_CALLBACK, request_begins, s, MHD_OPTION_END);
	if (!s->daemon || s->arrivals_fd < 0) {
		if (s->daemon)
			MHD_stop_daemon(s->daemon);
		io_closep(&s->arrivals_fd);
		free(s);
		fail_set(f, EXIT_TROUBLE, "libmicrohttpd: the server cannot be started");
		return NULL;
	}
	s->epoll_fd = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	loop_watch(l, s->epoll_fd, POLLIN, server_readable, s);
	loop_timer_set(l, &s->sweep, SWEEP_MS);
	return s;
}

static void
refuse_waiting(struct server *s)
{
	for (struct server_exchange *x = s->exchanges; x; x = x->next)
		if (x->suspended)
			refuse_stopping(x);
}

void
server_free(struct server *s)
{
	int listen_fd;

	if (!s)
		return;
	/* connections that were not accepted are for the next agent, where the socket is not ours alone */
	listen_fd = MHD_quiesce_daemon(s->daemon);
	s->stopping = true;
	/* none may be suspended at the end; what was resumed is sent, and a request behind it is refused */
	for (int i = 0; i < STOP_ROUNDS; i++) {
		refuse_waiting(s);
		MHD_run(s->daemon);
	}
	loop_unwatch(s->loop, s->epoll_fd);
	loop_timer_stop(s->loop, &s->timer);
	loop_timer_stop(s->loop, &s->sweep);
	MHD_stop_daemon(s->daemon);
	io_closep(&listen_fd);
	io_closep(&s->arrivals_fd);
	free(s);
}

int
server_waiting(const struct server *s)
{
	return s->waiting;
}

int64_t
server_last_ms(const struct server *s)
{
	return s->last_ms;
}

/* --- for the handler */

const char *
server_query(const struct server_request *q, const char *name)
{
	return MHD_lookup_connection_value(q->exchange->mhd, MHD_GET_ARGUMENT_KIND, name);
}

int64_t
server_query_number(const struct server_request *q, const char *name, int64_t otherwise)
{
	const char *s = server_query(q, name);
	int64_t n;

	return s && num_parse(s, 0, INT64_MAX, &n) == 0 ? n : otherwise;
}

struct query_walk {
	bool (*fn)(const char *name, const char *value, void *cookie);
	void *cookie;
	bool is_good;
};

/* A NUL in a value would end it early: its length tells. */
static enum MHD_Result
walk_query(void *cookie, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value,
    size_t value_len)
{
	struct query_walk *w = cookie;

	(void)kind;
	if ((name && strlen(name) != name_len) || (value && strlen(value) != value_len))
		value = "a text with a NUL";
	w->is_good = w->fn(name ? name : "", value ? value : "", w->cookie);
	return w->is_good ? MHD_YES : MHD_NO;
}

bool
server_each_query(const struct server_request *q, bool (*fn)(const char *name, const char *value, void *cookie),
    void *cookie)
{
	struct query_walk w = { fn, cookie, true };

	MHD_get_connection_values_n(q->exchange->mhd, MHD_GET_ARGUMENT_KIND, walk_query, &w);
	return w.is_good;
}

int
server_path_parts(const struct server_request *q, char parts[SERVER_PARTS][SERVER_PART_MAX])
{
	const char *path = q->path;
	int n = 0;

	while (*path == '/' && n < SERVER_PARTS) {
		size_t len = strcspn(++path, "/");

		if (len == 0 || len >= SERVER_PART_MAX)
			return 0;
		memcpy(parts[n], path, len);
		parts[n++][len] = '\0';
		path += len;
	}
	return *path ? 0 : n;
}

size_t
server_answer_room(const struct server_request *q, size_t max)
{
	const struct server_exchange *x = q->exchange;
	const size_t room = quota_room(&x->server->quota, x->connection->user, x->held) / 2;

	return room < ANSWER_MIN ? 0 : room < max ? room : max;
}

void
server_reply_busy(struct server_request *q)
{
	static const char *const headers[] = { "Retry-After: 1", NULL };
	_cleanup_json_ struct json v = json_object();
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_set_text(&v, "error", "busy");
	json_set_text(&v, "reason", "the requests and answers that are under way take all memory that they may have");
	json_format(v, &b);
	buf_putc(&b, '\n');
	server_reply_bytes(q, 503, &b, "application/json", headers);
}

void
server_reply_bytes(struct server_request *q, int status, struct buf *b, const char *type,
    const char *const *headers)
{
	const struct server_exchange *x = q->exchange;
	const size_t n = b->len;
	struct MHD_Response *r;

	if (!quota_has_room(&x->server->quota, x->connection->user, x->held, n)) {
		buf_release(b);
		server_reply_busy(q);
		return;
	}
	/* it grew by doubling: what is counted is what is held */
	r = MHD_create_response_from_buffer(n, xrealloc(buf_steal(b), n + 1, 1), MHD_RESPMEM_MUST_FREE);
	MHD_add_response_header(r, "Content-Type", type);
	for (; headers && *headers; headers++) {
		_cleanup_free_ char *name = xstrndup(*headers, strcspn(*headers, ":"));

		MHD_add_response_header(r, name, *headers + strlen(name) + 2);
	}
	exchange_set(q->exchange, status, r, n);
}

void
server_reply(struct server_request *q, int status, struct json v)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_format(v, &b);
	buf_putc(&b, '\n');
	server_reply_bytes(q, status, &b, "application/json", NULL);
}

void
server_reply_refusal(struct server_request *q, const struct refusal *r)
{
	_cleanup_json_ struct json v = json_object();

	json_set_text(&v, "error", r->name);
	json_set_text(&v, "reason", r->text);
	if (r->hint[0])
		json_set_text(&v, "hint", r->hint);
	server_reply(q, r->status, v);
}

void
server_reply_error(struct server_request *q, int status, const char *name, const char *fmt, ...)
{
	_cleanup_json_ struct json v = json_object();
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	json_set_text(&v, "error", name);
	json_set_text(&v, "reason", text);
	server_reply(q, status, v);
}
