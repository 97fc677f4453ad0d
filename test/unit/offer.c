/* When a component that an agent waits for may be offered again. */
#include <assert.h>

#include "component/offer.h"

int
main(void)
{
	struct offer_table *o = offer_table_new(60 * 1000);
	struct json waiting = json_object();
	int64_t now = 5000;

	assert(offer_table_delay(o, "a", "1", now) == 0);
	offer_table_note(o, "a", "1", now);
	/* once for an evaluation, however late */
	assert(offer_table_delay(o, "a", "1", now + 1000000) == -1);
	assert(offer_table_delay(o, "b", "1", now) == 0);
	/* after the next ones 10, 20, 40, 60, 60 s later */
	for (int i = 0; i < 5; i++) {
		static const int64_t pause[] = { 10000, 20000, 40000, 60000, 60000 };
		const char evaluation[] = { (char)('2' + i), '\0' };

		assert(offer_table_delay(o, "a", evaluation, now + 1) == pause[i] - 1);
		now += pause[i];
		assert(offer_table_delay(o, "a", evaluation, now) == 0);
		offer_table_note(o, "a", evaluation, now);
	}
	/* a component that is waited for no longer begins anew */
	json_set(&waiting, "a", json_null());
	offer_table_keep(o, waiting);
	assert(offer_table_delay(o, "a", "9", now) == 60000);
	json_remove(&waiting, "a");
	offer_table_keep(o, waiting);
	assert(offer_table_delay(o, "a", "9", now) == 0);
	offer_table_free(o);
	/* a rescan shorter than the first pause does not shorten it */
	o = offer_table_new(0);
	offer_table_note(o, "a", "1", 0);
	offer_table_note(o, "a", "2", 0);
	assert(offer_table_delay(o, "a", "3", 1) == 9999);
	offer_table_free(o);
	json_release(&waiting);
	return 0;
}
