#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/history.h"
#include "agent/profile.h"
#include "base/clock.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/ini.h"
#include "base/io.h"
#include "base/secret.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "doctor/bundle.h"
#include "doctor/program.h"
#include "doctor/redaction.h"

enum { FILE_END = 65536, OUTPUT_MAX = 262144, COMMAND_MS = 15000, LISTING_DEPTH = 5, LISTING_ENTRIES = 2000,
	LOGS_MAX = 4 };

struct section {
	char *title;
	size_t len;
};

struct bundle {
	struct buf out;
	struct redaction *redaction;
	struct section *sections;
	size_t n, cap;
};

/* --- secrets */

static int
guard_key(const struct ini_entry *e, void *cookie, struct fail *f)
{
	static const char *const words[] = { "token", "password", "username", "secret", "login-key" };
	struct bundle *b = cookie;

	for (size_t i = 0; e->key && i < sizeof words / sizeof *words; i++) {
		_cleanup_secret_ struct secret s = SECRET_NONE;
		_cleanup_free_ char *path = NULL;

		if (!strstr(e->key, words[i]) || !strstr(e->key, "-file"))
			continue;
		path = dirs_expand(e->value);
		if (secret_load(path, &s, f) == 0)
			redaction_add(b->redaction, s.s, s.len);
	}
	return 0;
}

/* The content of each file of a secret that the configuration names is left out wherever it occurs. */
static void
guard_secrets(struct bundle *b)
{
	static const char *const kinds[] = { "*.conf", "agents.d/*.conf" };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		_cleanup_free_ char *pattern = xasprintf("%s/%s", dirs_config(), kinds[i]);
		glob_t g;

		if (glob(pattern, 0, NULL, &g) != 0)
			continue;
		for (size_t k = 0; k < g.gl_pathc; k++) {
			_cleanup_buf_ struct buf text = BUF_INIT;
			struct fail f;

			if (file_load(g.gl_pathv[k], FILE_NOFOLLOW, FILE_DATA_MAX, &text, &f) == 0)
				ini_parse(g.gl_pathv[k], text.s, text.len, guard_key, b, &f);
		}
		globfree(&g);
	}
}

struct bundle *
bundle_new(void)
{
	struct bundle *b = xcalloc(1, sizeof *b);
	char now[CLOCK_TEXT];

	secret_guard();
	b->out = (struct buf)BUF_INIT;
	b->redaction = redaction_new();
	guard_secrets(b);
	buf_printf(&b->out, "rejoin-bundle 1\nrejoin %s, %s, uid %ju\n"
	    "Each section begins with === TITLE (BYTES). Secrets are replaced by [left out].\n",
	    VERSION, clock_now(now), (uintmax_t)geteuid());
	return b;
}

void
bundle_free(struct bundle *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->sections[i].title);
	free(b->sections);
	buf_release(&b->out);
	redaction_free(b->redaction);
	free(b);
}

void
bundle_text(struct bundle *b, const char *title, const char *text, size_t len)
{
	_cleanup_buf_ struct buf clean = BUF_INIT, name = BUF_INIT;

	redaction_apply(b->redaction, title, strlen(title), &name);
	redaction_apply(b->redaction, text, len, &clean);
	if (clean.len > 0 && clean.s[clean.len - 1] != '\n')
		buf_putc(&clean, '\n');
	buf_printf(&b->out, "\n=== %s (%zu bytes)\n", name.s, clean.len);
	buf_add(&b->out, clean.s, clean.len);
	b->sections = xgrow(b->sections, b->n, &b->cap, sizeof *b->sections);
	b->sections[b->n++] = (struct section){ buf_steal(&name), clean.len };
}

/* --- files */

/* The end of the file FD into OUT, from the beginning of a line; 0 or -errno. */
static int
read_end(int fd, struct buf *out)
{
	struct stat st;
	off_t at;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_nlink > 1)	/* another user may have given a file of root's this name */
		return -EMLINK;
	at = st.st_size > FILE_END ? st.st_size - FILE_END : 0;
	if (lseek(fd, at, SEEK_SET) < 0)
		return -errno;
	while ((n = io_read_buf(fd, out)) > 0 && out->len < 2 * FILE_END)
		;
	if (at > 0 && memchr(out->s, '\n', out->len)) {
		const size_t skip = (size_t)((char *)memchr(out->s, '\n', out->len) + 1 - out->s);

		memmove(out->s, out->s + skip, out->len - skip + 1);
		out->len -= skip;
	}
	return n < 0 ? (int)n : 0;
}

