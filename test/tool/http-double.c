/*
 * http-double [--tls CERT KEY] [--log FILE] - a server for tests, which speaks
 * impCentral's API under /v5, Server-Sent Events under /events, and answers
 * what is asked of it elsewhere.  It prints its port and then obeys the lines
 * of standard input, until its end, and prints "done" after each:
 *
 *	device ID [offline] [unassigned]	there is such a device
 *	log DEVICE TIME TYPE TEXT	an entry, in the history and the stream
 *	quiet DEVICE TIME TYPE TEXT	in the history alone: the stream lost it
 *	again DEVICE TIME TYPE TEXT	in the stream alone: a double
 *	raw TEXT			as it is into all streams; \n \r and \\ are understood
 *	event ID TEXT			an event, for /events
 *	hide				the history so far is lost
 *	forget				the events so far cannot be resumed from
 *	break | hang | evict | unsubscribe DEVICE
 *	fail STATUS COUNT [HEADER]	the next COUNT answers
 *	fail-logs STATUS		what a device's logs are answered with; 0: well
 *	expire				no access token is good any longer
 *	slow MS				before each answer
 *	goal FILE			what /goal has from now on, with an ETag; it holds requests back
 *					that prefer to wait (RFC 7240) until there is another one
 *	restart-takes MS TIME | never	what a restart of a device does
 *	history-order newest|oldest	of a page of logs
 *
 * Each request becomes a line of FILE: method, path, and "token" where one was
 * good; and the body after "body".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/file.h"
#include "base/json.h"
#include "base/xalloc.h"

enum { MANY = 4096, STREAMS = 64 };

struct entry {
	char *device, *time, *type, *text;
};

struct device {
	char *id;
	bool online, assigned;
	char changed_at[64];
	int64_t restarts_at;		/* monotonic; 0 for not */
};

struct stream {
	bool used, imp, opened;
	int id;
	size_t next_event;		/* of /events */
	char *devices[16];
	size_t n_devices;
	struct buf out;
	bool broken, hung, ended;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t news;
	FILE *log;
	struct entry entries[MANY];
	size_t n_entries, first_entry;
	struct device devices[64];
	size_t n_devices;
	struct { char *id, *text; } events[MANY];
	size_t n_events, first_event;
	struct stream streams[STREAMS];
	int next_stream, token, slow_ms, fail_status, fail_count, fail_logs, restart_ms;
	char fail_header[128], restart_time[64];
	char *goal;
	int goal_number;
	bool oldest_first;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER, .token = 1, .restart_ms = 0 };

static struct device *
find_device(const char *id, size_t n)
{
	for (size_t i = 0; i < all.n_devices; i++)
		if (strlen(all.devices[i].id) == n && memcmp(all.devices[i].id, id, n) == 0)
			return &all.devices[i];
	return NULL;
}

static bool
follows(const struct stream *s, const char *device)
{
	for (size_t i = 0; i < s->n_devices; i++)
		if (strcmp(s->devices[i], device) == 0)
			return true;
	return false;
}

static struct json
json_of_entry(const struct entry *e, bool stream)
{
	struct json v = json_object();

	if (stream)
		json_set_text(&v, "device_id", e->device);
	json_set_text(&v, "ts", e->time);
	json_set_text(&v, "log_type", "development");
	json_set_text(&v, "type", e->type);
	json_set_text(&v, "msg", e->text);
	return v;
}

static void
send_entry(const struct entry *e)
{
	for (size_t i = 0; i < STREAMS; i++) {
		struct stream *s = &all.streams[i];

		if (s->used && s->imp && follows(s, e->device)) {
			struct json v = json_of_entry(e, true);

			buf_puts(&s->out, "event: message\ndata: ");
			json_format(v, &s->out);
			buf_puts(&s->out, "\n\n");
			json_release(&v);
		}
	}
}

