/*
 * rejoin-goal - write a goal, check one, and show what is in it
 *
 * A goal says which update which components must have; an agent reads it.
 * "make" writes one from files and selectors, with hashes, sizes and the
 * manifests of its steps; "check" reports what would keep it from being carried
 * out on this device; "show" prints its steps.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/profile.h"
#include "base/opt.h"
#include "base/xalloc.h"
#include "component/listing.h"
#include "deploy/draft.h"
#include "deploy/goal_check.h"

enum { KEY_STEP = OPT_OWN, KEY_CRITERIA, KEY_ARGUMENTS, KEY_PROPERTY, KEY_ID, KEY_NAME, KEY_PROVIDER,
	KEY_UPDATE_VERSION, KEY_DIR, KEY_IMPORT, KEY_COMPATIBILITY };

static const struct opt opts[] = {
	OPT_AGENT,
	{ KEY_ARGUMENTS, "arguments", "TEXT", "make: pass the arguments TEXT to the handler of the step", .repeats = true },
	{ KEY_COMPATIBILITY, "compatibility", "SELECTOR",
	    "make: with --import, the update is for the devices that the JSON object SELECTOR describes" },
	{ KEY_CRITERIA, "criteria", "TEXT", "make: the step is installed if its handler finds TEXT", .repeats = true },
	{ KEY_DIR, "dir", "DIR", "make: write goal.json and the manifests to DIR", .preset = "the current directory" },
	OPT_FORMAT(LISTING_COMMON_LIST, LISTING_DEFAULT_TEXT),
	{ KEY_ID, "id", "ID", "make: use ID for the deployment, which tells its results apart",
	    .preset = "the update's name and version" },
	{ KEY_IMPORT, "import", NULL, "make: write import manifests, and copy the files beside them" },
	OPT_JSON,
	{ KEY_NAME, "name", "NAME", "make: name the update NAME", .preset = "update" },
	{ KEY_PROPERTY, "property", "KEY=VALUE", "make: set KEY=VALUE in the step's handlerProperties", .repeats = true },
	{ KEY_PROVIDER, "provider", "NAME", "make: name the update's provider NAME", .preset = "rejoin" },
	{ KEY_STEP, "step", "HANDLER SELECTOR",
	    "make: begin a step by HANDLER for the components that the JSON object SELECTOR matches, or for 'host'",
	    .repeats = true },
	{ KEY_UPDATE_VERSION, "update-version", "VERSION", "make: give the update the version VERSION",
	    .preset = "1.0" },
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "write, check and show a goal",
	.synopsis = "make [--id ID | --import --compatibility SELECTOR]\n\t[--dir DIR] [--name NAME] [--provider NAME]\n\t[--update-version VERSION]\n"
	    "\t{--step HANDLER SELECTOR [--criteria TEXT] [--arguments TEXT]\n"
	    "\t [--property KEY=VALUE]... FILE...}...\n"
	    "check [-A NAME] [--format F] [FILE]\nshow [-A NAME] [--format F] [FILE]",
	.opts = opts,
	.operands = OPT_FILES, .words = "make check show",
	.statuses = "0 written, or nothing found; 1 check: a finding keeps the goal from being carried out; 2 usage; "
	    "3 trouble; 7 denied",
	.example = "rejoin-goal check /etc/rejoin/goal.json",
};

static const struct listing_column finding_columns[] = {
	{ "LEVEL", "level", LISTING_STATE }, { "OBJECT", "object" }, { "FINDING", "finding", LISTING_SENTENCE }, { NULL, NULL }
};
static const struct listing_spec findings = { .name = "findings", .table = finding_columns, .tsv = finding_columns };

static const struct listing_column step_columns[] = {
	{ "STEP", "step" }, { "HANDLER", "handler" }, { "COMPONENTS", "components" },
	{ "CRITERIA", "criteria" }, { "FILES", "files" }, { NULL, NULL }
};
static const struct listing_spec steps = { .name = "steps", .table = step_columns, .tsv = step_columns };

struct goal_tool {
	const char *agent, *dir, *compatibility;
	bool is_import;
	struct draft_name name;
	struct draft *draft;		/* what "make" is to write */
	enum listing_format format;
	struct listing *listing;
	struct buf out;
};

/* --- make */

static enum exit_status
make_goal(struct goal_tool *t)
{
	_cleanup_free_ char *path = NULL;
	struct fail f;

	if (t->is_import && t->name.id)
		opt_misused("--id cannot be combined with --import: a service chooses the id of a deployment");
	if (t->is_import != (t->compatibility != NULL))
		opt_misused("--import and --compatibility require each other");
	if ((t->is_import ? draft_write_import(t->draft, &t->name, t->compatibility, t->dir, &path, &f) :
	    draft_write(t->draft, &t->name, t->dir, &path, &f)) < 0)
		fail_die(&f);
	puts(path);
	diag_note("%s: written; 'rejoin-goal check %s' says what would keep it from being carried out", path, path);
	return EXIT_OK;
}

/* --- check and show */

static void
print_record(struct json record, void *cookie)
{
	struct goal_tool *t = cookie;

	listing_add(t->listing, record);
}

static void
print_listing(struct goal_tool *t)
{
	listing_end(t->listing);
	listing_free(t->listing);
	json_sanitize(STDOUT_FILENO, &t->out);
	fwrite(t->out.s, 1, t->out.len, stdout);
	buf_release(&t->out);
}

static void
print_finding(enum review_level level, const char *object, const char *text, void *cookie)
{
	_cleanup_json_ struct json record = json_object();

	json_set_text(&record, "level", review_level_name(level));
	json_set_text(&record, "object", object);
	json_set_text(&record, "finding", text);
	print_record(record, cookie);
}

