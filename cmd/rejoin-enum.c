/*
 * rejoin-enum - list the components that are here now
 *
 * Reads the inventories that are its operands, or the profile's, looks anew for
 * each component (a firmware data file, a udev device, a probe), and prints
 * those that are here, sorted by id (the format adu keeps the inventory's order);
 * with -a also those that are offline.
 * An inventory that is wrong is reported and passed over, and its status is the
 * tool's; EXIT_NO where a selector or filter was given and nothing matched.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/json_filter.h"
#include "base/loop.h"
#include "base/opt.h"
#include "component/component.h"
#include "component/enumerate.h"
#include "component/listing.h"
#include "component/selector.h"

enum { OPT_PROBE_TIMEOUT = OPT_OWN, BULK = 1 << 16 };

static const struct opt opts[] = {
	OPT_AGENT,
	{ 'a', "all", NULL, "print offline components as well" },
	{ 'f', "filter", "JQ", "print only components for which the jq program JQ yields true" },
	OPT_FORMAT(LISTING_ALL_LIST, LISTING_DEFAULT_TEXT),
	OPT_JSON,
	{ OPT_PROBE_TIMEOUT, "probe-timeout", "DUR", "kill a probe that runs longer than DUR", .preset = "5s" },
	{ 's', "select", "SELECTOR", "print only components that match the JSON object SELECTOR; several are alternatives",
	    .repeats = true },
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "list the components that are present now",
	.synopsis = "[-A NAME] [-a] [-s SELECTOR]... [-f JQ] [--format F]\n\t[--probe-timeout DUR] [INVENTORY]...",
	.opts = opts,
	.operands = OPT_FILES,
	.statuses = "0 printed; 1 nothing matched; 2 usage or a wrong inventory; 3 trouble; 7 denied",
	.example = "rejoin-enum -s '{\"group\":\"cameras\"}' inventory.json",
};

static const struct listing_spec spec = {
	.name = "components",
	.table = (const struct listing_column[]){
		{ "ID", "id" }, { "STATE", "state", LISTING_STATE }, { "VERSION", "version" }, { "NAME", "name" },
		{ "GROUP", "group" }, { "MANUFACTURER", "manufacturer" }, { "MODEL", "model" },
		{ "REASON", "reason", LISTING_SENTENCE }, { NULL, NULL }
	},
	.tsv = (const struct listing_column[]){
		{ "NAME", "name|id" }, { "VERSION", "version" }, { NULL, NULL }
	},
};

struct enumerator {
	const char *agent;
	bool all;
	enum listing_format format;
	struct json selectors;		/* an array; empty: whatever it is */
	struct json_filter *filter;
	struct enumerate_spec what;
	struct loop *loop;
	struct enumeration *running;
	struct listing *listing;
	struct buf out;
	size_t n;			/* listed */
	int signo;			/* that ended it */
	enum exit_status status;
};

/* Was it said which components are wanted? */
static bool
is_choosy(const struct enumerator *e)
{
	return json_count(e->selectors) > 0 || e->filter;
}

static void
status_raise(struct enumerator *e, enum exit_status status)
{
	if (status > e->status)
		e->status = status;
}

static bool
is_meant(struct enumerator *e, struct json c)
{
	struct fail f;
	int r = 1;

	if (json_count(e->selectors) > 0 && !selector_matches_any(e->selectors, c))
		return false;
	if (e->filter)
		r = json_filter_test(e->filter, c, &f);
	if (r < 0) {
		diag(0, "filter: %s: %s", component_id(c), f.text);
		status_raise(e, f.status);
	}
	return r > 0;
}

static void
write_out(struct enumerator *e)
{
	json_sanitize(STDOUT_FILENO, &e->out);
	fwrite(e->out.s, 1, e->out.len, stdout);
	buf_reset(&e->out);
}

static void
component_print(const struct enumerate_item *found, void *cookie)
{
	struct enumerator *e = cookie;
	_cleanup_json_ struct json c = JSON_ABSENT;

	if (!e->all && enumerate_state(found) == COMPONENT_OFFLINE)
		return;
	if (e->format == LISTING_JSONL && !is_choosy(e)) {
		enumerate_format(found, &e->out);
		buf_putc(&e->out, '\n');
	} else {
		c = enumerate_record(found);
		if (!is_meant(e, c))
			return;
		listing_add(e->listing, c);
	}
	e->n++;
	if (e->out.len >= BULK)
		write_out(e);
}

static void
on_listed(struct json components, enum exit_status worst, void *cookie)
{
	struct enumerator *e = cookie;

	(void)components;
	e->running = NULL;
	status_raise(e, worst);
	listing_end(e->listing);
	write_out(e);
	if (e->n == 0 && is_choosy(e))
		status_raise(e, EXIT_NO);
	loop_stop(e->loop, 0);
}

/* Probes have process groups of their own: a signal to ours must end them, too. */
static void
enumerator_run(struct enumerator *e)
{
	e->loop = loop_new();
	loop_end_on_signals(e->loop, &e->signo);
	e->listing = listing_new(e->format, &spec, &e->out);
	e->running = enumerate_start(e->loop, &e->what, on_listed, e);
	loop_run(e->loop);
	enumerate_cancel(e->running);
	loop_free(e->loop);
	listing_free(e->listing);
	buf_release(&e->out);
	if (e->signo)
		raise(e->signo);
}

static void
add_selector(struct enumerator *e, const char *text)
{
	struct json s = JSON_ABSENT;
	struct fail f;

	if (selector_parse(text, &s, &f) < 0)
		opt_misused("%s: '%s'", f.text, text);
	json_append(&e->selectors, s);
}

static void
set_filter(struct enumerator *e, const char *program)
{
	struct fail f;

	json_filter_free(e->filter);
	e->filter = json_filter_new(program, &f);
	if (!e->filter)
		opt_misused("filter: %s: '%s'", f.text, program);
}

static void
parse_options(struct enumerator *e, struct opt_scan *s)
{
	int key;

	while ((key = opt_next(s)) != -1)
		switch (key) {
		case 'A':
			e->agent = s->arg;
			break;
		case 'a':
			e->all = true;
			break;
		case 'f':
			set_filter(e, s->arg);
			break;
		case OPT_KEY_FORMAT:
			e->format = listing_format(s);
			break;
		case OPT_KEY_JSON:
			e->format = LISTING_JSONL;
			break;
		case OPT_PROBE_TIMEOUT:
			e->what.probe_timeout_ms = opt_duration(s);
			break;
		case 's':
			add_selector(e, s->arg);
			break;
		default:
			abort();
		}
}

int
main(int argc, char *argv[])
{
	struct enumerator e = { .selectors = json_array(),
	    .out = BUF_INIT, .what = { .problem = fail_tell, .each = component_print } };
	struct profile_scope scope;
	struct opt_scan s;

	diag_init(argv);
	opt_begin(&s, argc, argv, &tool);
	e.format = listing_default(&tool);
	parse_options(&e, &s);
	profile_scope_or_die(e.agent, s.operands, &scope);
	e.what.inventories = scope.inventories;
	e.what.group = scope.group;
	e.what.inventory_order = e.format == LISTING_ADU;	/* the agent installs in that order */
	e.what.cookie = &e;
	enumerator_run(&e);
	json_release(&e.selectors);
	json_filter_free(e.filter);
	profile_free(scope.profile);
	finish(e.status);
}
