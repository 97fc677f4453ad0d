#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/xalloc.h"
#include "supervise/launch.h"

static const struct { const char *name; int resource; } limit_names[] = {
	{ "as", RLIMIT_AS }, { "core", RLIMIT_CORE }, { "cpu", RLIMIT_CPU }, { "data", RLIMIT_DATA },
	{ "fsize", RLIMIT_FSIZE }, { "memlock", RLIMIT_MEMLOCK }, { "nice", RLIMIT_NICE },
	{ "nofile", RLIMIT_NOFILE }, { "nproc", RLIMIT_NPROC }, { "rtprio", RLIMIT_RTPRIO },
	{ "stack", RLIMIT_STACK },
};

enum { LIMIT_NAMES = sizeof limit_names / sizeof *limit_names };
#define LIMIT_MAX	((INT64_C(1) << 53) - 1)	/* what a number of JSON has exactly */

int
launch_limit_resource(const char *name)
{
	for (size_t i = 0; i < LIMIT_NAMES; i++)
		if (strcmp(name, limit_names[i].name) == 0)
			return limit_names[i].resource;
	return -1;
}

_Static_assert((int)LIMIT_NAMES <= (int)LAUNCH_LIMITS, "room for one of each");

void
launch_release(struct launch *l)
{
	xfree_strv(l->argv);
	xfree_strv(l->env);
	free(l->cwd);
	free(l->user);
	free(l->program);
	free(l->stdin_name);
	free(l->cgroup);
	*l = (struct launch)LAUNCH_INIT;
}

/* V as a string without a NUL; NULL where it is none. */
static const char *
plain_text(struct json v)
{
	const char *s = json_get_string(v);

	return s && strlen(s) == json_string_len(v) ? s : NULL;
}

static int
fail_member(const char *key, const char *what, struct fail *f)
{
	return fail_set(f, EXIT_USAGE, "request: \"%s\": %s", key, what);
}

static int
parse_argv(struct json v, struct launch *l, struct fail *f)
{
	size_t n = json_count(v);

	if (json_kind(v) != JSON_ARRAY || n == 0)
		return fail_member("argv", "not a list with a program's name", f);
	l->argv = xcalloc(n + 1, sizeof *l->argv);
	for (size_t i = 0; i < n; i++) {
		_cleanup_json_ struct json word = json_at(v, i);
		const char *s = plain_text(word);

		if (!s || (i == 0 && !*s))
			return fail_member("argv", i == 0 ? "no program's name" : "not a string, or one with a NUL", f);
		l->argv[i] = xstrdup(s);
	}
	return 0;
}

static int
parse_env(struct json v, struct launch *l, struct fail *f)
{
	size_t n = 0;

	if (json_kind(v) == JSON_NONE)
		return 0;
	if (!json_is_object(v))
		return fail_member("env", "not an object", f);
	l->env = xcalloc(json_count(v) + 1, sizeof *l->env);
	for (struct json_iter it = json_begin(v); json_next(&it); ) {
		const char *s = plain_text(it.value);

		if (!s || !*it.key || strchr(it.key, '=')) {
			fail_set(f, EXIT_USAGE, "request: \"env\": '%.60s': must be a name without '=', with a string without a "
			    "NUL", it.key);
			json_end(&it);
			return -EINVAL;
		}
		l->env[n++] = xasprintf("%s=%s", it.key, s);
	}
	return 0;
}

/* An optional string; SLASH: it must be an absolute path. */
static int
parse_text(struct json o, const char *key, bool slash, char **out, struct fail *f)
{
	_cleanup_json_ struct json v = json_get(o, key);
	const char *s = plain_text(v);

	if (json_kind(v) == JSON_NONE || json_kind(v) == JSON_NULL)
		return 0;
	if (!s || !*s)
		return fail_member(key, "not a string, or an empty one", f);
	if (slash && *s != '/')
		return fail_member(key, "not an absolute path", f);
	*out = xstrdup(s);
	return 0;
}

/* An optional name of one file: no slash, no leading dot. */
static int
parse_name(struct json o, const char *key, char **out, struct fail *f)
{
	int r = parse_text(o, key, false, out, f);

	if (r == 0 && *out && (strchr(*out, '/') || **out == '.'))
		return fail_member(key, "not a file's name", f);
	return r;
}

