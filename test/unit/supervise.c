#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "supervise/exec.h"
#include "supervise/lease.h"
#include "supervise/segment.h"
#include "supervise/supervise.h"

/* --- readers */

static void
reads_a_request(void)
{
	static const char *const bad[] = {
		"", "[]", "{}", "{\"argv\":[]}", "{\"argv\":[\"\"]}", "{\"argv\":[1]}", "{\"argv\":\"sh\"}",
		"{\"argv\":[\"a\\u0000b\"]}", "{\"argv\":[\"a\"],\"env\":{\"A=B\":\"\"}}",
		"{\"argv\":[\"a\"],\"env\":[\"A=B\"]}", "{\"argv\":[\"a\"],\"cwd\":\"tmp\"}",
		"{\"argv\":[\"a\"],\"timeout_ms\":-1}", "{\"argv\":[\"a\"],\"timeout_ms\":1.5}",
		"{\"argv\":[\"a\"],\"stdin\":\"../x\"}", "{\"argv\":[\"a\"],\"stdin\":\".x\"}",
		"{\"argv\":[\"a\"],\"stdio\":\"tty\"}", "{\"argv\":[\"a\"],\"limits\":{\"files\":1}}",
		"{\"argv\":[\"a\"],\"cgroup\":\"a/../b\"}", "{\"argv\":[\"a\"],\"cgroup\":\"/a\"}",
		"{\"argv\":[\"a\"],\"program\":{\"path\":\"/bin/sh\"}}", "{\"argv\":[\"a\"],\"lease\":1}",
	};
	static const char good[] = "{\"argv\":[\"a\",\"\"],\"env\":{\"A\":\"=\",\"B\":\"\"},\"cwd\":\"/\","
	    "\"user\":\"u\",\"stdin\":\"in\",\"stdio\":\"inherit\",\"background\":\"leave\",\"lease\":true,"
	    "\"new_privileges\":true,\"cgroup\":\"tasks/1\",\"limits\":{\"nofile\":64,\"core\":0},"
	    "\"program\":{\"path\":\"/bin/sh\",\"dev\":1,\"ino\":2},\"timeout_ms\":1,\"grace_ms\":0,"
	    "\"log_max\":5,\"owner\":{\"is\":\"ignored\"}}";
	_cleanup_json_ struct json again = json_object();
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct launch l;
	struct fail f;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert(launch_parse(bad[i], strlen(bad[i]), &l, &f) < 0 && f.status == EXIT_USAGE && f.text[0]);
		launch_release(&l);
	}
	assert(launch_parse(good, strlen(good), &l, &f) == 0);
	assert(strcmp(l.argv[0], "a") == 0 && strcmp(l.argv[1], "") == 0 && !l.argv[2]);
	assert(strcmp(l.env[0], "A==") == 0 && strcmp(l.env[1], "B=") == 0 && !l.env[2]);
	assert(l.inherit && l.leave_background && l.lease && l.new_privileges && l.n_limits == 2);
	assert(l.timeout_ms == 1 && l.grace_ms == 0 && l.drain_ms == LAUNCH_DRAIN_MS && l.log_max == 5);
	assert(strcmp(l.program, "/bin/sh") == 0 && l.program_dev == 1 && l.program_ino == 2);
	launch_to_json(&l, &again);
	launch_release(&l);
	json_format(again, &b);
	assert(launch_parse(b.s, b.len, &l, &f) == 0 && l.n_limits == 2 && strcmp(l.env[0], "A==") == 0);
	launch_release(&l);
}

