#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/argv.h"
#include "base/backoff.h"
#include "base/dirs.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "input/filter_command.h"
#include "input/remote.h"
#include "input/protocol.h"

enum { KNOWN_MAX = 500 };	/* ids that are handed to a helper: they fit into its pipe */

struct given {
	int64_t off;
	char *id;
};

struct remote {
	struct feed feed;
	char **argv;
	bool is_command;		/* cmd:ARGV: ${last} in ARGV is the last id, and every end is followed by a start */
	pid_t pid;
	int fd;
	struct buf in;
	struct given *given;		/* events that are not out yet, from FIRST on */
	size_t first, n_given, cap;
	char *known[KNOWN_MAX];		/* ids of the last events that are out */
	size_t n_known;			/* all that ever were */
	struct backoff backoff;
	struct loop_timer again;
};

bool
remote_is(const char *location)
{
	return strncmp(location, "http://", 7) == 0 || strncmp(location, "https://", 8) == 0 ||
	    strncmp(location, "impcentral:", 11) == 0 || remote_is_command(location);
}

bool
remote_is_command(const char *location)
{
	return strncmp(location, "cmd:", 4) == 0;
}

char **
remote_command(const struct source_spec *s, bool follow)
{
	const bool imp = strncmp(s->location, "impcentral:", 11) == 0;
	char **argv;
	size_t n = 0;

	if (remote_is_command(s->location))
		return argv_split(s->location + 4, NULL);
	argv = xcalloc(8, sizeof *argv);
	argv[n++] = dirs_helper(imp ? "rejoin-log-impcentral" : "rejoin-log-http");
	if (follow)
		argv[n++] = xstrdup("--feed");
	if (s->ca_file && !imp)
		argv[n++] = xasprintf("--ca-file=%s", s->ca_file);
	if (s->token_file && !imp)
		argv[n++] = xasprintf("--token-file=%s", s->token_file);
	argv[n++] = xstrdup("--");
	argv[n] = xstrdup(s->location + (imp ? 11 : 0));
	return argv;
}

static void
remember_id(struct remote *r, char *id)
{
	char **at = &r->known[r->n_known++ % KNOWN_MAX];

	free(*at);
	*at = id;
}

/* Those that are out, oldest first. */
static void
add_known(const struct remote *r, struct buf *out)
{
	size_t n = r->n_known < KNOWN_MAX ? r->n_known : KNOWN_MAX;

	for (size_t i = r->n_known - n; i < r->n_known; i++)
		buf_printf(out, "%s\n", r->known[i % KNOWN_MAX]);
}

static void
on_event(const char *id, const char *text, size_t n, void *cookie)
{
	struct remote *r = cookie;
	const struct feed_event key = FEED_EVENT_INIT;

	r->backoff.tries = 0;
	if (*id) {
		r->given = xgrow(r->given, r->n_given, &r->cap, sizeof *r->given);
		r->given[r->n_given++] = (struct given){ r->feed.put, xstrdup(id) };
	}
	feed_push_event(&r->feed, text, n, &key);
}

static void
on_gap(const char *why, void *cookie)
{
	struct remote *r = cookie;
	struct fail f;

	fail_set(&f, EXIT_OK, "%s: a gap: %s", r->feed.name, why);
	feed_gap(&r->feed, &f);
}

static void
on_tell(const struct fail *f, void *cookie)
{
	struct remote *r = cookie;

	feed_tell(&r->feed, f->status, "%s", f->text);
}

static void
stop_helper(struct remote *r)
{
	if (r->fd >= 0) {
		loop_unwatch(r->feed.loop, r->fd);
		io_closep(&r->fd);
		r->fd = -1;
	}
	buf_reset(&r->in);
}

/* The helper has closed its pipe: see what it ended with, and whether to start it again. */
static void
on_end(struct remote *r)
{
	int status;
	int64_t ms;

	stop_helper(r);
	status = filter_command_end(r->pid);
	r->pid = 0;
	if (r->is_command && (status == 126 || status == 127)) {
		feed_tell(&r->feed, EXIT_TROUBLE, "%s: the command cannot be run", r->argv[0]);
		feed_end(&r->feed);
		return;
	}
	if (!r->is_command && status != EXIT_TROUBLE && status != EXIT_TIMEOUT && status != EXIT_ABSENT && status < 126) {
		feed_end(&r->feed);
		return;
	}
	ms = backoff_next(&r->backoff);
	feed_tell(&r->feed, status ? EXIT_TROUBLE : EXIT_OK, "its %s ended with %d; starting it again in %jd ms",
	    r->is_command ? "command" : "helper", status, (intmax_t)ms);
	loop_timer_set(r->feed.loop, &r->again, ms);
}

static void
on_readable(int fd, short events, void *cookie)
{
	struct remote *r = cookie;
	const struct protocol_ops ops = { on_event, on_gap, on_tell, r };
	ssize_t n = io_read_buf(fd, &r->in);

	(void)events;
	if (n > 0 && protocol_parse(&r->in, &ops) == 0)
		return;
	if (n != 0)
		kill(r->pid, SIGKILL);
	on_end(r);
}

