/*
 * match = nth and match = stream against made traces whose pairs are known.
 *
 * nth: three channels between two hosts; 1 % of sends and receives are removed and
 * one file begins in the middle.  stream: 100 channels that are opened again and
 * again, whose reads join and split what was written.  The constraints are read off
 * the reasons that the merge gives.  The seed is printed; SEED=N repeats.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/io.h"
#include "../merging.h"
#include "record/source_open.h"

static uint64_t state, seed;

static uint64_t
rnd(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? state % below : 0;
}

static void fail_test(const char *what, int64_t got, int64_t limit) NORETURN;

static void
fail_test(const char *what, int64_t got, int64_t limit)
{
	fprintf(stderr, "log-matching: SEED=%ju: %s: %jd (limit %jd)\n", (uintmax_t)seed, what, (intmax_t)got, (intmax_t)limit);
	exit(1);
}

static struct source *
source_of(const char *name, const struct buf *text, unsigned rank)
{
	_cleanup_free_ char *path = NULL, *own = xstrdup(name);
	struct source_spec spec = { .order = ORDER_FIFO, .name = own, .zone = (char[]){ "UTC" } };
	struct formats none = { NULL, 0 };
	struct source *s;
	struct fail f;
	int fd = memfd_create("log", MFD_CLOEXEC);

	if (fd < 0 || io_write_all(fd, text->s, text->len) < 0)
		abort();
	path = xasprintf("/proc/self/fd/%d", fd);
	spec.location = path;
	if (source_open(&spec, &none, 4096, true, &s, &f) < 0)
		abort();
	close(fd);
	s->rank = rank;
	return s;
}

static void
add_line(struct buf *b, int64_t us, const char *text)
{
	char stamp[CLOCK_TEXT];

	clock_format((struct timespec){ us / 1000000, us % 1000000 * 1000 }, stamp);
	buf_printf(b, "%.26sZ %s\n", stamp, text);
}

/* Merge A and B with RULE; each record with an edge is a line of OUT: "TEXT <- LINE of the other". */
static void
merge(const struct buf *a, const struct buf *b, const char *rule, struct buf *out, struct causal_count *count)
{
	struct rules rs = { NULL, 0 };
	struct render_style style = { .json = true };
	struct source *s[2] = { source_of("a", a, 0), source_of("b", b, 1) };
	struct merging m = { .rules = &rs, .patience_ns = INT64_C(5000000000), .buffer = 64 << 20, .explain = true };
	struct render render;
	struct fail f;

	if (rules_parse(&rs, "test", rule, strlen(rule), &f) < 0) {
		fprintf(stderr, "%s\n", f.text);
		exit(1);
	}
	render_init(&render, -1, &style);
	merging_run(s, 2, &m, &render, count);
	buf_add(out, render.w.buf, render.w.len);
	render_release(&render);
	source_close(s[0], NULL);
	source_close(s[1], NULL);
	rules_release(&rs);
}

/* Of a JSON record: the number behind KEY in its text, and the line of A that its edge names; -1 for none. */
static void
parse_record(const char *line, const char *key, long *number, long *edge)
{
	const char *p = strstr(line, key), *q = strstr(line, "\"edges\":[");

	*number = p ? strtol(p + strlen(key), NULL, 10) : -1;
	q = q ? strstr(q, " a:") : NULL;
	if (!q) {
		q = strstr(line, "\"edges\":[");
		q = q ? strstr(q, "\"a:") : NULL;
	}
	*edge = q ? strtol(q + 3, NULL, 10) : -1;
}

/* --- nth */

enum { MESSAGES = 4000 };

static void
try_nth(void)
{
	static const char rule[] = "[r]\nmatch = nth\nsend = tx=(?<id>\\w+)\nrecv = rx=(?<id>\\w+)\nwithin = 100ms\n";
	_cleanup_buf_ struct buf a = BUF_INIT, b = BUF_INIT, out = BUF_INIT;
	long *line_of = xcalloc(MESSAGES, sizeof *line_of), lines = 0;	/* of each send, in A; 0: removed */
	char *received = xcalloc(MESSAGES, 1);
	int64_t now = INT64_C(1700000000000000), pairs = 0, found = 0, wrong = 0;
	struct causal_count count;
	char text[64];

	for (int n = 0; n < MESSAGES; n++) {
		unsigned c = (unsigned)rnd(3);
		int64_t late = 0;

		now += 100000 + (int64_t)rnd(4000000);
		/* The receiver's clock is behind: many receives seem to come before their send. */
		if (rnd(100) != 0) {
			snprintf(text, sizeof text, "m=%d tx=c%u", n, c);
			add_line(&a, now, text);
			line_of[n] = ++lines;
		}
		late = 1000 + (int64_t)rnd(30000) - 20000;
		if (n > MESSAGES / 10 && rnd(100) != 0) {
			snprintf(text, sizeof text, "m=%d rx=c%u", n, c);
			add_line(&b, now + late, text);
			received[n] = 1;
		}
		pairs += line_of[n] && received[n];
	}
	merge(&a, &b, rule, &out, &count);
	for (char *p = out.s, *nl; (nl = strchr(p, '\n')); p = nl + 1) {
		long n, edge;

		*nl = '\0';
		parse_record(p, "m=", &n, &edge);
		if (!strstr(p, "rx=") || edge < 0)
			continue;
		if (line_of[n] == edge)
			found++;
		else
			wrong++;
	}
	if (getenv("VERBOSE"))
		fprintf(stderr, "nth: %jd pairs, %jd found, %jd wrong, %jd unmatched\n", (intmax_t)pairs, (intmax_t)found,
		    (intmax_t)wrong, (intmax_t)count.unmatched);
	if (wrong * 1000 > found)
		fail_test("nth: false constraints", wrong, found / 1000);
	if (found * 10 < pairs * 9)
		fail_test("nth: pairs", found, pairs * 9 / 10);
	free(line_of);
	free(received);
}

