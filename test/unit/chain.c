#include <assert.h>
#include <string.h>

#include "hub/chain.h"

static enum chain_verdict
judged(const struct chain *c, const char *text, int64_t *id)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct fail f;

	assert(json_parse(NULL, text, strlen(text), &v, &f) == 0);
	return chain_judge(c, v, id);
}

int
main(void)
{
	struct chain c = CHAIN_INIT;
	int64_t id;

	/* a collector without a past begins where the device's acknowledged records end */
	assert(chain_acknowledgement(&c) == 0);
	assert(judged(&c, "{\"id\":7,\"prev\":5,\"acked\":3}", &id) == CHAIN_GAP);
	assert(judged(&c, "{\"id\":7,\"prev\":5,\"acked\":5}", &id) == CHAIN_NEW && id == 7);
	chain_hold(&c, 7);
	assert(chain_acknowledgement(&c) == 7);
	/* in order, once */
	assert(judged(&c, "{\"id\":7,\"prev\":5,\"acked\":5}", &id) == CHAIN_DUPLICATE);
	assert(judged(&c, "{\"id\":6,\"prev\":5,\"acked\":5}", &id) == CHAIN_DUPLICATE);
	assert(judged(&c, "{\"id\":12,\"prev\":9,\"acked\":5}", &id) == CHAIN_GAP);
	assert(judged(&c, "{\"id\":9,\"prev\":7,\"acked\":5}", &id) == CHAIN_NEW);
	chain_hold(&c, 9);
	assert(judged(&c, "{\"id\":12,\"prev\":9,\"acked\":5}", &id) == CHAIN_NEW);
	/* a range that was dropped, and one of which we hold a part */
	assert(judged(&c, "{\"id\":20,\"prev\":9,\"acked\":9,\"dropped\":4}", &id) == CHAIN_NEW && id == 20);
	assert(judged(&c, "{\"id\":20,\"prev\":7,\"acked\":7,\"dropped\":4}", &id) == CHAIN_NEW);
	assert(judged(&c, "{\"id\":20,\"prev\":11,\"acked\":7,\"dropped\":4}", &id) == CHAIN_GAP);
	chain_hold(&c, 5);	/* never back */
	assert(chain_acknowledgement(&c) == 9);
	assert(judged(&c, "{}", &id) == CHAIN_WRONG);
	assert(judged(&c, "{\"id\":9,\"prev\":9}", &id) == CHAIN_WRONG);
	assert(judged(&c, "{\"id\":-9,\"prev\":-10}", &id) == CHAIN_WRONG);
	return 0;
}
