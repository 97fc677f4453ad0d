#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "agent/process.h"
#include "base/io.h"
#include "retry/method.h"

/* The pidfd is opened first: what is checked afterwards is the process that is signalled. */
static int
send_signal(const struct profile *p, int64_t end_ms, const struct delivery *last,
    struct delivery *d, struct fail *f)
{
	_cleanup_fd_ int fd = -1;
	pid_t pid = 0;
	int r = process_find(p, p->retry.pid_file, &pid, f);

	(void)end_ms;
	if (r < 0)
		return r;
	fd = pidfd_open(pid, 0);
	if (fd < 0 && errno != ESRCH)
		return fail_errno(f, errno, "process %jd", (intmax_t)pid);
	if (fd >= 0 && p->retry.exe) {
		r = process_check_exe(pid, p->retry.exe, f);
		if (r < 0 && r != -ENOENT && r != -ESRCH)
			return r;
	}
	retry_method_set_target(p, 0, last, d);
	if (fd >= 0 && r == 0 && pidfd_send_signal(fd, p->retry.signo, NULL, 0) == 0)
		return 0;
	if (fd < 0 || r < 0 || errno == ESRCH)
		return fail_set(f, EXIT_ABSENT, "%s: not running: there is no process %jd", p->name,
		    (intmax_t)pid);
	return fail_errno(f, errno, "%s: process %jd", p->name, (intmax_t)pid);
}

static int
describe_signal(const struct profile *p, struct buf *out, struct fail *f)
{
	(void)f;
	buf_printf(out, "method\tsignal\nsignal\tSIG%s\nprocess\t%s\n", sigabbrev_np(p->retry.signo),
	    p->retry.pid_file ? p->retry.pid_file : p->unit);
	return 0;
}

const struct retry_method retry_method_signal = { send_signal, describe_signal };
