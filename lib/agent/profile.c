#include <limits.h>
#include <regex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/profile.h"
#include "agent/profile_check.h"
#include "base/buf.h"
#include "base/dirs.h"
#include "base/argv.h"
#include "base/ini.h"
#include "base/num.h"
#include "base/xalloc.h"

enum profile_key_type {
	TEXT, PATH, WORDS, DURATION, BOOL, METHOD, STATUS, FRAME, SIGNAL, ARGV, LIMIT, REGEX, READY,
	SIZE, LIST,
};

#define AT(member)	offsetof(struct profile, member)

/* The keys of the sections, and where in struct profile their values go. */
static const struct profile_key {
	const char *section, *name;
	enum profile_key_type kind;
	size_t at;
	const char *const *words;	/* of WORDS */
} keys[] = {
	{ "agent", "name", TEXT, AT(name), NULL },
	{ "agent", "description", TEXT, AT(description), NULL },
	{ "agent", "user", TEXT, AT(user), NULL },
	{ "agent", "group", TEXT, AT(group), NULL },
	{ "agent", "unit", TEXT, AT(unit), NULL },
	{ "retry", "method", METHOD, AT(retry.method), NULL },
	{ "retry", "path", PATH, AT(retry.path), NULL },
	{ "retry", "frame", FRAME, 0, NULL },
	{ "retry", "command", TEXT, AT(retry.command), NULL },
	{ "retry", "again-command", TEXT, AT(retry.again_command), NULL },
	{ "retry", "instance-command", TEXT, AT(retry.instance_command), NULL },
	{ "retry", "call-command", TEXT, AT(retry.call_command), NULL },
	{ "retry", "argv", ARGV, AT(retry.argv), NULL },
	{ "retry", "signal", SIGNAL, AT(retry.signo), NULL },
	{ "retry", "pid-file", PATH, AT(retry.pid_file), NULL },
	{ "retry", "exe", PATH, AT(retry.exe), NULL },
	{ "retry", "url", TEXT, AT(retry.http.url), NULL },
	{ "retry", "request", TEXT, AT(retry.http.request), NULL },
	{ "retry", "header", TEXT, AT(retry.http.headers), NULL },
	{ "retry", "body", TEXT, AT(retry.http.body), NULL },
	{ "retry", "token-file", PATH, AT(retry.http.token_file), NULL },
	{ "retry", "ca-file", PATH, AT(retry.http.ca_file), NULL },
	{ "retry", "debounce", DURATION, AT(retry.debounce_ms), NULL },
	{ "retry", "only-when-idle", BOOL, AT(retry.only_when_idle), NULL },
	{ "retry", "when-unknown", BOOL, AT(retry.send_when_unknown),
	    (const char *const[]){ "hold", "send", NULL } },
	{ "restart", "method", WORDS, AT(restart.method), (const char *const[]){ "systemd",
	    "signal", "exec", "http", "impcentral", "s6", NULL } },
	{ "restart", "before", ARGV, AT(restart.before), NULL },
	{ "restart", "service", PATH, AT(restart.service), NULL },
	{ "restart", "argv", ARGV, AT(restart.argv), NULL },
	{ "restart", "signal", SIGNAL, AT(restart.signo), NULL },
	{ "restart", "grace", DURATION, AT(restart.grace_ms), NULL },
	{ "restart", "start", ARGV, AT(restart.start), NULL },
	{ "restart", "pid-file", PATH, AT(restart.pid_file), NULL },
	{ "restart", "exe", PATH, AT(restart.exe), NULL },
	{ "restart", "url", TEXT, AT(restart.http.url), NULL },
	{ "restart", "request", TEXT, AT(restart.http.request), NULL },
	{ "restart", "header", TEXT, AT(restart.http.headers), NULL },
	{ "restart", "body", TEXT, AT(restart.http.body), NULL },
	{ "restart", "token-file", PATH, AT(restart.http.token_file), NULL },
	{ "restart", "ca-file", PATH, AT(restart.http.ca_file), NULL },
	{ "restart", "device", TEXT, AT(restart.device), NULL },
	{ "restart", "account", PATH, AT(restart.account), NULL },
	{ "restart", "ready", READY, 0, NULL },
	{ "restart", "stable", DURATION, AT(restart.stable_ms), NULL },
	{ "restart", "timeout", DURATION, AT(restart.timeout_ms), NULL },
	{ "restart", "limit", LIMIT, 0, NULL },
	{ "status", "method", STATUS, AT(status.method), NULL },
	{ "status", "path", PATH, AT(status.path), NULL },
	{ "status", "busy-path", PATH, AT(status.busy_path), NULL },
	{ "status", "property", ARGV, AT(status.property), NULL },
	{ "status", "argv", ARGV, AT(status.argv), NULL },
	{ "status", "timeout", DURATION, AT(status.timeout_ms), NULL },
	{ "status", "stopped", REGEX, AT(status.stopped), NULL },
	{ "status", "starting", REGEX, AT(status.starting), NULL },
	{ "status", "idle", REGEX, AT(status.idle), NULL },
	{ "status", "busy", REGEX, AT(status.busy), NULL },
	{ "status", "failed", REGEX, AT(status.failed), NULL },
	{ "status", "stopping", REGEX, AT(status.stopping), NULL },
	{ "status", "needs-reboot", REGEX, AT(status.needs_reboot), NULL },
	{ "inventory", "file", PATH, AT(inventory), NULL },
	{ "hub", "dialect", WORDS, AT(hub.dialect), (const char *const[]){ "evp1", "evp2",
	    "thingsboard", "rejoin", NULL } },
	{ "hub", "broker", TEXT, AT(hub.broker), NULL },
	{ "hub", "insecure", BOOL, AT(hub.insecure), NULL },
	{ "hub", "client-id", TEXT, AT(hub.client_id), NULL },
	{ "hub", "username", TEXT, AT(hub.username), NULL },
	{ "hub", "username-file", PATH, AT(hub.username_file), NULL },
	{ "hub", "password-file", PATH, AT(hub.password_file), NULL },
	{ "hub", "ca-file", PATH, AT(hub.ca_file), NULL },
	{ "hub", "cert-file", PATH, AT(hub.cert_file), NULL },
	{ "hub", "key-file", PATH, AT(hub.key_file), NULL },
	{ "hub", "allow", LIST, AT(hub.allow), (const char *const[]){ "retry", "restart", "status",
	    "pause", NULL } },
	{ "hub", "group", TEXT, AT(hub.group), NULL },
	{ "hub", "fleet-groups", LIST, AT(hub.fleet_groups), NULL },
	{ "hub", "goal-key", TEXT, AT(hub.goal_key), NULL },
	{ "hub", "version", WORDS, AT(hub.version), (const char *const[]){ "3.1.1", "5", NULL } },
	{ "hub", "keep-alive", DURATION, AT(hub.keep_alive_ms), NULL },
	{ "hub", "report-min", DURATION, AT(hub.report_min_ms), NULL },
	{ "hub", "report-max", DURATION, AT(hub.report_max_ms), NULL },
	{ "hub", "urgent-max", SIZE, AT(hub.urgent_max), NULL },
	{ "hub", "bulk-max", SIZE, AT(hub.bulk_max), NULL },
};

