/*
 * http - requests over HTTP and HTTPS, by libcurl.
 *
 * A response is kept as a whole, up to a maximum, or passed on as a stream,
 * chunk by chunk.  Transfers run on a loop; base/http_run.h waits for one.
 * Certificates are always verified.  A request with a token or another secret
 * goes over https, or to an address of this machine without a proxy, and follows
 * no redirect.  Other requests follow five, never from https to http.
 *
 * Messages name a request by its URL without the query, or by the name that the
 * caller gave it.  Errors are about getting a response: EXIT_USAGE for a request
 * that is written wrong, EXIT_ABSENT where the connection is refused,
 * EXIT_TIMEOUT, EXIT_DENIED for a certificate that is not trusted, EXIT_TROUBLE
 * for the rest.  A response of any status is a success here:
 * http_response_check() maps its status.
 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/http_response.h"
#include "base/loop.h"
#include "base/secret.h"

enum { HTTP_BODY_MAX = 1 << 20, HTTP_HEADERS_MAX = 1 << 16 };	/* bytes */

/*
 * Called with N bytes at P of the body of a 2xx response, borrowed for the call;
 * before the first ones once with N = 0, when the headers are complete.  A
 * negative result ends the transfer.
 */
typedef int http_chunk(const struct http_response *r, const char *p, size_t n, void *cookie);

struct http_request {
	const char *url;
	const char *name;		/* for messages; NULL for the URL without its query */
	const char *method;		/* NULL: GET, or POST where there is a body */
	const char *const *headers;	/* "Name: value", NULL-terminated; NULL for none */
	const struct secret *token;	/* sent as "Authorization: Bearer"; NULL for none */
	const char *body;		/* copied, and wiped afterwards; NULL for none */
	size_t body_len;
	bool upload;			/* the body is what UPLOAD_FD holds, a regular file, from its beginning; PUT */
	int upload_fd;			/* borrowed until the end of the transfer */
	int64_t upload_size;
	const char *ca_file;		/* PEM file of the issuers to trust; NULL: the system's */
	const char *cert_file, *key_file;	/* PEM files of the client's certificate and its key; NULL for none */
	const char *proxy;		/* for what is not of this machine; "" for none; NULL: of the environment */
	const char *socket;		/* connect to this Unix socket, not to the URL's host; NULL */
	int64_t timeout_ms;		/* for all of it; 0 for none */
	int64_t connect_ms;		/* for the connection; 0: 30 s */
	int64_t idle_ms;		/* until the headers are whole, and then without a byte; 0 for none */
	size_t max;			/* bytes of the body kept; 0: HTTP_BODY_MAX */
	bool decode;			/* undo a Content-Encoding, though none is asked for */
	bool secret;			/* URL, headers or body hold a secret */
	http_chunk *chunk;		/* takes the body of a 2xx; NULL: it is kept */
};

/* For messages: URL without user, query and fragment, into OUT. */
void http_name(const char *url, struct buf *out);

/* Is URL one that this module takes?  Else EXIT_USAGE. */
int http_check_url(const char *url, bool secret, struct fail *f);

struct http;
struct http_transfer;

/* The end of a transfer.  F is NULL where the response is complete; R holds what was received, for the call. */
typedef void http_done(const struct http_response *r, const struct fail *f, void *cookie);

/* Connections are kept and used again by one struct http. */
struct http *http_new(struct loop *l);

/* At most so many connections of H at a time: what is started beyond them waits for one. */
void http_limit(struct http *h, int connections);

/* Ends all transfers of H without calling DONE.  Not to be called from a callback of H. */
void http_free(struct http *h);

/*
 * Start Q, which is copied; DONE is called once, from the loop, also where Q is
 * wrong.  The transfer frees itself after that call.
 */
struct http_transfer *http_start(struct http *h, const struct http_request *q, http_done *done,
    void *cookie);

/* End it now; DONE is not called.  A chunk may do so. */
void http_cancel(struct http_transfer *t);

/* Stop or resume receiving the body, so that the sender is held up.  A pause does not count as idle time. */
void http_pause(struct http_transfer *t, bool pause);

#endif