static enum exit_status
check_goal(struct goal_tool *t, const char *path)
{
	_cleanup_goal_check_ struct goal_check c;
	struct profile_scope scope;
	struct goal_check_spec spec = { .finding = print_finding, .problem = fail_tell, .cookie = t };
	enum review_level worst;
	struct fail f;

	if (goal_check_load(path, &c, &f) < 0)
		fail_die(&f);
	profile_scope_or_die(t->agent, (char *[]){ NULL }, &scope);
	spec.inventories = scope.inventories;
	spec.group = scope.group;
	t->listing = listing_new(t->format, &findings, &t->out);
	if (goal_check_run(&c, &spec, &worst, &f) < 0)
		fail_die(&f);
	print_listing(t);
	profile_free(scope.profile);
	return worst == REVIEW_FAIL ? EXIT_NO : EXIT_OK;
}

static enum exit_status
show_goal(struct goal_tool *t, const char *path)
{
	_cleanup_goal_check_ struct goal_check c;
	_cleanup_free_ char *update = NULL;
	struct fail f;
	bool whole;

	if (goal_check_load(path, &c, &f) < 0)
		fail_die(&f);
	update = manifest_update_id(c.preview.plan->manifest);
	diag_info("%s: deployment %s, update %s, %s", path, c.preview.goal->id, update,
	    c.preview.goal->signature ? "signed" : "not signed");
	t->listing = listing_new(t->format, &steps, &t->out);
	whole = preview_steps(&c.preview, print_record, fail_tell, t);
	print_listing(t);
	return whole ? EXIT_OK : EXIT_TROUBLE;
}

/* --- the command line */

/* An option that is for the step before it. */
static int
step_option(struct goal_tool *t, int key, struct opt_scan *s, struct fail *f)
{
	const char *selector;

	switch (key) {
	case KEY_STEP:
		selector = opt_another(s);
		if (!selector)
			opt_misused("--step: requires HANDLER and SELECTOR");
		return draft_add_step(t->draft, s->arg, selector, f);
	case KEY_CRITERIA:
		return draft_set(t->draft, "installedCriteria", s->arg, f);
	case KEY_ARGUMENTS:
		return draft_set(t->draft, "arguments", s->arg, f);
	case KEY_PROPERTY:
		return draft_set_pair(t->draft, s->arg, f);
	default:
		abort();
	}
}

/* Where the argument of an option that is a text of its own goes; NULL for the others. */
static const char **
text_option(struct goal_tool *t, int key)
{
	const struct { int key; const char **text; } texts[] = {
		{ 'A', &t->agent }, { KEY_COMPATIBILITY, &t->compatibility }, { KEY_DIR, &t->dir },
		{ KEY_ID, &t->name.id }, { KEY_NAME, &t->name.name }, { KEY_PROVIDER, &t->name.provider },
		{ KEY_UPDATE_VERSION, &t->name.version },
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (texts[i].key == key)
			return texts[i].text;
	return NULL;
}

/* An option of the whole command, or of the step before it. */
static int
set_option(struct goal_tool *t, int key, struct opt_scan *s, struct fail *f)
{
	const char **text = text_option(t, key);

	if (text)
		*text = s->arg;
	else if (key == KEY_IMPORT)
		t->is_import = true;
	else if (key == OPT_KEY_FORMAT || key == OPT_KEY_JSON)
		t->format = key == OPT_KEY_JSON ? LISTING_JSONL : listing_format(s);
	else
		return step_option(t, key, s, f);
	return 0;
}

/* The first operand is the command; with "make", each further one is a file of the step before it. */
static void
parse_options(struct goal_tool *t, struct opt_scan *s)
{
	int key, n = 1, r = 0;
	struct fail f;

	do {
		key = opt_next(s);
		for (; r == 0 && n < s->n_operands && strcmp(*s->operands, "make") == 0; n++)
			r = draft_add_file(t->draft, s->operands[n], &f);
		if (r == 0 && key != -1)
			r = set_option(t, key, s, &f);
		if (r < 0)
			fail_die(&f);
	} while (key != -1);
}

/* The one FILE of check and show, to be freed; without it, the goal of the agent's configuration. */
static char *
only_file(const struct opt_scan *s)
{
	struct fail f;
	char *path;

	if (s->n_operands > 2)
		opt_misused("%s: requires one FILE", *s->operands);
	if (s->n_operands == 2)
		return xstrdup(s->operands[1]);
	if (goal_check_find(&path, &f) < 0)
		fail_die(&f);
	if (!path)
		opt_misused("%s: requires a FILE, since agent.conf names no goal in a file", *s->operands);
	return path;
}

static enum exit_status
run_command(struct goal_tool *t, const struct opt_scan *scan)
{
	const char *command = *scan->operands;
	_cleanup_free_ char *path = NULL;

	if (!command)
		opt_misused("requires a command: make, check or show");
	if (strcmp(command, "make") == 0)
		return make_goal(t);
	if (strcmp(command, "check") != 0 && strcmp(command, "show") != 0)
		opt_unknown_command(&tool, command);
	path = only_file(scan);
	fail_set_next_step("'rejoin-goal make' writes a goal; rejoin-goal(1) has an example");
	return *command == 'c' ? check_goal(t, path) : show_goal(t, path);
}

int
main(int argc, char *argv[])
{
	struct goal_tool t = { .dir = ".", .name = { NULL, "rejoin", "update", "1.0" }, .draft = draft_new(),
	    .out = BUF_INIT };
	enum exit_status status;
	struct opt_scan s;

	diag_init(argv);
	opt_begin(&s, argc, argv, &tool);
	t.format = listing_default(&tool);
	parse_options(&t, &s);
	status = run_command(&t, &s);
	draft_free(t.draft);
	finish(status);
}
