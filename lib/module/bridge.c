#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/loop.h"
#include "base/xalloc.h"
#include "hub/dialect.h"
#include "module/bridge.h"
#include "module/bridge_blobs.h"
#include "module/bridge_hub.h"
#include "module/bridge_messages.h"
#include "module/sdk.h"

enum { EVENTS_MAX = 1000, EVENTS_BYTES = 16 << 20, BACKLOG = 4 };

/* With so many events not taken, no message of a sibling is received: its sender is told so. */
enum { EVENTS_FEW = 100, EVENTS_FEW_BYTES = 4 << 20 };

struct bridge {
	struct loop *loop;
	const struct bridge_spec *spec;
	struct bridge_hub *hub;
	struct bridge_messages *messages;
	struct bridge_blobs *blobs;
	struct child child;
	int status, signo;		/* of the program */
	int listen_fd, fd;		/* FD: the connection, -1 */
	short watched;			/* what of the connection is awaited */
	struct buf in, out, unsent;	/* UNSENT: records that the peer does not take yet */
	uint64_t skip;			/* bytes of a record that is too big */
	uint64_t waiting;		/* the xid of an open getEvent */
	bool is_waiting, is_stopping;
	struct loop_timer deadline, stop;
	struct sdk_event *events[EVENTS_MAX];	/* oldest first */
	size_t n_events, events_bytes;
};

/* --- answers and events */

static void
connection_close(struct bridge *b)
{
	if (b->fd < 0)
		return;
	loop_unwatch(b->loop, b->fd);
	b->watched = 0;
	io_closep(&b->fd);
	buf_reset(&b->in);
	buf_reset(&b->unsent);
	b->skip = 0;
	b->is_waiting = false;
	loop_timer_stop(b->loop, &b->deadline);
}

static void connection_ready(int fd, short events, void *cookie);

/* Requests are read while the peer takes the answers: one that does not holds up itself alone. */
static void
connection_watch(struct bridge *b)
{
	const short events = b->unsent.len > 0 ? POLLOUT : POLLIN;

	if (events == b->watched)
		return;
	if (b->watched)
		loop_unwatch(b->loop, b->fd);
	b->watched = events;
	loop_watch(b->loop, b->fd, events, connection_ready, b);
}

static void
unsent_write(struct bridge *b)
{
	while (b->fd >= 0 && b->unsent.len > 0) {
		const ssize_t n = send(b->fd, b->unsent.s, b->unsent.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			connection_close(b);
			return;
		}
		memmove(b->unsent.s, b->unsent.s + n, b->unsent.len - (size_t)n);
		b->unsent.len -= (size_t)n;
	}
	if (b->fd >= 0)
		connection_watch(b);
}

static void
record_write(struct bridge *b, uint64_t xid)
{
	const struct sdk_header h = { (uint32_t)b->out.len, 0, xid };
	const bool first = b->unsent.len == 0;

	if (b->fd < 0)
		return;
	buf_add(&b->unsent, &h, sizeof h);
	buf_add(&b->unsent, b->out.s, b->out.len);
	if (first)
		unsent_write(b);
}

static void
result_write(struct bridge *b, uint64_t xid, enum sdk_result result)
{
	sdk_result_format(result, &b->out);
	record_write(b, xid);
}

static size_t
event_bytes(const struct sdk_event *e)
{
	return sizeof *e + (e->name ? strlen(e->name) : 0) + e->len;
}

/* The oldest event, which is the caller's now. */
static struct sdk_event *
event_first(struct bridge *b)
{
	struct sdk_event *e = b->events[0];

	memmove(b->events, b->events + 1, --b->n_events * sizeof *b->events);
	b->events_bytes -= event_bytes(e);
	return e;
}

static void
event_free(struct sdk_event *e)
{
	sdk_event_release(e);
	free(e);
}

static void
siblings_hold(struct bridge *b)
{
	bridge_messages_hold(b->messages, b->n_events >= EVENTS_FEW || b->events_bytes >= EVENTS_FEW_BYTES);
}

/* Answer an open getEvent, if there is something to answer it with. */
static void
events_flush(struct bridge *b)
{
	struct sdk_event exit_event = { .kind = SDK_EVENT_EXIT }, *e = NULL;

	if (!b->is_waiting || (b->n_events == 0 && !b->is_stopping))
		return;
	b->is_waiting = false;
	loop_timer_stop(b->loop, &b->deadline);
	if (b->n_events > 0)
		e = event_first(b);
	sdk_event_format(e ? e : &exit_event, &b->out);
	if (e)
		event_free(e);
	record_write(b, b->waiting);
	siblings_hold(b);
}

