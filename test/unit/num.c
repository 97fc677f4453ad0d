#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#include "base/num.h"

static const struct {
	const char *text;
	int r;
	int64_t value;
} numbers[] = {		/* from -9 to 99 */
	{ "0", 0, 0 }, { "99", 0, 99 }, { "-9", 0, -9 }, { "007", 0, 7 },
	{ "100", -ERANGE, 0 }, { "-10", -ERANGE, 0 }, { "99999999999999999999", -ERANGE, 0 },
	{ "", -EINVAL, 0 }, { "-", -EINVAL, 0 }, { "+1", -EINVAL, 0 }, { " 1", -EINVAL, 0 },
	{ "1 ", -EINVAL, 0 }, { "0x1", -EINVAL, 0 }, { "1.0", -EINVAL, 0 }, { "--1", -EINVAL, 0 },
}, durations[] = {
	{ "250ms", 0, 250 }, { "5s", 0, 5000 }, { "2m", 0, 120000 }, { "1h", 0, 3600000 },
	{ "1d", 0, 86400000 }, { "0s", 0, 0 },
	{ "", -EINVAL, 0 }, { "5", -EINVAL, 0 }, { "s", -EINVAL, 0 }, { "5 s", -EINVAL, 0 },
	{ "+5s", -EINVAL, 0 }, { "5sx", -EINVAL, 0 }, { "5S", -EINVAL, 0 }, { "1.5s", -EINVAL, 0 },
	{ "-5s", -ERANGE, 0 }, { "9223372036854775807h", -ERANGE, 0 },
	{ "9223372036854775808ms", -ERANGE, 0 },
}, sizes[] = {
	{ "512", 0, 512 }, { "64K", 0, 65536 }, { "16M", 0, 16 << 20 }, { "1G", 0, 1 << 30 },
	{ "", -EINVAL, 0 }, { "64k", -EINVAL, 0 }, { "64KB", -EINVAL, 0 }, { "K", -EINVAL, 0 },
	{ "-1", -ERANGE, 0 }, { "9223372036854775807G", -ERANGE, 0 },
}, bools[] = {
	{ "yes", 0, 1 }, { "true", 0, 1 }, { "1", 0, 1 }, { "on", 0, 1 },
	{ "no", 0, 0 }, { "false", 0, 0 }, { "0", 0, 0 }, { "off", 0, 0 },
	{ "", -EINVAL, 0 }, { "Yes", -EINVAL, 0 }, { "y", -EINVAL, 0 }, { "yes ", -EINVAL, 0 },
};

static int
bad(const char *what, const char *text, int r, int64_t value, int want_r, int64_t want)
{
	if (r == want_r && value == (want_r == 0 ? want : -77))
		return 0;
	printf("num: %s '%s': got %d, %jd; want %d, %jd\n", what, text, r, (intmax_t)value, want_r,
	    (intmax_t)want);
	return 1;
}

static int
parse_bool(const char *s, int64_t *out)
{
	int yes = (int)*out, r = num_parse_bool(s, &yes);

	*out = yes;
	return r;
}

static int
parse_number(const char *s, int64_t *out)
{
	return num_parse(s, -9, 99, out);
}

int
main(void)
{
#define ALL(table, parse)							\
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {		\
		int64_t v = -77;	/* untouched by what fails */		\
		int r = parse(table[i].text, &v);				\
		failed |= bad(#table, table[i].text, r, v, table[i].r, table[i].value);	\
	}
	int failed = 0;

	ALL(numbers, parse_number)
	ALL(durations, num_parse_duration)
	ALL(sizes, num_parse_size)
	ALL(bools, parse_bool)
	return failed;
}
