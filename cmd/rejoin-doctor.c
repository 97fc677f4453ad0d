/*
 * rejoin-doctor - find what keeps an agent and the tools from working.
 *
 * Runs the checks that its operands name, or all, and prints a state (ok, warn,
 * fail) and advice for each object; without -A and operands, all checks of all
 * agents that are configured here.  With --fix, repairs what is safe to repair.
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
#include "base/xalloc.h"
#include "component/listing.h"
#include "doctor/bundle.h"
#include "doctor/checks.h"
#include "doctor/codes.h"
#include "doctor/presence.h"
#include "doctor/run.h"

enum { KEY_BUNDLE = OPT_OWN, KEY_FIX, KEY_LIST, KEY_PROBE };

static const struct opt opts[] = {
	OPT_AGENT,
	{ KEY_BUNDLE, "bundle", "FILE", "write FILE with what a bug report needs, without secrets" },
	{ KEY_FIX, "fix", NULL, "repair what is safe to repair" },
	OPT_FORMAT(LISTING_COMMON_LIST, LISTING_DEFAULT_TEXT),
	OPT_JSON,
	{ KEY_LIST, "list", NULL, "print the names of the checks and exit" },
	{ KEY_PROBE, "probe", NULL, "run also the checks that a healthy agent notices" },
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "find what keeps an agent and the tools from working",
	.synopsis = "[-A NAME] [--fix] [--probe] [--format F] [CHECK]...\n[-A NAME] --bundle FILE\n[--format F] explain CODE...\n[--format F] profiles\n--list",
	.opts = opts,
	.operands = OPT_LISTED, .words = "explain profiles", .stop = "explain",
	.statuses = "0 nothing is wrong, or it is written; 1 something is wrong, or a code is unknown; 2 usage; 3 trouble; 7 denied",
	.example = "rejoin-doctor -A adu --fix",
};

static const struct listing_spec findings_spec = {
	.name = "findings",
	.table = (const struct listing_column[]){ { NULL, NULL } },
	.tsv = (const struct listing_column[]){
		{ "STATE", "state" }, { "CHECK", "check" }, { "OBJECT", "object" },
		{ "FINDING", "what" }, { "ADVICE", "advice" }, { "REPAIR", "repair" }, { "AGENT", "agent" }, { NULL, NULL }
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

static const struct listing_spec bundle_spec = {
	.name = "sections",
	.table = (const struct listing_column[]){ { "BYTES", "bytes" }, { "SECTION", "section" }, { NULL, NULL } },
	.tsv = (const struct listing_column[]){ { "BYTES", "bytes" }, { "SECTION", "section" }, { NULL, NULL } },
};

static const struct listing_spec profiles_spec = {
	.name = "profiles",
	.table = (const struct listing_column[]){
		{ "PROFILE", "name" }, { "HERE", "here" }, { "CONFIGURED", "configured" },
		{ "DESCRIPTION", "description|error" }, { "FOUND BY", "evidence" }, { NULL, NULL }
	},
	.tsv = (const struct listing_column[]){
		{ "PROFILE", "name" }, { "HERE", "here" }, { "CONFIGURED", "configured" },
		{ "DESCRIPTION", "description|error" }, { "EVIDENCE", "evidence" }, { "FILE", "file" }, { NULL, NULL }
	},
};

struct doctor {
	const char *agent;	/* NULL for the default */
	const char *bundle;	/* the file to write; NULL for none */
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
		case KEY_BUNDLE:
			d->bundle = s->arg;
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
	suggest_offer_list(&near, tool.words);
	for (const struct check *c = checks_all(); c->name; c++)
		suggest_offer(&near, c->name);
	suggest_hint(&near, "checks", &hint);
	opt_misused_hint(hint.s, "%s: unknown check", name);
}

