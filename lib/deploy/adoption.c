#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "deploy/adoption.h"
#include "deploy/canceller.h"

struct adopted_run {
	struct adoption *owner;
	char *dir;
	struct handler_run_record record;
	struct supervise *supervise;	/* NULL once it has ended */
	struct canceller *canceller;	/* the handler's own cancel, before the run is ended; or NULL */
	struct handler *restore;	/* that undoes it, after it has failed; or NULL */
	bool is_cancelled;
};

struct adoption {
	struct loop *loop;
	struct adoption_callbacks callbacks;
	struct adopted_run **runs;
	size_t n, cap, running;
};

void
adoption_free(struct adoption *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++) {
		if (a->runs[i]->supervise)
			supervise_forget(a->runs[i]->supervise);
		canceller_end(a->runs[i]->canceller);
		if (a->runs[i]->restore)
			handler_detach(a->runs[i]->restore);
		handler_run_record_release(&a->runs[i]->record);
		free(a->runs[i]->dir);
		free(a->runs[i]);
	}
	free(a->runs);
	free(a);
}

/* It is over with the run; the adoption may be gone afterwards. */
static void
run_finish(struct adoption *a)
{
	const struct adoption_callbacks callbacks = a->callbacks;

	if (--a->running > 0)
		return;
	adoption_free(a);
	callbacks.done(callbacks.cookie);
}

static void
restore_ended(const struct handler_result *r, void *cookie)
{
	struct adopted_run *run = cookie;
	struct adoption *a = run->owner;

	run->restore = NULL;
	run->record.action = HANDLER_RESTORE;
	a->callbacks.ended(&run->record, r, a->callbacks.cookie);
	run_finish(a);
}

/* CODE is the result of RUN; false where there is nothing to undo. */
static bool
run_restore(struct adopted_run *run, int32_t code)
{
	const struct handler_run_record *record = &run->record;
	struct handler_call call = {
		.workflow = record->workflow, .step = record->step, .handler = record->handler,
		.action = HANDLER_RESTORE, .properties = record->properties, .component = record->target,
		.work_folder = record->work_folder, .file = record->file, .user = record->user,
	};

	if (code > 0 || (record->action != HANDLER_INSTALL && record->action != HANDLER_APPLY) || !*record->handler ||
	    (!record->has_backup && !handler_undoes_by_cancel(record->handler, record->properties)))
		return false;
	run->owner->callbacks.restoring(&call, run->owner->callbacks.cookie);
	run->restore = handler_start(run->owner->loop, &call, restore_ended, run);
	free((char *)(uintptr_t)call.run_dir);
	return true;
}

static void
run_ended(const struct supervise_view *v, const struct fail *f, void *cookie)
{
	struct adopted_run *run = cookie;
	struct adoption *a = run->owner;
	const struct adoption_callbacks callbacks = a->callbacks;
	_cleanup_buf_ struct buf details = BUF_INIT, output = BUF_INIT;
	struct handler_result r = { .code = RESULT_FAILURE };
	bool restores = false;

	run->supervise = NULL;
	canceller_end(TAKE_PTR(run->canceller));
	if (v->state != SUPERVISE_NEW) {
		handler_run_result(run->dir, run->record.name, run->record.result_file, run->record.timeout_ms, v, f,
		    &r, &details, &output);
		if (run->is_cancelled && v->state == SUPERVISE_ENDED && v->outcome.why == WHY_KILL) {
			r.code = RESULT_CANCELLED;
			r.erc = 0;
			buf_reset(&details);
			buf_puts(&details, "cancelled");
		}
		r.details = details.s;
		r.output = output.s;
		callbacks.ended(&run->record, &r, callbacks.cookie);
		/* before the directory goes: the work folder stays as long as there is a run */
		restores = run_restore(run, r.code);
	}
	file_remove_tree(run->dir);
	if (!restores)
		run_finish(a);
}

static bool
is_running(const struct adopted_run *run)
{
	return run->supervise || run->restore;
}

static void
run_adopt(struct adoption *a, char *dir)
{
	struct adopted_run *run;
	struct fail f;

	run = xcalloc(1, sizeof *run);
	*run = (struct adopted_run){ .owner = a, .dir = dir };
	if (handler_run_load(dir, &run->record, &f) < 0) {
		file_remove_tree(dir);	/* it was being made */
		free(dir);
		free(run);
		return;
	}
	a->runs = xgrow(a->runs, a->n, &a->cap, sizeof *a->runs);
	a->runs[a->n++] = run;
	a->running++;
	run->supervise = supervise_adopt(a->loop, dir, run_ended, run);
}

struct adoption *
adoption_start(struct loop *l, const char *dir, const struct adoption_callbacks *callbacks)
{
	struct adoption *a = xcalloc(1, sizeof *a);
	DIR *d = opendir(dir);
	struct dirent *e;

	*a = (struct adoption){ .loop = l, .callbacks = *callbacks };
	while (d && (e = readdir(d)))
		if (*e->d_name != '.')
			run_adopt(a, xasprintf("%s/%s", dir, e->d_name));
	if (d)
		closedir(d);
	if (a->running > 0)
		return a;
	adoption_free(a);
	return NULL;
}

const struct handler_run_record *
adoption_next(const struct adoption *a, const struct handler_run_record *previous)
{
	bool is_after = !previous;

	for (size_t i = 0; i < a->n; i++) {
		if (is_after && is_running(a->runs[i]))
			return &a->runs[i]->record;
		is_after |= &a->runs[i]->record == previous;
	}
	return NULL;
}

bool
adoption_is_on(const struct adoption *a, const char *component)
{
	for (size_t i = 0; i < a->n; i++)
		if (is_running(a->runs[i]) && strcmp(a->runs[i]->record.component, component) == 0)
			return true;
	return false;
}

static void
run_end(void *cookie)
{
	struct adopted_run *run = cookie;

	run->canceller = NULL;
	supervise_end(run->dir, WHY_KILL, 0, -1);
}

static void
run_cancel(struct adopted_run *run, int64_t grace_ms)
{
	const struct handler_run_record *record = &run->record;
	const struct handler_call call = {
		.workflow = record->workflow, .step = record->step, .handler = record->handler,
		.action = HANDLER_CANCEL, .properties = record->properties, .component = record->target,
		.work_folder = record->work_folder, .file = record->file, .user = record->user,
		.timeout_ms = grace_ms, .grace_ms = grace_ms,
	};

	run->is_cancelled = true;
	if (*record->handler && handler_has_action(record->handler, record->properties, HANDLER_CANCEL))
		run->canceller = canceller_start(run->owner->loop, &call, run_end, run);
	else
		run_end(run);
}

void
adoption_cancel(struct adoption *a, const char *spared, int64_t grace_ms)
{
	for (size_t i = 0; i < a->n; i++) {
		struct adopted_run *run = a->runs[i];

		if (run->supervise && !run->is_cancelled && (!spared || strcmp(run->record.workflow, spared) != 0))
			run_cancel(run, grace_ms);
	}
}
