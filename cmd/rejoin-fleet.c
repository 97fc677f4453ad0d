/*
 * rejoin-fleet - ask many devices in waves, and stop when too many fail.
 *
 * The names of the devices are read from standard input; each outcome is a line of JSON on
 * standard output.  With --journal a run that was killed is continued.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/profile.h"
#include "base/argv.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/opt.h"
#include "base/xalloc.h"
#include "fleet/execcarrier.h"
#include "fleet/fleet.h"
#include "fleet/mqttcarrier.h"

enum {
	KEY_VIA = OPT_OWN, KEY_WAVES, KEY_MAX_FAILED, KEY_MIN_EXECUTED, KEY_PER_MINUTE, KEY_PAUSE, KEY_JOURNAL, KEY_RESUME,
	KEY_DRY_RUN,
};

enum { JOBS_EXEC = 10, JOBS_MQTT = 1000 };

static const struct opt opts[] = {
	{ KEY_DRY_RUN, "dry-run", NULL, "print each device with its wave, and ask none" },
	{ 'j', "jobs", "N", "wait for the outcomes of at most N devices at a time", .preset = "10 with exec:, 1000 with mqtt:" },
	{ KEY_JOURNAL, "journal", "FILE", "record the rollout in FILE, or continue the one that is in it" },
	{ KEY_MAX_FAILED, "max-failed", "P", "halt when more than P of the executed devices have failed", .preset = "5%" },
	{ KEY_MIN_EXECUTED, "min-executed", "N", "do not halt before N devices have executed", .preset = "10" },
	{ KEY_PAUSE, "pause", "DUR", "wait for DUR between two waves", .preset = "0s" },
	{ KEY_PER_MINUTE, "per-minute", "N", "ask at most N devices a minute", .preset = "no limit" },
	{ KEY_RESUME, "resume", NULL, "continue the rollout of --journal although it was halted" },
	OPT_TIMEOUT("an outcome that is not there after DUR is unknown", "10m"),
	{ KEY_VIA, "via", "VIA", "how a device is asked, VIA: exec:ARGV with ${device} in it, or mqtt:PROFILE" },
	{ KEY_WAVES, "waves", "LIST", "parts of the fleet, LIST, that are asked by the end of each wave", .preset = "1%,10%,100%" },
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "ask many devices in waves, and stop when too many fail",
	.synopsis = "--via VIA [--waves LIST] [--max-failed P] [--min-executed N]\n"
	    "\t[--per-minute N] [--pause DUR] [--timeout DUR] [-j N]\n"
	    "\t[--journal FILE] [--resume] [--dry-run] ACTION [ARG]...",
	.opts = opts,
	.operands = OPT_TEXTS,
	.stop = "",
	.statuses = "0 all are settled; 1 some are not; 2 usage, or wrong devices; 3 trouble; 4 an outcome is unknown; "
	    "6 halted, or the journal is in use; 7 denied",
	.example = "rejoin-fleet --via 'exec:ssh ${device}' rejoin-retry --wait <devices",
};

struct fleet_options {
	const char *via, *waves, *journal;
	char **action;
	bool resume, dry_run;
	struct rollout_policy policy;
	struct loop *loop;
	struct roster *roster;
	/* exec: */
	char **argv;
	char *runs;
	/* mqtt: */
	struct profile *profile;
	struct json goal;
	struct rolloutlog *log;
};

/* --- the carrier */

/* ARGV of "exec:ARGV", and the action after it. */
static int
argv_join(struct fleet_options *o, struct fail *f)
{
	const char *why;
	char **first = argv_split(o->via + strlen("exec:"), &why);
	size_t n = 0, cap = 0;

	if (!first)
		return fail_set(f, EXIT_USAGE, "via: '%s': %s", o->via, why);
	for (char **a = first; *a; a++) {
		o->argv = xgrow(o->argv, n, &cap, sizeof *o->argv);
		o->argv[n++] = *a;
	}
	free(first);
	for (char **a = o->action; *a; a++) {
		o->argv = xgrow(o->argv, n, &cap, sizeof *o->argv);
		o->argv[n++] = xstrdup(*a);
	}
	o->argv = xgrow(o->argv, n, &cap, sizeof *o->argv);
	o->argv[n] = NULL;
	return execcarrier_check(o->argv, f);
}

