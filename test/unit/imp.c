/* imp/entry: what impCentral sends, as its documentation and its clients show it. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imp/client.h"
#include "imp/entry.h"

static const struct { const char *text, *shown; bool start; } entries[] = {
	{ "{\"device_id\":\"234776801163a9ee\",\"ts\":\"2018-01-22T19:49:30.423Z\",\"log_type\":\"development\","
	    "\"type\":\"status\",\"msg\":\"Agent restarted: reload.\"}",
	    "234776801163a9ee 2018-01-22T19:49:30.423Z development status Agent restarted: reload.", true },
	{ "{\"device_id\":\"234776801163a9ee\",\"ts\":\"2018-01-22T19:49:30.667Z\",\"log_type\":\"development\","
	    "\"type\":\"status\",\"msg\":\"Downloading new code; 16.83% program storage used\"}",
	    "234776801163a9ee 2018-01-22T19:49:30.667Z development status Downloading new code; 16.83% program"
	    " storage used", true },
	{ "{\"device_id\":\"234776801163a9ee\",\"ts\":\"2018-01-22T19:49:34.917Z\",\"log_type\":\"development\","
	    "\"type\":\"server.log\",\"msg\":\"{\\\"type\\\":\\\"SESSION_START\\\"}\"}",
	    "234776801163a9ee 2018-01-22T19:49:34.917Z development server.log {\"type\":\"SESSION_START\"}", false },
	{ "232390b030728cee 2017-05-19T17:28:19.095Z development server.log Connected by WiFi on SSID \"darkmatter\"",
	    "232390b030728cee 2017-05-19T17:28:19.095Z development server.log Connected by WiFi on SSID"
	    " \"darkmatter\"", false },
	{ "d 2017-05-19T17:28:19.095Z production lastexitcode out of memory",
	    "d 2017-05-19T17:28:19.095Z production lastexitcode out of memory", true },
	{ "d t production agent.log Agent restarted: says the device", "d t production agent.log Agent restarted: says"
	    " the device", false },
	{ "d t production server.error two\nlines", "d t production server.error two\nlines", false },
	{ "d t production status ", "d t production status ", false },
	{ "", NULL, false }, { "d t production", NULL, false }, { "{\"ts\":\"t\"}", NULL, false }, { "{", NULL, false },
	{ "{\"msg\":\"no device\",\"ts\":\"t\",\"type\":\"status\"}", NULL, false },
	{ "{\"device_id\":\"d\",\"ts\":\"t t\",\"type\":\"status\",\"msg\":\"\"}", NULL, false },
};

static void
check(size_t i)
{
	_cleanup_buf_ struct buf shown = BUF_INIT;
	struct imp_entry e, again;
	int r = imp_entry_parse(entries[i].text, strlen(entries[i].text), &e);

	if ((r < 0) != !entries[i].shown) {
		printf("entry %zu: %d\n", i, r);
		exit(1);
	}
	if (r < 0)
		return;
	imp_entry_format(&e, &shown);
	if (strcmp(shown.s, entries[i].shown) != 0 || imp_entry_is_start(&e) != entries[i].start) {
		printf("entry %zu: '%s', start %d\n", i, shown.s, imp_entry_is_start(&e));
		exit(1);
	}
	/* the same, whichever way it comes */
	assert(imp_entry_parse(shown.s, shown.len, &again) == 0 && again.hash == e.hash);
	imp_entry_release(&again);
	imp_entry_release(&e);
}

int
main(void)
{
	static const char *const good[] = { "234776801163a9ee", "0c:2a:69:01:02:03", "gXtIrU-_4" };
	static const char *const bad[] = { "", "a/b", "..", "a?b", "a b", "a%2f",
	    "01234567890123456789012345678901234567890123456789012345678901234" };

	for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
		check(i);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert(imp_is_device(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert(!imp_is_device(bad[i]));
	return 0;
}
