#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "component/component.h"
#include "component/snapshot.h"

static int bad;

static struct json
parse(const char *text)
{
	struct json v = JSON_ABSENT;
	struct fail f;

	if (json_parse("unit", text, strlen(text), &v, &f) < 0) {
		printf("snapshot: %s\n", f.text);
		exit(1);
	}
	return v;
}

/* Before and after, as members of one component; "" where it is not there. */
static const struct {
	const char *before, *after;
	const char *event;		/* "" for none */
	const char *was;
} cases[] = {
	{ "", "'state':'online'", "arrived", "{}" },
	{ "", "'state':'offline'", "", "" },
	{ "", "'state':'unreadable'", "changed", "{}" },
	{ "'state':'offline'", "'state':'online','version':'1'", "arrived",
	    "{'state':'offline','version':null}" },
	{ "'state':'offline'", "'state':'unreadable'", "changed", "{'state':'offline'}" },
	{ "'state':'offline','name':'a'", "'state':'offline','name':'b'", "", "" },
	{ "'state':'unreadable'", "'state':'online'", "readable", "{'state':'unreadable'}" },
	{ "'state':'unreadable'", "'state':'offline'", "departed", "{'state':'unreadable'}" },
	{ "'state':'unreadable'", "'state':'unreadable'", "", "" },
	{ "'state':'online'", "'state':'online'", "", "" },
	{ "'state':'online'", "'state':'unreadable'", "changed", "{'state':'online'}" },
	{ "'state':'online'", "'state':'offline'", "departed", "{'state':'online'}" },
	{ "'state':'online'", "", "departed", "{'state':'online'}" },
	{ "'state':'offline'", "", "", "" },
	{ "'state':'online','version':'1.9'", "'state':'online','version':'1.10'", "changed",
	    "{'version':'1.9'}" },
	{ "'state':'online','version':'1.10'", "'state':'online','version':'1.9'", "swapped",
	    "{'version':'1.10'}" },
	{ "'state':'online','version':'1.0'", "'state':'online','version':'1.00'", "changed",
	    "{'version':'1.0'}" },
	{ "'state':'online','version':'1'", "'state':'online'", "changed", "{'version':'1'}" },
	{ "'state':'online','name':'a'", "'state':'online','name':'b'", "swapped", "{'name':'a'}" },
	{ "'state':'online','group':'a'", "'state':'online','group':'A'", "swapped",
	    "{'group':'a'}" },
	{ "'state':'online','manufacturer':'a'", "'state':'online'", "swapped",
	    "{'manufacturer':'a'}" },
	{ "'state':'online','model':'a'", "'state':'online','model':'b'", "swapped",
	    "{'model':'a'}" },
	{ "'state':'online','serial':1", "'state':'online','serial':2", "swapped", "{'serial':1}" },
	{ "'state':'online','properties':{'serial':'1'}",
	    "'state':'online','properties':{'serial':'2'}", "swapped",
	    "{'properties':{'serial':'1'}}" },
	{ "'state':'online','properties':{'path':'1'}",
	    "'state':'online','properties':{'path':'2'}", "changed",
	    "{'properties':{'path':'1'}}" },
	/* what does not matter */
	{ "'state':'online','temperature':20", "'state':'online','temperature':21", "", "" },
};

