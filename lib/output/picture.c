#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "output/picture.h"

static void
record(struct render_artist *artist, const struct shown *x, const char *p, size_t n, struct buf *out)
{
	const struct picture *pic = (const struct picture *)artist;
	struct event e;

	model_record(pic->model, x, p, n, &e);
	if (pic->graph)
		graph_event(pic->graph, &e, out);
	if (pic->svg)
		svg_event(pic->svg, &e);
	if (pic->html)
		html_event(pic->html, &e);
	if (pic->shiviz)
		shiviz_event(pic->shiviz, &e, out);
}

static void
flush(struct render_artist *artist, struct buf *out)
{
	const struct picture *pic = (const struct picture *)artist;

	if (pic->graph)
		graph_flush(pic->graph, out);
	if (pic->shiviz)
		shiviz_flush(pic->shiviz, out);
}

struct picture *
picture_new(const struct rules *rules, const struct graph_style *graph, const struct svg_style *svg,
    const struct html_style *html)
{
	struct picture *pic = xcalloc(1, sizeof *pic);

	pic->artist = (struct render_artist){ record, flush };
	pic->model = model_new(rules);
	pic->graph = graph ? graph_new(graph, pic->model) : NULL;
	pic->svg = svg ? svg_new(svg, pic->model) : NULL;
	pic->html = html ? html_new(html, pic->model) : NULL;
	pic->model->all = html != NULL;
	return pic;
}

/* Columns of a row: COLUMNS says so, or the terminal; 0 for any number. */
static unsigned
width(bool tty)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	int64_t n;

	if (columns && num_parse(columns, 20, 10000, &n) == 0)
		return (unsigned)n;
	if (!tty)
		return 0;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
}

/* Does the environment say that text is UTF-8? */
static bool
is_unicode(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *v = getenv(names[i]);

		if (v && *v)
			return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
	}
	return false;
}

struct picture *
picture_begin(const struct picture_wanted *o, const struct rules *rules, struct render_style *s, bool tty)
{
	struct graph_style graph = { .width = width(tty), .ascii = o->ascii || !is_unicode(), .colour = s->colour,
	    .explain = s->explain, .last = s->last };
	struct svg_style svg = { .last = s->last };
	struct html_style html = { .last = s->last };
	struct picture *pic;

	if (!o->graph && !o->svg && !o->html && !o->shiviz)
		return NULL;
	pic = picture_new(rules, o->graph ? &graph : NULL, o->svg ? &svg : NULL, o->html ? &html : NULL);
	pic->shiviz = o->shiviz ? shiviz_new(pic->model, s->last) : NULL;
	s->lines = o->html != NULL;
	s->artist = &pic->artist;
	return pic;
}

void
picture_free(struct picture *pic)
{
	if (!pic)
		return;
	graph_free(pic->graph);
	svg_free(pic->svg);
	html_free(pic->html);
	shiviz_free(pic->shiviz);
	model_free(pic->model);
	free(pic);
}

static int
save(const struct buf *b, const char *path)
{
	return strcmp(path, "-") == 0 ? io_write_all(STDOUT_FILENO, b->s, b->len) : file_write(path, b->s, b->len);
}

int
picture_save_svg(const struct picture *pic, const char *path, uint64_t *lost)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	*lost = svg_format(pic->svg, &b);
	return save(&b, path);
}

int
picture_save_html(const struct picture *pic, const char *path, uint64_t *lost)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	*lost = html_format(pic->html, &b);
	return save(&b, path);
}
