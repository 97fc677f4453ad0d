/*
 * rejoin-retry-http - make one HTTP request for rejoin-retry, which links no
 * library so that it is quick.
 *
 * Reads the request on stdin (retry/http_delegate.h) and ends with 0 where the answer
 * was a 2xx; else it prints on stdout why not, and ends with the status for it.
 */
#include <stdio.h>
#include <unistd.h>

#include "agent/http_call.h"
#include "base/io.h"
#include "retry/http_delegate.h"

enum { TEXT_MAX = 1 << 20 };

static int
read_request(struct http_delegate *r, struct fail *f)
{
	_cleanup_buf_ struct buf text = BUF_MAX(TEXT_MAX);
	ssize_t n;

	while ((n = io_read_buf(STDIN_FILENO, &text)) > 0)
		;
	return n < 0 ? fail_errno(f, (int)n, "standard input") : http_delegate_parse(text.s, text.len, r, f);
}

int
main(int argc, char *argv[])
{
	struct http_delegate r;
	struct fail f;
	int e;

	(void)argc;
	diag_init(argv);
	e = read_request(&r, &f);
	if (e == 0) {
		e = http_call_make(&r.http, r.timeout_ms, &f);
		http_delegate_release(&r);
	}
	if (e < 0)
		printf("%s", f.text);
	finish(e < 0 ? f.status : EXIT_OK);
}
