/*
 * verdict - is what is asked for installed on a component: yes, no, or it
 * cannot be told, which is never taken for no.
 *
 * What is offline or unreadable cannot be told.  Of several steps a single no
 * is a no; else a single "cannot be told" is one; else it is a yes.
 */
#ifndef DEPLOY_VERDICT_H
#define DEPLOY_VERDICT_H

#include <stdint.h>

#include "base/json.h"
#include "base/loop.h"
#include "deploy/question.h"

enum verdict_answer {
	VERDICT_NO, VERDICT_YES,
	VERDICT_UNKNOWN,
	VERDICT_NOT_MEANT,	/* no step is for this component */
};

struct verdict {
	enum verdict_answer answer;
	const char *criteria;	/* what decided it; NULL where that has no name */
	const char *reason;	/* NULL where there is nothing to say */
	const char *output;	/* what the last script printed; "" for none */
};

struct verdict_spec {
	const struct question *question;
	const char *user;	/* runs handlers; NULL for ourselves */
	int64_t timeout_ms, grace_ms;	/* of each script */
};

/* V is gone after the call. */
typedef void verdict_done(struct json component, const struct verdict *v, void *cookie);

/*
 * Decide; DONE is called once, before this returns where no program has to
 * run, else from the loop.  SPEC must live until then, COMPONENT is copied.
 */
void verdict_start(struct loop *l, const struct verdict_spec *spec, struct json component,
    verdict_done *done, void *cookie);

/* COMPONENT with "installed", "criteria" and "reason" set. */
struct json verdict_record(struct json component, const struct verdict *v);

#endif
