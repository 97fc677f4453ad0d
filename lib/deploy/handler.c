#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dirs.h"
#include "base/file.h"
#include "base/trust.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "deploy/apt.h"
#include "deploy/handler.h"
#include "deploy/handler_argv.h"
#include "deploy/handler_run.h"
#include "deploy/swupdate.h"

/* An action that ends with the agent has less time for it: the agent has two seconds. */
enum { OUTPUT_MAX = 32 * 1024, ATTACHED_GRACE_MS = 1000 };

static const char script_id[] = "microsoft/script:1";

struct handler {
	struct loop *loop;
	handler_done *done;
	void *cookie;
	struct spawn *spawn;		/* while it runs attached */
	struct supervise *supervise;	/* while it runs under the shim, in RUN_DIR */
	char *run_dir, *program, *user;
	char **argv, **env;
	char *name;			/* of the program, for messages */
	char *mark, *result_file;
	int64_t timeout_ms, grace_ms;
	bool cancelled, by_shell;
	bool undoes_by_cancel;		/* and is the restore that does */
	struct buf details;
	struct handler_result result;
	struct loop_timer report;	/* where nothing could be started */
};

static void
handler_free(struct handler *h)
{
	loop_timer_stop(h->loop, &h->report);
	xfree_strv(h->argv);
	xfree_strv(h->env);
	free(h->run_dir);
	free(h->program);
	free(h->user);
	free(h->name);
	free(h->mark);
	free(h->result_file);
	buf_release(&h->details);
	free(h);
}

static void
result_report(struct handler *h, const char *output)
{
	if (h->cancelled) {
		h->result.code = RESULT_CANCELLED;
		h->result.erc = 0;
		buf_reset(&h->details);
		buf_puts(&h->details, "cancelled");
	} else if (h->undoes_by_cancel) {
		swupdate_set_restored(&h->result, &h->details);
	}
	h->result.details = h->details.s;
	h->result.output = output;
	h->done(&h->result, h->cookie);
	/* by now its result is on disk elsewhere */
	if (h->run_dir)
		file_remove_tree(h->run_dir);
	handler_free(h);
}

static void
report_later(void *cookie)
{
	result_report(cookie, "");
}

static void on_exited(const struct spawn_result *r, void *cookie);

static void
run_attached(struct handler *h)
{
	struct spawn_spec spec = {
		.argv = h->argv, .mark = h->mark, .timeout_ms = h->timeout_ms,
		.grace_ms = h->grace_ms < ATTACHED_GRACE_MS ? h->grace_ms : ATTACHED_GRACE_MS, .out_max = OUTPUT_MAX, .out_tail = true,
		.err_to_out = true, .session = true, .guard = true, .env = h->env,
	};
	struct handler_args sh = { 0 };

	if (h->by_shell) {
		handler_argv_add(&sh, xstrdup("/bin/sh"));
		for (char **p = h->argv; *p; p++)
			handler_argv_add(&sh, xstrdup(*p));
		handler_argv_add(&sh, NULL);
		spec.argv = sh.v;
	}
	h->spawn = spawn_start(h->loop, &spec, on_exited, h);
	xfree_strv(sh.v);
}

static void
on_exited(const struct spawn_result *r, void *cookie)
{
	struct handler *h = cookie;

	h->spawn = NULL;
	if (r->error == ENOEXEC && !h->by_shell && !h->cancelled) {
		h->by_shell = true;	/* a script without "#!", as execvp(3) has it */
		run_attached(h);
		return;
	}
	h->result.code = RESULT_FAILURE;
	if (r->timed_out) {
		handler_result_set_late(h->name, h->timeout_ms, &h->result, &h->details);
	} else if (r->status != 0 && (r->signo || !swupdate_has_result(h->result_file))) {
		h->result.erc = ERC_SCRIPT_STATUS + (r->signo ? r->signo : r->status);
		buf_printf(&h->details, "%s ", h->name);
		spawn_describe(r, &h->details);
	} else {
		handler_result_load(h->result_file, h->name, &h->result, &h->details);
	}
	result_report(h, r->out.s);
}

