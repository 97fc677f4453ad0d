#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/suggest.h"

enum { LISTED_MAX = 24 };	/* a hint with more words than these would not be read */

static unsigned
smaller_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* The number of edits that make A into B; both are shorter than SUGGEST_WORD. */
static unsigned
edit_distance(const char *a, const char *b)
{
	unsigned rows[3][SUGGEST_WORD + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2], *spare;
	unsigned la = (unsigned)strlen(a), lb = (unsigned)strlen(b);

	for (unsigned j = 0; j <= lb; j++)
		last[j] = before[j] = j;
	for (unsigned i = 1; i <= la; i++) {
		now[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);

			now[j] = smaller_of(smaller_of(last[j], now[j - 1]) + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
			    y == tolower((unsigned char)a[i - 2]))
				now[j] = smaller_of(now[j], before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[lb];
}

/* The distance, or UINT_MAX's like where WORD is not near. */
static unsigned
word_nearness(const char *wrong, const char *word)
{
	size_t len = strlen(wrong);
	unsigned d;

	if (len == 0 || len >= SUGGEST_WORD || strlen(word) >= SUGGEST_WORD)
		return SUGGEST_WORD;
	if (len >= 2 && strncasecmp(wrong, word, len) == 0)
		return 1;
	d = edit_distance(wrong, word);
	return d <= (len + 2) / 3 && d < len ? d : SUGGEST_WORD;
}

void
suggest_begin(struct suggest *s, const char *wrong)
{
	*s = (struct suggest){ .wrong = wrong, .distance = SUGGEST_WORD, .all = BUF_INIT };
}

void
suggest_release(struct suggest *s)
{
	buf_release(&s->all);
}

void
suggest_offer(struct suggest *s, const char *word)
{
	unsigned d = word_nearness(s->wrong, word);

	if (d < s->distance) {
		s->distance = d;
		snprintf(s->best, sizeof s->best, "%s", word);
	}
	buf_printf(&s->all, "%s%s", s->n++ ? ", " : "", word);
}

void
suggest_offer_list(struct suggest *s, const char *list)
{
	char word[SUGGEST_WORD];

	for (size_t n; *list; list += n) {
		list += strspn(list, " ");
		n = strcspn(list, " ");
		if (n == 0)
			break;
		snprintf(word, sizeof word, "%.*s", (int)n, list);
		suggest_offer(s, word);
	}
}

const char *
suggest_nearest(const struct suggest *s)
{
	return *s->best ? s->best : NULL;
}

void
suggest_hint(const struct suggest *s, const char *what, struct buf *out)
{
	if (*s->best)
		buf_printf(out, "did you mean '%s'?", s->best);
	if (s->n > 0 && s->n <= LISTED_MAX)
		buf_printf(out, "%s%s: %s", *s->best ? " " : "", what, s->all.s);
}

void
suggest_fail(const struct suggest *s, const char *what, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	suggest_hint(s, what, &b);
	fail_hint(f, "%s", b.s);
}
