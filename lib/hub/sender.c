#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "hub/sender.h"
#include "hub/thingsboard.h"

enum { QUEUES = 2, SAVE_MS = 100, REPORTED_MAX = 8 << 20 };

/* A record that was sent and is not confirmed. */
struct sender_flight {
	enum outbox_queue queue;
	int64_t id;
	size_t bytes;
	int mid;		/* of its PUBACK; 0: it came */
	bool is_reported;	/* its attributes are read back */
	struct json body;	/* them */
	char *sub;		/* the sender wants the result; NULL */
};

/* A record whose attributes are with the broker, and whose submission waits for the read back. */
struct sender_wait {
	char *sub;
	int64_t id;
};

struct sender {
	struct sender_spec spec;
	struct sender_callbacks cb;
	bool up;
	int64_t sent[QUEUES];		/* the last id that was sent */
	struct sender_flight *flights;
	size_t n, cap, in_window[QUEUES], bytes;
	struct loop_timer again;	/* rejoin: no acknowledgement */
	/* reports */
	struct json reported;		/* attributes as they were sent */
	struct loop_timer save, read_back, answer;
	int64_t number;			/* of the request that is open; 0 for none */
	int64_t next_number;
	int unanswered;
	bool broker_only;
	struct sender_wait *waits;
	size_t n_waits, waits_cap;
};

static const struct dialect *
dialect_of(const struct sender *s)
{
	return s->spec.dialect;
}

/* --- records on their way */

static void
flight_release(struct sender_flight *x)
{
	json_release(&x->body);
	free(x->sub);
}

static void
flight_remove(struct sender *s, size_t i)
{
	s->in_window[s->flights[i].queue]--;
	s->bytes -= s->flights[i].bytes;
	flight_release(&s->flights[i]);
	memmove(&s->flights[i], &s->flights[i + 1], (--s->n - i) * sizeof *s->flights);
}

/* Records of QUEUE are on their way no longer: they are sent again from the first that is not confirmed. */
static void
queue_rewind(struct sender *s, enum outbox_queue queue)
{
	for (size_t i = s->n; i-- > 0; )
		if (s->flights[i].queue == queue)
			flight_remove(s, i);
	s->sent[queue] = 0;
}

static void
flight_confirm(struct sender *s, size_t i, const char *how)
{
	struct sender_flight *x = &s->flights[i];

	if (x->sub)
		s->cb.confirmed(x->sub, x->id, how, s->cb.cookie);
	flight_remove(s, i);
}

/* --- sending */

/* A range that was dropped, for dialects that have no chain: its number as telemetry. */
static struct json
dropped_telemetry(struct json record)
{
	struct json v = json_object();

	json_set_text(&v, "kind", "telemetry");
	json_set_text(&v, "key", "$agent/dropped");
	json_set(&v, "value", json_get(record, "dropped"));
	json_set(&v, "id", json_get(record, "id"));
	return v;
}

/* RECORD as a message, published; X's body where its attributes are read back. */
static int
record_publish(struct sender *s, struct json record, struct sender_flight *x, struct fail *f)
{
	_cleanup_dialect_message_ struct dialect_message m = DIALECT_MESSAGE_INIT;
	const char *kind = json_get_text(record, "kind");
	struct fail ignored;

	if (dialect_of(s)->encode(s->spec.context, record, &m, f) < 0)
		return -EBADMSG;
	x->bytes = m.payload.len;
	x->mid = s->cb.publish(&m, s->cb.cookie);
	if (x->mid == -EBADMSG)
		return fail_set(f, EXIT_USAGE, "%zu bytes to %.80s: no message can have them", m.payload.len, m.topic), -EBADMSG;
	if (x->mid < 0)
		return x->mid;
	x->is_reported = dialect_of(s)->reports_by_key && kind &&
	    (strcmp(kind, "report") == 0 || strcmp(kind, "state") == 0);
	if (x->is_reported)
		(void)json_parse(NULL, m.payload.s, m.payload.len, &x->body, &ignored);
	return 0;
}