static void
reads_what_a_shim_wrote(void)
{
	static const char *const bad[] = { "", "{", "[]", "{\"pid\":1}", "{\"exit\":256}", "{\"signal\":0}",
		"{\"exit\":0,\"why\":\"boredom\"}", "{\"exit\":0,\"out\":1,\"out_dropped\":2}" };
	struct started s = { .pid = 7, .shim = 6, .ticks = 70, .shim_ticks = 60, .cgroup = "/c" }, s2;
	struct outcome o = { .exit = -1, .signo = 9, .why = WHY_OOM, .bytes = { 5, 6 }, .dropped = { 1, 0 },
	    .output_error = ENOSPC }, o2;
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert(started_parse(bad[i], strlen(bad[i]), &s2) == -EBADMSG && s2.pid == 0 &&
		    outcome_parse(bad[i], strlen(bad[i]), &o2) == -EBADMSG);
	assert(bootid_read(s.boot) == 0 && strlen(s.boot) == BOOTID_SIZE - 1);
	started_format(&s, &b);
	assert(started_parse(b.s, b.len, &s2) == 0 && s2.pid == 7 && s2.shim == 6 && s2.ticks == 70 &&
	    s2.shim_ticks == 60 && strcmp(s2.cgroup, "/c") == 0 && strcmp(s2.boot, s.boot) == 0);
	buf_reset(&b);
	outcome_format(&o, &b);
	assert(outcome_parse(b.s, b.len, &o2) == 0 && o2.exit == -1 && o2.signo == 9 && o2.why == WHY_OOM &&
	    o2.bytes[1] == 6 && o2.dropped[0] == 1 && o2.output_error == ENOSPC && outcome_status(&o2) == 137);
}

static void
reads_a_lease(void)
{
	struct lease l = { .deadline_ns = INT64_C(12345678901) }, l2;
	char line[LEASE_LINE + 1];
	int fd;

	assert(bootid_read(l.boot) == 0);
	lease_format(&l, line);
	assert(strlen(line) == LEASE_LINE && line[LEASE_LINE - 1] == '\n');
	assert(lease_parse(line, LEASE_LINE, &l2) == 0 && l2.deadline_ns == l.deadline_ns &&
	    strcmp(l2.boot, l.boot) == 0);
	assert(lease_parse(line, LEASE_LINE - 1, &l2) == -EBADMSG);
	for (int i = 0; i < LEASE_LINE; i++) {	/* no byte may become a quote */
		char c = line[i];

		line[i] = c == '"' ? 'x' : '"';
		assert(lease_parse(line, LEASE_LINE, &l2) == -EBADMSG);
		line[i] = c;
	}
	assert(lease_left_ns(&l, l.boot, 12345678900) == 1 && lease_left_ns(&l, l.boot, 12345678901) == 0);
	assert(lease_left_ns(&l, "another boot", 0) == 0);
	assert(lease_grace_left_ns(1000000000, 1000000000, 10000) == 10000000000);
	assert(lease_grace_left_ns(1000000000, 8000000000, 10000) == 3000000000);
	assert(lease_grace_left_ns(1000000000, 11000000000, 10000) == 0 && lease_grace_left_ns(1, INT64_MAX, 10000) == 0);
	assert(lease_grace_left_ns(9000000000, 1000000000, 10) == 10000000);	/* revoked before its end */
	assert(lease_grace_left_ns(0, 1, INT64_MAX) > INT64_MAX / 2 && lease_grace_left_ns(0, 1, 0) == 0);
	fd = open("lease-file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert(lease_write(fd, &l) == 0 && lease_read(AT_FDCWD, "lease-file", &l2) == 0 &&
	    l2.deadline_ns == l.deadline_ns);
	assert(ftruncate(fd, 20) == 0 && lease_read(AT_FDCWD, "lease-file", &l2) == -EBADMSG);
	close(fd);
}

static void
finds_the_cgroup(void)
{
	static const char hybrid[] =
	    "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
	static const char part[] = "41 31 0:38 /a\\040b /mnt/c\\134d rw - cgroup2 none rw\n";
	char path[CGROUP_PATH];

	assert(cgroup_locate(hybrid, "1:cpu:/x\n0::/y/z\n", path) == 0 &&
	    strcmp(path, "/sys/fs/cgroup/unified/y/z") == 0);
	assert(cgroup_locate(hybrid, "0::/", path) == 0 && strcmp(path, "/sys/fs/cgroup/unified") == 0);
	assert(cgroup_locate(part, "0::/a b/q\n", path) == 0 && strcmp(path, "/mnt/c\\d/q") == 0);
	assert(cgroup_locate(part, "0::/a bc\n", path) == -EOPNOTSUPP);
	assert(cgroup_locate("", "0::/\n", path) == -EOPNOTSUPP);
	assert(cgroup_locate(hybrid, "1:cpu:/x\n", path) == -EOPNOTSUPP);
}

