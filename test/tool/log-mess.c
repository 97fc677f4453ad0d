/*
 * log-mess SEED DIR - random messy logs, to compare two merges with.
 *
 * A few hosts exchange messages, open spans, restart, and number their records;
 * their clocks are wrong, some records are lost, doubled, torn or out of order.
 * The same SEED makes the same files:
 *
 *	etc/formats.d/	the formats that are used
 *	rules.conf	the rules
 *	N.log		the sources
 *	operands	the operands for rejoin-log, one a line
 *	options		its options: patience, order
 *	script		the same logs as they arrive, for log-script
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/num.h"
#include "base/xalloc.h"

enum { HOSTS_MAX = 6, FLYING_MAX = 64, SPANS_MAX = 16 };

enum kind { KIND_PLAIN, KIND_EMITTER, KIND_SEQ, KIND_SEQID, KIND_BOOT, KIND_CLOCK, KINDS };

static const struct { const char *name, *line; bool fifo; } kinds[KINDS] = {
	{ "mess-plain", "^(?<time>\\S+) ", true },
	{ "mess-emitter", "^(?<time>\\S+) e=(?<emitter>\\w+)", true },
	{ "mess-seq", "^(?<time>\\S+) n=(?<seq>\\d+)", false },
	{ "mess-seqid", "^(?<time>\\S+) q=(?<seqid>\\w+)/(?<seq>\\d+)", true },
	{ "mess-boot", "^(?<time>\\S+) b=(?<boot>\\w+)/(?<mono>\\d+)", true },
	{ "mess-clock", "^(?<time>\\S+) h=(?<emitter>\\w+) (?<clock>\\{[^}]*\\})", false },
};

static const char rules_text[] =
    "[m]\nkind = message\nsend = tx=(?<id>\\w+)\nrecv = rx=(?<id>\\w+)\n"
    "[s]\nkind = span\nbegin = span=(?<id>\\w+)(?: of=(?<parent>\\w+))?\n%s"
    "[l]\nkind = lifecycle\nstop = stopped (?<id>\\w+)\nstart = started (?<id>\\w+)\nentity = ${id}\nwithin = %us\n";

struct host {
	enum kind kind;
	bool fifo, shuffled;
	int64_t skew_us, delay_us;
	unsigned digits;		/* of a second */
	int64_t number, boot_us;
	unsigned clock[HOSTS_MAX];
	FILE *log;
	struct buf held;		/* a line that is written behind the next one */
	int64_t arrived_us;
};

/* A message that is on its way. */
struct flying {
	unsigned id, to, times;
	int64_t at_us;
	unsigned clock[HOSTS_MAX];
};

struct world {
	const char *dir;
	unsigned n, lost, messy, ids;
	bool ends;			/* spans have ends */
	struct host host[HOSTS_MAX];
	struct flying flying[FLYING_MAX];
	unsigned n_flying;
	struct { unsigned id, host; } span[SPANS_MAX];
	unsigned n_spans;
	int64_t now_us;
	FILE *script;
};

static uint64_t state;

static unsigned
rnd(unsigned below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state % below);
}

static bool
one_in(unsigned n)
{
	return n && rnd(n) == 0;
}

static FILE *open_in(const char *dir, const char *fmt, ...) PRINTF(2, 3);

