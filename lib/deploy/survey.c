#include <stdlib.h>

#include "base/xalloc.h"
#include "deploy/survey.h"

/* One component that is asked, or whose verdict waits for those before it. */
struct turn {
	struct survey *survey;
	struct json record;	/* once it is decided */
	char *output;
	enum verdict_answer answer;
	bool is_decided;
	struct turn *next;
};

struct survey {
	struct loop *loop;
	struct survey_spec spec;
	int64_t running;
	bool is_busy;			/* in survey_proceed() */
	struct turn *first, **last;	/* as they were asked */
};

struct survey *
survey_new(struct loop *l, const struct survey_spec *spec)
{
	struct survey *s = xcalloc(1, sizeof *s);

	*s = (struct survey){ .loop = l, .spec = *spec };
	s->last = &s->first;
	return s;
}

static void
drop(struct turn **p)
{
	struct turn *t = *p;

	*p = t->next;
	json_release(&t->record);
	free(t->output);
	free(t);
}

void
survey_free(struct survey *s)
{
	if (!s)
		return;
	while (s->first)
		drop(&s->first);
	free(s);
}

static void
tell_decided(struct survey *s)
{
	struct turn **p = &s->first;

	while (*p && ((*p)->is_decided || !s->spec.in_order))
		if (!(*p)->is_decided) {
			p = &(*p)->next;
		} else {
			if ((*p)->answer != VERDICT_NOT_MEANT)
				s->spec.tell((*p)->record, (*p)->answer, (*p)->output,
				    s->spec.cookie);
			drop(p);
		}
	while (*p)
		p = &(*p)->next;
	s->last = p;
}

static void
decided(struct json component, const struct verdict *v, void *cookie)
{
	struct turn *t = cookie;
	struct survey *s = t->survey;

	t->answer = v->answer;
	t->is_decided = true;
	t->output = xstrdup(v->output);
	if (v->answer != VERDICT_NOT_MEANT)
		t->record = verdict_record(component, v);
	s->running--;
	survey_proceed(s);
}

static void
ask(struct survey *s, struct json component)
{
	struct turn *t = xcalloc(1, sizeof *t);

	*t = (struct turn){ .survey = s, .record = JSON_ABSENT };
	*s->last = t;
	s->last = &t->next;
	s->running++;
	verdict_start(s->loop, &s->spec.verdict, component, decided, t);
}

/* What is decided at once comes back here while it is being asked: the outer call goes on. */
void
survey_proceed(struct survey *s)
{
	struct json c = JSON_ABSENT;
	bool wants = false;

	if (s->is_busy)
		return;
	s->is_busy = true;
	while (!wants && s->running < s->spec.jobs) {
		wants = s->spec.next(&c, s->spec.cookie) == 0;
		if (!wants)
			ask(s, c);
		json_release(&c);
		if (s->first && s->first->is_decided)
			tell_decided(s);
	}
	tell_decided(s);
	s->is_busy = false;
	s->spec.rest(wants, s->running == 0, s->spec.cookie);
}
