#include "hub/connection.h"

static void
state_enter(struct connection *c, enum connection_state s, int64_t now, int64_t lasts_ms)
{
	c->state = s;
	c->since_ms = now;
	c->due_ms = lasts_ms < 0 ? INT64_MAX : now + lasts_ms;
	c->entered++;
}

void
connection_init(struct connection *c, uint32_t (*random)(void))
{
	*c = (struct connection){ .due_ms = INT64_MAX, .accepted_ms = -1, .random = random };
}

void
connection_start(struct connection *c, int64_t now)
{
	state_enter(c, CONNECTION_RESOLVING, now, CONNECTION_STEP_MS);
}

void
connection_advance(struct connection *c, int64_t now)
{
	switch (c->state) {
	case CONNECTION_RESOLVING:
	case CONNECTION_CONNECTING:
		state_enter(c, c->state + 1, now, CONNECTION_STEP_MS);
		return;
	case CONNECTION_CONNACK:
		c->accepted_ms = now;
		state_enter(c, CONNECTION_SUBSCRIBING, now, CONNECTION_STEP_MS);
		return;
	case CONNECTION_SUBSCRIBING:
		c->fetches = 1;
		state_enter(c, CONNECTION_FETCHING, now, CONNECTION_FETCH_MS);
		return;
	case CONNECTION_FETCHING:
		state_enter(c, CONNECTION_SYNCED, now, CONNECTION_STABLE_MS);
		return;
	case CONNECTION_OFF:
	case CONNECTION_SYNCED:
	case CONNECTION_DRAINING:
	case CONNECTION_BACKOFF:
		return;
	}
}

/* Uniform from 0 to the bound of the present failure. */
static int64_t
backoff_ms(const struct connection *c)
{
	int64_t bound = CONNECTION_FIRST_MS;

	for (unsigned int n = 1; n < c->failures && bound < CONNECTION_MAX_MS; n++)
		bound *= 2;
	return (int64_t)((uint64_t)c->random() % (uint64_t)(bound + 1));
}

void
connection_fail(struct connection *c, enum connection_cause cause, int64_t now)
{
	if (c->state == CONNECTION_OFF || c->state == CONNECTION_BACKOFF)
		return;
	if (c->state == CONNECTION_DRAINING) {
		state_enter(c, CONNECTION_OFF, now, -1);
		return;
	}
	if (c->state == CONNECTION_SYNCED && now - c->since_ms >= CONNECTION_STABLE_MS)
		c->failures = 0;
	c->failures++;
	if (c->accepted_ms >= 0 && now - c->accepted_ms < CONNECTION_SHORT_MS)
		c->short_losses++;
	else
		c->short_losses = 0;
	c->accepted_ms = -1;
	if (cause == CONNECTION_LOST && c->short_losses >= CONNECTION_SHORT_TIMES)
		cause = CONNECTION_TAKEN_OVER;
	c->cause = cause;
	if (cause == CONNECTION_TAKEN_OVER)
		c->short_losses = 0;
	state_enter(c, CONNECTION_BACKOFF, now, cause == CONNECTION_LOST ? backoff_ms(c) : CONNECTION_MAX_MS);
}

void
connection_stop(struct connection *c, int64_t now)
{
	if (c->state == CONNECTION_SYNCED)
		state_enter(c, CONNECTION_DRAINING, now, CONNECTION_DRAIN_MS);
	else if (c->state != CONNECTION_DRAINING && c->state != CONNECTION_OFF)
		state_enter(c, CONNECTION_OFF, now, -1);
}

void
connection_drained(struct connection *c, int64_t now)
{
	if (c->state == CONNECTION_DRAINING)
		state_enter(c, CONNECTION_OFF, now, -1);
}

void
connection_step(struct connection *c, int64_t now)
{
	if (now < c->due_ms)
		return;
	switch (c->state) {
	case CONNECTION_OFF:
		return;
	case CONNECTION_RESOLVING:
	case CONNECTION_CONNECTING:
	case CONNECTION_CONNACK:
	case CONNECTION_SUBSCRIBING:
		connection_fail(c, CONNECTION_LOST, now);
		return;
	case CONNECTION_FETCHING:
		c->fetches++;
		state_enter(c, CONNECTION_FETCHING, now, CONNECTION_FETCH_MS);
		return;
	case CONNECTION_SYNCED:
		c->failures = c->short_losses = 0;
		c->due_ms = INT64_MAX;
		return;
	case CONNECTION_DRAINING:
		state_enter(c, CONNECTION_OFF, now, -1);
		return;
	case CONNECTION_BACKOFF:
		connection_start(c, now);
		return;
	}
}

bool
connection_is_up(const struct connection *c)
{
	return c->state >= CONNECTION_FETCHING && c->state <= CONNECTION_DRAINING;
}

const char *
connection_state_name(enum connection_state s)
{
	static const char *const names[] = { "off", "resolving", "connecting", "connack", "subscribing", "fetching",
		"synced", "draining", "backoff" };

	return names[s];
}
