/*
 * report_store - the report of the deployment on disk: STATE/twins/current.json, and
 * before that, where it is sent, the outbox.
 *
 * A report (deploy/report.h) that says something new is added to the outbox
 * (deploy/reporting.h) and then replaces the file, which has the report's id in
 * "report".  So one that is in the outbox and newer than the file was on its way
 * there when the agent was killed: it is the report.
 */
#ifndef DEPLOY_REPORT_STORE_H
#define DEPLOY_REPORT_STORE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/loop.h"
#include "deploy/agent_config.h"
#include "deploy/report.h"
#include "deploy/reporting.h"

struct report_store {
	struct loop *loop;
	struct report report;
	char *path;			/* of current.json */
	char *outbox;
	struct buf written;		/* the report as it is on disk, without its id */
	int64_t id;			/* of the last report that was to be sent; 0: none */
	struct reporting *reporting;	/* NULL where reports go nowhere */
	void (*log)(const char *text, void *cookie);
	loop_fn *changed;
	void *cookie;
};

/*
 * Below the state directory DIR, whose twins/ is there.  LOG with COOKIE has what sending tells;
 * CHANGED is called when report_store_note() says something else.
 * A current.json that cannot be read is set aside in *NOTE, a message of the fail's
 * length ("" where it could): what was known is in the journal.
 */
int report_store_open(struct report_store *s, struct loop *l, const char *dir, const struct agent_config *config,
    void (*log)(const char *text, void *cookie), loop_fn *changed, void *cookie, struct fail *note, struct fail *f);
void report_store_release(struct report_store *s);

/* Write the report where it says something new: 0, or -errno with F filled. */
int report_store_write(struct report_store *s, struct fail *f);

/* Reports go where CONFIG says now. */
int report_store_set_config(struct report_store *s, const struct agent_config *config, struct fail *f);

/* That reports wait, or were refused (deploy/reporting.h); "" for nothing. */
const char *report_store_note(const struct report_store *s);

/* Send what waits. */
void report_store_start(struct report_store *s);

/* DONE is called, at once or from the loop, once all is accepted or a try has failed. */
void report_store_flush(struct report_store *s, loop_fn *done, void *cookie);

#endif
