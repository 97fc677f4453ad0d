/* The methods that query another program: systemd, dbus, exec, adu-api. */
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "agent/adu_api.h"
#include "agent/command.h"
#include "agent/status_method.h"
#include "agent/systemd.h"
#include "base/clock.h"

enum { POLL_MS = 250 };

static void
set_unknown(struct status *s, const char *why)
{
	s->state = AGENT_UNKNOWN;
	snprintf(s->note, sizeof s->note, "%.*s", (int)sizeof s->note - 1, why);
}

static bool
is_match(const char *expression, const char *answer)
{
	bool yes = false;
	regex_t re;

	if (expression && regcomp(&re, expression, REG_EXTENDED | REG_NOSUB | REG_NEWLINE) == 0) {
		yes = regexec(&re, answer, 0, NULL, 0) == 0;
		regfree(&re);
	}
	return yes;
}

/* The state that ANSWER tells of, AGENT_UNKNOWN for none. */
static enum agent_state
state_of_answer(const struct profile_status *how, const char *answer)
{
	const struct {
		const char *expression;
		enum agent_state state;
	} words[] = {
		{ how->needs_reboot, AGENT_NEEDS_REBOOT }, { how->busy, AGENT_BUSY }, { how->starting, AGENT_STARTING },
		{ how->stopping, AGENT_STOPPING }, { how->failed, AGENT_FAILED },
		{ how->stopped, AGENT_STOPPED }, { how->idle, AGENT_IDLE },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (is_match(words[i].expression, answer))
			return words[i].state;
	return AGENT_UNKNOWN;
}

/* Set the state of S from ANSWER. */
static void
apply_answer(const struct profile_status *how, const char *answer, struct status *s)
{
	char note[STATUS_TEXT];

	s->state = state_of_answer(how, answer);
	if (s->state == AGENT_UNKNOWN) {
		snprintf(note, sizeof note, "its answer is not known: %.*s",
		    (int)strcspn(answer, "\n"), answer);
		set_unknown(s, note);
	} else if (s->state == AGENT_STOPPED) {
		s->running = 0;
	} else if (s->running < 0) {
		s->running = 1;
	}
}

static enum agent_state
unit_state(const struct systemd_unit *u)
{
	static const struct {
		const char *active;
		enum agent_state state;
	} states[] = {
		{ "active", AGENT_IDLE }, { "reloading", AGENT_BUSY }, { "inactive", AGENT_STOPPED },
		{ "failed", AGENT_FAILED }, { "activating", AGENT_STARTING },
		{ "deactivating", AGENT_STOPPING },
	};

	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (strcmp(u->active, states[i].active) == 0)
			return states[i].state == AGENT_IDLE && u->job ? AGENT_BUSY : states[i].state;
	return AGENT_UNKNOWN;
}

static void
ask_systemd(const struct profile *p, struct status *s)
{
	_cleanup_buf_ struct buf answer = BUF_INIT;
	struct systemd_unit u;
	enum agent_state says;
	struct fail f;

	if (systemd_show(p->unit, p->status.timeout_ms, &u, &answer, &f) < 0) {
		set_unknown(s, f.text);
		return;
	}
	s->state = unit_state(&u);
	s->pid = u.pid;
	status_method_read_incarnation(s);
	s->running = s->state != AGENT_STOPPED && s->state != AGENT_FAILED &&
	    strcmp(u.sub, "auto-restart") != 0;
	says = state_of_answer(&p->status, answer.s);
	if (says != AGENT_UNKNOWN && s->state == AGENT_IDLE)
		s->state = says;
	if (strcmp(u.load, "loaded") != 0)
		snprintf(s->note, sizeof s->note, "%s is %s", p->unit, u.load);
	else if (strcmp(u.sub, "auto-restart") == 0 || s->state == AGENT_FAILED)
		snprintf(s->note, sizeof s->note, "%s: %s; restarted %lld times", u.sub, u.result,
		    (long long)u.restarts);
	else
		snprintf(s->note, sizeof s->note, "%s", u.text);
}

/* Does the bus name of the profile have no owner?  NameHasOwner does not activate a service. */
static bool
has_no_bus_owner(const struct profile *p)
{
	const char *argv[] = { "busctl", "--system", "call", "org.freedesktop.DBus",
	    "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner", "s",
	    p->status.property[0], NULL };
	_cleanup_buf_ struct buf answer = BUF_INIT;
	struct fail f;

	return command_capture(argv, p->status.timeout_ms, &answer, &f) == 0 &&
	    strcmp(answer.s, "b false\n") == 0;
}

static void
ask_dbus(const struct profile *p, struct status *s)
{
	char **property = p->status.property;
	const char *argv[] = { "busctl", "--system", "--auto-start=no", "get-property", property[0],
	    property[1], property[2], property[3], NULL };
	_cleanup_buf_ struct buf answer = BUF_INIT;
	struct fail f;
	int r = command_capture(argv, p->status.timeout_ms, &answer, &f);

	if (r == 0) {
		apply_answer(&p->status, answer.s, s);
	} else if (r > 0 && has_no_bus_owner(p)) {
		s->state = AGENT_STOPPED;
		s->running = 0;
		snprintf(s->note, sizeof s->note, "%s is not on the bus", property[0]);
	} else {
		set_unknown(s, f.text);
	}
}

static void
ask_exec(const struct profile *p, struct status *s)
{
	_cleanup_buf_ struct buf answer = BUF_INIT;
	struct fail f;
	int r = command_capture((const char *const *)p->status.argv, p->status.timeout_ms, &answer, &f);

	if (r < 0) {
		set_unknown(s, f.text);
		return;
	}
	if (answer.len && answer.s[answer.len - 1] != '\n')
		buf_putc(&answer, '\n');
	buf_printf(&answer, "status=%d\n", r);
	apply_answer(&p->status, answer.s, s);
}

static void
ask_adu_api(const struct profile *p, struct status *s)
{
	_cleanup_buf_ struct buf answer = BUF_INIT;
	struct fail f;
	int r = adu_api_ask(p, p->status.timeout_ms, &answer, &f);

	if (r == 0) {
		apply_answer(&p->status, answer.s, s);
	} else if (f.status == EXIT_ABSENT && s->running < 0) {
		s->state = AGENT_STOPPED;
		s->running = 0;
		snprintf(s->note, sizeof s->note, "%.*s", (int)sizeof s->note - 1, f.text);
	} else {	/* it runs, and is too old to be asked, or may not be */
		set_unknown(s, f.text);
	}
}

static int
read_systemd(const struct profile *p, struct status *s, struct fail *f)
{
	(void)f;
	ask_systemd(p, s);
	return 0;
}

/* A unit without a process has nothing that could answer. */
static int
read_running(const struct profile *p, struct status *s, void (*ask)(const struct profile *, struct status *))
{
	status_method_read_unit(p, s);
	if (s->running == 0)
		s->state = AGENT_STOPPED;
	else
		ask(p, s);
	return 0;
}

static int
read_dbus(const struct profile *p, struct status *s, struct fail *f)
{
	(void)f;
	return read_running(p, s, ask_dbus);
}

static int
read_exec(const struct profile *p, struct status *s, struct fail *f)
{
	(void)f;
	return read_running(p, s, ask_exec);
}

static int
read_adu_api(const struct profile *p, struct status *s, struct fail *f)
{
	(void)f;
	return read_running(p, s, ask_adu_api);
}

const struct status_method status_method_systemd = { read_systemd, status_method_poll_idle, POLL_MS, POLL_MS, false };
const struct status_method status_method_dbus = { read_dbus, status_method_poll_idle, POLL_MS, POLL_MS, false };
const struct status_method status_method_exec = { read_exec, status_method_poll_idle, POLL_MS, POLL_MS, false };
const struct status_method status_method_adu_api = { read_adu_api, status_method_poll_idle, POLL_MS, POLL_MS, false };
