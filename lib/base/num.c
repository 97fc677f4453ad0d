#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/num.h"

struct unit {
	const char *name;
	int64_t factor;
};

/*
 * Digits from S on, with a sign or none, into *N; *END is where they stop.  Not by
 * strtoimax(3), whose table is a page more to touch for a tool that udev runs.
 */
static int
digits_parse(const char *s, int64_t *n, const char **end)
{
	const bool negative = *s == '-';
	int64_t v = 0;

	s += negative;
	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++)
		/* below zero, where INT64_MIN has room */
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *s - '0', &v))
			return -ERANGE;
	if (!negative && v == INT64_MIN)
		return -ERANGE;
	*n = negative ? v : -v;
	*end = s;
	return 0;
}

static int
with_unit(const char *s, const struct unit *units, int64_t *out)
{
	int64_t n;
	const char *end;
	int r = digits_parse(s, &n, &end);

	if (r < 0)
		return r;
	for (; units->name; units++) {
		if (strcmp(end, units->name) != 0)
			continue;
		if (n < 0 || n > INT64_MAX / units->factor)
			return -ERANGE;
		*out = n * units->factor;
		return 0;
	}
	return -EINVAL;
}

int
num_parse(const char *s, int64_t lo, int64_t hi, int64_t *out)
{
	int64_t n;
	const char *end;
	int r = digits_parse(s, &n, &end);

	if (r < 0)
		return r;
	if (*end)
		return -EINVAL;
	if (n < lo || n > hi)
		return -ERANGE;
	*out = n;
	return 0;
}

int
num_parse_duration(const char *s, int64_t *ms)
{
	static const struct unit units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
		{ "d", 86400000 }, { NULL, 0 }
	};

	return with_unit(s, units, ms);
}

int
num_parse_size(const char *s, int64_t *bytes)
{
	static const struct unit units[] = {
		{ "", 1 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { NULL, 0 }
	};

	return with_unit(s, units, bytes);
}

int
num_parse_bool(const char *s, int *yes)
{
	static const char *const words[] = {
		"no", "yes", "false", "true", "0", "1", "off", "on",
	};

	for (int i = 0; i < (int)(sizeof words / sizeof *words); i++)
		if (strcmp(s, words[i]) == 0) {
			*yes = i % 2;
			return 0;
		}
	return -EINVAL;
}