void
bundle_file(struct bundle *b, const char *path)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_buf_ struct buf text = BUF_INIT;
	int r;

	if (fd < 0 && errno == ENOENT)
		return;
	r = fd < 0 ? -errno : read_end(fd, &text);
	if (r < 0) {
		buf_reset(&text);
		buf_printf(&text, "not read: %s\n", r == -EINVAL ? "no regular file" : r == -EMLINK ?
		    "it has several names" : strerror(-r));
	}
	bundle_text(b, path, text.s, text.len);
}

/* The regular files of DIR whose names end in one of the suffixes of what holds no secret by itself. */
static void
add_files(struct bundle *b, const char *dir)
{
	static const char *const kinds[] = { "*.conf", "*.json", "*.rules", "agents.d/*.conf", "formats.d/*.conf",
	    "rules.d/*.conf" };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		_cleanup_free_ char *pattern = xasprintf("%s/%s", dir, kinds[i]);
		glob_t g;

		if (glob(pattern, 0, NULL, &g) != 0)
			continue;
		for (size_t k = 0; k < g.gl_pathc; k++)
			bundle_file(b, g.gl_pathv[k]);
		globfree(&g);
	}
}

/* Of the logs that match PATTERN, the ends of the last ones, by name. */
static void
add_logs(struct bundle *b, const char *pattern)
{
	glob_t g;

	if (glob(pattern, 0, NULL, &g) != 0)
		return;
	for (size_t i = g.gl_pathc > LOGS_MAX ? g.gl_pathc - LOGS_MAX : 0; i < g.gl_pathc; i++)
		bundle_file(b, g.gl_pathv[i]);
	globfree(&g);
}

static void
list_entry(int dir, const char *path, const char *name, struct buf *out)
{
	struct timespec t;
	char time[CLOCK_TEXT], to[256] = "";
	struct stat st;
	ssize_t n;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	t = st.st_mtim;
	n = S_ISLNK(st.st_mode) ? readlinkat(dir, name, to, sizeof to - 1) : 0;
	buf_printf(out, "%06o %5ju:%-5ju %10jd %s %s/%s%s%.*s\n", st.st_mode, (uintmax_t)st.st_uid,
	    (uintmax_t)st.st_gid, (intmax_t)st.st_size, clock_format(t, time), path, name, n > 0 ? " -> " : "",
	    n > 0 ? (int)n : 0, to);
}

static void
list_directory(int fd, const char *path, int depth, size_t *left, struct buf *out)
{
	DIR *d = fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		close(fd);
		return;
	}
	while (*left > 0 && (e = readdir(d))) {
		_cleanup_free_ char *below = xasprintf("%s/%s", path, e->d_name);
		int sub;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		--*left;
		list_entry(dirfd(d), path, e->d_name, out);
		sub = depth > 0 ? openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
		if (sub >= 0)
			list_directory(sub, below, depth - 1, left, out);
	}
	closedir(d);
}

static void
add_listing(struct bundle *b, const char *dir)
{
	_cleanup_free_ char *title = xasprintf("files below %s", dir);
	_cleanup_buf_ struct buf text = BUF_INIT;
	size_t left = LISTING_ENTRIES;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		buf_printf(&text, "not read: %s\n", strerror(errno));
	else
		list_directory(fd, dir, LISTING_DEPTH, &left, &text);
	if (left == 0)
		buf_printf(&text, "and more than %d entries\n", LISTING_ENTRIES);
	bundle_text(b, title, text.s, text.len);
}

/* --- programs */

void
bundle_output(struct bundle *b, char *const *argv)
{
	const struct spawn_spec spec = { .argv = argv, .session = true, .timeout_ms = COMMAND_MS, .grace_ms = 500,
	    .out_max = OUTPUT_MAX, .out_tail = true, .err_to_out = true };
	_cleanup_buf_ struct buf title = BUF_INIT, text = BUF_INIT;
	const char *slash = strrchr(*argv, '/');
	struct spawn_result r;

	spawn_run(&spec, &r);
	buf_puts(&title, slash ? slash + 1 : *argv);
	for (size_t i = 1; argv[i]; i++)
		buf_printf(&title, " %s", argv[i]);
	buf_add(&text, r.out.s, r.out.len);
	if (r.status != 0) {
		if (text.len > 0 && text.s[text.len - 1] != '\n')
			buf_putc(&text, '\n');
		buf_puts(&text, "it ");
		spawn_describe(&r, &text);
	}
	bundle_text(b, title.s, text.s, text.len);
	buf_release(&r.out);
	buf_release(&r.err);
}

