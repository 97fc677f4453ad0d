/* What is drawn: labels, the graph of a few records, and documents of any. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "output/label.h"
#include "output/picture.h"

#include "../page.h"
#include "../xml.h"

static int failed;

static void
same(const char *what, const char *got, const char *want)
{
	if (strcmp(got, want) == 0)
		return;
	printf("%s: got\n%s\nwant\n%s\n", what, got, want);
	failed = 1;
}

static const struct {
	const char *text, *want;
	unsigned columns;
} labels[] = {
	{ "plain", "plain", 0 }, { "plain", "plain", 5 }, { "plain!", "plai…", 5 }, { "", "", 3 }, { "ab", "…", 1 },
	{ "a\tb\033[m", "a b\\x1b[m", 0 }, { "\033", "…", 3 }, { "\377\302", "\\xff\\xc2", 0 },
	{ "\302\205", "\\u0085", 0 }, { "a\342\200\256b", "a\\u202eb", 0 }, { "\357\277\277", "\\uffff", 0 },
	{ "日本", "日本", 4 }, { "日本語", "日…", 4 }, { "日本語", "日本…", 5 }, { "e\314\201e", "e\314\201e", 2 },
};

static const struct {
	int64_t ns;
	const char *want;
} durations[] = {
	{ 0, "0 us" }, { 38400, "38 us" }, { 999600, "1.0 ms" }, { 4100000, "4.1 ms" }, { 110000000, "110 ms" },
	{ 999600000, "1.0 s" }, { 59940000000, "59.9 s" }, { 185000000000, "3 min 5 s" }, { 25320000000000, "7 h 2 min" },
	{ 273600000000000, "3 d 4 h" }, { -4100000, "-4.1 ms" }, { INT64_MIN, "-106751 d 23 h" },
};

static void
test_labels(void)
{
	for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		unsigned n = label_add(&b, labels[i].text, strlen(labels[i].text), labels[i].columns, "…");

		same("label", b.s, labels[i].want);
		assert(n == label_width(b.s, b.len));
		assert(!labels[i].columns || n <= labels[i].columns);
	}
	for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;

		label_duration(&b, durations[i].ns);
		same("duration", b.s, durations[i].want);
	}
}

/* A record of EMITTER, at MS after 10:00 of a day. */
struct line {
	unsigned emitter;
	int64_t ms;
	const char *text;
	int arrow;		/* the record it follows, -1 for none */
	int64_t moved_ms;
	const char *mark;
	int level;
	bool back, stop;
};

static const struct line story[] = {
	{ 0, 0, "asks", -1, 0, NULL, 6, false, false },
	{ 2, 100, "takes it", 0, 0, NULL, 6, false, false },
	{ 1, 50, "watches", 1, 50, NULL, -1, false, true },
	{ 2, 200, "fails", -1, 0, NULL, 3, false, false },
	{ 0, 60000, "hears of it too late", 3, 0, "late", 6, true, false },
	{ 1, 60001, "is back", 4, 0, NULL, 6, false, false },
};

static void
tell(struct graph *g, struct svg *s, struct html *h, struct buf *out)
{
	for (size_t i = 0; i < sizeof story / sizeof *story; i++) {
		const struct line *l = &story[i];
		struct arrow a = { .from = (uint64_t)l->arrow, .class = CONSTRAINT_MESSAGE, .rule = "ids", .back = l->back };
		struct event e = { .serial = i, .emitter = l->emitter, .t = 1795255200000000000 + l->ms * 1000000,
		    .moved_ns = l->moved_ms * 1000000, .mark = l->mark, .level = l->level, .stop = l->stop,
		    .text = { l->text, strlen(l->text) }, .raw = { l->text, strlen(l->text) }, .arrows = &a,
		    .n_arrows = l->arrow >= 0, .n_constraints = l->arrow >= 0 };

		if (l->arrow >= 0)
			a.emitter = story[l->arrow].emitter;
		a.t = e.t;
		if (g)
			graph_event(g, &e, out);
		if (s)
			svg_event(s, &e);
		if (h)
			html_event(h, &e);
	}
}

