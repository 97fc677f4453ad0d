#include <string.h>

#include "learn/pattern.h"

static void
put_escaped(struct buf *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p < ' ' || *p > '~') {	/* a rules file is text */
			buf_printf(out, "\\x%02x", (unsigned char)*p);
			continue;
		}
		if (strchr("\\^$.[|()?*+{}#;", *p))
			buf_putc(out, '\\');
		buf_putc(out, *p);
	}
}

#define WORD	"[\\w.:@\\x80-\\xff-]"

/* The pieces from I on that are text and values, up to the end of them; SLOT is the group. */
static size_t
put_text_pattern(const struct template_kind *k, size_t i, uint32_t slot, struct buf *out)
{
	for (; i < k->n && (k->v[i].what == PIECE_TEXT || k->v[i].what == PIECE_VALUE); i++) {
		if (k->v[i].what == PIECE_TEXT)
			put_escaped(out, k->v[i].text);
		else
			buf_puts(out, k->v[i].slot == slot ? "(?<id>" WORD "+)" : WORD "+");
	}
	return i;
}

static void
put_id_member(struct buf *out, const struct template_piece *x)
{
	buf_puts(out, "\"");
	put_escaped(out, x->text);
	buf_puts(out, "\": *");
	buf_puts(out, *x->text2 == '"' ? "\"(?<id>[^\"]*)\"" : *x->text2 == '{' ? "(?<id>(\\{(?:[^{}]|(?-1))*\\}))" :
	    *x->text2 == '[' ? "(?<id>(\\[(?:[^][]|(?-1))*\\]))" : "(?<id>[^,}\\] ]+)");
}

/* Members may stand in any order. */
static void
json_pattern(const struct template_kind *k, uint32_t slot, struct buf *out)
{
	const struct template_piece *id = NULL;

	buf_puts(out, "^");
	for (size_t i = 0; i < k->n; i++) {
		const struct template_piece *x = &k->v[i];

		if (x->what == PIECE_MEMBER) {
			buf_puts(out, "(?=.*\"");
			put_escaped(out, x->text);
			buf_puts(out, "\": *\"");
			put_escaped(out, x->text2);
			buf_puts(out, "\")");
		} else if (x->what == PIECE_OPEN) {
			buf_puts(out, "(?=.*\"");
			put_escaped(out, x->text);
			buf_puts(out, "\": *\"");
			i = put_text_pattern(k, i + 1, slot, out);
			buf_puts(out, "\")");
		} else if (x->what == PIECE_SLOT && x->slot == slot) {
			id = x;
		}
	}
	if (!id)
		return;
	buf_puts(out, ".*?");
	put_id_member(out, id);
}

void
pattern_put(const struct template_kind *k, uint32_t slot, struct buf *out)
{
	if (k->json) {
		json_pattern(k, slot, out);
		return;
	}
	if (k->before_max)
		buf_printf(out, "^.{%zu,%zu}", k->before_min, k->before_max);
	else
		buf_putc(out, '^');
	put_text_pattern(k, 0, slot, out);
	buf_puts(out, k->cut ? "" : "$");
}

/* TEXT for a comment: what is no plain character is a blank. */
static void
put_printable(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_putc(out, *text < ' ' || *text > '~' ? ' ' : *text);
}

static void
put_named(struct buf *out, const char *name, const char *value, const char *end)
{
	put_printable(out, name);
	buf_putc(out, '=');
	put_printable(out, value);
	buf_puts(out, end);
}

void
pattern_describe(const struct template_kind *k, uint32_t slot, struct buf *out)
{
	for (size_t i = 0; i < k->n; i++) {
		const struct template_piece *x = &k->v[i];

		if (x->what == PIECE_TEXT)
			put_printable(out, x->text);
		else if (x->what == PIECE_VALUE)
			buf_puts(out, x->slot == slot ? "<id>" : "*");
		else if (x->what == PIECE_MEMBER)
			put_named(out, x->text, x->text2, " ");
		else if (x->what == PIECE_OPEN)
			put_named(out, x->text, "", "");
		else if (x->what == PIECE_CLOSE)
			buf_putc(out, ' ');
		else if (x->slot == slot)
			put_named(out, x->text, "<id>", " ");
	}
}