static int PRINTF(3, 4)
call_refuse(struct handler *h, int32_t erc, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	h->result.code = RESULT_FAILURE;
	h->result.erc = erc;
	handler_result_add_details(&h->details, text);
	return -EINVAL;
}

/* The script that the step names, which can only be in the work folder itself. */
static int
find_script(struct handler *h, const struct handler_call *call, char **program)
{
	const char *name = json_get_text(call->properties, "scriptFileName");
	_cleanup_fd_ int fd = -1;
	struct stat st;

	if (!name || !*name)
		return call_refuse(h, ERC_NO_SCRIPT_NAME, "no scriptFileName");
	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return call_refuse(h, ERC_NO_SCRIPT_NAME, "scriptFileName '%s' is no file name", name);
	*program = xasprintf("%s/%s", call->work_folder, name);
	/* the handler's user can write to the folder: change the file that was opened, not its name */
	fd = open(*program, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
		return call_refuse(h, ERC_SCRIPT_STATUS + SPAWN_NOT_FOUND,
		    "%s is no file of the work folder", name);
	if (!(st.st_mode & S_IXUSR) && fchmod(fd, 0750) < 0)
		return call_refuse(h, ERC_SCRIPT_STATUS + SPAWN_CANNOT_RUN, "%s: %s", name,
		    strerror(errno));
	return 0;
}

char *
handler_find(const char *handler)
{
	_cleanup_free_ char *name = xstrdup(handler);
	char *path;

	for (char *p = name; *p; p++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-", *p))
			*p = '_';
	path = dirs_find("handlers.d", name);
	return path || !apt_is_handler(handler) ? path : dirs_helper("rejoin-apt");
}

static int
find_handler(struct handler *h, const struct handler_call *call, char **program)
{
	struct fail f;

	*program = handler_find(call->handler);
	if (!*program)
		return call_refuse(h, ERC_NO_HANDLER, "no handler '%s': it is not in handlers.d", call->handler);
	if (trust_check(*program, (gid_t)-1, &f) < 0)
		return call_refuse(h, ERC_BAD_HANDLER, "handler '%s': %s", call->handler, f.text);
	return 0;
}

/*
 * The work folder and our files in it become USER's: it must write its result
 * there and read the payload.  What it put there itself before is left alone.
 */
static int
give_away(const char *folder, const struct passwd *user)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	int r = 0;

	if (!d)
		return -errno;
	while (r == 0 && (e = readdir(d))) {
		/* check and chown the open file: its name may refer to another by then */
		_cleanup_fd_ int fd = openat(dirfd(d), e->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 ||
		    st.st_uid != geteuid())
			continue;
		if (fchownat(fd, "", user->pw_uid, user->pw_gid, AT_EMPTY_PATH) < 0)
			r = -errno;
	}
	if (r == 0 && fchown(dirfd(d), user->pw_uid, user->pw_gid) < 0)
		r = -errno;
	closedir(d);
	return r;
}

static int
handler_exec(struct handler *h, const struct handler_call *call, struct handler_args *a)
{
	const struct passwd *pw = getpwnam(call->user);
	int r;

	if (!pw)
		return call_refuse(h, ERC_SCRIPT_STATUS + SPAWN_CANNOT_RUN, "no user '%s'", call->user);
	if (pw->pw_uid == geteuid())
		return 0;
	r = give_away(call->work_folder, pw);
	if (r < 0)
		return call_refuse(h, ERC_SCRIPT_STATUS + SPAWN_CANNOT_RUN, "as '%s': %s", call->user,
		    strerror(-r));
	h->user = xstrdup(call->user);
	if (call->run_dir)
		return 0;	/* the shim becomes that user */
	handler_argv_add(a, xstrdup("setpriv"));
	handler_argv_add(a, xasprintf("--reuid=%ju", (uintmax_t)pw->pw_uid));
	handler_argv_add(a, xasprintf("--regid=%ju", (uintmax_t)pw->pw_gid));
	handler_argv_add(a, xstrdup("--init-groups"));
	handler_argv_add(a, xstrdup("--"));
	return 0;
}

/*
 * A few variables, and nothing that was meant for the agent alone: no LD_PRELOAD,
 * no NOTIFY_SOCKET, no token.
 */
static char **
build_environment(const char *user)
{
	static const char *const kept[] = { "TZ", "LANG", "LC_ALL", "REJOIN_CONFIG_DIR", "REJOIN_STATE_DIR",
	    "REJOIN_RUNTIME_DIR", "http_proxy", "https_proxy", "no_proxy" };
	const struct passwd *pw = user ? getpwnam(user) : getpwuid(geteuid());
	const char *path = getenv("PATH");
	struct handler_args a = { 0 };

	handler_argv_add(&a, xasprintf("PATH=%s", path && *path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
	handler_argv_add(&a, xasprintf("HOME=%s", pw ? pw->pw_dir : "/"));
	handler_argv_add(&a, xasprintf("USER=%s", pw ? pw->pw_name : "root"));
	handler_argv_add(&a, xasprintf("LOGNAME=%s", pw ? pw->pw_name : "root"));
	handler_argv_add(&a, xstrdup("SHELL=/bin/sh"));
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		if (getenv(kept[i]))
			handler_argv_add(&a, xasprintf("%s=%s", kept[i], getenv(kept[i])));
	handler_argv_add(&a, NULL);
	return a.v;
}

/* The pairs of the configuration into CALL; the .swu file is one of the work folder itself. */
static int
swupdate_prepare(struct handler *h, struct handler_call *call)
{
	const char *swu = json_get_text(call->properties, "swuFileName");
	struct fail f;

	if (!swu || !*swu || strchr(swu, '/') || strcmp(swu, ".") == 0 || strcmp(swu, "..") == 0)
		return call_refuse(h, ERC_NO_SCRIPT_NAME, "swuFileName '%s' is no file name", swu ? swu : "");
	if (swupdate_load_config(&call->config, &f) == 0)
		return 0;
	json_release(&call->config);
	return call_refuse(h, ERC_BAD_HANDLER, "%s", f.text);
}

/* The program, and H's whole argument vector. */
static int
call_prepare(struct handler *h, const struct handler_call *call)
{
	_cleanup_free_ char *program = call->program ? xstrdup(call->program) : NULL;
	struct handler_args a = { 0 };
	struct handler_call full = *call;
	char **own;
	int r = 0;

	full.config = JSON_ABSENT;
	if (h->undoes_by_cancel)
		full.action = HANDLER_CANCEL;
	if (!program)
		r = handler_runs_script(call->handler) ? find_script(h, call, &program) : find_handler(h, call, &program);
	if (r < 0)
		return r;
	h->program = xstrdup(program);
	h->name = xstrdup(strrchr(program, '/') ? strrchr(program, '/') + 1 : program);
	if (call->user)
		r = handler_exec(h, call, &a);
	if (r == 0 && swupdate_is_handler(call->handler))
		r = swupdate_prepare(h, &full);
	own = handler_argv(&full, program, h->result_file);
	json_release(&full.config);
	for (char **p = own; *p; p++)
		handler_argv_add(&a, *p);
	handler_argv_add(&a, NULL);
	free(own);
	h->argv = a.v;
	h->env = build_environment(h->user);
	if (r == 0 && unlink(h->result_file) < 0 && errno != ENOENT)
		r = call_refuse(h, ERC_NO_RESULT, "%s, left from before: %s", h->result_file,
		    strerror(errno));
	return r;
}

static void
durable_ended(const struct supervise_view *v, const struct fail *f, void *cookie)
{
	struct handler *h = cookie;
	_cleanup_buf_ struct buf output = BUF_INIT;

	h->supervise = NULL;
	handler_run_result(h->run_dir, h->name, h->result_file, h->timeout_ms, v, f, &h->result, &h->details, &output);
	result_report(h, output.s);
}

static int
run_durable(struct handler *h, const struct handler_call *call)
{
	struct handler_run_record record = {
		.workflow = xstrdup(call->workflow), .step = xstrdup(call->step),
		.component = xstrdup(json_is_object(call->component) ? json_get_text(call->component, "id") : ""),
		.name = xstrdup(h->name), .result_file = xstrdup(h->result_file), .action = call->action,
		.timeout_ms = call->timeout_ms,
		.handler = xstrdup(call->handler), .work_folder = xstrdup(call->work_folder),
		.file = call->file ? xstrdup(call->file) : NULL,
		.properties = json_copy(call->properties), .target = json_copy(call->component),
		.has_backup = call->has_backup,
	};
	struct launch l = LAUNCH_INIT;
	struct fail f;

	l.argv = h->argv;
	l.env = h->env;
	l.cwd = xstrdup("/");
	l.user = h->user ? xstrdup(h->user) : NULL;
	l.program = xstrdup(h->program);
	l.timeout_ms = call->timeout_ms;
	l.grace_ms = call->grace_ms;
	l.new_privileges = call->new_privileges;
	h->supervise = handler_run_start(h->loop, call->run_dir, &l, &record, durable_ended, h, &f);
	if (h->supervise)
		h->run_dir = xstrdup(call->run_dir);
	l.argv = l.env = NULL;
	launch_release(&l);
	handler_run_record_release(&record);
	return h->supervise ? 0 : call_refuse(h, ERC_SCRIPT_STATUS + SPAWN_CANNOT_RUN, "%s", f.text);
}

struct handler *
handler_start(struct loop *l, const struct handler_call *call, handler_done *done, void *cookie)
{
	struct handler *h = xcalloc(1, sizeof *h);
	const char *action = handler_result_phase(call->action);

	*h = (struct handler){
		.loop = l, .done = done, .cookie = cookie,
		/* whole, so that no other's mark begins with it */
		.mark = xasprintf("%s/action_%s:", call->work_folder, action),
		.result_file = swupdate_is_handler(call->handler) ? swupdate_result_file(call->work_folder) :
		    xasprintf("%s/action_%s_aduc_result.json", call->work_folder, action),
		.timeout_ms = call->timeout_ms, .grace_ms = call->grace_ms,
		.undoes_by_cancel = call->action == HANDLER_RESTORE &&
		    handler_undoes_by_cancel(call->handler, call->properties),
		.details = BUF_INIT,
		.report = { .fn = report_later, .cookie = h },
	};
	if (call_prepare(h, call) == 0 && (!call->run_dir || run_durable(h, call) == 0)) {
		if (!call->run_dir)
			run_attached(h);
		return h;
	}
	loop_timer_set(l, &h->report, 0);
	return h;
}

void
handler_end(struct handler *h)
{
	h->cancelled = true;
	if (h->spawn)
		spawn_end(h->spawn);
	if (h->supervise)
		supervise_end(h->run_dir, WHY_KILL, 0, -1);
}

bool
handler_is_durable_action(enum handler_action action)
{
	return action == HANDLER_INSTALL || action == HANDLER_APPLY || action == HANDLER_BACKUP ||
	    action == HANDLER_RESTORE;
}

/* Is WORD one of the words of TEXT? */
static bool
has_word(const char *text, const char *word)
{
	size_t len;

	for (text += strspn(text, " "); (len = strcspn(text, " ")) > 0; text += strspn(text, " ")) {
		if (len == strlen(word) && strncmp(text, word, len) == 0)
			return true;
		text += len;
	}
	return false;
}

bool
handler_has_action(const char *handler, struct json properties, enum handler_action action)
{
	const char *actions = json_get_text(properties, "actions");

	if (action != HANDLER_BACKUP && action != HANDLER_RESTORE && action != HANDLER_CANCEL)
		return true;
	/* the Azure agent runs none of them for a script, so scripts do not expect them */
	if (strncmp(handler, "microsoft/", 10) == 0)
		return actions && has_word(actions, handler_result_phase(action));
	return true;
}

bool
handler_undoes_by_cancel(const char *handler, struct json properties)
{
	return swupdate_is_handler(handler) && !handler_has_action(handler, properties, HANDLER_RESTORE);
}

bool
handler_runs_script(const char *handler)
{
	return strcmp(handler, script_id) == 0 || swupdate_is_handler(handler);
}

bool
handler_is_durable(const struct handler *h)
{
	return h->supervise != NULL;
}

void
handler_detach(struct handler *h)
{
	supervise_forget(h->supervise);
	handler_free(h);
}
