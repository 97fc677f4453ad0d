#include <stdlib.h>

#include "base/base64.h"
#include "base/fail.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "task/taskbatch_task.h"
#include "task/taskevent.h"

static const char *const stream_names[] = { "out", "err" };

int64_t
taskbatch_task_id(struct json request)
{
	return json_get_positive(request, "id");
}

struct taskbatch_task *
taskbatch_task_new(int64_t line, struct json request)
{
	struct taskbatch_task *t = xcalloc(1, sizeof *t);

	*t = (struct taskbatch_task){ .line = line, .id = taskbatch_task_id(request), .request = request };
	return t;
}

void
taskbatch_task_free(struct taskbatch_task *t)
{
	json_release(&t->request);
	free(t);
}

static struct json
record_new(const struct taskbatch_task *t, const char *event)
{
	struct json v = taskevent_new(event);

	json_set(&v, "line", json_number((double)t->line));
	if (t->id)
		json_set(&v, "task", json_number((double)t->id));
	return v;
}

static void
record_add(struct buf *out, struct json v)
{
	json_format(v, out);
	buf_putc(out, '\n');
	json_release(&v);
}

void
taskbatch_task_submitting(const struct taskbatch_task *t, struct buf *out)
{
	record_add(out, record_new(t, "submitting"));
}

static void
add_output(struct taskbatch_task *t, int stream, const char *p, size_t n, struct buf *out)
{
	struct json v = record_new(t, "output");
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_set_text(&v, "stream", stream_names[stream]);
	json_set(&v, "offset", json_number((double)t->at[stream]));
	if (utf8_check(p, n) == n) {
		json_set(&v, "text", json_string_n(p, n));
	} else {
		base64_encode(p, n, &b);
		json_set_text(&v, "base64", b.s);
	}
	record_add(out, v);
	t->at[stream] += (int64_t)n;
}

static void
add_gap(struct taskbatch_task *t, int stream, int64_t to, struct buf *out)
{
	struct json v = record_new(t, "dropped");

	json_set_text(&v, "stream", stream_names[stream]);
	json_set(&v, "from", json_number((double)t->at[stream]));
	json_set(&v, "to", json_number((double)to));
	record_add(out, v);
	t->at[stream] = to;
}

bool
taskbatch_task_frame(struct taskbatch_task *t, const struct task_frame *f, struct buf *out)
{
	const int stream = f->kind == FRAMES_ERR || f->kind == FRAMES_ERR_GAP;
	const int64_t known = t->at[stream] - f->offset;

	if (known < 0)
		return false;
	if (known >= f->length)
		return true;
	if (f->bytes)
		add_output(t, stream, f->bytes + known, (size_t)(f->length - known), out);
	else
		add_gap(t, stream, f->offset + f->length, out);
	return true;
}

int
taskbatch_task_end(struct taskbatch_task *t, struct json v, struct buf *out)
{
	_cleanup_json_ struct json status = json_get(v, "status");
	const char *state = json_get_text(v, "state"), *reason = json_get_text(v, "reason");
	struct json record = record_new(t, "end");
	const int result = taskevent_status(v);

	json_set_text(&record, "state", state ? state : "unknown");
	json_set(&record, "exit", json_number(result));
	if (json_is_object(status))
		json_set(&record, "status", json_copy(status));
	if (reason)
		json_set_text(&record, "reason", reason);
	record_add(out, record);
	t->over = true;
	return result;
}
