#include <string.h>
#include <strings.h>

#include "base/http_response.h"
#include "base/num.h"
#include "base/secret.h"
#include "base/xalloc.h"

const char *
http_response_header(const struct http_response *r, const char *name)
{
	const size_t n = strlen(name);

	for (const char *p = r->headers.s; p < r->headers.s + r->headers.len; p += strlen(p) + 1)
		if (strncasecmp(p, name, n) == 0 && p[n] == ':')
			return p + n + 1 + strspn(p + n + 1, " \t");
	return NULL;
}

int64_t
http_response_range(const struct http_response *r)
{
	const char *range = http_response_header(r, "Content-Range");
	int64_t n = -1;

	if (range && strncasecmp(range, "bytes ", 6) == 0) {
		_cleanup_free_ char *first = xstrndup(range + 6, strcspn(range + 6, "-"));

		if (num_parse(first, 0, INT64_MAX, &n) < 0)
			n = -1;
	}
	return n;
}

int
http_response_check(const struct http_response *r, const char *name, struct fail *f)
{
	static const struct { int status; const char *text; enum exit_status exit; } known[] = {
		{ 400, "bad request", EXIT_TROUBLE }, { 401, "not authorised", EXIT_DENIED },
		{ 403, "forbidden", EXIT_DENIED }, { 404, "not found", EXIT_TROUBLE },
		{ 409, "in conflict", EXIT_BUSY }, { 423, "locked", EXIT_BUSY },
		{ 429, "too many requests", EXIT_BUSY }, { 500, "internal error", EXIT_TROUBLE },
		{ 503, "not available", EXIT_BUSY },
	};

	if (r->status >= 200 && r->status < 300)
		return 0;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].status == r->status)
			return fail_set(f, known[i].exit, "%s: HTTP %d: %s", name, r->status, known[i].text);
	if (r->status >= 300 && r->status < 400)
		return fail_set(f, EXIT_TROUBLE, "%s: HTTP %d: a redirect that is not followed", name, r->status);
	return fail_set(f, EXIT_TROUBLE, "%s: HTTP %d", name, r->status);
}

void
http_response_release(struct http_response *r)
{
	secret_wipe(&r->body);
	secret_wipe(&r->headers);
	r->status = 0;
}
