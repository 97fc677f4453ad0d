#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/history.h"
#include "agent/incarnation.h"
#include "agent/instance_state.h"
#include "agent/systemd.h"
#include "base/clock.h"
#include "base/file.h"
#include "restart/last.h"
#include "restart/limit.h"

enum { MINUTE = 60000 };

/* The credit of a window of ten minutes, at boot "b", an hour after it began. */
static const struct {
	const char *text;
	int64_t boot_ms, wall_ms, credit;
} credits[] = {
	{ "", 60 * MINUTE, 0, -1 },
	{ "nonsense\n=\nboot", 60 * MINUTE, 0, -1 },
	{ "boot=b\nboot_ms=3600000\nwall_ms=5\ncredit_ms=1000\n", 60 * MINUTE, 7, 1000 },
	{ "boot=b\nboot_ms=3600000\nwall_ms=5\ncredit_ms=1000\n", 61 * MINUTE, 7, 61000 },
	/* the wall clock may jump as it likes */
	{ "boot=b\nboot_ms=3600000\nwall_ms=0\ncredit_ms=0\n", 60 * MINUTE, 99 * MINUTE, 0 },
	{ "boot=b\nboot_ms=3600000\nwall_ms=5\ncredit_ms=1000\n", 99 * MINUTE, 7, 10 * MINUTE },
	/* another boot: by the wall clock, and where that went back, for as long as this boot lasts */
	{ "boot=a\nboot_ms=9999999\nwall_ms=1000000\ncredit_ms=7\n", MINUTE, 1000000 + 2 * MINUTE,
	    7 + 2 * MINUTE },
	{ "boot=a\nboot_ms=9999999\nwall_ms=1000000\ncredit_ms=7\n", MINUTE, 5, 7 + MINUTE },
	{ "boot=b\nboot_ms=99999999\nwall_ms=5\ncredit_ms=3\n", 60 * MINUTE, 7, 3 },
	{ "boot=b\nboot_ms=-4\nwall_ms=\ncredit_ms=99999999999999999999\n", MINUTE, 7, MINUTE },
	{ "boot=b\nboot_ms=3600000\nwall_ms=5\ncredit_ms=2305843009213693950\n", 60 * MINUTE, 7,
	    10 * MINUTE },
};

static int
limits(void)
{
	int bad = 0;

	for (size_t i = 0; i < sizeof credits / sizeof *credits; i++) {
		struct limit_clock now = { "b", credits[i].boot_ms, credits[i].wall_ms };
		int64_t got = limit_credit(credits[i].text, strlen(credits[i].text), &now, 10 * MINUTE);

		if (got != credits[i].credit) {
			printf("limit: '%s': %jd, want %jd\n", credits[i].text, (intmax_t)got,
			    (intmax_t)credits[i].credit);
			bad = 1;
		}
	}
	return bad;
}

static void
bucket(void)
{
	char name[] = "bucket";
	struct profile p = { .name = name, .restart = { .limit = 3, .limit_ms = 10 * MINUTE } };
	struct limit l;
	struct fail f;

	assert(limit_read(&p, &l, &f) == 0 && l.left == 3 && l.wait_ms == 0);
	assert(limit_take(&p, &f) == 0 && limit_take(&p, &f) == 0 && limit_take(&p, &f) == 0);
	assert(limit_read(&p, &l, &f) == 0 && l.left == 0 && l.wait_ms > 190000 && l.wait_ms <= 200000);
	assert(limit_take(&p, &f) < 0 && f.status == EXIT_BUSY && strstr(f.text, "again in 3m "));
	/* another limit, the same bucket */
	p.restart.limit = 0;
	assert(limit_take(&p, &f) == 0);
}

static void
records(void)
{
	char name[] = "rec";
	struct profile p = { .name = name };
	struct restart_last r = { .acted_ms = 4711, .status = EXIT_TIMEOUT }, back;
	struct fail f;
	char other[] = "boot=x\nacted_ms=1\nincarnation=y\nstatus=0\n";

	assert(restart_last_read(&p, &back) == -ENOENT);
	strcpy(r.incarnation, "i-1");
	strcpy(r.text, "a=b: not ready");
	assert(restart_last_write(&p, &r, &f) == 0 && restart_last_read(&p, &back) == 0);
	assert(back.acted_ms == 4711 && back.status == EXIT_TIMEOUT &&
	    strcmp(back.incarnation, r.incarnation) == 0 && strcmp(back.text, r.text) == 0);
	assert(restart_last_parse(other, sizeof other - 1, &back) == -ENOENT);
}

