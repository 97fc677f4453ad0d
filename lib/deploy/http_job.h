/*
 * http_job - a request over HTTP or HTTPS, made by the program rejoin-agent-http.
 *
 * The agent links no HTTP library: it starts in a tenth of the time without one, and
 * what a server sends is parsed in another process.  The program reads the
 * request on stdin as one JSON object:
 *
 *	{"url","method","headers":["Name: value"],"body","timeout","idle","max","into",
 *	 "caFile","certFile","keyFile","tokenFile","proxy"}		times in milliseconds
 *
 * and writes JSON lines to stdout: {"got":BYTES} while it downloads, and at the end
 *
 *	{"status":200,"etag","wait":true,"retryAfter":SECONDS,"length":BYTES}
 *
 * with the body after that line, or {"error":TEXT,"fault":WORD} where there was no response, or its
 * body could not go to the file; it exits with the status that goes with that.  With INTO the body of a 2xx goes to the end of that file, which must
 * exist: what is there already is not asked for again (RFC 9110, section 14).
 *
 * WAIT: the server held the request back until there was something new, as it was asked to by
 * "Prefer: wait=N" (RFC 7240); it says so by "Preference-Applied: wait".
 */
#ifndef DEPLOY_HTTP_JOB_H
#define DEPLOY_HTTP_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"

/* How servers are reached: the section [link] of agent.conf. */
struct http_job_link {
	char *ca_file;		/* NULL: the system's */
	char *cert_file, *key_file;	/* of the client; NULL for none */
	char *token_file;	/* NULL for none */
	char *proxy;		/* NULL: of the environment */
	int64_t idle_ms;	/* without a byte: the transfer has failed */
	int64_t poll_ms;	/* between two looks for a new goal */
	int64_t patience_ms;	/* downloads: without a byte from any source, tried again for so long */
};

struct http_job_request {
	const char *url;
	const char *method;		/* NULL: GET */
	const char *const *headers;	/* "Name: value", NULL-terminated; NULL for none */
	const char *body;		/* UTF-8; NULL for none */
	const char *into;		/* path of a file; NULL: the body is kept */
	int64_t max;			/* bytes of the body, or of the file; 0: 1 MiB */
	int64_t timeout_ms;		/* of all; 0 for none */
	bool may_idle;			/* the server may hold it back: the idle time of LINK does not count */
	const struct http_job_link *link;
};

/* Q as the program reads it. */
struct json http_job_format(const struct http_job_request *q);

/* What kept a body from the file INTO: the words of "fault". */
enum http_job_fault {
	HTTP_JOB_NO_FAULT,
	HTTP_JOB_DISK,		/* "disk": it could not be written */
	HTTP_JOB_RANGE,		/* "range": it is another part than what was asked for */
	HTTP_JOB_LENGTH,	/* "length": it is longer than MAX */
};

struct http_job_response {
	int status;		/* of HTTP; 0 where there was no response */
	enum http_job_fault fault;
	char etag[128];		/* empty for none, for one that is longer, and for one that no request could hold */
	bool has_waited;
	int64_t retry_after_ms;	/* -1 for none */
	int64_t length;		/* of the file INTO now */
	const char *body;	/* borrowed */
	size_t body_len;
};

/* What the program wrote, N bytes of OUT; EXIT_TROUBLE where that is no response. */
int http_job_parse(const char *out, size_t n, struct http_job_response *r, struct fail *f);

/* The path of the program; to be freed. */
char *http_job_program(void);

struct http_job;

/* F is NULL where there is a response, of whatever status; both are valid for the call. */
typedef void http_job_done(const struct http_job_response *r, const struct fail *f, void *cookie);

/* Start Q, which is copied.  DONE is called once, from the loop; the job is gone then. */
struct http_job *http_job_start(struct loop *l, const struct http_job_request *q, http_job_done *done, void *cookie);

/* End it now: DONE is not called. */
void http_job_kill(struct http_job *x);

/*
 * Full jitter: a random time of at most 1, 3, 6, 10, 20, 40, 60, 60, ... s after each
 * failure in a row.  A success counts only once it has lasted for 30 s.
 */
struct http_job_backoff {
	unsigned failures;
	int64_t well_since_ms;	/* CLOCK_MONOTONIC; 0 after a failure */
};

/* It failed: milliseconds until the next try. */
int64_t http_job_backoff_next(struct http_job_backoff *b);
void http_job_backoff_succeed(struct http_job_backoff *b);

/* A random number from 0 to N - 1. */
int64_t http_job_random(int64_t n);

#endif
