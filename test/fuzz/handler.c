#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/handler.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct handler_result r = { 0 };
	_cleanup_buf_ struct buf details = BUF_INIT;

	if (handler_result_parse((const char *)data, n, &r, &details) == 0 &&
	    (details.len > HANDLER_DETAILS_MAX || (r.code <= 0 && r.erc == 0)))
		abort();
	return 0;
}
