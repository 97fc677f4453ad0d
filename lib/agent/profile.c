#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/profile.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/ini.h"
#include "base/num.h"
#include "base/xalloc.h"

enum { PROFILE_MAX = 65536 };

enum kind { TEXT, PATH, WORDS, DURATION, BOOL, METHOD, STATUS, FRAME, SIGNAL, ARGV, LIMIT };

#define AT(member)	offsetof(struct profile, member)

/* The keys of the sections, and where in struct profile their values go. */
static const struct key {
	const char *section, *name;
	enum kind kind;
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
	{ "retry", "argv", ARGV, AT(retry.argv), NULL },
	{ "retry", "signal", SIGNAL, AT(retry.signo), NULL },
	{ "retry", "pid-file", PATH, AT(retry.pid_file), NULL },
	{ "retry", "exe", PATH, AT(retry.exe), NULL },
	{ "retry", "debounce", DURATION, AT(retry.debounce_ms), NULL },
	{ "retry", "only-when-idle", BOOL, AT(retry.only_when_idle), NULL },
	{ "retry", "when-unknown", BOOL, AT(retry.send_when_unknown),
	    (const char *const[]){ "hold", "send", NULL } },
	{ "restart", "method", WORDS, AT(restart.method), (const char *const[]){ "systemd",
	    "signal", "exec", "http", "impcentral", "s6", NULL } },
	{ "restart", "ready", TEXT, AT(restart.ready), NULL },
	{ "restart", "limit", LIMIT, AT(restart.limit), NULL },
	{ "restart", "stable", DURATION, AT(restart.stable_ms), NULL },
	{ "restart", "timeout", DURATION, AT(restart.timeout_ms), NULL },
	{ "status", "method", STATUS, AT(status.method), NULL },
	{ "status", "path", PATH, AT(status.path), NULL },
	{ "status", "busy-path", PATH, AT(status.busy_path), NULL },
	{ "inventory", "file", PATH, AT(inventory), NULL },
};

static const char *const methods[] = { "none", "fifo", "exec", "signal", NULL };
static const char *const statuses[] = { "none", "file", "busy-path", NULL };

static void
set_text(char **at, char *value)
{
	free(*at);
	*at = value;
}

/* "3/10m": how many in which time. */
static int
limit(const struct ini_entry *e, struct fail *f)
{
	_cleanup_free_ char *count = xstrdup(e->value);
	char *slash = strchr(count, '/');
	int64_t n;

	if (slash)
		*slash = '\0';
	if (!slash || num_parse(count, 1, INT32_MAX, &n) < 0 ||
	    num_parse_duration(slash + 1, &n) < 0)
		return ini_bad(e, f, "%s: not a number in a time: '%s' (such as 3/10m)",
		    e->key, e->value);
	return 0;
}

static int
frame(const struct ini_entry *e, struct profile_retry *r, struct fail *f)
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
argument_vector(const struct ini_entry *e, char ***argv, struct fail *f)
{
	char **v = ini_split(e->value);

	if (!v || !*v) {
		xfree_strv(v);
		return ini_bad(e, f, "%s: %s", e->key, v ? "is empty" : "a quote is left open");
	}
	xfree_strv(*argv);
	*argv = v;
	return 0;
}

static int
set(const struct key *k, const struct ini_entry *e, struct profile *p, struct fail *f)
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
		r = limit(e, f);
		if (r == 0)
			set_text(at, xstrdup(e->value));
		return r;
	case DURATION:
		return ini_duration(e, at, f);
	case BOOL:
		r = k->words ? ini_word(e, k->words, &n, f) : ini_bool(e, &n, f);
		*(bool *)at = n;
		return r;
	case METHOD:
		r = ini_word(e, methods, &n, f);
		*(enum retry_method *)at = (enum retry_method)n;
		return r;
	case STATUS:
		r = ini_word(e, statuses, &n, f);
		*(enum status_method *)at = (enum status_method)n;
		return r;
	case FRAME:
		return frame(e, &p->retry, f);
	case SIGNAL:
		return signal_number(e, at, f);
	case ARGV:
		return argument_vector(e, at, f);
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
		return ini_unknown(e, f);
	set_text(at, dirs_expand(e->value));
	return 0;
}

