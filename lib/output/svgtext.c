#include <string.h>
#include <time.h>

#include "output/label.h"
#include "output/svgtext.h"

static void
escape(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '&')
			buf_puts(out, "&amp;");
		else if (*s == '<')
			buf_puts(out, "&lt;");
		else if (*s == '>')
			buf_puts(out, "&gt;");
		else if (*s == '"')
			buf_puts(out, "&quot;");
		else
			buf_putc(out, *s);
	}
}

void
svgtext_add(struct buf *out, const char *p, size_t n, unsigned most)
{
	_cleanup_buf_ struct buf text = BUF_INIT;

	label_add(&text, p, n, most, "…");
	escape(out, text.s);
}

void
svgtext_add_name(struct buf *out, const char *name, unsigned most)
{
	_cleanup_buf_ struct buf text = BUF_INIT;

	label_add_middle(&text, name, strlen(name), most, "…");
	escape(out, text.s);
}

void
svgtext_add_lines(struct buf *out, struct span text)
{
	while (text.n) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t n = nl ? (size_t)(nl - text.p) : text.n;

		svgtext_add(out, text.p, n, 0);
		if (nl)
			buf_putc(out, '\n');
		text.p += n + (nl != NULL);
		text.n -= n + (nl != NULL);
	}
}

void
svgtext_add_time(struct buf *out, int64_t ns, bool with_day, unsigned digits)
{
	int64_t whole = ns / 1000000000 - (ns % 1000000000 < 0), part = ns - whole * 1000000000;
	time_t s = whole;
	char text[64];
	struct tm tm;

	if (!gmtime_r(&s, &tm))
		return;
	if (with_day && strftime(text, sizeof text, "%Y-%m-%d  ", &tm))
		buf_puts(out, text);
	if (strftime(text, sizeof text, "%H:%M:%S", &tm))
		buf_puts(out, text);
	if (digits)
		buf_printf(out, ".%0*d", (int)digits, (int)(digits == 3 ? part / 1000000 : part / 1000));
}

int64_t
svgtext_day(int64_t ns)
{
	int64_t s = ns / 1000000000 - (ns % 1000000000 < 0);

	return s / 86400 - (s % 86400 < 0);
}