static void
emitters(struct model *t)
{
	static const char *const names[] = { "one", "two", "three" };

	t->emitters = xcalloc(3, sizeof *t->emitters);
	for (; t->n_emitters < 3; t->n_emitters++)
		t->emitters[t->n_emitters].name = xstrdup(names[t->n_emitters]);
}

static void
test_graph(void)
{
	static const struct rules rules;
	static const struct {
		struct graph_style style;
		const char *want;
	} graphs[] = {
		{ { .ascii = true },
		  "2026-11-21    one\n"
		  "              |   three\n"
		  "              |   |   two\n"
		  "10:00:00.000  *   |   |  one    asks\n"
		  "10:00:00.100  +-->*   |  three  takes it\n"
		  "10:00:00.050  |   +-->o  two    [moved 50.0 ms] watches\n"
		  "10:00:00.200  |   #   :  three  fails\n"
		  "              .   .   .  59.8 s\n"
		  "10:01:00.000  *---x   :  one    [late] hears of it too late\n"
		  "10:01:00.001  +---|-->*  two    is back\n" },
		{ { .ascii = false, .last = 2, .width = 50 },
		  "2026-11-21    one\n"
		  "              │   three\n"
		  "              │   │   two\n"
		  "10:01:00.000  ●───×   │  one    [late] hears of i…\n"
		  "10:01:00.001  ├───│──►●  two    is back\n" },
		{ { .ascii = true, .last = 3, .width = 30, .explain = true },
		  "2026-11-21    one\n"
		  "              | three\n"
		  "              | | two\n"
		  "10:00:00.200  | # |  fails\n"
		  "              . . .\n"
		  "10:01:00.000  *-x |  [late]\n"
		  "10:01:00.001  +-|>*  (messa...\n" },
		{ { .ascii = true, .last = 3, .width = 70, .explain = true, .colour = true },
		  "\033[2m2026-11-21  \033[m  \033[36mone\033[m\n"
		  "\033[2m            \033[m  \033[36m|\033[m   \033[33mthree\033[m\n"
		  "\033[2m            \033[m  \033[36m|   \033[33m|\033[m   \033[32mtwo\033[m\n"
		  "\033[2m10:00:00.200\033[m  \033[36m|   \033[33m#   \033[32m|\033[m  \033[33mthree\033[m  "
		  "\033[31mfails\033[m\n"
		  "\033[2m            \033[m  \033[36m.   \033[33m.   \033[32m.\033[m  \033[2m59.8 s\033[m\n"
		  "\033[2m10:01:00.000\033[m  \033[36m*---x   \033[32m|\033[m  \033[36mone\033[m    "
		  "\033[1;31m[late] \033[m\033[2m(message ids before three, 0...\033[m\n"
		  "\033[2m10:01:00.001\033[m  \033[36m+---\033[33m|\033[36m-->\033[32m*\033[m  \033[32mtwo\033[m    "
		  "\033[2m(message ids after one, 0 us) \033[mis back\n" },
	};

	for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		struct model *t = model_new(&rules);
		struct graph *g = graph_new(&graphs[i].style, t);

		emitters(t);
		tell(g, NULL, NULL, &b);
		graph_flush(g, &b);
		same("graph", b.s, graphs[i].want);
		graph_free(g);
		model_free(t);
	}
}

static void
test_svg(void)
{
	static const struct rules rules;

	for (size_t last = 0; last < 4; last++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		struct model *t = model_new(&rules);
		struct svg *s = svg_new(&(struct svg_style){ last }, t);
		const char *bad;

		emitters(t);
		for (int i = 0; i < (last ? 1 : 1000); i++)
			tell(NULL, s, NULL, NULL);
		assert(svg_format(s, &b) == (last ? 0 : 1000));
		assert(!strstr(b.s, "Cut: ") == (last > 0));
		bad = xml_check(b.s, b.len);
		if (bad) {
			printf("svg: not well-formed: %.80s\n", bad);
			failed = 1;
		}
		svg_free(s);
		model_free(t);
	}
}

