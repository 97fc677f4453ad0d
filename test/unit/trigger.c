#include <stdio.h>
#include <string.h>

#include "component/trigger.h"

static const struct {
	const char *text;
	const char *match;	/* NULL where it is none */
} cases[] = {
	{ "any", "{}" },
	{ "SUBSYSTEM=net", "{\"SUBSYSTEM\":\"net\"}" },
	{ "SUBSYSTEM=usb,ID_VENDOR_ID=ab*", "{\"SUBSYSTEM\":\"usb\",\"ID_VENDOR_ID\":\"ab*\"}" },
	{ "attr:idVendor=1d6b", "{\"attr:idVendor\":\"1d6b\"}" },
	{ "ID_MODEL=a=b", "{\"ID_MODEL\":\"a=b\"}" },
	{ "ID_MODEL=a\\,b,X=", "{\"ID_MODEL\":\"a\\\\,b\",\"X\":\"\"}" },
	{ "ID_MODEL=a\\", "{\"ID_MODEL\":\"a\\\\\"}" },
	{ "", NULL }, { "x", NULL }, { "=x", NULL }, { "a=b,", NULL }, { ",a=b", NULL },
	{ "a=b,c", NULL }, { "a,b=c", NULL }, { "any,a=b", NULL }, { "a/b=c", NULL },
	{ "attr:../x=c", NULL },
};

int
main(void)
{
	int bad = 0;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		_cleanup_json_ struct json m = JSON_ABSENT;
		_cleanup_buf_ struct buf got = BUF_INIT;
		struct fail f = { 0 };
		int r = trigger_parse_match(cases[i].text, &m, &f);

		if (r == 0)
			json_format(m, &got);
		if (r == 0 ? cases[i].match && strcmp(got.s, cases[i].match) == 0
		    : !cases[i].match && f.status == EXIT_USAGE && *f.text)
			continue;
		printf("edge: '%s' is '%s' (%s), want '%s'\n", cases[i].text, got.s, f.text,
		    cases[i].match ? cases[i].match : "an error");
		bad = 1;
	}
	return bad;
}
