#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/xalloc.h"
#include "input/feeds.h"
#include "input/filter_command.h"
#include "input/rotation.h"
#include "log/follow.h"

enum {
	STATE_MAX = 16 << 20,
	OPEN_FILES = 1 << 16,	/* as many as are wanted, where the hard limit allows it */
	COMMIT_MS = 100,	/* between two, where nothing can come twice in between */
};

/* A pattern whose matches join. */
struct pattern_watch {
	struct follow *follow;
	const struct source_spec *glob;
	struct filewatch_item *watched;
};

struct follow {
	struct follow_spec spec;
	struct loop *loop;
	struct filewatch *filewatch;
	struct tails *tails;
	struct live *live;
	struct render *out;
	struct pattern_watch *watches;
	char **followed;		/* locations */
	size_t n_followed, followed_cap;
	struct json state;
	char *lock_path;
	int lock_fd;
	bool regular;			/* what is printed goes into a file */
	bool ended;			/* in order: nothing will be printed any more */
	int64_t committed_ms;
	struct loop_timer commit;
	int signo;
};

/* --- the state */

static bool
is_true(struct json o, const char *key)
{
	_cleanup_json_ struct json v = json_get(o, key);

	return json_kind(v) == JSON_TRUE;
}

/* Cut off what was printed after the state was written: it will be printed again. */
static int
cut_output(struct follow *fo, struct json output, struct fail *f)
{
	int64_t size = json_get_whole_or(output, "size", -1);
	struct stat st;

	/* A run that ended in order wrote its state last: what was appended later is not its output. */
	if (!fo->regular || is_true(fo->state, "ended") || fstat(STDOUT_FILENO, &st) < 0 || json_get_whole_or(output, "inode", -1) != (int64_t)st.st_ino ||
	    json_get_whole_or(output, "device", -1) != (int64_t)st.st_dev || size < 0 || size > st.st_size)
		return 0;
	if (ftruncate(STDOUT_FILENO, size) < 0 || lseek(STDOUT_FILENO, size, SEEK_SET) < 0)
		return fail_errno(f, errno, "standard output cannot be cut back to what the state knows");
	fo->out->torn = is_true(output, "torn");
	return 0;
}

static int
load_state(struct follow *fo, struct fail *f)
{
	const char *path = fo->spec.state_path;
	_cleanup_json_ struct json output = JSON_ABSENT;
	struct stat st;
	int r;

	fo->regular = fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode);
	fo->lock_path = xasprintf("%s.lock", path);
	fo->lock_fd = lock_open(fo->lock_path, 0600);
	if (fo->lock_fd < 0)
		return fail_errno(f, fo->lock_fd, "%s", fo->lock_path);
	if (lock_try(fo->lock_fd) < 0)
		return fail_set(f, EXIT_BUSY, "%s: another run has it", path);
	r = json_load(path, 0, STATE_MAX, &fo->state, f);
	if (r == 0)
		live_load_shared(fo->live, fo->state);
	if (r == -ENOENT)
		return 0;
	if (r == 0 && json_get_whole_or(fo->state, "version", -1) != 1)
		r = fail_set(f, EXIT_TROUBLE, "%s: not a state of this version", path);
	if (r < 0) {
		f->status = EXIT_TROUBLE;
		return r;
	}
	output = json_get(fo->state, "output");
	return json_is_object(output) ? cut_output(fo, output, f) : 0;
}

static struct json
output_state(const struct follow *fo)
{
	struct json o = json_object();
	struct stat st;

	if (!fo->regular || fstat(STDOUT_FILENO, &st) < 0)
		return o;
	json_set(&o, "device", json_number((double)st.st_dev));
	json_set(&o, "inode", json_number((double)st.st_ino));
	json_set(&o, "size", json_number((double)st.st_size));
	json_set(&o, "torn", json_bool(fo->out->torn));
	return o;
}

static void
commit(void *cookie)
{
	struct follow *fo = cookie;
	_cleanup_json_ struct json state = json_object();
	_cleanup_json_ struct json old = json_get(fo->state, "sources");
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct json sources = json_is_object(old) ? json_copy(old) : json_object();
	int r;

	/* A source that was not named this time keeps its place. */
	live_save(fo->live, &sources);
	json_set(&state, "version", json_number(1));
	json_set(&state, "ended", json_bool(fo->ended));
	json_set(&state, "output", output_state(fo));
	live_save_shared(fo->live, &state);
	json_set(&state, "sources", sources);
	json_format(state, &text);
	buf_putc(&text, '\n');
	r = file_replace(fo->spec.state_path, text.s, text.len, 0600, 0);
	if (r < 0) {
		struct fail f;

		fail_errno(&f, r, "%s", fo->spec.state_path);
		fo->spec.tell(&f, fo->spec.cookie);
	}
	fo->committed_ms = clock_mono_ms();
}