static FILE *
open_in(const char *dir, const char *fmt, ...)
{
	_cleanup_free_ char *name = NULL, *path = NULL;
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	if (vasprintf(&name, fmt, ap) < 0)
		die(EXIT_TROUBLE, errno, "%s", dir);
	va_end(ap);
	path = xasprintf("%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f)
		die(EXIT_TROUBLE, errno, "%s", path);
	return f;
}

/* What stands before the text: the time, and what the format of H finds there. */
static void
head(struct world *w, unsigned h, struct buf *b)
{
	struct host *x = &w->host[h];
	int64_t us = w->now_us + x->skew_us - (one_in(w->messy) ? rnd(2000000) : 0);
	char text[CLOCK_TEXT];

	clock_format((struct timespec){ us / 1000000, us % 1000000 * 1000 }, text);
	buf_printf(b, "%.*sZ", x->digits ? 20 + (int)x->digits : 19, text);
	x->number += one_in(w->messy) ? 2 : 1;
	switch (x->kind) {
	case KIND_EMITTER:
		buf_printf(b, " e=p%u", rnd(3));
		break;
	case KIND_SEQ:
		buf_printf(b, " n=%jd", (intmax_t)x->number);
		break;
	case KIND_SEQID:
		buf_printf(b, " q=q%u/%jd", h, (intmax_t)x->number);
		break;
	case KIND_BOOT:
		buf_printf(b, " b=b%u/%jd", h, (intmax_t)(w->now_us - x->boot_us));
		break;
	case KIND_CLOCK:
		x->clock[h]++;
		buf_printf(b, " h=h%u {", h);
		for (unsigned i = 0; i < w->n; i++)
			if (x->clock[i])
				buf_printf(b, "%s\"h%u\":%u", b->s[b->len - 1] == '{' ? "" : ",", i, x->clock[i]);
		buf_puts(b, "}");
		break;
	default:
		break;
	}
}

static void
send_message(struct world *w, unsigned h, struct buf *b)
{
	struct flying *f = &w->flying[w->n_flying];

	if (w->n_flying == FLYING_MAX)
		return;
	*f = (struct flying){ .id = ++w->ids, .to = rnd(w->n), .times = one_in(8) ? 2 : 1,
	    .at_us = w->now_us + 1 + rnd(one_in(6) ? 8000000 : 5000) };
	memcpy(f->clock, w->host[h].clock, sizeof f->clock);
	w->n_flying++;
	if (!one_in(w->lost))
		buf_printf(b, " tx=%u", f->id);
	if (one_in(w->lost))
		w->n_flying--;
}

static void
receive(struct world *w, unsigned h, struct buf *b, unsigned i)
{
	struct flying *f = &w->flying[i];

	buf_printf(b, " rx=%u", f->id);
	if (one_in(w->messy))
		buf_printf(b, " tx=%u", f->id);
	if (--f->times == 0)
		w->flying[i] = w->flying[--w->n_flying];
	(void)h;
}

static void
open_or_end_span(struct world *w, unsigned h, struct buf *b)
{
	if (w->n_spans < SPANS_MAX && (w->n_spans == 0 || rnd(2))) {
		unsigned id = ++w->ids;

		buf_printf(b, " span=%u", id);
		if (w->n_spans && rnd(4))
			buf_printf(b, " of=%u", w->span[rnd(w->n_spans)].id);
		w->span[w->n_spans].id = id;
		w->span[w->n_spans++].host = h;
		return;
	}
	/* The youngest first, mostly, so that children end before their parents. */
	w->n_spans--;
	if (w->ends && !one_in(w->lost))
		buf_printf(b, " end=%u", w->span[w->n_spans].id);
}

/* The message that H is to receive by now; -1 for none. */
static int
due(const struct world *w, unsigned h)
{
	for (unsigned i = 0; i < w->n_flying; i++)
		if (w->flying[i].to == h && w->flying[i].at_us <= w->now_us)
			return (int)i;
	return -1;
}

static void
deliver(struct world *w, unsigned h, const struct buf *line)
{
	struct host *x = &w->host[h];
	int64_t at = w->now_us + rnd((unsigned)x->delay_us + 1);

	fwrite(line->s, 1, line->len, x->log);
	if (at < x->arrived_us)
		at = x->arrived_us;
	x->arrived_us = at;
	fprintf(w->script, "%jd %u %s", (intmax_t)(at / 1000), h, line->s);
}

static void
put_line(struct world *w, unsigned h, struct buf *line)
{
	struct host *x = &w->host[h];

	if (x->shuffled && x->held.len == 0 && rnd(2)) {
		buf_add(&x->held, line->s, line->len);
		return;
	}
	deliver(w, h, line);
	if (x->held.len)
		deliver(w, h, &x->held);
	x->held.len = 0;
}

static void
event(struct world *w)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	unsigned h = rnd(w->n);
	int i = due(w, h);

	w->now_us += rnd(w->messy * 100 + 10000);
	if (i >= 0)
		for (unsigned k = 0; k < w->n; k++)
			if (w->flying[i].clock[k] > w->host[h].clock[k])
				w->host[h].clock[k] = w->flying[i].clock[k];
	head(w, h, &b);
	if (i >= 0)
		receive(w, h, &b, (unsigned)i);
	else if (rnd(3) == 0)
		send_message(w, h, &b);
	else if (one_in(5))
		open_or_end_span(w, h, &b);
	else if (one_in(12))
		buf_printf(&b, " %s x%u", rnd(2) ? "stopped" : "started", rnd(3));
	else
		buf_puts(&b, " idle");
	buf_puts(&b, one_in(w->messy) ? "\n  and a second line\n" : "\n");
	put_line(w, h, &b);
}

