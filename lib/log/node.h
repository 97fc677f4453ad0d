/*
 * node - a record that was read and is not out yet, and what it waits for.
 * Shared by the files of log/order.h.
 */
#ifndef LOG_NODE_H
#define LOG_NODE_H

#include "base/bloom.h"
#include "log/ids.h"
#include "log/ledger.h"
#include "log/order.h"
#include "log/tally.h"

struct node;

/* WAITER stands after PROVIDER, or after whoever sends ID (PROVIDER is then NULL). */
struct wait {
	struct node *waiter, *provider;
	struct wait *next;		/* of those who wait for the same */
	struct wait *mine;		/* of those that the same waits for */
	uint64_t id;
	uint16_t rule;
	uint8_t class;
	bool done;
	bool quiet;			/* if nobody comes, whoever asked says what that means */
};

/* Where a record stands: by time, source, position; DEPTH puts the promoted before their successor. */
struct place {
	int64_t t;
	unsigned rank;
	int depth;
	int64_t off;
};

/* A source, and what was read of it. */
struct lane {
	struct source *source;
	bool rules, clocks;		/* any rule is for it; and its format finds clocks */
	bool by_emitter;		/* its order is that of each emitter */
	int64_t window_ns;		/* how far it is read ahead; 0: one record */
	struct node **ring;		/* what was read and is not out, from HEAD on, in the source's order */
	size_t head, n, cap;		/* CAP is 0 or a power of two */
	struct node *last;		/* the last one read, while it is here */
	struct ids emitters;		/* the same of each, as pointers */
	int64_t newest_ns;		/* of all times read */
	int64_t line;
	bool ended, full;		/* FULL: the buffer does not let it be read ahead */
	bool backlog;			/* live: it has not been read to its end yet */
	bool asks;			/* its rules ask for more than ids */
	bool scouted;			/* its ids can be looked for ahead: log/scout.c */
	struct source *scout;		/* who does that; NULL before the first time */
	int64_t scouted_ns;		/* as NEWEST_NS, of what was looked through */
};

struct node {
	struct lane *lane;
	struct record r;		/* its P is found anew when it goes out */
	struct place place;
	struct wait *needs;		/* what it waits for or waited for */
	struct wait *before;		/* who waits for it */
	struct constraints edges;
	unsigned unmet;			/* of its needs */
	size_t heap;			/* its place among the ready, from 1; 0 for none */
	uint64_t serial;		/* no two nodes have the same: memory is used again */
	int64_t line;			/* of its source, where that is counted */
	bool given_up;			/* has waited too long: that is counted, so it is not to be read again */
	bool out, judged;		/* gone; asked for what only counts when its turn has come */
	bool waited, behind;		/* live: for what only counts then; came when later ones were out */
	bool deferred;			/* live: it is time to give up, but it waits for who is here, too */
	bool backlog;			/* live: was there before, and is held for nobody */
	int64_t arrived_ms;		/* live */
	uint64_t emitter;		/* where order is that of each */
	uint64_t visited;		/* by the search for cycles */
	struct wait *via;		/* who waits for it, on the way of that search */
	const char *mark;
	char *reason;			/* of it, where reasons are wanted */
};

struct ready {
	struct node **v;
	size_t n, cap;
};

/* Nodes, by a time: a heap.  Those that are gone since are still in it. */
struct stuck {
	int64_t t, off;
	unsigned rank;
	struct node *node;
	uint64_t serial;
};

struct stuck_heap {
	struct stuck *v;		/* from 1 on */
	size_t n, cap;
};

void ready_push(struct ready *h, struct node *e);
void ready_remove(struct ready *h, struct node *e);

/* E's place has become an earlier one. */
void ready_rise(struct ready *h, struct node *e);

/* Who stops and starts: one incarnation after the other. */
struct entity {
	enum { ENTITY_UNKNOWN, ENTITY_STOPPED, ENTITY_STARTED } state;
	struct node **v;		/* its stops and starts that are here */
	size_t n, cap;
};

