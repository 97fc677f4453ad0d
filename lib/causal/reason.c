#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "causal/queue.h"
#include "causal/reason.h"

enum { ID_SHOWN = 64 };		/* bytes of an id that are shown, and one more */

static const char *const classes[] = { "clock", "program order", "message", "span", "lifecycle" };

const char *
reason_name(const struct rules *rules, enum constraint_class class, uint16_t rule)
{
	return rule == UINT16_MAX ? classes[class] : rules->v[rule].name;
}

/* ID, as it is written in the record E; "" where it is not there. */
static void
id_text(const struct rules *rules, const bool *used, const struct node *e, uint64_t id, uint16_t rule,
    char out[ID_SHOWN])
{
	struct queue *q = e->queue;
	struct record r;
	struct span text;

	/* The source's own matcher is used by the thread that decodes. */
	if (!q->explainer)
		q->explainer = matcher_new(rules, used);
	block_record(e->block, e->index, &r);
	text = matcher_id(q->explainer, q->source, record_text(&r), rule, id);
	if (text.n >= ID_SHOWN)
		text.n = ID_SHOWN - 1;
	for (size_t i = 0; i < text.n; i++)
		out[i] = text.p[i] > ' ' && text.p[i] < 0x7f ? text.p[i] : '?';
	out[text.n] = '\0';
}

static bool
has_line(const char *lines, const char *line)
{
	const size_t n = strlen(line);

	for (const char *p = lines; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (strncmp(p, line, n) == 0 && (p[n] == '\n' || p[n] == '\0'))
			return true;
	return false;
}

void
reason_add(struct node *e, const struct reason *r)
{
	const bool ruled = r->rule != UINT16_MAX;
	char text[ID_SHOWN] = "";
	_cleanup_free_ char *line = NULL;
	char *all;

	if (ruled && r->id)
		id_text(r->rules, r->used[e->queue->number], e, r->id, r->rule, text);
	if (ruled && r->id && !*text && r->predecessor)
		id_text(r->rules, r->used[r->predecessor->queue->number], r->predecessor, r->id, r->rule, text);
	if (r->source)
		line = xasprintf("%s%s%s%s%s after %s:%jd", classes[r->class], ruled ? " " : "",
		    ruled ? r->rules->v[r->rule].name : "", *text ? " " : "", text, r->source, (intmax_t)r->line);
	else
		line = xasprintf("%s%s%s%s%s (forgotten)", classes[r->class], ruled ? " " : "",
		    ruled ? r->rules->v[r->rule].name : "", *text ? " " : "", text);
	if (e->reason && has_line(e->reason, line))
		return;
	all = e->reason ? xasprintf("%s\n%s", e->reason, line) : TAKE_PTR(line);
	free(e->reason);
	e->reason = all;
}
