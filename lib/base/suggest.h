/*
 * suggest - "did you mean": the word of a list that is nearest to a wrong one.
 *
 * The list is offered word by word, so that it may come from a table, a
 * directory or a string of choices.  Near is what a slip of the finger makes:
 * at most one letter in three is missing, added, wrong or swapped with its
 * neighbour (the distance of Damerau and Levenshtein, without regard to case),
 * or the wrong word is the beginning of the other.  Of equally near words the
 * one offered first is taken.
 *
 *	struct suggest s;
 *
 *	suggest_begin(&s, "jsno");
 *	suggest_offer_list(&s, "jsonl json table");
 *	suggest_hint(&s, "formats", &out);	// "did you mean 'json'? formats: jsonl, json, table"
 *	suggest_release(&s);
 */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include "base/buf.h"
#include "base/fail.h"

enum { SUGGEST_WORD = 64 };	/* longer words are listed, and never near */

struct suggest {
	const char *wrong;		/* borrowed */
	char best[SUGGEST_WORD];	/* the nearest so far; empty for none */
	unsigned distance;		/* its distance */
	unsigned n;			/* words offered */
	struct buf all;			/* the words offered, ", " between */
};

void suggest_begin(struct suggest *s, const char *wrong);
void suggest_release(struct suggest *s);

void suggest_offer(struct suggest *s, const char *word);

/* Each word of LIST, which has blanks between. */
void suggest_offer_list(struct suggest *s, const char *list);

/* The nearest word, borrowed from S, or NULL where none is near. */
const char *suggest_nearest(const struct suggest *s);

/*
 * The hint, added to OUT: the nearest word, if there is one, and under the
 * name WHAT all words, if there are few.  Nothing where no word was offered.
 */
void suggest_hint(const struct suggest *s, const char *what, struct buf *out);

/* The same as the hint of F. */
void suggest_fail(const struct suggest *s, const char *what, struct fail *f);

#endif
