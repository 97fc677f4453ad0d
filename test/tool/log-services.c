/*
 * log-services BYTES SEED DIRECTORY - logs of ten services, BYTES in all: requests that
 * go through three of them with one id, and what they log besides.  For the time and
 * the memory that learning takes.
 */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/diag.h"
#include "base/num.h"
#include "base/xalloc.h"

enum { SERVICES = 10, BEHIND = 1 << 14 /* lines that wait for their turn */ };

struct line {
	int64_t us;
	int service, kind;
	uint64_t id;
};

struct made {
	FILE *f[SERVICES];
	struct line *v;			/* a heap by time, from 1 on */
	size_t n;
	uint64_t x;
	int64_t bytes;
};

static double
chance(struct made *m)
{
	m->x ^= m->x << 13;
	m->x ^= m->x >> 7;
	m->x ^= m->x << 17;
	return (double)(m->x >> 11) / 9007199254740992.0;
}

static int64_t
exponential(struct made *m, double mean_us)
{
	return (int64_t)(-log(1 - chance(m)) * mean_us) + 200;
}

static void
line_add(struct made *m, const struct line *l)
{
	size_t i = ++m->n;

	for (; i > 1 && m->v[i / 2].us > l->us; i /= 2)
		m->v[i] = m->v[i / 2];
	m->v[i] = *l;
}

static struct line
line_first(struct made *m)
{
	const struct line first = m->v[1], last = m->v[m->n--];
	size_t i = 1, k;

	for (; (k = 2 * i) <= m->n; i = k) {
		k += k < m->n && m->v[k + 1].us < m->v[k].us;
		if (m->v[k].us >= last.us)
			break;
		m->v[i] = m->v[k];
	}
	m->v[i] = last;
	return first;
}

static void
line_write(struct made *m, const struct line *l)
{
	static const char *const texts[] = {
		"INFO  gateway accepted request %016jx from client, tier %c", "INFO  calling the service behind this one for request %016jx, tier %c",
		"INFO  handling request %016jx with the default handler, tier %c", "DEBUG cache is asked for the object of session %016jx, tier %c",
		"INFO  request %016jx is answered, all is well, tier %c", "INFO  got the answer for request %016jx and passes it on, tier %c",
	};
	/* The clock of each service is off by up to five seconds. */
	const int64_t us = l->us + (l->service * 7919 % 11 - 5) * INT64_C(1000000);
	const time_t s = (time_t)(us / 1000000);
	struct tm tm;
	char stamp[32];
	int n;

	gmtime_r(&s, &tm);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
	n = fprintf(m->f[l->service], "%s.%06dZ ", stamp, (int)(us % 1000000));
	m->bytes += n;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	n = fprintf(m->f[l->service], texts[l->kind], (uintmax_t)l->id, "abcc"[l->service / 3]);
#pragma GCC diagnostic pop
	fputc('\n', m->f[l->service]);
	m->bytes += n + 1;
}

static int64_t
call(struct made *m, uint64_t id, int depth, int64_t us)
{
	const int service = depth * 3 + (int)(chance(m) * (depth == 2 ? 4 : 3));

	line_add(m, &(struct line){ us, service, depth ? 2 : 0, id });
	us += exponential(m, 800);
	if (chance(m) < 0.5)
		line_add(m, &(struct line){ us, service, 3, m->x });
	if (depth < 2) {
		line_add(m, &(struct line){ us, service, 1, id });
		us = call(m, id, depth + 1, us + exponential(m, 1500)) + exponential(m, 1500);
		line_add(m, &(struct line){ us, service, 5, id });
	}
	us += exponential(m, 2000);
	line_add(m, &(struct line){ us, service, 4, id });
	return us;
}

int
main(int argc, char *argv[])
{
	struct made m = { .x = 88172645463325252 };
	int64_t want, seed, us = INT64_C(1763755000000000);

	diag_init(argv);
	if (argc != 4 || num_parse_size(argv[1], &want) < 0 || num_parse(argv[2], 0, INT32_MAX, &seed) < 0)
		die(EXIT_USAGE, 0, "three operands are needed: bytes, seed, directory");
	m.x += (uint64_t)seed * 0x9e3779b97f4a7c15;
	m.v = xcalloc(2 * BEHIND, sizeof *m.v);
	for (int i = 0; i < SERVICES; i++) {
		_cleanup_free_ char *path = xasprintf("%s/service%d.log", argv[3], i);

		m.f[i] = fopen(path, "we");
		if (!m.f[i])
			die(EXIT_TROUBLE, errno, "%s", path);
	}
	while (m.bytes < want) {
		struct line l;

		us += exponential(&m, 300);
		call(&m, m.x * 0x9e3779b97f4a7c15, 0, us);
		while (m.n > BEHIND || (m.n && m.v[1].us < us)) {
			l = line_first(&m);
			line_write(&m, &l);
		}
	}
	while (m.n) {
		const struct line l = line_first(&m);

		line_write(&m, &l);
	}
	for (int i = 0; i < SERVICES; i++)
		if (fclose(m.f[i]) != 0)
			die(EXIT_TROUBLE, errno, "%s", argv[3]);
	free(m.v);
	return 0;
}
