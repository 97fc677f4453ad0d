#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "deploy/reporting.h"
#include "hub/hubdir.h"
#include "hub/outbox.h"
#include "hub/submission.h"

#define HUB	"hub:"

enum { SEND_MS = 60000, ANSWER_MAX = 65536, REFUSALS_MAX = 5, REFUSED_KEPT = 100, NOTE_TEXT = 256 };

struct reporting {
	struct loop *loop;
	char *url;
	bool posts, is_failing;
	const struct http_job_link *link;
	void (*log)(const char *text, void *cookie);
	void *cookie;
	struct outbox *outbox;
	struct http_job *job;
	int64_t sending;		/* the id of the report under way */
	unsigned refusals;		/* answers to it that are final */
	char *refused;			/* the directory of those that were set aside */
	size_t n_refused;
	char note[NOTE_TEXT];
	loop_fn *changed;
	struct http_job_backoff backoff;
	struct loop_timer next;
	loop_fn *flushed;
	void *flush_cookie;
};

PRINTF(2, 3) static void
log_line(struct reporting *g, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	g->log(text, g->cookie);
}

static void
end_flush(struct reporting *g)
{
	loop_fn *done = g->flushed;

	g->flushed = NULL;
	if (done)
		done(g->flush_cookie);
}

/* What the status says: reports that wait, else those that were refused. */
static void
note_update(struct reporting *g, const char *why)
{
	char text[NOTE_TEXT] = "";

	if (why)
		snprintf(text, sizeof text, "report %" PRId64 ": %.150s; %" PRId64 " wait", g->sending, why, reporting_waiting(g));
	else if (g->n_refused > 0)
		snprintf(text, sizeof text, "%zu reports were refused by the server, and are kept in %.150s", g->n_refused, g->refused);
	if (strcmp(text, g->note) == 0)
		return;
	memcpy(g->note, text, sizeof text);
	if (g->changed)
		g->changed(g->cookie);
}

static void
send_failed(struct reporting *g, const char *why, int64_t at_least_ms)
{
	int64_t ms = http_job_backoff_next(&g->backoff);

	note_update(g, why);
	if (!g->is_failing)
		log_line(g, "report %" PRId64 ": %s; sent again until it is accepted", g->sending, why);
	g->is_failing = true;
	loop_timer_set(g->loop, &g->next, ms > at_least_ms ? ms : at_least_ms);
	end_flush(g);
}

/* The other side has the report that was sent. */
static void
send_accepted(struct reporting *g)
{
	int e;

	http_job_backoff_succeed(&g->backoff);
	if (g->is_failing)
		log_line(g, "report %" PRId64 ": accepted", g->sending);
	g->is_failing = false;
	e = outbox_confirm(g->outbox, OUTBOX_URGENT, g->sending);
	if (e < 0)
		log_line(g, "outbox: %s", strerror(-e));
	g->refusals = 0;
	note_update(g, NULL);
	/* from the loop, so that a server that answers at once holds nothing up */
	loop_timer_set(g->loop, &g->next, 0);
}

/*
 * A status that the same report gets however often it is sent (RFC 9110).  Those that
 * speak of credentials, of time or of the server are none: they may be another one next time.
 */
static bool
is_final(int status)
{
	static const short finals[] = { 400, 404, 405, 406, 409, 410, 411, 413, 414, 415, 422, 431, 501 };

	for (size_t i = 0; i < sizeof finals / sizeof *finals; i++)
		if (status == finals[i])
			return true;
	return false;
}

