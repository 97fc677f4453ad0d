/*
 * server - HTTP/1.1 on a Unix socket, by libmicrohttpd, on a loop.
 *
 * A request is read as a whole, then given to the handler, which replies at once
 * or later.  The peer is named by its uid (SO_PEERCRED).
 * Bounds: SERVER_BODY_MAX bytes of body (413), bodies and answers of all in memory
 * and of a uid (task/quota.h; 503 busy), 8 KiB of headers, 1,024 connections, 256 a uid, 10 s for a request to arrive from its first byte on (the
 * first one: from the connection on), 60 s idle between requests.  What a peer sends
 * together with the request before counts as idle.
 */
#ifndef TASK_SERVER_H
#define TASK_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"
#include "task/refusal.h"

enum {
	SERVER_BODY_MAX = 2 << 20,	/* 1 MiB of a task's stdin, in base64, and the rest */
	SERVER_PARTS = 5, SERVER_PART_MAX = 64,
};

struct server;

struct server_request {
	const char *method, *path;	/* valid until the reply */
	const char *body;		/* NUL-terminated; BODY_LEN bytes before that */
	size_t body_len;
	uid_t uid;
	struct server_exchange *exchange;	/* the server's */
};

/* Reply to Q, now or later, exactly once. */
typedef void server_fn(struct server_request *q, void *cookie);

/* LISTEN_FD is a listening socket, which the server closes. */
struct server *server_new(struct loop *l, int listen_fd, server_fn *fn, void *cookie, struct fail *f);

/* Requests without a reply yet are answered 503. */
void server_free(struct server *s);

/* Requests that have no reply yet, and when the last request came (CLOCK_MONOTONIC). */
int server_waiting(const struct server *s);
int64_t server_last_ms(const struct server *s);

/* The argument NAME of the query; NULL where there is none. */
const char *server_query(const struct server_request *q, const char *name);

/* The same as a whole number, which the route has checked; OTHERWISE where there is none. */
int64_t server_query_number(const struct server_request *q, const char *name, int64_t otherwise);

/* FN for each argument of the query, until it returns false, as this does then. */
bool server_each_query(const struct server_request *q, bool (*fn)(const char *name, const char *value, void *cookie),
    void *cookie);

/* The parts of the path, which begins with a slash; how many, 0 where they are too many or too long. */
int server_path_parts(const struct server_request *q, char parts[SERVER_PARTS][SERVER_PART_MAX]);

/* V as the body, with STATUS. */
void server_reply(struct server_request *q, int status, struct json v);

/*
 * How many bytes an answer to Q may have now, so that others have room beside it;
 * at most MAX.  0 where there is no room: the reply is to be server_reply_busy().
 */
size_t server_answer_room(const struct server_request *q, size_t max);

/* 503 busy, Retry-After: 1. */
void server_reply_busy(struct server_request *q);

/* {"error":NAME,"reason":TEXT} */
void server_reply_error(struct server_request *q, int status, const char *name, const char *fmt, ...) PRINTF(4, 5);

/* The same with the hint of R: {"error","reason","hint"}. */
void server_reply_refusal(struct server_request *q, const struct refusal *r);

/* The bytes of B, which is emptied; HEADERS are "Name: value", NULL-terminated. */
void server_reply_bytes(struct server_request *q, int status, struct buf *b, const char *type,
    const char *const *headers);

#endif
