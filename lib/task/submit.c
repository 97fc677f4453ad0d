#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "task/submit.h"

void
submit_release(struct submit *q)
{
	launch_release(&q->launch);
	buf_release(&q->in);
}

static int
refuse_usage(struct refusal *r, const char *text)
{
	return refusal_set(r, 400, "usage", "%s", text);
}

/* Those of supervise/launch.h are checked there. */
const struct params_rule submit_params[] = {
	PARAMS_ID("id", true),
	PARAMS_ID("session", false),
	{ "argv", PARAMS_OTHER, true, 0, 0, NULL },
	{ "env", PARAMS_OTHER, false, 0, 0, NULL },
	{ "cwd", PARAMS_OTHER, false, 0, 0, NULL },
	{ "user", PARAMS_OTHER, false, 0, 0, NULL },
	{ "stdin_b64", PARAMS_OTHER, false, 0, 0, NULL },
	{ "on_loss", PARAMS_WORD, false, 0, 0, "kill leave" },
	{ "grace_ms", PARAMS_NUMBER, false, 0, LAUNCH_TIME_MAX_MS, NULL },
	{ "timeout_ms", PARAMS_NUMBER, false, 1, LAUNCH_TIME_MAX_MS, NULL },
	PARAMS_ID("start_before", false),
	{ "log_max", PARAMS_NUMBER, false, 0, PARAMS_ID_MAX, NULL },
	{ "limits", PARAMS_OTHER, false, 0, 0, NULL },
	{ "new_privileges", PARAMS_OTHER, false, 0, 0, NULL },
	{ "nonce", PARAMS_TEXT, false, 1, SUBMIT_NONCE - 1, NULL },
	PARAMS_END
};

static int
parse_stdin(struct json v, struct submit *q, struct refusal *r)
{
	_cleanup_json_ struct json in = json_get(v, "stdin_b64");

	if (json_kind(in) == JSON_NONE)
		return 0;
	if (!json_get_string(in) || base64_decode(json_get_string(in), json_string_len(in), &q->in) < 0)
		return refuse_usage(r, "\"stdin_b64\": not base64");
	if (q->in.len > SUBMIT_STDIN_MAX)
		return refusal_set(r, 413, "too-large", "\"stdin_b64\": more than %d bytes", SUBMIT_STDIN_MAX);
	q->has_stdin = true;
	q->launch.stdin_name = strdup("stdin");
	return 0;
}

/*
 * Of supervise/launch.h a caller chooses these, which the protocol names.  The rest is
 * ours: where descriptors lead, which file is executed, whose environment it gets.
 */
static int
parse_launch(struct json v, struct submit *q, struct refusal *r)
{
	static const char *const theirs[] = { "argv", "env", "cwd", "user", "limits", "new_privileges",
	    "timeout_ms", "grace_ms" };
	_cleanup_json_ struct json own = json_object();
	struct fail f;

	for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) {
		struct json member = json_get(v, theirs[i]);

		if (json_kind(member) == JSON_NONE)
			json_release(&member);
		else
			json_set(&own, theirs[i], member);
	}
	if (launch_from_json(own, &q->launch, &f) < 0)
		return refuse_usage(r, f.text);
	return 0;
}

static void
make_digest(struct submit *q)
{
	_cleanup_json_ struct json v = json_object();
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct sha *sha = sha_new("sha256");

	launch_to_json(&q->launch, &v);
	json_format(v, &b);
	sha_add(sha, b.s, b.len);
	sha_add(sha, q->in.s, q->in.len);
	sha_end(sha, q->digest);
}

int
submit_parse(struct json v, int64_t log_max, struct submit *q, struct refusal *r)
{
	const char *on_loss = json_get_text(v, "on_loss"), *nonce = json_get_text(v, "nonce");
	const int64_t log = json_get_whole_or(v, "log_max", log_max);
	int e = parse_launch(v, q, r);

	if (e == 0)
		e = parse_stdin(v, q, r);
	if (e == 0 && log > log_max)
		e = refusal_set(r, 400, "usage", "\"log_max\": must be at most the agent's log-max, %jd, not %jd",
		    (intmax_t)log_max, (intmax_t)log);
	if (e < 0)
		return e;
	q->id = json_get_whole_or(v, "id", 0);
	q->session = json_get_whole_or(v, "session", 0);
	q->start_before = json_get_whole_or(v, "start_before", 0);
	q->launch.lease = !on_loss || strcmp(on_loss, "kill") == 0;
	snprintf(q->nonce, sizeof q->nonce, "%s", nonce ? nonce : "");
	q->launch.log_max = log;
	make_digest(q);
	return 0;
}

struct json
submit_to_json(const struct submit *q, uid_t owner)
{
	struct json v = json_object();

	json_set(&v, "id", json_number((double)q->id));
	json_set(&v, "owner", json_number(owner));
	json_set(&v, "session", json_number((double)q->session));
	json_set_text(&v, "on_loss", q->launch.lease ? "kill" : "leave");
	json_set_text(&v, "digest", q->digest);
	if (q->nonce[0])
		json_set_text(&v, "nonce", q->nonce);
	if (q->start_before)
		json_set(&v, "start_before", json_number((double)q->start_before));
	return v;
}

char *
submit_command(struct json v, size_t max)
{
	_cleanup_json_ struct json argv = json_get(v, "argv");
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < json_count(argv) && b.len <= max; i++) {
		_cleanup_json_ struct json word = json_at(argv, i);
		const char *s = json_get_string(word);

		if (i > 0)
			buf_putc(&b, ' ');
		buf_puts(&b, s ? s : "");
	}
	if (b.len > max) {
		/* not in the middle of a character of UTF-8 */
		while (max > 0 && (b.s[max] & 0xc0) == 0x80)
			max--;
		b.len = max;
		b.s[max] = '\0';
		buf_puts(&b, "...");
	}
	return buf_steal(&b);
}
