#include "causal/kind.h"

const struct kind *const kind_table[KINDS] = {
	[KIND_MESSAGE] = &message_kind,
	[KIND_VECTOR] = &vector_kind,
	[KIND_SEQUENCE] = &sequence_kind,
	[KIND_SPAN] = &span_kind,
	[KIND_LIFECYCLE] = &lifecycle_kind,
};

unsigned
kind_of(const struct constraint *x)
{
	switch ((enum constraint_kind)x->what) {
	case CONSTRAINT_SEND:
		return x->class == CONSTRAINT_SPAN ? KIND_SPAN : KIND_MESSAGE;
	case CONSTRAINT_NEED:
		return KIND_MESSAGE;
	case CONSTRAINT_CLOCK_SET:
	case CONSTRAINT_CLOCK_NEED:
		return KIND_VECTOR;
	case CONSTRAINT_SEQUENCE:
	case CONSTRAINT_MONO:
		return KIND_SEQUENCE;
	case CONSTRAINT_CHILD:
	case CONSTRAINT_END:
		return KIND_SPAN;
	case CONSTRAINT_STOP:
	case CONSTRAINT_START:
		break;
	}
	return KIND_LIFECYCLE;
}
