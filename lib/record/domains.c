#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "record/domains.h"

enum { TABLE_MIN = 64 };

struct domains {
	pthread_mutex_t lock;
	struct domain **v;
	size_t n, cap;
	struct domain **table;		/* by hash of the name; open addressing */
	size_t table_cap;
};

struct domains *
domains_new(void)
{
	struct domains *d = xcalloc(1, sizeof *d);

	pthread_mutex_init(&d->lock, NULL);
	d->table_cap = TABLE_MIN;
	d->table = xcalloc(d->table_cap, sizeof(struct domain *));
	return d;
}

void
domains_free(struct domains *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i]->name);
		free(d->v[i]);
	}
	pthread_mutex_destroy(&d->lock);
	free(d->v);
	free(d->table);
	free(d);
}

static struct domain **
slot(const struct domains *d, const char *p, size_t n)
{
	size_t i = hash_bytes(0x64, p, n) & (d->table_cap - 1);

	while (d->table[i] && (strlen(d->table[i]->name) != n || memcmp(d->table[i]->name, p, n) != 0))
		i = (i + 1) & (d->table_cap - 1);
	return &d->table[i];
}

static void
grow(struct domains *d)
{
	free(d->table);
	d->table_cap *= 2;
	d->table = xcalloc(d->table_cap, sizeof(struct domain *));
	for (size_t i = 0; i < d->n; i++)
		*slot(d, d->v[i]->name, strlen(d->v[i]->name)) = d->v[i];
}

struct domain *
domains_get(struct domains *d, struct span name, bool host)
{
	/* A name ends at a NUL, which hostile input may hold. */
	const char *nul = name.n ? memchr(name.p, '\0', name.n) : NULL;
	const size_t n = nul ? (size_t)(nul - name.p) : name.n;
	struct domain *x;

	pthread_mutex_lock(&d->lock);
	x = *slot(d, name.p, n);
	if (!x) {
		if (d->n * 2 >= d->table_cap)
			grow(d);
		d->v = xgrow(d->v, d->n, &d->cap, sizeof(struct domain *));
		x = xcalloc(1, sizeof *x);
		x->name = xstrndup(name.p, n);
		x->number = (unsigned)d->n;
		*slot(d, x->name, n) = x;
		d->v[d->n++] = x;
	}
	x->is_host |= host;
	pthread_mutex_unlock(&d->lock);
	return x;
}

unsigned
domains_count(struct domains *d)
{
	unsigned n;

	pthread_mutex_lock(&d->lock);
	n = (unsigned)d->n;
	pthread_mutex_unlock(&d->lock);
	return n;
}

struct domain *
domains_at(struct domains *d, unsigned i)
{
	struct domain *x;

	pthread_mutex_lock(&d->lock);
	x = d->v[i];
	pthread_mutex_unlock(&d->lock);
	return x;
}

int64_t
domains_spread(struct domains *d)
{
	int64_t lo = 0, hi = 0;

	for (unsigned i = 0; i < domains_count(d); i++) {
		const int64_t ns = domains_at(d, i)->offset_ns;

		lo = i == 0 || ns < lo ? ns : lo;
		hi = i == 0 || ns > hi ? ns : hi;
	}
	return hi - lo;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp((*(struct domain *const *)a)->name, (*(struct domain *const *)b)->name);
}

void
domains_sort(struct domains *d, unsigned *to, unsigned n)
{
	struct domain **v = xcalloc((size_t)n + 1, sizeof(struct domain *));

	for (unsigned i = 0; i < n; i++)
		v[i] = domains_at(d, i);
	qsort(v, n, sizeof(struct domain *), by_name);
	for (unsigned i = 0; i < n; i++)
		to[v[i]->number] = i;
	free(v);
}
