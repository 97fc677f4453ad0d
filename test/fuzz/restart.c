#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/systemd.h"
#include "restart/last.h"
#include "restart/limit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What a service manager says, and the small files that a restart reads. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct limit_clock now = { "b", 3600000, 1700000000000 };
	const char *text = (const char *)data;
	struct systemd_unit u;
	struct restart_last r;
	int64_t credit = limit_credit(text, n, &now, 600000);

	if (credit < -1 || credit > 600000)
		abort();
	systemd_parse(text, n, &u);
	if (u.pid < 0 || u.restarts < 0 || strchr(u.invocation, '\n'))
		abort();
	(void)restart_last_parse(text, n, &r);
	if (r.status > EXIT_DENIED || strchr(r.text, '\n'))
		abort();
	return 0;
}