/* What is sent of RECORD: as it is, or as the range of those that were dropped, of the queue's kind. */
static struct json
record_shown(struct sender *s, enum outbox_queue queue, struct json record, bool is_dropped)
{
	static const char *const members[] = { "id", "prev", "acked" };
	struct json v = is_dropped ? json_object() : json_copy(record);
	_cleanup_json_ struct json range = JSON_ABSENT;

	json_remove(&v, "wait");
	if (!is_dropped)
		return v;
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		json_set(&v, members[i], json_get(record, members[i]));
	range = json_get(record, "dropped");
	json_set(&v, "dropped", json_kind(range) == JSON_NUMBER ? json_copy(range) : json_number(1));
	if (dialect_of(s)->acknowledged) {
		json_set_text(&v, "kind", queue == OUTBOX_URGENT ? "report" : "telemetry");
	} else {
		struct json told = dropped_telemetry(v);

		json_release(&v);
		v = told;
	}
	return v;
}

static int
record_send(struct sender *s, enum outbox_queue queue, struct json record, int64_t id)
{
	_cleanup_json_ struct json wait = json_get(record, "wait"), dropped = json_get(record, "dropped");
	_cleanup_json_ struct json shown = record_shown(s, queue, record, json_kind(dropped) == JSON_NUMBER);
	const char *sub = json_kind(wait) == JSON_TRUE ? json_get_text(record, "sub") : NULL;
	struct sender_flight x = { .queue = queue, .id = id };
	struct fail f;
	int r = record_publish(s, shown, &x, &f);

	if (r == -EBADMSG && json_kind(dropped) != JSON_NUMBER) {
		s->cb.refused(sub, id, &f, s->cb.cookie);
		sub = NULL;
		json_release(&shown);
		shown = record_shown(s, queue, record, true);
		r = record_publish(s, shown, &x, &f);
	}
	if (r < 0)
		return r;
	x.sub = sub ? xstrdup(sub) : NULL;
	s->flights = xgrow(s->flights, s->n, &s->cap, sizeof *s->flights);
	s->flights[s->n++] = x;
	s->in_window[queue]++;
	s->bytes += x.bytes;
	return 0;
}

/* Send the next record of QUEUE: 1, 0 for none, or an error. */
static int
queue_send(struct sender *s, enum outbox_queue queue)
{
	_cleanup_json_ struct json record = JSON_ABSENT, id = JSON_ABSENT;
	int64_t n;
	int r;

	if (s->in_window[queue] >= SENDER_WINDOW || s->bytes >= SENDER_BYTES)
		return 0;
	r = outbox_next(s->spec.outbox, queue, s->sent[queue], &record);
	if (r <= 0)
		return r;
	id = json_get(record, "id");
	if (!json_get_whole(id, &n))
		return -EBADMSG;
	r = record_send(s, queue, record, n);
	if (r < 0)
		return r;
	s->sent[queue] = n;
	return 1;
}

void
sender_pump(struct sender *s)
{
	int r = 1;

	while (s->up && r > 0) {
		r = queue_send(s, OUTBOX_URGENT);
		if (r == 0)
			r = queue_send(s, OUTBOX_BULK);
	}
	if (r < 0)
		logger_info(&s->spec.log, "outbox: %s", strerror(-r));
	if (s->up && s->n > 0 && dialect_of(s)->acknowledged && !s->again.set)
		loop_timer_set(s->spec.loop, &s->again, SENDER_AGAIN_MS);
}

static void
on_again(void *cookie)
{
	struct sender *s = cookie;

	if (s->n == 0)
		return;
	queue_rewind(s, OUTBOX_URGENT);
	queue_rewind(s, OUTBOX_BULK);
	sender_pump(s);
}

static void
read_back_in(struct sender *s, int64_t ms)
{
	if (s->up && !s->broker_only && json_count(s->reported) > 0)
		loop_timer_set(s->spec.loop, &s->read_back, ms);
}

