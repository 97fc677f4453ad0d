#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/lines.h"
#include "base/xalloc.h"
#include "fleet/roster.h"

struct roster {
	struct buf names;	/* each ended by NUL */
	uint32_t n;
	uint32_t *at;		/* of the sorted names */
	uint32_t *order;	/* the I-th that is asked, as an index of AT */
	uint32_t *rank;		/* the inverse of ORDER */
};

static bool
is_name(const char *s, size_t len)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@%=,+~-[]";

	if (len == 0 || len > ROSTER_NAME_MAX || s[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!s[i] || !strchr(allowed, s[i]))
			return false;
	return true;
}

static int
names_compare(const void *a, const void *b, void *names)
{
	return strcmp((const char *)names + *(const uint32_t *)a, (const char *)names + *(const uint32_t *)b);
}

/* Sort, and drop what is there twice. */
static void
names_sort(struct roster *r)
{
	uint32_t kept = 0;

	qsort_r(r->at, r->n, sizeof *r->at, names_compare, r->names.s);
	for (uint32_t i = 0; i < r->n; i++)
		if (kept == 0 || strcmp(r->names.s + r->at[i], r->names.s + r->at[kept - 1]) != 0)
			r->at[kept++] = r->at[i];
	r->n = kept;
}

static int
line_add(struct roster *r, const char *name, size_t number, const char *line, size_t len, size_t *cap, struct fail *f)
{
	while (len > 0 && strchr(" \t\r", line[len - 1]))
		len--;
	while (len > 0 && strchr(" \t", line[0])) {
		line++;
		len--;
	}
	if (len == 0 || line[0] == '#')
		return 0;
	if (!is_name(line, len)) {
		fail_set(f, EXIT_USAGE, "%s:%zu: '%.*s' is not the name of a device", name, number, (int)(len < 64 ? len : 64), line);
		fail_hint(f, "a name a line, of letters, digits and . _ : @ %% = , + ~ - [ ], not beginning with '-'");
		return -EINVAL;
	}
	if (r->n >= ROSTER_MAX || r->names.len > UINT32_MAX - ROSTER_NAME_MAX - 2)
		return fail_set(f, EXIT_USAGE, "%s:%zu: more than %d devices", name, number, ROSTER_MAX);
	r->at = xgrow(r->at, r->n, cap, sizeof *r->at);
	r->at[r->n++] = (uint32_t)r->names.len;
	buf_add(&r->names, line, len);
	buf_putc(&r->names, '\0');
	return 0;
}

static int
lines_add(struct roster *r, int fd, const char *name, struct fail *f)
{
	struct lines *in = xcalloc(1, sizeof *in);
	size_t cap = 0, number = 0, len;
	const char *line;
	int result = 0;

	while (result == 0 && !in->at_end) {
		ssize_t n = lines_read(in, fd);

		if (n < 0)
			result = fail_errno(f, (int)n, "%s", name);
		while (result == 0 && lines_next(in, &line, &len))
			result = line_add(r, name, ++number, line, len, &cap, f);
	}
	free(in);
	return result;
}

int
roster_read(int fd, const char *name, struct roster **out, struct fail *f)
{
	struct roster *r = xcalloc(1, sizeof *r);
	int result;

	r->names = (struct buf)BUF_INIT;
	result = lines_add(r, fd, name, f);
	if (result == 0 && r->n == 0) {
		result = fail_set(f, EXIT_USAGE, "%s: no devices", name);
		fail_hint(f, "write the names of the devices to standard input, a line each");
	}
	if (result < 0) {
		roster_free(r);
		return result;
	}
	names_sort(r);
	r->order = xcalloc(r->n, sizeof *r->order);
	r->rank = xcalloc(r->n, sizeof *r->rank);
	for (uint32_t i = 0; i < r->n; i++)
		r->order[i] = r->rank[i] = i;
	*out = r;
	return 0;
}

void
roster_free(struct roster *r)
{
	if (!r)
		return;
	buf_release(&r->names);
	free(r->at);
	free(r->order);
	free(r->rank);
	free(r);
}

uint32_t
roster_count(const struct roster *r)
{
	return r->n;
}

/* splitmix64 (Vigna, public domain): a step of the generator whose state is *S. */
static uint64_t
random_step(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

void
roster_shuffle(struct roster *r, uint64_t seed)
{
	for (uint32_t i = 0; i < r->n; i++)
		r->order[i] = i;
	for (uint32_t i = r->n; i > 1; i--) {
		const uint32_t j = (uint32_t)(((random_step(&seed) >> 32) * i) >> 32);
		const uint32_t other = r->order[j];

		r->order[j] = r->order[i - 1];
		r->order[i - 1] = other;
	}
	for (uint32_t i = 0; i < r->n; i++)
		r->rank[r->order[i]] = i;
}

const char *
roster_name(const struct roster *r, uint32_t i)
{
	return r->names.s + r->at[r->order[i]];
}

int64_t
roster_find(const struct roster *r, const char *name)
{
	uint32_t lo = 0, hi = r->n;

	while (lo < hi) {
		const uint32_t mid = lo + (hi - lo) / 2;
		const int c = strcmp(name, r->names.s + r->at[mid]);

		if (c == 0)
			return r->rank[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return -1;
}

void
roster_digest(const struct roster *r, char text[SHA_TEXT])
{
	struct sha *s = sha_new("sha256");

	for (uint32_t i = 0; i < r->n; i++)
		sha_add(s, r->names.s + r->at[i], strlen(r->names.s + r->at[i]) + 1);
	sha_end(s, text);
}
