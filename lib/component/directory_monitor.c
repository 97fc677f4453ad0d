#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/argv.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/filewatch.h"
#include "base/num.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "component/directory_monitor.h"

enum {
	LIVED_MS = 10 * 1000,	/* one that ran so long is started again at once */
	MISSING_MS = 10 * 1000,	/* poll interval for a missing directory */
	QUIET_MS = 1000,	/* events further apart than this are not one burst */
	TEXT_MAX = 8192,	/* of a record or a line */
};

struct directory_monitor {
	struct loop *loop;
	struct directory_monitor_callbacks callbacks;
	char **dirs;
	struct spawn *spawn;		/* NULL while it does not run */
	struct backoff backoff;
	struct loop_timer again;	/* start, or start again */
	struct filewatch *missing;	/* for directories that do not exist; NULL where all do */
	struct buf record, line;	/* incomplete: of its stdout, of its stderr */
	int64_t established_ms;		/* when its watches were in place; 0 for not yet */
	int64_t last_ms, n_burst;	/* time of the last event; events in this burst */
	int64_t queue_max;
	size_t n_missing;
	bool without_setpriv, is_missing, told_ready, restart, ending;
	struct buf told;		/* problems reported since the watches were last set up */
};

static void
tell_ready(struct directory_monitor *t)
{
	if (!t->told_ready)
		t->callbacks.ready(t->callbacks.cookie);
	t->told_ready = true;
}

/* Report and free TEXT, once until the watches are in place again. */
static void
tell_problem(struct directory_monitor *t, char *text)
{
	if (!strstr(t->told.s, text)) {
		t->callbacks.problem(text, t->callbacks.cookie);
		if (buf_puts(&t->told, text) < 0)
			buf_reset(&t->told);
	}
	free(text);
}

static char **
copy_strv(char *const *v)
{
	char **out;
	size_t n = 0;

	while (v[n])
		n++;
	out = xcalloc(n + 1, sizeof *out);
	for (size_t i = 0; i < n; i++)
		out[i] = xstrdup(v[i]);
	return out;
}

static void
forget_missing(struct directory_monitor *t)
{
	filewatch_free(t->missing);
	t->missing = NULL;
}

/* End inotifywait, so that it is started again. */
static void
monitor_restart(struct directory_monitor *t)
{
	t->restart = true;
	if (t->spawn)
		spawn_end(t->spawn);
	else
		loop_timer_set(t->loop, &t->again, 0);
}

static bool
is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Start again once one more of the directories exists. */
static void
missing_changed(bool names, void *cookie)
{
	struct directory_monitor *t = cookie;
	size_t n = 0;

	(void)names;
	for (char **d = t->dirs; *d; d++)
		n += !is_dir(*d);
	if (n < t->n_missing)
		monitor_restart(t);
}

static void
wait_for_missing(struct directory_monitor *t, const char *dir)
{
	t->n_missing++;
	tell_problem(t, xasprintf("%s: no such directory; waiting for it", dir));
	if (!t->missing)
		t->missing = filewatch_new(t->loop, MISSING_MS);
	filewatch_add(t->missing, dir, FILEWATCH_PATH, missing_changed, t);
}

/* The directories that exist, a line each: inotifywait fails where one does not. */
static void
list_dirs(struct directory_monitor *t, struct buf *out)
{
	forget_missing(t);
	t->n_missing = 0;
	for (char **d = t->dirs; *d; d++) {
		/* inotifywait would exclude a name that begins with @ */
		if (is_dir(*d))
			buf_printf(out, "%s%s\n", **d == '/' ? "" : "./", *d);
		else
			wait_for_missing(t, *d);
	}
}

static bool
is_dir_of(struct directory_monitor *t, const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	for (char **d = t->dirs; *d; d++) {
		size_t n = strlen(*d);

		while (n > 1 && (*d)[n - 1] == '/')
			n--;
		if (n == len && strncmp(*d, path, n) == 0)
			return true;
	}
	return false;
}

/* "EVENT,EVENT PATH" */
static void
record_read(struct directory_monitor *t, const char *record)
{
	const int64_t now = clock_mono_ms();
	const char *path = strchr(record, ' ');

	if (path)
		path += strncmp(path, " ./", 3) == 0 ? 3 : 1;	/* see list_dirs() */
	t->n_burst = now - t->last_ms > QUIET_MS ? 1 : t->n_burst + 1;
	t->last_ms = now;
	/* a directory that was removed is no longer monitored, even if it is made again */
	if (strstr(record, "Q_OVERFLOW") == record || t->n_burst > t->queue_max / 2 ||
	    (path && (strncmp(record, "DELETE_SELF", 11) == 0 ||
	    strncmp(record, "MOVE_SELF", 9) == 0 || strncmp(record, "UNMOUNT", 7) == 0) &&
	    is_dir_of(t, path))) {
		t->n_burst = 0;
		t->restart = true;
		loop_timer_set(t->loop, &t->again, QUIET_MS);
	}
	t->callbacks.changed(path, strncmp(record, "DELETE", 6) == 0 ||
	    strncmp(record, "MOVED_FROM", 10) == 0, t->callbacks.cookie);
}