/* Run the checks NAMES, or all, of one agent; none is run if one of them is unknown. */
static void
check_agent(struct doctor *d, char *const *names)
{
	struct fail f;

	for (size_t i = 0; names[i]; i++)
		if (!checks_find(names[i]))
			unknown_check(names[i]);
	if (doctor_open(&d->run, d->agent, &f) < 0)
		fail_die(&f);
	if (!*names) {
		checks_run_all(&d->run, CHECK_AGENT);
		checks_run_all(&d->run, CHECK_MACHINE);
		return;
	}
	if (!d->run.profile)		/* the reason why other checks are skipped */
		doctor_run_check(&d->run, checks_find("profile"));
	for (; *names; names++)
		if (d->run.profile || strcmp(*names, "profile") != 0)
			doctor_run_check(&d->run, checks_find(*names));
}

static void
check_all_configured(struct doctor *d)
{
	char **names = presence_configured();

	if (*names)
		checks_run_agents(&d->run, names);
	else
		check_agent(d, names);
	xfree_strv(names);
}

/* What the file will hold is printed first. */
static void
print_contents(const struct doctor *d, const struct bundle *b)
{
	_cleanup_buf_ struct buf out = BUF_INIT;
	_cleanup_json_ struct json contents = bundle_contents(b);
	struct listing *l = listing_new(d->format, &bundle_spec, &out);

	for (size_t i = 0; i < json_count(contents); i++) {
		_cleanup_json_ struct json record = json_at(contents, i);

		listing_add(l, record);
	}
	listing_end(l);
	listing_free(l);
	write_out(&out);
	fflush(stdout);
}

static void
write_bundle(struct doctor *d)
{
	char **names = d->agent ? NULL : presence_configured();
	_cleanup_buf_ struct buf findings = BUF_INIT;
	struct bundle *b = bundle_new();
	struct fail f;

	if (names && *names)
		checks_run_agents(&d->run, names);
	else
		check_agent(d, (char *[]){ NULL });
	doctor_format(&d->run, &findings);
	bundle_text(b, "rejoin-doctor", findings.s, findings.len);
	if (!names || !*names)
		bundle_agent(b, d->agent);
	for (size_t i = 0; names && names[i]; i++)
		bundle_agent(b, names[i]);
	bundle_machine(b);
	print_contents(d, b);
	if (bundle_write(b, d->bundle, &f) < 0)
		fail_die(&f);
	diag_info("%s: written; read it before you send it: host names, addresses and paths are in it", d->bundle);
	bundle_free(b);
	xfree_strv(names);
}

/* A table has words for true, false and null. */
static void
set_word(struct json *r, const char *key, const char *no, const char *unknown)
{
	_cleanup_json_ struct json v = json_get(*r, key);

	json_set_text(r, key, json_kind(v) == JSON_NULL ? unknown : json_kind(v) == JSON_TRUE ? "yes" : no);
}

static void
print_profiles(const struct doctor *d)
{
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct listing *l = listing_new(d->format, &profiles_spec, &out);
	char **configured = presence_configured(), **names = profile_names();

	for (size_t i = 0; names[i]; i++) {
		_cleanup_json_ struct json r = presence_record(names[i], configured);

		if (d->format == LISTING_TABLE || d->format == LISTING_TSV) {
			set_word(&r, "here", "no", "unknown");
			set_word(&r, "configured", "", "");
		}
		listing_add(l, r);
	}
	listing_end(l);
	listing_free(l);
	xfree_strv(configured);
	xfree_strv(names);
	write_out(&out);
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
	} else if (d.bundle) {
		if (s.n_operands > 0 || d.run.fix || d.run.probe)
			opt_misused("--bundle: cannot be combined with a check, --fix or --probe");
		write_bundle(&d);
	} else if (s.n_operands > 0 && strcmp(*s.operands, "explain") == 0) {
		status = explain(&d, s.operands + 1);
	} else if (s.n_operands > 0 && strcmp(*s.operands, "profiles") == 0) {
		if (s.n_operands > 1)
			opt_misused("unexpected operand: '%s'", s.operands[1]);
		print_profiles(&d);
	} else {
		if (d.agent || s.n_operands > 0)
			check_agent(&d, s.operands);
		else
			check_all_configured(&d);
		print_findings(&d);
		status = doctor_worst(&d.run) == FINDING_FAIL ? EXIT_NO : EXIT_OK;
		doctor_close(&d.run);
	}
	finish(status);
}