/* E, whose texts are taken.  A program that takes no events loses the oldest. */
static void
event_add(struct bridge *b, struct sdk_event e)
{
	struct sdk_event *x = xcalloc(1, sizeof *x);

	*x = e;
	while (b->n_events > 0 && (b->n_events == EVENTS_MAX || b->events_bytes + event_bytes(x) > EVENTS_BYTES))
		event_free(event_first(b));
	b->events[b->n_events++] = x;
	b->events_bytes += event_bytes(x);
	events_flush(b);
	siblings_hold(b);
}

static void
deadline_due(void *cookie)
{
	struct bridge *b = cookie;

	b->is_waiting = false;
	sdk_event_format(NULL, &b->out);
	record_write(b, b->waiting);
}

/* The callback of R is called with REASON. */
static void
callback_add(struct bridge *b, enum sdk_event_kind kind, const struct sdk_request *r, uint32_t reason)
{
	event_add(b, (struct sdk_event){ .kind = kind, .callback = r->callback, .userdata = r->userdata, .reason = reason });
}

/* What the link, siblings and blobs have for the program. */
static void
on_config(const char *topic, const char *value, size_t len, void *cookie)
{
	event_add(cookie, (struct sdk_event){ .kind = SDK_EVENT_CONFIG, .name = xstrdup(topic), .data = xstrndup(value, len),
	    .len = len });
}

static void
on_call(uint64_t number, const char *method, const char *params, void *cookie)
{
	event_add(cookie, (struct sdk_event){ .kind = SDK_EVENT_RPC_REQUEST, .rpc = number, .name = xstrdup(method),
	    .data = xstrdup(params), .len = strlen(params) });
}

static void
on_message(const char *topic, const char *data, size_t len, void *cookie)
{
	event_add(cookie, (struct sdk_event){ .kind = SDK_EVENT_MESSAGE, .name = xstrdup(topic), .data = xstrndup(data, len),
	    .len = len });
}

static void
on_blob(const struct sdk_event *e, void *cookie)
{
	event_add(cookie, *e);
}

/* --- requests */

static uint32_t
reason_of(int r, const struct fail *f)
{
	return r == 0 ? SDK_SENT : f->status == EXIT_BUSY || f->status == EXIT_ABSENT || f->status == EXIT_DENIED ?
	    SDK_REFUSED : SDK_FAILED;
}

static enum sdk_result
state_send(struct bridge *b, const struct sdk_request *r)
{
	_cleanup_free_ char *topic = xstrndup(r->topic.s, r->topic.n);
	struct fail f;

	callback_add(b, SDK_EVENT_STATE, r, reason_of(bridge_hub_send(b->hub, "state", topic,
	    dialect_text(r->blob.s, r->blob.n), &f), &f));
	return SDK_OK;
}

/* The values are JSON, all of them or none is sent. */
static enum sdk_result
telemetry_send(struct bridge *b, const struct sdk_request *r)
{
	struct json *values = xcalloc(r->n_entries + 1, sizeof *values);
	struct fail f = { .status = EXIT_OK };
	uint32_t reason = SDK_SENT;

	for (uint32_t i = 0; i < r->n_entries && reason == SDK_SENT; i++)
		if (json_parse(NULL, r->entries[i].value.s, r->entries[i].value.n, &values[i], &f) < 0)
			reason = SDK_FAILED;
	for (uint32_t i = 0; i < r->n_entries; i++) {
		_cleanup_free_ char *key = xstrndup(r->entries[i].key.s, r->entries[i].key.n);

		if (reason == SDK_SENT)
			reason = reason_of(bridge_hub_send(b->hub, "telemetry", key, json_copy(values[i]), &f), &f);
		json_release(&values[i]);
	}
	free(values);
	callback_add(b, SDK_EVENT_TELEMETRY, r, reason);
	return SDK_OK;
}

static enum sdk_result
message_send(struct bridge *b, const struct sdk_request *r)
{
	_cleanup_free_ char *alias = xstrndup(r->topic.s, r->topic.n);
	struct fail f;

	callback_add(b, SDK_EVENT_MESSAGE_SENT, r,
	    bridge_messages_send(b->messages, alias, r->blob.s, r->blob.n, &f) == 0 ? SDK_SENT : SDK_FAILED);
	return SDK_OK;
}

static enum sdk_result
rpc_answer(struct bridge *b, const struct sdk_request *r)
{
	static const char *const words[] = { [SDK_RPC_OK] = "ok", [SDK_RPC_NOT_FOUND] = "not-found", [SDK_RPC_ERROR] = "error" };
	struct json response = JSON_ABSENT;
	struct fail f;
	int e;

	if (r->status > SDK_RPC_ERROR || (r->status == SDK_RPC_OK && !r->response.s))
		return SDK_INVAL;
	if (!r->response.s)
		response = json_null();
	else if (json_parse(NULL, r->response.s, r->response.n, &response, &f) < 0)
		response = dialect_text(r->response.s, r->response.n);
	e = bridge_hub_answer(b->hub, r->rpc, words[r->status], response, &f);
	if (e == -ENOENT)
		return SDK_INVAL;
	callback_add(b, SDK_EVENT_RPC_RESPONSE, r, reason_of(e, &f));
	return SDK_OK;
}

