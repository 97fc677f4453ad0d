#include <assert.h>
#include <errno.h>
#include <string.h>

#include "doctor/codes.h"

static const char named[] =
    "0x00000016\t22\tE_INVAL\tF_UNKNOWN\tERRNO\n"
    "0x30500205\t810549765\tE_RESULT_FILE\tF_HANDLER\tC_SCRIPT\n"
    "no row\n"
    "0x3050020\n"
    "0xA0000FFF\t2684358655\tE_UNCHANGED\tF_INFRA\tC_ROOTKEY\r\n"
    "0xFFFFFFFFF\t1\tE_TOO_LONG\tF\tC";

static const char meanings[] =
    "# a comment\n"
    "-1\tCANCELLED\tcancelled\n"
    "605\tREBOOT\thas to reboot\n"
    "0x30501000-0x305010FF\tEXIT\tended with %d, 100 %%\n"
    "0x30501028\t\tended with forty\n"
    "0xD0000000-0xDFFFFFFF\tDO\tHRESULT %h\n"
    "0xE0000000-0xEFFFFFFF\tERRNO\t%e\n"
    "7-3\tBACKWARDS\tno row\n"
    "\t\t\n"
    "-\tDASH\tno row\n";

/* One record expected of TEXT: its member KEY is WANT; NULL where it has none. */
static void
has(const struct codes *c, const char *text, int r, const char *key, const char *want)
{
	_cleanup_json_ struct json found = JSON_ABSENT, first = JSON_ABSENT;
	const char *is;

	assert(codes_explain(c, text, &found) == r);
	assert(json_count(found) == 1);
	first = json_at(found, 0);
	is = json_get_text(first, key);
	assert(want ? is && strcmp(is, want) == 0 : !is);
}

static void
codes_are_explained(void)
{
	struct codes *c = codes_parse(named, meanings);

	has(c, "605", 1, "name", "REBOOT");
	has(c, "605", 1, "code", "605");
	has(c, "-1", 1, "meaning", "cancelled");
	has(c, "22", 1, "name", "E_INVAL");
	has(c, "0x30500205", 1, "component", "C_SCRIPT");
	has(c, "30500205", 1, "name", "E_RESULT_FILE");
	has(c, "810549765", 1, "code", "0x30500205");
	has(c, "-1610608641", 1, "name", "E_UNCHANGED");
	has(c, "a0000fff", 1, "code", "0xA0000FFF");
	/* a range, and what is narrower in it */
	has(c, "0x30501007", 1, "meaning", "ended with 7, 100 %");
	has(c, "0x30501028", 1, "meaning", "ended with forty");
	has(c, "D0070057", 1, "meaning", "HRESULT 0x80070057");
	has(c, "0xE0000002", 1, "meaning", "No such file or directory");
	/* only the bits are known, or nothing */
	has(c, "0x305FFFFF", 0, "component", "C_SCRIPT");
	has(c, "0x30600000", 0, "facility", "F_HANDLER");
	has(c, "0x30600000", 0, "component", NULL);
	has(c, "0x90000000", 0, "facility", NULL);
	has(c, "5", 0, "name", NULL);
	codes_free(c);
}

static void
several_are_told_apart(void)
{
	struct codes *c = codes_parse(named, meanings);
	_cleanup_json_ struct json found = JSON_ABSENT;

	assert(codes_explain(c, "30501028,A0000FFF,605", &found) == 1 && json_count(found) == 3);
	json_release(&found);
	assert(codes_explain(c, "605,0x90000000", &found) == 0 && json_count(found) == 2);
	codes_free(c);
}

static void
what_is_no_code_is_refused(void)
{
	static const char *const texts[] = { "", ",", "605,", "x", "0x", "0xg", "0x123456789", "-", "--1",
	    "+5", " 5", "5 ", "4294967296", "-2147483649", "123456789012345678901234567890123456" };
	struct codes *c = codes_parse(named, meanings);

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct json found = JSON_ABSENT;

		assert(codes_explain(c, texts[i], &found) == -EINVAL);
		assert(json_kind(found) == JSON_NONE);
	}
	codes_free(c);
}

int
main(void)
{
	codes_are_explained();
	several_are_told_apart();
	what_is_no_code_is_refused();
	return 0;
}