/* Where the commands run: beside the journal, which finds them again, or in a directory of this run alone. */
static int
runs_place(struct fleet_options *o, struct fail *f)
{
	_cleanup_free_ char *path = NULL;
	const char *tmp = getenv("TMPDIR");

	if (o->journal) {
		path = realpath(o->journal, NULL);
		if (!path)
			return fail_errno(f, errno, "%s", o->journal);
		o->runs = xasprintf("%s.runs", path);
		return 0;
	}
	o->runs = xasprintf("%s/rejoin-fleet.XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
	return mkdtemp(o->runs) ? 0 : fail_errno(f, errno, "%s", o->runs);
}

static bool
is_exec(const struct fleet_options *o)
{
	return strncmp(o->via, "exec:", 5) == 0;
}

static struct carrier *
carrier_make(const struct carrier_callbacks *cb, void *cookie, struct fail *f)
{
	struct fleet_options *o = cookie;
	struct execcarrier_spec exec = { .loop = o->loop, .roster = o->roster, .argv = o->argv };
	const struct mqttcarrier_spec mqtt = { .loop = o->loop, .roster = o->roster, .action = o->action, .goal = o->goal,
		.conf = o->profile ? &o->profile->hub : NULL, .rollout = rolloutlog_id(o->log), .log = { diag_log, NULL } };

	if (!is_exec(o))
		return mqttcarrier_new(&mqtt, cb, f);
	if (runs_place(o, f) < 0)
		return NULL;
	exec.runs = o->runs;
	return execcarrier_new(&exec, cb, f);
}

/* What --via names is there, and can do the action. */
static int
via_check(struct fleet_options *o, struct fail *f)
{
	if (is_exec(o))
		return argv_join(o, f);
	o->profile = profile_load_or_die(o->via + strlen("mqtt:"));
	return mqttcarrier_check(&o->profile->hub, o->action, o->roster, &o->goal, f);
}

/* The action as the journal has it: of a goal also its hash, as the file may change. */
static char **
action_words(const struct fleet_options *o)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char **v, text[SHA_TEXT];
	size_t n = 0;

	while (o->action[n])
		n++;
	v = xcalloc(n + 2, sizeof *v);
	for (size_t i = 0; i < n; i++)
		v[i] = xstrdup(o->action[i]);
	if (json_kind(o->goal) != JSON_NONE) {
		struct sha *s = sha_new("sha256");

		json_format(o->goal, &b);
		sha_add(s, b.s, b.len);
		sha_end(s, text);
		v[n] = xstrdup(text);
	}
	return v;
}

/* --- */

static int
print_outcome(struct json record, void *cookie)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	(void)cookie;
	json_format(record, &b);
	json_sanitize(STDOUT_FILENO, &b);
	buf_putc(&b, '\n');
	return fwrite(b.s, 1, b.len, stdout) == b.len && fflush(stdout) == 0 ? 0 : -errno;
}

/* The plan: {"device","wave"} a line, in the order in which they would be asked. */
static int
plan_print(struct fleet_options *o)
{
	struct rollout *r = rollout_new(&o->policy, roster_count(o->roster));
	int result = 0;

	for (uint32_t i = 0; i < roster_count(o->roster) && result == 0; i++) {
		_cleanup_json_ struct json v = json_object();

		json_set_text(&v, "device", roster_name(o->roster, i));
		json_set(&v, "wave", json_number(rollout_wave_of(r, i) + 1));
		result = print_outcome(v, NULL);
	}
	rollout_free(r);
	return result < 0 ? EXIT_TROUBLE : EXIT_OK;
}

static int
rollout_carry_out(struct fleet_options *o, struct rolloutlog *journal, struct fail *f)
{
	const struct fleet_spec spec = {
		.loop = o->loop, .roster = o->roster, .journal = journal, .policy = o->policy, .resume = o->resume,
		.carrier = carrier_make, .outcome = print_outcome, .log = { diag_log, NULL }, .cookie = o,
	};

	signal(SIGPIPE, SIG_IGN);
	return fleet_run(&spec, f);
}

