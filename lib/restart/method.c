#include <string.h>
#include <sys/pidfd.h>

#include "agent/command.h"
#include "base/clock.h"
#include "base/io.h"
#include "restart/method.h"

static const struct restart_method *const methods[] = {
	&restart_method_systemd, &restart_method_signal, &restart_method_exec, &restart_method_http,
	&restart_method_impcentral, &restart_method_s6,
};

const struct restart_method *
restart_method_find(const struct profile *p, struct fail *f)
{
	const char *name = p->restart.method;

	for (size_t i = 0; name && i < sizeof methods / sizeof *methods; i++)
		if (strcmp(methods[i]->name, name) == 0)
			return methods[i];
	if (name)
		fail_set(f, EXIT_USAGE, "%s: [restart] method = %s is not supported by this build",
		    p->file, name);
	else
		fail_set(f, EXIT_USAGE, "%s: [restart] has no method", p->file);
	return NULL;
}

int64_t
restart_method_left_ms(int64_t end_ms)
{
	int64_t left = end_ms - clock_mono_ms();

	return left > 1 ? left : 1;
}

int
restart_method_run(const struct restart_method_call *c, const char *const *argv, struct fail *f)
{
	_cleanup_fd_ int fd = c->stopped && c->before->pid > 0 ? pidfd_open(c->before->pid, 0) : -1;
	_cleanup_buf_ struct buf out = BUF_INIT;

	return command_capture_watching(argv, restart_method_left_ms(c->end_ms), fd, c->stopped,
	    c->cookie, &out, f);
}

void
restart_method_describe_argv(const char *what, char *const *argv, struct buf *out)
{
	buf_printf(out, "%s\t", what);
	for (; *argv; argv++)
		buf_printf(out, "%s%s", *argv, argv[1] ? " " : "");
	buf_putc(out, '\n');
}
