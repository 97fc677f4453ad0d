#include <string.h>

#include "agent/method.h"
#include "base/clock.h"

static const struct method *const methods[] = {
	&method_systemd, &method_signal, &method_exec, &method_http, &method_impcentral, &method_s6,
};

const struct method *
method_find(const struct profile *p, struct fail *f)
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
method_left_ms(int64_t end_ms)
{
	int64_t left = end_ms - clock_mono_ms();

	return left > 1 ? left : 1;
}

void
method_describe_argv(const char *what, char *const *argv, struct buf *out)
{
	buf_printf(out, "%s\t", what);
	for (; *argv; argv++)
		buf_printf(out, "%s%s", *argv, argv[1] ? " " : "");
	buf_putc(out, '\n');
}
