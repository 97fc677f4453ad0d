#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "supervise/launch.h"
#include "supervise/lease.h"
#include "supervise/outcome.h"
#include "supervise/started.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What is read and written again reads the same. */
static void
launch_twice(const char *text, size_t n)
{
	_cleanup_json_ struct json once = json_object(), twice = json_object();
	_cleanup_buf_ struct buf a = BUF_INIT;
	struct launch l;
	struct fail f;

	if (launch_parse(text, n, &l, &f) == 0) {
		launch_to_json(&l, &once);
		launch_release(&l);
		json_format(once, &a);
		if (launch_parse(a.s, a.len, &l, &f) < 0)
			abort();
		launch_to_json(&l, &twice);
		if (!json_equal(once, twice))
			abort();
	}
	launch_release(&l);
}

static void
records_twice(const char *text, size_t n)
{
	_cleanup_buf_ struct buf a = BUF_INIT, b = BUF_INIT;
	struct started s;
	struct outcome o;

	if (started_parse(text, n, &s) == 0) {
		started_format(&s, &a);
		if (started_parse(a.s, a.len, &s) < 0)
			abort();
		started_format(&s, &b);
	}
	if (outcome_parse(text, n, &o) == 0) {
		outcome_format(&o, &a);
		if (outcome_parse(a.s + b.len, a.len - b.len, &o) < 0)
			abort();
		outcome_format(&o, &b);
	}
	if (strcmp(a.s, b.s) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data;
	char line[LEASE_LINE + 1];
	struct lease l;

	launch_twice(text, n);
	records_twice(text, n);
	if (lease_parse(text, n, &l) == 0) {
		lease_format(&l, line);
		if (memcmp(line, text, LEASE_LINE) != 0)
			abort();
	}
	return 0;
}
