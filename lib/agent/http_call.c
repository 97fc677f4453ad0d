#include <stdlib.h>
#include <string.h>

#include "agent/http_call.h"
#include "base/http.h"
#include "base/http_run.h"
#include "base/secret.h"
#include "base/xalloc.h"

/* The lines of TEXT, which is changed, as a NULL-terminated list that borrows from it. */
static const char **
split_lines(char *text)
{
	size_t n = 1, i = 0;
	const char **v;
	char *line;

	for (const char *p = text; p && *p; p++)
		n += *p == '\n';
	v = xcalloc(n + 1, sizeof *v);
	while ((line = strsep(&text, "\n")))
		if (*line)
			v[i++] = line;
	return v;
}

int
http_call_make(const struct profile_http *h, int64_t timeout_ms, struct fail *f)
{
	_cleanup_free_ char *text = h->headers ? xstrdup(h->headers) : NULL;
	_cleanup_free_ const char **headers = split_lines(text);
	_cleanup_secret_ struct secret token = SECRET_NONE;
	_cleanup_buf_ struct buf name = BUF_INIT;
	struct http_request q = { .url = h->url, .method = h->request ? h->request : "POST", .headers = headers,
	    .body = h->body, .body_len = h->body ? strlen(h->body) : 0, .ca_file = h->ca_file,
	    .timeout_ms = timeout_ms };
	struct http_response r;
	int e = 0;

	if (h->token_file) {
		secret_guard();
		e = secret_load(h->token_file, &token, f);
		q.token = &token;
	}
	if (e < 0)
		return e;
	http_name(h->url, &name);
	e = http_run(&q, &r, NULL, f);
	if (e == 0)
		e = http_response_check(&r, name.s, f);
	http_response_release(&r);
	return e;
}
