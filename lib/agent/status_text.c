#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "agent/status_text.h"
#include "base/num.h"

static const char *const state_names[] = {
	[AGENT_UNKNOWN] = "unknown", [AGENT_STOPPED] = "stopped", [AGENT_STARTING] = "starting",
	[AGENT_IDLE] = "idle", [AGENT_BUSY] = "busy", [AGENT_FAILED] = "failed",
	[AGENT_STOPPING] = "stopping", [AGENT_NEEDS_REBOOT] = "needs-reboot",
	[AGENT_HUNG] = "hung",
};

enum status_key_type { TEXT, LONG_TEXT, NUMBER, RESULT, PID, FLAG, STATE };

#define AT(member)	offsetof(struct status, member)

/* The keys of the file, in its order. */
static const struct status_key {
	const char *name;
	enum status_key_type kind;
	size_t at;
} keys[] = {
	{ "agent", TEXT, AT(agent) },
	{ "pid", PID, AT(pid) },
	{ "incarnation", TEXT, AT(incarnation) },
	{ "since", TEXT, AT(since) },
	{ "state", STATE, AT(state) },
	{ "state_since", TEXT, AT(state_since) },
	{ "workflow", TEXT, AT(workflow) },
	{ "phase", TEXT, AT(phase) },
	{ "progress", TEXT, AT(progress) },
	{ "waiting", NUMBER, AT(waiting) },
	{ "pending", FLAG, AT(pending) },
	{ "cycle", NUMBER, AT(cycle) },
	{ "retries", NUMBER, AT(retries) },
	{ "covered", NUMBER, AT(covered) },
	{ "settled", NUMBER, AT(settled) },
	{ "settled_cycle", NUMBER, AT(settled_cycle) },
	{ "result", RESULT, AT(result) },
	{ "unsigned", FLAG, AT(is_unsigned) },
	{ "paused", FLAG, AT(paused) },
	{ "call", TEXT, AT(call) },
	{ "note", TEXT, AT(note) },
	{ "report", LONG_TEXT, AT(report) },
};

const char *
status_text_state(enum agent_state s)
{
	return state_names[s];
}

/* The N bytes of VALUE into TEXT of SIZE bytes, without the quotes of os-release(5). */
static void
set_text(char *text, size_t size, const char *value, size_t n)
{
	const char *end = value + n;
	char quote = '\0';

	if (n >= 2 && (*value == '"' || *value == '\'') && value[n - 1] == *value) {
		quote = *value++;
		end--;
	}
	for (; value < end && size > 1; value++, size--) {
		if (quote == '"' && *value == '\\' && value + 1 < end)
			value++;
		*text++ = *value;
	}
	*text = '\0';
}

static void
set_member(const struct status_key *k, const char *value, size_t n, struct status *s)
{
	void *at = (char *)s + k->at;
	char text[STATUS_TEXT];
	int64_t number = 0;
	int yes;

	set_text(text, sizeof text, value, n);
	switch (k->kind) {
	case TEXT:
		strcpy(at, text);
		break;
	case LONG_TEXT:
		set_text(at, STATUS_PATH, value, n);
		break;
	case NUMBER:
		if (num_parse(text, 0, INT64_MAX, &number) == 0)
			*(int64_t *)at = number;
		break;
	case RESULT:
		if (num_parse(text, INT32_MIN, INT32_MAX, &number) == 0)
			*(int32_t *)at = (int32_t)number;
		break;
	case PID:
		if (num_parse(text, 0, INT32_MAX, &number) == 0)
			*(pid_t *)at = (pid_t)number;
		break;
	case FLAG:
		if (num_parse_bool(text, &yes) == 0)
			*(bool *)at = yes;
		break;
	case STATE:
		for (int i = 0; i < (int)(sizeof state_names / sizeof *state_names); i++)
			if (strcmp(text, state_names[i]) == 0)
				*(enum agent_state *)at = (enum agent_state)i;
		break;
	}
}

static void
parse_line(const char *line, size_t n, struct status *s)
{
	const char *eq = memchr(line, '=', n);
	size_t len;

	if (!eq)
		return;
	len = (size_t)(eq - line);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (strlen(keys[i].name) == len && memcmp(keys[i].name, line, len) == 0)
			set_member(&keys[i], eq + 1, n - len - 1, s);
}

void
status_text_parse(const char *text, size_t len, struct status *s)
{
	const char *end = text + len;

	*s = (struct status){ .running = -1 };
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		const char *stop = nl ? nl : end;

		parse_line(text, (size_t)(stop - text), s);
		text = stop + 1;
	}
}

/* So that a shell can read the file without running what a workflow's id says. */
static void
add_text(const char *value, struct buf *out)
{
	if (!value[strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789_./:%+,@-")]) {
		buf_puts(out, value);
		return;
	}
	buf_putc(out, '"');
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (strchr("\"$`\\", c))
			buf_putc(out, '\\');
		buf_putc(out, c < 0x20 || c == 0x7f ? ' ' : (char)c);
	}
	buf_putc(out, '"');
}

void
status_text_format(const struct status *s, struct buf *out)
{
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const void *at = (const char *)s + keys[i].at;

		buf_printf(out, "%s=", keys[i].name);
		switch (keys[i].kind) {
		case TEXT:
		case LONG_TEXT:
			add_text(at, out);
			break;
		case NUMBER:
			buf_printf(out, "%" PRId64, *(const int64_t *)at);
			break;
		case RESULT:
			buf_printf(out, "%" PRId32, *(const int32_t *)at);
			break;
		case PID:
			buf_printf(out, "%jd", (intmax_t)*(const pid_t *)at);
			break;
		case FLAG:
			buf_puts(out, *(const bool *)at ? "yes" : "no");
			break;
		case STATE:
			buf_puts(out, status_text_state(*(const enum agent_state *)at));
			break;
		}
		buf_putc(out, '\n');
	}
}
