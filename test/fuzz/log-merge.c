#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "../merging.h"
#include "record/source_open.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SOURCES = 3 };

static const char rules_text[] =
    "[m]\nsend = tx=(?<id>\\w+)\nrecv = rx=(?<id>\\w+)\n"
    "[s]\nkind = span\nbegin = span=(?<id>\\w+)(?: of=(?<parent>\\w+))?\nend = end=(?<id>\\w+)\n"
    "[l]\nkind = lifecycle\nstop = stopped\nstart = started\n";

static const char *const formats_text[] = {
	"[format]\nline = ^\\d{4}-\\S+ (?<emitter>\\w+) (?<seq>\\d+)\n",
	"[format]\ntime = none\nlines = 2\norder = none\nline = ^(?<emitter>\\S+) (?<clock>\\{[^\\n]*\\})\\n\n",
	"[format]\nbegin = BEGIN\nend = END\norder = none\n",
	"[format]\nrecord = journal-export\ntime = epoch\n",
};

/* The sum of a hash of each line: the same for the same lines in whatever order. */
static uint64_t
sum(const char *p, size_t n, uint64_t *lines)
{
	uint64_t total = 0;

	while (n) {
		const char *nl = memchr(p, '\n', n);
		size_t len = nl ? (size_t)(nl - p) : n;

		total += hash_bytes(1, p, len);
		++*lines;
		p += len + (nl != NULL);
		n -= len + (nl != NULL);
	}
	return total;
}

static struct source *
source_of(const uint8_t *data, size_t size, unsigned i, const struct formats *fs, unsigned format)
{
	static char names[][8] = { "auto", "f0", "f1", "f2", "f3" };
	struct source_spec spec = { .name = (char[]){ "s" }, .zone = (char[]){ "UTC" }, .format = names[format % 5],
	    .order = format & 8 ? ORDER_NONE : ORDER_OF_FORMAT };
	_cleanup_free_ char *path = NULL;
	struct source *s = NULL;
	struct fail f;
	int fd = memfd_create("log", MFD_CLOEXEC);

	if (fd < 0 || io_write_all(fd, data, size) < 0)
		abort();
	path = xasprintf("/proc/self/fd/%d", fd);
	spec.location = path;
	if (source_open(&spec, fs, 4096, true, &s, &f) < 0)
		abort();
	s->rank = i;
	close(fd);
	return s;
}

enum how { BY_TIME, ONE_PASS, EXACT, MINIMAX, WORKERS, EXACT_WORKERS };

/*
 * How an input is merged: the upper bits of its first byte say it.  One merge an
 * input finds as much as all, and runs more of them; threads are the dearest.
 */
static enum how
chosen(unsigned flags)
{
	switch (flags >> 3) {
	case 31:
		return EXACT_WORKERS;
	case 30:
		return WORKERS;
	default:
		return flags >> 3 & 3;
	}
}

/* Merge S, as the bits of FLAGS say besides; the bytes go to OUT. */
static void
merge(struct source **s, enum how how, unsigned flags, const struct rules *rules, struct render *out)
{
	static const struct rules none = { NULL, 0 };
	int64_t offsets[SOURCES] = { 0 };
	struct merging m = { .rules = how == BY_TIME ? &none : rules, .patience_ns = flags & 1 ? 0 : 5000000000,
	    .explain = flags & 2, .buffer = flags & 4 ? 70000 : SIZE_MAX, .minimax = how == MINIMAX,
	    .exact = how == EXACT || how == EXACT_WORKERS, .offsets = offsets };
	struct causal_count count;

	if (how >= WORKERS) {
		m.workers = 2;
		m.block = 64;
	}
	merging_run(s, SOURCES, &m, out, &count);
	for (unsigned i = 0; i < SOURCES; i++) {
		source_rewind(s[i]);
		s[i]->offset_ns = 0;
		matcher_free(s[i]->matcher);
		s[i]->matcher = NULL;
	}
}

/* Merge them, and see that the lines are those of the sum WANT; returns a hash of the bytes. */
static uint64_t
merged(struct source **s, enum how how, unsigned flags, const struct rules *rules, uint64_t want, uint64_t lines)
{
	struct render out;
	uint64_t got_lines = 0, hash;

	render_init(&out, -1, NULL);
	merge(s, how, flags, rules, &out);
	assert(sum(out.w.buf, out.w.len, &got_lines) == want);
	assert(got_lines == lines);
	hash = hash_bytes(0, out.w.buf, out.w.len);
	render_release(&out);
	return hash;
}

/* Whatever the bytes are, every line that goes in comes out once, and workers change nothing. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rules rules;
	static struct formats fs;
	struct source *s[SOURCES];
	struct fail f;
	uint64_t want = 0, lines = 0, hash;
	enum how how;
	size_t third;

	if (!rules.n) {
		fs.v = xcalloc(4, sizeof *fs.v);
		for (; fs.n < 4; fs.n++) {
			_cleanup_free_ char *name = xasprintf("f%zu", fs.n);

			if (format_parse("f", name, formats_text[fs.n], strlen(formats_text[fs.n]), &fs.v[fs.n], &f) < 0)
				abort();
		}
		if (rules_parse(&rules, "r", rules_text, sizeof rules_text - 1, &f) < 0)
			abort();
	}
	if (size < 4)
		return 0;
	third = (size - 4) / SOURCES;
	for (unsigned i = 0; i < SOURCES; i++) {
		size_t n = i == SOURCES - 1 ? size - 4 - 2 * third : third;

		want += sum((const char *)data + 4 + i * third, n, &lines);
		s[i] = source_of(data + 4 + i * third, n, i, &fs, data[1 + i]);
	}
	how = chosen(data[0]);
	hash = merged(s, how, data[0], &rules, want, lines);
	/* With little room it matters how much is held, and so how much is decoded at once. */
	if (how >= WORKERS) {
		const uint64_t alone = merged(s, how == WORKERS ? ONE_PASS : EXACT, data[0], &rules, want, lines);

		assert(data[0] & 4 || hash == alone);
	}
	for (unsigned i = 0; i < SOURCES; i++)
		source_close(s[i], NULL);
	return 0;
}
