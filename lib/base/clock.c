#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static bool scripted;
static int64_t script_ms;

static int64_t
now_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

int64_t
clock_mono_ms(void)
{
	return scripted ? script_ms : now_ms(CLOCK_MONOTONIC);
}

void
clock_script(int64_t ms)
{
	scripted = true;
	script_ms = ms;
}

int
clock_wait(int ms)
{
	if (!scripted || ms < 0)
		return ms;
	script_ms += ms;
	return 0;
}

int64_t
clock_boot_ms(void)
{
	return now_ms(CLOCK_BOOTTIME);
}

static int64_t
now_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

int64_t
clock_boot_us(void)
{
	return now_us(CLOCK_BOOTTIME);
}

int64_t
clock_wall_us(void)
{
	return now_us(CLOCK_REALTIME);
}

int64_t
clock_wall_ms(void)
{
	return now_ms(CLOCK_REALTIME);
}

char *
clock_format(struct timespec t, char text[CLOCK_TEXT])
{
	struct tm tm = { 0 };
	size_t n;

	gmtime_r(&t.tv_sec, &tm);
	n = strftime(text, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, CLOCK_TEXT - n, ".%06ldZ", t.tv_nsec / 1000 % 1000000);
	return text;
}

/* The offset of "Z" or "+HH:MM" from UTC, in seconds; false where S is none. */
static bool
zone_parse(const char *s, int64_t *offset)
{
	static const char form[] = "+00:00";
	int digits[4], n = 0;

	*offset = 0;
	if ((*s == 'Z' || *s == 'z') && !s[1])
		return true;
	if ((*s != '+' && *s != '-') || strlen(s) != sizeof form - 1 || s[3] != ':')
		return false;
	for (int i = 1; s[i]; i++) {
		if (i == 3)
			continue;
		if (s[i] < '0' || s[i] > '9')
			return false;
		digits[n++] = s[i] - '0';
	}
	*offset = ((digits[0] * 10 + digits[1]) * 60 + digits[2] * 10 + digits[3]) * (*s == '-' ? -60 : 60);
	return true;
}

int
clock_parse(const char *text, int64_t *ms)
{
	struct tm tm = { 0 };
	const char *s = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t fraction = 0, offset, unit = 100;

	if (s && *s == '.') {
		if (s[1] < '0' || s[1] > '9')
			return -EINVAL;
		for (s++; *s >= '0' && *s <= '9'; s++, unit /= 10)
			fraction += (*s - '0') * unit;
	}
	if (!s || !zone_parse(s, &offset))
		return -EINVAL;
	*ms = ((int64_t)timegm(&tm) - offset) * 1000 + fraction;
	return 0;
}

char *
clock_now(char text[CLOCK_TEXT])
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return clock_format(t, text);
}

void
clock_sleep_ms(int64_t ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}
