#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/argv.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/ini.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "deploy/agent_config.h"
#include "supervise/launch.h"

enum { CONFIG_MAX = 65536, JOBS_MAX = 256, ATTEMPTS_MAX = 1000 };

/* The shim takes no longer time: a setting that it refuses would make each installation fail. */
static int
duration_check(const struct ini_entry *e, int64_t ms, struct fail *f)
{
	return ms > LAUNCH_TIME_MAX_MS ? ini_bad(e, f, "%s: is more than 366d", e->key) : 0;
}

static int
duration_parse(const struct ini_entry *e, int64_t *ms, struct fail *f)
{
	int r = ini_duration(e, ms, f);

	return r < 0 ? r : duration_check(e, *ms, f);
}

/* Without a deadline a script that hangs would keep all others from their turn. */
static int
timeout_parse(const struct ini_entry *e, int64_t *ms, struct fail *f)
{
	int r = duration_parse(e, ms, f);

	return r == 0 && *ms == 0 ? ini_bad(e, f, "%s: is more than 0s", e->key) : r;
}

/* USER:GROUP */
static int
parse_owner(const struct ini_entry *e, struct agent_config *c, struct fail *f)
{
	const char *colon = strchr(e->value, ':');
	_cleanup_free_ char *user = colon ? xstrndup(e->value, (size_t)(colon - e->value)) : NULL;
	const struct passwd *pw;
	const struct group *gr;

	if (!colon)
		return ini_bad(e, f, "fifo-owner: not USER:GROUP: '%s'", e->value);
	pw = getpwnam(user);
	if (!pw)
		return ini_bad(e, f, "fifo-owner: there is no user '%s'", user);
	c->fifo_uid = pw->pw_uid;
	gr = getgrnam(colon + 1);
	if (!gr)
		return ini_bad(e, f, "fifo-owner: there is no group '%s'", colon + 1);
	c->fifo_gid = gr->gr_gid;
	return 0;
}

/* no, or the command. */
static int
parse_reboot(const struct ini_entry *e, struct agent_config *c, struct fail *f)
{
	const char *why = "no command";

	xfree_strv(c->reboot);
	c->reboot = NULL;
	if (strcmp(e->value, "no") == 0)
		return 0;
	c->reboot = argv_split(e->value, &why);
	if (!c->reboot || !*c->reboot)
		return ini_bad(e, f, "reboot: %s", why);
	return 0;
}

/* Durations separated by blanks. */
static int
parse_backoff(const struct ini_entry *e, struct attempts_policy *p, struct fail *f)
{
	const char *why;
	char **words = argv_split(e->value, &why);
	int r = 0;

	if (!words)
		return ini_bad(e, f, "backoff: %s", why);
	p->n_delays = 0;
	for (char **w = words; *w && r == 0; w++) {
		if (p->n_delays == ATTEMPTS_DELAYS)
			r = ini_bad(e, f, "backoff: more than %d durations", ATTEMPTS_DELAYS);
		else if (num_parse_duration(*w, &p->delays_ms[p->n_delays]) < 0)
			r = ini_bad(e, f, "backoff: not a duration: '%s'", *w);
		else
			r = duration_check(e, p->delays_ms[p->n_delays++], f);
	}
	xfree_strv(words);
	return r == 0 && p->n_delays == 0 ? ini_bad(e, f, "backoff: no duration") : r;
}

/* A file is named by its path from the root: programs with other directories read it. */
static int
path_parse(const struct ini_entry *e, char **path, struct fail *f)
{
	if (*e->value != '/')
		return ini_bad(e, f, "%s: not an absolute path: '%s'", e->key, e->value);
	free(*path);
	*path = xstrdup(e->value);
	return 0;
}