/* --- output */

/* All of the stream from FROM on, a '?' for each byte that is missing. */
static void
read_stream(int dir, const char *name, int64_t from, struct buf *out)
{
	struct segment_reader r = SEGMENT_READER_INIT(dir, name);
	char chunk[7777];
	int64_t next;
	ssize_t n;

	buf_reset(out);
	while ((n = segment_read(&r, from, chunk, sizeof chunk, &next)) != 0) {
		assert(n > 0 || n == -ENODATA);
		for (; n < 0 && from < next; from++)
			buf_putc(out, '?');
		buf_add(out, chunk, n > 0 ? (size_t)n : 0);
		from += n > 0 ? n : 0;
	}
	segment_reader_close(&r);
}

static void
keeps_output_in_segments(void)
{
	enum { BLOCK = 100000, BLOCKS = 45 };
	static char block[BLOCK];
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct segment_log l;
	int64_t first, end;
	int dir;

	assert(mkdir("segments", 0700) == 0);
	dir = open("segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	segment_log_open(&l, dir, 3 * SEGMENT_SIZE);
	for (int i = 0; i < BLOCKS; i++) {
		memset(block, 'A' + i % 26, sizeof block);
		segment_log_write(&l, 0, block, sizeof block, 1000000 * (i + 1));
	}
	segment_log_write(&l, 1, "err", 3, 1);
	assert(l.error == 0 && segment_log_sync(&l) == 0 && l.streams[0].end == BLOCK * BLOCKS);
	assert(segment_bounds(dir, "out", &first, &end) == 0 && end == BLOCK * BLOCKS);
	assert(first > 0 && first % SEGMENT_SIZE == 0 && l.streams[0].dropped == first);
	assert(end - first <= 3 * SEGMENT_SIZE);
	read_stream(dir, "out", 0, &b);
	assert((int64_t)b.len == end);
	for (int64_t i = 0; i < end; i++)
		assert(b.s[i] == (i < first ? '?' : 'A' + (int)(i / BLOCK) % 26));
	read_stream(dir, "err", 0, &b);
	assert(strcmp(b.s, "err") == 0);
	read_stream(dir, "err", 3, &b);
	assert(b.len == 0);
	segment_log_close(&l);
	close(dir);
}

/* --- runs, by the real shim */

static int runs;

/* A directory with the shell text SCRIPT as its command, and MORE members. */
static char *
make_run(const char *script, const char *more)
{
	char *cwd = getcwd(NULL, 0), *dir = xasprintf("%s/run%d", cwd, runs++);
	_cleanup_buf_ struct buf b = BUF_INIT;
	_cleanup_json_ struct json text = json_string(script);
	_cleanup_free_ char *path = xasprintf("%s/request.json", dir);

	buf_puts(&b, "{\"argv\":[\"sh\",\"-c\",");
	json_format(text, &b);
	buf_printf(&b, "],\"cwd\":\"%s\"%s}", cwd, more);
	assert(mkdir(dir, 0700) == 0 && file_write(path, b.s, b.len) == 0);
	free(cwd);
	return dir;
}

struct ended {
	struct loop *loop;
	struct supervise_view view;
	struct fail fail;
};

static void
note_end(const struct supervise_view *v, const struct fail *f, void *cookie)
{
	struct ended *e = cookie;

	e->view = *v;
	e->fail = *f;
	loop_stop(e->loop, 0);
}

/* Start it, and wait for its end. */
static void
run_to_end(const char *dir, struct ended *e)
{
	const struct supervise_spec spec = { .dir = dir };
	struct fail f;

	e->loop = loop_new();
	assert(supervise_start(e->loop, &spec, note_end, e, &f));
	loop_run(e->loop);
	loop_free(e->loop);
}

static void
wait_for_file(const char *path)
{
	for (int i = 0; i < 1000 && access(path, F_OK) < 0; i++)
		clock_sleep_ms(10);
	assert(access(path, F_OK) == 0);
}

/* The pid that the file NAME holds runs no longer, or only as a zombie. */
static bool
is_gone(const char *name)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail f;
	uint64_t ticks;

	assert(file_load(name, 0, 100, &b, &f) == 0 && atoi(b.s) > 1);
	return procs_start_time(atoi(b.s), &ticks) == -ESRCH;
}

