/*
 * sdk - the protocol between an instance and the system, which programs speak through the module SDK of
 * Sony's Edge Virtualization Platform.
 *
 * A Unix stream socket; records in both directions are {u32 size, u32 zero, u64 xid} in the byte order of
 * the machine, and SIZE bytes of a FlatBuffer (module/flat.h), at most SDK_RECORD_MAX.  A response has the
 * xid of its request; responses may come in another order.  Source: sdk.fbs, record_hdr.h and sdk_base.h of
 * SonySemiconductorSolutions/edge-virtualization-platform (Apache-2.0).
 */
#ifndef MODULE_SDK_H
#define MODULE_SDK_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { SDK_RECORD_MAX = 131072 };

struct sdk_header {
	uint32_t size, zero;
	uint64_t xid;
};

/* The numbers of unions and enums are those of the protocol. */
enum sdk_request_kind {
	SDK_NO_REQUEST, SDK_GET_EVENT, SDK_SEND_STATE, SDK_RESEND_CONFIG, SDK_BLOB, SDK_SEND_TELEMETRY, SDK_SEND_MESSAGE,
	SDK_RPC_RESPONSE, SDK_STREAM_PARAMS,
};

enum sdk_event_kind {
	SDK_EVENT_NONE, SDK_EVENT_CONFIG, SDK_EVENT_STATE, SDK_EVENT_EXIT, SDK_EVENT_BLOB, SDK_EVENT_MESSAGE_SENT,
	SDK_EVENT_MESSAGE, SDK_EVENT_TELEMETRY, SDK_EVENT_RPC_REQUEST, SDK_EVENT_RPC_RESPONSE,
};

enum sdk_result {
	SDK_OK = 0, SDK_ERROR = 3, SDK_INVAL = 4, SDK_TOOBIG = 6, SDK_DENIED = 11, SDK_NOTSUP = 12,
};

/* Reasons of callbacks; DENIED of a blob is 2. */
enum sdk_reason { SDK_SENT = 0, SDK_FAILED = 1, SDK_REFUSED = 3 };

enum sdk_rpc_status { SDK_RPC_OK, SDK_RPC_NOT_FOUND, SDK_RPC_ERROR };
enum sdk_blob_union { SDK_BLOB_AZURE = 1, SDK_BLOB_EVP, SDK_BLOB_HTTP, SDK_BLOB_HTTP_EXT };
enum sdk_blob_result { SDK_BLOB_SUCCESS, SDK_BLOB_ERROR, SDK_BLOB_ERROR_HTTP };

/* A piece of the record, not NUL-terminated; S is NULL where it is not there. */
struct sdk_text {
	const char *s;
	uint32_t n;
};

struct sdk_entry {
	struct sdk_text key, value;
};

/* Which members are set depends on KIND.  Borrowed from the record, but for the array. */
struct sdk_request {
	enum sdk_request_kind kind;
	int64_t timeout_ms;		/* GET_EVENT: wall time */
	uint64_t callback, userdata;
	struct sdk_text topic, blob;	/* SEND_STATE, SEND_MESSAGE */
	struct sdk_entry *entries;	/* SEND_TELEMETRY */
	uint32_t n_entries;
	uint64_t rpc;			/* RPC_RESPONSE */
	uint32_t status;
	struct sdk_text response;
	uint32_t operation;		/* BLOB: 0 GET, 1 PUT */
	enum sdk_blob_union blob_union;
	struct sdk_text url, storage, filename;	/* URL: of EVP the remote name */
	struct sdk_text *headers;
	uint32_t n_headers;
};

/* The N bytes of P; -EBADMSG where they are no request.  Release R afterwards. */
int sdk_request_parse(const void *p, size_t n, struct sdk_request *r);
void sdk_request_release(struct sdk_request *r);

struct sdk_event {
	enum sdk_event_kind kind;
	uint64_t callback, userdata;
	uint32_t reason;
	char *name;			/* topic, or method */
	char *data;			/* blob, or params */
	size_t len;
	uint64_t rpc;
	enum sdk_blob_union blob_union;
	uint32_t result, http_status, error;	/* of a blob */
};

void sdk_event_release(struct sdk_event *e);

/* The response to GET_EVENT; E is NULL for none. */
void sdk_event_format(const struct sdk_event *e, struct buf *out);

/* The response to the other requests. */
void sdk_result_format(enum sdk_result result, struct buf *out);

/* The response to STREAM_PARAMS. */
void sdk_stream_format(enum sdk_result result, struct buf *out);

#endif
