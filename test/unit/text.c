/* UTF-8 and tables. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/table.h"
#include "base/utf8.h"

static int failed;

static void
check_utf8(void)
{
	static const struct { const char *text; size_t len, bad; } t[] = {
		{ "", 0, 0 }, { "a", 1, 1 }, { "a\0b", 3, 3 }, { "\x80", 1, 0 }, { "a\xff", 2, 1 },
		{ "\xc3\xa4", 2, 2 }, { "\xc3", 1, 0 }, { "\xc3(", 2, 0 }, { "\xc0\x80", 2, 0 },
		{ "\xc1\xbf", 2, 0 }, { "\xe0\x80\x80", 3, 0 }, { "\xe0\xa0\x80", 3, 3 },
		{ "\xed\x9f\xbf", 3, 3 }, { "\xed\xa0\x80", 3, 0 }, { "\xef\xbf\xbf", 3, 3 },
		{ "\xe2\x82", 2, 0 }, { "\xf0\x90\x80\x80", 4, 4 }, { "\xf0\x8f\xbf\xbf", 4, 0 },
		{ "\xf4\x8f\xbf\xbf", 4, 4 }, { "\xf4\x90\x80\x80", 4, 0 }, { "\xf5\x80\x80\x80", 4, 0 },
		{ "12345678\xc3\xa4" "12345678\xff", 19, 18 }, { "1234567\xc3", 8, 7 },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		size_t bad = utf8_check(t[i].text, t[i].len);

		if (bad != t[i].bad) {
			printf("utf8: case %zu: bad at %zu, not at %zu\n", i, bad, t[i].bad);
			failed = 1;
		}
	}
}

/* Every sequence of three bytes, against the definition by code points. */
static void
check_all_of_three(void)
{
	for (unsigned int n = 0; n < 1 << 24; n += 1 + (n & 0xff) / 64) {
		const unsigned char b[3] = { (unsigned char)(n >> 16), (unsigned char)(n >> 8),
		    (unsigned char)n };
		unsigned int c = (b[0] & 0xfu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
		int right = b[0] >> 4 == 0xe && b[1] >> 6 == 2 && b[2] >> 6 == 2 && c >= 0x800 &&
		    (c < 0xd800 || c > 0xdfff);

		if (b[0] >> 4 == 0xe && (utf8_check((const char *)b, 3) == 3) != right) {
			printf("utf8: %02x %02x %02x\n", b[0], b[1], b[2]);
			failed = 1;
			return;
		}
	}
}

/* Wide and combining characters are as wide as the terminal shows them; what does not fit loses its middle. */
static void
check_fit(void)
{
	static const struct {
		unsigned columns;
		const char *want;
	} tables[] = {
		{ 0, "\xe4\xb8\xad\xe6\x96\x87              x\ne\xcc\x81                 y\n0123456789abcdef  z\n" },
		{ 14, "\xe4\xb8\xad\xe6\x96\x87         x\ne\xcc\x81            y\n01234~bcdef  z\n" },
		{ 11, "\xe4\xb8\xad\xe6\x96\x87      x\ne\xcc\x81         y\n0123~def  z\n" },
		{ 3, "\xe4\xb8\xad\xe6\x96\x87      x\ne\xcc\x81         y\n0123~def  z\n" },
	};
	static const char *const cells[] = { "\xe4\xb8\xad\xe6\x96\x87", "x", "e\xcc\x81", "y", "0123456789abcdef", "z" };

	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		_cleanup_buf_ struct buf out = BUF_INIT;
		struct table *t = table_new();

		for (size_t k = 0; k < 6; k++) {
			table_cell(t, cells[k]);
			if (k % 2)
				table_end_row(t);
		}
		table_fit(t, tables[i].columns);
		table_format(t, &out);
		if (strcmp(out.s, tables[i].want) != 0) {
			printf("table in %u columns:\n%swant:\n%s", tables[i].columns, out.s, tables[i].want);
			failed = 1;
		}
		table_free(t);
	}
}

static void
check_table(void)
{
	struct table *t = table_new();
	_cleanup_buf_ struct buf out = BUF_INIT;
	static const char want[] =
	    "A   BEE  C\n"
	    "\xc3\xa4\xc3\xa4  x\n"
	    "1        long\n"
	    "\\x1b[2J\\x0a\n";

	table_cell(t, "A"), table_cell(t, "BEE"), table_cell(t, "C"), table_end_row(t);
	table_cell(t, "\xc3\xa4\xc3\xa4"), table_cell(t, "x"), table_end_row(t);
	table_cell(t, "1"), table_cell(t, NULL), table_cell(t, "long"), table_end_row(t);
	table_format(t, &out);
	if (strncmp(out.s, want, out.len) != 0) {
		printf("table:\n%s", out.s);
		failed = 1;
	}
	table_free(t);
	check_fit();
	buf_reset(&out);
	table_escape("\x1b[2J\n\xc2\x9b\xc2\xa0 \x9b\xe4 \xc4\x9b \xe2\x80\xae\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\x8d", &out);
	if (strcmp(out.s, "\\x1b[2J\\x0a\\u009b\xc2\xa0 \\x9b\xe4 \xc4\x9b \\u202e\\u2066\\u2069\xe2\x80\x8d") != 0) {
		printf("table: escaped as %s\n", out.s);
		failed = 1;
	}
}

int
main(void)
{
	check_utf8();
	check_all_of_three();
	check_table();
	return failed;
}
