#include <stdlib.h>
#include <string.h>

#include "base/dirs.h"
#include "base/num.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "retry/http_delegate.h"

enum { GRACE_MS = 1000, REASON_TEXT_MAX = 400 };

static void
format_line(struct buf *out, const char *key, const char *value)
{
	if (value)
		buf_printf(out, "%s %s\n", key, value);
}

void
http_delegate_format(const struct profile_http *h, int64_t timeout_ms, struct buf *out)
{
	_cleanup_free_ char *headers = h->headers ? xstrdup(h->headers) : NULL;
	char *rest = headers, *line;

	format_line(out, "url", h->url);
	format_line(out, "request", h->request);
	while ((line = strsep(&rest, "\n")))
		if (*line)
			format_line(out, "header", line);
	format_line(out, "token-file", h->token_file);
	format_line(out, "ca-file", h->ca_file);
	buf_printf(out, "timeout %jd\n\n", (intmax_t)timeout_ms);
	buf_puts(out, h->body ? h->body : "");
}

static int
parse_line(struct http_delegate *r, const char *line, struct fail *f)
{
	const struct { const char *key; char **at; } texts[] = {
		{ "url ", &r->http.url }, { "request ", &r->http.request }, { "token-file ", &r->http.token_file },
		{ "ca-file ", &r->http.ca_file },
	};
	char *more;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (strncmp(line, texts[i].key, strlen(texts[i].key)) == 0) {
			free(*texts[i].at);
			*texts[i].at = xstrdup(line + strlen(texts[i].key));
			return 0;
		}
	if (strncmp(line, "header ", 7) == 0) {
		more = xasprintf("%s%s\n", r->http.headers ? r->http.headers : "", line + 7);
		free(r->http.headers);
		r->http.headers = more;
		return 0;
	}
	if (strncmp(line, "timeout ", 8) == 0 && num_parse(line + 8, 1, INT32_MAX, &r->timeout_ms) == 0)
		return 0;
	return fail_set(f, EXIT_USAGE, "unknown line '%s'", line);
}

int
http_delegate_parse(const char *text, size_t len, struct http_delegate *r, struct fail *f)
{
	_cleanup_free_ char *copy = xstrndup(text, len);
	char *rest = copy, *line;
	int e = 0;

	*r = (struct http_delegate){ .timeout_ms = 0 };
	while (e == 0 && (line = strsep(&rest, "\n")) && *line)
		e = parse_line(r, line, f);
	if (e == 0 && rest && *rest)
		r->http.body = xstrdup(rest);
	if (e == 0 && (!r->http.url || !r->timeout_ms))
		e = fail_set(f, EXIT_USAGE, "a request needs a url and a timeout");
	if (e < 0)
		http_delegate_release(r);
	return e;
}

void
http_delegate_release(struct http_delegate *r)
{
	free(r->http.url);
	free(r->http.request);
	free(r->http.headers);
	free(r->http.body);
	free(r->http.token_file);
	free(r->http.ca_file);
	*r = (struct http_delegate){ .timeout_ms = 0 };
}

int
http_delegate_run(const struct profile_http *h, int64_t timeout_ms, struct fail *f)
{
	_cleanup_free_ char *helper = dirs_helper("rejoin-retry-http");
	_cleanup_buf_ struct buf text = BUF_INIT, what = BUF_INIT;
	struct spawn_spec spec = { .argv = (char *const[]){ helper, NULL }, .out_max = REASON_TEXT_MAX,
	    .err_inherit = true, .grace_ms = GRACE_MS, .timeout_ms = timeout_ms + GRACE_MS };
	struct spawn_result r;
	int e = 0;

	http_delegate_format(h, timeout_ms, &text);
	spec.in = text.s;
	spec.in_len = text.len;
	spawn_run(&spec, &r);
	if (r.status != 0 && r.status <= EXIT_DENIED && r.out.len)
		e = fail_set(f, (enum exit_status)r.status, "%s", r.out.s);
	else if (r.status != 0) {
		spawn_describe(&r, &what);
		e = fail_set(f, r.timed_out ? EXIT_TIMEOUT : EXIT_TROUBLE, "%s: %s", helper, what.s);
	}
	buf_release(&r.out);
	buf_release(&r.err);
	return e;
}
