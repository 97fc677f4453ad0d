#include <unistd.h>

#include "agent/incarnation.h"
#include "base/file.h"
#include "base/json.h"
#include "base/xalloc.h"
#include "hub/hubdir.h"
#include "hub/linkstatus.h"

static struct json
level_json(const struct outbox *outbox, enum outbox_queue q)
{
	struct json v = json_object();
	struct outbox_level l;

	outbox_get_level(outbox, q, &l);
	json_set(&v, "records", json_number((double)l.records));
	json_set(&v, "bytes", json_number((double)l.bytes));
	json_set(&v, "max", json_number((double)l.max));
	json_set(&v, "dropped", json_number((double)l.dropped_all));
	json_set(&v, "acked", json_number((double)l.confirmed));
	return v;
}

int
linkstatus_write(const char *dir, const struct linkstatus *s)
{
	_cleanup_free_ char *path = hubdir_file(dir, "status");
	_cleanup_json_ struct json v = json_object();
	_cleanup_buf_ struct buf b = BUF_INIT;
	char incarnation[INCARNATION_TEXT];

	if (incarnation_of(getpid(), incarnation) < 0)
		incarnation[0] = '\0';
	json_set(&v, "pid", json_number(getpid()));
	json_set_text(&v, "incarnation", incarnation);
	json_set_text(&v, "state", s->state);
	json_set(&v, "denied", json_bool(s->denied));
	if (*s->reason)
		json_set_text(&v, "reason", s->reason);
	json_set_text(&v, "broker", s->broker);
	json_set_text(&v, "client_id", s->client_id);
	json_set_text(&v, "dialect", s->dialect);
	json_set_text(&v, "confirmed", s->confirms_end_to_end ? "end to end" : "broker only");
	json_set(&v, "urgent", level_json(s->outbox, OUTBOX_URGENT));
	json_set(&v, "bulk", level_json(s->outbox, OUTBOX_BULK));
	json_set(&v, "full", json_bool(s->full));
	json_set(&v, "accepted", json_number((double)s->accepted));
	json_set(&v, "refused", json_number((double)s->refused));
	json_set(&v, "refused_messages", json_number((double)s->refused_messages));
	json_format(v, &b);
	buf_putc(&b, '\n');
	return file_replace(path, b.s, b.len, 0644, 0);
}

static void
queue_format(struct json status, const char *name, struct buf *out)
{
	_cleanup_json_ struct json q = json_get(status, name), records = json_get(q, "records"), bytes = json_get(q, "bytes");
	_cleanup_json_ struct json max = json_get(q, "max"), dropped = json_get(q, "dropped");

	buf_printf(out, "%s: %.0f records, %.0f of %.0f bytes, %.0f dropped\n", name, json_get_number(records), json_get_number(bytes),
	    json_get_number(max), json_get_number(dropped));
}

void
linkstatus_format(struct json v, struct buf *out)
{
	_cleanup_json_ struct json running = json_get(v, "running");
	const char *reason = json_get_text(v, "reason");

	buf_printf(out, "%s: %s%s%s\n", json_get_text(v, "broker"), json_kind(running) == JSON_TRUE ? json_get_text(v, "state") :
	    "no link is running", reason ? ": " : "", reason ? reason : "");
	buf_printf(out, "confirmed: %s\n", json_get_text(v, "confirmed"));
	queue_format(v, "urgent", out);
	queue_format(v, "bulk", out);
}
