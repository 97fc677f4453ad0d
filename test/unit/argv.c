#include <stdio.h>
#include <string.h>

#include "base/argv.h"
#include "base/buf.h"
#include "base/xalloc.h"

static const struct {
	const char *text;
	const char *words;	/* a "|" after each, or the reason */
} lines[] = {
	{ "", "" }, { "  ", "" }, { "a  b\tc", "a|b|c|" }, { "'a b' c", "a b|c|" },
	{ "\"a \\\" b\"", "a \" b|" }, { "''", "|" }, { "a''b", "ab|" }, { "a'b c'd", "ab cd|" },
	{ "'a\"b' \"a'b\"", "a\"b|a'b|" },
	/* escapes count in both kinds of quotes */
	{ "'a\\tb' \"a\\tb\" a\\tb", "a\tb|a\tb|a\tb|" }, { "'it\\'s'", "it's|" },
	{ "a\\sb", "a b|" }, { "\\a\\b\\f\\n\\r\\v\\\\", "\a\b\f\n\r\v\\|" },
	{ "\\x41\\102\\u00e9\\U0001F600", "AB\xc3\xa9\xf0\x9f\x98\x80|" },
	{ "\\xE9", "\xe9|" },
	/* what is no escape is kept: regular expressions need not be doubled */
	{ "\\d+ \\. \\x4 \\xzz \\18 \\u12", "\\d+|\\.|\\x4|\\xzz|\\18|\\u12|" },
	{ "end\\", "end\\|" }, { "a\\ b", "a\\|b|" },
	/* no shell */
	{ "$HOME `x` * ; #", "$HOME|`x`|*|;|#|" },
	{ "\"open", "a quote is left open" }, { "a 'open", "a quote is left open" },
	{ "\\x00", "an escape stands for no character" }, { "\\000", "an escape stands for no character" },
	{ "\\777", "an escape stands for no character" }, { "\\ud800", "an escape stands for no character" },
	{ "\\U00110000", "an escape stands for no character" },
};

int
main(void)
{
	int bad = 0;

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		const char *why = NULL;
		char **v = argv_split(lines[i].text, &why);

		for (char **w = v; w && *w; w++)
			buf_printf(&b, "%s|", *w);
		if (!v)
			buf_puts(&b, why);
		if (strcmp(b.s, lines[i].words) != 0) {
			printf("argv: '%s': got '%s', want '%s'\n", lines[i].text, b.s, lines[i].words);
			bad = 1;
		}
		xfree_strv(v);
	}
	return bad;
}