/* Remove the oldest of the reports that were set aside, until there are REFUSED_KEPT; ids have one length. */
static void
refused_trim(struct reporting *g)
{
	struct dirent **names;
	int n = scandir(g->refused, &names, NULL, alphasort), n_files = 0;

	for (int i = 0; i < n; i++)
		n_files += *names[i]->d_name != '.';
	g->n_refused = (size_t)n_files;
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", g->refused, names[i]->d_name);

		if (*names[i]->d_name != '.' && g->n_refused > REFUSED_KEPT && unlink(path) == 0)
			g->n_refused--;
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

/* The report that was sent goes to a file of its own, out of the way of those behind it.  False where it could not. */
static bool
set_aside(struct reporting *g, int status)
{
	_cleanup_json_ struct json record = JSON_ABSENT;
	_cleanup_free_ char *path = xasprintf("%s/%" PRId64 ".json", g->refused, g->sending);
	_cleanup_buf_ struct buf text = BUF_INIT;
	int r = outbox_next(g->outbox, OUTBOX_URGENT, 0, &record);

	if (r <= 0 || json_get_whole_or(record, "id", 0) != g->sending)
		return false;
	json_format(record, &text);
	buf_putc(&text, '\n');
	r = file_make_dirs(g->refused, 0700);
	if (r == 0)
		r = file_replace(path, text.s, text.len, 0600, FILE_DURABLE);
	if (r < 0) {
		log_line(g, "%s: %s", path, strerror(-r));
		return false;
	}
	log_line(g, "report %" PRId64 ": HTTP %d, %d times: it is refused, and kept as %s", g->sending, status, REFUSALS_MAX, path);
	refused_trim(g);
	return true;
}

static void
send_done(const struct http_job_response *r, const struct fail *f, void *cookie)
{
	struct reporting *g = cookie;
	char status[32];

	g->job = NULL;
	if (loop_is_shutting_down(g->loop))
		return;
	if (!f && is_final(r->status) && ++g->refusals >= REFUSALS_MAX && set_aside(g, r->status)) {
		g->is_failing = false;
		send_accepted(g);
		return;
	}
	if (f || r->status < 200 || r->status > 299) {
		snprintf(status, sizeof status, "HTTP %d", f ? 0 : r->status);
		send_failed(g, f ? f->text : status, f ? 0 : r->retry_after_ms);
		return;
	}
	send_accepted(g);
}

/* The address for the report ID; to be freed. */
static char *
url_for(const struct reporting *g, int64_t id)
{
	const char *mark = strstr(g->url, "{id}");

	return mark ? xasprintf("%.*s%" PRId64 "%s", (int)(mark - g->url), g->url, id, mark + 4) : xstrdup(g->url);
}

/* Into the directory of rejoin-hub, which has it from then on. */
static int
hub_submit(struct reporting *g, struct json record, struct fail *f)
{
	_cleanup_free_ char *dir = hubdir_path(g->url + strlen(HUB));
	_cleanup_json_ struct json line = json_object(), value = json_copy(record);
	_cleanup_buf_ struct buf text = BUF_INIT;
	char name[SUBMISSION_NAME];
	int r;

	json_set_text(&line, "kind", "report");
	json_set_text(&line, "key", "");
	json_set(&line, "time", json_get(record, "time"));
	for (int i = 0; i < 4; i++)
		json_remove(&value, (const char *const[]){ "id", "prev", "acked", "time" }[i]);
	json_set(&line, "value", json_copy(value));
	json_format(line, &text);
	buf_putc(&text, '\n');
	r = submission_send(dir, text.s, text.len, true, name, f);
	if (r == 0)
		log_line(g, "report %" PRId64 ": submitted as %s", g->sending, name);
	return r;
}

/* RECORD by its id G->sending to rejoin-hub. */
static void
send_to_hub(struct reporting *g, struct json record)
{
	struct fail f;

	if (hub_submit(g, record, &f) < 0)
		send_failed(g, f.text, 0);
	else
		send_accepted(g);
}

static void
send_next(void *cookie)
{
	struct reporting *g = cookie;
	_cleanup_json_ struct json record = JSON_ABSENT;
	_cleanup_buf_ struct buf body = BUF_INIT;
	_cleanup_free_ char *url = NULL, *key = NULL;
	int r;

	if (!g->url)
		end_flush(g);
	if (!g->url || g->job || g->next.set)
		return;
	r = outbox_next(g->outbox, OUTBOX_URGENT, 0, &record);
	if (r <= 0) {
		if (r < 0)
			send_failed(g, strerror(-r), 0);
		else
			end_flush(g);
		return;
	}
	g->sending = json_get_whole_or(record, "id", 0);
	if (strncmp(g->url, HUB, strlen(HUB)) == 0) {
		send_to_hub(g, record);
		return;
	}
	json_format(record, &body);
	url = url_for(g, g->sending);
	key = xasprintf("Idempotency-Key: \"%" PRId64 "\"", g->sending);
	g->job = http_job_start(g->loop, &(struct http_job_request){ .url = url,
	    .method = g->posts ? "POST" : "PUT", .headers = (const char *const[]){ "Content-Type: application/json", key, NULL },
	    .body = body.s, .max = ANSWER_MAX, .timeout_ms = SEND_MS, .link = g->link }, send_done, g);
}

int
reporting_open(struct loop *l, const struct reporting_spec *spec, struct reporting **out, struct fail *f)
{
	struct reporting *g;
	int r;

	*out = NULL;
	if (!spec->url && access(spec->dir, F_OK) < 0)
		return 0;
	g = xcalloc(1, sizeof *g);
	*g = (struct reporting){ .loop = l, .url = spec->url ? xstrdup(spec->url) : NULL, .posts = spec->posts,
	    .link = spec->link, .log = spec->log, .cookie = spec->cookie,
	    .refused = xasprintf("%s/refused", spec->dir),
	    .next = { .fn = send_next, .cookie = g } };
	r = outbox_open(spec->dir, 0, 0, &g->outbox, f);
	if (r < 0) {
		reporting_free(g);
		return r;
	}
	if (!g->url && reporting_waiting(g) > 0)
		log_line(g, "%" PRId64 " reports wait, and no address for them is set ('report' of agent.conf)",
		    reporting_waiting(g));
	refused_trim(g);
	note_update(g, NULL);
	g->changed = spec->changed;	/* the caller asks for the first note itself */
	*out = g;
	return 0;
}

const char *
reporting_note(const struct reporting *g)
{
	return g->note;
}

void
reporting_free(struct reporting *g)
{
	if (!g)
		return;
	loop_timer_stop(g->loop, &g->next);
	http_job_kill(g->job);
	outbox_close(g->outbox);
	free(g->refused);
	free(g->url);
	free(g);
}

int
reporting_add(struct reporting *g, struct json twin, int64_t *id)
{
	_cleanup_json_ struct json record = json_object();
	char now[CLOCK_TEXT];
	int r;

	json_set_text(&record, "time", clock_now(now));
	for (struct json_iter it = json_begin(twin); json_next(&it); )
		json_set(&record, it.key, json_copy(it.value));
	r = outbox_add(g->outbox, OUTBOX_URGENT, record, id);
	if (r == 0)
		r = outbox_commit(g->outbox);
	if (r == 0)
		send_next(g);
	return r;
}

int64_t
reporting_last(struct reporting *g, struct json *out)
{
	struct outbox_level level;
	int64_t after = 0;

	*out = JSON_ABSENT;
	for (;;) {
		struct json next = JSON_ABSENT;

		if (outbox_next(g->outbox, OUTBOX_URGENT, after, &next) <= 0)
			break;
		after = json_get_whole_or(next, "id", 0);
		json_release(out);
		*out = next;
	}
	for (int i = 0; i < 4; i++)
		json_remove(out, (const char *const[]){ "id", "prev", "acked", "time" }[i]);
	outbox_get_level(g->outbox, OUTBOX_URGENT, &level);
	return level.last;
}

void
reporting_start(struct reporting *g)
{
	send_next(g);
}

void
reporting_flush(struct reporting *g, loop_fn *done, void *cookie)
{
	g->flushed = done;
	g->flush_cookie = cookie;
	if (!g->url || (g->is_failing && g->next.set) || reporting_waiting(g) == 0)
		loop_timer_set(g->loop, &g->next, 0);	/* the caller's DONE is called from the loop */
	else
		send_next(g);
}

int64_t
reporting_waiting(const struct reporting *g)
{
	struct outbox_level level;

	outbox_get_level(g->outbox, OUTBOX_URGENT, &level);
	return level.records;
}