static void
runs_a_command(void)
{
	_cleanup_free_ char *dir = make_run("echo out; echo err >&2; env | sort; ulimit -n; cat; exit 7",
	    ",\"env\":{\"PATH\":\"/usr/bin:/bin\",\"A\":\"b c\"},\"limits\":{\"nofile\":123}");
	_cleanup_buf_ struct buf b = BUF_INIT;
	const struct supervise_spec spec = { .dir = dir };
	struct supervise_view v;
	struct ended e;
	int fd;

	assert(supervise_examine(dir, &v, &e.fail) == 0 && v.state == SUPERVISE_NEW);
	run_to_end(dir, &e);
	assert(e.view.state == SUPERVISE_ENDED && e.view.outcome.exit == 7 && e.view.outcome.why == WHY_ITSELF);
	assert(e.view.outcome.bytes[1] == 4 && e.view.outcome.error == 0);
	assert(supervise_examine(dir, &v, &e.fail) == 0 && v.state == SUPERVISE_ENDED && v.outcome.exit == 7);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	read_stream(fd, "out", 0, &b);
	assert(strncmp(b.s, "out\nA=b c\n", 10) == 0 && strstr(b.s, "\n123\n") && !strstr(b.s, "HOME="));
	close(fd);
	/* once only */
	e.loop = loop_new();
	assert(!supervise_start(e.loop, &spec, note_end, &e, &e.fail) && e.fail.status == EXIT_BUSY);
	loop_free(e.loop);
}

static void
tells_why_nothing_was_executed(void)
{
	_cleanup_free_ char *no_user = make_run("true", ",\"user\":\"no-such-user\"");
	_cleanup_free_ char *changed = make_run("true", ",\"program\":{\"path\":\"/bin/sh\",\"dev\":1,\"ino\":1}");
	_cleanup_free_ char *no_lease = make_run("true", ",\"lease\":true");
	_cleanup_free_ char *bad = make_run("true", ",\"stdio\":1");
	_cleanup_free_ char *missing = make_run("true", ",\"cwd\":\"/no/such/directory\"");
	const char *const dirs[] = { no_user, changed, no_lease, bad };
	const char *const words[] = { "no such user", "was checked", "lease has expired", "stdio" };
	struct ended e;

	for (int i = 0; i < 4; i++) {
		run_to_end(dirs[i], &e);
		assert(e.view.state == SUPERVISE_NEW && strstr(e.fail.text, words[i]));
	}
	run_to_end(missing, &e);	/* known only to the child */
	assert(e.view.state == SUPERVISE_ENDED && e.view.outcome.exit == 127 && e.view.outcome.error == ENOENT);
}