static void
add_entry(const char *device, const char *when, const char *type, const char *text, bool history, bool stream)
{
	struct entry e = { xstrdup(device), xstrdup(when), xstrdup(type), xstrdup(text) };

	if (stream)
		send_entry(&e);
	if (history && all.n_entries < MANY)
		all.entries[all.n_entries++] = e;
	pthread_cond_broadcast(&all.news);
}

static void
send_state(struct stream *s, const char *state, const char *device)
{
	buf_printf(&s->out, "event: state_change\ndata: {\"state\":\"%s\"%s%s%s}\n\n", state,
	    device ? ",\"device_id\":\"" : "", device ? device : "", device ? "\"" : "");
	pthread_cond_broadcast(&all.news);
}

static void
each_stream(void (*fn)(struct stream *s, const char *arg), const char *arg)
{
	for (size_t i = 0; i < STREAMS; i++)
		if (all.streams[i].used)
			fn(&all.streams[i], arg);
	pthread_cond_broadcast(&all.news);
}

static void
do_break(struct stream *s, const char *arg)
{
	(void)arg;
	s->broken = true;
}

static void
do_hang(struct stream *s, const char *arg)
{
	(void)arg;
	s->hung = true;
}

static void
do_evict(struct stream *s, const char *arg)
{
	(void)arg;
	if (!s->imp)
		return;
	send_state(s, "closed", NULL);
	s->ended = true;
}

static void
do_unsubscribe(struct stream *s, const char *device)
{
	for (size_t i = 0; i < s->n_devices; i++)
		if (strcmp(s->devices[i], device) == 0) {
			s->devices[i] = s->devices[--s->n_devices];
			send_state(s, "unsubscribed", device);
		}
}

static void
do_raw(struct stream *s, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' && text[1])
			text++;
		else {
			buf_putc(&s->out, *text);
			continue;
		}
		buf_putc(&s->out, *text == 'n' ? '\n' : *text == 'r' ? '\r' : *text);
	}
}

/* What a restart that is due does: the device's connection goes and comes, and its log tells. */
static void
restart_due(void)
{
	for (size_t i = 0; i < all.n_devices; i++) {
		struct device *d = &all.devices[i];

		if (!d->restarts_at || clock_mono_ms() < d->restarts_at || !d->online)
			continue;
		d->restarts_at = 0;
		snprintf(d->changed_at, sizeof d->changed_at, "%s", all.restart_time);
		add_entry(d->id, all.restart_time, "status", "Agent restarted: reload.", true, true);
	}
}

/* --- what is asked */
static enum MHD_Result
reply(struct MHD_Connection *c, int status, const char *type, const char *text, const char *header)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
	    MHD_RESPMEM_MUST_COPY);
	_cleanup_free_ char *name = header && strchr(header, ':') ? xstrdup(header) : NULL;
	enum MHD_Result e;

	if (*text)
		MHD_add_response_header(r, "Content-Type", type);
	if (name) {
		*strchr(name, ':') = '\0';
		MHD_add_response_header(r, name, header + strlen(name) + 1 + strspn(header + strlen(name) + 1, " "));
	}
	e = MHD_queue_response(c, (unsigned)status, r);
	MHD_destroy_response(r);
	return e;
}

static enum MHD_Result
reply_error(struct MHD_Connection *c, int status, const char *title, const char *detail, const char *header)
{
	_cleanup_free_ char *text = xasprintf("{\"errors\":[{\"title\":\"%s\",\"detail\":\"%s\"}]}", title, detail);

	return reply(c, status, "application/vnd.api+json", text, header);
}

