#include <stdlib.h>

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

void
reason_add(const struct rules *rules, bool *const *used, struct node *waiter, const struct node *predecessor,
    uint64_t id, enum constraint_class class, uint16_t rule)
{
	const bool ruled = rule != UINT16_MAX;
	char text[ID_SHOWN] = "";

	if (ruled && id)
		id_text(rules, used[waiter->queue->number], waiter, id, rule, text);
	if (ruled && id && !*text)
		id_text(rules, used[predecessor->queue->number], predecessor, id, rule, text);
	free(waiter->reason);
	waiter->reason = xasprintf("%s%s%s%s%s after %s:%jd", classes[class], ruled ? " " : "",
	    ruled ? rules->v[rule].name : "", *text ? " " : "", text, predecessor->queue->source->name,
	    (intmax_t)predecessor->line);
}
