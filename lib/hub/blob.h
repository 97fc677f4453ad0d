/*
 * blob - a file fetched from a storage or stored there, over HTTP: what rejoin-hub blob does.
 *
 * A storage is a URL, or, in the dialects evp1 and evp2, "evp:NAME[@STORAGE]": the hub is
 * then asked for the URL and the headers of the file NAME (EVP's storage token), with a call.
 *
 * The work is done by the program rejoin-hub-http, which reads one object and writes one:
 *
 *	{"url","put":bool,"file":PATH,"headers":["Name: value",...],"secret":bool,
 *	 "ca_file","timeout_ms","idle_ms"}
 *	{"http_status":N,"bytes":N[,"error":TEXT,"exit":N]}
 *
 * What is fetched replaces the file when it is complete; before, and after a failure, the file
 * is as it was.
 */
#ifndef HUB_BLOB_H
#define HUB_BLOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"
#include "hub/producer.h"

struct blob_spec {
	bool put;
	const char *source;		/* URL or evp:NAME[@STORAGE] */
	const char *file;		/* "-": standard input or output */
	char *const *headers;		/* "Name: value", NULL-terminated; NULL for none */
	const char *instance;		/* for whose files evp: is; NULL: none */
	const char *ca_file;		/* NULL: the system's */
	bool insecure;			/* tokens may go over http:// */
	int64_t timeout_ms;		/* for all of it; 0 for none */
	int64_t idle_ms;		/* without a byte */
	const struct producer *producer;	/* for evp: */
};

struct blob_result {
	int http_status;	/* 0: no response */
	int64_t bytes;
};

/*
 * Do it.  Returns 0; 1 where the storage answers 4xx, or the hub gives no token, with F filled;
 * a negative errno with F filled for the rest.
 */
int blob_run(const struct blob_spec *spec, struct blob_result *r, struct fail *f);

/* {"result","http_status","bytes"[,"reason"]} and a newline: what blob_run() returned as R, with F where that is not 0. */
void blob_format(const struct blob_result *b, int r, const struct fail *f, struct buf *out);

/*
 * Add TEXT to HEADERS, NULL or what xfree_strv() frees: a header, or with @ the file that holds some, one a line;
 * what is in an argument can be read by other users.
 */
int blob_headers_add(char ***headers, const char *text, struct fail *f);

#endif