/* What log/order.c holds. */
struct order {
	const struct order_spec *spec;
	struct render *out;
	struct causal_count *count;
	struct lane *lanes;
	unsigned n_lanes;
	struct ready ready;
	struct stuck_heap stuck;	/* those that need what was not sent */
	struct stuck_heap suspects;	/* those that may stand in a cycle, by when that is looked for */
	struct ids ids;			/* who sends what: order.c */
	struct bloom forgotten;		/* ids that were sent longer ago than is remembered */
	struct tally lost;		/* ids that were not waited for any longer, and by how many */
	struct ids clocks;		/* how far each has got */
	struct ids numbers;		/* the last one of each sequence, plus 1 */
	struct ids boots;		/* when each began, by the wall clock */
	struct ids entities;
	struct ids children, parents;	/* of spans: nesting.c */
	struct ids series;		/* series.c */
	struct series *series_first, *series_last;
	struct node *free_nodes;
	struct wait *free_waits;
	struct node **promoted;		/* those whose own needs are still to be looked at */
	size_t promoted_cap;
	struct node **path;		/* the same of a search for a cycle */
	size_t path_cap;
	uint64_t serial, visit;
	bool live;			/* a lane that has ended may go on, and patience is by the clock */
	int64_t clock_ms;		/* then: what it shows */
	int64_t now_ns;			/* the latest time that is out */
	int64_t ahead_ns;		/* up to that time enough has been read ahead */
	int64_t behind_ns;		/* and behind those who wait */
	int64_t forget_ns;		/* ids that were sent before need not be remembered */
	const struct past *past;	/* what was sent before all this; or NULL */
	int64_t *reached;		/* NEWEST_NS of each lane the last time; NULL the first time */
	bool scouts;			/* some lanes have any */
	struct ids ahead;		/* then: where what is sent ahead is */
	struct constraints scout_edges;	/* of one record */
};

/* Further than any two times are apart, and from 0. */
#define FAR_NS	(INT64_MAX / 4)

/*
 * The value of an id: nothing (0); that its record is out, and when; the node
 * that sends it; or the first wait of those who need it.  Pointers are aligned.
 */
enum { TAG_OUT = 1, TAG_HERE = 2, TAG_WANTED = 3, TAGS = 3 };

static inline uint64_t
tagged(const void *p, unsigned tag)
{
	return (uint64_t)(uintptr_t)p | tag;
}

static inline void *
untag(uint64_t v)
{
	return (void *)(uintptr_t)(v & ~(uint64_t)TAGS);
}

/* When a record went out, as the value of the ids that it sends: microseconds, not below zero. */
uint64_t order_out_at(int64_t ns);

/* Was a record sent with VALUE so shortly before the time NS that it is remembered?  With a census all are. */
bool order_is_remembered(const struct order *o, uint64_t value, int64_t ns);

/* The same of ID; where it was sent before that, it is forgotten. */
bool order_was_sent(struct order *o, uint64_t id, int64_t ns);

bool order_has_clocks(const struct source *s);
bool order_has_series(const struct source *s);
bool order_has_emitters(const struct source *s);

void order_init(struct order *o, const struct order_spec *spec, struct render *out, struct causal_count *count);
void order_release(struct order *o);

/*
 * Merge V, from where they stand, to the key UNTIL or to their ends.  true:
 * from there on time alone decides, as far as can be told; AT are then the
 * offsets of the records that come next.
 */
bool order_go(struct order *o, struct source **v, unsigned n, int64_t until, int64_t *at);

/* As order_run() by several threads; false where that does not do, and nothing was done.  (easy.c) */
bool order_easily(struct source **v, unsigned n, const struct order_spec *spec, struct render *out,
    struct causal_count *count);

/*
 * The parts of it, for who decides otherwise when a record goes out: E goes
 * out; it has to wait after all, for what only counts when its turn has come;
 * an edge of a cycle is dropped; all lanes are read beyond NS, a little at
 * least.  false: not so, or nothing was there.
 */
void order_lane_init(struct order *o, struct lane *l, struct source *s);
void order_lane_leave(struct order *o, struct lane *l);
void order_emit(struct order *o, struct node *e);
bool order_judge(struct order *o, struct node *e);
bool order_break_cycle(struct order *o);
bool order_break_suspect(struct order *o, const struct node *top);
bool order_read_beyond(struct order *o, int64_t ns);

/* Read one more record of L; false where there is none to be had.  (enter.c) */
bool order_load(struct order *o, struct lane *l);

/* E stands behind who sends ID; it is not marked if nobody does, where it is QUIET. */
void order_need(struct order *o, struct node *e, uint64_t id, enum constraint_class class, uint16_t rule, bool quiet);

/* E is whom those who wait for ID wait for, though others will wait for another. */
void order_answer(struct order *o, struct node *e, uint64_t id);

