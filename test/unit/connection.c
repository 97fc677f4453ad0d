#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "hub/connection.h"

static uint32_t next_random;

static uint32_t
scripted(void)
{
	return next_random;
}

static uint32_t
seeded(void)
{
	return (uint32_t)random();
}

static struct connection
at_state(enum connection_state s, int64_t now)
{
	struct connection c;

	connection_init(&c, scripted);
	assert(c.state == CONNECTION_OFF && !connection_is_up(&c));
	connection_start(&c, now);
	while (c.state != s)
		connection_advance(&c, now);
	return c;
}

static void
advances_through_every_state(void)
{
	static const enum connection_state order[] = { CONNECTION_RESOLVING, CONNECTION_CONNECTING, CONNECTION_CONNACK,
		CONNECTION_SUBSCRIBING, CONNECTION_FETCHING, CONNECTION_SYNCED };
	struct connection c;
	unsigned int entered;

	connection_init(&c, scripted);
	connection_step(&c, INT64_MAX - 1);
	assert(c.state == CONNECTION_OFF);
	connection_start(&c, 0);
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		assert(c.state == order[i]);
		assert(connection_is_up(&c) == (order[i] >= CONNECTION_FETCHING));
		entered = c.entered;
		connection_advance(&c, 10);
		assert(order[i] == CONNECTION_SYNCED || c.entered == entered + 1);
	}
	assert(c.state == CONNECTION_SYNCED);
	connection_advance(&c, 20);	/* there is none after it */
	assert(c.state == CONNECTION_SYNCED);
}

static void
each_step_has_a_deadline(void)
{
	for (enum connection_state s = CONNECTION_RESOLVING; s <= CONNECTION_SUBSCRIBING; s++) {
		struct connection c = at_state(s, 1000);

		assert(c.due_ms == 1000 + CONNECTION_STEP_MS);
		connection_step(&c, c.due_ms - 1);
		assert(c.state == s);
		connection_step(&c, c.due_ms);
		assert(c.state == CONNECTION_BACKOFF && c.cause == CONNECTION_LOST && c.failures == 1);
	}
}

/* The hub behind the broker may be down for long: what is sent does not wait for it. */
static void
repeats_the_request_for_the_goal(void)
{
	struct connection c = at_state(CONNECTION_FETCHING, 0);
	unsigned int entered = c.entered;

	for (int i = 1; i < 100; i++) {
		connection_step(&c, i * 5000 - 1);
		assert(c.entered == entered + (unsigned int)i - 1);
		connection_step(&c, i * 5000);
		assert(c.state == CONNECTION_FETCHING && c.entered == entered + (unsigned int)i && connection_is_up(&c));
	}
	assert(c.fetches == 100);
}

static void
backs_off_with_full_jitter(void)
{
	struct connection c = at_state(CONNECTION_CONNECTING, 0);
	int64_t now = 0, bound = 1000;

	/* the largest value of each bound: 1, 2, 4, ... 64 s */
	for (int i = 1; i < 12; i++) {
		next_random = (uint32_t)bound;
		connection_fail(&c, CONNECTION_LOST, now);
		assert(c.state == CONNECTION_BACKOFF && c.due_ms == now + bound);
		next_random = (uint32_t)bound + 1;	/* wraps to 0 */
		now = c.due_ms;
		connection_step(&c, now - 1);
		assert(c.state == CONNECTION_BACKOFF);
		connection_step(&c, now);
		assert(c.state == CONNECTION_RESOLVING && (int)c.failures == i);
		if (bound < 64000)
			bound *= 2;
	}
	next_random = 0;
	connection_fail(&c, CONNECTION_LOST, now);
	assert(c.due_ms == now);
}

/* 100,000 devices that lose one broker do not come back together. */
static void
spreads_a_fleet(void)
{
	int64_t sum = 0, late = 0;

	srandom(1);
	for (int i = 0; i < 100000; i++) {
		struct connection c = at_state(CONNECTION_CONNECTING, 0);

		c.random = seeded;
		c.failures = 9;
		connection_fail(&c, CONNECTION_LOST, 0);
		assert(c.due_ms >= 0 && c.due_ms <= 64000);
		sum += c.due_ms;
		late += c.due_ms > 32000;
	}
	assert(sum / 100000 > 31500 && sum / 100000 < 32500);
	assert(late > 49000 && late < 51000);
}