static int
parse_bool(struct json o, const char *key, bool *out, struct fail *f)
{
	_cleanup_json_ struct json v = json_get(o, key);
	enum json_kind k = json_kind(v);

	if (k == JSON_NONE)
		return 0;
	if (k != JSON_TRUE && k != JSON_FALSE)
		return fail_member(key, "neither true nor false", f);
	*out = k == JSON_TRUE;
	return 0;
}

static int
parse_whole(struct json o, const char *key, int64_t max, int64_t *out, struct fail *f)
{
	_cleanup_json_ struct json v = json_get(o, key);
	int64_t n;

	if (json_kind(v) == JSON_NONE)
		return 0;
	if (!json_get_whole(v, &n) || n < 0 || n > max) {
		_cleanup_buf_ struct buf text = BUF_INIT;

		json_format(v, &text);
		return fail_set(f, EXIT_USAGE, "request: \"%s\": must be a whole number from 0 to %jd, not %.60s", key,
		    (intmax_t)max, text.s);
	}
	*out = n;
	return 0;
}

/* An optional word: *IS is whether it is the second of the two. */
static int
parse_choice(struct json o, const char *key, const char *no, const char *yes, bool *is, struct fail *f)
{
	_cleanup_free_ char *s = NULL;
	int r = parse_text(o, key, false, &s, f);

	if (r < 0 || !s)
		return r;
	if (strcmp(s, no) != 0 && strcmp(s, yes) != 0)
		return fail_set(f, EXIT_USAGE, "request: \"%s\": neither %s nor %s", key, no, yes);
	*is = strcmp(s, yes) == 0;
	return 0;
}

static int
parse_limits(struct json v, struct launch *l, struct fail *f)
{
	if (json_kind(v) == JSON_NONE)
		return 0;
	if (!json_is_object(v))
		return fail_member("limits", "not an object", f);
	for (int i = 0; i < LIMIT_NAMES; i++) {
		int64_t n = -1;
		int r = parse_whole(v, limit_names[i].name, LIMIT_MAX, &n, f);

		if (r < 0)
			return r;
		if (n >= 0)
			l->limits[l->n_limits++] = (struct launch_limit){ limit_names[i].resource, n };
	}
	for (struct json_iter it = json_begin(v); json_next(&it); )
		if (launch_limit_resource(it.key) < 0) {
			fail_set(f, EXIT_USAGE, "request: \"limits\": unknown limit: '%.60s' (as core, cpu, nofile, nproc, stack)",
			    it.key);
			json_end(&it);
			return -EINVAL;
		}
	return 0;
}

static int
parse_program(struct json v, struct launch *l, struct fail *f)
{
	int64_t dev = -1, ino = -1;
	int r;

	if (json_kind(v) == JSON_NONE)
		return 0;
	if (!json_is_object(v))
		return fail_member("program", "not an object", f);
	r = parse_text(v, "path", true, &l->program, f);
	if (r == 0)
		r = parse_whole(v, "dev", INT64_MAX, &dev, f);
	if (r == 0)
		r = parse_whole(v, "ino", INT64_MAX, &ino, f);
	if (r == 0 && (!l->program || dev < 0 || ino < 0))
		return fail_member("program", "path, dev and ino are required", f);
	l->program_dev = (dev_t)dev;
	l->program_ino = (ino_t)ino;
	return r;
}

/* A cgroup's name, "A" or "A/B": no part may lead elsewhere. */
static int
parse_cgroup(struct json o, struct launch *l, struct fail *f)
{
	int r = parse_text(o, "cgroup", false, &l->cgroup, f);

	if (r < 0 || !l->cgroup)
		return r;
	for (const char *p = l->cgroup; ; p++) {
		size_t n = strcspn(p, "/");

		if (n == 0 || n > 200 || *p == '.')
			return fail_member("cgroup", "not a cgroup's name", f);
		p += n;
		if (!*p)
			return 0;
	}
}

static int
parse_numbers(struct json v, struct launch *l, struct fail *f)
{
	int r = parse_whole(v, "timeout_ms", LAUNCH_TIME_MAX_MS, &l->timeout_ms, f);

	if (r == 0)
		r = parse_whole(v, "grace_ms", LAUNCH_TIME_MAX_MS, &l->grace_ms, f);
	if (r == 0)
		r = parse_whole(v, "drain_ms", LAUNCH_TIME_MAX_MS, &l->drain_ms, f);
	if (r == 0)
		r = parse_whole(v, "log_max", INT64_C(1) << 50, &l->log_max, f);
	return r;
}

