#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_response.h"
#include "deploy/http_job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What rejoin-agent-http has written: whatever it is, times are bounded and the body is a part of it. */
static void
job(const char *text, size_t n)
{
	struct http_job_response r;
	struct fail f;

	if (http_job_parse(text, n, &r, &f) < 0)
		return;
	if (r.status < 100 || r.status > 999 || r.retry_after_ms > 86400000 || !memchr(r.etag, '\0', sizeof r.etag) ||
	    r.body < text || r.body + r.body_len != text + n)
		abort();
}

/* The headers of a server, each ended by NUL. */
static void
headers(const char *text, size_t n)
{
	struct http_response r = { .status = 206, .body = BUF_INIT, .headers = BUF_INIT };
	const char *etag;

	buf_add(&r.headers, text, n);
	if (n > 0 && text[n - 1] != '\0')
		buf_putc(&r.headers, '\0');
	etag = http_response_header(&r, "ETag");
	if (etag && (etag < r.headers.s || etag + strlen(etag) >= r.headers.s + r.headers.len))
		abort();
	if (http_response_range(&r) < -1)
		abort();
	(void)http_response_header(&r, "Retry-After");
	http_response_release(&r);
}

/* The first byte says which. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n == 0)
		return 0;
	if (data[0] & 1)
		headers((const char *)data + 1, n - 1);
	else
		job((const char *)data + 1, n - 1);
	return 0;
}
