#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "../merging.h"
#include "output/label.h"
#include "output/picture.h"

#include "../page.h"
#include "../xml.h"
#include "record/source_open.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules_text[] =
    "[m]\nsend = tx=(?<id>\\w+)\nrecv = rx=(?<id>\\w+)\n"
    "[s]\nkind = span\nbegin = span=(?<id>\\w+)(?: of=(?<parent>\\w+))?\nend = end=(?<id>\\w+)\n"
    "[l]\nkind = lifecycle\nstop = stopped\nstart = started\n";

static const char *const formats_text[] = {
	"[format]\nline = ^(?<time>\\S+) (?<emitter>\\S+) (?<level>\\w)? ?(?<body>.*)\n",
	"[format]\ntime = none\nlines = 2\norder = none\nline = ^(?<emitter>\\S+) (?<clock>\\{[^\\n]*\\})\\n\n",
	"[format]\nrecord = json\ntime-key = t\nemitter-key = e\n",
	"[format]\nrecord = journal-export\ntime = epoch\n",
};

static struct source *
source_of(const uint8_t *data, size_t size, unsigned i, const struct formats *fs, unsigned format)
{
	static char names[][8] = { "auto", "f0", "f1", "f2", "f3" };
	struct source_spec spec = { .name = i ? (char[]){ "<b>&\n\xff" } : (char[]){ "a" }, .zone = (char[]){ "UTC" },
	    .format = names[format % 5] };
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

/* Lines of printable text, as wide as they may be. */
static void
check_rows(const char *p, size_t n, unsigned width)
{
	while (n) {
		const char *nl = memchr(p, '\n', n);
		uint32_t c;

		assert(nl);
		assert(!width || label_width(p, (size_t)(nl - p)) <= width);
		for (size_t len; p < nl; p += len, n -= len) {
			len = utf8_next(p, n, &c);
			assert(len && c >= 0x20 && (c < 0x7f || c >= 0xa0));
		}
		p++;
		n--;
	}
}

/* Whatever the bytes are, the graph fits and is text, and the documents are well-formed. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rules rules;
	static struct formats fs;
	_cleanup_buf_ struct buf doc = BUF_INIT;
	struct source *s[2];
	struct fail f;

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
	if (size < 4 || size > 1 << 16)
		return 0;
	struct graph_style graph = { .width = data[0] % 4 == 0 ? 0 : 20 + data[0], .ascii = data[3] & 1,
	    .explain = data[3] & 2, .last = data[3] & 4 ? data[3] : 0 };
	struct svg_style svg = { .last = graph.last };
	struct html_style html = { .last = graph.last };
	struct picture *pic = picture_new(&rules, &graph, &svg, &html);
	struct render_style style = { .artist = &pic->artist, .last = graph.last };
	struct merging m = { .rules = &rules, .patience_ns = 5000000000, .buffer = SIZE_MAX, .relations = true };
	struct causal_count count;
	struct render out;

	for (unsigned i = 0; i < 2; i++)
		s[i] = source_of(data + 4 + i * (size - 4) / 2, (size - 4) / 2, i, &fs, data[1 + i]);
	render_init(&out, -1, &style);
	merging_run(s, 2, &m, &out, &count);
	render_flush(&out);
	check_rows(out.w.buf, out.w.len, graph.width);
	svg_format(pic->svg, &doc);
	if (xml_check(doc.s, doc.len))
		abort();
	buf_reset(&doc);
	html_format(pic->html, &doc);
	if (page_check(doc.s, doc.len))
		abort();
	render_release(&out);
	picture_free(pic);
	for (unsigned i = 0; i < 2; i++)
		source_close(s[i], NULL);
	return 0;
}