/* A signal between the fork and the execution: the shim ignores or blocks it, the child does not. */
static void
loses_no_signal_before_the_execution(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGPIPE, SIGXFSZ, SIGTERM, SIGUSR1, SIGCHLD };
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "exit 3" }, NULL };
	struct launch l = LAUNCH_INIT;
	struct exec_spec spec = { .dir = AT_FDCWD, .launch = &l, .out = { -1, -1 }, .mark = "x" };
	struct exec_child c;
	struct fail f;
	sigset_t before, now;

	l.argv = argv;
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		const int signo = signals[i];
		void (*old)(int) = signal(signo, SIG_IGN);
		int status;

		sigprocmask(SIG_SETMASK, NULL, &before);
		assert(exec_prepare(&spec, &c, &f) == 0);
		sigprocmask(SIG_SETMASK, NULL, &now);
		assert(memcmp(&before, &now, sizeof now) == 0);
		assert(kill(c.pid, signo) == 0);
		exec_release(&c);
		assert(signal(signo, old) == SIG_IGN);
		assert(waitpid(c.pid, &status, 0) == c.pid);
		if (signo == SIGCHLD)	/* ignored by default */
			assert(WIFEXITED(status) && WEXITSTATUS(status) == 3);
		else
			assert(WIFSIGNALED(status) && WTERMSIG(status) == signo);
		close(c.error_fd);
	}
}

/* A child that left its session, one without environment as well: with a cgroup and without. */
static void
ends_all_at_the_deadline(const char *cgroup)
{
	static const char script[] = "setsid sh -c 'echo $$ >a.tmp; mv a.tmp a; trap \"\" TERM; sleep 60' & "
	    "setsid env -i /bin/sh -c '(echo $$ >b.tmp; mv b.tmp b; trap \"\" TERM; /bin/sleep 60) &' & "
	    "trap '' TERM; sleep 60; sleep 60";
	_cleanup_free_ char *more = xasprintf(",\"timeout_ms\":700,\"grace_ms\":100%s", cgroup);
	_cleanup_free_ char *dir = make_run(script, more);
	struct ended e;

	unlink("a");
	unlink("b");
	run_to_end(dir, &e);
	assert(e.view.state == SUPERVISE_ENDED && e.view.outcome.why == WHY_TIMEOUT && e.view.outcome.signo == SIGKILL);
	wait_for_file("a");
	wait_for_file("b");
	assert(is_gone("a") && is_gone("b"));
}

static void
ends_what_stays_in_the_background(void)
{
	_cleanup_free_ char *end = make_run("(setsid sleep 60 & echo $! >c); exit 3", ",\"drain_ms\":200");
	_cleanup_free_ char *leave = make_run("sleep 60 >/dev/null 2>&1 & echo $! >d; exit 4",
	    ",\"background\":\"leave\",\"drain_ms\":100");
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct ended e;
	int64_t begin;

	run_to_end(end, &e);
	assert(e.view.outcome.exit == 3 && e.view.outcome.why == WHY_ITSELF && is_gone("c"));
	begin = clock_mono_ms();
	run_to_end(leave, &e);
	assert(e.view.outcome.exit == 4 && clock_mono_ms() - begin < 5000 && !is_gone("d"));
	assert(file_load("d", 0, 100, &b, &e.fail) == 0 && kill(atoi(b.s), SIGKILL) == 0);
}

static void
end_soon(void *cookie)
{
	const char *dir = cookie;

	assert(supervise_end(dir, WHY_KILL, SIGUSR2, 10000) == 0);
}

static void
ends_when_asked(void)
{
	_cleanup_free_ char *dir = make_run("trap 'echo got; exit 9' USR2; while :; do sleep 0.05; done", "");
	struct loop_timer t = { .fn = end_soon, .cookie = dir };
	const struct supervise_spec spec = { .dir = dir };
	struct ended e;
	struct fail f;

	e.loop = loop_new();
	assert(supervise_start(e.loop, &spec, note_end, &e, &f));
	loop_timer_set(e.loop, &t, 300);
	loop_run(e.loop);
	loop_free(e.loop);
	assert(e.view.state == SUPERVISE_ENDED && e.view.outcome.exit == 9 && e.view.outcome.why == WHY_KILL);
	assert(supervise_end(dir, WHY_KILL, 0, 0) == -ESRCH);
}

