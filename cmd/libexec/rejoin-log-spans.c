/*
 * rejoin-log-spans [NAME] - make a line of JSON of each span and log record of a
 * document, for rejoin-log.
 *
 * Reads OTLP JSON (traces and logs), Zipkin v2 or Jaeger JSON from standard input:
 * one document, or several behind each other.  Writes to standard output, in the
 * order of their times,
 *
 *	{"span_time":"RFC 3339","service":S,"host":H,"level":"error","text":NAME,"kind":K,
 *	 "trace_id":T,"span_id":I,"parent_span_id":P,"duration_ns":N,"span_of":O,"span":{...}}
 *
 * where members that are not known are left out.  O is otlp, zipkin or jaeger, and
 * "log" for a log record; K is internal, server, client, producer or consumer.  H
 * names the clock: the service, and its host where that is told.  "span" is the
 * span as it was read.
 *
 * What is no JSON is reported as NAME: ... and skipped up to the next line that
 * begins a document; the status is then 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/json.h"
#include "base/jsontext.h"
#include "base/num.h"
#include "base/xalloc.h"

enum { GATHERED = 1 << 20 /* bytes of lines that are written at once */ };

/* A line: when, and where it stands in the file of all lines. */
struct line {
	int64_t t;
	int64_t at;
	size_t n, serial;
};

struct output {
	int fd;				/* of all lines, in the order in which they were read */
	struct buf b;
	int64_t at;			/* offset of B in that file */
	struct line *v;
	size_t n, cap;
	int64_t last_ns;		/* of the last line that had a time */
	int64_t metrics;
};

/* What is told of a span or a log record; strings are borrowed, NULL for none. */
struct item {
	const char *of, *service, *host, *level, *kind, *trace, *span, *parent;
	struct json text;		/* its name, or a log record's body */
	int64_t t, length;		/* ns; -1 for none */
	struct json whole;
};

static void
put_text(struct buf *b, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	buf_printf(b, "%s\"%s\":", b->s[b->len - 1] == '{' ? "" : ",", key);
	jsontext_quote(value, strlen(value), b);
}

static void
put_time(struct buf *b, int64_t ns)
{
	const time_t s = (time_t)(ns / 1000000000);
	struct tm tm;
	char text[40];

	if (ns < 0 || !gmtime_r(&s, &tm))
		return;
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(b, "\"span_time\":\"%s.%09dZ\"", text, (int)(ns % 1000000000));
}

static void
flush_lines(struct output *o)
{
	int r = io_write_all(o->fd, o->b.s, o->b.len);

	if (r < 0)
		die(EXIT_TROUBLE, r, "a temporary file");
	o->at += (int64_t)o->b.len;
	buf_reset(&o->b);
}

static void
put_clock(struct buf *b, const struct item *x)
{
	_cleanup_free_ char *both = x->service && x->host ? xasprintf("%s@%s", x->service, x->host) : NULL;

	put_text(b, "host", both ? both : x->service ? x->service : x->host);
}

static void
put_item(struct output *o, const struct item *x)
{
	struct buf *b = &o->b;
	const int64_t from = o->at + (int64_t)b->len;

	o->last_ns = x->t >= 0 ? x->t : o->last_ns;
	o->v = xgrow(o->v, o->n, &o->cap, sizeof *o->v);
	buf_putc(b, '{');
	put_time(b, x->t);
	put_text(b, "service", x->service);
	put_clock(b, x);
	put_text(b, "level", x->level);
	if (json_get_string(x->text))
		put_text(b, "text", json_get_string(x->text));
	put_text(b, "kind", x->kind);
	put_text(b, "trace_id", x->trace);
	put_text(b, "span_id", x->span);
	put_text(b, "parent_span_id", x->parent);
	if (x->length >= 0)
		buf_printf(b, ",\"duration_ns\":%jd", (intmax_t)x->length);
	put_text(b, "span_of", x->of);
	buf_puts(b, ",\"span\":");
	json_format(x->whole, b);
	buf_puts(b, "}\n");
	o->v[o->n] = (struct line){ o->last_ns, from, (size_t)(o->at + (int64_t)b->len - from), o->n };
	o->n++;
	if (b->len > GATHERED)
		flush_lines(o);
}