void
sender_start(struct sender *s)
{
	sender_stop(s);
	s->up = true;
	s->broker_only = false;
	s->unanswered = 0;
	read_back_in(s, 0);
	sender_pump(s);
}

void
sender_stop(struct sender *s)
{
	s->up = false;
	queue_rewind(s, OUTBOX_URGENT);
	queue_rewind(s, OUTBOX_BULK);
	loop_timer_stop(s->spec.loop, &s->again);
	loop_timer_stop(s->spec.loop, &s->read_back);
	loop_timer_stop(s->spec.loop, &s->answer);
	s->number = 0;
}

/* --- confirmation by the collector */

void
sender_acknowledged(struct sender *s, int64_t urgent, int64_t bulk)
{
	const int64_t upto[QUEUES] = { urgent, bulk };

	for (int q = 0; q < QUEUES; q++) {
		if (upto[q] < 0)
			continue;
		if (upto[q] == 0) {	/* a collector that knows nothing of us: all again */
			queue_rewind(s, (enum outbox_queue)q);
			continue;
		}
		(void)outbox_confirm_to(s->spec.outbox, (enum outbox_queue)q, upto[q]);
		for (size_t i = s->n; i-- > 0; )
			if ((int)s->flights[i].queue == q && s->flights[i].id <= upto[q])
				flight_confirm(s, i, NULL);
	}
	loop_timer_stop(s->spec.loop, &s->again);
	sender_pump(s);
}

/* --- confirmation by PUBACK and by reading back */

static char *
reported_path(const struct sender *s)
{
	return xasprintf("%s/reported.json", s->spec.dir);
}

static void
waits_confirm(struct sender *s, const char *how)
{
	for (size_t i = 0; i < s->n_waits; i++) {
		s->cb.confirmed(s->waits[i].sub, s->waits[i].id, how, s->cb.cookie);
		free(s->waits[i].sub);
	}
	s->n_waits = 0;
}

static void
flight_reported(struct sender *s, size_t i)
{
	struct sender_flight *x = &s->flights[i];

	(void)outbox_confirm(s->spec.outbox, x->queue, x->id);
	if (x->sub && !s->broker_only) {
		s->waits = xgrow(s->waits, s->n_waits, &s->waits_cap, sizeof *s->waits);
		s->waits[s->n_waits++] = (struct sender_wait){ TAKE_PTR(x->sub), x->id };
	}
	flight_confirm(s, i, "broker only");
}

/* The attributes of which a PUBACK came are on disk: their records are confirmed. */
static void
on_save(void *cookie)
{
	struct sender *s = cookie;
	_cleanup_free_ char *path = reported_path(s);
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	json_format(s->reported, &b);
	buf_putc(&b, '\n');
	r = file_replace(path, b.s, b.len, 0600, FILE_DURABLE);
	if (r < 0) {
		logger_info(&s->spec.log, "reported.json cannot be written: reports stay in the outbox");
		loop_timer_set(s->spec.loop, &s->save, SENDER_AGAIN_MS);
		return;
	}
	for (size_t i = s->n; i-- > 0; )
		if (s->flights[i].is_reported && s->flights[i].mid == 0)
			flight_reported(s, i);
	read_back_in(s, s->n_waits > 0 ? SENDER_WAITED_MS : SENDER_READ_BACK_MS);
	sender_pump(s);
}

void
sender_published(struct sender *s, int mid)
{
	for (size_t i = 0; i < s->n; i++) {
		struct sender_flight *x = &s->flights[i];

		if (x->mid != mid || mid == 0)
			continue;
		x->mid = 0;
		if (dialect_of(s)->acknowledged)
			return;
		if (x->is_reported) {
			for (struct json_iter it = json_begin(x->body); json_next(&it); )
				json_set(&s->reported, it.key, json_copy(it.value));
			if (!s->save.set)
				loop_timer_set(s->spec.loop, &s->save, SAVE_MS);
			return;
		}
		(void)outbox_confirm(s->spec.outbox, x->queue, x->id);
		flight_confirm(s, i, NULL);
		sender_pump(s);
		return;
	}
}