static const char *const methods[] = { "none", "fifo", "exec", "signal", "http", NULL };
static const char *const statuses[] = { "none", "file", "busy-path", "systemd", "dbus", "exec",
	"adu-api", NULL };

/* The signs of readiness, and the prefix after which an argument stands. */
static const struct ready_word {
	const char *name;
	enum ready_sign sign;
	bool has_argument;
} signs[] = {
	{ "none", READY_NONE, false },
	{ "notify", READY_NOTIFY, false },
	{ "log:", READY_LOG, true },
	{ "probe:", READY_PROBE, true },
	{ "fifo-reader", READY_FIFO_READER, false },
	{ "status", READY_STATUS, false },
};

static void
set_text(char **at, char *value)
{
	free(*at);
	*at = value;
}

/* "3/10m": how many in which time. */
static int
set_limit(const struct ini_entry *e, struct profile_restart *r, struct fail *f)
{
	_cleanup_free_ char *count = xstrdup(e->value);
	char *slash = strchr(count, '/');
	int64_t n, ms;

	if (slash)
		*slash = '\0';
	if (!slash || num_parse(count, 1, INT32_MAX, &n) < 0 ||
	    num_parse_duration(slash + 1, &ms) < 0 || ms < 1)
		return ini_bad(e, f, "%s: not a number in a time: '%s' (such as 3/10m)",
		    e->key, e->value);
	r->limit = n;
	r->limit_ms = ms;
	return 0;
}

