#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "supervise/segment.h"
#include "task/taskrecord.h"

enum { COMMAND_MAX = 200, RECORD_FILE_MAX = 65536 };

struct taskrecord *
taskrecord_new(int64_t id, const char *dir)
{
	struct taskrecord *t = xcalloc(1, sizeof *t);

	t->id = id;
	t->dir = xstrdup(dir);
	return t;
}

void
taskrecord_free(struct taskrecord *t)
{
	supervise_forget(t->run);
	free(t->dir);
	free(t->command);
	free(t->reason);
	free(t);
}

bool
taskrecord_is_over(const struct taskrecord *t)
{
	return t->state != TASK_RECORDED && t->state != TASK_RUNNING;
}

const char *
taskrecord_state_name(enum taskrecord_state s)
{
	static const char *const names[] = { "recorded", "running", "ended", "killed", "unknown", "failed",
		"expired" };

	return names[s];
}

void
taskrecord_set_outcome(struct taskrecord *t, const struct outcome *o)
{
	t->outcome = *o;
	t->state = o->why == WHY_ITSELF || o->why == WHY_OOM ? TASK_ENDED : TASK_KILLED;
}

/* --- from the disk */

/* ID/lease, which names the file of the session's lease, into V; false where it is not there, or not whole. */
static bool
load_lease_name(const struct taskrecord *t, struct json *v)
{
	_cleanup_free_ char *path = xasprintf("%s/lease", t->dir);
	struct fail f;

	return json_load(path, FILE_NOFOLLOW, RECORD_FILE_MAX, v, &f) == 0;
}

bool
taskrecord_names_lease(const struct taskrecord *t)
{
	_cleanup_json_ struct json v = JSON_ABSENT;

	return load_lease_name(t, &v);
}

/* ID/lease has the session of a task that was moved; else its request has it. */
static void
load_session(struct taskrecord *t, struct json own)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	const char *on_loss = json_get_text(own, "on_loss"), *file;
	long long id;

	t->session = json_get_positive(own, "session");
	t->leave = on_loss && strcmp(on_loss, "leave") == 0;
	if (!load_lease_name(t, &v))
		return;
	file = json_get_text(v, "file");
	t->leave = !file;
	if (file && sscanf(file, "../sessions/%lld.json", &id) == 1)
		t->session = id;
}

bool
taskrecord_load(struct taskrecord *t)
{
	_cleanup_free_ char *path = xasprintf("%s/request.json", t->dir);
	_cleanup_free_ char *in = xasprintf("%s/stdin", t->dir);
	_cleanup_json_ struct json v = JSON_ABSENT, own = JSON_ABSENT;
	const char *digest, *nonce;
	struct fail f;

	if (json_load(path, FILE_NOFOLLOW, LAUNCH_REQUEST_MAX, &v, &f) == 0)
		own = json_get(v, "task");
	digest = json_get_text(own, "digest");
	if (!digest || (json_get_text(v, "stdin") && access(in, F_OK) < 0))
		return false;
	snprintf(t->digest, sizeof t->digest, "%s", digest);
	nonce = json_get_text(own, "nonce");
	snprintf(t->nonce, sizeof t->nonce, "%s", nonce ? nonce : "");
	t->owner = (uid_t)json_get_positive(own, "owner");
	t->start_before = json_get_positive(own, "start_before");
	t->command = submit_command(v, COMMAND_MAX);
	load_session(t, own);
	return true;
}

bool
taskrecord_load_ended(struct taskrecord *t)
{
	_cleanup_free_ char *path = xasprintf("%s/ended", t->dir);
	_cleanup_json_ struct json v = JSON_ABSENT;
	const char *state, *reason;
	struct fail f;

	if (json_load(path, FILE_NOFOLLOW, RECORD_FILE_MAX, &v, &f) < 0)
		return false;
	state = json_get_text(v, "state");
	reason = json_get_text(v, "reason");
	t->reason = xstrdup(reason ? reason : "");
	t->state = state && strcmp(state, "expired") == 0 ? TASK_EXPIRED :
	    state && strcmp(state, "killed") == 0 ? TASK_KILLED : TASK_FAILED;
	return true;
}

int
taskrecord_write_ended(const struct taskrecord *t, enum taskrecord_state state, const char *reason)
{
	_cleanup_free_ char *path = xasprintf("%s/ended", t->dir);
	_cleanup_json_ struct json v = json_object();
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_set_text(&v, "state", taskrecord_state_name(state));
	json_set_text(&v, "reason", reason);
	json_format(v, &b);
	buf_putc(&b, '\n');
	return file_replace(path, b.s, b.len, 0600, FILE_DURABLE);
}

int64_t
taskrecord_log_bytes(const struct taskrecord *t)
{
	_cleanup_fd_ int dir = -1;
	int64_t sum = 0, first, end;

	if (t->outcome.start[0])	/* it has ended: nothing is added */
		return t->outcome.bytes[0] - t->outcome.dropped[0] + t->outcome.bytes[1] - t->outcome.dropped[1];
	if (t->state == TASK_RECORDED)
		return 0;
	dir = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int k = 0; k < 2; k++)
		if (dir >= 0 && segment_bounds(dir, k ? "err" : "out", &first, &end) == 0)
			sum += end - first;
	return sum;
}

/* --- for answers */

struct json
taskrecord_outcome(const struct taskrecord *t)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct json v = JSON_ABSENT;
	struct fail f;

	outcome_format(&t->outcome, &b);
	json_parse(NULL, b.s, b.len, &v, &f);
	return v;
}

/* How many bytes each stream has had; what was lost at its end counts. */
static void
describe_output(const struct taskrecord *t, struct json *v)
{
	const bool known = t->outcome.start[0];
	_cleanup_fd_ int dir = known ? -1 : open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t first, end;

	for (int k = 0; k < 2; k++) {
		end = t->outcome.bytes[k];
		if (known || (dir >= 0 && segment_bounds(dir, k ? "err" : "out", &first, &end) == 0))
			json_set(v, k ? "err" : "out", json_number((double)end));
	}
}

struct json
taskrecord_describe(const struct taskrecord *t)
{
	struct json v = json_object();

	json_set(&v, "id", json_number((double)t->id));
	json_set_text(&v, "state", taskrecord_state_name(t->state));
	json_set(&v, "owner", json_number(t->owner));
	json_set(&v, "session", t->session ? json_number((double)t->session) : json_null());
	json_set_text(&v, "on_loss", t->leave ? "leave" : "kill");
	json_set_text(&v, "command", t->command ? t->command : "");
	describe_output(t, &v);
	if (t->reason)
		json_set_text(&v, "reason", t->reason);
	if (t->outcome.start[0])
		json_set(&v, "status", taskrecord_outcome(t));
	return v;
}
