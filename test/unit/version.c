#include <stdio.h>

#include "component/version.h"

/* each is older than the next */
static const char *const rising[] = {
	"~", "", "0.9", "1.0~beta1", "1.0~rc1", "1.0", "1.0a", "1.0b", "1.0-1", "1.0.1", "1.2", "1.9",
	"1.10", "1.10.20260101", "2", "10", "99999999999999999999", "100000000000000000000",
	"v1", "v1.1", "v2",
};

static const char *const same[][2] = {
	{ "", "" }, { "1.0", "1.0" }, { "1.0", "1.00" }, { "01", "1" }, { "a001", "a1" },
	{ "0", "" },
};

static int
sign(int n)
{
	return (n > 0) - (n < 0);
}

static int
check(const char *a, const char *b, int want)
{
	if (sign(version_compare(a, b)) == want)
		return 0;
	printf("version: '%s' against '%s': got %d, want %d\n", a, b, version_compare(a, b), want);
	return 1;
}

int
main(void)
{
	int bad = 0;

	for (size_t i = 0; i < sizeof rising / sizeof *rising; i++)
		for (size_t j = 0; j < sizeof rising / sizeof *rising; j++)
			bad |= check(rising[i], rising[j], sign((int)i - (int)j));
	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		bad |= check(same[i][0], same[i][1], 0);
	return bad;
}
