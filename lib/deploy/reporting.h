/*
 * reporting - reports to the hub: kept on disk until it has accepted them, sent in order.
 *
 * A report is the reported state (deploy/report.h) at one moment.  It is in the
 * outbox (hub/outbox.h) before the agent's own copy is replaced, and is sent as
 *
 *	{"id":ID,"prev":ID,"acked":ID,"time":TIME,"deviceUpdate":{...},"rejoin":{...}}
 *
 * with PUT or POST, one after the other, with the header "Idempotency-Key: ID".  "{id}" in the
 * address stands for the id.  A 2xx accepts it; after anything else it is sent again, with the same id,
 * at growing random distances (deploy/http_job.h) or when the server says so by Retry-After.  So a server may get
 * a report twice, and knows it by its id; it gets none out of order.
 *
 * A report that is answered five times with a status that it would always get (400, 404, 413, 422, ...) is
 * refused: it is set aside as DIR/refused/ID.json, of which the newest 100 are kept, and the next one is sent.
 *
 * With an address hub:NAME a report, without its id, is submitted to the link of the
 * profile NAME instead (hub/submission.h), and is accepted when it is on disk there.
 */
#ifndef DEPLOY_REPORTING_H
#define DEPLOY_REPORTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"
#include "deploy/http_job.h"

struct reporting_spec {
	const char *dir;	/* of the outbox */
	const char *url;	/* http://, https:// or hub:NAME; NULL: what is there waits */
	bool posts;		/* POST, not PUT */
	const struct http_job_link *link;
	void (*log)(const char *text, void *cookie);
	loop_fn *changed;	/* reporting_note() says something else; or NULL */
	void *cookie;
};

struct reporting;

/* SPEC's texts are copied, its link is borrowed.  *OUT is NULL where there is no URL and nothing waits. */
int reporting_open(struct loop *l, const struct reporting_spec *spec, struct reporting **out, struct fail *f);
void reporting_free(struct reporting *g);

/* Keep TWIN durably, to be sent; its id into *ID.  0 or -errno: nothing was kept. */
int reporting_add(struct reporting *g, struct json twin, int64_t *id);

/* The id of the last report that was added, 0 for none; its twin into OUT where it is not accepted yet, else JSON_ABSENT. */
int64_t reporting_last(struct reporting *g, struct json *out);

/* Send what waits. */
void reporting_start(struct reporting *g);

/* DONE is called, from the loop, once all is accepted or a try has failed. */
void reporting_flush(struct reporting *g, loop_fn *done, void *cookie);

/* What an operator should know of it: that reports wait, or were refused; "" for nothing. */
const char *reporting_note(const struct reporting *g);

/* The number of reports that wait. */
int64_t reporting_waiting(const struct reporting *g);

#endif