static char *
quoted(const char *text)
{
	char *s = xstrdup(text);

	for (char *p = s; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	return s;
}

/* An array with the component that has MEMBERS, or with none. */
static struct json
components(const char *members)
{
	_cleanup_free_ char *s = quoted(members);
	_cleanup_free_ char *text = *s ? xasprintf("[{\"id\":\"c\",%s}]", s) : xstrdup("[]");

	return parse(text);
}

static void
check(const char *what, const char *got, const char *want, size_t i)
{
	if (strcmp(got ? got : "", want) == 0)
		return;
	printf("snapshot: case %zu (%s -> %s): %s is '%s', want '%s'\n", i, cases[i].before,
	    cases[i].after, what, got ? got : "", want);
	bad = 1;
}

static void
check_case(size_t i)
{
	_cleanup_json_ struct json old = components(cases[i].before);
	_cleanup_json_ struct json new = components(cases[i].after);
	_cleanup_json_ struct json before = snapshot_of(old, JSON_ABSENT);
	_cleanup_json_ struct json after = snapshot_of(new, JSON_ABSENT);
	_cleanup_json_ struct json all = snapshot_events(before, after, new, JSON_ABSENT, "test", true);
	_cleanup_json_ struct json waking = snapshot_events(before, after, new, JSON_ABSENT, "test", false);
	_cleanup_json_ struct json e = json_at(all, 0), ids = snapshot_waking_ids(all);
	_cleanup_json_ struct json was = json_get(e, "was");
	_cleanup_buf_ struct buf text = BUF_INIT;
	_cleanup_free_ char *want = quoted(cases[i].was);
	const char *event = cases[i].event;
	bool must_wake = *event && strchr("ars", *event);

	check("event", json_get_text(e, "event"), event, i);
	if (json_is_object(was))
		json_format(was, &text);
	check("was", text.s, want, i);
	check("waking", json_count(waking) ? "yes" : "no", must_wake ? "yes" : "no", i);
	check("wakes", json_count(ids) ? "yes" : "no", must_wake ? "yes" : "no", i);
	check("count", json_count(all) == (*event ? 1 : 0) ? "right" : "wrong", "right", i);
}

/* Of a scan that was not complete nothing departs. */
static void
check_incomplete(void)
{
	_cleanup_json_ struct json old = components("'state':'online'");
	_cleanup_json_ struct json new = components("");
	_cleanup_json_ struct json before = snapshot_of(old, JSON_ABSENT);
	_cleanup_json_ struct json after = snapshot_of(new, before);
	_cleanup_json_ struct json events = snapshot_events(before, after, new, JSON_ABSENT, "test", true);

	if (json_count(events) != 0 || !json_equal(before, after)) {
		puts("snapshot: a scan that was not complete made something depart");
		bad = 1;
	}
}

static void
check_file(void)
{
	_cleanup_json_ struct json c = components("'state':'online','version':'1','group':'\xc3\xa4'");
	_cleanup_json_ struct json s = snapshot_of(c, JSON_ABSENT), again = JSON_ABSENT;
	_cleanup_json_ struct json incarnation = JSON_ABSENT, served = json_string("b-1-2");
	char path[] = "/tmp/rejoin-snapshot.XXXXXX";
	struct fail f = { 0 };
	int fd = mkstemp(path);

	if (snapshot_load(path, &again, &incarnation, &f) != -ENOENT) {
		puts("snapshot: an empty file is not taken for none");
		bad = 1;
	}
	if (snapshot_save(path, s, JSON_ABSENT) < 0 || snapshot_load(path, &again, &incarnation, &f) < 0 ||
	    !json_equal(s, again) || json_kind(incarnation) != JSON_NONE) {
		printf("snapshot: not read back: %s\n", f.text);
		bad = 1;
	}
	json_release(&again);
	if (snapshot_save(path, s, served) < 0 || snapshot_load(path, &again, &incarnation, &f) < 0 ||
	    !json_equal(served, incarnation)) {
		printf("snapshot: the incarnation is not read back: %s\n", f.text);
		bad = 1;
	}
	close(fd);
	unlink(path);
}

/* A component that was removed and is back has arrived; one that is still gone has departed. */
static void
check_removed(void)
{
	_cleanup_json_ struct json there = components("'state':'online','version':'1'"), newer = components("'state':'online','version':'2'");
	_cleanup_json_ struct json gone = components("'state':'offline'"), removed = json_object();
	_cleanup_json_ struct json before = snapshot_of(there, JSON_ABSENT);
	const struct { struct json now; const char *event; } table[] = {
		{ there, "arrived" }, { newer, "arrived" }, { gone, "departed" },
	};

	{
		_cleanup_json_ struct json c = json_at(there, 0);

		json_set(&removed, component_id(c), json_null());
	}
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		_cleanup_json_ struct json after = snapshot_of(table[i].now, JSON_ABSENT);
		_cleanup_json_ struct json events = snapshot_events(before, after, table[i].now, removed, "test", true);
		_cleanup_json_ struct json e = json_at(events, 0);

		check("removed", json_get_text(e, "event"), table[i].event, i);
	}
}

static const char *const wrong[] = {
	"{", "[]", "{}", "null", "{\"kind\":\"other\"}", "{\"kind\":\"rejoin-watch snapshot\"}",
	"{\"kind\":\"rejoin-watch snapshot\",\"format\":2,\"components\":{}}",
	"{\"kind\":\"rejoin-watch snapshot\",\"format\":1,\"components\":[]}",
	"{\"kind\":\"rejoin-watch snapshot\",\"format\":1,\"components\":{\"a\":1}}",
	"{\"kind\":\"rejoin-watch snapshot\",\"format\":1,\"components\":{\"a\":{\"id\":\"a\"}}}",
	"{\"kind\":\"rejoin-watch snapshot\",\"format\":1,\"components\":"
	    "{\"a\":{\"id\":\"b\",\"state\":\"online\"}}}",
	"{\"kind\":\"rejoin-watch snapshot\",\"format\":1,\"components\":"
	    "{\"a\":{\"id\":\"a\",\"state\":\"asleep\"}}}",
};

int
main(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_case(i);
	check_incomplete();
	check_file();
	check_removed();
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		_cleanup_json_ struct json v = JSON_ABSENT, incarnation = JSON_ABSENT;
		struct fail f = { 0 };

		if (snapshot_parse("FILE", wrong[i], strlen(wrong[i]), &v, &incarnation, &f) == 0 ||
		    f.status != EXIT_TROUBLE || strncmp(f.text, "FILE: ", 6) != 0) {
			printf("snapshot: '%s' is taken for one: %s\n", wrong[i], f.text);
			bad = 1;
		}
	}
	return bad;
}