/* The next bytes of a stream, waiting for them. */
static ssize_t
read_stream(void *cookie, uint64_t pos, char *p, size_t max)
{
	struct stream *s = cookie;
	struct timespec until;
	ssize_t n = 0;

	(void)pos;
	pthread_mutex_lock(&all.lock);
	for (;;) {
		while (!s->imp && s->next_event < all.n_events) {
			buf_printf(&s->out, "id: %s\ndata: %s\n\n", all.events[s->next_event].id,
			    all.events[s->next_event].text);
			s->next_event++;
		}
		if (s->broken) {
			n = MHD_CONTENT_READER_END_WITH_ERROR;
			break;
		}
		if (s->out.len && !s->hung) {
			n = (ssize_t)(s->out.len < max ? s->out.len : max);
			memcpy(p, s->out.s, (size_t)n);
			memmove(s->out.s, s->out.s + n, s->out.len - (size_t)n + 1);
			s->out.len -= (size_t)n;
			break;
		}
		if (s->ended) {
			n = MHD_CONTENT_READER_END_OF_STREAM;
			break;
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		pthread_cond_timedwait(&all.news, &all.lock, &until);
	}
	pthread_mutex_unlock(&all.lock);
	return n;
}

static void
end_stream(void *cookie)
{
	struct stream *s = cookie;

	pthread_mutex_lock(&all.lock);
	buf_release(&s->out);
	*s = (struct stream){ .out = BUF_INIT };
	pthread_mutex_unlock(&all.lock);
}

static struct stream *
new_stream(void)
{
	for (size_t i = 0; i < STREAMS; i++)
		if (!all.streams[i].used) {
			all.streams[i] = (struct stream){ .used = true, .out = BUF_INIT };
			return &all.streams[i];
		}
	die(EXIT_TROUBLE, 0, "too many streams");
}

static enum MHD_Result
reply_stream(struct MHD_Connection *c, struct stream *s)
{
	struct MHD_Response *r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 512, read_stream, s, end_stream);
	enum MHD_Result e;

	MHD_add_response_header(r, "Content-Type", "text/event-stream");
	e = MHD_queue_response(c, 200, r);
	MHD_destroy_response(r);
	return e;
}

static enum MHD_Result
events(struct MHD_Connection *c)
{
	const char *last = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Last-Event-ID");
	struct stream *s = new_stream();

	s->next_event = all.first_event;
	for (size_t i = all.first_event; last && i < all.n_events; i++)
		if (strcmp(all.events[i].id, last) == 0)
			s->next_event = i + 1;
	return reply_stream(c, s);
}

static enum MHD_Result
logs(struct MHD_Connection *c, const char *device, size_t n)
{
	const char *number = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "page[number]");
	const char *size = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "page[size]");
	size_t per = size ? strtoul(size, NULL, 10) : 20, from = number ? (strtoul(number, NULL, 10) - 1) * per : 0;
	struct json answer = json_object(), data = json_array();
	struct buf text = BUF_INIT;
	const struct entry *page[MANY];
	size_t seen = 0, got = 0;
	enum MHD_Result e;

	for (size_t i = all.n_entries; i-- > all.first_entry; )	/* newest first */
		if (strlen(all.entries[i].device) == n && memcmp(all.entries[i].device, device, n) == 0 &&
		    seen++ >= from && got < per)
			page[got++] = &all.entries[i];
	for (size_t k = 0; k < got; k++)
		json_append(&data, json_of_entry(page[all.oldest_first ? got - 1 - k : k], false));
	json_set(&answer, "data", data);
	json_format(answer, &text);
	json_release(&answer);
	e = reply(c, 200, "application/vnd.api+json", text.s, NULL);
	buf_release(&text);
	return e;
}

static enum MHD_Result
show_device(struct MHD_Connection *c, const struct device *d)
{
	_cleanup_free_ char *text = xasprintf("{\"data\":{\"type\":\"device\",\"id\":\"%s\",\"attributes\":{"
	    "\"device_online\":%s,\"device_state_changed_at\":\"%s\",\"agent_running\":true},\"relationships\":{%s}}}",
	    d->id, d->online ? "true" : "false", d->changed_at,
	    d->assigned ? "\"devicegroup\":{\"type\":\"production\",\"id\":\"g1\"}" : "");

	return reply(c, 200, "application/vnd.api+json", text, NULL);
}

