#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/json.h"
#include "base/xalloc.h"
#include "deploy/handler_run.h"
#include "deploy/swupdate.h"
#include "supervise/segment.h"

enum { OUTPUT_MAX = 32 * 1024 };

static char *
copy_text(struct json object, const char *key)
{
	const char *s = json_get_text(object, key);

	return xstrdup(s ? s : "");
}

static char *
copy_text_or_null(struct json object, const char *key)
{
	const char *s = json_get_text(object, key);

	return s ? xstrdup(s) : NULL;
}

int
handler_run_load(const char *dir, struct handler_run_record *r, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/request.json", dir);
	_cleanup_json_ struct json v = JSON_ABSENT;
	_cleanup_json_ struct json call = JSON_ABSENT, timeout = JSON_ABSENT, backup = JSON_ABSENT;
	const char *action;
	int e = json_load(path, FILE_NOFOLLOW, LAUNCH_REQUEST_MAX, &v, f);

	*r = (struct handler_run_record){ 0 };
	if (e < 0)
		return e;
	call = json_get(v, "call");
	timeout = json_get(call, "timeout_ms");
	action = json_get_text(call, "action");
	if (!action || !handler_result_phase_parse(action, &r->action))
		return fail_set(f, EXIT_TROUBLE, "%s: is not the request of a handler", path);
	r->workflow = copy_text(call, "workflow");
	r->step = copy_text(call, "step");
	r->component = copy_text(call, "component");
	r->name = copy_text(call, "name");
	r->result_file = copy_text(call, "result_file");
	r->handler = copy_text(call, "handler");
	r->work_folder = copy_text(call, "work_folder");
	r->file = copy_text_or_null(call, "file");
	r->user = copy_text_or_null(v, "user");
	r->properties = json_get(call, "properties");
	r->target = json_get(call, "target");
	backup = json_get(call, "backup");
	r->has_backup = json_kind(backup) == JSON_TRUE;
	if (!json_get_whole(timeout, &r->timeout_ms))
		r->timeout_ms = 0;
	return 0;
}

void
handler_run_record_release(struct handler_run_record *r)
{
	free(r->workflow);
	free(r->step);
	free(r->component);
	free(r->name);
	free(r->result_file);
	free(r->handler);
	free(r->work_folder);
	free(r->file);
	free(r->user);
	json_release(&r->properties);
	json_release(&r->target);
	*r = (struct handler_run_record){ 0 };
}

static struct json
format_record(const struct handler_run_record *r)
{
	struct json call = json_object(), extra = json_object();

	json_set_text(&call, "workflow", r->workflow);
	json_set_text(&call, "step", r->step);
	json_set_text(&call, "component", r->component);
	json_set_text(&call, "action", handler_result_phase(r->action));
	json_set_text(&call, "name", r->name);
	json_set_text(&call, "result_file", r->result_file);
	json_set(&call, "timeout_ms", json_number((double)r->timeout_ms));
	json_set_text(&call, "handler", r->handler);
	json_set_text(&call, "work_folder", r->work_folder);
	if (r->file)
		json_set_text(&call, "file", r->file);
	json_set(&call, "properties", json_copy(r->properties));
	if (json_is_object(r->target))
		json_set(&call, "target", json_copy(r->target));
	if (r->has_backup)
		json_set(&call, "backup", json_bool(true));
	json_set(&extra, "call", call);
	return extra;
}

/* Are we a service of systemd's, and root?  Then the shim must not be in our cgroup and sandbox. */
static bool
is_root_service(void)
{
	return geteuid() == 0 && getenv("INVOCATION_ID") && access("/run/systemd/system", F_OK) == 0;
}

struct supervise *
handler_run_start(struct loop *l, const char *dir, const struct launch *launch,
    const struct handler_run_record *r, supervise_done *done, void *cookie, struct fail *f)
{
	_cleanup_json_ struct json extra = format_record(r);
	_cleanup_free_ char *unit = xasprintf("rejoin-handler-%s.service", strrchr(dir, '/') + 1);
	const struct supervise_spec spec = {
		.dir = dir, .unit = is_root_service() ? unit : NULL, .slice = "rejoin-handlers.slice",
	};
	struct launch copy = *launch;
	struct supervise *s;
	struct stat st;

	/* the inode that was checked is the one that is executed */
	if (stat(launch->program, &st) < 0) {
		fail_errno(f, errno, "%s", launch->program);
		return NULL;
	}
	copy.program_dev = st.st_dev;
	copy.program_ino = st.st_ino;
	if (supervise_make(dir, &copy, extra, f) < 0)
		return NULL;
	s = supervise_start(l, &spec, done, cookie, f);
	if (!s)
		file_remove_tree(dir);
	return s;
}

/* The last OUTPUT_MAX bytes of one of its streams. */
static void
read_output(int dir, const char *name, struct buf *out)
{
	struct segment_reader r = { .dir = dir, .name = name, .fd = -1 };
	int64_t from, end, next;
	char block[4096];
	ssize_t n = 0;

	if (segment_bounds(dir, name, &from, &end) < 0)
		return;
	if (end - from > OUTPUT_MAX)
		from = end - OUTPUT_MAX;
	while (from < end && ((n = segment_read(&r, from, block, sizeof block, &next)) > 0 || n == -ENODATA)) {
		if (n > 0)
			buf_add(out, block, (size_t)n);
		from = n > 0 ? from + n : next;
	}
	segment_reader_close(&r);
}

void
handler_run_result(const char *dir, const char *name, const char *result_file, int64_t timeout_ms,
    const struct supervise_view *v, const struct fail *f, struct handler_result *r, struct buf *details,
    struct buf *output)
{
	const struct outcome *o = &v->outcome;
	_cleanup_fd_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*r = (struct handler_result){ .code = RESULT_FAILURE };
	if (fd >= 0) {
		read_output(fd, "out", output);
		read_output(fd, "err", output);
	}
	if (v->state == SUPERVISE_NEW) {
		r->erc = ERC_SCRIPT_STATUS + 126;
		buf_printf(details, "%s could not be run: %s", name, f ? f->text : "unknown reason");
	} else if (v->state != SUPERVISE_ENDED) {
		r->erc = ERC_INTERRUPTED;
		buf_printf(details, "%s was interrupted, and how far it came is not known", name);
	} else if (o->why == WHY_TIMEOUT) {
		handler_result_set_late(name, timeout_ms, r, details);
	} else if (outcome_status(o) != 0 && (o->signo || !swupdate_has_result(result_file))) {
		r->erc = ERC_SCRIPT_STATUS + (o->signo ? o->signo : o->exit);
		buf_printf(details, "%s ", name);
		outcome_describe(o, details);
	} else {
		handler_result_load(result_file, name, r, details);
	}
}