static int
parse_flags(struct json v, struct launch *l, struct fail *f)
{
	int r = parse_choice(v, "stdio", "files", "inherit", &l->inherit, f);

	if (r == 0)
		r = parse_choice(v, "environment", "own", "inherit", &l->inherit_env, f);
	if (r == 0)
		r = parse_choice(v, "background", "end", "leave", &l->leave_background, f);
	if (r == 0)
		r = parse_choice(v, "stop", "all", "leader", &l->stops_leader, f);
	if (r == 0)
		r = parse_bool(v, "new_privileges", &l->new_privileges, f);
	if (r == 0)
		r = parse_bool(v, "lease", &l->lease, f);
	return r;
}

int
launch_from_json(struct json v, struct launch *l, struct fail *f)
{
	_cleanup_json_ struct json argv = json_get(v, "argv"), env = json_get(v, "env");
	_cleanup_json_ struct json limits = json_get(v, "limits"), program = json_get(v, "program");
	int r;

	*l = (struct launch)LAUNCH_INIT;
	if (!json_is_object(v))
		return fail_set(f, EXIT_USAGE, "request: not an object");
	r = parse_argv(argv, l, f);
	if (r == 0)
		r = parse_env(env, l, f);
	if (r == 0)
		r = parse_program(program, l, f);
	if (r == 0)
		r = parse_limits(limits, l, f);
	if (r == 0)
		r = parse_text(v, "cwd", true, &l->cwd, f);
	if (r == 0)
		r = parse_text(v, "user", false, &l->user, f);
	if (r == 0)
		r = parse_name(v, "stdin", &l->stdin_name, f);
	if (r == 0)
		r = parse_cgroup(v, l, f);
	if (r == 0)
		r = parse_flags(v, l, f);
	return r < 0 ? r : parse_numbers(v, l, f);
}

int
launch_parse(const char *text, size_t len, struct launch *l, struct fail *f)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	int r;

	*l = (struct launch)LAUNCH_INIT;
	r = json_parse("request", text, len, &v, f);
	return r < 0 ? r : launch_from_json(v, l, f);
}

static void
set_text(struct json *o, const char *key, const char *text)
{
	if (text)
		json_set_text(o, key, text);
}

static void
set_lists(const struct launch *l, struct json *o)
{
	struct json argv = json_array(), env = json_object(), limits = json_object();

	for (char **a = l->argv; *a; a++)
		json_append(&argv, json_string(*a));
	json_set(o, "argv", argv);
	for (char **e = l->env; e && *e; e++) {
		_cleanup_free_ char *name = xstrndup(*e, strcspn(*e, "="));

		json_set_text(&env, name, *e + strlen(name) + (strchr(*e, '=') != NULL));
	}
	if (l->env)
		json_set(o, "env", env);
	else
		json_release(&env);
	for (int i = 0; i < l->n_limits; i++)
		for (int k = 0; k < LIMIT_NAMES; k++)
			if (limit_names[k].resource == l->limits[i].resource)
				json_set(&limits, limit_names[k].name, json_number((double)l->limits[i].value));
	if (l->n_limits > 0)
		json_set(o, "limits", limits);
	else
		json_release(&limits);
}

void
launch_to_json(const struct launch *l, struct json *object)
{
	set_lists(l, object);
	set_text(object, "cwd", l->cwd);
	set_text(object, "user", l->user);
	set_text(object, "stdin", l->stdin_name);
	set_text(object, "cgroup", l->cgroup);
	if (l->program) {
		struct json program = json_object();

		json_set_text(&program, "path", l->program);
		json_set(&program, "dev", json_number((double)l->program_dev));
		json_set(&program, "ino", json_number((double)l->program_ino));
		json_set(object, "program", program);
	}
	json_set_text(object, "stdio", l->inherit ? "inherit" : "files");
	if (l->inherit_env)
		json_set_text(object, "environment", "inherit");
	json_set_text(object, "background", l->leave_background ? "leave" : "end");
	if (l->stops_leader)
		json_set_text(object, "stop", "leader");
	json_set(object, "new_privileges", json_bool(l->new_privileges));
	json_set(object, "lease", json_bool(l->lease));
	json_set(object, "timeout_ms", json_number((double)l->timeout_ms));
	json_set(object, "grace_ms", json_number((double)l->grace_ms));
	json_set(object, "drain_ms", json_number((double)l->drain_ms));
	json_set(object, "log_max", json_number((double)l->log_max));
}
