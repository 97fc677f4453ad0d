#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/filewatch.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "hub/hubdir.h"
#include "hub/submission.h"
#include "module/deployment_report.h"

enum { AGAIN_MS = 5000, POLL_MS = 5000, ATTRIBUTES_MAX = 8 << 20, SECONDS_MAX = 86400 };

struct deployment_report {
	struct loop *loop;
	struct deployment_report_spec spec;
	char *hub, *attributes;
	struct json status;		/* what is to be reported */
	int64_t min_ms, max_ms;		/* as they are now */
	int64_t sent_ms;		/* the last report, CLOCK_MONOTONIC; 0 for none */
	bool has_changed, has_failed;
	struct loop_timer due;
	struct filewatch *filewatch;
};

static struct json
system_info(bool is_evp1)
{
	struct json v = json_object(), name = json_object();
	struct utsname u;

	if (uname(&u) < 0)
		memset(&u, 0, sizeof u);
	if (is_evp1) {
		json_set_text(&name, "sysname", u.sysname);
		json_set_text(&name, "nodename", u.nodename);
		json_set_text(&name, "release", u.release);
		json_set_text(&name, "version", u.version);
		json_set_text(&name, "machine", u.machine);
		json_set(&v, "utsname", name);
		json_set_text(&v, "protocolVersion", "EVP1");
		return v;
	}
	json_release(&name);
	json_set_text(&v, "os", u.sysname);
	json_set_text(&v, "arch", u.machine);
	json_set_text(&v, "evp_agent", "rejoin " VERSION);
	json_set_text(&v, "protocolVersion", "EVP2-TB");
	return v;
}

/* EVP1 names no modules in its instances. */
static struct json
status_for_evp1(struct json status)
{
	_cleanup_json_ struct json instances = json_get(status, "instances");
	struct json v = json_copy(status), all = json_object();

	for (struct json_iter it = json_begin(instances); json_next(&it); ) {
		struct json one = json_copy(it.value);

		json_remove(&one, "moduleId");
		json_set(&all, it.key, one);
	}
	json_set(&v, "instances", all);
	return v;
}

struct json
deployment_report_make(struct json status, bool is_evp1, int64_t min_ms, int64_t max_ms)
{
	struct json v = json_object();

	json_set(&v, "systemInfo", system_info(is_evp1));
	if (is_evp1) {
		json_set(&v, "deploymentStatus", status_for_evp1(status));
		return v;
	}
	json_set(&v, "state/$agent/report-status-interval-min", json_number((double)(min_ms / 1000)));
	json_set(&v, "state/$agent/report-status-interval-max", json_number((double)(max_ms / 1000)));
	json_set(&v, "deploymentStatus", json_copy(status));
	return v;
}

static bool
report_submit(struct deployment_report *r)
{
	_cleanup_json_ struct json record = json_object();
	_cleanup_buf_ struct buf b = BUF_INIT;
	char name[SUBMISSION_NAME];
	struct fail f;
	int e;

	json_set_text(&record, "kind", "report");
	json_set_text(&record, "key", "");
	json_set(&record, "value", deployment_report_make(r->status, r->spec.is_evp1, r->min_ms, r->max_ms));
	json_format(record, &b);
	buf_putc(&b, '\n');
	e = submission_send(r->hub, b.s, b.len, true, name, &f);
	if (e < 0 && !r->has_failed)
		logger_info(&r->spec.log, "%s", f.text);
	else if (e == 0)
		logger_note(&r->spec.log, "report submitted as %s", name);
	r->has_failed = e < 0;
	return e == 0;
}

/* Is the link up?  What has not changed is not queued for days without one. */
static bool
link_is_up(const struct deployment_report *r)
{
	_cleanup_json_ struct json v = JSON_ABSENT, running = JSON_ABSENT;
	const char *state;
	struct fail f;

	if (hubdir_status(r->hub, &v, &f) < 0)
		return false;
	running = json_get(v, "running");
	state = json_get_text(v, "state");
	return json_kind(running) == JSON_TRUE && state && strcmp(state, "synced") == 0;
}

