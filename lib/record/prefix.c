#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "record/prefix.h"

enum { NAME_MAX = 64 };		/* bytes of a name in brackets or before "|" */

static bool
is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	return is_upper(c) || is_digit(c) || (c >= 'a' && c <= 'z');
}

/* A byte of a name: of a container, a pod, a thread, a target. */
static bool
is_name(char c)
{
	return is_alnum(c) || (c && strchr("_-./:#@$", c));
}

static size_t
run_length(const char *p, size_t n, size_t at, bool (*is)(char c))
{
	size_t i = at;

	while (i < n && is(p[i]))
		i++;
	return i - at;
}

/* ESC [ 1 ; 32 m */
static size_t
escape(const char *p, size_t n, size_t at)
{
	size_t i = at + 2;

	if (i >= n || p[at] != '\033' || p[at + 1] != '[')
		return 0;
	while (i < n && (is_digit(p[i]) || p[i] == ';'))
		i++;
	return i < n && p[i] >= '@' && p[i] <= '~' ? i + 1 - at : 0;
}

/* <34> and <34>1 . */
static size_t
priority(const char *p, size_t n, size_t at)
{
	size_t digits = run_length(p, n, at + 1, is_digit), i = at + 1 + digits;

	if (digits < 1 || digits > 3 || i >= n || p[i] != '>')
		return 0;
	i++;
	if (i + 1 < n && p[i] == '1' && p[i + 1] == ' ')
		i += 2;
	return i - at;
}

