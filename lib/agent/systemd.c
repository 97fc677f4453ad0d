#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "agent/command.h"
#include "agent/systemd.h"
#include "base/num.h"

#define AT(member)	offsetof(struct systemd_unit, member)

enum { TEXT, NUMBER, PID };

static const struct unit_property {
	const char *name;
	int kind;
	size_t at, size;
} properties[] = {
	{ "LoadState", TEXT, AT(load), SYSTEMD_TEXT },
	{ "ActiveState", TEXT, AT(active), SYSTEMD_TEXT },
	{ "SubState", TEXT, AT(sub), SYSTEMD_TEXT },
	{ "Result", TEXT, AT(result), SYSTEMD_TEXT },
	{ "InvocationID", TEXT, AT(invocation), SYSTEMD_TEXT },
	{ "NeedDaemonReload", TEXT, AT(reload), sizeof ((struct systemd_unit *)0)->reload },
	{ "StatusText", TEXT, AT(text), sizeof ((struct systemd_unit *)0)->text },
	{ "NRestarts", NUMBER, AT(restarts), 0 },
	{ "Job", NUMBER, AT(job), 0 },
	{ "ExecMainStartTimestampMonotonic", NUMBER, AT(began_us), 0 },
	{ "MainPID", PID, AT(pid), 0 },
};

static void
set_property(const struct unit_property *k, const char *value, size_t n, struct systemd_unit *u)
{
	void *at = (char *)u + k->at;
	char text[32];
	int64_t number;

	if (k->kind == TEXT) {
		snprintf(at, k->size, "%.*s", (int)n, value);
		return;
	}
	snprintf(text, sizeof text, "%.*s", (int)(n < sizeof text ? n : sizeof text - 1), value);
	if (k->kind == NUMBER && num_parse(text, 0, INT64_MAX, &number) == 0)
		*(int64_t *)at = number;
	else if (k->kind == PID && num_parse(text, 0, INT32_MAX, &number) == 0)
		*(pid_t *)at = (pid_t)number;
}

void
systemd_parse(const char *text, size_t len, struct systemd_unit *u)
{
	const char *end = text + len, *nl;

	*u = (struct systemd_unit){ .pid = 0 };
	for (; text < end; text = nl + 1) {
		nl = memchr(text, '\n', (size_t)(end - text));
		if (!nl)
			nl = end;
		for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
			const struct unit_property *k = &properties[i];
			size_t n = strlen(k->name);

			if ((size_t)(nl - text) > n && memcmp(text, k->name, n) == 0 && text[n] == '=')
				set_property(k, text + n + 1, (size_t)(nl - text) - n - 1, u);
		}
	}
}

int
systemd_show(const char *unit, int64_t timeout_ms, struct systemd_unit *u, struct buf *out,
    struct fail *f)
{
	_cleanup_buf_ struct buf argument = BUF_INIT, answer = BUF_INIT;
	const char *argv[] = { "systemctl", "show", NULL, "--", unit, NULL };
	struct fail why;
	int r;

	for (size_t i = 0; i < sizeof properties / sizeof *properties; i++)
		buf_printf(&argument, "%s%s", i ? "," : "--property=", properties[i].name);
	argv[2] = argument.s;
	r = command_capture(argv, timeout_ms, &answer, &why);
	if (r < 0) {
		*f = why;
		return r;
	}
	systemd_parse(answer.s, answer.len, u);
	if (r > 0 || !*u->active)
		return fail_set(f, EXIT_TROUBLE, "%s: systemctl show: %s", unit, why.text);
	if (out) {
		buf_reset(out);
		buf_add(out, answer.s, answer.len);
	}
	return 0;
}