static void
report_schedule(struct deployment_report *r)
{
	const int64_t since = clock_mono_ms() - r->sent_ms;
	const int64_t wait = r->has_failed ? AGAIN_MS : (r->has_changed ? r->min_ms : r->max_ms) - since;

	loop_timer_set(r->loop, &r->due, r->sent_ms == 0 && !r->has_failed ? 0 : wait > 0 ? wait : 0);
}

static void
report_due(void *cookie)
{
	struct deployment_report *r = cookie;

	if (!json_is_object(r->status))
		return;
	if (r->has_changed || r->has_failed || link_is_up(r)) {
		if (report_submit(r))
			r->has_changed = false;
	}
	r->sent_ms = clock_mono_ms();
	report_schedule(r);
}

void
deployment_report_set(struct deployment_report *r, struct json v)
{
	json_release(&r->status);
	r->status = json_copy(v);
	r->has_changed = true;
	report_schedule(r);
}

void
deployment_report_flush(struct deployment_report *r)
{
	loop_timer_stop(r->loop, &r->due);
	if (json_is_object(r->status) && r->has_changed && report_submit(r))
		r->has_changed = false;
}

/* --- the intervals, as the hub wants them */

static int64_t
interval_of(struct json config, const char *which, int64_t preset_ms)
{
	_cleanup_free_ char *key = xasprintf("configuration/$agent/report-status-interval-%s", which);
	_cleanup_json_ struct json v = json_get(config, key);
	const char *text = json_get_string(v);
	int64_t n;

	if (!(text ? num_parse(text, 0, SECONDS_MAX, &n) == 0 : json_get_whole(v, &n) && n >= 0 && n <= SECONDS_MAX))
		return preset_ms;
	return n * 1000;
}

static void
intervals_load(struct deployment_report *r)
{
	_cleanup_json_ struct json all = JSON_ABSENT, config = JSON_ABSENT;
	struct fail ignored;

	if (json_load(r->attributes, FILE_NOFOLLOW, ATTRIBUTES_MAX, &all, &ignored) == 0)
		config = json_get(all, "desiredDeviceConfig");
	r->min_ms = interval_of(config, "min", r->spec.min_ms);
	r->max_ms = interval_of(config, "max", r->spec.max_ms);
	if (r->max_ms < r->min_ms || r->max_ms < 1000)
		r->max_ms = r->min_ms < 1000 ? 1000 : r->min_ms;
}

static void
attributes_changed(bool names, void *cookie)
{
	struct deployment_report *r = cookie;
	const int64_t min = r->min_ms, max = r->max_ms;

	(void)names;
	intervals_load(r);
	if (min == r->min_ms && max == r->max_ms)
		return;
	/* they are a part of the report */
	r->has_changed = true;
	if (json_is_object(r->status))
		report_schedule(r);
}

struct deployment_report *
deployment_report_new(struct loop *l, const struct deployment_report_spec *spec)
{
	struct deployment_report *r = xcalloc(1, sizeof *r);

	*r = (struct deployment_report){ .loop = l, .spec = *spec, .hub = xstrdup(spec->hub),
	    .attributes = xasprintf("%s/shared.json", spec->hub), .due = { .fn = report_due, .cookie = r } };
	intervals_load(r);
	r->filewatch = filewatch_new(l, POLL_MS);
	filewatch_add(r->filewatch, r->attributes, FILEWATCH_PATH, attributes_changed, r);
	return r;
}

void
deployment_report_free(struct deployment_report *r)
{
	if (!r)
		return;
	loop_timer_stop(r->loop, &r->due);
	filewatch_free(r->filewatch);
	json_release(&r->status);
	free(r->hub);
	free(r->attributes);
	free(r);
}
