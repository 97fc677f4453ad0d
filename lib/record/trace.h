/*
 * trace - the trace context of a record: which span wrote it, and the span that
 * caused that span.
 *
 * Contexts are found under the names that tracers and log libraries use, in JSON
 * (also two objects deep) and logfmt.  Letter case and the characters "_-./" do
 * not count in a name:
 *
 *	trace	trace_id TraceId dd.trace_id otelTraceID X-B3-TraceId trace.id @tr
 *	span	span_id spanId dd.span_id otelSpanID X-B3-SpanId span.id transaction.id @sp
 *	parent	parent_id parentSpanId dd.parent_id X-B3-ParentSpanId parent.id @ps
 *	all	traceparent (W3C), b3 (Zipkin), uber-trace-id (Jaeger), X-Amzn-Trace-Id (AWS)
 *
 * Records of OTLP, Zipkin and Jaeger come from the program rejoin-log-spans, which
 * adds span_of, kind and duration_ns.
 *
 * Constraints (of the rule's number, class CONSTRAINT_SPAN):
 *
 *	a record of a span follows the first record of the span's parent
 *	of a span that two processes share (Zipkin, Jaeger), the server follows the client
 *	a log record of an OTLP file follows the span that it belongs to
 *	where a caller waits, ends bound the offsets of clocks, and nothing else
 *
 * A record that says how long something took is written at the end of its span, and
 * so are those of a program whose parents stand behind their children: children do
 * not follow them.  All needs are soft: of a parent that is not in the
 * logs nothing is said.
 */
#ifndef RECORD_TRACE_H
#define RECORD_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "record/rule.h"

/* May a record of FMT have a context? */
bool trace_is_possible(const struct format *fmt);

/*
 * Has any line of the N bytes at P, some lines of FMT, a context?  *ENDS: more
 * spans in them stand behind a child than before it, so the program writes a span
 * at its end.
 */
bool trace_is_in(const struct format *fmt, const char *p, size_t n, bool *ends);

/* Append the constraints of TEXT, a record of FMT, to OUT, for the rule with the number RULE.  ENDS as above: it sends nothing. */
void trace_constraints(const struct format *fmt, struct span text, uint16_t rule, bool ends, struct constraints *out);

/* The text in TEXT that RULE makes ID of; P is NULL for none. */
struct span trace_id_text(const struct format *fmt, struct span text, uint16_t rule, uint64_t id);

#endif
