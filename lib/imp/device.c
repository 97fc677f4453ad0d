#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "imp/device.h"
#include "imp/entry.h"

enum { LOOK_BACK = 100 };	/* entries of a log: a start makes a dozen */

static const char log_name[] = "log:";

static int
check_id(const char *id, struct fail *f)
{
	return imp_is_device(id) ? 0 : fail_set(f, EXIT_USAGE, "not a device's id: '%s'", id);
}

int
imp_device_read(struct imp *i, const char *id, struct imp_device *d, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("/devices/%s", id);
	_cleanup_json_ struct json answer = JSON_ABSENT, data = JSON_ABSENT, attrs = JSON_ABSENT;
	_cleanup_json_ struct json online = JSON_ABSENT, related = JSON_ABSENT, group = JSON_ABSENT;
	const char *own, *changed;
	int r = check_id(id, f);

	*d = (struct imp_device){ .online = false };
	if (r == 0)
		r = imp_request(i, "GET", path, NULL, &answer, f);
	if (r < 0 && imp_status(i) == 404)
		f->status = EXIT_USAGE;
	if (r < 0)
		return r;
	data = json_get(answer, "data");
	attrs = json_get(data, "attributes");
	online = json_get(attrs, "device_online");
	related = json_get(data, "relationships");
	group = json_get(related, "devicegroup");
	own = json_get_text(data, "id");
	changed = json_get_text(attrs, "device_state_changed_at");
	if (!json_is_object(data))
		return fail_set(f, EXIT_TROUBLE, "%s%s: answers without the device", imp_url(i), path);
	snprintf(d->id, sizeof d->id, "%s", own && imp_is_device(own) ? own : id);
	snprintf(d->changed_at, sizeof d->changed_at, "%s", changed ? changed : "");
	d->online = json_kind(online) == JSON_TRUE;
	d->assigned = json_is_object(group);
	return 0;
}

/* Is it for good that the log cannot be read, or only now? */
static bool
is_kept_from_us(const struct imp *i)
{
	return imp_status(i) == 403 || imp_status(i) == 404;
}

/* The newest start in its log, or KNOWN where that is newer. */
static int
read_start(struct imp *i, const char *known, struct imp_device *d, struct fail *f)
{
	struct imp_entry *v;
	size_t n;
	int r = imp_entries_read(i, d->id, 1, LOOK_BACK, &v, &n, f);

	if (r < 0)
		return r;
	snprintf(d->run, sizeof d->run, "%s", *known ? known : log_name);
	for (size_t k = 0; k < n; k++)
		if (imp_entry_is_start(&v[k]) && strcmp(v[k].time, d->run + strlen(log_name)) > 0)
			snprintf(d->run, sizeof d->run, "%s%.*s", log_name, IMP_ID_TEXT - 1, v[k].time);
	imp_entries_free(v, n);
	return 0;
}

int
imp_device_read_run(struct imp *i, const char *id, const char *known, struct imp_device *d, struct fail *f)
{
	const bool by_log = strncmp(known, log_name, strlen(log_name)) == 0;
	int r = imp_device_read(i, id, d, f);

	if (r < 0)
		return r;
	if (!*known || by_log) {
		r = read_start(i, known, d, f);
		if (r == 0 || by_log || !is_kept_from_us(i))
			return r;
	}
	snprintf(d->run, sizeof d->run, "state:%s", d->changed_at);
	return 0;
}

int
imp_device_restart(struct imp *i, const char *id, bool conditional, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("/devices/%s/%s", id, conditional ? "conditional_restart" : "restart");
	struct imp_device d;
	int r = imp_device_read(i, id, &d, f);

	if (r == 0 && !d.assigned)
		r = fail_set(f, EXIT_NO, "%s: not assigned to a device group, so it cannot be restarted", id);
	return r < 0 ? r : imp_request(i, "POST", path, NULL, NULL, f);
}