static void
check_page(const struct buf *b)
{
	const char *bad = page_check(b->s, b->len);

	if (bad) {
		printf("html: not well-formed: %.80s\n", bad);
		failed = 1;
	}
}

/* The records of a page, which it keeps in a ring that grows; and those that it lacks. */
static void
test_html(void)
{
	static const struct rules rules;
	static const size_t lasts[] = { 0, 1, 3, 5, 1000, 1024, 1500, 5999, 6000, 6001 };
	const size_t n = sizeof story / sizeof *story;

	for (size_t i = 0; i < sizeof lasts / sizeof *lasts; i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		struct model *t = model_new(&rules);
		struct html *h = html_new(&(struct html_style){ lasts[i] }, t);
		size_t rows = 0, want = lasts[i] && lasts[i] < 1000 * n ? lasts[i] : 1000 * n;

		emitters(t);
		for (int k = 0; k < 1000; k++)
			tell(NULL, NULL, h, NULL);
		assert(html_format(h, &b) == 0);
		for (const char *p = strstr(b.s, "\"records\":["); (p = strstr(p, "\n[")); p++)
			rows++;
		assert(rows == want);
		check_page(&b);
		html_free(h);
		model_free(t);
	}
}

/* Bytes of all kinds as a record and as a name: the page stays a page. */
static void
test_html_bytes(void)
{
	static const struct rules rules;
	static const char *const texts[] = { "", "</script>", "<!--<script>", "\\\"<", "\xff<\x80", "\xed\xa0\x80", "\xe2\x80\xa8\xe2\x80\xae",
	    "\xf4\x8f\xbf\xbf", "\x01\x1f\x7f", "\xc2" };
	struct model *t = model_new(&rules);
	struct html *h = html_new(&(struct html_style){ 0 }, t);
	_cleanup_buf_ struct buf b = BUF_INIT;
	char zeros[HTML_RAW + 3] = { 0 };
	struct event e = { .serial = 0 };

	t->emitters = xcalloc(1, sizeof *t->emitters);
	t->n_emitters = 1;
	t->emitters->name = xstrdup("</script>\xff");
	memset(zeros + HTML_RAW - 1, 0xc3, 1);
	memset(zeros + HTML_RAW, 0xa9, 1);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		for (int64_t k = -1; k < 2; k++) {
			struct arrow a = { .from = 0, .rule = "<", .id = { texts[i], strlen(texts[i]) } };

			e = (struct event){ .serial = e.serial + 1, .t = k < 0 ? INT64_MIN : k ? INT64_MAX : 0, .mark = texts[i],
			    .level = -1, .raw = a.id, .text = k ? a.id : (struct span){ "elsewhere", 9 }, .arrows = &a, .n_constraints = 1 };
			html_event(h, &e);
		}
	/* A character that the limit would cut in two. */
	e = (struct event){ .serial = e.serial + 1, .level = 8, .raw = { zeros, sizeof zeros }, .text = { zeros + 5, sizeof zeros - 5 } };
	html_event(h, &e);
	assert(html_format(h, &b) == 0);
	check_page(&b);
	assert(strstr(b.s, "\"\\u003c/script>\\\\xff\""));
	html_free(h);
	model_free(t);
}

int
main(void)
{
	assert(!xml_check("<a b=\"c\"><d/>x&amp;</a>\n", 24));
	assert(xml_check("<a><b></a></b>", 14) && xml_check("<a>&x;</a>", 10) && xml_check("<a>\1</a>", 8));
	test_labels();
	test_graph();
	test_svg();
	test_html();
	test_html_bytes();
	return failed;
}
