#include <stdio.h>
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

/* ID, as it is written in the record E, appended to OUT with a blank before it; false where it is not there. */
static bool
put_id(struct buf *out, const struct reason *r, const struct reason_of *e)
{
	struct queue *q = e->queue;
	struct record rec;
	struct span text;

	/* The source's own matcher is used by the thread that decodes. */
	if (!q->explainer)
		q->explainer = matcher_new(r->rules, r->used[q->number]);
	block_record(e->block, e->index, &rec);
	text = matcher_id(q->explainer, q->source, record_text(&rec), r->rule, r->id);
	if (text.n == 0)
		return false;
	buf_putc(out, ' ');
	for (size_t i = 0; i < text.n && i < ID_SHOWN - 1; i++)
		buf_putc(out, text.p[i] > ' ' && text.p[i] < 0x7f ? text.p[i] : '?');
	return true;
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

static struct reason_of
of_node(const struct node *e)
{
	return (struct reason_of){ e->queue, e->block, e->index };
}

void
reason_write(struct buf *lines, const struct reason_of *e, const struct reason *r)
{
	const bool ruled = r->rule != UINT16_MAX;
	const size_t before = lines->len;
	char number[24];

	if (before)
		buf_putc(lines, '\n');
	buf_puts(lines, classes[r->class]);
	if (ruled) {
		buf_putc(lines, ' ');
		buf_puts(lines, r->rules->v[r->rule].name);
	}
	if (ruled && r->id && !put_id(lines, r, e) && r->predecessor) {
		const struct reason_of other = of_node(r->predecessor);

		put_id(lines, r, &other);
	}
	if (r->source) {
		buf_puts(lines, " after ");
		buf_puts(lines, r->source);
		buf_add(lines, number, (size_t)sprintf(number, ":%jd", (intmax_t)r->line));
	} else {
		buf_puts(lines, " (forgotten)");
	}
	if (before) {
		lines->s[before] = '\0';
		if (has_line(lines->s, lines->s + before + 1))
			lines->len = before;
		else
			lines->s[before] = '\n';
	}
}

void
reason_add(struct node *e, const struct reason *r)
{
	const struct reason_of of = of_node(e);
	_cleanup_buf_ struct buf lines = BUF_INIT;

	if (e->reason)
		buf_puts(&lines, e->reason);
	reason_write(&lines, &of, r);
	free(e->reason);
	e->reason = buf_steal(&lines);
}