static enum MHD_Result
devices(struct MHD_Connection *c, const char *method, const char *path)
{
	size_t n = strcspn(path, "/");
	struct device *d = find_device(path, n);

	if (!d)
		return reply_error(c, 404, "Not Found", "no such device", NULL);
	if (!path[n])
		return show_device(c, d);
	if (strcmp(path + n, "/logs") == 0 && all.fail_logs)
		return reply_error(c, all.fail_logs, "Injected", "for logs alone", NULL);
	if (strcmp(path + n, "/logs") == 0)
		return logs(c, path, n);
	if (strcmp(method, "POST") != 0 || !strstr(path + n, "restart"))
		return reply_error(c, 404, "Not Found", "no such path", NULL);
	if (!d->assigned)
		return reply_error(c, 400, "Bad Request", "an unassigned device cannot be restarted", NULL);
	d->restarts_at = all.restart_ms < 0 ? 0 : clock_mono_ms() + all.restart_ms;
	return reply(c, 204, "", "", NULL);
}

/* A new stream of an account closes the one before. */
static enum MHD_Result
logstream(struct MHD_Connection *c, const char *method, const char *path)
{
	struct stream *s = NULL;
	_cleanup_free_ char *text = NULL;
	const char *device;
	int id = *path ? atoi(path + 1 + strlen("secret-")) : 0;

	if (!*path && strcmp(method, "POST") == 0) {
		each_stream(do_evict, NULL);
		text = xasprintf("{\"data\":{\"id\":\"secret-%d\",\"type\":\"logstream\",\"attributes\":{}}}",
		    ++all.next_stream);
		return reply(c, 200, "application/vnd.api+json", text, NULL);
	}
	device = *path ? strchr(path + 1, '/') : NULL;
	if (!device && strcmp(method, "GET") == 0 && id && id == all.next_stream) {
		s = new_stream();
		s->imp = true;
		s->id = id;
		send_state(s, "opened", NULL);
		return reply_stream(c, s);
	}
	for (size_t i = 0; i < STREAMS; i++)
		if (all.streams[i].used && all.streams[i].imp && all.streams[i].id == id)
			s = &all.streams[i];
	if (!device || !s || strcmp(method, "PUT") != 0 || s->n_devices == 16)
		return reply_error(c, 404, "Not Found", "no such stream", NULL);
	s->devices[s->n_devices++] = xstrdup(device + 1);
	send_state(s, "subscribed", device + 1);
	return reply(c, 204, "", "", NULL);
}

static bool
is_authorised(struct MHD_Connection *c)
{
	const char *have = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");
	_cleanup_free_ char *want = xasprintf("Bearer token-%d", all.token);

	return have && strcmp(have, want) == 0;
}

static enum MHD_Result
goal(struct MHD_Connection *c)
{
	const char *have = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "If-None-Match");
	const char *prefer = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Prefer");
	const int number = all.goal_number;
	_cleanup_free_ char *old = xasprintf("\"g%d\"", number), *etag = NULL;
	bool is_held = prefer && strncmp(prefer, "wait=", 5) == 0 && have && strcmp(have, old) == 0, is_known;
	struct MHD_Response *r;
	struct timespec until;
	enum MHD_Result e;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	while (is_held && all.goal_number == number && pthread_cond_timedwait(&all.news, &all.lock, &until) == 0)
		;
	etag = xasprintf("\"g%d\"", all.goal_number);
	is_known = have && strcmp(have, etag) == 0;
	r = MHD_create_response_from_buffer(is_known ? 0 : strlen(all.goal), all.goal, MHD_RESPMEM_MUST_COPY);
	MHD_add_response_header(r, "ETag", etag);
	if (is_held)
		MHD_add_response_header(r, "Preference-Applied", "wait");
	e = MHD_queue_response(c, is_known ? 304 : 200, r);
	MHD_destroy_response(r);
	return e;
}

