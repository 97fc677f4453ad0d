#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/io.h"
#include "task/link.h"
#include "task/submit.h"
#include "task/taskrequest.h"

struct json
taskrequest_environment(void)
{
	static const char *const passed[] = { "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM" };
	struct json env = json_object();

	json_set_text(&env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
		if (getenv(passed[i]))
			json_set_text(&env, passed[i], getenv(passed[i]));
	return env;
}

struct json
taskrequest_new(char *const *command, struct json env)
{
	struct json v = json_object(), argv = json_array(), all = taskrequest_environment();

	for (; *command; command++)
		json_append(&argv, json_string(*command));
	for (struct json_iter it = json_begin(env); json_next(&it); )
		json_set(&all, it.key, json_copy(it.value));
	json_set(&v, "argv", argv);
	json_set(&v, "env", all);
	return v;
}

void
taskrequest_nonce(char out[TASKREQUEST_NONCE])
{
	uint64_t n[2];

	if (getrandom(n, sizeof n, GRND_NONBLOCK) != (ssize_t)sizeof n) {	/* early in boot */
		n[0] = (uint64_t)clock_wall_us();
		n[1] = (uint64_t)getpid();
	}
	snprintf(out, TASKREQUEST_NONCE, "%016jx%016jx", (uintmax_t)n[0], (uintmax_t)n[1]);
}

bool
taskrequest_is_id_taken(const char *word, int sent)
{
	/* no-task: another user's */
	return word && (strcmp(word, "taken") == 0 || strcmp(word, "no-task") == 0 ||
	    (strcmp(word, "released") == 0 && sent == 1));
}

bool
taskrequest_is_void(const char *word, bool is_ours)
{
	/* an id that was given may be that of an earlier task, which the refusal leaves as it is */
	return is_ours || (word && (strcmp(word, "other-store") == 0 || strcmp(word, "released") == 0 ||
	    strcmp(word, "expired") == 0));
}

int
taskrequest_read_stdin(struct json *request, int fd)
{
	_cleanup_buf_ struct buf in = BUF_MAX(1 << 20), text = BUF_INIT;
	ssize_t n;

	while ((n = io_read_buf(fd, &in)) > 0)
		;
	if (n == -EMSGSIZE && io_read(fd, &(char){ 0 }, 1) == 0)
		n = 0;		/* just as much as fits */
	if (n < 0)
		return (int)n;
	base64_encode(in.s, in.len, &text);
	json_set_text(request, "stdin_b64", text.s);
	return 0;
}

/*
 * What the controller sets, which must not seem to be taken from a line; an id that
 * would be none; and what is misspelt, which an agent would ignore.
 */
static int
refuse_members(struct json request, struct fail *f)
{
	static const char *const ours[] = { "session", "on_loss", "nonce" };
	_cleanup_json_ struct json id = json_get(request, "id");
	_cleanup_buf_ struct buf unknown = BUF_INIT;
	int64_t n;

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
		_cleanup_json_ struct json v = json_get(request, ours[i]);

		if (json_kind(v) != JSON_NONE)
			return fail_set(f, EXIT_USAGE, "request: \"%s\": is not for a line%s", ours[i],
			    i == 1 ? ", but for the command: --on-loss" : "");
	}
	if (json_kind(id) != JSON_NONE && (!json_get_whole(id, &n) || n < 1 || n > PARAMS_ID_MAX))
		return fail_set(f, EXIT_USAGE, "request: \"id\": must be a whole number from 1 to %jd", (intmax_t)PARAMS_ID_MAX);
	if (params_find_unknown(submit_params, request, &unknown))
		return fail_set(f, EXIT_USAGE, "request: \"%s\": no such member", unknown.s);
	return 0;
}

int
taskrequest_parse(const char *line, size_t len, bool leave, struct json *request, struct fail *f)
{
	_cleanup_json_ struct json argv = JSON_ABSENT, env = JSON_ABSENT, grace = JSON_ABSENT;
	int r = json_parse("request", line, len, request, f);

	if (r < 0)
		return r;
	argv = json_get(*request, "argv");
	env = json_get(*request, "env");
	grace = json_get(*request, "grace_ms");
	if (json_count(argv) == 0)
		return fail_set(f, EXIT_USAGE, "request: no \"argv\", an array of words");
	r = refuse_members(*request, f);
	if (r < 0)
		return r;
	if (!leave && json_get_number(grace) > LINK_GRACE_MS)
		return fail_set(f, EXIT_USAGE, "request: \"grace_ms\": more than %d, after which a task that is lost is said to"
		    " be ended; --on-loss leave has no such limit", LINK_GRACE_MS);
	if (json_kind(env) == JSON_NONE)
		json_set(request, "env", taskrequest_environment());
	return 0;
}
