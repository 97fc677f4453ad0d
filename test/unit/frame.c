#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retry/frame.h"

#define PAD52	"\0\0\0\0\0\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0\0\0\0\0\0" \
		"\0\0\0\0\0\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define RETRY	"retry-update" PAD52
#define TEN	"0123456789"
#define SIXTY	TEN TEN TEN TEN TEN TEN

static const struct {
	const char *bytes;
	size_t n;
	const char *commands;	/* a blank after each; ! for bytes dropped */
	size_t left;		/* bytes of a frame begun */
} streams[] = {
	{ "", 0, "", 0 },
	{ RETRY, 64, "retry-update ", 0 },
	{ RETRY RETRY, 128, "retry-update retry-update ", 0 },
	{ RETRY, 63, "", 63 },
	{ "retry-update", 12, "", 12 },			/* printf retry-update >pipe */
	{ "retry-update" RETRY, 76, "retry-updateretry-update ", 0 },
	{ "retry-update\0" RETRY, 77, "retry-update retry-update ", 0 },
	{ PAD52 RETRY, 116, "retry-update ", 0 },	/* the rest of a short one */
	{ SIXTY "abc\0", 64, SIXTY "abc ", 0 },		/* the longest */
	{ SIXTY "abcd", 64, "! ", 0 },			/* no end */
	{ SIXTY "abcd" RETRY, 128, "! retry-update ", 0 },
};

/* Fed in pieces of STEP bytes the stream says the same. */
static void
check(size_t i, size_t step)
{
	struct frame_reader r = { 0 };
	char command[FRAME_SIZE], got[512] = "";

	for (size_t at = 0; at < streams[i].n; at += step) {
		const char *p = streams[i].bytes + at;
		size_t n = streams[i].n - at < step ? streams[i].n - at : step;
		int e;

		while ((e = frame_next(&r, &p, &n, command)) != 0) {
			strcat(got, e == 1 ? command : "!");
			strcat(got, " ");
		}
		assert(n == 0);
	}
	if (strcmp(got, streams[i].commands) != 0 || r.len != streams[i].left) {
		printf("frame: stream %zu by %zu: got '%s' and %zu left, not '%s' and %zu\n", i,
		    step, got, r.len, streams[i].commands, streams[i].left);
		exit(1);
	}
}

static void
is_formatted(void)
{
	char command[] = "retry-update";
	struct profile_retry adu = { .frame = FRAME_ADU64, .command = command };
	struct profile_retry line = { .frame = FRAME_LINE, .command = command };
	struct profile_retry byte = { .frame = FRAME_BYTE, .byte = 0 };
	_cleanup_buf_ struct buf b = BUF_INIT;

	frame_format(&adu, &b);
	assert(b.len == 64 && memcmp(b.s, RETRY, 64) == 0);
	frame_format(&line, &b);
	assert(b.len == 13 && memcmp(b.s, "retry-update\n", 13) == 0);
	frame_format(&byte, &b);
	assert(b.len == 1 && b.s[0] == 0);
}

static void
short_one_is_dropped(void)
{
	struct frame_reader r = { 0 };
	char command[FRAME_SIZE];
	const char *p = "retry-update\n";
	size_t n = 13;

	assert(frame_next(&r, &p, &n, command) == 0);
	assert(frame_drop(&r, command) == 13 && strcmp(command, "retry-update\n") == 0);
	assert(frame_drop(&r, command) == 0 && strcmp(command, "") == 0);
	assert(frame_asks("retry-update", "retry-update"));
	assert(frame_asks("junkretry-update", "retry-update"));
	assert(!frame_asks("retry-updates", "retry-update") && !frame_asks("", "retry-update"));
}

/* The names, a line each. */
static void
name_add(size_t which, const char *name, void *cookie)
{
	strcat(cookie, which ? "call " : "");
	strcat(cookie, name);
	strcat(cookie, "\n");
}

static void
check_named(void)
{
	const char *const names[] = { "retry-update", NULL };
	struct frame_reader r = { 0 };
	char got[256] = "", frame[64] = "retry-instance left", odd[64] = "retry-instance retry-update",
	    none[64] = "retry-instance ", call[64] = "call pause 5";
	struct frame_haul h = { .named_commands = { "retry-instance", "call" }, .named = name_add, .cookie = got };

	frame_sort(&r, frame, sizeof frame, names, &h);
	frame_sort(&r, odd, sizeof odd, names, &h);
	frame_sort(&r, none, sizeof none, names, &h);
	frame_sort(&r, call, sizeof call, names, &h);
	assert(strcmp(got, "left\nretry-update\ncall pause 5\n") == 0 && h.asked == 0 && h.ignored == 1);
	h.named_commands[1] = NULL;
	frame_sort(&r, call, sizeof call, names, &h);
	assert(h.ignored == 2 && strcmp(h.sample, "retry-instance ") == 0);
}

static void
check_sort(void)
{
	static const char bytes[] = RETRY SIXTY "abcd" "reboot\0\0\0" RETRY;
	const char *const names[] = { "retry-update", "halt", NULL }, *const one[] = { "retry-update", NULL };
	struct frame_reader r = { 0 };
	struct frame_haul h = { 0 };

	frame_sort(&r, bytes, sizeof bytes - 1, one, &h);
	assert(h.asked == 2 && h.again == 0 && h.ignored == 2 && !*h.sample);
	frame_sort(&r, "halt" PAD52 "\0\0\0\0\0\0\0\0", 64, one, &h);
	assert(h.asked == 2 && h.ignored == 3 && !*h.sample);
	frame_sort(&r, "halt" PAD52 "\0\0\0\0\0\0\0\0", 64, names, &h);
	assert(h.asked == 3 && h.again == 1 && h.ignored == 3);
}

int
main(void)
{
	check_sort();
	check_named();
	for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
		for (size_t step = 1; step <= 130; step++)
			check(i, step);
	is_formatted();
	short_one_is_dropped();
	return 0;
}