static size_t
skip_always(const char *p, size_t n, size_t at)
{
	switch (p[at]) {
	case '\0':
	case ' ':
	case '\t':
	case '[':
	case '(':
	case '"':
	case '\'':
		return 1;
	case '\033':
		return escape(p, n, at);
	case '<':
		return priority(p, n, at);
	case '\xef':
		return n - at >= 3 && memcmp(p + at, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	default:
		return 0;
	}
}

/* A level at the start of a line, with what is behind it; also behind a name, as "zigbee2mqtt:info  ". */
static size_t
level(const char *p, size_t n, size_t at)
{
	static const char *const words[] = {
		"trace", "debug", "info", "information", "notice", "warn", "warning", "error", "err", "crit", "critical",
		"alert", "emerg", "emergency", "fatal", "severe", "fine", "finer", "finest", "config", "verbose", "dbg",
	};
	size_t len = run_length(p, n, at, is_alnum), i = at + len;
	bool known = len == 1 && strchr("DIWEFTCNAXd", p[at]);
	const size_t from = at;

	if (len > 1 && len <= NAME_MAX && i < n && p[i] == ':') {
		const size_t more = run_length(p, n, i + 1, is_alnum);

		if (more > 1 && i + 1 + more < n && p[i + 1 + more] == ' ') {
			at = i + 1;
			len = more;
			i = at + len;
		}
	}
	for (size_t k = 0; !known && k < sizeof words / sizeof *words; k++)
		known = strlen(words[k]) == len && strncasecmp(p + at, words[k], len) == 0;
	if (!known || i >= n || !strchr(" :,|][\t-", p[i]) || !p[i])	/* "INFO[" is of logrus */
		return 0;
	while (i < n && p[i] && strchr(" :,|][\t-", p[i]))
		i++;
	return i - from;
}

/* "main] ", behind its bracket; "web-1  | " */
static size_t
skip_name(const char *p, size_t n, size_t at)
{
	size_t len = run_length(p, n, at, is_name), i = at + len;

	if (len == 0 || len > NAME_MAX || i >= n)
		return 0;
	if (at > 0 && p[at - 1] == '[' && p[i] == ' ' && len == 3 && memcmp(p + at, "pid", 3) == 0)
		i += 1 + run_length(p, n, i + 1, is_digit);	/* strace -f */
	if (i < n && p[i] == ']' && at > 0 && p[at - 1] == '[')
		return i + 1 - at;
	while (i < n && p[i] == ' ')
		i++;
	return i + 1 < n && p[i] == '|' && p[i + 1] == ' ' ? i + 2 - at : 0;
}

/* Zabbix has its process id before "20261121:201600.123"; the date is what follows. */
static size_t
zabbix_pid(const char *p, size_t n, size_t at, size_t i)
{
	return i > at && i < n && p[i] == ':' && run_length(p, n, i + 1, is_digit) == 8 && i + 9 < n && p[i + 9] == ':' ?
	    i + 1 - at : 0;
}

/* WebLogic's "####<", and "# Time: " of MySQL's log of slow queries. */
static size_t
number_signs(const char *p, size_t n, size_t at)
{
	size_t i = at;

	while (i < n && p[i] == '#')
		i++;
	if (i > at && i < n && p[i] == '<')
		return i + 1 - at;
	return i == at + 1 && n - i > 7 && memcmp(p + i, " Time: ", 7) == 0 ? 8 : 0;
}

/* "1:M ", "type=SYSCALL msg=", "=INFO REPORT==== ", "*", "000123: " */
static size_t
of_one_program(const char *p, size_t n, size_t at)
{
	size_t i = at + run_length(p, n, at, is_digit);

	if (p[at] == '#')
		return number_signs(p, n, at);
	if (i > at && zabbix_pid(p, n, at, i))
		return zabbix_pid(p, n, at, i);
	if (i > at && i < n && p[i] == ' ') {		/* "7  - " of NestJS */
		while (i < n && p[i] == ' ')
			i++;
		return i + 2 < n && p[i] == '-' && p[i + 1] == ' ' && is_digit(p[i + 2]) ? i + 2 - at : 0;
	}
	if (i > at && i + 2 < n && p[i] == ':' && is_upper(p[i + 1]) && p[i + 2] == ' ')
		return i + 3 - at;
	if (i > at && i + 2 < n && p[i] == ':' && p[i + 1] == ' ' && (is_upper(p[i + 2]) || p[i + 2] == '*' || p[i + 2] == '.'))
		return i + 2 - at;
	if ((p[at] == '*' || p[at] == '.' || p[at] == '<') && at + 1 < n && is_upper(p[at + 1]))
		return 1;
	if (p[at] == '=') {
		const char *end = n - at > 8 ? memmem(p + at + 1, n - at - 1 < 48 ? n - at - 1 : 48, "==== ", 5) : NULL;

		return end ? (size_t)(end + 5 - p) - at : 0;
	}
	if (n - at > 5 && memcmp(p + at, "type=", 5) == 0) {
		i = at + 5;
		while (i < n && (is_alnum(p[i]) || p[i] == '_' || p[i] == '[' || p[i] == ']'))
			i++;
		return n - i > 5 && memcmp(p + i, " msg=", 5) == 0 ? i + 5 - at : 0;
	}
	if (n - at > 4 && memcmp(p + at, "msg=", 4) == 0)
		return 4;
	return 0;
}

/* One word and the blanks behind it; the caller asks for two of them. */
static size_t
word(const char *p, size_t n, size_t at)
{
	size_t len = run_length(p, n, at, is_name), i = at + len;

	if (len == 0 || len > NAME_MAX || i >= n || (p[i] != ' ' && p[i] != '\t'))
		return 0;
	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	return i - at;
}

size_t
prefix_skip(const char *p, size_t n, size_t at, unsigned rules)
{
	size_t len;

	if (at >= n)
		return 0;
	len = skip_always(p, n, at);
	if (len == 0 && (rules & PREFIX_NAMES)) {
		len = level(p, n, at);
		if (len == 0)
			len = of_one_program(p, n, at);
		if (len == 0)
			len = skip_name(p, n, at);
	}
	if (len == 0 && (rules & PREFIX_WORDS))
		len = word(p, n, at);
	return len;
}