/* Where it is to go on is written to a pipe that it can hold as a whole. */
static int
give_known(const struct remote *r)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	_cleanup_fd_ int out = -1;
	size_t from = 0;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	out = fds[1];
	add_known(r, &text);
	for (size_t i = r->first; i < r->n_given; i++)
		buf_printf(&text, "%s\n", r->given[i].id);
	fcntl(out, F_SETPIPE_SZ, 1 << 18);
	fcntl(out, F_SETFL, O_NONBLOCK);
	while (text.len - from > 60000)		/* the oldest do without */
		from += strcspn(text.s + from, "\n") + 1;
	(void)io_write_all(out, text.s + from, text.len - from);
	return fds[0];
}

/* The id of the last event; empty for none. */
static const char *
last_id(const struct remote *r)
{
	if (r->n_given > r->first)
		return r->given[r->n_given - 1].id;
	return r->n_known > 0 ? r->known[(r->n_known - 1) % KNOWN_MAX] : "";
}

/* The words of the command, with the last id in the place of ${last}; to be freed with xfree_strv(). */
static char **
command_words(const struct remote *r)
{
	static const char mark[] = "${last}";
	size_t n = 0;
	char **argv;

	while (r->argv[n])
		n++;
	argv = xcalloc(n + 1, sizeof *argv);
	for (size_t i = 0; i < n; i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		const char *p = r->argv[i], *at;

		while (r->is_command && (at = strstr(p, mark)) != NULL) {
			buf_add(&b, p, (size_t)(at - p));
			buf_puts(&b, last_id(r));
			p = at + sizeof mark - 1;
		}
		buf_puts(&b, p);
		argv[i] = xstrdup(b.s);
	}
	return argv;
}

static void
start_helper(void *cookie)
{
	struct remote *r = cookie;
	_cleanup_fd_ int in = give_known(r);
	char **argv = command_words(r);

	r->fd = in < 0 ? in : filter_command_start(argv, in, &r->pid);
	xfree_strv(argv);
	if (r->fd < 0) {
		struct fail f;

		fail_errno(&f, r->fd, "%s", r->argv[0]);
		feed_tell(&r->feed, EXIT_TROUBLE, "%s", f.text);
		feed_end(&r->feed);
		return;
	}
	if (!r->feed.paused)
		loop_watch(r->feed.loop, r->fd, POLLIN, on_readable, r);
}

static int
remote_start(struct feed *f, struct fail *why)
{
	(void)why;
	start_helper(f);
	return 0;
}

static void
set_paused(struct feed *f, bool paused)
{
	struct remote *r = (struct remote *)(void *)f;

	if (r->fd < 0)
		return;
	if (paused)
		loop_unwatch(f->loop, r->fd);
	else
		loop_watch(f->loop, r->fd, POLLIN, on_readable, r);
}

static void
remote_ack(struct feed *f, int64_t off)
{
	struct remote *r = (struct remote *)(void *)f;

	while (r->first < r->n_given && r->given[r->first].off < off)
		remember_id(r, r->given[r->first++].id);
	if (r->first > 64 && r->first > r->n_given / 2) {
		r->n_given -= r->first;
		memmove(r->given, r->given + r->first, r->n_given * sizeof *r->given);
		r->first = 0;
	}
}

static void
remote_save(struct feed *f, struct json *state)
{
	const struct remote *r = (struct remote *)(void *)f;
	size_t n = r->n_known < KNOWN_MAX ? r->n_known : KNOWN_MAX;
	struct json ids = json_array();

	for (size_t i = r->n_known - n; i < r->n_known; i++)
		json_append(&ids, json_string(r->known[i % KNOWN_MAX]));
	json_set(state, "ids", ids);
}

static int
remote_restore(struct feed *f, struct json state, struct fail *why)
{
	struct remote *r = (struct remote *)(void *)f;
	_cleanup_json_ struct json ids = json_get(state, "ids");

	(void)why;
	for (size_t i = 0; i < json_count(ids); i++) {
		_cleanup_json_ struct json id = json_at(ids, i);
		const char *s = json_get_string(id);

		if (s && *s && !strpbrk(s, "\n"))
			remember_id(r, xstrdup(s));
	}
	return 0;
}

static void
remote_free(struct feed *f)
{
	struct remote *r = (struct remote *)(void *)f;

	if (f->loop)
		loop_timer_stop(f->loop, &r->again);
	if (r->pid > 0) {
		stop_helper(r);
		kill(r->pid, SIGTERM);
		filter_command_end(r->pid);
	}
	for (size_t i = r->first; i < r->n_given; i++)
		free(r->given[i].id);
	for (size_t i = 0; i < KNOWN_MAX; i++)
		free(r->known[i]);
	free(r->given);
	xfree_strv(r->argv);
	buf_release(&r->in);
	feed_release(f);
	free(r);
}

struct feed *
remote_new(const struct source_spec *s)
{
	static const struct feed_ops ops = { .start = remote_start, .pause = set_paused, .ack = remote_ack, .save = remote_save,
	    .restore = remote_restore, .free = remote_free };
	struct remote *r = xcalloc(1, sizeof *r);

	feed_init(&r->feed, &ops, s->name);
	r->argv = remote_command(s, true);
	r->is_command = remote_is_command(s->location);
	r->fd = -1;
	r->in = (struct buf)BUF_INIT;
	r->again = (struct loop_timer){ .fn = start_helper, .cookie = r };
	return &r->feed;
}
