/*
 * deployment_report - what modules and instances are doing, reported to the hub as the EVP agent does it.
 *
 *	EVP2	{"systemInfo":{"os","arch","evp_agent","protocolVersion":"EVP2-TB"},
 *		 "state/$agent/report-status-interval-min":S,"state/$agent/report-status-interval-max":S,
 *		 "deploymentStatus":{"instances":{NAME:{"status","moduleId","failureMessage"}},
 *		    "modules":{ID:{"status","failureMessage"}},"deploymentId","reconcileStatus"}}
 *	EVP1	{"systemInfo":{"utsname":{...},"protocolVersion":"EVP1"},"deploymentStatus":{...}}
 *
 * where EVP1 has no moduleId; the dialect makes its deploymentStatus a text.  Source: recorded
 * traffic of the EVP agent, test/data/evp.
 *
 * A report is submitted to the link (hub/submission.h) when it has changed, at most once each MIN,
 * and, while the link is up, at least once each MAX.  desiredDeviceConfig of the hub's attributes changes both:
 * "configuration/$agent/report-status-interval-min" and "-max", in seconds.
 */
#ifndef MODULE_DEPLOYMENT_REPORT_H
#define MODULE_DEPLOYMENT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/logger.h"
#include "base/loop.h"

struct deployment_report_spec {
	const char *hub;		/* the link's directory */
	bool is_evp1;
	int64_t min_ms, max_ms;
	struct logger log;
};

struct deployment_report;

/* SPEC is copied, and so are its texts. */
struct deployment_report *deployment_report_new(struct loop *l, const struct deployment_report_spec *spec);
void deployment_report_free(struct deployment_report *r);

/* V is deploymentStatus now, borrowed. */
void deployment_report_set(struct deployment_report *r, struct json v);

/* What has changed is submitted now: the agent ends. */
void deployment_report_flush(struct deployment_report *r);

/* The report for the status V, which the caller releases. */
struct json deployment_report_make(struct json v, bool is_evp1, int64_t min_ms, int64_t max_ms);

#endif
