/* When a step may be tried again, and what is remembered of it. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "deploy/attempts.h"

static const struct attempts_policy policy = { .max = 3, .delays_ms = { 60000, 600000 }, .n_delays = 2 };
static const struct attempts_policy at_once = { .max = 3, .delays_ms = { 0 }, .n_delays = 1 };

static struct attempts *
open_with(const struct attempts_policy *p, const char *workflow)
{
	struct attempts *a = NULL;
	struct fail f;

	assert(attempts_open(".", p, &a, &f) == 0);
	attempts_set_workflow(a, workflow);
	return a;
}

static struct json
component(const char *text)
{
	struct json v;
	struct fail f;

	assert(json_parse(NULL, text, strlen(text), &v, &f) == 0);
	return v;
}

static enum attempts_answer
check(struct attempts *a, const char *text, int64_t *done, int64_t *wait_ms)
{
	_cleanup_json_ struct json c = text ? component(text) : JSON_ABSENT;

	return attempts_check(a, "step_0.0", c, done, wait_ms);
}

static void
try_it(struct attempts *a, const char *text)
{
	_cleanup_json_ struct json c = text ? component(text) : JSON_ABSENT;
	struct fail f;

	assert(attempts_begin(a, "step_0.0", c, &f) == 0);
}

static void
succeed(struct attempts *a, const char *text)
{
	_cleanup_json_ struct json c = component(text);

	attempts_succeed(a, "step_0.0", c);
}

#define OLD "{\"id\":\"a\",\"version\":\"1.0\"}"

static void
are_counted_and_delayed(void)
{
	struct attempts *a = open_with(&policy, "w1");
	int64_t done, wait_ms;

	assert(check(a, OLD, &done, &wait_ms) == ATTEMPTS_DUE && done == 0);
	try_it(a, OLD);
	assert(check(a, OLD, &done, &wait_ms) == ATTEMPTS_HELD && done == 1);
	assert(wait_ms > 50000 && wait_ms <= 60000);
	/* another component, and another step, are their own */
	assert(check(a, "{\"id\":\"b\",\"version\":\"1.0\"}", &done, &wait_ms) == ATTEMPTS_DUE);
	assert(check(a, NULL, &done, &wait_ms) == ATTEMPTS_DUE);
	attempts_close(a);
	/* they outlive the process */
	a = open_with(&policy, "w1");
	assert(check(a, OLD, &done, &wait_ms) == ATTEMPTS_HELD && done == 1);
	try_it(a, OLD);
	assert(check(a, OLD, &done, &wait_ms) == ATTEMPTS_HELD && done == 2 && wait_ms > 500000);
	try_it(a, OLD);
	assert(check(a, OLD, &done, &wait_ms) == ATTEMPTS_EXHAUSTED && done == 3);
	/* another workflow has none, and a reset leaves none */
	attempts_set_workflow(a, "w2");
	assert(check(a, OLD, &done, &wait_ms) == ATTEMPTS_DUE);
	try_it(a, OLD);
	attempts_reset(a);
	assert(check(a, OLD, &done, &wait_ms) == ATTEMPTS_DUE);
	attempts_close(a);
	a = open_with(&policy, "w2");
	assert(check(a, OLD, &done, &wait_ms) == ATTEMPTS_DUE);
	attempts_close(a);
}

static void
another_identity_counts_anew(void)
{
	struct attempts *a = open_with(&policy, "w3");
	int64_t done, wait_ms;

	try_it(a, OLD);
	assert(check(a, "{\"id\":\"a\",\"version\":\"1.1\"}", &done, &wait_ms) == ATTEMPTS_DUE);
	assert(check(a, "{\"id\":\"a\",\"version\":\"1.0\",\"serial\":\"7\"}", &done, &wait_ms) == ATTEMPTS_DUE);
	assert(check(a, "{\"id\":\"a\",\"version\":\"1.0\",\"properties\":{\"serial\":\"7\"}}", &done, &wait_ms) ==
	    ATTEMPTS_DUE);
	assert(check(a, "{\"id\":\"a\",\"version\":\"1.0\",\"properties\":{\"path\":\"/x\"}}", &done, &wait_ms) ==
	    ATTEMPTS_HELD);
	attempts_close(a);
	/* not without end: versions that are made up, or two that alternate */
	a = open_with(&at_once, "w4");
	for (int i = 0; i < 100; i++) {
		_cleanup_free_ char *text = xasprintf("{\"id\":\"a\",\"version\":\"%d\"}", i);

		if (check(a, text, &done, &wait_ms) == ATTEMPTS_EXHAUSTED) {
			assert(i <= ATTEMPTS_RESETS + 3);
			break;
		}
		assert(i < 99);
		try_it(a, text);
	}
	attempts_close(a);
}

static void
a_success_counts_for_a_while(void)
{
	struct attempts *a = open_with(&policy, "w5");
	int64_t done, wait_ms;

	try_it(a, OLD);
	succeed(a, OLD);
	/* it fell back: once more at once, then as after a failure */
	assert(check(a, OLD, &done, &wait_ms) == ATTEMPTS_DUE && done == 1);
	try_it(a, OLD);
	succeed(a, OLD);
	assert(check(a, OLD, &done, &wait_ms) == ATTEMPTS_HELD && done == 2);
	attempts_close(a);
	a = open_with(&policy, "w5");
	assert(check(a, OLD, &done, &wait_ms) == ATTEMPTS_HELD && done == 2);
	attempts_close(a);
}

/* LINE is what attempts.jsonl holds: is its attempt held? */
static void
with_record(const char *boot, int64_t wall_ms, bool is_held, int64_t least, int64_t most)
{
	_cleanup_free_ char *line = xasprintf("{\"workflow\":\"w6\",\"step\":\"step_0.0\",\"component\":\"a\","
	    "\"identity\":\"[null,null,null,null,null,\\\"1.0\\\",null]\",\"wall_ms\":%lld,\"boot\":\"%s\","
	    "\"boot_ms\":0}\n{\"torn", (long long)wall_ms, boot);
	struct attempts *a;
	int64_t done, wait_ms;

	assert(file_replace("attempts.jsonl", line, strlen(line), 0640, 0) == 0);
	a = open_with(&policy, "w6");
	assert((check(a, OLD, &done, &wait_ms) == ATTEMPTS_HELD) == is_held && done == 1);
	if (is_held)
		assert(wait_ms >= least && wait_ms <= most);
	attempts_close(a);
}

/* After a reboot the wall clock counts: set back or forward, it holds for one delay at most. */
static void
clocks_may_be_set(void)
{
	const int64_t now = clock_wall_ms();

	with_record("another", now - 30000, true, 25000, 30000);
	with_record("another", now - 61000, false, 0, 0);
	with_record("another", now + INT64_C(1000000000), true, 60000, 60000);
	with_record("another", 0, false, 0, 0);
}

int
main(void)
{
	_cleanup_free_ char *dir = xasprintf("%s/rejoin-attempts.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");

	assert(mkdtemp(dir) && chdir(dir) == 0);
	are_counted_and_delayed();
	another_identity_counts_anew();
	a_success_counts_for_a_while();
	clocks_may_be_set();
	assert(chdir("/") == 0);
	return file_remove_tree(dir) < 0;
}
