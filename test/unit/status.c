#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "agent/status.h"
#include "agent/status_text.h"
#include "agent/unit.h"
#include "base/file.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/xalloc.h"

static void
goes_round(void)
{
	struct status s = { .running = -1, .state = AGENT_BUSY, .pending = true, .pid = 4711,
	    .cycle = 5, .retries = 3, .covered = 2, .settled = 1, .settled_cycle = 4, .waiting = 1,
	    .result = -7, .is_unsigned = true }, back;
	_cleanup_buf_ struct buf b = BUF_INIT, again = BUF_INIT;

	strcpy(s.agent, "rejoin");
	strcpy(s.workflow, "a \"$(reboot)\" `x` \\ id\nstate=idle");
	strcpy(s.progress, "3/7");
	strcpy(s.report, "/run/rejoin/agent/report.json");
	status_text_format(&s, &b);
	status_text_parse(b.s, b.len, &back);
	*strchr(s.workflow, '\n') = ' ';	/* a control cannot end the line */
	assert(strcmp(s.workflow, back.workflow) == 0 && back.result == -7 && back.pid == 4711);
	status_text_format(&back, &again);
	assert(strcmp(b.s, again.s) == 0);
}

static void
odd_lines_are_passed_over(void)
{
	static const char text[] = "state=idle\nno pair\n=\nstate=nonsense\ncycle=-1\ncycle=7x\n"
	    "future=1\nwaiting=9\nnote='single quoted'\nworkflow=\"open\nphase=\"";
	struct status s;

	status_text_parse(text, sizeof text - 1, &s);
	assert(s.state == AGENT_IDLE && s.cycle == 0 && s.waiting == 9);
	assert(strcmp(s.note, "single quoted") == 0);
	assert(strcmp(s.workflow, "\"open") == 0 && strcmp(s.phase, "\"") == 0);
}

static void
long_values_are_cut(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct status s;

	buf_puts(&b, "workflow=");
	for (int i = 0; i < 5000; i++)
		buf_putc(&b, 'x');
	buf_puts(&b, "\nreport=/");
	for (int i = 0; i < 5000; i++)
		buf_putc(&b, 'y');
	status_text_parse(b.s, b.len, &s);
	assert(strlen(s.workflow) == STATUS_TEXT - 1 && strlen(s.report) == STATUS_PATH - 1);
}

/* A status file is believed as long as the lock beside it is held. */
static void
death_is_seen(const char *dir)
{
	_cleanup_free_ char *path = xasprintf("%s/status", dir);
	_cleanup_free_ char *lock = xasprintf("%s/lock", dir);
	_cleanup_free_ char *busy = xasprintf("%s/busy", dir);
	static const char text[] = "state=busy\n";
	char name[] = "x";
	struct profile p = { .name = name, .status = { .method = STATUS_FILE, .path = path } };
	struct status s;
	struct fail f;
	int fd, busy_fd;

	assert(status_read(&p, &s, &f) == 0 && s.running == 0 && s.state == AGENT_STOPPED);
	assert(status_wait_idle(&p, true, 0, &f) == 0);
	fd = lock_open(lock, 0600);
	assert(fd >= 0 && lock_try(fd) == 0);
	assert(status_read(&p, &s, &f) == 0 && s.running == 1 && s.state == AGENT_STARTING);
	assert(file_replace(path, text, sizeof text - 1, 0600, 0) == 0);
	assert(status_read(&p, &s, &f) == 0 && s.running == 1 && s.state == AGENT_BUSY);
	busy_fd = lock_open(busy, 0600);
	assert(lock_try(busy_fd) == 0 && status_wait_idle(&p, true, 20, &f) == -ETIMEDOUT);
	close(busy_fd);
	assert(status_wait_idle(&p, true, 0, &f) == 0);
	close(fd);
	assert(status_read(&p, &s, &f) == 0 && s.running == 0 && s.state == AGENT_STOPPED);
	assert(strcmp(s.note, "exited without a message while busy") == 0);
}

static void
a_path_says_busy(const char *dir)
{
	_cleanup_free_ char *glob = xasprintf("%s/downloads/*", dir);
	_cleanup_free_ char *downloads = xasprintf("%s/downloads", dir);
	_cleanup_free_ char *sandbox = xasprintf("%s/downloads/1", dir);
	char name[] = "x";
	struct profile p = { .name = name,
	    .status = { .method = STATUS_BUSY_PATH, .busy_path = glob } };
	struct status s;
	struct fail f;

	assert(status_read(&p, &s, &f) == 0 && s.state == AGENT_UNKNOWN);
	assert(status_wait_idle(&p, true, 0, &f) == -ENODATA && f.status == EXIT_BUSY);
	assert(mkdir(downloads, 0700) == 0);
	assert(status_read(&p, &s, &f) == 0 && s.state == AGENT_IDLE && s.running == -1);
	assert(status_wait_idle(&p, true, 0, &f) == 0);
	assert(mkdir(sandbox, 0700) == 0);
	/* without a process and a log it may be stale */
	assert(status_read(&p, &s, &f) == 0 && s.state == AGENT_UNKNOWN && *s.note);
	assert(status_wait_idle(&p, true, 20, &f) == -ENODATA);
}

static void
a_life_has_a_name(const char *root)
{
	_cleanup_free_ char *unit = xasprintf("%s/system.slice/x.service", root);
	_cleanup_free_ char *procs = xasprintf("%s/cgroup.procs", unit);
	_cleanup_free_ char *list = xasprintf("%d\n1\n", getpid());
	char a[INCARNATION_TEXT], b[INCARNATION_TEXT];
	pid_t pid = 0;

	assert(incarnation_of(getpid(), a) == 0 && incarnation_of(getpid(), b) == 0);
	assert(strcmp(a, b) == 0 && incarnation_of(1, b) == 0 && strcmp(a, b) != 0);
	assert(incarnation_of(0x7fffffff, a) == -ESRCH);
	assert(unit_main_pid(root, "x.service", &pid) == -ESRCH);
	assert(file_make_dirs(unit, 0700) == 0);
	assert(file_replace(procs, list, strlen(list), 0600, 0) == 0);
	assert(unit_main_pid(root, "x.service", &pid) == 0 && pid == 1);	/* the older one */
	assert(unit_main_pid(root, "*", &pid) == -ESRCH);
}

int
main(void)
{
	char dir[] = "/tmp/rejoin-status.XXXXXX";

	assert(mkdtemp(dir));
	goes_round();
	odd_lines_are_passed_over();
	long_values_are_cut();
	death_is_seen(dir);
	a_path_says_busy(dir);
	a_life_has_a_name(dir);
	file_remove_tree(dir);
	return 0;
}