/* The devices in the order of the journal, and the rollout with it. */
static int
fleet_start(struct fleet_options *o, struct fail *f)
{
	struct rolloutlog *journal = NULL;
	char digest[SHA_TEXT], **words;
	struct rolloutlog_head head = { .via = o->via, .waves = o->waves, .digest = digest };
	int r = roster_read(STDIN_FILENO, "standard input", &o->roster, f);

	if (r == 0)
		r = rollout_parse_waves(o->waves, roster_count(o->roster), &o->policy, f);
	if (r == 0)
		r = via_check(o, f);
	if (r < 0)
		return r;
	words = action_words(o);
	head.action = words;
	roster_digest(o->roster, digest);
	head.devices = roster_count(o->roster);
	/* a dry run makes no journal, and reads one that is there */
	r = rolloutlog_open(o->dry_run && o->journal && access(o->journal, F_OK) < 0 ? NULL : o->journal, &head, &journal, f);
	xfree_strv(words);
	if (r < 0)
		return r;
	o->log = journal;
	roster_shuffle(o->roster, rolloutlog_seed(journal));
	r = o->dry_run ? plan_print(o) : rollout_carry_out(o, journal, f);
	rolloutlog_close(journal);
	return r;
}

/* --- */

static void
parse(int argc, char *argv[], struct fleet_options *o)
{
	struct rollout_policy *p = &o->policy;
	struct opt_scan s;
	int key;

	opt_begin(&s, argc, argv, &tool);
	while ((key = opt_next(&s)) != -1)
		switch (key) {
		case 'j':
			p->parallel = (uint32_t)opt_number(&s, 1, 1000000);
			break;
		case KEY_VIA:
			o->via = s.arg;
			break;
		case KEY_WAVES:
			o->waves = s.arg;
			break;
		case KEY_JOURNAL:
			o->journal = s.arg;
			break;
		case KEY_MAX_FAILED:
			if (rollout_parse_percent(s.arg, &p->max_failed) < 0)
				opt_misused("--max-failed: '%s' is not a percentage, 0%% to 100%%", s.arg);
			break;
		case KEY_MIN_EXECUTED:
			p->min_executed = (uint32_t)opt_number(&s, 1, ROSTER_MAX);
			break;
		case KEY_PER_MINUTE:
			p->per_minute = (uint32_t)opt_number(&s, 1, 60000000);
			break;
		case KEY_PAUSE:
			p->pause_ms = opt_duration(&s);
			break;
		case OPT_KEY_TIMEOUT:
			p->timeout_ms = opt_duration(&s);
			break;
		case KEY_RESUME:
			o->resume = true;
			break;
		case KEY_DRY_RUN:
			o->dry_run = true;
			break;
		}
	o->action = s.operands;
	if (!o->via)
		opt_misused_hint("for example --via 'exec:ssh ${device}'", "--via is missing");
	if (!is_exec(o) && (strncmp(o->via, "mqtt:", 5) != 0 || !o->via[5]))
		opt_misused_hint("exec:ARGV, mqtt:PROFILE", "--via: '%s': unknown way to ask a device", o->via);
	if (p->parallel == 0)
		p->parallel = is_exec(o) ? JOBS_EXEC : JOBS_MQTT;
	if (!o->action[0])
		opt_misused("the action is missing");
	if (o->resume && !o->journal)
		opt_misused("--resume: needs --journal");
	if (p->timeout_ms <= 0)
		opt_misused("--timeout: must be more than 0");
}

int
main(int argc, char *argv[])
{
	struct fleet_options o = {
		.waves = "1%,10%,100%",
		.policy = { .max_failed = ROLLOUT_PARTS / 20, .min_executed = 10, .timeout_ms = 600000 },
	};
	struct fail f;
	int r;

	diag_init(argv);
	parse(argc, argv, &o);
	if (is_exec(&o))
		o.policy.timeout_ms += EXECCARRIER_SLACK_MS;
	o.loop = loop_new();
	r = fleet_start(&o, &f);
	loop_free(o.loop);
	roster_free(o.roster);
	xfree_strv(o.argv);
	free(o.runs);
	json_release(&o.goal);
	profile_free(o.profile);
	if (r < 0)
		fail_die(&f);
	finish((enum exit_status)r);
}
