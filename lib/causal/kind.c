#include "causal/kind.h"

#define KIND_ROW(noun)	[KIND_##noun] = &noun##_kind,

const struct kind *const kind_table[KINDS] = { KIND_TABLE(KIND_ROW) };

void
kind_index_init(struct kind_index *x)
{
	*x = (struct kind_index){ .of = { { 0 } } };
	for (unsigned k = 0; k < KINDS; k++) {
		for (unsigned what = 0; what < CONSTRAINT_KINDS; what++) {
			if (kind_table[k]->takes & KIND_TAKES(what))
				x->of[0][what] = (uint8_t)k;
			if (kind_table[k]->takes_of_spans & KIND_TAKES(what))
				x->of[1][what] = (uint8_t)k;
		}
		x->of[0][KIND_OWN(k)] = x->of[1][KIND_OWN(k)] = (uint8_t)k;
	}
}
