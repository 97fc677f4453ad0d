#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "module/instance.h"

enum { DRAIN_MS = 500, LOG_MAX = 8 << 20 };

char *
instance_run_dir(const char *dir)
{
	return xasprintf("%s/run", dir);
}

int
instance_user(const struct module_runner *r, const char *handler_user, const char **user, uid_t *uid, struct fail *f)
{
	const char *name = r->user ? r->user : handler_user;
	const struct passwd *pw = name ? getpwnam(name) : NULL;
	int e;

	if (name && !pw)
		return fail_set(f, EXIT_TROUBLE, "there is no user '%s'", name);
	if (!r->user && (pw ? pw->pw_uid : geteuid()) == 0) {
		e = fail_set(f, EXIT_DENIED, "would run as root, which [module-impl.%s] of agent.conf does not allow", r->name);
		fail_hint(f, "set user in [module-impl.%s] to the user that runs such modules", r->name);
		return e;
	}
	*uid = pw ? pw->pw_uid : geteuid();
	*user = pw && pw->pw_uid != geteuid() ? name : NULL;
	return 0;
}

/* PATH as a directory of UID with MODE; one of another user is removed first. */
static int
make_owned(const char *path, uid_t uid, gid_t gid, mode_t mode, struct fail *f)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;

	if (lstat(path, &st) == 0 && (!S_ISDIR(st.st_mode) || st.st_uid != uid)) {
		int r = S_ISDIR(st.st_mode) ? file_remove_tree(path) : unlink(path) < 0 ? -errno : 0;

		if (r < 0)
			return fail_errno(f, r, "%s", path);
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail_errno(f, errno, "%s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
		return fail_errno(f, errno, "%s", path);
	return 0;
}

static int
make_dirs(const struct instance_spec *s, struct fail *f)
{
	const struct passwd *pw = s->user ? getpwnam(s->user) : NULL;
	const uid_t uid = pw ? pw->pw_uid : geteuid();
	const gid_t gid = pw ? pw->pw_gid : getegid();
	_cleanup_free_ char *home = xasprintf("%s/home", s->dir), *workspace = xasprintf("%s/default_workspace", home);
	int r = file_make_dirs(s->dir, 0755);

	if (r < 0)
		return fail_errno(f, r, "%s", s->dir);
	/* others pass through it to its sockets */
	r = make_owned(home, uid, gid, 0711, f);
	return r < 0 ? r : make_owned(workspace, uid, gid, 0700, f);
}

static void
env_add(char **env, size_t *n, const char *name, const char *value)
{
	if (value)
		env[(*n)++] = xasprintf("%s=%s", name, value);
}

/* The whole environment of an instance; the toolkit's directories only where they are not the usual ones. */
static char **
environment_of(const struct instance_spec *s)
{
	static const char *const kept[] = { "TZ", "REJOIN_CONFIG_DIR", "REJOIN_STATE_DIR", "REJOIN_RUNTIME_DIR" };
	_cleanup_free_ char *home = xasprintf("%s/home", s->dir), *workspace = xasprintf("%s/default_workspace", home);
	char **env = xcalloc(16, sizeof *env);
	const char *path = getenv("PATH");
	size_t n = 0;

	env_add(env, &n, "PATH", path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	env_add(env, &n, "HOME", home);
	env_add(env, &n, "REJOIN_INSTANCE", s->name);
	env_add(env, &n, "REJOIN_AGENT", s->agent);
	env_add(env, &n, "EVP_MODULE_SDK_DEFAULT_WORKSPACE_PATH", workspace);
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		env_add(env, &n, kept[i], getenv(kept[i]));
	return env;
}

/* Are we a service of systemd's, and root?  Then the shim must not be in our cgroup and sandbox. */
static bool
is_root_service(void)
{
	return geteuid() == 0 && getenv("INVOCATION_ID") && access("/run/systemd/system", F_OK) == 0;
}

/* A unit for a run of the instance: the last one may not be unloaded yet, so each has a name of its own. */
static char *
unit_name(const char *dir)
{
	char *unit = xasprintf("rejoin-instance-%s-%jd.service", strrchr(dir, '/') + 1, (intmax_t)clock_wall_ms());

	for (char *p = unit; *p; p++)
		if (*p == '%')
			*p = '_';
	return unit;
}

/* The program of W behind the bridge. */
static char **
bridge_argv(const struct module_runner *runner, const struct module_runner_words *w)
{
	char **words = module_runner_argv(runner, w), **argv;
	size_t n = 0, k = 0;

	while (words[n])
		n++;
	argv = xcalloc(n + 5, sizeof *argv);
	argv[k++] = dirs_helper("rejoin-instance-evp");
	argv[k++] = xasprintf("--signal=%d", runner->stop_signal);
	argv[k++] = xasprintf("--grace=%d", INSTANCE_GRACE_MS);
	argv[k++] = xstrdup("--");
	for (size_t i = 0; i < n; i++)
		argv[k++] = words[i];
	free(words);
	return argv;
}

/* The run in the directory RUN, made and started. */
static int
run_start(struct loop *l, const struct instance_spec *s, const char *run, supervise_done *done, void *cookie,
    struct supervise **out, struct fail *f)
{
	_cleanup_free_ char *home = xasprintf("%s/home", s->dir), *unit = unit_name(s->dir);
	const struct module_runner_words words = { s->file, s->entry, s->name, home };
	const struct supervise_spec spec = { .dir = run, .unit = is_root_service() ? unit : NULL,
		.slice = "rejoin-instances.slice" };
	struct launch launch = LAUNCH_INIT;
	struct json extra = json_object();
	int r;

	launch.argv = bridge_argv(s->runner, &words);
	launch.stops_leader = true;
	launch.env = environment_of(s);
	launch.cwd = xstrdup(home);
	launch.user = s->user ? xstrdup(s->user) : NULL;
	launch.drain_ms = DRAIN_MS;
	launch.log_max = LOG_MAX;
	launch.grace_ms = INSTANCE_GRACE_MS;
	memcpy(launch.limits, s->runner->limits, sizeof launch.limits);
	launch.n_limits = s->runner->n_limits;
	json_set(&extra, "identity", json_copy(s->identity));
	r = supervise_make(run, &launch, extra, f);
	json_release(&extra);
	launch_release(&launch);
	if (r < 0)
		return r;
	*out = supervise_start(l, &spec, done, cookie, f);
	return *out ? 0 : -EIO;
}

int
instance_start(struct loop *l, const struct instance_spec *s, supervise_done *done, void *cookie,
    struct supervise **out, struct fail *f)
{
	_cleanup_free_ char *run = instance_run_dir(s->dir);
	struct supervise_view v;
	int r = make_dirs(s, f);

	if (r == 0)
		r = supervise_examine(run, &v, f);
	if (r < 0)
		return r;
	if (v.state == SUPERVISE_RUNNING || v.state == SUPERVISE_INTERRUPTED)
		return fail_set(f, EXIT_BUSY, "%s: it runs already", run), -EBUSY;
	r = file_remove_tree(run);
	if (r < 0 && r != -ENOENT)
		return fail_errno(f, r, "%s", run);
	return run_start(l, s, run, done, cookie, out, f);
}

int
instance_set_routes(const char *dir, struct json routes, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/routes.json", dir);
	_cleanup_json_ struct json now = JSON_ABSENT;
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail ignored;
	int r;

	if (json_load(path, FILE_NOFOLLOW, FILE_DATA_MAX, &now, &ignored) == 0 && json_equal(now, routes))
		return 0;
	json_format(routes, &b);
	buf_putc(&b, '\n');
	r = file_make_dirs(dir, 0755);
	if (r == 0)
		r = file_replace(path, b.s, b.len, 0644, 0);
	return r < 0 ? fail_errno(f, r, "%s", path) : 0;
}

int
instance_examine(const char *dir, struct supervise_view *v, struct json *identity, struct fail *f)
{
	_cleanup_free_ char *run = instance_run_dir(dir), *path = xasprintf("%s/request.json", run);
	_cleanup_json_ struct json request = JSON_ABSENT;
	struct fail ignored;
	int r = supervise_examine(run, v, f);

	*identity = JSON_ABSENT;
	if (r == 0 && json_load(path, FILE_NOFOLLOW, LAUNCH_REQUEST_MAX, &request, &ignored) == 0)
		*identity = json_get(request, "identity");
	return r;
}

void
instance_end(const char *dir, int64_t grace_ms)
{
	_cleanup_free_ char *run = instance_run_dir(dir);

	/* the bridge passes on the program's own stop signal */
	supervise_end(run, WHY_KILL, SIGTERM, grace_ms);
}