static void
histories(void)
{
	static char long_reason[300];
	char name[] = "h";
	struct profile p = { .name = name };
	struct history_entry e = { .reason = "x\"\\\n\xff,\"after\":\"i-9\"", .method = "exec",
	    .outcome = "restarted", .before = "", .after = "i-1", .detail = "", .status = EXIT_OK };
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail f;
	int lines = 0;

	history_format(&p, &e, 7, "T", &b);
	assert(strcmp(b.s, "{\"id\":7,\"time\":\"T\",\"agent\":\"h\",\"reason\":"
	    "\"x\\\"\\\\??,\\\"after\\\":\\\"i-9\\\"\",\"method\":\"exec\",\"before\":null,\"after\":\"i-1\","
	    "\"outcome\":\"restarted\",\"status\":0,\"detail\":null}\n") == 0);
	assert(history_tail(&p, 5, &b, &f) == 0 && b.len == 0);
	assert(history_find(&p, "i-1", &b, &f) == -ENOENT);
	assert(history_add(&p, &e, &f) == 0);
	assert(history_find(&p, "i-1", &b, &f) == 0 && strstr(b.s, "\"exec\""));
	assert(history_find(&p, "i-9", &b, &f) == -ENOENT);
	/* it is bounded, and what is last is never lost */
	memset(long_reason, 'r', sizeof long_reason - 1);
	e.reason = long_reason;
	for (int i = 0; i < 1500; i++)
		assert(history_add(&p, &e, &f) == 0);
	e.after = "last";
	assert(history_add(&p, &e, &f) == 0);
	assert(history_tail(&p, 3, &b, &f) == 0);
	for (const char *nl = b.s; (nl = strchr(nl, '\n')); nl++)
		lines++;
	assert(lines == 3 && strstr(b.s, "\"last\"") && history_find(&p, "last", &b, &f) == 0);
	assert(history_tail(&p, 100000, &b, &f) == 0 && b.len < 2 * 128 * 1024);
}

static void
units(void)
{
	static const char text[] = "LoadState=loaded\nActiveState=active\nActiveStateX=no\nMainPID=12\n"
	    "NRestarts=3\nInvocationID=\nStatusText=a=b\nJob=x\nSubState";
	static const char long_text[] = "InvocationID=0123456789012345678901234567890123456789"
	    "0123456789012345678901234567890123456789\nMainPID=99999999999\n";
	struct systemd_unit u;

	systemd_parse(text, sizeof text - 1, &u);
	assert(strcmp(u.active, "active") == 0 && u.pid == 12 && u.restarts == 3 && !*u.invocation &&
	    strcmp(u.text, "a=b") == 0 && u.job == 0 && !*u.sub);
	systemd_parse(long_text, sizeof long_text - 1, &u);
	assert(strlen(u.invocation) == SYSTEMD_TEXT - 1 && u.pid == 0);
}

static void
lives(void)
{
	struct instance_state l, again;
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	assert(instance_state_of_process(getpid(), &l) == 0 && l.running == 1 && l.pid == getpid());
	assert(instance_state_of_process(getpid(), &again) == 0 && strcmp(l.name, again.name) == 0);
	assert(l.began_ms <= instance_state_own_start_ms() && instance_state_own_start_ms() <= clock_boot_ms());
	/* a process that has ended counts as gone before it is waited for */
	assert(waitid(P_PID, (id_t)child, &(siginfo_t){ .si_pid = 0 }, WEXITED | WNOWAIT) == 0);
	assert(instance_state_of_process(child, &again) == -ESRCH);
	waitpid(child, NULL, 0);
}

int
main(void)
{
	char dir[] = "/tmp/rejoin-restart.XXXXXX";
	int bad;

	assert(mkdtemp(dir) && chdir(dir) == 0 && chmod(dir, 0755) == 0);
	umask(022);
	setenv("REJOIN_STATE_DIR", dir, 1);
	setenv("REJOIN_RUNTIME_DIR", dir, 1);
	assert(file_make_dirs("restart", 0755) == 0);
	bad = limits();
	bucket();
	records();
	histories();
	units();
	lives();
	return bad | (file_remove_tree(dir) < 0);
}
