#include <stdint.h>
#include <stdlib.h>

#include "component/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Whatever the file holds: it is refused with a reason, or can be compared. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	_cleanup_json_ struct json v = JSON_ABSENT, none = json_array(), events = JSON_ABSENT;
	_cleanup_json_ struct json empty = json_object(), incarnation = JSON_ABSENT, ids = JSON_ABSENT;
	struct fail f = { 0 };

	if (snapshot_parse("fuzz", (const char *)data, n, &v, &incarnation, &f) < 0) {
		if (f.status != EXIT_TROUBLE)
			abort();
		return 0;
	}
	events = snapshot_events(v, empty, none, JSON_ABSENT, "fuzz", true);
	ids = snapshot_waking_ids(events);
	if (json_count(ids))
		abort();
	return 0;
}