static int
set_regex(const struct ini_entry *e, const char *text, char **at, struct fail *f)
{
	char why[100];
	regex_t re;
	int r = regcomp(&re, text, REG_EXTENDED | REG_NOSUB);

	if (r != 0) {
		regerror(r, &re, why, sizeof why);
		return ini_bad(e, f, "%s: '%s': %s", e->key, text, why);
	}
	regfree(&re);
	set_text(at, xstrdup(text));
	return 0;
}

static int
set_frame(const struct ini_entry *e, struct profile_retry *r, struct fail *f)
{
	char *end;
	unsigned long byte;

	if (strcmp(e->value, "adu64") == 0) {
		r->frame = FRAME_ADU64;
		return 0;
	}
	if (strcmp(e->value, "line") == 0) {
		r->frame = FRAME_LINE;
		return 0;
	}
	if (strncmp(e->value, "byte:", 5) == 0 && strlen(e->value) == 7) {
		byte = strtoul(e->value + 5, &end, 16);
		r->frame = FRAME_BYTE;
		r->byte = (unsigned char)byte;
		if (!*end && strspn(e->value + 5, "0123456789abcdefABCDEF") == 2)
			return 0;
	}
	return ini_bad(e, f, "frame: '%s' is not adu64, line or byte:HH", e->value);
}

static int
signal_number(const struct ini_entry *e, int *signo, struct fail *f)
{
	const char *name = strncmp(e->value, "SIG", 3) == 0 ? e->value + 3 : e->value;

	for (int i = 1; i < NSIG; i++)
		if (sigabbrev_np(i) && strcmp(sigabbrev_np(i), name) == 0) {
			*signo = i;
			return 0;
		}
	return ini_bad(e, f, "signal: '%s' is none (such as SIGHUP)", e->value);
}

static int
argument_vector(const struct ini_entry *e, const char *text, char ***argv, struct fail *f)
{
	const char *why = "is empty";
	char **v = argv_split(text, &why);

	if (!v || !*v) {
		xfree_strv(v);
		return ini_bad(e, f, "%s: %s", e->key, why);
	}
	xfree_strv(*argv);
	*argv = v;
	return 0;
}

/* Words separated by commas or blanks; each is one of WORDS, unless that is NULL. */
static int
word_list(const struct ini_entry *e, const char *const *words, char ***at, struct fail *f)
{
	_cleanup_free_ char *text = xstrdup(e->value);
	char **v, *rest = text, *word;
	size_t n = 0;

	for (char *p = text; *p; p++)
		if (*p == ',')
			*p = ' ';
	v = xcalloc(strlen(text) / 2 + 2, sizeof *v);
	while ((word = strsep(&rest, " \t\n")) != NULL) {
		struct ini_entry one = *e;
		int i, r;

		if (!*word)
			continue;
		one.value = word;
		r = words ? ini_word(&one, words, &i, f) : 0;
		if (r < 0) {
			xfree_strv(v);
			return r;
		}
		v[n++] = xstrdup(word);
	}
	xfree_strv(*at);
	*at = v;
	return 0;
}

static int
set_ready(const struct ini_entry *e, struct profile_restart *r, struct fail *f)
{
	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
		const struct ready_word *s = &signs[i];
		const char *argument = e->value + strlen(s->name);

		if (s->has_argument ? strncmp(e->value, s->name, strlen(s->name)) != 0
		    : strcmp(e->value, s->name) != 0)
			continue;
		r->ready = s->sign;
		if (s->sign == READY_LOG)
			return set_regex(e, argument, &r->ready_log, f);
		return s->sign == READY_PROBE ? argument_vector(e, argument, &r->ready_probe, f) : 0;
	}
	return ini_bad(e, f, "ready: '%s' is not notify, log:REGEX, probe:ARGV, fifo-reader, status or"
	    " none", e->value);
}