/* The lease ends it, on its own clock; renewed in time, it does not. */
static void
obeys_its_lease(void)
{
	_cleanup_free_ char *dir = make_run("sleep 1; exit 5", ",\"lease\":true,\"grace_ms\":1000");
	_cleanup_free_ char *dir2 = make_run("sleep 60", ",\"lease\":true,\"grace_ms\":1000");
	_cleanup_free_ char *path = xasprintf("%s/../lease-of-runs", dir);
	struct lease l = { .deadline_ns = lease_now_ns() + INT64_C(60000000000) };
	int fd = open("lease-of-runs", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct ended e;

	assert(bootid_read(l.boot) == 0 && lease_write(fd, &l) == 0);
	assert(supervise_set_lease(dir, "../lease-of-runs") == 0 && supervise_set_lease(dir2, path) == 0);
	run_to_end(dir, &e);
	assert(e.view.outcome.exit == 5);
	l.deadline_ns = lease_now_ns() + 400000000;
	assert(lease_write(fd, &l) == 0);
	run_to_end(dir2, &e);
	assert(e.view.state == SUPERVISE_ENDED && e.view.outcome.why == WHY_LEASE && e.view.outcome.signo == SIGTERM);
	close(fd);
}

/* A supervisor that is killed, and its successor. */
static void
is_adopted(void)
{
	_cleanup_free_ char *dir = make_run("echo $$ >e.tmp; mv e.tmp e; while [ ! -e go ]; do sleep 0.05; done; exit 6", "");
	struct supervise_view v;
	struct ended e;
	pid_t pid = fork();

	if (pid == 0) {
		run_to_end(dir, &e);
		_exit(0);
	}
	wait_for_file("e");
	kill(pid, SIGKILL);
	assert(waitpid(pid, NULL, 0) == pid);
	assert(supervise_examine(dir, &v, &e.fail) == 0 && v.state == SUPERVISE_RUNNING && v.started.pid > 0);
	e.loop = loop_new();
	supervise_adopt(e.loop, dir, note_end, &e);
	close(open("go", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	loop_run(e.loop);
	loop_free(e.loop);
	assert(e.view.state == SUPERVISE_ENDED && e.view.outcome.exit == 6);
}

/* The shim is killed: what it ran is gone, and the end is not known. */
static void
is_interrupted(void)
{
	_cleanup_free_ char *dir = make_run("setsid sh -c 'echo $$ >g; mv g h; sleep 60' & sleep 60", "");
	struct supervise_view v;
	struct ended e;
	pid_t pid = fork();

	if (pid == 0) {
		run_to_end(dir, &e);
		_exit(e.view.state == SUPERVISE_INTERRUPTED ? 0 : 1);
	}
	wait_for_file("h");
	assert(supervise_examine(dir, &v, &e.fail) == 0 && v.state == SUPERVISE_RUNNING);
	assert(kill(v.started.shim, SIGKILL) == 0);
	{
		int status;

		assert(waitpid(pid, &status, 0) == pid && status == 0);
	}
	assert(is_gone("h"));
	assert(supervise_examine(dir, &v, &e.fail) == 0 && v.state == SUPERVISE_INTERRUPTED);
}

/*
 * The command removes the files of its own run: that it ran is known, and never taken for "nothing was
 * executed".  What it leaves behind is gone even where the shim is killed.
 */
static void
is_known_to_have_run_without_its_files(void)
{
	_cleanup_free_ char *text = xasprintf("rm -rf run%d; exit 3", runs);
	_cleanup_free_ char *dir = make_run(text, "");
	_cleanup_free_ char *text2 = xasprintf("rm -rf run%d; setsid sh -c 'echo $$ >r; mv r s; sleep 60' &"
	    " until [ -e s ]; do sleep 0.05; done; kill -KILL $PPID; sleep 60", runs);
	_cleanup_free_ char *dir2 = make_run(text2, "");
	struct ended e;

	run_to_end(dir, &e);
	assert(e.view.state == SUPERVISE_INTERRUPTED && e.view.started.pid > 0);
	run_to_end(dir2, &e);
	assert(e.view.state == SUPERVISE_INTERRUPTED && is_gone("s"));
}

/* --- the campaign: a shim killed soon after its start never leads to a second execution */

struct tally {
	int again, ended, interrupted;
};

static int
lines_in(const char *path)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail f;
	int n = 0;

	if (file_load(path, 0, 1000, &b, &f) < 0)
		return 0;
	for (const char *p = b.s; (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

static void
kill_one(int i, unsigned int *seed, struct tally *t)
{
	_cleanup_free_ char *script = xasprintf("echo x >>ran%d; sleep 0.002; exit 7", i);
	_cleanup_free_ char *dir = make_run(script, ""), *shim = realpath("/proc/self/exe", NULL);
	_cleanup_free_ char *ran = xasprintf("ran%d", i);
	const struct supervise_spec spec = { .dir = dir };
	struct supervise_view v;
	struct ended e;
	pid_t pid = fork();

	if (pid == 0) {
		_cleanup_free_ char *program = xasprintf("%.*s/../libexec/rejoin/rejoin-shim",
		    (int)(strrchr(shim, '/') - shim), shim);
		close(STDERR_FILENO);
		execl(program, "rejoin-shim", dir, (char *)NULL);
		_exit(127);
	}
	/* every second one after it has got as far as the lock, on a busy machine later than that */
	do
		assert(i % 2 == 0 || supervise_examine(dir, &v, &e.fail) == 0);
	while (i % 2 == 1 && v.state == SUPERVISE_NEW);
	usleep((unsigned int)rand_r(seed) % 15001);
	kill(pid, SIGKILL);
	assert(waitpid(pid, NULL, 0) == pid);
	/* the lock may be held for a moment by the child that has not been released */
	do
		assert(supervise_examine(dir, &v, &e.fail) == 0);
	while (v.state == SUPERVISE_RUNNING);
	if (v.state == SUPERVISE_NEW) {
		t->again++;
		run_to_end(dir, &e);
	} else {
		e.loop = loop_new();
		assert(!supervise_start(e.loop, &spec, note_end, &e, &e.fail));
		supervise_adopt(e.loop, dir, note_end, &e);
		loop_run(e.loop);
		loop_free(e.loop);
	}
	t->ended += e.view.state == SUPERVISE_ENDED;
	t->interrupted += e.view.state == SUPERVISE_INTERRUPTED;
	assert(e.view.state == SUPERVISE_INTERRUPTED ||
	    (e.view.state == SUPERVISE_ENDED && e.view.outcome.exit == 7 && lines_in(ran) == 1));
	assert(lines_in(ran) <= 1);
	file_remove_tree(dir);
}

static void
never_runs_twice(void)
{
	const int rounds = getenv("SOAK") ? 300 : 24;
	unsigned int seed = (unsigned int)getpid();
	struct tally t = { 0, 0, 0 };

	for (int i = 0; i < rounds; i++)
		kill_one(i, &seed, &t);
	printf("%d shims killed 0-15 ms after their start: %d started again, %d true statuses, "
	    "%d interrupted, 0 run twice\n", rounds, t.again, t.ended, t.interrupted);
}

/* The files of another run, or of one that was interrupted, are not ours. */
static void
enter_own_directory(void)
{
	char dir[] = "supervise.XXXXXX";

	assert(mkdtemp(dir) && chdir(dir) == 0);
}

int
main(void)
{
	_cleanup_free_ char *outer = getcwd(NULL, 0), *own = NULL;

	enter_own_directory();
	own = getcwd(NULL, 0);
	reads_a_request();
	reads_what_a_shim_wrote();
	reads_a_lease();
	finds_the_cgroup();
	keeps_output_in_segments();
	runs_a_command();
	tells_why_nothing_was_executed();
	loses_no_signal_before_the_execution();
	ends_all_at_the_deadline("");
	ends_all_at_the_deadline(",\"cgroup\":\"none\"");
	ends_what_stays_in_the_background();
	ends_when_asked();
	obeys_its_lease();
	is_adopted();
	is_interrupted();
	is_known_to_have_run_without_its_files();
	never_runs_twice();
	assert(chdir(outer) == 0 && file_remove_tree(own) == 0);
	return 0;
}
