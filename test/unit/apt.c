#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "deploy/apt.h"

#define UPDATE(packages) "{\"name\":\"n\",\"version\":\"1\",\"packages\":[" packages "]}"

static const struct {
	const char *text;
	const char *wrong;	/* in the message; NULL where it is right */
} updates[] = {
	{ UPDATE("{\"name\":\"libc6\",\"version\":\"2.36-9+deb12u1\"}"), NULL },
	{ UPDATE("{\"name\":\"libc6:amd64\",\"version\":\"1:2.3~rc1\"},{\"name\":\"old-\"}"), NULL },
	{ UPDATE("{\"name\":\"a\",\"version\":null}"), NULL },
	{ UPDATE(""), "packages is not an array" },
	{ "{\"name\":\"n\",\"packages\":[]}", "no name and version" },
	{ "[]", "no name and version" },
	{ "{", "" },
	{ UPDATE("7"), "packages[0].name ''" },
	{ UPDATE("{\"name\":\"-oX=1\"}"), "'-oX=1' is not the name" },
	{ UPDATE("{\"name\":\"-\"}"), "is not the name" },
	{ UPDATE("{\"name\":\"a b\"}"), "is not the name" },
	{ UPDATE("{\"name\":\"a*\"}"), "is not the name" },
	{ UPDATE("{\"name\":\"a/stable\"}"), "is not the name" },
	{ UPDATE("{\"name\":\"a=1\"}"), "is not the name" },
	{ UPDATE("{\"name\":\"a\",\"version\":\"=1\"}"), "is not the version" },
	{ UPDATE("{\"name\":\"a\",\"version\":\"\"}"), "is not the version" },
	{ UPDATE("{\"name\":\"a\",\"version\":1.0}"), "is not the version" },
	{ UPDATE("{\"name\":\"a-\",\"version\":\"1\"}"), "is to be removed" },
};

static void
check_updates(void)
{
	for (size_t i = 0; i < sizeof updates / sizeof *updates; i++) {
		struct apt_update u;
		struct fail f = { .text = "" };
		int r = apt_update_parse("u", updates[i].text, strlen(updates[i].text), &u, &f);

		if (updates[i].wrong ? r >= 0 || f.status != EXIT_USAGE || !strstr(f.text, updates[i].wrong) : r != 0) {
			fprintf(stderr, "%s: %d '%s'\n", updates[i].text, r, f.text);
			abort();
		}
		apt_update_release(&u);
	}
}

static const struct {
	struct apt_package p;
	const char *query, *operand, *why;	/* WHY NULL where it is met */
} packages[] = {
	{ { (char[]){ "a" }, (char[]){ "1.0" }, false }, "installed 1.0\n", "a=1.0", NULL },
	{ { (char[]){ "a" }, (char[]){ "1.0" }, false }, "installed 1.0.1\n", "a=1.0", "a is at 1.0.1" },
	{ { (char[]){ "a" }, (char[]){ "1.0.1" }, false }, "installed 1.0\n", "a=1.0.1", "a is at 1.0" },
	{ { (char[]){ "a" }, (char[]){ "1.0" }, false }, "installed 2\ninstalled 1.0\n", "a=1.0", NULL },
	{ { (char[]){ "a" }, (char[]){ "1.0" }, false }, "config-files 1.0\n", "a=1.0", "a is not installed" },
	{ { (char[]){ "a" }, (char[]){ "1.0" }, false }, "half-installed 1.0\nunpacked 1.0\n", "a=1.0", "a is not installed" },
	{ { (char[]){ "a" }, NULL, false }, "installed 7\n", "a", NULL },
	{ { (char[]){ "a" }, NULL, false }, "", "a", "a is not installed" },
	{ { (char[]){ "a" }, NULL, true }, "", "a-", NULL },
	{ { (char[]){ "a" }, NULL, true }, "not-installed \n", "a-", NULL },
	{ { (char[]){ "a" }, NULL, true }, "installed 7\n", "a-", "a is at 7" },
};

static void
check_packages(void)
{
	for (size_t i = 0; i < sizeof packages / sizeof *packages; i++) {
		_cleanup_free_ char *operand = apt_package_operand(&packages[i].p);
		_cleanup_buf_ struct buf why = BUF_INIT;
		bool met = apt_package_is_met(&packages[i].p, packages[i].query, &why);

		if (strcmp(operand, packages[i].operand) != 0 || met != !packages[i].why ||
		    strcmp(why.s, met ? "" : packages[i].why) != 0) {
			fprintf(stderr, "package %zu: %s %d '%s'\n", i, operand, met, why.s);
			abort();
		}
	}
}

int
main(void)
{
	check_updates();
	check_packages();
	return 0;
}
