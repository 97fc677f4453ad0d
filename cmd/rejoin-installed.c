/*
 * rejoin-installed - say of each component whether what is wanted is installed
 *
 * Asks one question (a version, a jq program, a manifest's steps, a script) of
 * each component of the inventories, or of each record on stdin, and prints the
 * record with "installed" true, false or null.  EXIT_NO where one is not, or
 * where there is no component; EXIT_TROUBLE where one could not be told.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/profile.h"
#include "base/json.h"
#include "base/opt.h"
#include "base/procset.h"
#include "base/xalloc.h"
#include "component/component.h"
#include "component/listing.h"
#include "component/component_source.h"
#include "deploy/agent_config.h"
#include "deploy/batch.h"
#include "deploy/download.h"

enum { OPT_MISSING = OPT_OWN, TIMEOUT_MS = 60000, GRACE_MS = 5000, JOBS_MAX = 1024 };

static const struct opt opts[] = {
	OPT_AGENT,
	{ 'c', "criteria", "TEXT", "installed if the version is TEXT; with -H the script's --installed-criteria" },
	OPT_FORMAT(LISTING_COMMON_LIST, LISTING_DEFAULT_TEXT ", or with '-'"),
	{ 'H', "handler", "SCRIPT", "installed if SCRIPT says so, run as a step of microsoft/script:1" },
	{ 'j', "jobs", "N", "evaluate up to N components at a time", .preset = "the number of processors" },
	OPT_JSON,
	{ 'm', "manifest", "FILE", "installed if the steps of the goal, manifest or import manifest FILE say so" },
	{ OPT_MISSING, "missing", NULL, "print only components that are not installed" },
	OPT_TIMEOUT("kill a script that runs longer than DUR; 0s is no limit", "60s"),
	{ 'w', "where", "JQ", "installed if the jq program JQ yields true for the record" },
	OPT_COMMON
};

static const struct opt_tool tool_options = {
	.purpose = "tell per component whether the wanted version is installed",
	.synopsis = "[-A NAME] (-c TEXT | -w JQ | -m FILE | -H SCRIPT)\n\t[--missing] [--timeout DUR] [-j N] [--format F]\n"
	    "\t[- | INVENTORY...] [-- SCRIPT-ARGS]",
	.opts = opts,
	.operands = OPT_FILES, .has_command = true,
	.statuses = "0 installed on all; 1 not installed on some, or no component; 2 usage; 3 unknown for some, or trouble; "
	    "7 denied",
	.example = "rejoin-enum | rejoin-installed -c 1.1 --missing -",
};

static const struct listing_spec columns = {
	.name = "components",
	.table = (const struct listing_column[]){
		{ "ID", "id" }, { "VERSION", "version" }, { "INSTALLED", "installed|=unknown", LISTING_STATE },
		{ "CRITERIA", "criteria" }, { "REASON", "reason", LISTING_SENTENCE }, { NULL, NULL }
	},
	.tsv = (const struct listing_column[]){
		{ "ID", "id" }, { "INSTALLED", "installed|=unknown" }, { "CRITERIA", "criteria" },
		{ "REASON", "reason" }, { NULL, NULL }
	},
};

struct tool {
	const char *agent;
	struct profile_scope scope;
	struct criteria_spec ask;
	bool missing, has_format, complete;
	enum listing_format format;
	struct component_source_spec from;
	struct batch_spec how;
	struct criteria criteria;
	struct agent_config config;
	struct loop *loop;
	struct component_source *source;
	struct batch *batch;
	struct listing *listing;
	struct buf out;
	struct evaluation_tally tally;
	int signo;			/* that ended it */
};

static void
print_evaluation(struct json record, enum evaluation_answer answer, const char *output, void *cookie)
{
	struct tool *t = cookie;

	for (size_t n; *output; output += n + (output[n] == '\n')) {
		n = strcspn(output, "\n");
		diag_note("%s: %.*s", component_id(record), (int)n, output);
	}
	evaluation_tally_add(&t->tally, answer);
	if (answer == EVALUATION_NO || !t->missing)
		listing_add(t->listing, record);
	else if (answer == EVALUATION_UNKNOWN)
		diag_info("%s: cannot be told: %s", component_id(record),
		    json_get_text(record, "reason"));
}

static int
next_component(struct json *c, void *cookie)
{
	const struct tool *t = cookie;

	return component_source_next(t->source, c);
}

static void
on_rest(bool wants, bool is_idle, void *cookie)
{
	struct tool *t = cookie;

	component_source_want(t->source, wants);
	if (wants && is_idle && component_source_is_at_end(t->source)) {
		listing_end(t->listing);
		t->complete = true;
		loop_stop(t->loop, 0);
	}
	json_sanitize(STDOUT_FILENO, &t->out);
	fwrite(t->out.s, 1, t->out.len, stdout);
	buf_reset(&t->out);
	if (fflush(stdout) != 0)
		loop_stop(t->loop, 0);	/* the reader is gone; finish() reports it */
}

static void
on_wake(void *cookie)
{
	const struct tool *t = cookie;

	batch_advance(t->batch);
}