static enum MHD_Result
route(struct MHD_Connection *c, const char *method, const char *path, const struct buf *body)
{
	_cleanup_free_ char *text = NULL;
	bool stream = strncmp(path, "/v5/logstream/", 14) == 0 && strcmp(method, "GET") == 0;

	restart_due();
	if (all.fail_count > 0) {
		all.fail_count--;
		return reply_error(c, all.fail_status, "Injected", "as the test wants it", all.fail_header);
	}
	if (strcmp(path, "/events") == 0)
		return events(c);
	if (strcmp(path, "/goal") == 0 && all.goal)
		return goal(c);
	if (strncmp(path, "/v5/", 4) != 0)
		return strcmp(path, "/gone") == 0 ? reply(c, 404, "text/plain", "gone", NULL) :
		    reply(c, 200, "text/plain", "well", NULL);
	if (strcmp(path, "/v5/auth/token") == 0) {
		if (!strstr(body->s, "\"key\":\"login-key\""))
			return reply_error(c, 401, "Unauthorized", "no such login key", NULL);
		text = xasprintf("{\"access_token\":\"token-%d\",\"expires_in\":3600}", all.token);
		return reply(c, 200, "application/json", text, NULL);
	}
	if (!stream && !is_authorised(c))
		return reply_error(c, 401, "Unauthorized", "the token has expired", NULL);
	if (strncmp(path, "/v5/devices/", 12) == 0)
		return devices(c, method, path + 12);
	if (strncmp(path, "/v5/logstream", 13) == 0)
		return logstream(c, method, path + 13);
	return reply_error(c, 404, "Not Found", "no such path", NULL);
}

static enum MHD_Result
answer(void *cls, struct MHD_Connection *c, const char *path, const char *method, const char *version,
    const char *data, size_t *n, void **cookie)
{
	struct buf *body = *cookie;
	enum MHD_Result e;
	int slow;

	(void)cls;
	(void)version;
	if (!body) {
		*cookie = body = xcalloc(1, sizeof *body);
		*body = (struct buf)BUF_INIT;
		return MHD_YES;
	}
	if (*n) {
		buf_add(body, data, *n);
		*n = 0;
		return MHD_YES;
	}
	pthread_mutex_lock(&all.lock);
	slow = all.slow_ms;
	if (all.log) {
		fprintf(all.log, "%s %s%s%s%s\n", method, path, is_authorised(c) ? " token" : "",
		    body->len ? " body " : "", body->s);
		fflush(all.log);
	}
	/* a test that has seen the request in the log may write to the stream */
	if (slow) {
		pthread_mutex_unlock(&all.lock);
		clock_sleep_ms(slow);
		pthread_mutex_lock(&all.lock);
	}
	e = route(c, method, path, body);
	pthread_mutex_unlock(&all.lock);
	return e;
}

static void
completed(void *cls, struct MHD_Connection *c, void **cookie, enum MHD_RequestTerminationCode why)
{
	(void)cls;
	(void)c;
	(void)why;
	if (*cookie)
		buf_release(*cookie);
	free(*cookie);
}

/* --- what the test says */
static void
set_device(char *rest)
{
	char *id = strsep(&rest, " ");
	struct device *d = find_device(id, strlen(id));

	if (!d) {
		d = &all.devices[all.n_devices++];
		*d = (struct device){ .id = xstrdup(id), .changed_at = "2026-01-01T00:00:00.000Z" };
	}
	d->online = !rest || !strstr(rest, "offline");
	d->assigned = !rest || !strstr(rest, "unassigned");
}

static char *
text_of_file(const char *path)
{
	struct buf b = BUF_INIT;
	struct fail f;

	if (file_load(path, 0, FILE_DATA_MAX, &b, &f) < 0)
		fail_die(&f);
	return buf_steal(&b);
}

