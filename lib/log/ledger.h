/*
 * ledger - which ids the records of a range send, and which they need that
 * none before them in the range sends; and the past, the ledgers of the ranges
 * that are out.
 *
 * A range is read by a worker, which settles most needs in its own ledger;
 * what is left is looked up in the past, one range after the other.
 */
#ifndef LOG_LEDGER_H
#define LOG_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bloom.h"
#include "log/ids.h"
#include "record/rule.h"
#include "causal/skew.h"

/* The value of an id that was sent; LEDGER_TIMED: by a message whose time is its own. */
enum { LEDGER_SENT = 1, LEDGER_TIMED = 2 };

uint64_t ledger_value(unsigned rank, int64_t t, bool timed);

/* The source, and the time to a microsecond. */
unsigned ledger_rank(uint64_t value);
int64_t ledger_time(uint64_t value);

struct need {
	uint64_t id;
	int64_t t, res;		/* RES is 0 where the time is not its own */
	int64_t now_ns;		/* the latest time up to it */
	unsigned rank;		/* of the source */
};

struct ledger {
	struct ids sent;
	struct need *open;
	size_t n_open, open_cap;
	struct constraints edges;	/* of one record */
	struct skew *skew;	/* is told of messages from one source to another; or NULL */
	int64_t window_ns;	/* what was sent longer before a need does not meet it */
	int64_t newest_ns;
};

void ledger_clear(struct ledger *l);
void ledger_release(struct ledger *l);

/* R sends or needs what L->EDGES says. */
void ledger_enter(struct ledger *l, const struct source *s, const struct record *r);

struct past {
	struct ledger *v;	/* the oldest first, from HEAD on */
	size_t head, n, cap;
	size_t ids;		/* in all of them */
};

/* What L sends is out; L is to be cleared before it is used again. */
void past_add(struct past *p, struct ledger *l);

/* Of the last one that sent ID; 0 for none. */
uint64_t past_find(const struct past *p, uint64_t id);

/*
 * Drop what was out before NS, but keep KEEP ids; FORGOTTEN, unless it is NULL,
 * gets those that are dropped.  true where any was.
 */
bool past_forget(struct past *p, int64_t ns, size_t keep, struct bloom *forgotten);
void past_release(struct past *p);

#endif