static void
failures_are_forgotten_after_30_s(void)
{
	struct connection c = at_state(CONNECTION_SYNCED, 0);

	c.failures = 5;
	next_random = 0;
	connection_step(&c, 29999);
	assert(c.failures == 5);
	connection_fail(&c, CONNECTION_LOST, 29999);
	assert(c.failures == 6);
	c = at_state(CONNECTION_SYNCED, 0);
	c.failures = 5;
	connection_step(&c, 30000);
	assert(c.failures == 0 && c.due_ms == INT64_MAX && c.state == CONNECTION_SYNCED);
	c = at_state(CONNECTION_SYNCED, 0);
	c.failures = 5;
	connection_fail(&c, CONNECTION_LOST, 30001);	/* before the step was called */
	assert(c.failures == 1);
}

static void
a_refusal_waits_long(void)
{
	struct connection c = at_state(CONNECTION_CONNACK, 0);

	next_random = 0;
	connection_fail(&c, CONNECTION_DENIED, 5);
	assert(c.state == CONNECTION_BACKOFF && c.due_ms == 64005 && c.cause == CONNECTION_DENIED);
	connection_fail(&c, CONNECTION_LOST, 6);	/* one failure is one */
	assert(c.failures == 1 && c.cause == CONNECTION_DENIED);
	c = at_state(CONNECTION_SYNCED, 0);
	connection_fail(&c, CONNECTION_TAKEN_OVER, 5);
	assert(c.due_ms == 64005 && c.cause == CONNECTION_TAKEN_OVER);
}

/* MQTT 3.1.1 does not say why: three sessions that were short. */
static void
two_clients_with_one_id(void)
{
	struct connection c;
	int64_t now = 0;

	next_random = 0;
	connection_init(&c, scripted);
	connection_start(&c, 0);
	for (int i = 1; i <= 3; i++) {
		while (c.state != CONNECTION_SYNCED)
			connection_advance(&c, now);
		now += 9999;
		connection_fail(&c, CONNECTION_LOST, now);
		assert(c.cause == (i == 3 ? CONNECTION_TAKEN_OVER : CONNECTION_LOST));
		if (i < 3)
			connection_step(&c, now);
	}
	assert(c.due_ms == now + 64000);
	/* a long session in between is no sign of one */
	c = at_state(CONNECTION_SYNCED, 0);
	c.short_losses = 2;
	connection_fail(&c, CONNECTION_LOST, 10000);
	assert(c.cause == CONNECTION_LOST && c.short_losses == 0);
	/* and a broker that is not reachable is none either */
	c = at_state(CONNECTION_CONNECTING, 0);
	for (int i = 0; i < 5; i++) {
		connection_fail(&c, CONNECTION_LOST, i);
		assert(c.cause == CONNECTION_LOST);
		connection_step(&c, i);
	}
}

static void
stops_in_every_state(void)
{
	for (enum connection_state s = CONNECTION_RESOLVING; s <= CONNECTION_SYNCED; s++) {
		struct connection c = at_state(s, 0);

		connection_stop(&c, 7);
		assert(c.state == (s == CONNECTION_SYNCED ? CONNECTION_DRAINING : CONNECTION_OFF));
		connection_stop(&c, 8);
		connection_step(&c, 5006);
		assert(c.state == (s == CONNECTION_SYNCED ? CONNECTION_DRAINING : CONNECTION_OFF));
		connection_step(&c, 5007);
		assert(c.state == CONNECTION_OFF);
	}
	for (int how = 0; how < 2; how++) {
		struct connection c = at_state(CONNECTION_SYNCED, 0);

		connection_stop(&c, 0);
		if (how)
			connection_drained(&c, 1);
		else
			connection_fail(&c, CONNECTION_LOST, 1);
		assert(c.state == CONNECTION_OFF && c.due_ms == INT64_MAX);
		connection_fail(&c, CONNECTION_LOST, 2);
		assert(c.state == CONNECTION_OFF);
	}
	for (enum connection_state s = CONNECTION_OFF; s <= CONNECTION_BACKOFF; s++)
		assert(strlen(connection_state_name(s)) > 2);
}

int
main(void)
{
	advances_through_every_state();
	each_step_has_a_deadline();
	repeats_the_request_for_the_goal();
	backs_off_with_full_jitter();
	spreads_a_fleet();
	failures_are_forgotten_after_30_s();
	a_refusal_waits_long();
	two_clients_with_one_id();
	stops_in_every_state();
	return 0;
}