/* Read ahead of the time NS what is to be read ahead; true where anything was. */
bool order_look_ahead(struct order *o, int64_t ns);
size_t order_bytes_held(const struct order *o);

/* Look out ahead in O's lanes where that can be; it begins and ends with them.  (scout.c) */
void scout_init(struct order *o);
void scout_release(struct order *o);

/*
 * Have what E, the first of the stuck, waits for read, if the lanes up to beyond
 * NS have it; false where they do not, or what is held is too much.  IDLE: nobody
 * else can go out.
 */
bool scout_fetch(struct order *o, struct node *e, int64_t ns, bool idle);

/*
 * WAITER is to wait, for a record that order_provide() names or an id; who waits
 * for PROVIDER because of ID waits for INSTEAD; settled, it does not any more.  (wait.c)
 */
struct wait *order_wait_new(struct order *o, struct node *waiter, uint64_t id, enum constraint_class class,
    uint16_t rule);
void order_provide(struct order *o, struct wait *w, struct node *provider);
void order_provide_instead(struct order *o, struct node *provider, struct node *instead, uint64_t id);
void order_settle(struct order *o, struct wait *w);

/* E needs what nobody has sent; the earliest such, NULL for none. */
void order_stuck_push(struct order *o, struct node *e);
struct node *order_stuck_first(struct order *o);

/*
 * Has STUCK, the first of those, waited for long enough, with TOP about to go
 * out?  What nobody has sent within the patience is known at once where there
 * are scouts.
 */
bool order_is_time(const struct order *o, const struct node *stuck, const struct node *top);

/* E, the first of those, is not looked at again before the time NS; false where it is that already. */
bool order_postpone(struct order *o, struct node *e, int64_t ns);

/* If E, the first of those, waits for who is here as well, it is none of them until that has gone; false where not. */
bool order_defer(struct order *o, struct node *e);

/* E does not wait for what nobody has sent any longer, and is marked with WHY. */
void order_give_up(struct order *o, struct node *e, const char *why);

/* The first mark stays. */
void order_mark(struct node *e, const char *what);
void order_forget_needs(struct order *o, struct node *e);
void order_node_free(struct order *o, struct node *e);

/* Give every record the place that moves the farthest-moved least; all have been read.  (minimax.c) */
void order_minimax(struct order *o);

/* The stop that must stand before E, a start whose turn has come; NULL for none. */
struct node *lifecycle_stop(struct order *o, struct node *e, const struct constraint *edge);

/* Live: the id with which a start that comes too early waits for its stop; 0 where none is missing. */
uint64_t lifecycle_missing(struct order *o, const struct constraint *edge);

/* E is here, and is gone. */
void lifecycle_enter(struct order *o, struct node *e, const struct constraint *edge);
void lifecycle_leave(struct order *o, struct node *e, const struct constraint *edge);
void lifecycle_release(struct order *o);

/* Of two waits, the one that is better dropped: the weaker one, or the one that the times contradict more. */
struct wait *node_weaker(struct wait *a, struct wait *b);
void order_drop(struct order *o, struct wait *w);

/* The next that may stand in a cycle, if it is time to look, as the record TOP may go out; NULL for none. */
struct node *order_suspect_next(struct order *o, const struct node *top, bool *hurry);

/* Look again for a cycle that E stands in: as soon as may be, or when it is behind its time. */
void order_suspect(struct order *o, struct node *e, bool now);

/* E is here, and is gone; who is here of those that it must stand behind, the last of them, NULL for none. */
void series_enter(struct order *o, struct node *e, const struct constraint *edge);
void series_leave(struct order *o, struct node *e, const struct constraint *edge);
struct node *series_before(struct order *o, const struct node *e, const struct constraint *edge);
void series_release(struct order *o);

/* All have been read: each waits for those before it. */
void series_chain(struct order *o);

/* A child of a span is here, and has begun; the end E of a span, whose turn has come, waits for its children; they are gone. */
void nesting_init(struct order *o);
void nesting_enter(struct order *o, struct node *e, const struct constraint *edge);
void nesting_begun(struct order *o, const struct node *e, const struct constraint *edge);
void nesting_end(struct order *o, struct node *e, const struct constraint *edge);
void nesting_leave(struct order *o, const struct constraint *edge);
void nesting_release(struct order *o);

/* Where E stands if nobody waits for it. */
struct place node_place(const struct node *e);

bool place_before(const struct place *a, const struct place *b);

#endif
