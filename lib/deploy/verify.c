#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "deploy/acceptance.h"
#include "deploy/goal.h"
#include "deploy/plan.h"
#include "deploy/preview.h"
#include "deploy/verify.h"

enum verify_state { VERIFIED, UNCHECKED, WRONG };

/* What the goal holds is shown as text: no line is made of it. */
static void
add_text(struct buf *out, const char *s)
{
	char escaped[UTF8_ESCAPED];
	size_t len = strlen(s), n;

	for (; len > 0; s += n, len -= n) {
		n = utf8_escape(s, len, escaped);
		if (*escaped)
			buf_puts(out, escaped);
		else
			buf_add(out, s, n);
	}
}

/* Each URL of a file is a path of this machine, or is left to the fetch. */
static enum verify_state
check_file(const struct payload *p)
{
	_cleanup_free_ char *path = p->url ? payload_url_path(p->url) : NULL;

	if (!path || access(path, F_OK) < 0)
		return UNCHECKED;
	return payload_is_at(p, path) ? VERIFIED : WRONG;
}

/* What is written, and the first thing that is wrong. */
struct description {
	struct buf *out;
	struct fail *fail;
	int status;	/* 0, or < 0 with FAIL filled */
};

static void
describe_files(struct description *d, const struct manifest *m)
{
	static const char *const words[] = { "verified", "unchecked", "wrong" };

	for (size_t i = 0; i < m->n_files; i++) {
		const struct payload *p = &m->files[i];
		enum verify_state state = check_file(p);

		buf_puts(d->out, "file ");
		add_text(d->out, p->id);
		buf_putc(d->out, ' ');
		add_text(d->out, p->name);
		buf_printf(d->out, " %jd %s\n", (intmax_t)p->size_bytes, words[state]);
		if (state == WRONG && d->status == 0)
			d->status = fail_set(d->fail, EXIT_DENIED, "file %s (%s): is not what its hash says", p->id, p->name);
	}
}

/* "WORD TEXT" or "TEXT". */
static void
add_line(struct buf *out, const char *word, const char *text)
{
	if (word)
		buf_printf(out, "%s ", word);
	add_text(out, text);
	buf_putc(out, '\n');
}

/* A manifest that is not on this machine says nothing of its steps; one that is here and is none is wrong. */
static void
describe_stage(struct description *d, const struct manifest_step *step, const struct plan_stage *s)
{
	buf_printf(d->out, "step %zu ", s->number + 1);
	if (s->is_host) {
		add_line(d->out, NULL, step->handler);
		return;
	}
	add_line(d->out, "reference", step->detached);
	for (size_t i = 0; i < s->n_steps; i++) {
		buf_printf(d->out, "step %zu.%zu ", s->number + 1, i + 1);
		add_line(d->out, NULL, s->steps[i].handler);
	}
	if (!s->child && s->fail.status == EXIT_USAGE && d->status == 0) {
		*d->fail = s->fail;
		d->status = -EINVAL;
	}
}

static void
describe_plan(struct description *d, const struct plan *p)
{
	for (size_t i = 0; i < p->n_stages; i++)
		describe_stage(d, &p->manifest->steps[i], &p->stages[i]);
	if (p->unfolded)
		describe_files(d, p->unfolded);
	for (size_t i = 0; i < p->n_stages; i++)
		if (p->stages[i].child)
			describe_files(d, p->stages[i].child);
}

static void
describe_manifest(struct description *d, struct preview *p)
{
	struct fail why;

	if (p->goal->manifest->detached)
		add_line(d->out, "manifest", p->goal->manifest->detached);
	/* the manifest that it names may be elsewhere, and is unchecked then as every file */
	if (preview_make_plan(p, &why) == 0)
		describe_plan(d, p->plan);
	else if (d->status == 0 && (!p->dir || why.status == EXIT_USAGE)) {
		*d->fail = why;
		d->status = -EINVAL;
	}
	describe_files(d, p->goal->manifest);
}

static void
describe_signature(const struct goal *g, const struct signer *s, bool is_accepted, struct buf *out)
{
	if (!g->signature) {
		buf_puts(out, "unsigned\n");
		return;
	}
	if (!is_accepted) {
		buf_puts(out, "signature refused\n");
		return;
	}
	buf_puts(out, "signed ");
	add_text(out, s->root);
	add_line(out, "", *s->key ? s->key : "-");
}

static int
preview_check(struct preview *p, struct buf *out, struct fail *f)
{
	const struct goal *g = p->goal;
	_cleanup_free_ char *update = g->manifest ? manifest_update_id(g->manifest) : NULL;
	struct description d = { .out = out, .fail = f };
	struct rootkeys *keys = NULL;
	struct signer s = { .root = "" };
	int r = rootkeys_load(&keys, f);

	if (r < 0)
		return r;
	d.status = acceptance_check(g, keys, false, &s, f);
	rootkeys_free(keys);
	add_line(out, "workflow", g->id);
	if (update)
		add_line(out, "update", update);
	describe_signature(g, &s, d.status == 0, out);
	if (g->manifest)
		describe_manifest(&d, p);
	return d.status;
}

int
verify_goal(const char *path, struct buf *out, struct fail *f)
{
	struct preview p;
	int r = preview_load_goal(path, &p, f);

	if (r == 0)
		r = preview_check(&p, out, f);
	preview_release(&p);
	return r;
}
