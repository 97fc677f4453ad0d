#include <stdlib.h>

#include "base/xalloc.h"
#include "deploy/batch.h"

/* A component under evaluation, or evaluated and waiting for earlier ones to be reported. */
struct batch_item {
	struct batch *batch;
	struct json record;	/* set by item_evaluated() */
	char *output;
	enum evaluation_answer answer;
	bool is_done;
	struct batch_item *next;
};

struct batch {
	struct loop *loop;
	struct batch_spec spec;
	int64_t running;
	bool is_busy;			/* in batch_advance() */
	struct batch_item *first, **last;	/* in the order of NEXT */
};

struct batch *
batch_new(struct loop *l, const struct batch_spec *spec)
{
	struct batch *s = xcalloc(1, sizeof *s);

	*s = (struct batch){ .loop = l, .spec = *spec };
	s->last = &s->first;
	return s;
}

static void
item_drop(struct batch_item **p)
{
	struct batch_item *t = *p;

	*p = t->next;
	json_release(&t->record);
	free(t->output);
	free(t);
}

void
batch_free(struct batch *s)
{
	if (!s)
		return;
	while (s->first)
		item_drop(&s->first);
	free(s);
}

static void
report_decided(struct batch *s)
{
	struct batch_item **p = &s->first;

	while (*p && ((*p)->is_done || !s->spec.in_order))
		if (!(*p)->is_done) {
			p = &(*p)->next;
		} else {
			if ((*p)->answer != EVALUATION_NOT_SELECTED)
				s->spec.evaluated((*p)->record, (*p)->answer, (*p)->output,
				    s->spec.cookie);
			item_drop(p);
		}
	while (*p)
		p = &(*p)->next;
	s->last = p;
}

static void
item_evaluated(struct json component, const struct evaluation *v, void *cookie)
{
	struct batch_item *t = cookie;
	struct batch *s = t->batch;

	t->answer = v->answer;
	t->is_done = true;
	t->output = xstrdup(v->output);
	if (v->answer != EVALUATION_NOT_SELECTED)
		t->record = evaluation_record(component, v);
	s->running--;
	batch_advance(s);
}

static void
batch_start_one(struct batch *s, struct json component)
{
	struct batch_item *t = xcalloc(1, sizeof *t);

	*t = (struct batch_item){ .batch = s, .record = JSON_ABSENT };
	*s->last = t;
	s->last = &t->next;
	s->running++;
	evaluation_start(s->loop, &s->spec.evaluation, component, item_evaluated, t);
}

/* An evaluation that needs no program ends inside batch_start_one(): the outer call continues. */
void
batch_advance(struct batch *s)
{
	struct json c = JSON_ABSENT;
	bool wants = false;

	if (s->is_busy)
		return;
	s->is_busy = true;
	while (!wants && s->running < s->spec.jobs) {
		wants = s->spec.next(&c, s->spec.cookie) == 0;
		if (!wants)
			batch_start_one(s, c);
		json_release(&c);
		if (s->first && s->first->is_done)
			report_decided(s);
	}
	report_decided(s);
	s->is_busy = false;
	s->spec.idle(wants, s->running == 0, s->spec.cookie);
}
