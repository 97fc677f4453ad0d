#include <stdlib.h>

#include "base/clock.h"
#include "log/learning.h"

enum { PIPES_MS = 5000 /* for what comes of pipes */ };

void
learning_rules(const struct run *run, const struct sources *all, struct buf *out, struct learned *what)
{
	const struct learn_spec spec = { .workers = run_threads() - 1, .memory = LEARN_BYTES, .seconds = LEARN_SECONDS,
	    .held = run->buffer_bytes / 2 / (all->n + 1) };

	for (unsigned i = 0; i < all->n; i++)
		all->v[i]->view_until_ms = clock_mono_ms() + PIPES_MS;
	learn_run(all->v, all->n, &spec, out, what);
	for (unsigned i = 0; i < all->n; i++)
		all->v[i]->view_until_ms = 0;
}

void
learning_use(struct run *run, const struct sources *all, struct learned *what)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct fail f;

	learning_rules(run, all, &text, what);
	if (rules_parse(&run->rules, "learned rules", text.s, text.len, &f) < 0)
		fail_die(&f);
}

static void
ignore_problem(const struct fail *f, void *cookie)
{
	(void)f;
	(void)cookie;
}

void
learning_use_files(struct run *run, struct source_specs *specs, const struct formats *formats, struct learned *what)
{
	struct sources all;

	run_open_files(specs, formats, domains_new(), &all);
	learning_use(run, &all, what);
	/* What is wrong with a file is told when it is followed. */
	sources_close(&all, ignore_problem, NULL);
}