static void
event_wait(struct bridge *b, uint64_t xid, const struct sdk_request *r)
{
	const int64_t left = r->timeout_ms - clock_wall_ms();

	b->is_waiting = true;
	b->waiting = xid;
	if (left <= 0 && b->n_events == 0 && !b->is_stopping) {
		deadline_due(b);
		return;
	}
	/* the clock may jump; a program waits again after an empty event */
	loop_timer_set(b->loop, &b->deadline, left > 0 ? left < 60000 ? left : 60000 : 0);
	events_flush(b);
}

static int
request_handle(struct bridge *b, uint64_t xid, const struct sdk_request *r)
{
	switch (r->kind) {
	case SDK_GET_EVENT:
		event_wait(b, xid, r);
		return 0;
	case SDK_SEND_STATE:
		result_write(b, xid, state_send(b, r));
		return 0;
	case SDK_SEND_TELEMETRY:
		result_write(b, xid, telemetry_send(b, r));
		return 0;
	case SDK_SEND_MESSAGE:
		result_write(b, xid, message_send(b, r));
		return 0;
	case SDK_RPC_RESPONSE:
		result_write(b, xid, rpc_answer(b, r));
		return 0;
	case SDK_RESEND_CONFIG:
		result_write(b, xid, SDK_OK);
		bridge_hub_resend(b->hub);
		return 0;
	case SDK_BLOB:
		result_write(b, xid, bridge_blobs_start(b->blobs, r));
		return 0;
	case SDK_STREAM_PARAMS:
		sdk_stream_format(SDK_NOTSUP, &b->out);
		record_write(b, xid);
		return 0;
	case SDK_NO_REQUEST:
		break;
	}
	return -EBADMSG;
}

/* The records that are in the buffer whole.  False where the connection has ended. */
static bool
records_take(struct bridge *b)
{
	size_t at = 0;
	int r = 0;

	while (r == 0 && b->fd >= 0 && b->in.len - at >= sizeof(struct sdk_header)) {
		struct sdk_request request;
		struct sdk_header h;

		memcpy(&h, b->in.s + at, sizeof h);
		if (h.size > SDK_RECORD_MAX && h.zero == 0) {
			at += sizeof h;
			b->skip = h.size;
			result_write(b, h.xid, SDK_TOOBIG);
			break;
		}
		if (h.zero != 0 || h.size == 0) {
			r = -EBADMSG;
			break;
		}
		if (b->in.len - at < sizeof h + h.size)
			break;
		/* FlatBuffers of a peer are not aligned here: the reader copies */
		r = sdk_request_parse(b->in.s + at + sizeof h, h.size, &request);
		if (r == 0)
			r = request_handle(b, h.xid, &request);
		sdk_request_release(&request);
		at += sizeof h + h.size;
	}
	if (b->fd < 0)
		return false;
	memmove(b->in.s, b->in.s + at, b->in.len - at);
	b->in.len -= at;
	if (r < 0)
		connection_close(b);
	return r == 0;
}

static void
connection_ready(int fd, short events, void *cookie)
{
	struct bridge *b = cookie;
	char block[16384];
	size_t from = 0;
	ssize_t n;

	if (b->unsent.len > 0) {
		if (events & (POLLERR | POLLHUP))
			connection_close(b);
		else
			unsent_write(b);
		return;
	}
	n = io_read(fd, block, sizeof block);

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		connection_close(b);
		return;
	}
	while (from < (size_t)n) {
		const size_t skipped = b->skip < (size_t)n - from ? (size_t)b->skip : (size_t)n - from;

		b->skip -= skipped;
		from += skipped;
		if (from == (size_t)n)
			return;
		buf_add(&b->in, block + from, (size_t)n - from);
		from = (size_t)n;
		if (!records_take(b))
			return;
		/* what follows the header of a record that is too big is in the buffer already */
		if (b->skip > 0) {
			const size_t k = b->skip < b->in.len ? (size_t)b->skip : b->in.len;

			memmove(b->in.s, b->in.s + k, b->in.len - k);
			b->in.len -= k;
			b->skip -= k;
			if (b->skip == 0 && !records_take(b))
				return;
		}
	}
}