static void
begin(struct world *w, unsigned h, unsigned mask)
{
	struct host *x = &w->host[h];

	do
		x->kind = rnd(KINDS);
	while (!(mask >> x->kind & 1));
	x->fifo = kinds[x->kind].fifo && !one_in(4);
	x->shuffled = !x->fifo || x->kind == KIND_EMITTER;
	x->skew_us = rnd(3) ? (int64_t)rnd(400000) - 200000 : 0;
	x->delay_us = rnd(4) ? rnd(2000000) : 0;
	x->digits = rnd(3) ? 6 : rnd(2) ? 3 : 0;
	x->boot_us = w->now_us - rnd(1000000000);
	x->held = (struct buf)BUF_INIT;
	x->log = open_in(w->dir, "%u.log", h);
}

static void
write_setting(struct world *w)
{
	static const char *const patiences[] = { "5s", "5s", "500ms", "30ms" };
	FILE *f = open_in(w->dir, "rules.conf");

	fprintf(f, rules_text, w->ends ? "end = end=(?<id>\\w+)\n" : "", 1 + rnd(5));
	fclose(f);
	f = open_in(w->dir, "options");
	fprintf(f, "--patience\n%s\n", patiences[rnd(4)]);
	fclose(f);
	f = open_in(w->dir, "operands");
	for (unsigned h = 0; h < w->n; h++)
		fprintf(f, "%u.log,format=%s,order=%s\n", h, kinds[w->host[h].kind].name, w->host[h].fifo ? "fifo" : "none");
	fclose(f);
	for (unsigned k = 0; k < KINDS; k++) {
		f = open_in(w->dir, "etc/formats.d/%s.conf", kinds[k].name);
		fprintf(f, "[format]\nline = %s\n", kinds[k].line);
		fclose(f);
	}
}

int
main(int argc, char *argv[])
{
	struct world w = { .now_us = INT64_C(1700000000000000) };
	unsigned events, mask;
	int64_t seed;

	diag_init(argv);
	if (argc != 3 || num_parse(argv[1], 0, INT64_MAX, &seed) < 0)
		die(EXIT_USAGE, 0, "usage: log-mess SEED DIR");
	state = ((uint64_t)seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	for (int i = 0; i < 8; i++)
		rnd(2);
	w.dir = argv[2];
	for (int i = 0; i < 2; i++) {
		_cleanup_free_ char *d = xasprintf("%s/etc%s", w.dir, i ? "/formats.d" : "");

		if (mkdir(d, 0777) < 0 && errno != EEXIST)
			die(EXIT_TROUBLE, errno, "%s", d);
	}
	w.n = 1 + rnd(HOSTS_MAX);
	w.lost = rnd(2) ? 0 : 10 + rnd(40);
	w.messy = rnd(3) ? 20 + rnd(200) : 1000;
	w.ends = rnd(2);
	mask = rnd(2) ? 1u << KIND_PLAIN | 1u << rnd(KINDS) : rnd(3) ? 1u << KIND_PLAIN : (1u << KINDS) - 1;
	w.script = open_in(w.dir, "script");
	for (unsigned h = 0; h < w.n; h++)
		begin(&w, h, mask);
	write_setting(&w);
	events = 1 + rnd(rnd(4) ? 100 : 2000);
	for (unsigned i = 0; i < events; i++)
		event(&w);
	for (unsigned h = 0; h < w.n; h++) {
		if (w.host[h].held.len)
			deliver(&w, h, &w.host[h].held);
		buf_release(&w.host[h].held);
		fclose(w.host[h].log);
	}
	fclose(w.script);
	return 0;
}
