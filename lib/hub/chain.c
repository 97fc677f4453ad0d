#include "hub/chain.h"

static bool
record_number(struct json record, const char *name, int64_t *n)
{
	_cleanup_json_ struct json v = json_get(record, name);

	return json_get_whole(v, n) && *n >= 0;
}

enum chain_verdict
chain_judge(const struct chain *c, struct json record, int64_t *id)
{
	_cleanup_json_ struct json dropped = json_get(record, "dropped");
	int64_t prev, acked;

	if (!record_number(record, "id", id) || !record_number(record, "prev", &prev) || *id <= prev)
		return CHAIN_WRONG;
	if (c->held < 0)
		return record_number(record, "acked", &acked) && prev == acked ? CHAIN_NEW : CHAIN_GAP;
	if (*id <= c->held)
		return CHAIN_DUPLICATE;
	/* a range of which a part came before it was dropped begins behind the device's acked */
	if (prev == c->held || (prev < c->held && json_kind(dropped) == JSON_NUMBER))
		return CHAIN_NEW;
	return CHAIN_GAP;
}

void
chain_hold(struct chain *c, int64_t id)
{
	if (id > c->held)
		c->held = id;
}

int64_t
chain_acknowledgement(const struct chain *c)
{
	return c->held < 0 ? 0 : c->held;
}