static int
key_set(const struct profile_key *k, const struct ini_entry *e, struct profile *p, struct fail *f)
{
	void *at = (char *)p + k->at;
	int n = 0, r;

	switch (k->kind) {
	case TEXT:
		set_text(at, xstrdup(e->value));
		return 0;
	case PATH:
		set_text(at, dirs_expand(e->value));
		return **(char **)at == '/' ? 0 : ini_bad(e, f, "%s: not an absolute path: '%s'",
		    e->key, e->value);
	case WORDS:
		r = ini_word(e, k->words, &n, f);
		if (r == 0)
			set_text(at, xstrdup(e->value));
		return r;
	case LIMIT:
		return set_limit(e, &p->restart, f);
	case REGEX:
		return set_regex(e, e->value, at, f);
	case READY:
		return set_ready(e, &p->restart, f);
	case DURATION:
		return ini_duration(e, at, f);
	case BOOL:
		r = k->words ? ini_word(e, k->words, &n, f) : ini_bool(e, &n, f);
		*(bool *)at = n;
		return r;
	case METHOD:
		r = ini_word(e, methods, &n, f);
		*(enum retry_kind *)at = (enum retry_kind)n;
		return r;
	case STATUS:
		r = ini_word(e, statuses, &n, f);
		*(enum status_kind *)at = (enum status_kind)n;
		return r;
	case FRAME:
		return set_frame(e, &p->retry, f);
	case SIGNAL:
		return signal_number(e, at, f);
	case ARGV:
		return argument_vector(e, e->value, at, f);
	case LIST:
		return word_list(e, k->words, at, f);
	case SIZE:
		return num_parse_size(e->value, at) == 0 ? 0 :
		    ini_bad(e, f, "%s: not a size, such as 16M: '%s'", e->key, e->value);
	}
	return 0;
}

static int
log_entry(const struct ini_entry *e, struct profile *p, struct fail *f)
{
	struct profile_log *log;
	char **at;

	if (!e->key) {
		p->logs = xrealloc(p->logs, p->n_logs + 1, sizeof *p->logs);
		p->logs[p->n_logs++] = (struct profile_log){ .name = xstrdup(e->section + 4) };
		return 0;
	}
	log = &p->logs[p->n_logs - 1];
	if (strcmp(e->key, "path") == 0)
		at = &log->path;
	else if (strcmp(e->key, "format") == 0)
		at = &log->format;
	else if (strcmp(e->key, "journal") == 0)
		at = &log->journal;
	else
		return ini_unknown(e, "path format journal", f);
	set_text(at, dirs_expand(e->value));
	return 0;
}

/* What is known is in the table: the keys of the section, or the sections. */
static int
fail_unknown(const struct ini_entry *e, struct fail *f)
{
	_cleanup_buf_ struct buf known = BUF_INIT;
	const char *last = "";

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (e->key && strcmp(keys[i].section, e->section) == 0)
			buf_printf(&known, "%s ", keys[i].name);
		if (!e->key && strcmp(keys[i].section, last) != 0)
			buf_printf(&known, "%s ", keys[i].section);
		last = keys[i].section;
	}
	return ini_unknown(e, known.s, f);
}

static int
set_key(const struct ini_entry *e, void *cookie, struct fail *f)
{
	struct profile *p = cookie;
	bool known = false;

	if (strncmp(e->section, "log.", 4) == 0 && e->section[4])
		return log_entry(e, p, f);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (strcmp(keys[i].section, e->section) != 0)
			continue;
		known = true;
		if (e->key && strcmp(keys[i].name, e->key) == 0)
			return key_set(&keys[i], e, p, f);
	}
	return e->key || !known ? fail_unknown(e, f) : 0;
}

int
profile_parse(const char *file, const char *text, size_t len, struct profile **out, struct fail *f)
{
	struct profile *p = xcalloc(1, sizeof *p);
	int r;

	p->file = xstrdup(file);
	p->uid = (uid_t)-1;
	p->gid = (gid_t)-1;
	p->status.timeout_ms = 5000;
	p->restart.grace_ms = 10000;
	p->restart.stable_ms = 5000;
	p->restart.timeout_ms = 30000;
	p->hub.keep_alive_ms = 60000;
	p->hub.report_min_ms = 3000;
	p->hub.report_max_ms = 180000;
	p->hub.urgent_max = 16 << 20;
	p->hub.bulk_max = 64 << 20;
	r = ini_parse(file, text, len, set_key, p, f);
	if (r == 0)
		r = profile_check(p, f);
	if (r < 0) {
		profile_free(p);
		return r;
	}
	*out = p;
	return 0;
}

void
profile_free(struct profile *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		char **at = (char **)((char *)p + keys[i].at);

		if (keys[i].kind == TEXT || keys[i].kind == PATH || keys[i].kind == WORDS ||
		    keys[i].kind == REGEX)
			free(*at);
		else if (keys[i].kind == ARGV || keys[i].kind == LIST)
			xfree_strv((char **)(void *)*at);
	}
	free(p->restart.ready_log);
	xfree_strv(p->restart.ready_probe);
	for (size_t i = 0; i < p->n_logs; i++) {
		free(p->logs[i].name);
		free(p->logs[i].path);
		free(p->logs[i].format);
		free(p->logs[i].journal);
	}
	free(p->logs);
	free(p->file);
	free(p);
}
