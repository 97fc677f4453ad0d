/*
 * rejoin-taskd - run tasks for controllers that may lose their connection.
 *
 * Serves the task protocol (rejoin-task-protocol(7)) on a Unix socket.  Tasks
 * run under shims of their own and survive it; it may be killed, restarted, and
 * exits when it has nothing to do.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/opt.h"
#include "base/xalloc.h"
#include "task/taskd.h"

enum { KEY_DIAL = OPT_OWN, KEY_IDLE, KEY_SOCKET };

static const struct opt opts[] = {
	{ KEY_DIAL, "dial", NULL, "copy standard input and output to the socket: the far end of ssh" },
	{ KEY_IDLE, "idle", "DUR", "exit after DUR without work; 0s is never", .preset = "60s" },
	{ KEY_SOCKET, "socket", "PATH", "listen on PATH, unless systemd passed a socket", .preset = "taskd.sock in the runtime directory" },
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "run tasks for controllers that may lose their connection",
	.synopsis = "[--idle DUR] [--socket PATH]\n--dial",
	.opts = opts,
	.statuses = "0 nothing left to do, or stopped; 2 usage; 3 trouble; 5 --dial: no task agent; 6 busy; 7 denied",
	.example = "rejoin-taskd --idle 0s",
};

struct taskd_options {
	bool dial;
	char *socket;
	int64_t idle_ms;	/* -1: as the configuration has it */
};

static void
parse(int argc, char *argv[], struct taskd_options *o)
{
	struct opt_scan s;
	int key;

	opt_begin(&s, argc, argv, &tool);
	while ((key = opt_next(&s)) != -1)
		switch (key) {
		case KEY_DIAL:
			o->dial = true;
			break;
		case KEY_IDLE:
			o->idle_ms = opt_duration(&s);
			break;
		case KEY_SOCKET:
			free(o->socket);
			o->socket = xstrdup(s.arg);
			break;
		}
	opt_no_operands(&s);
	/* it may be a forced command of sshd: nothing that names a file */
	if (o->dial && (o->socket || o->idle_ms >= 0))
		opt_misused("--dial takes no other option");
}

static int
serve(const struct taskd_options *o, struct fail *f)
{
	_cleanup_free_ char *path = o->socket ? xstrdup(o->socket) : taskd_socket_path();
	_cleanup_free_ char *dir = xasprintf("%s/tasks", dirs_state());
	_cleanup_free_ char *conf_path = xasprintf("%s/taskd.conf", dirs_config());
	struct taskd_conf conf = TASKD_CONF;
	int r = taskd_load_conf(conf_path, &conf, f);

	if (r < 0)
		return r;
	if (o->idle_ms >= 0)
		conf.idle_ms = o->idle_ms;
	r = o->socket ? 0 : file_make_dirs(dirs_runtime(), 0755);
	if (r < 0)
		return fail_errno(f, r, "%s", dirs_runtime());
	return taskd_run(dir, path, &conf, f);
}

int
main(int argc, char *argv[])
{
	struct taskd_options o = { .idle_ms = -1 };
	struct fail f;
	int r;

	diag_init(argv);
	parse(argc, argv, &o);
	if (o.dial) {
		_cleanup_free_ char *path = taskd_socket_path();

		r = taskd_dial(path, &f);
	} else {
		r = serve(&o, &f);
	}
	free(o.socket);
	if (r < 0)
		fail_die(&f);
	finish((enum exit_status)r);
}