static void
on_read_back(void *cookie)
{
	struct sender *s = cookie;
	_cleanup_dialect_message_ struct dialect_message m = DIALECT_MESSAGE_INIT;

	if (!s->up || s->number)
		return;
	s->number = DIALECT_FETCH_ID + ++s->next_number;
	thingsboard_read_back(s->number, s->reported, &m);
	if (s->cb.publish(&m, s->cb.cookie) >= 0)
		loop_timer_set(s->spec.loop, &s->answer, SENDER_ANSWER_MS);
}

static void
on_no_answer(void *cookie)
{
	struct sender *s = cookie;

	s->number = 0;
	if (++s->unanswered < 2) {
		on_read_back(s);
		return;
	}
	s->broker_only = true;
	logger_info(&s->spec.log, "the hub does not answer when reports are read back: the broker's acknowledgement counts");
	waits_confirm(s, "broker only");
}

void
sender_reported(struct sender *s, int64_t number, struct json values)
{
	_cleanup_json_ struct json differing = json_object();
	_cleanup_dialect_message_ struct dialect_message m = DIALECT_MESSAGE_INIT;

	if (number != s->number || number == 0)
		return;
	s->number = 0;
	s->unanswered = 0;
	loop_timer_stop(s->spec.loop, &s->answer);
	for (struct json_iter it = json_begin(s->reported); json_next(&it); ) {
		_cleanup_json_ struct json have = json_get(values, it.key);

		if (!json_equal(have, it.value))
			json_set(&differing, it.key, json_copy(it.value));
	}
	if (json_count(differing) == 0) {
		waits_confirm(s, NULL);
		return;
	}
	logger_info(&s->spec.log, "the hub has other values than were reported: sent again");
	m.topic = xstrdup("v1/devices/me/attributes");
	json_format(differing, &m.payload);
	(void)s->cb.publish(&m, s->cb.cookie);
	read_back_in(s, SENDER_ANSWER_MS);
}

/* --- */

bool
sender_is_idle(const struct sender *s)
{
	struct outbox_level urgent, bulk;

	outbox_get_level(s->spec.outbox, OUTBOX_URGENT, &urgent);
	outbox_get_level(s->spec.outbox, OUTBOX_BULK, &bulk);
	return s->n == 0 && urgent.records == 0 && bulk.records == 0;
}

bool
sender_confirms_end_to_end(const struct sender *s)
{
	return dialect_of(s)->acknowledged || !s->broker_only;
}

struct sender *
sender_new(const struct sender_spec *spec, const struct sender_callbacks *cb)
{
	struct sender *s = xcalloc(1, sizeof *s);
	_cleanup_free_ char *path = NULL;
	struct fail f;
	int r;

	s->spec = *spec;
	s->cb = *cb;
	s->again = (struct loop_timer){ .fn = on_again, .cookie = s };
	s->save = (struct loop_timer){ .fn = on_save, .cookie = s };
	s->read_back = (struct loop_timer){ .fn = on_read_back, .cookie = s };
	s->answer = (struct loop_timer){ .fn = on_no_answer, .cookie = s };
	path = reported_path(s);
	r = json_load(path, FILE_NOFOLLOW, REPORTED_MAX, &s->reported, &f);
	if (r < 0 && r != -ENOENT)
		logger_info(&s->spec.log, "%s", f.text);
	if (!json_is_object(s->reported)) {
		json_release(&s->reported);
		s->reported = json_object();
	}
	return s;
}

void
sender_free(struct sender *s)
{
	if (!s)
		return;
	sender_stop(s);
	loop_timer_stop(s->spec.loop, &s->save);
	for (size_t i = 0; i < s->n_waits; i++)
		free(s->waits[i].sub);
	free(s->waits);
	free(s->flights);
	json_release(&s->reported);
	free(s);
}
