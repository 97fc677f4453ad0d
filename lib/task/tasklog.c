#include <errno.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "task/frames.h"
#include "task/tasklog.h"

enum { WAIT_S = 30 };

static const char *const stream_names[] = { "output", "error" };

/* The bytes from *AT on are gone up to the one that V, the answer, names. */
static int
skip_gap(const struct inquiry_agent *a, int64_t task, int stream, struct json v, int64_t *at,
    const struct taskevent_sink *events, struct fail *f)
{
	_cleanup_json_ struct json first = json_get(v, "first"), end = json_get(v, "end");
	struct json event;
	int64_t n;

	/* the agent's machine lost power, and with it the end of what was read here */
	if (json_get_whole(end, &n) && n >= 0 && n < *at) {
		*at = n;
		return 0;
	}
	if (!json_get_whole(first, &n) || n <= *at)
		return fail_set(f, EXIT_TROUBLE, "%s: an answer that is not understood", a->name);
	event = taskevent_new("dropped");
	json_set(&event, "task", json_number((double)task));
	json_set_text(&event, "stream", stream ? "err" : "out");
	json_set(&event, "from", json_number((double)*at));
	json_set(&event, "to", json_number((double)n));
	taskevent_report(events, event, "task %jd: bytes %jd to %jd of its standard %s are no longer there",
	    (intmax_t)task, (intmax_t)*at, (intmax_t)n, stream_names[stream]);
	*at = n;
	return 0;
}

static bool
is_beyond(struct json v, int64_t at)
{
	_cleanup_json_ struct json end = json_get(v, "end");
	int64_t n;

	return json_get_whole(end, &n) && n < at;
}

/* AT is what the user asked for. */
static int
refuse_beyond(const struct inquiry_agent *a, int64_t task, int stream, struct json v, int64_t at, struct fail *f)
{
	_cleanup_json_ struct json end = json_get(v, "end");
	int64_t n;

	json_get_whole(end, &n);
	return fail_set(f, EXIT_USAGE, "%s: task %jd: offset %jd is beyond the end of its standard %s, which has %jd bytes",
	    a->name, (intmax_t)task, (intmax_t)at, stream_names[stream], (intmax_t)n);
}

static int
write_bytes(int stream, const char *p, size_t n, int64_t *at, struct fail *f)
{
	int r = io_write_all(stream + 1, p, n);

	*at += (int64_t)n;
	return r < 0 ? fail_errno(f, r, "standard %s", stream_names[stream]) : 0;
}

/* One stream from AT on, up to what is there or (FOLLOW) its end. */
static int
copy_stream(const struct inquiry_agent *a, int64_t task, int stream, int64_t at, bool follow,
    const struct taskevent_sink *events, struct fail *f)
{
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	struct inquiry_link link = { .events = events };
	bool begun = false;
	int r;

	do {
		_cleanup_free_ char *path = xasprintf("/1/tasks/%jd/%s?from=%jd&wait=%d", (intmax_t)task,
		    stream ? "err" : "out", (intmax_t)at, follow ? WAIT_S : 0);

		r = inquiry_follow(a, &link, path, &q, f);
		if (r == 0 && q.status == 416 && !begun && is_beyond(q.v, at))
			return refuse_beyond(a, task, stream, q.v, at, f);
		begun |= r == 0;
		if (r == 0 && q.status == 416)
			r = skip_gap(a, task, stream, q.v, &at, events, f);
		else if (r == 0)
			r = write_bytes(stream, q.body.s, q.body.len, &at, f);
	} while (r == 0 && !q.end && (follow || q.body.len > 0));
	return r;
}

static int
write_frames(const struct inquiry_agent *a, const struct buf *b, int64_t at[2], struct fail *f)
{
	const char *p = b->s;
	struct task_frame frame;
	int n, r = 0;

	while (r == 0 && (n = frames_next(&p, b->s + b->len, false, &frame)) != 0) {
		const int stream = frame.kind == FRAMES_ERR;

		if (n < 0 || frame.offset != at[stream])
			return fail_set(f, EXIT_TROUBLE, "%s: an answer that is not understood", a->name);
		r = write_bytes(stream, frame.bytes, (size_t)frame.length, &at[stream], f);
	}
	return r;
}

/* Both streams, as they come, to the task's end. */
static int
follow_both(const struct inquiry_agent *a, int64_t task, const struct taskevent_sink *events, struct fail *f)
{
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	struct inquiry_link link = { .events = events };
	int64_t at[2] = { 0, 0 };
	int r;

	do {
		_cleanup_free_ char *path = xasprintf("/1/tasks/%jd/output?out=%jd&err=%jd&wait=%d", (intmax_t)task,
		    (intmax_t)at[0], (intmax_t)at[1], WAIT_S);

		r = inquiry_follow(a, &link, path, &q, f);
		if (r == 0 && q.status == 416) {
			const char *name = json_get_text(q.v, "stream");
			const int stream = name && *name == 'e';

			r = skip_gap(a, task, stream, q.v, &at[stream], events, f);
		} else if (r == 0) {
			r = write_frames(a, &q.body, at, f);
		}
	} while (r == 0 && !q.end);
	return r;
}

int
tasklog_copy(const struct inquiry_agent *a, int64_t task, int64_t from, bool follow,
    const struct taskevent_sink *events, struct fail *f)
{
	int r;

	if (follow && from < 0)
		return follow_both(a, task, events, f);
	r = copy_stream(a, task, 0, from > 0 ? from : 0, follow, events, f);
	return r < 0 || from >= 0 ? r : copy_stream(a, task, 1, 0, follow, events, f);
}