static void
on_written(void *cookie)
{
	struct follow *fo = cookie;

	if (!fo->spec.state_path)
		return;
	if (!fo->regular || clock_mono_ms() >= fo->committed_ms + COMMIT_MS)
		commit(fo);
	else if (!fo->commit.set)
		loop_timer_set(fo->loop, &fo->commit, COMMIT_MS);
}

/* --- sources */

static bool
is_followed(const struct follow *fo, const char *location)
{
	for (size_t i = 0; i < fo->n_followed; i++)
		if (strcmp(fo->followed[i], location) == 0)
			return true;
	return false;
}

/* Is it called as a rotated file of another that is followed? */
static bool
is_called_rotated(const struct follow *fo, const struct source_spec *spec)
{
	for (size_t i = 0; i < fo->n_followed; i++)
		if (rotation_is_of(spec->location, fo->followed[i]))
			return true;
	return false;
}

static struct json
state_of(const struct follow *fo, const struct source_spec *spec)
{
	_cleanup_json_ struct json sources = json_get(fo->state, "sources");

	return json_is_object(sources) ? json_get(sources, spec->name) : JSON_ABSENT;
}

/*
 * A rotated file that a pattern matched is read as it is: another that gets its
 * name was read under the log's own.  One that the user named is followed.
 */
static int
add_source(struct follow *fo, const struct source_spec *spec, bool rotated, struct fail *f)
{
	bool pinned = rotated && spec->matched && !filter_command_of(spec->location);
	struct feed *feed = pinned ? tail_new_pinned(spec->location, fo->tails) : feeds_new(spec, fo->tails);
	_cleanup_json_ struct json state = state_of(fo, spec);

	return live_add(fo->live, spec, feed, state, f);
}

static void
remember_location(struct follow *fo, const char *location)
{
	fo->followed = xgrow(fo->followed, fo->n_followed, &fo->followed_cap, sizeof(char *));
	fo->followed[fo->n_followed++] = xstrdup(location);
}

static int
add_all(struct follow *fo, struct fail *f)
{
	const struct source_specs *specs = fo->spec.specs;

	for (size_t i = 0; i < specs->n; i++)
		remember_location(fo, specs->v[i].location);
	for (size_t i = 0; i < specs->n; i++) {
		bool rotated = is_called_rotated(fo, &specs->v[i]);
		_cleanup_json_ struct json state = state_of(fo, &specs->v[i]);
		int r;

		if (rotated && json_is_object(fo->state) && !json_is_object(state))
			continue;	/* it was read by the run before, under its first name */
		r = add_source(fo, &specs->v[i], rotated, f);
		if (r < 0 && f->status == EXIT_USAGE)
			return r;
		if (r < 0)
			fo->spec.tell(f, fo->spec.cookie);
	}
	return 0;
}

/* A new name in a directory may match the pattern. */
static void
join_matches(bool names, void *cookie)
{
	struct pattern_watch *w = cookie;
	struct follow *fo = w->follow;
	struct source_specs found = { .live = true };
	struct fail f;

	if (!names)
		return;
	source_specs_add_matches(&found, w->glob, &f);
	for (size_t i = 0; i < found.n; i++) {
		struct source_spec *s = &found.v[i];
		const char *slash = strrchr(s->location, '/');

		if (is_followed(fo, s->location) || is_called_rotated(fo, s))
			continue;
		if (!s->name)
			s->name = xstrdup(slash && !live_has(fo->live, slash + 1) ? slash + 1 : s->location);
		else if (live_has(fo->live, s->name)) {
			free(s->name);
			s->name = xstrdup(s->location);
		}
		remember_location(fo, s->location);
		if (add_source(fo, s, false, &f) < 0)
			fo->spec.tell(&f, fo->spec.cookie);
	}
	source_specs_release(&found);
}

/* The directory of the pattern, or one above it, may be another now. */
static void
directory_changed(bool names, void *cookie)
{
	struct pattern_watch *w = cookie;

	if (names && w->watched)
		filewatch_renew(w->watched);
	join_matches(names, w);
}

