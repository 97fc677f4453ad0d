#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "record/cursor.h"
#include "record/source_open.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * The first byte chooses a format, the second the size of blocks, the rest is a
 * log: decoded in blocks it gives the records that it gives one by one, and every
 * byte comes out once.
 */
static const char *const texts[] = {
	"[format]\ntime = any\n",
	"[format]\ntime = none\nlines = 2\nline = ^(?<emitter>\\S+) (?<clock>\\{[^\\n]*\\})\\n(?<body>.*)\n",
	"[format]\nstream = ^\\S+ (?<stream>\\w+) (?:(?<part>P)|F)\n",
	"[format]\nbegin = ^= \nline = ^= (?<time>\\S+)\ntime = epoch\n",
	"[format]\nbegin = BEGIN\nend = END\n",
	"[format]\nrecord = json\ntime = any\ntime-key = a.b time\nstream = (?<part>p)?(?<stream>[ab])\n",
	"[format]\nrecord = journal-export\ntime = epoch\n",
};
enum { FORMATS = sizeof texts / sizeof *texts };

static struct formats formats;

static void
load_formats(void)
{
	static char names[FORMATS][2] = { "0", "1", "2", "3", "4", "5", "6" };
	struct fail f;

	formats.v = xcalloc(FORMATS, sizeof *formats.v);
	formats.n = FORMATS;
	for (int i = 0; i < FORMATS; i++)
		if (format_parse("fuzz", names[i], texts[i], strlen(texts[i]), &formats.v[i], &f) < 0)
			abort();
}

static struct source *
open_fd(int fd, char *format)
{
	_cleanup_free_ char *path = xasprintf("/proc/self/fd/%d", fd);
	struct source_spec spec = { .name = (char[]){ "s" }, .zone = (char[]){ "UTC" }, .format = format,
	    .location = path };
	struct source *s = NULL;
	struct fail f;

	if (source_open(&spec, &formats, 4096, true, &s, &f) < 0)
		abort();
	return s;
}

struct sum {
	uint64_t records, bytes;
	size_t n;
};

static void
add(struct sum *x, const struct record *r, const char *p, size_t n)
{
	if (r)
		x->records = x->records * 31 + (uint64_t)r->t + (uint64_t)r->res + r->inherited + 2U * r->partial;
	for (size_t i = 0; i < n; i++)
		x->bytes = x->bytes * 31 + (unsigned char)p[i];
	x->n += n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sum plain = { 0 }, blocks = { 0 };
	struct cursor_spec spec = { .fields = true, .lines = true };
	char format[2] = "0";
	struct source *s;
	struct cursor *c;
	const struct block *b;
	struct record r;
	size_t n, k;
	const char *p;
	int fd;

	if (size < 3)
		return 0;
	if (!formats.v)
		load_formats();
	format[0] = (char)('0' + data[0] % FORMATS);
	spec.block = 16 + data[1];
	fd = memfd_create("log", MFD_CLOEXEC);
	if (fd < 0 || io_write_all(fd, (const char *)data + 2, size - 2) < 0)
		abort();
	s = open_fd(fd, format);
	while (source_next(s, &r)) {
		add(&plain, &r, r.p, r.n);
		while (r.more && source_rest(s, &p, &n))
			add(&plain, NULL, p, n);
	}
	source_close(s, NULL);
	s = open_fd(fd, format);
	c = cursor_open(&s, 1, &spec);
	while (cursor_peek(c, 0, &b, &k) == 1) {
		block_record(b, k, &r);
		add(&blocks, b->v[k].flags & RECORD_PIECE ? NULL : &r, r.p, r.n);
		for (int i = 0; i < FIELD_N; i++) {
			struct fields fields;

			block_fields(b, k, &fields);
			assert(!fields.v[i].p || (fields.v[i].p >= r.p && fields.v[i].p + fields.v[i].n <= r.p + r.n));
		}
		cursor_advance(c, 0);
	}
	cursor_close(c);
	source_close(s, NULL);
	close(fd);
	assert(plain.n == size - 2 && blocks.n == plain.n && blocks.bytes == plain.bytes && blocks.records == plain.records);
	return 0;
}