/* SIGPIPE would end us with scripts still running: it is an error of stdout instead. */
static void
tool_run(struct tool *t)
{
	t->loop = loop_new();
	loop_end_on_signals(t->loop, &t->signo);
	signal(SIGPIPE, SIG_IGN);
	t->listing = listing_new(t->format, &columns, &t->out);
	t->batch = batch_new(t->loop, &t->how);
	t->source = component_source_open(t->loop, &t->from);
	loop_run(t->loop);
}

/* Scripts, and what they began, carry the work directory in their mark (deploy/handler.h). */
static void
clean_up(struct tool *t)
{
	if (!t->complete && t->criteria.workdir)
		procset_signal_mark(t->criteria.workdir, SIGKILL);
	criteria_release(&t->criteria);
	if (!t->signo)
		return;
	component_source_close(t->source);
	loop_free(t->loop);	/* its signals are no longer blocked */
	raise(t->signo);
}

/* What the agent has fetched already need not be fetched again. */
static void
set_criteria(struct tool *t)
{
	_cleanup_free_ char *cache = t->ask.manifest ? agent_config_cache_dir() : NULL;
	struct fail f;
	int r = 0;

	if (t->ask.manifest) {
		r = agent_config_load(&t->config, &f);
		t->how.evaluation.user = agent_config_user(&t->config);
		t->config.link.patience_ms = 0;		/* the caller waits: each source is tried once */
		download_allow(&t->config.link, NULL);
	}
	if (r == 0)
		r = criteria_init(&t->criteria, &t->ask, cache, &f);
	if (r < 0)
		fail_die(&f);
	download_allow(NULL, NULL);	/* from here on nothing may hold up the loop */
	t->how.evaluation.criteria = &t->criteria;
}

static void
parse_options(struct tool *t, struct opt_scan *s)
{
	int key;

	while ((key = opt_next(s)) != -1)
		switch (key) {
		case 'A':
			t->agent = s->arg;
			break;
		case 'c':
			t->ask.criteria = s->arg;
			break;
		case 'H':
			t->ask.script = s->arg;
			break;
		case 'j':
			t->how.jobs = opt_number(s, 1, JOBS_MAX);
			break;
		case 'm':
			t->ask.manifest = s->arg;
			break;
		case 'w':
			t->ask.program = s->arg;
			break;
		case OPT_KEY_FORMAT:
			t->format = listing_format(s);
			t->has_format = true;
			break;
		case OPT_KEY_JSON:
			t->format = LISTING_JSONL;
			t->has_format = true;
			break;
		case OPT_KEY_TIMEOUT:
			t->how.evaluation.timeout_ms = opt_duration(s);
			break;
		case OPT_MISSING:
			t->missing = true;
			break;
		default:
			abort();
		}
}

static void
check_options(struct tool *t, const struct opt_scan *s)
{
	static char *const none[] = { NULL };

	if (!t->ask.script)
		t->ask.version = t->ask.criteria;
	if (!!t->ask.version + !!t->ask.program + !!t->ask.manifest + !!t->ask.script != 1)
		opt_misused("requires one of -c, -w, -m and -H");
	t->ask.args = s->command ? s->command : none;
	if (*t->ask.args && !t->ask.script)
		opt_misused("%s: only the script of -H has arguments", *t->ask.args);
}

/* Where the components come from: stdin, inventories, or the profile's. */
static void
set_source(struct tool *t, char *operands[])
{
	if (*operands && strcmp(operands[0], "-") == 0) {
		if (operands[1])
			opt_misused("%s: '-' cannot be combined with inventories", operands[1]);
		t->from.fd = STDIN_FILENO;
		t->how.in_order = false;
		if (!t->has_format)
			t->format = LISTING_JSONL;	/* a table would wait for the end */
	}
	profile_scope_or_die(t->agent, operands, &t->scope);
	t->from.inventories.inventories = t->scope.inventories;
	t->from.inventories.group = t->scope.group;
}

static enum exit_status
outcome_status(const struct tool *t)
{
	enum exit_status worst = component_source_status(t->source);

	if (worst > EXIT_NO)
		return worst;
	if (t->tally.yes + t->tally.no + t->tally.unknown == 0)
		diag(0, "no component");
	return evaluation_tally_status(&t->tally) != EXIT_OK ? evaluation_tally_status(&t->tally) : worst;
}

int
main(int argc, char *argv[])
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct tool t = {
		.out = BUF_INIT,
		.from = { .fd = -1, .name = "standard input", .wake = on_wake, .cookie = &t,
		    .inventories = { .problem = fail_tell } },
		.how = {
			.jobs = processors > 0 ? processors : 1, .in_order = true,
			.evaluation = { .timeout_ms = TIMEOUT_MS, .grace_ms = GRACE_MS },
			.next = next_component, .evaluated = print_evaluation, .idle = on_rest, .cookie = &t,
		},
	};
	struct opt_scan s;

	diag_init(argv);
	opt_begin(&s, argc, argv, &tool_options);
	t.format = listing_default(&tool_options);
	t.has_format = opt_environment_format(&tool_options) >= 0;
	parse_options(&t, &s);
	check_options(&t, &s);
	set_source(&t, s.operands);
	set_criteria(&t);
	tool_run(&t);
	clean_up(&t);
	finish(outcome_status(&t));
}