/* The member KEY of OBJECT, element I of ARRAY: borrowed, as OBJECT and ARRAY are. */
static struct json
json_member(struct json object, const char *key)
{
	struct json v = json_get(object, key), borrowed = v;

	json_release(&v);
	return borrowed;
}

static struct json
json_element(struct json array, size_t i)
{
	struct json v = json_at(array, i), borrowed = v;

	json_release(&v);
	return borrowed;
}

/* The member of OBJECT called A, or B; borrowed as OBJECT is. */
static struct json
member_named(struct json object, const char *a, const char *b)
{
	struct json v = json_member(object, a);

	if (json_kind(v) != JSON_NONE || !b)
		return v;
	return json_member(object, b);
}

/* A whole number, which may be a string; -1 for none. */
static int64_t
whole_number(struct json v)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int64_t n;

	if (json_get_string(v))
		buf_puts(&b, json_get_string(v));
	else
		json_get_spelling(v, &b);
	return b.len && num_parse(b.s, 0, INT64_MAX, &n) == 0 ? n : -1;
}

/* Microseconds as ns; -1 for none. */
static int64_t
micros(struct json v)
{
	const int64_t n = whole_number(v);

	return n < 0 || n > INT64_MAX / 1000 ? -1 : n * 1000;
}

/* The word for a kind of span: a number of OTLP, or a text that ends with it. */
static const char *
kind_name(struct json v)
{
	static const char *const names[] = { "internal", "server", "client", "producer", "consumer" };
	const char *text = json_get_string(v);
	const int64_t n = whole_number(v);

	if (n >= 1 && n <= 5)
		return names[n - 1];
	for (size_t i = 0; text && i < sizeof names / sizeof *names; i++) {
		const size_t len = strlen(names[i]), all = strlen(text);

		if (all >= len && strcasecmp(text + all - len, names[i]) == 0)
			return names[i];
	}
	return NULL;
}

/* The text of the attribute KEY of OTLP, or the tag KEY of Jaeger; NULL for none. */
static const char *
attribute_text(struct json list, const char *key)
{
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json a = json_element(list, i), v = json_member(a, "value");
		const char *name = json_get_text(a, "key");

		if (name && strcmp(name, key) == 0)
			return json_is_object(v) ? json_get_string(member_named(v, "stringValue", "string_value")) : json_get_string(v);
	}
	return NULL;
}

static void
otlp_span(struct output *o, struct item x, struct json span)
{
	const struct json status = json_member(span, "status"), code = json_member(status, "code");
	const int64_t end = whole_number(member_named(span, "endTimeUnixNano", "end_time_unix_nano"));
	const char *word = json_get_string(code);

	x.of = "otlp";
	x.whole = span;
	x.text = json_member(span, "name");
	x.trace = json_get_string(member_named(span, "traceId", "trace_id"));
	x.span = json_get_string(member_named(span, "spanId", "span_id"));
	x.parent = json_get_string(member_named(span, "parentSpanId", "parent_span_id"));
	x.kind = kind_name(json_member(span, "kind"));
	x.t = whole_number(member_named(span, "startTimeUnixNano", "start_time_unix_nano"));
	x.length = x.t >= 0 && end >= x.t ? end - x.t : -1;
	x.level = whole_number(code) == 2 || (word && strstr(word, "ERROR")) ? "error" : NULL;
	put_item(o, &x);
}

