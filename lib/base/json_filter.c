#include <errno.h>
#include <jq.h>
#include <jv.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_filter.h"
#include "base/xalloc.h"

struct json_filter {
	jq_state *jq;
	struct fail *fail;
};

/* A copy of V; the recursion is as deep as V, which the reader bounds. */
static jv
jv_of(struct json v)
{
	jv out;

	switch (json_kind(v)) {
	case JSON_FALSE:
	case JSON_TRUE:
		return jv_bool(json_kind(v) == JSON_TRUE);
	case JSON_NUMBER:
		return jv_number(json_get_number(v));
	case JSON_STRING:
		return jv_string_sized(json_get_string(v), (int)json_string_len(v));
	case JSON_ARRAY:
		out = jv_array();
		for (size_t i = 0; i < json_count(v); i++) {
			struct json element = json_at(v, i);

			out = jv_array_append(out, jv_of(element));
			json_release(&element);
		}
		return out;
	case JSON_OBJECT:
		out = jv_object();
		for (struct json_iter it = json_begin(v); json_next(&it); )
			out = jv_object_set(out, jv_string(it.key), jv_of(it.value));
		return out;
	default:
		return jv_null();
	}
}

/* What a program put out, which is taken, as its text is read; the same rules hold for it as for text from outside. */
static int
value_of(jv v, struct json *out, struct fail *f)
{
	jv text = jv_dump_string(v, 0);
	int r = json_parse("the output of the filter", jv_string_value(text),
	    (size_t)jv_string_length_bytes(jv_copy(text)), out, f);

	jv_free(text);
	return r;
}

static void
keep_message(void *cookie, jv msg)
{
	struct json_filter *p = cookie;

	if (p->fail && !p->fail->text[0] && jv_get_kind(msg) == JV_KIND_STRING)
		fail_set(p->fail, EXIT_USAGE, "%s", jv_string_value(msg));
	jv_free(msg);
}

struct json_filter *
json_filter_new(const char *program, struct fail *f)
{
	struct json_filter *p = xcalloc(1, sizeof *p);

	p->jq = jq_init();
	if (!p->jq)
		die(EXIT_TROUBLE, 0, "out of memory");
	p->fail = f;
	f->text[0] = f->hint[0] = '\0';
	jq_set_error_cb(p->jq, keep_message, p);
	if (jq_compile(p->jq, program)) {
		p->fail = NULL;
		return p;
	}
	f->text[strcspn(f->text, "\n")] = '\0';
	f->status = EXIT_USAGE;
	json_filter_free(p);
	errno = EINVAL;
	return NULL;
}

void
json_filter_free(struct json_filter *p)
{
	if (!p)
		return;
	jq_teardown(&p->jq);
	free(p);
}

/* The first output of P for V; invalid where there is none, or where P failed: then with a message. */
static jv
first_output(struct json_filter *p, struct json v)
{
	jq_start(p->jq, jv_of(v), 0);
	return jq_next(p->jq);
}

/* Fill F with the message of the failed program, if OUT, which is taken, says that it failed. */
static int
check_failure(jv out, struct fail *f)
{
	jv msg;
	int r;

	if (!jv_invalid_has_msg(jv_copy(out))) {
		jv_free(out);
		return 0;
	}
	msg = jv_invalid_get_msg(out);
	r = fail_set(f, EXIT_USAGE, "%s", jv_get_kind(msg) == JV_KIND_STRING ? jv_string_value(msg) :
	    "the filter failed");
	jv_free(msg);
	return r;
}

int
json_filter_first(struct json_filter *p, struct json v, struct json *out, struct fail *f)
{
	jv first = first_output(p, v);

	*out = JSON_ABSENT;
	return jv_is_valid(first) ? value_of(first, out, f) : check_failure(first, f);
}

int
json_filter_test(struct json_filter *p, struct json v, struct fail *f)
{
	jv first = first_output(p, v);
	int r;

	if (!jv_is_valid(first))
		return check_failure(first, f);
	r = jv_get_kind(first) != JV_KIND_NULL && jv_get_kind(first) != JV_KIND_FALSE;
	jv_free(first);
	return r;
}