/* LINE split at blanks; the first word is a tool of the toolkit or found in PATH.  %s in LINE is NAME. */
static void
add_command(struct bundle *b, const char *line, const char *name)
{
	_cleanup_free_ char *copy = xstrdup(line);
	_cleanup_free_ char *program = NULL;
	char *argv[16], *save = NULL;
	size_t n = 0;

	for (char *w = strtok_r(copy, " ", &save); w && n < 15; w = strtok_r(NULL, " ", &save))
		argv[n++] = strcmp(w, "%s") == 0 ? (char *)(uintptr_t)name : w;
	argv[n] = NULL;
	program = strncmp(*argv, "rejoin-", 7) == 0 ? program_sibling(*argv) : program_find(*argv);
	if (!program)
		return;
	*argv = program;
	bundle_output(b, argv);
}

/* --- what is collected */

void
bundle_machine(struct bundle *b)
{
	static const char *const files[] = { "/usr/lib/os-release", "/proc/version", "/proc/uptime",
	    "/proc/loadavg", "/proc/meminfo", "/proc/pressure/io", "/proc/sys/fs/inotify/max_user_instances",
	    "/proc/sys/fs/inotify/max_user_watches", "/proc/self/cgroup", "/proc/self/mountinfo" };
	static const char *const commands[] = { "rejoin-doctor profiles --format=table", "df -h",
	    "systemctl --no-pager --full list-units rejoin* --all", "systemctl --no-pager list-unit-files rejoin*",
	    "journalctl -q --no-pager -n 500 -o short-precise -u rejoin-*", "udevadm --version" };

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		bundle_file(b, files[i]);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		add_command(b, commands[i], NULL);
	add_listing(b, dirs_config());
	add_listing(b, dirs_state());
	add_listing(b, dirs_runtime());
	add_files(b, dirs_config());
}

static void
add_unit(struct bundle *b, const char *unit)
{
	add_command(b, "systemctl --no-pager --full cat %s", unit);
	add_command(b, "systemctl --no-pager show %s", unit);
	add_command(b, "systemctl --no-pager --full -n0 status %s", unit);
	add_command(b, "journalctl -q --no-pager -n 500 -o short-precise -u %s", unit);
}

static void
add_own_state(struct bundle *b)
{
	static const char *const names[] = { "twins/desired.json", "twins/current.json", "journal.jsonl" };
	_cleanup_free_ char *status = xasprintf("%s/agent/status", dirs_runtime());

	bundle_file(b, status);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		_cleanup_free_ char *path = xasprintf("%s/agent/%s", dirs_state(), names[i]);

		bundle_file(b, path);
	}
}

void
bundle_agent(struct bundle *b, const char *name)
{
	_cleanup_profile_ struct profile *p = NULL;
	_cleanup_free_ char *history = NULL;
	struct fail f;

	if (profile_load_as_written(name, &p, &f) < 0) {
		bundle_text(b, "profile", f.text, strlen(f.text));
		return;
	}
	bundle_file(b, p->file);
	add_command(b, "rejoin-status --json -A %s", p->name);
	add_command(b, "rejoin-enum -a --json -A %s", p->name);
	if (p->inventory)
		bundle_file(b, p->inventory);
	history = history_path(p);
	bundle_file(b, history);
	if (p->unit)
		add_unit(b, p->unit);
	for (size_t i = 0; i < p->n_logs; i++) {
		if (p->logs[i].path && *p->logs[i].path == '/')
			add_logs(b, p->logs[i].path);
		if (p->logs[i].journal && (!p->unit || strcmp(p->logs[i].journal, p->unit) != 0))
			add_command(b, "journalctl -q --no-pager -n 500 -o short-precise -u %s", p->logs[i].journal);
	}
	if (p->status.method == STATUS_FILE)
		add_own_state(b);
}

struct json
bundle_contents(const struct bundle *b)
{
	struct json all = json_array();

	for (size_t i = 0; i < b->n; i++) {
		struct json r = json_object();

		json_set_text(&r, "section", b->sections[i].title);
		json_set(&r, "bytes", json_number((double)b->sections[i].len));
		json_append(&all, r);
	}
	return all;
}

int
bundle_write(const struct bundle *b, const char *path, struct fail *f)
{
	struct stat st;
	int r;

	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return fail_set(f, EXIT_DENIED, "%s: exists, and is no regular file", path);
	r = file_replace(path, b->out.s, b->out.len, 0600, FILE_DURABLE);
	return r < 0 ? fail_errno(f, r, "%s", path) : 0;
}
