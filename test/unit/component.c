/* Records, selectors, templates and listings, as tables. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "component/component.h"
#include "component/listing.h"
#include "component/selector.h"
#include "component/template.h"

static int failed;

static void
expect(int yes, const char *what, const char *got)
{
	if (!yes) {
		printf("component: %s: %s\n", what, got);
		failed = 1;
	}
}

static struct json
parse(const char *text)
{
	struct json v = JSON_ABSENT;
	struct fail f;

	expect(json_parse(NULL, text, strlen(text), &v, &f) == 0, text, f.text);
	return v;
}

static void
check_records(void)
{
	static const struct { const char *text, *wrong; } t[] = {
		{ "{\"id\":\"a\"}", NULL },
		{ "{\"id\":\"a\",\"state\":\"unreadable\",\"x\":1,\"properties\":{}}", NULL },
		{ "[]", "x: is an array, not an object" },
		{ "{}", "x: has no id" },
		{ "{\"id\":1}", "x: id is a number, not a string" },
		{ "{\"id\":\"\"}", "x: id is empty" },
		{ "{\"id\":\"a\",\"model\":null}", "x: model is null, not a string" },
		{ "{\"id\":\"a\\u0000\"}", "x: id has a NUL character" },
		{ "{\"id\":\"a\",\"state\":\"Online\"}",
		    "x: state is 'Online', not online, offline or unreadable" },
		{ "{\"id\":\"a\",\"properties\":\"\"}", "x: properties is a string, not an object" },
	};
	struct json c = parse("{\"id\":\"a\"}");

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		_cleanup_json_ struct json v = parse(t[i].text);
		struct fail f = { EXIT_OK, "" };
		int r = component_check(v, "x", &f);

		expect(t[i].wrong ? r == -EBADMSG && strcmp(f.text, t[i].wrong) == 0 : r == 0,
		    t[i].text, f.text);
	}
	for (int s = COMPONENT_ONLINE; s <= COMPONENT_UNREADABLE; s++) {
		component_set_state(&c, (enum component_state)s);
		expect((int)component_state(c) == s, "state", component_state_name(component_state(c)));
	}
	json_release(&c);
}

static void
check_selectors(void)
{
	static const char component[] =
	    "{\"id\":\"a\",\"manufacturer\":\"contoso\",\"model\":\"cam\",\"n\":1,\"properties\":{\"p\":\"q\"}}";
	static const struct { const char *selector; bool matches; } t[] = {
		{ "{}", true },
		{ "{\"model\":\"cam\"}", true },
		{ "{\"manufacturer\":\"contoso\",\"model\":\"cam\"}", true },
		{ "{\"model\":\"cam\",\"manufacturer\":\"contoso\",\"id\":\"a\"}", true },
		{ "{\"model\":\"cam\",\"manufacturer\":\"Contoso\"}", false },
		{ "{\"none\":\"x\",\"model\":\"cam\"}", false },
		{ "{\"model\":\"none\",\"manufacturer\":\"none\",\"id\":\"none\"}", false },
		{ "{\"model\":\"\"}", false }, { "{\"\":\"cam\"}", false }, { "{\"n\":1}", false },
		{ "{\"n\":\"1\"}", false }, { "{\"p\":\"q\"}", false },
		{ "{\"properties\":{\"p\":\"q\"}}", false }, { "{\"model\":[\"cam\"]}", false },
		{ "{\"model\":\"cam\\u0000\"}", false },
	};
	_cleanup_json_ struct json c = parse(component), any = json_array();
	struct json v;
	struct fail f;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		_cleanup_json_ struct json s = parse(t[i].selector);

		expect(selector_matches(s, c) == t[i].matches, t[i].selector, "");
		json_append(&any, json_copy(s));
	}
	expect(selector_matches_any(any, c), "any", "");
	expect(selector_parse("[]", &v, &f) == -EBADMSG && f.status == EXIT_USAGE, "[]", f.text);
}

static const char *
device(const char *name, void *cookie)
{
	static const struct { const char *name, *value; } d[] = {
		{ "SERIAL", "A1" }, { "attr:bcd", "0100" }, { "SLASH", "../x" }, { "DOT", ".x" },
		{ "DASH", "-rf" }, { "BELL", "a\a" }, { "C1", "\xc2\x9b" }, { "LATIN", "\xe4" },
		{ "EMPTY", "" }, { "UMLAUT", "\xc3\xa4" },
	};

	for (size_t i = 0; i < sizeof d / sizeof *d; i++)
		if (strcmp(d[i].name, name) == 0)
			return d[i].value;
	return strcmp(name, "LONG") == 0 ? cookie : NULL;
}

static void
check_templates(void)
{
	static const struct { const char *text; enum template_use use; const char *result; } t[] = {
		{ "", TEMPLATE_TEXT, "" }, { "x", TEMPLATE_TEXT, "x" }, { "$", TEMPLATE_TEXT, "$" },
		{ "cam-${SERIAL}", TEMPLATE_TEXT, "cam-A1" }, { "${SERIAL}${attr:bcd}", TEMPLATE_TEXT, "A10100" },
		{ "$${SERIAL}", TEMPLATE_TEXT, "${SERIAL}" }, { "$$x$", TEMPLATE_TEXT, "$$x$" },
		{ "${SERIAL", TEMPLATE_TEXT, "${SERIAL" }, { "${NONE}", TEMPLATE_TEXT, NULL },
		{ "${}", TEMPLATE_TEXT, NULL }, { "${EMPTY}x", TEMPLATE_TEXT, "x" },
		{ "${UMLAUT}", TEMPLATE_TEXT, "\xc3\xa4" }, { "${BELL}", TEMPLATE_TEXT, NULL },
		{ "${C1}", TEMPLATE_TEXT, NULL }, { "${LATIN}", TEMPLATE_TEXT, NULL },
		{ "${LONG}", TEMPLATE_TEXT, NULL }, { "${SLASH}", TEMPLATE_TEXT, "../x" },
		{ "/d/${SLASH}", TEMPLATE_PATH, NULL }, { "/d/${DOT}", TEMPLATE_PATH, NULL },
		{ "/d/${SERIAL}.json", TEMPLATE_PATH, "/d/A1.json" }, { "${DASH}", TEMPLATE_TEXT, "-rf" },
		{ "${DASH}", TEMPLATE_ARGUMENT, NULL }, { "${EMPTY}${DASH}", TEMPLATE_ARGUMENT, NULL },
		{ "--serial=${DASH}", TEMPLATE_ARGUMENT, "--serial=-rf" },
	};
	static char big[COMPONENT_TEXT_MAX + 2];
	_cleanup_json_ struct json entry = parse("{\"id\":\"${SERIAL}\",\"version\":\"${NONE}\",\"n\":1,"
	    "\"properties\":{\"path\":\"${SLASH}\",\"x\":[\"${attr:bcd}\"]},\"probe\":[\"p\",\"${DASH}\"]}");
	_cleanup_json_ struct json out = JSON_ABSENT;
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct fail f;

	memset(big, 'x', sizeof big - 1);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		int r = template_expand(t[i].text, t[i].use, device, big, &b, &f);

		expect(t[i].result ? r == 0 && strcmp(b.s, t[i].result) == 0 : r < 0, t[i].text, b.s);
	}
	expect(template_fill(entry, device, big, &out, &f) < 0, "template_fill", "no error");
	expect(strcmp(f.text, "${NONE}: the device has none") == 0, "the first error", f.text);
	json_format(out, &text);
	expect(strcmp(text.s, "{\"id\":\"A1\",\"n\":1,\"properties\":{\"x\":[\"0100\"]}}") == 0,
	    "template_fill", text.s);
}

static void
check_listings(void)
{
	static const struct listing_column columns[] = {
		{ "ID", "id" }, { "NEVER", "none" }, { "NAME", "name|id" }, { "N", "n" }, { NULL, NULL }
	};
	static const struct listing_spec spec = { "things", columns, columns };
	static const struct { enum listing_format format; const char *text; } t[] = {
		{ LISTING_JSONL, "{\"id\":\"a/b\",\"n\":[1],\"state\":\"offline\",\"reason\":\"r\"}\n"
		    "{\"id\":\"c\",\"name\":\"\\t\\\\\\u001b\"}\n" },
		{ LISTING_JSON, "{\"things\":[\n{\"id\":\"a/b\",\"n\":[1],\"state\":\"offline\",\"reason\":\"r\"},\n"
		    "{\"id\":\"c\",\"name\":\"\\t\\\\\\u001b\"}\n]}\n" },
		{ LISTING_TABLE, "ID   NAME       N\na/b  a/b        [1]\nc    \\x09\\\\x1b\n" },
		{ LISTING_TSV, "a/b\t\ta/b\t[1]\nc\t\t\\t\\\\\\x1b\t\n" },
		{ LISTING_KV, "a%2Fb.state=offline\na%2Fb.reason=r\nc.name=\\t\\\\\\x1b\n" },
		{ LISTING_ADU, "{\"components\":[\n{\"id\":\"a/b\",\"n\":[1],\"properties\":{\"status\":\"unknown\"}},\n"
		    "{\"id\":\"c\",\"name\":\"\\t\\\\\\u001b\",\"properties\":{\"status\":\"ok\"}}\n]}\n" },
	};
	_cleanup_json_ struct json a = parse("{\"id\":\"a/b\",\"n\":[1],\"state\":\"offline\",\"reason\":\"r\"}");
	_cleanup_json_ struct json c = parse("{\"id\":\"c\",\"name\":\"\\t\\\\\\u001b\"}");

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		_cleanup_buf_ struct buf out = BUF_INIT;
		struct listing *l = listing_new(t[i].format, &spec, &out);

		listing_add(l, a);
		listing_add(l, c);
		listing_end(l);
		listing_free(l);
		expect(strcmp(out.s, t[i].text) == 0, t[i].text, out.s);
	}
}

int
main(void)
{
	check_records();
	check_selectors();
	check_templates();
	check_listings();
	return failed;
}
