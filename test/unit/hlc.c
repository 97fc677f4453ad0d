#include <assert.h>

#include "base/hlc.h"

int
main(void)
{
	struct hlc h = { 0 };
	int64_t a = hlc_next(&h, 1000), b;

	assert(a == 1000000);
	assert(hlc_next(&h, 1000) == a + 1 && hlc_next(&h, 1000) == a + 2);
	assert(hlc_next(&h, 999) == a + 3);		/* the clock jumped back */
	b = hlc_next(&h, 1001);
	assert(b == 1001000);
	hlc_see(&h, 5000000);				/* another's is ahead */
	assert(hlc_next(&h, 1002) == 5000001);
	hlc_see(&h, 7);
	assert(hlc_next(&h, 1002) == 5000002);
	for (int i = 0; i < 5000; i++) {		/* more than a thousand in one millisecond */
		a = hlc_next(&h, 6000);
		assert(a == 6000000 + i);
	}
	assert(hlc_next(&h, 6001) == 6005000);
	assert(hlc_next_us(&h, 7000123) == 7000123 && hlc_next_us(&h, 7000123) == 7000124);
	return 0;
}
