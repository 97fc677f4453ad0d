#include "causal/kind.h"

const struct kind *const kind_table[KINDS] = {
	[KIND_MESSAGE] = &message_kind,
	[KIND_VECTOR] = &vector_kind,
	[KIND_SEQUENCE] = &sequence_kind,
	[KIND_SPAN] = &span_kind,
	[KIND_LIFECYCLE] = &lifecycle_kind,
	[KIND_NTH] = &nth_kind,
	[KIND_STREAM] = &stream_kind,
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
	case CONSTRAINT_NTH_SEND:
	case CONSTRAINT_NTH_RECV:
		return KIND_NTH;
	case CONSTRAINT_STREAM_OPEN:
	case CONSTRAINT_STREAM_SEND:
	case CONSTRAINT_STREAM_RECV:
		return KIND_STREAM;
	case CONSTRAINT_BELONGS:
	case CONSTRAINT_STOP:
	case CONSTRAINT_START:
		break;
	}
	return KIND_LIFECYCLE;
}