static void
otlp_log(struct output *o, struct item x, struct json log)
{
	const struct json body = json_member(log, "body"), text = member_named(body, "stringValue", "string_value");

	x.of = "log";
	x.whole = log;
	x.text = json_kind(text) == JSON_STRING ? text : body;
	x.trace = json_get_string(member_named(log, "traceId", "trace_id"));
	x.span = json_get_string(member_named(log, "spanId", "span_id"));
	x.level = json_get_string(member_named(log, "severityText", "severity_text"));
	x.t = whole_number(member_named(log, "timeUnixNano", "time_unix_nano"));
	if (x.t <= 0)
		x.t = whole_number(member_named(log, "observedTimeUnixNano", "observed_time_unix_nano"));
	x.length = -1;
	put_item(o, &x);
}

/* An element of resourceSpans or resourceLogs. */
static void
otlp_resource(struct output *o, struct json e)
{
	static const char *const groups[] = { "scopeSpans", "instrumentationLibrarySpans", "scopeLogs", "instrumentationLibraryLogs",
	    "scope_spans", "scope_logs" };
	const struct json attributes = json_member(json_member(e, "resource"), "attributes");
	struct item x = { .service = attribute_text(attributes, "service.name"), .host = attribute_text(attributes, "host.name") };

	if (!x.host)
		x.host = attribute_text(attributes, "k8s.node.name");
	if (!x.host)
		x.host = attribute_text(attributes, "host.id");
	for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
		for (size_t i = 0; i < json_count(json_member(e, groups[g])); i++) {
			const struct json scope = json_element(json_member(e, groups[g]), i), spans = json_member(scope, "spans");
			const struct json logs = member_named(scope, "logRecords", "log_records");

			for (size_t k = 0; k < json_count(spans); k++)
				otlp_span(o, x, json_element(spans, k));
			for (size_t k = 0; k < json_count(logs); k++)
				otlp_log(o, x, json_element(logs, k));
		}
}

static void
zipkin_span(struct output *o, struct json span)
{
	const struct json local = json_member(span, "localEndpoint");
	struct item x = { .of = "zipkin", .whole = span, .service = json_get_text(local, "serviceName"),
	    .host = json_get_text(local, "ipv4"), .text = json_member(span, "name"), .trace = json_get_text(span, "traceId"),
	    .span = json_get_text(span, "id"), .parent = json_get_text(span, "parentId"),
	    .kind = kind_name(json_member(span, "kind")), .t = micros(json_member(span, "timestamp")),
	    .length = micros(json_member(span, "duration")) };

	if (!x.host)
		x.host = json_get_text(local, "ipv6");
	if (json_kind(json_member(json_member(span, "tags"), "error")) != JSON_NONE)
		x.level = "error";
	put_item(o, &x);
}

/* The span that SPAN of Jaeger is a child of, or follows; NULL for none. */
static const char *
jaeger_parent(struct json span)
{
	const struct json refs = json_member(span, "references");

	for (size_t i = 0; i < json_count(refs); i++)
		if (json_get_text(json_element(refs, i), "spanID"))
			return json_get_text(json_element(refs, i), "spanID");
	return json_get_text(span, "parentSpanID");
}

static void
jaeger_span(struct output *o, struct json processes, struct json span)
{
	const char *id = json_get_text(span, "processID");
	const struct json process = id ? json_member(processes, id) : json_member(span, "process");
	const struct json tags = json_member(span, "tags"), known = json_member(process, "tags");
	const char *kind = attribute_text(tags, "span.kind");
	_cleanup_json_ struct json word = kind ? json_string(kind) : JSON_ABSENT;
	struct item x = { .of = "jaeger", .whole = span, .service = json_get_text(process, "serviceName"),
	    .host = attribute_text(known, "hostname"), .text = json_member(span, "operationName"),
	    .trace = json_get_text(span, "traceID"), .span = json_get_text(span, "spanID"), .parent = jaeger_parent(span),
	    .kind = kind_name(word), .t = micros(json_member(span, "startTime")), .length = micros(json_member(span, "duration")) };

	if (!x.host)
		x.host = attribute_text(known, "ip");
	for (size_t i = 0; i < json_count(tags); i++) {
		const char *key = json_get_text(json_element(tags, i), "key");

		if (key && strcmp(key, "error") == 0 && json_kind(json_member(json_element(tags, i), "value")) == JSON_TRUE)
			x.level = "error";
	}
	put_item(o, &x);
}