static void
line_read(struct directory_monitor *t, const char *line)
{
	if (strncmp(line, "Setting up watches", 18) == 0)
		return;
	if (strncmp(line, "Watches established", 19) != 0) {
		tell_problem(t, xasprintf("inotifywait: %s", line));
		return;
	}
	t->established_ms = clock_mono_ms();
	buf_reset(&t->told);
	if (t->told_ready)
		t->callbacks.changed(NULL, false, t->callbacks.cookie);
	tell_ready(t);
}

/* Call FN with each text that ends in END; one that is too long is cut. */
static void
parts_split(struct directory_monitor *t, struct buf *b, const char *p, size_t n, char end,
    void (*fn)(struct directory_monitor *, const char *))
{
	for (; n > 0; p++, n--) {
		if (*p != end) {
			(void)!buf_putc(b, *p);
			continue;
		}
		fn(t, b->s);
		buf_reset(b);
	}
}

static void
on_output(int fd, const char *p, size_t n, void *cookie)
{
	struct directory_monitor *t = cookie;

	if (fd == 1)
		parts_split(t, &t->record, p, n, '\0', record_read);
	else
		parts_split(t, &t->line, p, n, '\n', line_read);
}

static void
on_exited(const struct spawn_result *r, void *cookie)
{
	struct directory_monitor *t = cookie;
	const bool lived = t->established_ms && clock_mono_ms() - t->established_ms >= LIVED_MS;
	_cleanup_buf_ struct buf why = BUF_INIT;

	t->spawn = NULL;
	if (t->ending)
		return;
	if (r->error == ENOENT && !t->without_setpriv) {
		t->without_setpriv = true;
		loop_timer_set(t->loop, &t->again, 0);
		return;
	}
	if (r->status == SPAWN_NOT_FOUND) {
		forget_missing(t);
		t->is_missing = true;
		t->callbacks.missing(t->callbacks.cookie);
		tell_ready(t);
		return;
	}
	if (lived)
		t->backoff.tries = 0;
	if (!t->restart) {
		spawn_describe(r, &why);
		tell_problem(t, xasprintf("inotifywait %s; it is started again", why.s));
	}
	if (!t->established_ms)
		t->callbacks.changed(NULL, false, t->callbacks.cookie);
	loop_timer_set(t->loop, &t->again, lived || t->restart ? 0 : backoff_next(&t->backoff));
	tell_ready(t);
}

static void
monitor_start(void *cookie)
{
	/* setpriv has the kernel end inotifywait when this process is killed */
	static const char command[] = "setpriv --pdeathsig TERM -- inotifywait --monitor --recursive "
	    "--fromfile - --format '%e %w%f%0' --no-newline --event close_write,create,delete,"
	    "moved_to,moved_from,delete_self,move_self,unmount";
	struct directory_monitor *t = cookie;
	_cleanup_buf_ struct buf dirs = BUF_INIT;
	char **argv;

	if (t->is_missing)
		return;
	if (t->spawn) {
		monitor_restart(t);
		return;
	}
	list_dirs(t, &dirs);
	t->established_ms = 0;
	t->restart = false;
	t->n_burst = 0;
	if (dirs.len == 0) {
		tell_ready(t);
		return;
	}
	argv = argv_split(t->without_setpriv ? strstr(command, "inotifywait") : command, NULL);
	t->spawn = spawn_start(t->loop, &(struct spawn_spec){
		.argv = argv, .in = dirs.s, .in_len = dirs.len, .grace_ms = 1000,
		.output = on_output,
	}, on_exited, t);
	xfree_strv(argv);
}

/* How many events the kernel keeps for one inotify instance. */
static int64_t
queue_max(void)
{
	_cleanup_buf_ struct buf b = BUF_MAX(64);
	struct fail f;
	int64_t n;

	if (file_load("/proc/sys/fs/inotify/max_queued_events", 0, 64, &b, &f) < 0)
		return 16384;
	b.s[strcspn(b.s, "\n")] = '\0';
	return num_parse(b.s, 16, INT32_MAX, &n) < 0 ? 16384 : n;
}

struct directory_monitor *
directory_monitor_new(struct loop *l, char *const *dirs, const struct directory_monitor_callbacks *callbacks)
{
	struct directory_monitor *t = xcalloc(1, sizeof *t);

	*t = (struct directory_monitor){
		.loop = l, .callbacks = *callbacks, .dirs = copy_strv(dirs),
		.again = { .fn = monitor_start, .cookie = t },
		.record = BUF_MAX(TEXT_MAX), .line = BUF_MAX(TEXT_MAX), .told = BUF_MAX(4 * TEXT_MAX),
		.queue_max = queue_max(),
	};
	loop_timer_set(l, &t->again, 0);
	return t;
}

void
directory_monitor_stop(struct directory_monitor *t)
{
	t->ending = true;
	loop_timer_stop(t->loop, &t->again);
	forget_missing(t);
	if (t->spawn)
		spawn_end(t->spawn);
}

void
directory_monitor_free(struct directory_monitor *t)
{
	if (!t)
		return;
	if (t->spawn)
		spawn_kill(t->spawn);
	loop_timer_stop(t->loop, &t->again);
	forget_missing(t);
	buf_release(&t->record);
	buf_release(&t->line);
	xfree_strv(t->dirs);
	buf_release(&t->told);
	free(t);
}