static void
watch_globs(struct follow *fo)
{
	const struct source_specs *specs = fo->spec.specs;

	fo->watches = xcalloc(specs->n_globs + 1, sizeof *fo->watches);
	for (size_t i = 0; i < specs->n_globs; i++) {
		_cleanup_free_ char *path = xstrdup(specs->globs[i].location);
		struct pattern_watch *w = &fo->watches[i];

		*w = (struct pattern_watch){ fo, &specs->globs[i], NULL };
		w->watched = filewatch_add(fo->filewatch, w->glob->location, 0, join_matches, w);
		filewatch_add(fo->filewatch, dirname(path), FILEWATCH_PATH, directory_changed, w);
	}
}

/* --- the run */

static void
caught_up(void *cookie)
{
	struct follow *fo = cookie;

	if (fo->out->last)
		render_end_last(fo->out);
}

static void
on_source_opened(struct source *s, void *cookie)
{
	struct follow *fo = cookie;

	if (fo->spec.live.opened)
		fo->spec.live.opened(s, fo->spec.cookie);
}

static void
follow_report(const struct fail *f, void *cookie)
{
	struct follow *fo = cookie;

	fo->spec.tell(f, fo->spec.cookie);
}

static void
on_progress_signal(void *cookie)
{
	struct follow *fo = cookie;

	fo->spec.asked(fo->spec.cookie);
}

/* The reader of stdout has gone: end now, as the next write would. */
static void
on_reader_gone(int fd, short events, void *cookie)
{
	struct follow *fo = cookie;

	(void)events;
	loop_unwatch(fo->loop, fd);
	raise(SIGPIPE);
	fo->out->w.error = -EPIPE;	/* where that is ignored */
	loop_stop(fo->loop, 0);
}

static void
watch_reader(struct follow *fo)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		loop_watch(fo->loop, STDOUT_FILENO, 0, on_reader_gone, fo);
}

/* Each file that is followed is open. */
static void
raise_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max && limit.rlim_cur < OPEN_FILES) {
		limit.rlim_cur = limit.rlim_max < OPEN_FILES ? limit.rlim_max : OPEN_FILES;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int
follow_open(const struct follow_spec *spec, struct render *out, struct causal_count *count, struct follow **result,
    struct fail *f)
{
	struct follow *fo = xcalloc(1, sizeof *fo);
	struct live_spec live = spec->live;
	int r = 0;

	*fo = (struct follow){ .spec = *spec, .out = out, .lock_fd = -1, .commit = { .fn = commit, .cookie = fo } };
	raise_open_files();
	fo->loop = loop_new();
	fo->filewatch = filewatch_new(fo->loop, FILEWATCH_POLL_MS);
	fo->tails = tails_new(fo->filewatch);
	live.opened = on_source_opened;
	live.caught_up = caught_up;
	live.written = on_written;
	live.tell = follow_report;
	live.cookie = fo;
	fo->live = live_new(fo->loop, &live, out, count);
	if (spec->state_path)
		r = load_state(fo, f);
	if (r == 0)
		r = add_all(fo, f);
	if (r < 0) {
		follow_close(fo);
		return r;
	}
	if (!live.once)
		watch_globs(fo);
	*result = fo;
	return 0;
}

int
follow_run(struct follow *fo)
{
	loop_end_on_signals(fo->loop, &fo->signo);
	loop_signal(fo->loop, SIGUSR1, on_progress_signal, fo);
	if (!fo->spec.live.once)
		watch_reader(fo);
	/* Whatever happens from here on, the next run goes on from here. */
	if (fo->spec.state_path && !json_is_object(fo->state))
		commit(fo);
	if (live_has(fo->live, NULL) || (fo->spec.specs->n_globs && !fo->spec.live.once))
		loop_run(fo->loop);
	/* With a state, what is held will be read again. */
	if (fo->signo && !fo->spec.state_path)
		live_drain(fo->live);
	if (fo->out->last)
		render_end_last(fo->out);
	fo->ended = true;
	if (fo->spec.state_path && fo->out->w.error == 0)
		commit(fo);
	return fo->signo;
}

void
follow_held(const struct follow *fo, size_t *bytes, size_t *records)
{
	live_held(fo->live, bytes, records);
}

void
follow_close(struct follow *fo)
{
	if (!fo)
		return;
	loop_timer_stop(fo->loop, &fo->commit);
	live_free(fo->live);
	tails_free(fo->tails);
	filewatch_free(fo->filewatch);
	loop_free(fo->loop);
	json_release(&fo->state);
	io_closep(&fo->lock_fd);
	free(fo->lock_path);
	for (size_t i = 0; i < fo->n_followed; i++)
		free(fo->followed[i]);
	free(fo->followed);
	free(fo->watches);
	free(fo);
}
