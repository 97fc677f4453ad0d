#include <string.h>

#include "base/num.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "supervise/launch.h"
#include "task/params.h"
#include "task/session.h"
#include "task/taskcommand.h"

static const struct taskcommand commands[] = {
	{ "run", taskverbs_run, true, false,
	    "detach env id json keep lease lines on-loss period stdin timeout user" },
	{ "attach", taskverbs_attach, true, true, "json keep lease period" },
	{ "log", taskverbs_log, false, true, "follow from json" },
	{ "list", taskverbs_list, false, false, "format json" },
	{ "history", taskverbs_history, false, false, "follow format json" },
	{ "kill", taskverbs_kill, false, true, "signal" },
	{ "release", taskverbs_release, false, false, "all" },
};

/* Options of run that are not for --lines, where each line says it for its task. */
static const char of_one_task[] = "detach env id stdin timeout user";

/* Is WORD one of WORDS, which have a blank between? */
static bool
has_word(const char *words, const char *word)
{
	const size_t len = strlen(word);

	for (const char *p = words; (p = strstr(p, word)); p += len)
		if ((p == words || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

const struct taskcommand *
taskcommand_find(const char *name)
{
	for (size_t i = 0; name && i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

bool
taskcommand_prints_records(const struct taskcommand *c)
{
	return has_word(c->options, "format");
}

void
taskcommand_note(struct taskcommand_line *o, const struct opt *opt)
{
	for (size_t i = 0; i < o->n_given; i++)
		if (o->given[i] == opt)
			return;
	o->given[o->n_given++] = opt;
}

static int64_t
id_of(const char *text)
{
	int64_t id;

	if (num_parse(text, 1, PARAMS_ID_MAX, &id) < 0)
		opt_misused("not a task's id, a number from 1 to %jd: '%s'", (intmax_t)PARAMS_ID_MAX, text);
	return id;
}

static void
parse_ids(struct taskcommand_line *o)
{
	if (o->verb.all == (o->operands[0] != NULL))
		opt_misused("either --all or the ids of tasks");
	for (char **p = o->operands; *p; p++)
		json_append(&o->verb.ids, json_number((double)id_of(*p)));
}

static bool
has_option(const struct taskcommand_line *o, const char *name)
{
	for (size_t i = 0; i < o->n_given; i++)
		if (strcmp(o->given[i]->name, name) == 0)
			return true;
	return false;
}

/* An option that the command would ignore is misuse. */
static void
check_options(const struct taskcommand *c, const struct taskcommand_line *o)
{
	for (size_t i = 0; i < o->n_given; i++) {
		const char *name = o->given[i]->name;
		_cleanup_buf_ struct buf takers = BUF_INIT;

		if (o->verb.lines && has_word(of_one_task, name))
			opt_misused("--%s: not an option of run --lines: each line has its own", name);
		for (size_t k = 0; k < sizeof commands / sizeof *commands; k++)
			if (has_word(commands[k].options, name))
				buf_printf(&takers, "%s%s", takers.len > 0 ? ", " : "", commands[k].name);
		if (takers.len > 0 && !has_word(c->options, name))
			opt_misused("--%s: not an option of %s, but of %s", name, c->name, takers.s);
	}
}

void
taskcommand_need_utf8(const char *what, const char *text)
{
	if (utf8_check(text, strlen(text)) != strlen(text))
		opt_misused("%s: not UTF-8, so it cannot be sent: '%s'", what, text);
}

/* The agent would refuse them. */
static void
check_times(const struct taskcommand_line *o)
{
	const struct link_timing *t = &o->verb.timing;

	if (t->period_ms < 1 || t->period_ms > SESSION_PERIOD_MAX_MS)
		opt_misused("--period: must be from 1ms to 1h");
	if (t->lease_ms < SESSION_LEASE_MIN_MS || t->lease_ms > SESSION_LEASE_MAX_MS)
		opt_misused("--lease: must be from 1s to 1d");
	if (has_option(o, "timeout") && (o->verb.timeout_ms < 1 || o->verb.timeout_ms > LAUNCH_TIME_MAX_MS))
		opt_misused("--timeout: must be from 1ms to 366d; without it the task has no timeout");
}

void
taskcommand_check(const struct taskcommand *c, struct taskcommand_line *o)
{
	const bool runs = c->perform == taskverbs_run, has_command = o->verb.command && o->verb.command[0];

	check_options(c, o);
	if (runs && o->operands[0])
		opt_misused("unexpected operand: '%s' (the command stands behind --)", o->operands[0]);
	if (runs && !o->verb.lines && !has_command)
		opt_misused("the command is missing: run -- COMMAND");
	for (char *const *word = o->verb.command; runs && word && *word; word++)
		taskcommand_need_utf8("a word of the command", *word);
	if (o->verb.user)
		taskcommand_need_utf8("--user", o->verb.user);
	if (runs && o->verb.lines && has_command)
		opt_misused("--lines: the commands stand in the lines");
	if (!runs && o->verb.command)
		opt_misused("%s takes no command", c->name);
	if (c->of_task && !o->operands[0])
		opt_misused("the task's id is missing");
	if (!runs && !c->of_task && c->perform != taskverbs_release && o->operands[0])
		opt_misused("unexpected operand: '%s'", o->operands[0]);
	if (c->of_task && o->operands[1])
		opt_misused("unexpected operand: '%s'", o->operands[1]);
	if (c->of_task)
		o->verb.id = id_of(o->operands[0]);
	if (c->perform == taskverbs_release)
		parse_ids(o);
	if (o->verb.detach && o->loss_given && !o->leave)
		opt_misused("--detach leaves the task without a controller: not with --on-loss kill");
	check_times(o);
	o->verb.timing.leave = o->loss_given ? o->leave : o->verb.detach;
	if (!o->verb.timing.leave && 2 * o->verb.timing.period_ms > o->verb.timing.lease_ms)
		opt_misused("twice the --period is more than the --lease");
}
