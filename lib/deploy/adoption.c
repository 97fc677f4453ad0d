#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "deploy/adoption.h"

struct adopted_run {
	struct adoption *owner;
	char *dir;
	struct handler_run_record record;
	struct supervise *supervise;	/* NULL once it has ended */
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
		handler_run_record_release(&a->runs[i]->record);
		free(a->runs[i]->dir);
		free(a->runs[i]);
	}
	free(a->runs);
	free(a);
}

static void
run_ended(const struct supervise_view *v, const struct fail *f, void *cookie)
{
	struct adopted_run *run = cookie;
	struct adoption *a = run->owner;
	const struct adoption_callbacks callbacks = a->callbacks;
	_cleanup_buf_ struct buf details = BUF_INIT, output = BUF_INIT;
	struct handler_result r;

	run->supervise = NULL;
	if (v->state != SUPERVISE_NEW) {
		handler_run_result(run->dir, run->record.name, run->record.result_file, run->record.timeout_ms, v, f,
		    &r, &details, &output);
		r.details = details.s;
		r.output = output.s;
		callbacks.ended(&run->record, &r, callbacks.cookie);
	}
	file_remove_tree(run->dir);
	if (--a->running > 0)
		return;
	adoption_free(a);
	callbacks.done(callbacks.cookie);
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
		if (is_after && a->runs[i]->supervise)
			return &a->runs[i]->record;
		is_after |= &a->runs[i]->record == previous;
	}
	return NULL;
}

bool
adoption_is_on(const struct adoption *a, const char *component)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->runs[i]->supervise && strcmp(a->runs[i]->record.component, component) == 0)
			return true;
	return false;
}