/* --- stream */

enum { CHANNELS = 100, WRITES = 4000 };

struct channel {
	long end[64], line[64];		/* of writes that are not read as a whole */
	unsigned n;
	long sent, received;
	int64_t opened;			/* when; two openings that are closer than the clocks cannot be told apart */
	bool open;
};

static struct channel channels[CHANNELS];

/* Bytes of channel C are read at NOW: into B, and which write the read stands behind into EXPECTED. */
static void
read_some(struct channel *c, unsigned id, int64_t now, bool all, struct buf *b, long *expected, long *reads)
{
	char text[80];
	long len = c->sent - c->received;

	if (len <= 0)
		return;
	if (!all)
		len = 1 + (long)rnd((uint64_t)len);
	c->received += len;
	snprintf(text, sizeof text, "r=%ld got ch=%u n=%ld", *reads, id, len);
	add_line(b, now, text);
	for (unsigned i = 0; i < c->n; i++)
		if (c->end[i] >= c->received) {
			expected[(*reads)++] = c->line[i];
			memmove(c->end, c->end + i, (c->n - i) * sizeof *c->end);
			memmove(c->line, c->line + i, (c->n - i) * sizeof *c->line);
			c->n -= i;
			return;
		}
	abort();
}

static void
try_stream(bool absolute)
{
	static const char sums[] = "[r]\nmatch = stream\nopen = opens ch=(?<id>\\d+)\n"
	    "send = puts ch=(?<id>\\d+) n=(?<len>\\d+)\nrecv = got ch=(?<id>\\d+) n=(?<len>\\d+)\n";
	static const char from[] = "[r]\nmatch = stream\nsend = puts ch=(?<id>\\d+) n=(?<len>\\d+) from=(?<from>\\d+)\n"
	    "recv = got ch=(?<id>\\d+) n=(?<len>\\d+) from=(?<from>\\d+)\n";
	_cleanup_buf_ struct buf a = BUF_INIT, b = BUF_INIT, out = BUF_INIT;
	long *expected = xcalloc(WRITES * 8, sizeof *expected), lines = 0, reads = 0, found = 0, wrong = 0;
	int64_t now = INT64_C(1700000000000000);
	struct causal_count count;
	char text[80];

	memset(channels, 0, sizeof channels);
	for (int n = 0; n < WRITES; n++) {
		unsigned id = (unsigned)rnd(CHANNELS);
		struct channel *c = &channels[id];
		long len = 1 + (long)rnd(1000);

		now += 1000 + (int64_t)rnd(2000);
		if (!absolute && (!c->open || (rnd(50) == 0 && now > c->opened + 200000))) {
			/* The reader's clock is 20 ms behind: what it reads seems to come first. */
			read_some(c, id, now - 20000 + 500, true, &b, expected, &reads);
			now += 1000;
			snprintf(text, sizeof text, "opens ch=%u", id);
			add_line(&a, now, text);
			lines++;
			*c = (struct channel){ .open = true, .opened = now };
			if (id % 2) {
				add_line(&b, now - 20000 + 100, text);
			} else {
				/* An end that says nothing has to be told by time. */
				now += 40000;
			}
		}
		now += 1000;
		if (absolute)
			snprintf(text, sizeof text, "puts ch=%u n=%ld from=%ld", id, len, c->sent);
		else
			snprintf(text, sizeof text, "puts ch=%u n=%ld", id, len);
		add_line(&a, now, text);
		lines++;
		c->sent += len;
		c->end[c->n] = c->sent;
		c->line[c->n++] = lines;
		if (absolute) {
			long before = c->received, r = reads;
			size_t at = b.len;

			read_some(c, id, now - 20000 + 500, rnd(3) == 0 || c->n > 50, &b, expected, &reads);
			if (reads > r && at < b.len) {
				b.len--;
				buf_printf(&b, " from=%ld\n", before);
			}
		} else if (rnd(3) || c->n > 50) {
			read_some(c, id, now - 20000 + 500, rnd(3) == 0 || c->n > 50, &b, expected, &reads);
		}
	}
	merge(&a, &b, absolute ? from : sums, &out, &count);
	for (char *p = out.s, *nl; (nl = strchr(p, '\n')); p = nl + 1) {
		long n, edge;

		*nl = '\0';
		parse_record(p, "r=", &n, &edge);
		if (!strstr(p, " got ") || n < 0)
			continue;
		if (expected[n] == edge)
			found++;
		else if (edge >= 0)
			wrong++;
	}
	if (getenv("VERBOSE"))
		fprintf(stderr, "stream%s: %ld reads, %ld found, %ld wrong, %jd unmatched\n", absolute ? " with from" : "", reads,
		    found, wrong, (intmax_t)count.unmatched);
	if (wrong)
		fail_test("stream: false constraints", wrong, 0);
	if (found != reads)
		fail_test("stream: constraints", found, reads);
	free(expected);
}

int
main(int argc, char *argv[])
{
	(void)argc;
	diag_init(argv);
	seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
	state = seed | 1;
	fprintf(stderr, "log-matching: SEED=%ju\n", (uintmax_t)seed);
	for (int i = getenv("SOAK") ? 50 : 3; i > 0; i--) {
		try_nth();
		try_stream(false);
		try_stream(true);
	}
	return 0;
}
