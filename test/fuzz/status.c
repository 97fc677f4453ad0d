#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/reason.h"
#include "agent/status.h"
#include "agent/status_text.h"
#include "retry/delivery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What is written again reads the same; also the other small texts that an agent's group may write. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct status a, b;
	_cleanup_buf_ struct buf once = BUF_INIT, twice = BUF_INIT;
	char reason[REASON_MAX + 1];
	struct delivery d;

	status_text_parse((const char *)data, n, &a);
	status_text_format(&a, &once);
	status_text_parse(once.s, once.len, &b);
	status_text_format(&b, &twice);
	if (strcmp(once.s, twice.s) != 0)
		abort();
	delivery_parse((const char *)data, n, &d);
	reason_of_line((const char *)data, n, reason);
	if (strlen(reason) > REASON_MAX || strpbrk(reason, "\n\033"))
		abort();
	return 0;
}