static void
obey(char *line)
{
	char *rest = line, *word = strsep(&rest, " "), *a, *b, *t;

	if (strcmp(word, "log") == 0 || strcmp(word, "quiet") == 0 || strcmp(word, "again") == 0) {
		a = strsep(&rest, " ");
		b = strsep(&rest, " ");
		t = strsep(&rest, " ");
		add_entry(a, b, t, rest, *word != 'a', *word != 'q');
	} else if (strcmp(word, "device") == 0)
		set_device(rest);
	else if (strcmp(word, "raw") == 0)
		each_stream(do_raw, rest);
	else if (strcmp(word, "event") == 0) {
		all.events[all.n_events].id = xstrdup(strsep(&rest, " "));
		all.events[all.n_events++].text = xstrdup(rest);
		pthread_cond_broadcast(&all.news);
	} else if (strcmp(word, "hide") == 0)
		all.first_entry = all.n_entries;
	else if (strcmp(word, "forget") == 0)
		all.first_event = all.n_events;
	else if (strcmp(word, "break") == 0)
		each_stream(do_break, NULL);
	else if (strcmp(word, "hang") == 0)
		each_stream(do_hang, NULL);
	else if (strcmp(word, "evict") == 0)
		each_stream(do_evict, NULL);
	else if (strcmp(word, "unsubscribe") == 0)
		each_stream(do_unsubscribe, rest);
	else if (strcmp(word, "goal") == 0) {
		free(all.goal);
		all.goal = text_of_file(rest);
		all.goal_number++;
		pthread_cond_broadcast(&all.news);
	} else if (strcmp(word, "fail") == 0) {
		all.fail_status = atoi(strsep(&rest, " "));
		all.fail_count = atoi(strsep(&rest, " "));
		snprintf(all.fail_header, sizeof all.fail_header, "%s", rest ? rest : "");
	} else if (strcmp(word, "fail-logs") == 0)
		all.fail_logs = atoi(rest);
	else if (strcmp(word, "expire") == 0)
		all.token++;
	else if (strcmp(word, "slow") == 0)
		all.slow_ms = atoi(rest);
	else if (strcmp(word, "restart-takes") == 0) {
		a = strsep(&rest, " ");
		all.restart_ms = strcmp(a, "never") == 0 ? -1 : atoi(a);
		snprintf(all.restart_time, sizeof all.restart_time, "%s", rest ? rest : "");
	} else if (strcmp(word, "history-order") == 0)
		all.oldest_first = strcmp(rest, "oldest") == 0;
	else
		diag(0, "not understood: %s", word);
}

int
main(int argc, char *argv[])
{
	struct MHD_Daemon *daemon;
	const union MHD_DaemonInfo *info;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	char *cert = NULL, *key = NULL, line[65536];

	diag_init(argv);
	snprintf(all.restart_time, sizeof all.restart_time, "2026-01-01T00:01:00.000Z");
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--tls") == 0 && i + 2 < argc) {
			cert = text_of_file(argv[++i]);
			key = text_of_file(argv[++i]);
		} else if (strcmp(argv[i], "--log") == 0 && i + 1 < argc)
			all.log = fopen(argv[++i], "ae");
		else
			die(EXIT_USAGE, 0, "[--tls CERT KEY] [--log FILE]");
	daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
	    (cert ? MHD_USE_TLS : 0), 0, NULL, NULL, answer, NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&a,
	    MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, cert ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, cert,
	    MHD_OPTION_HTTPS_MEM_KEY, key, MHD_OPTION_END);
	info = daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
	if (!info)
		die(EXIT_TROUBLE, errno, "cannot serve");
	printf("%d\n", info->port);
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = '\0';
		pthread_mutex_lock(&all.lock);
		if (*line)
			obey(line);
		pthread_mutex_unlock(&all.lock);
		puts("done");
		fflush(stdout);
	}
	_exit(0);	/* with its threads */
}
