#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "deploy/acceptance.h"
#include "deploy/goal.h"
#include "deploy/goal_file.h"
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

/* The files of M; false where one is not what its hash says, which F then names. */
static bool
describe_files(const struct manifest *m, struct buf *out, struct fail *f)
{
	static const char *const words[] = { "verified", "unchecked", "wrong" };
	bool ok = true;

	for (size_t i = 0; i < m->n_files; i++) {
		const struct payload *p = &m->files[i];
		enum verify_state state = check_file(p);

		buf_puts(out, "file ");
		add_text(out, p->id);
		buf_putc(out, ' ');
		add_text(out, p->name);
		buf_printf(out, " %jd %s\n", (intmax_t)p->size_bytes, words[state]);
		if (state != WRONG)
			continue;
		fail_set(f, EXIT_DENIED, "file %s (%s): is not what its hash says", p->id, p->name);
		ok = false;
	}
	return ok;
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

static void
describe_steps(const struct manifest *m, struct buf *out)
{
	if (m->detached)
		add_line(out, "manifest", m->detached);
	for (size_t i = 0; i < m->n_steps; i++) {
		const struct manifest_step *step = &m->steps[i];

		buf_printf(out, "step %zu ", i + 1);
		if (step->detached)
			add_line(out, "reference", step->detached);
		else
			add_line(out, NULL, step->handler);
	}
}

static void
describe_goal(const struct goal *g, const struct signer *s, struct buf *out)
{
	_cleanup_free_ char *update = g->manifest ? manifest_update_id(g->manifest) : NULL;

	add_line(out, "workflow", g->id);
	if (update)
		add_line(out, "update", update);
	if (!*s->root) {
		buf_puts(out, "unsigned\n");
		return;
	}
	buf_puts(out, "signed ");
	add_text(out, s->root);
	add_line(out, "", *s->key ? s->key : "-");
}

static int
goal_check(const struct goal *g, struct buf *out, struct fail *f)
{
	struct rootkeys *keys = NULL;
	struct signer s = { .root = "" };
	int r = rootkeys_load(&keys, f);

	if (r < 0)
		return r;
	r = acceptance_check(g, keys, false, &s, f);
	rootkeys_free(keys);
	if (r < 0)
		s.root[0] = '\0';
	describe_goal(g, &s, out);
	if (g->manifest) {
		struct fail why;

		describe_steps(g->manifest, out);
		if (!describe_files(g->manifest, out, &why) && r == 0)
			r = fail_set(f, EXIT_DENIED, "%s", why.text);
	}
	return r;
}

int
verify_goal(const char *path, struct buf *out, struct fail *f)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct goal *g = NULL;
	int r = goal_file_load(path, 0, false, &text, f);

	if (r == -ENOENT)
		return fail_errno(f, ENOENT, "%s", path);
	if (r == 0)
		r = goal_parse(path, text.s, text.len, &g, f);
	if (r == 0)
		r = goal_check(g, out, f);
	goal_free(g);
	return r;
}
