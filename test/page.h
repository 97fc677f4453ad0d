/*
 * page - is this a page of rejoin-log --html, as far as bytes from outside could spoil it?
 */
#ifndef TEST_PAGE_H
#define TEST_PAGE_H

#include <stddef.h>
#include <string.h>

#include "base/json.h"

/*
 * NULL, or where the N bytes of P, with a NUL behind them, are wrong: in the records, which must be JSON without "<",
 * or behind them.
 */
static inline const char *
page_check(const char *p, size_t n)
{
	static const char begin[] = "id=\"data\">", end[] = "</script>";
	const char *data = strstr(p, begin), *tail;
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct fail f;

	if (!data)
		return p;
	data += sizeof begin - 1;
	tail = memchr(data, '<', n - (size_t)(data - p));
	if (!tail || strncmp(tail, end, sizeof end - 1) != 0)
		return tail ? tail : data;
	if (json_parse(NULL, data, (size_t)(tail - data), &v, &f) < 0)
		return data;
	/* The markup that follows is ours. */
	return strncmp(tail + sizeof end - 1, "\n<script>\n", 10) == 0 && strlen(p) == n ? NULL : tail;
}

#endif
