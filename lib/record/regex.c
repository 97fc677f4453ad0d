#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/xalloc.h"
#include "record/regex.h"

struct regex {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
	int matched;		/* groups of the last match, 0 for none */
	bool shared;		/* CODE is another's */
};

/* Steps of one match: enough for a line, not for a pattern that explodes. */
enum { STEPS_MAX = 1000000 };

static void
make_match_data(struct regex *x)
{
	x->data = pcre2_match_data_create_from_pattern(x->code, NULL);
	x->limits = pcre2_match_context_create(NULL);
	if (!x->data || !x->limits)
		abort();
	pcre2_set_match_limit(x->limits, STEPS_MAX);
}

struct regex *
regex_new(const char *where, const char *pattern, struct fail *f)
{
	struct regex *x = xcalloc(1, sizeof *x);
	unsigned char why[120];
	PCRE2_SIZE at;
	int err;

	x->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_DOLLAR_ENDONLY, &err, &at, NULL);
	if (!x->code) {
		pcre2_get_error_message(err, why, sizeof why);
		fail_set(f, EXIT_USAGE, "%s: not a regular expression: '%s': %s at byte %zu", where, pattern,
		    (char *)why, at);
		free(x);
		return NULL;
	}
	/* Where the JIT is not to be had, the interpreter matches as well. */
	(void)pcre2_jit_compile(x->code, PCRE2_JIT_COMPLETE);
	make_match_data(x);
	return x;
}

struct regex *
regex_share(const struct regex *x)
{
	struct regex *y = xcalloc(1, sizeof *y);

	y->code = x->code;
	y->shared = true;
	make_match_data(y);
	return y;
}

void
regex_free(struct regex *x)
{
	if (x) {
		pcre2_match_context_free(x->limits);
		pcre2_match_data_free(x->data);
		if (!x->shared)
			pcre2_code_free(x->code);
		free(x);
	}
}

bool
regex_match(struct regex *x, const char *p, size_t n)
{
	int r = pcre2_match(x->code, (PCRE2_SPTR)p, n, 0, 0, x->data, x->limits);

	x->matched = r > 0 ? r : 0;
	return r > 0;
}

int
regex_group(const struct regex *x, const char *name)
{
	int i = pcre2_substring_number_from_name(x->code, (PCRE2_SPTR)name);

	return i > 0 ? i : -1;
}

struct span
regex_span(const struct regex *x, int i, const char *p)
{
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(x->data);

	if (i < 0 || i >= x->matched || v[2 * i] == PCRE2_UNSET || v[2 * i + 1] < v[2 * i])
		return (struct span){ NULL, 0 };
	return (struct span){ p + v[2 * i], v[2 * i + 1] - v[2 * i] };
}