/* One connection: an instance is one program. */
static void
connection_accept(int fd, short events, void *cookie)
{
	struct bridge *b = cookie;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (peer < 0)
		return;
	if (b->fd >= 0) {
		close(peer);
		return;
	}
	b->fd = peer;
	connection_watch(b);
	bridge_hub_resend(b->hub);
}

/* --- life */

static void
stop_due(void *cookie)
{
	struct bridge *b = cookie;

	child_signal(&b->child, b->spec->stop_signal);
	child_signal(&b->child, SIGCONT);
}

static void
on_stop(void *cookie)
{
	struct bridge *b = cookie;

	if (b->is_stopping)
		return;
	b->is_stopping = true;
	loop_timer_set(b->loop, &b->stop, b->fd >= 0 ? b->spec->grace_ms / 2 : 0);
	events_flush(b);
}

static void
program_ended(int fd, short events, void *cookie)
{
	struct bridge *b = cookie;
	siginfo_t si = { .si_pid = 0 };

	(void)events;
	(void)waitid(P_PIDFD, (id_t)fd, &si, WEXITED | WNOWAIT);
	b->signo = si.si_code == CLD_EXITED ? 0 : si.si_status;
	loop_unwatch(b->loop, fd);
	b->status = child_reap(&b->child);
	bridge_hub_end(b->hub);
	loop_stop(b->loop, 0);
}

/* The socket, and its path in the environment of the program. */
static int
socket_listen(struct bridge *b, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/sdk.sock", b->spec->home);
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const bool fits = strlen(path) < sizeof un.sun_path;

	/* home is the working directory, of the program as well */
	snprintf(un.sun_path, sizeof un.sun_path, "%s", fits ? path : "sdk.sock");
	unlink("sdk.sock");
	b->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (b->listen_fd < 0 || bind(b->listen_fd, (struct sockaddr *)&un, sizeof un) < 0 || chmod("sdk.sock", 0600) < 0 ||
	    listen(b->listen_fd, BACKLOG) < 0)
		return fail_errno(f, errno, "%s", path);
	setenv("EVP_MODULE_SDK_SOCKET_PATH", un.sun_path, 1);
	loop_watch(b->loop, b->listen_fd, POLLIN, connection_accept, b);
	return 0;
}

static int
bridge_open(struct bridge *b, struct fail *f)
{
	const struct bridge_hub_callbacks cb = { on_config, on_call, b };
	int r;

	b->messages = bridge_messages_new(b->loop, b->spec->home, on_message, b, f);
	r = b->messages ? socket_listen(b, f) : -EIO;
	if (r < 0)
		return r;
	r = child_start(&b->child, b->spec->argv, -1);
	if (r < 0)
		return fail_errno(f, r, "%s", b->spec->argv[0]);
	loop_signal(b->loop, SIGTERM, on_stop, b);
	loop_signal(b->loop, SIGINT, on_stop, b);
	if (b->spec->stop_signal != SIGTERM && b->spec->stop_signal != SIGINT && b->spec->stop_signal != SIGKILL)
		loop_signal(b->loop, b->spec->stop_signal, on_stop, b);
	loop_watch(b->loop, b->child.fd, POLLIN, program_ended, b);
	b->blobs = bridge_blobs_new(b->loop, b->spec->home, on_blob, b);
	b->hub = bridge_hub_new(b->loop, b->spec->agent, b->spec->instance, &cb);
	return 0;
}

static void
bridge_release(struct bridge *b)
{
	connection_close(b);
	if (b->listen_fd >= 0)
		loop_unwatch(b->loop, b->listen_fd);
	io_closep(&b->listen_fd);
	loop_timer_stop(b->loop, &b->stop);
	if (b->blobs)
		bridge_blobs_free(b->blobs);
	if (b->hub)
		bridge_hub_free(b->hub);
	bridge_messages_free(b->messages);
	while (b->n_events > 0)
		event_free(event_first(b));
	buf_release(&b->in);
	buf_release(&b->out);
	buf_release(&b->unsent);
	loop_free(b->loop);
	free(b);
}

int
bridge_run(const struct bridge_spec *spec, int *signo, struct fail *f)
{
	struct bridge *b = xcalloc(1, sizeof *b);
	int r;

	*b = (struct bridge){ .loop = loop_new(), .spec = spec, .listen_fd = -1, .fd = -1, .in = BUF_INIT, .out = BUF_INIT, .unsent = BUF_INIT,
	    .child = CHILD_INIT, .deadline = { .fn = deadline_due, .cookie = b }, .stop = { .fn = stop_due, .cookie = b } };
	r = bridge_open(b, f);
	if (r == 0) {
		loop_run(b->loop);
		r = b->status;
		*signo = b->signo;
	}
	bridge_release(b);
	return r;
}