static int
entry(const struct ini_entry *e, void *cookie, struct fail *f)
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
			return set(&keys[i], e, p, f);
	}
	return e->key || !known ? ini_unknown(e, f) : 0;
}

/* What belongs together is there together. */
static int
check(const struct profile *p, struct fail *f)
{
	const struct profile_retry *r = &p->retry;
	const char *missing = NULL;

	if (r->method == RETRY_FIFO && !r->path)
		missing = "[retry] method = fifo needs a path";
	else if (r->method == RETRY_FIFO && r->frame != FRAME_BYTE && !r->command)
		missing = "[retry] this frame needs a command";
	else if (r->method == RETRY_FIFO && r->frame == FRAME_ADU64 && strlen(r->command) > 63)
		missing = "[retry] the command of an adu64 frame is at most 63 bytes long";
	else if (r->method == RETRY_FIFO && r->frame == FRAME_LINE && strlen(r->command) >= PIPE_BUF)
		missing = "[retry] the command of a line is too long to be written at once";
	else if (r->method == RETRY_EXEC && !r->argv)
		missing = "[retry] method = exec needs an argv";
	else if (r->method == RETRY_SIGNAL && !r->signo)
		missing = "[retry] method = signal needs a signal";
	else if (r->method == RETRY_SIGNAL && !r->pid_file && !p->unit)
		missing = "[retry] method = signal needs a pid-file, or a unit in [agent]";
	else if (p->status.method == STATUS_FILE && !p->status.path)
		missing = "[status] method = file needs a path";
	else if (p->status.method == STATUS_BUSY_PATH && !p->status.busy_path)
		missing = "[status] method = busy-path needs a busy-path";
	return missing ? fail_set(f, EXIT_USAGE, "%s: %s", p->file, missing) : 0;
}

int
profile_parse(const char *file, const char *text, size_t len, struct profile **out, struct fail *f)
{
	struct profile *p = xcalloc(1, sizeof *p);
	int r;

	p->file = xstrdup(file);
	p->uid = (uid_t)-1;
	p->gid = (gid_t)-1;
	r = ini_parse(file, text, len, entry, p, f);
	if (r == 0)
		r = check(p, f);
	if (r < 0) {
		profile_free(p);
		return r;
	}
	*out = p;
	return 0;
}

static int
look_up_owners(struct profile *p, struct fail *f)
{
	struct passwd *pw = p->user ? getpwnam(p->user) : NULL;
	struct group *gr = p->group ? getgrnam(p->group) : NULL;

	if (pw)
		p->uid = pw->pw_uid;
	if (gr)
		p->gid = gr->gr_gid;
	if (p->user && !pw)
		return fail_set(f, EXIT_USAGE, "%s: there is no user '%s'", p->file, p->user);
	if (p->group && !gr)
		return fail_set(f, EXIT_USAGE, "%s: there is no group '%s'", p->file, p->group);
	return 0;
}

static bool
is_name(const char *s)
{
	return *s && *s != '.' && !s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789._-")];
}

/* The name that agents.d/default stands for, or NULL. */
static char *
linked_default(void)
{
	_cleanup_free_ char *path = dirs_find("agents.d", "default");
	_cleanup_free_ char *real = path ? realpath(path, NULL) : NULL;
	char *base = real ? strrchr(real, '/') + 1 : NULL;
	size_t n = base ? strlen(base) : 0;

	return n > 5 && strcmp(base + n - 5, ".conf") == 0 ? xstrndup(base, n - 5) : NULL;
}