static int
link_parse(const struct ini_entry *e, struct http_job_link *l, struct fail *f)
{
	const struct { const char *key; char **path; } paths[] = {
		{ "ca-file", &l->ca_file }, { "cert-file", &l->cert_file }, { "key-file", &l->key_file },
		{ "token-file", &l->token_file },
	};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (strcmp(e->key, paths[i].key) == 0)
			return path_parse(e, paths[i].path, f);
	if (strcmp(e->key, "proxy") == 0) {
		free(l->proxy);
		l->proxy = xstrdup(e->value);
		return 0;
	}
	if (strcmp(e->key, "idle") == 0)
		return timeout_parse(e, &l->idle_ms, f);
	if (strcmp(e->key, "poll") == 0)
		return timeout_parse(e, &l->poll_ms, f);
	if (strcmp(e->key, "patience") == 0)
		return duration_parse(e, &l->patience_ms, f);
	return ini_unknown(e, "ca-file cert-file key-file token-file proxy idle poll patience", f);
}

/* hub:NAME, the profile of a link. */
static bool
is_link(const char *url)
{
	const char *name = url + 4;

	return strncmp(url, "hub:", 4) == 0 && *name && *name != '.' && !name[strspn(name,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")];
}

/* The address that reports go to; whether it can be one is said before anything is sent. */
static int
report_parse(const struct ini_entry *e, struct agent_config *c, struct fail *f)
{
	if (strncasecmp(e->value, "http://", 7) != 0 && strncasecmp(e->value, "https://", 8) != 0 &&
	    !is_link(e->value))
		return ini_bad(e, f, "report: not an http:// or https:// URL, and not hub:NAME: '%s'", e->value);
	free(c->report);
	c->report = xstrdup(e->value);
	return 0;
}

static int
entry_parse(const struct ini_entry *e, void *cookie, struct fail *f)
{
	static const char *const on_failure[] = { "continue", "stop", NULL }, *const on_replace[] = { "wait", "cancel", NULL };
	static const char *const on_stop[] = { "terminate", "keep", NULL };
	static const char *const methods[] = { "put", "post", NULL };
	struct agent_config *s = cookie;
	int n = 0, r;

	if (strcmp(e->section, "link") == 0)
		return e->key ? link_parse(e, &s->link, f) : 0;
	r = module_runners_parse(&s->runners, e, f);
	if (r <= 0)
		return r;
	if (strcmp(e->section, "agent") != 0 || !e->key)
		return strcmp(e->section, "agent") == 0 ? 0 : ini_unknown(e, "agent link module-impl.NAME", f);
	if (strcmp(e->key, "goal") == 0) {
		free(s->goal);
		s->goal = dirs_expand(e->value);
		return 0;
	}
	if (strcmp(e->key, "handler-user") == 0) {
		free(s->handler_user);
		s->handler_user = xstrdup(e->value);
		return getpwnam(e->value) ? 0 : ini_bad(e, f, "there is no user '%s'", e->value);
	}
	if (strcmp(e->key, "allow-unsigned") == 0) {
		r = ini_bool(e, &n, f);
		s->allow_unsigned = n;
		return r;
	}
	if (strcmp(e->key, "allow-modules") == 0) {
		r = ini_bool(e, &n, f);
		s->allow_modules = n;
		return r;
	}
	if (strcmp(e->key, "trust-hub") == 0) {
		r = ini_bool(e, &n, f);
		s->trust_hub = n;
		return r;
	}
	if (strcmp(e->key, "on-stop") == 0) {
		r = ini_word(e, on_stop, &n, f);
		s->keep_instances = n;
		return r;
	}
	if (strcmp(e->key, "on-failure") == 0) {
		r = ini_word(e, on_failure, &n, f);
		s->stop_on_failure = n;
		return r;
	}
	if (strcmp(e->key, "jobs") == 0)
		return num_parse(e->value, 1, JOBS_MAX, &s->jobs) == 0 ? 0 :
		    ini_bad(e, f, "jobs: not a number from 1 to %d: '%s'", JOBS_MAX, e->value);
	if (strcmp(e->key, "on-replace") == 0) {
		r = ini_word(e, on_replace, &n, f);
		s->cancel_on_replace = n;
		return r;
	}
	if (strcmp(e->key, "new-privileges") == 0) {
		r = ini_bool(e, &n, f);
		s->new_privileges = n;
		return r;
	}
	if (strcmp(e->key, "fifo-owner") == 0)
		return parse_owner(e, s, f);
	if (strcmp(e->key, "reboot") == 0)
		return parse_reboot(e, s, f);
	if (strcmp(e->key, "reboot-timeout") == 0)
		return timeout_parse(e, &s->reboot_timeout_ms, f);
	if (strcmp(e->key, "hold-until") == 0) {
		free(s->hold_until);
		s->hold_until = xstrdup(e->value);
		return *e->value == '/' ? 0 : ini_bad(e, f, "hold-until: not an absolute path: '%s'", e->value);
	}
	if (strcmp(e->key, "cache-max") == 0)
		return num_parse_size(e->value, &s->cache_max) == 0 ? 0 :
		    ini_bad(e, f, "cache-max: not a size, such as 512M: '%s'", e->value);
	if (strcmp(e->key, "max-attempts") == 0)
		return num_parse(e->value, 1, ATTEMPTS_MAX, &s->attempts.max) == 0 ? 0 :
		    ini_bad(e, f, "max-attempts: not a number from 1 to %d: '%s'", ATTEMPTS_MAX, e->value);
	if (strcmp(e->key, "backoff") == 0)
		return parse_backoff(e, &s->attempts, f);
	if (strcmp(e->key, "script-timeout") == 0)
		return timeout_parse(e, &s->script_timeout_ms, f);
	if (strcmp(e->key, "stop-grace") == 0)
		return duration_parse(e, &s->stop_grace_ms, f);
	if (strcmp(e->key, "report") == 0)
		return report_parse(e, s, f);
	if (strcmp(e->key, "report-method") == 0) {
		r = ini_word(e, methods, &n, f);
		s->posts_reports = n;
		return r;
	}
	return ini_unknown(e, "goal handler-user allow-unsigned allow-modules trust-hub on-stop on-failure on-replace jobs script-timeout stop-grace "
	    "max-attempts backoff cache-max reboot reboot-timeout hold-until new-privileges fifo-owner report report-method", f);
}

int
agent_config_parse(const char *file, const char *text, size_t len, struct agent_config *s, struct fail *f)
{
	int r;

	*s = (struct agent_config){ .jobs = 1, .reboot_timeout_ms = 600000, .cache_max = INT64_C(1) << 30, .fifo_uid = (uid_t)-1, .fifo_gid = (gid_t)-1, .script_timeout_ms = 600000, .stop_grace_ms = 10000,
	    .link = { .idle_ms = 10000, .poll_ms = 60000, .patience_ms = 60000 },
	    .attempts = { 3, { 60 * 1000, 10 * 60 * 1000, 60 * 60 * 1000 }, 3 } };
	module_runners_init(&s->runners);
	r = ini_parse(file, text, len, entry_parse, s, f);
	if (r < 0)
		agent_config_release(s);
	return r;
}

int
agent_config_load(struct agent_config *s, struct fail *f)
{
	_cleanup_free_ char *path = dirs_find(NULL, "agent.conf");
	_cleanup_buf_ struct buf text = BUF_INIT;
	int r = path ? file_load_trusted(path, (gid_t)-1, CONFIG_MAX, &text, f) : 0;

	if (r < 0) {
		*s = (struct agent_config){ 0 };
		return r;
	}
	return agent_config_parse(path ? path : "agent.conf", text.s, text.len, s, f);
}

void
agent_config_release(struct agent_config *s)
{
	free(s->goal);
	free(s->handler_user);
	free(s->hold_until);
	xfree_strv(s->reboot);
	free(s->report);
	module_runners_release(&s->runners);
	free(s->link.ca_file);
	free(s->link.cert_file);
	free(s->link.key_file);
	free(s->link.token_file);
	free(s->link.proxy);
	*s = (struct agent_config){ 0 };
}

char *
agent_config_state_dir(void)
{
	return xasprintf("%s/agent", dirs_state());
}

char *
agent_config_cache_dir(void)
{
	_cleanup_free_ char *state = agent_config_state_dir();
	_cleanup_free_ char *cache = xasprintf("%s/cache", state);

	return access(cache, W_OK | X_OK) == 0 ? TAKE_PTR(cache) : NULL;
}

const char *
agent_config_user(const struct agent_config *s)
{
	const struct passwd *pw = s->handler_user ? getpwnam(s->handler_user) : NULL;

	return pw && pw->pw_uid != geteuid() ? s->handler_user : NULL;
}