/* An element of a document, by the name of the array that it is in. */
static void
read_element(struct output *o, const char *name, struct json e)
{
	const struct json spans = json_member(e, "spans");

	if (strcmp(name, "data") != 0) {
		otlp_resource(o, e);
		return;
	}
	for (size_t i = 0; i < json_count(spans); i++)
		jaeger_span(o, json_member(e, "processes"), json_element(spans, i));
}

/* --- documents */

static bool
skip_value(struct jsontext_reader *r, const struct jsontext_token *first)
{
	struct jsontext_token t;
	int depth = first->kind == JSONTEXT_ARRAY || first->kind == JSONTEXT_OBJECT;

	while (depth > 0 && jsontext_next(r, &t))
		depth += (t.kind == JSONTEXT_ARRAY || t.kind == JSONTEXT_OBJECT) -
		    (t.kind == JSONTEXT_ARRAY_END || t.kind == JSONTEXT_OBJECT_END);
	return depth == 0;
}

/* Parse the value that begins at FROM, which R has read; false where it is worse than R told. */
static bool
parse_range(const struct jsontext_reader *r, const char *from, struct json *out)
{
	struct fail f;

	return json_parse(NULL, from, (size_t)(r->p - from), out, &f) == 0;
}

/* The elements of the array NAME, whose first bracket R has read. */
static bool
read_array(struct output *o, struct jsontext_reader *r, const char *name)
{
	struct jsontext_token t;

	while (jsontext_next(r, &t)) {
		const char *from = r->p - 1;
		struct json e;

		if (t.kind == JSONTEXT_ARRAY_END)
			return true;
		if (!skip_value(r, &t))
			return false;
		if (t.kind != JSONTEXT_OBJECT || !parse_range(r, from, &e))
			continue;
		read_element(o, name, e);
		json_release(&e);
	}
	return false;
}

static bool
is_named(const struct jsontext_token *t, const char *name)
{
	return t->n == strlen(name) && memcmp(t->p, name, t->n) == 0;
}

/* The object whose first brace R has read: a document, or a span of Zipkin. */
static bool
read_object(struct output *o, struct jsontext_reader *r)
{
	static const char *const arrays[] = { "resourceSpans", "resourceLogs", "resource_spans", "resource_logs", "batches", "data" };
	const char *from = r->p - 1;
	struct jsontext_token t, value;
	bool zipkin = false;
	struct json span;

	while (jsontext_next(r, &t) && t.kind == JSONTEXT_KEY) {
		const char *name = NULL;

		for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
			if (is_named(&t, arrays[i]))
				name = arrays[i];
		zipkin |= is_named(&t, "traceId");
		o->metrics += is_named(&t, "resourceMetrics");
		if (!jsontext_next(r, &value))
			return false;
		if (name && value.kind == JSONTEXT_ARRAY ? !read_array(o, r, name) : !skip_value(r, &value))
			return false;
	}
	if (r->error)
		return false;
	if (zipkin && parse_range(r, from, &span)) {
		zipkin_span(o, span);
		json_release(&span);
	}
	return true;
}

/* One document, or an array of them; false where it is not JSON. */
static bool
read_document(struct output *o, struct jsontext_reader *r)
{
	struct jsontext_token t;
	int depth = 0;

	do {
		if (!jsontext_next(r, &t))
			return false;
		depth += (t.kind == JSONTEXT_ARRAY) - (t.kind == JSONTEXT_ARRAY_END);
		if (t.kind == JSONTEXT_OBJECT && !read_object(o, r))
			return false;
	} while (depth > 0);
	return true;
}

