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
#include "base/xalloc.h"
#include "component/listing.h"
#include "doctor/bundle.h"
#include "doctor/checks.h"
#include "doctor/codes.h"
#include "doctor/presence.h"
#include "doctor/printout.h"
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
write_out(struct buf *out)
{
	json_sanitize(STDOUT_FILENO, out);
	fwrite(out->s, 1, out->len, stdout);
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

static void
write_bundle(struct doctor *d)
{
	char **names = d->agent ? NULL : presence_configured();
	_cleanup_buf_ struct buf findings = BUF_INIT, contents = BUF_INIT;
	struct bundle *b = bundle_new();
	struct fail f;

	if (names && *names)
		checks_run_agents(&d->run, names);
	else
		check_agent(d, (char *[]){ NULL });
	doctor_format(&d->run, -1, &findings);
	bundle_text(b, "rejoin-doctor", findings.s, findings.len);
	if (!names || !*names)
		bundle_agent(b, d->agent);
	for (size_t i = 0; names && names[i]; i++)
		bundle_agent(b, names[i]);
	bundle_machine(b);
	/* what the file will hold comes first */
	printout_contents(d->format, b, &contents);
	write_out(&contents);
	fflush(stdout);
	if (bundle_write(b, d->bundle, &f) < 0)
		fail_die(&f);
	diag_info("%s: written; read it before you send it: host names, addresses and paths are in it", d->bundle);
	bundle_free(b);
	xfree_strv(names);
}

static void
print_profiles(const struct doctor *d)
{
	_cleanup_buf_ struct buf out = BUF_INIT;

	printout_profiles(d->format, &out);
	write_out(&out);
}

static void
print_checks(void)
{
	_cleanup_buf_ struct buf out = BUF_INIT;

	printout_checks(&out);
	write_out(&out);
}

/* EXIT_NO if a code is unknown; an operand that is no code is a usage error. */
static enum exit_status
explain(const struct doctor *d, char *const *texts)
{
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct codes *codes = NULL;
	const char *wrong;
	struct fail f;
	int r;

	if (!*texts)
		opt_misused_hint("rejoin-doctor explain 603", "explain: requires an operand CODE");
	if (codes_load(&codes, &f) < 0)
		fail_die(&f);
	r = printout_codes(d->format, codes, texts, &wrong, &out);
	if (r < 0)
		opt_misused_hint("a code is a number, such as 603, 0x30501080 or -1073741817", "explain: not a code: '%s'", wrong);
	codes_free(codes);
	write_out(&out);
	return r > 0 ? EXIT_OK : EXIT_NO;
}

static enum exit_status
check(struct doctor *d, char *const *names)
{
	_cleanup_buf_ struct buf out = BUF_INIT;
	enum exit_status status;

	if (d->agent || *names)
		check_agent(d, names);
	else
		check_all_configured(d);
	printout_findings(&d->run, d->format, &out);
	/* a table is sanitized as it is made: its colours are ours */
	if (d->format == LISTING_TABLE)
		fwrite(out.s, 1, out.len, stdout);
	else
		write_out(&out);
	status = doctor_worst(&d->run) == FINDING_FAIL ? EXIT_NO : EXIT_OK;
	doctor_close(&d->run);
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
		print_checks();
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
		status = check(&d, s.operands);
	}
	finish(status);
}