static char *
default_name(void)
{
	const char *env = secure_getenv("REJOIN_AGENT");
	char *name = env && *env ? xstrdup(env) : linked_default();

	return name ? name : xstrdup("rejoin");
}

/* Who may write the profile depends on the group it names, so a denied one is read for that alone. */
static int
load_text(const char *path, struct buf *text, struct fail *f)
{
	struct profile *p = NULL;
	struct fail first;
	int r = file_load_trusted(path, (gid_t)-1, PROFILE_MAX, text, f);

	if (r == 0 || f->status != EXIT_DENIED)
		return r;
	first = *f;
	if (file_load(path, 0, PROFILE_MAX, text, f) == 0 &&
	    profile_parse(path, text->s, text->len, &p, f) == 0 && look_up_owners(p, f) == 0 &&
	    p->gid != (gid_t)-1)
		r = file_load_trusted(path, p->gid, PROFILE_MAX, text, f);
	else
		*f = first;
	profile_free(p);
	return r;
}

int
profile_load_as_written(const char *name, struct profile **out, struct fail *f)
{
	_cleanup_free_ char *chosen = name ? xstrdup(name) : default_name();
	_cleanup_free_ char *base = xasprintf("%s.conf", chosen);
	_cleanup_free_ char *path = is_name(chosen) ? dirs_find("agents.d", base) : NULL;
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct fail missing;
	int r;

	if (!is_name(chosen)) {
		fail_set(f, EXIT_USAGE, "not a profile's name: '%s'", chosen);
		return -ENOENT;
	}
	if (!path) {
		fail_set(f, EXIT_USAGE, "no profile '%s': neither %s/agents.d/%s nor %s/agents.d/%s"
		    " is there", chosen, dirs_config(), base, dirs_vendor(), base);
		return -ENOENT;
	}
	r = load_text(path, &text, f);
	if (r == 0)
		r = profile_parse(path, text.s, text.len, out, f);
	if (r < 0)
		return r == -ENOENT ? -EIO : r;	/* gone just now */
	set_text(&(*out)->name, TAKE_PTR(chosen));
	(void)look_up_owners(*out, &missing);
	return 0;
}

int
profile_load(const char *name, struct profile **out, struct fail *f)
{
	int r = profile_load_as_written(name, out, f);

	if (r < 0)
		return r;
	r = look_up_owners(*out, f);
	if (r < 0) {
		profile_free(*out);
		*out = NULL;
	}
	return r;
}

struct profile *
profile_load_or_die(const char *name)
{
	struct profile *p = NULL;
	struct fail f;

	if (profile_load(name, &p, &f) < 0)
		fail_die(&f);
	return p;
}

void
profile_ask_by(struct profile *p, const char *const *argv)
{
	size_t n = 0;

	xfree_strv(p->retry.argv);
	p->retry.method = RETRY_EXEC;
	while (argv[n])
		n++;
	p->retry.argv = xcalloc(n + 1, sizeof *p->retry.argv);
	while (n-- > 0)
		p->retry.argv[n] = xstrdup(argv[n]);
}

void
profile_scope_or_die(const char *agent, char *const *named, struct profile_scope *s)
{
	bool none = !named || !*named;

	*s = (struct profile_scope){ .inventories = none ? s->own : named, .group = (gid_t)-1 };
	if (!agent && !none)
		return;
	s->profile = profile_load_or_die(agent);
	s->group = s->profile->gid;
	s->own[0] = s->profile->inventory;
	if (none && !s->own[0])
		die(EXIT_USAGE, 0, "%s: has no [inventory] file", s->profile->file);
}

void
profile_free(struct profile *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		char **at = (char **)((char *)p + keys[i].at);

		if (keys[i].kind == TEXT || keys[i].kind == PATH || keys[i].kind == WORDS ||
		    keys[i].kind == LIMIT)
			free(*at);
	}
	xfree_strv(p->retry.argv);
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
