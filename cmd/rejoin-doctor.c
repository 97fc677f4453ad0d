/*
 * rejoin-doctor - find what keeps an agent and the tools from working.
 *
 * Runs the checks that its operands name, or all, and prints a state (ok, warn,
 * fail) and advice for each object.  With --fix, repairs what is safe to repair.
 * EXIT_NO if a finding has the state fail.  With the operand "explain", prints
 * the meaning of result codes of the Azure Device Update agent instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/json.h"
#include "base/opt.h"
#include "base/suggest.h"
#include "base/table.h"
#include "component/listing.h"
#include "doctor/checks.h"
#include "doctor/codes.h"
#include "doctor/run.h"

enum { KEY_FIX = OPT_OWN, KEY_LIST, KEY_PROBE };

static const struct opt opts[] = {
	OPT_AGENT,
	{ KEY_FIX, "fix", NULL, "repair what is safe to repair" },
	OPT_FORMAT(LISTING_COMMON_LIST, LISTING_DEFAULT_TEXT),
	OPT_JSON,
	{ KEY_LIST, "list", NULL, "print the names of the checks and exit" },
	{ KEY_PROBE, "probe", NULL, "run also the checks that a healthy agent notices" },
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "find what keeps an agent and the tools from working",
	.synopsis = "[-A NAME] [--fix] [--probe] [--format F] [CHECK]...\n[--format F] explain CODE...\n--list",
	.opts = opts,
	.operands = OPT_LISTED, .words = "explain", .stop = "explain",
	.statuses = "0 nothing is wrong; 1 something is wrong, or a code is unknown; 2 usage; 3 trouble",
	.example = "rejoin-doctor -A adu --fix",
};

static const struct listing_spec findings_spec = {
	.name = "findings",
	.table = (const struct listing_column[]){ { NULL, NULL } },
	.tsv = (const struct listing_column[]){
		{ "STATE", "state" }, { "CHECK", "check" }, { "OBJECT", "object" },
		{ "FINDING", "what" }, { "ADVICE", "advice" }, { "REPAIR", "repair" }, { NULL, NULL }
	},
};

static const struct listing_spec codes_spec = {
	.name = "codes",
	.table = (const struct listing_column[]){
		{ "CODE", "code" }, { "NAME", "name" }, { "FACILITY", "facility" },
		{ "COMPONENT", "component" }, { "MEANING", "meaning" }, { NULL, NULL }
	},
	.tsv = (const struct listing_column[]){
		{ "CODE", "code" }, { "NAME", "name" }, { "FACILITY", "facility" },
		{ "COMPONENT", "component" }, { "MEANING", "meaning" }, { NULL, NULL }
	},
};

struct doctor {
	const char *agent;	/* NULL for the default */
	enum listing_format format;
	bool list;
	struct doctor_run run;
};

static void
parse_options(struct doctor *d, struct opt_scan *s)
{
	int key;

	while ((key = opt_next(s)) != -1)
		switch (key) {
		case 'A':
			d->agent = s->arg;
			break;
		case KEY_FIX:
			d->run.fix = true;
			break;
		case OPT_KEY_FORMAT:
			d->format = listing_format(s);
			break;
		case OPT_KEY_JSON:
			d->format = LISTING_JSONL;
			break;
		case KEY_LIST:
			d->list = true;
			break;
		case KEY_PROBE:
			d->run.probe = true;
			break;
		default:
			abort();
		}
}

static void
print_list(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct table *t = table_new();

	for (const struct check *c = checks_all(); c->name; c++) {
		table_cell(t, c->name);
		table_cell(t, c->subject);
		table_end_row(t);
	}
	table_format(t, &b);
	table_free(t);
	fputs(b.s, stdout);
}

static void
write_out(struct buf *out)
{
	json_sanitize(STDOUT_FILENO, out);
	fwrite(out->s, 1, out->len, stdout);
}

static void
print_findings(const struct doctor *d)
{
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct listing *l;

	if (d->format == LISTING_TABLE) {
		doctor_format(&d->run, &out);
		fputs(out.s, stdout);
		return;
	}
	l = listing_new(d->format, &findings_spec, &out);
	for (size_t i = 0; i < d->run.n; i++) {
		_cleanup_json_ struct json r = doctor_finding_record(&d->run.findings[i]);

		listing_add(l, r);
	}
	listing_end(l);
	listing_free(l);
	write_out(&out);
}

static void __attribute__((noreturn))
unknown_check(const char *name)
{
	_cleanup_buf_ struct buf hint = BUF_INIT;
	struct suggest near;

	suggest_begin(&near, name);
	suggest_offer(&near, "explain");
	for (const struct check *c = checks_all(); c->name; c++)
		suggest_offer(&near, c->name);
	suggest_hint(&near, "checks", &hint);
	opt_misused_hint(hint.s, "%s: unknown check", name);
}

/* Run the checks NAMES, or all; none is run if one of them is unknown. */
static void
run_checks(struct doctor *d, char *const *names)
{
	struct fail f;

	for (size_t i = 0; names[i]; i++)
		if (!checks_find(names[i]))
			unknown_check(names[i]);
	if (doctor_open(&d->run, d->agent, &f) < 0)
		fail_die(&f);
	if (!d->run.profile && *names)		/* the reason why other checks are skipped */
		doctor_run_check(&d->run, checks_find("profile"));
	for (const struct check *c = checks_all(); c->name && !*names; c++)
		doctor_run_check(&d->run, c);
	for (size_t i = 0; names[i]; i++)
		if (d->run.profile || strcmp(names[i], "profile") != 0)
			doctor_run_check(&d->run, checks_find(names[i]));
}

/* EXIT_NO if a code is unknown; an operand that is no code is a usage error. */
static enum exit_status
explain(const struct doctor *d, char *const *texts)
{
	_cleanup_buf_ struct buf out = BUF_INIT;
	enum exit_status status = EXIT_OK;
	struct listing *l = listing_new(d->format, &codes_spec, &out);
	struct codes *codes = NULL;
	struct fail f;

	if (!*texts)
		opt_misused("explain: requires an operand CODE");
	if (codes_load(&codes, &f) < 0)
		fail_die(&f);
	for (; *texts; texts++) {
		_cleanup_json_ struct json found = JSON_ABSENT;
		int r = codes_explain(codes, *texts, &found);

		if (r < 0)
			opt_misused("explain: not a code: '%s'", *texts);
		if (r == 0)
			status = EXIT_NO;
		for (size_t i = 0; i < json_count(found); i++) {
			_cleanup_json_ struct json record = json_at(found, i);

			listing_add(l, record);
		}
	}
	listing_end(l);
	listing_free(l);
	codes_free(codes);
	write_out(&out);
	return status;
}

int
main(int argc, char *argv[])
{
	struct doctor d = { .agent = NULL };
	enum exit_status status = EXIT_OK;
	struct opt_scan s;

	diag_init(argv);
	opt_begin(&s, argc, argv, &tool);
	d.format = listing_default(&tool);
	parse_options(&d, &s);
	if (d.list) {
		print_list();
	} else if (s.n_operands > 0 && strcmp(*s.operands, "explain") == 0) {
		status = explain(&d, s.operands + 1);
	} else {
		run_checks(&d, s.operands);
		print_findings(&d);
		status = doctor_worst(&d.run) == FINDING_FAIL ? EXIT_NO : EXIT_OK;
		doctor_close(&d.run);
	}
	finish(status);
}