/* Where the next document may begin: a line that begins with a bracket or a brace. */
static const char *
next_document(const char *p, const char *end)
{
	while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
		p++;
		if (p < end && (*p == '{' || *p == '['))
			return p;
	}
	return end;
}

static int64_t
line_of(const char *text, const char *p)
{
	int64_t n = 1;

	for (const char *q = text; (q = memchr(q, '\n', (size_t)(p - q))); q++)
		n++;
	return n;
}

/* All documents of TEXT; false where some of it is not JSON. */
static bool
read_all(struct output *o, const char *name, const char *text, size_t len)
{
	const char *p = text, *end = text + len;
	bool good = true;

	while (p < end) {
		struct jsontext_reader r;
		struct fail f;

		while (p < end && strchr(" \t\r\n", *p))
			p++;
		if (p == end)
			break;
		jsontext_begin(&r, p, (size_t)(end - p));
		if (read_document(o, &r)) {
			p = r.p;
			continue;
		}
		jsontext_fail(&r, NULL, &f);
		diag(0, "%s: a document that begins on line %jd %s", name, (intmax_t)line_of(text, p), f.text);
		good = false;
		p = next_document(r.p > p ? r.p : p, end);
	}
	return good;
}

static int
by_time(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return x->t != y->t ? (x->t > y->t) - (x->t < y->t) : (x->serial > y->serial) - (x->serial < y->serial);
}

static void
read_line(const struct output *o, const struct line *l, struct buf *b)
{
	size_t done = 0;

	if (buf_reserve(b, l->n) < 0)
		die(EXIT_TROUBLE, ENOMEM, "a line");
	while (done < l->n) {
		ssize_t n = pread(o->fd, b->s + b->len, l->n - done, l->at + (int64_t)done);

		if (n <= 0 && errno != EINTR)
			die(EXIT_TROUBLE, n < 0 ? errno : EIO, "a temporary file");
		b->len += n > 0 ? (size_t)n : 0;
		done += n > 0 ? (size_t)n : 0;
	}
}

static void
write_sorted(struct output *o)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = 0;

	flush_lines(o);
	qsort(o->v, o->n, sizeof *o->v, by_time);
	for (size_t i = 0; i < o->n && r == 0; i++) {
		read_line(o, &o->v[i], &b);
		if (b.len < GATHERED && i + 1 < o->n)
			continue;
		r = io_write_all(STDOUT_FILENO, b.s, b.len);
		buf_reset(&b);
	}
	if (r < 0)
		die(EXIT_TROUBLE, r, "standard output");
}

/* A file without a name. */
static int
open_nameless(void)
{
	const char *dir = getenv("TMPDIR");
	int fd = dir && *dir ? open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		die(EXIT_TROUBLE, errno, "a file in TMPDIR or /var/tmp");
	return fd;
}

/* Standard input: mapped where it is a file, else read. */
static const char *
load(struct buf *b, size_t *len)
{
	struct stat st;
	ssize_t n;
	void *map;

	if (fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
		if (map != MAP_FAILED) {
			*len = (size_t)st.st_size;
			return map;
		}
	}
	while ((n = io_read_buf(STDIN_FILENO, b)) > 0)
		;
	if (n < 0)
		die(EXIT_TROUBLE, (int)n, "standard input");
	*len = b->len;
	return b->s;
}

int
main(int argc, char *argv[])
{
	const char *name = argc > 1 ? argv[1] : "standard input", *text;
	struct output o = { .b = BUF_INIT, .last_ns = 0 };
	_cleanup_buf_ struct buf b = BUF_INIT;
	size_t len;
	bool good;

	diag_init(argv);
	text = load(&b, &len);
	o.fd = open_nameless();
	good = read_all(&o, name, text, len);
	write_sorted(&o);
	if (o.metrics)
		diag_info("%s: %jd documents of metrics are left out", name, (intmax_t)o.metrics);
	buf_release(&o.b);
	free(o.v);
	close(o.fd);
	return good ? EXIT_OK : EXIT_NO;
}
