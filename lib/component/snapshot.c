#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/xalloc.h"
#include "component/component.h"
#include "component/snapshot.h"
#include "component/version.h"

enum { SNAPSHOT_MAX = 128 << 20 };	/* bytes of its file */
enum { SNAPSHOT_FORMAT = 1 };
enum { LOCK_MS = 1000 };	/* for a predecessor that has just been killed */

static const char kind[] = "rejoin-watch snapshot";

/* What matters of a record, besides id and state. */
static const char *const identity[] = { "name", "group", "manufacturer", "model", "serial" };
static const char *const members[] = {
	"state", "name", "group", "manufacturer", "model", "serial", "version", "properties",
};

enum { N_IDENTITY = sizeof identity / sizeof *identity };
enum { N_MEMBERS = sizeof members / sizeof *members };

enum snapshot_event { NOTHING, ARRIVED, READABLE, SWAPPED, CHANGED, DEPARTED };

static const char *const event_names[] = {
	[ARRIVED] = "arrived", [READABLE] = "readable", [SWAPPED] = "swapped",
	[CHANGED] = "changed", [DEPARTED] = "departed",
};

static struct json
record_reduce(struct json record)
{
	struct json out = json_object();

	json_set(&out, "id", json_get(record, "id"));
	for (int i = 0; i < N_MEMBERS; i++) {
		struct json v = json_get(record, members[i]);

		if (json_kind(v) != JSON_NONE)
			json_set(&out, members[i], v);
	}
	return out;
}

struct json
snapshot_of(struct json components, struct json before)
{
	struct json out = json_is_object(before) ? json_copy(before) : json_object();

	for (size_t i = 0; i < json_count(components); i++) {
		_cleanup_json_ struct json c = json_at(components, i);

		json_set(&out, component_id(c), record_reduce(c));
	}
	return out;
}

/* Is OBJECT's member KEY the same in A and B, also where neither has it? */
static bool
member_is_same(struct json a, struct json b, const char *key)
{
	_cleanup_json_ struct json x = json_get(a, key), y = json_get(b, key);

	if (json_kind(x) == JSON_NONE || json_kind(y) == JSON_NONE)
		return json_kind(x) == json_kind(y);
	return json_equal(x, y);
}

static bool
is_other_part(struct json was, struct json is)
{
	_cleanup_json_ struct json p = json_get(was, "properties"), q = json_get(is, "properties");
	const char *old = json_get_text(was, "version"), *new = json_get_text(is, "version");

	for (int i = 0; i < N_IDENTITY; i++)
		if (!member_is_same(was, is, identity[i]))
			return true;
	if (json_is_object(p) && json_is_object(q) && !member_is_same(p, q, "serial"))
		return true;
	return old && new && version_compare(new, old) < 0;
}

static bool
is_changed(struct json was, struct json is)
{
	for (int i = 0; i < N_MEMBERS; i++)
		if (!member_is_same(was, is, members[i]))
			return true;
	return false;
}

/* A component that is not there is as one that is offline. */
static enum component_state
state_of(struct json record)
{
	return json_is_object(record) ? component_state(record) : COMPONENT_OFFLINE;
}

static enum snapshot_event
records_compare(struct json was, struct json is)
{
	enum component_state before = state_of(was), now = state_of(is);

	if (now == COMPONENT_OFFLINE)
		return before == COMPONENT_OFFLINE ? NOTHING : DEPARTED;
	if (now == COMPONENT_ONLINE && before == COMPONENT_OFFLINE)
		return ARRIVED;
	if (now == COMPONENT_ONLINE && before == COMPONENT_UNREADABLE)
		return READABLE;
	if (now == COMPONENT_ONLINE && is_other_part(was, is))
		return SWAPPED;
	return is_changed(was, is) ? CHANGED : NOTHING;
}

static bool
event_wakes(enum snapshot_event e)
{
	return e == ARRIVED || e == READABLE || e == SWAPPED;
}

static struct json
records_difference(struct json was, struct json is)
{
	struct json out = json_object();

	for (int i = 0; json_is_object(was) && i < N_MEMBERS; i++)
		if (!member_is_same(was, is, members[i])) {
			struct json v = json_get(was, members[i]);

			json_set(&out, members[i], json_kind(v) == JSON_NONE ? json_null() : v);
		}
	return out;
}

/* Takes RECORD. */
static void
add_event(struct json *events, enum snapshot_event e, struct json record, struct json was,
    const char *cause)
{
	char now[CLOCK_TEXT];

	json_set(&record, "was", records_difference(was, record));
	json_set_text(&record, "event", event_names[e]);
	json_set_text(&record, "time", clock_now(now));
	json_set_text(&record, "cause", cause);
	json_append(events, record);
}

/* Those that BEFORE has and AFTER has not. */
static void
add_gone(struct json *events, struct json before, struct json after, const char *cause)
{
	for (struct json_iter it = json_begin(before); json_next(&it); ) {
		_cleanup_json_ struct json is = json_get(after, it.key);
		struct json record;

		if (json_is_object(is) || records_compare(it.value, is) != DEPARTED)
			continue;
		record = json_copy(it.value);
		component_set_state(&record, COMPONENT_OFFLINE);
		add_event(events, DEPARTED, record, it.value, cause);
	}
}

/* What happened to C, which was WAS.  One that was removed is back, and it may have been missed. */
static enum snapshot_event
event_of(struct json was, struct json c, struct json removed)
{
	enum snapshot_event e = records_compare(was, c);
	_cleanup_json_ struct json gone = json_get(removed, component_id(c));

	return json_kind(gone) != JSON_NONE && component_state(c) == COMPONENT_ONLINE && !event_wakes(e) ? ARRIVED : e;
}

struct json
snapshot_events(struct json before, struct json after, struct json components,
    struct json removed, const char *cause, bool all)
{
	struct json events = json_array();

	for (size_t i = 0; i < json_count(components); i++) {
		_cleanup_json_ struct json c = json_at(components, i);
		_cleanup_json_ struct json was = json_get(before, component_id(c));
		enum snapshot_event e = event_of(was, c, removed);

		if (event_wakes(e) || (all && e != NOTHING))
			add_event(&events, e, json_copy(c), was, cause);
	}
	if (all)
		add_gone(&events, before, after, cause);
	return events;
}

/* Is EVENT one that calls for an evaluation? */
static bool
is_waking(struct json event)
{
	const char *name = json_get_text(event, "event");

	for (enum snapshot_event k = ARRIVED; name && k <= DEPARTED; k++)
		if (event_wakes(k) && strcmp(name, event_names[k]) == 0)
			return true;
	return false;
}

void
snapshot_add_arrival(struct json *events, struct json component, const char *cause)
{
	add_event(events, ARRIVED, json_copy(component), component, cause);
}

struct json
snapshot_waking_ids(struct json events)
{
	struct json ids = json_object();

	for (size_t i = 0; i < json_count(events); i++) {
		_cleanup_json_ struct json e = json_at(events, i);

		if (is_waking(e))
			json_set(&ids, component_id(e), json_null());
	}
	return ids;
}

static int
snapshot_refuse(struct fail *f, const char *name, const char *why)
{
	return fail_set(f, EXIT_TROUBLE, "%s: %s; remove it to begin anew", name, why);
}

static int
components_check(struct json components, const char *name, struct fail *f)
{
	if (!json_is_object(components))
		return snapshot_refuse(f, name, "a snapshot without components");
	for (struct json_iter it = json_begin(components); json_next(&it); ) {
		struct fail why;

		if (component_check(it.value, it.key, &why) == 0 &&
		    json_get_text(it.value, "state") &&
		    strcmp(component_id(it.value), it.key) == 0)
			continue;
		json_end(&it);
		return snapshot_refuse(f, name, "a snapshot with a wrong component");
	}
	return 0;
}

int
snapshot_parse(const char *name, const char *text, size_t len, struct json *out,
    struct json *incarnation, struct fail *f)
{
	_cleanup_json_ struct json v = JSON_ABSENT, components = JSON_ABSENT, n = JSON_ABSENT;
	struct fail why;
	int r;

	if (json_parse(NULL, text, len, &v, &why) < 0)
		return snapshot_refuse(f, name, why.text);
	if (!json_get_text(v, "kind") || strcmp(json_get_text(v, "kind"), kind) != 0)
		return snapshot_refuse(f, name, "is not a snapshot of rejoin-watch");
	n = json_get(v, "format");
	if (json_get_number(n) != SNAPSHOT_FORMAT)
		return snapshot_refuse(f, name, "a snapshot of a format that is not known");
	components = json_get(v, "components");
	r = components_check(components, name, f);
	if (r < 0)
		return r;
	*out = json_copy(components);
	*incarnation = json_get(v, "incarnation");
	if (json_kind(*incarnation) != JSON_STRING)
		json_release(incarnation);
	return 0;
}

int
snapshot_load(const char *path, struct json *out, struct json *incarnation, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = file_load(path, FILE_NOFOLLOW, SNAPSHOT_MAX, &b, f);

	if (r < 0)
		return r;
	return b.len == 0 ? -ENOENT : snapshot_parse(path, b.s, b.len, out, incarnation, f);
}

int
snapshot_save(const char *path, struct json snapshot, struct json incarnation)
{
	_cleanup_json_ struct json v = json_object();
	_cleanup_buf_ struct buf b = BUF_INIT;
	char now[CLOCK_TEXT];

	json_set_text(&v, "kind", kind);
	json_set(&v, "format", json_number(SNAPSHOT_FORMAT));
	json_set_text(&v, "time", clock_now(now));
	json_set(&v, "components", json_copy(snapshot));
	if (json_kind(incarnation) == JSON_STRING)
		json_set(&v, "incarnation", json_copy(incarnation));
	json_format(v, &b);
	buf_putc(&b, '\n');
	return b.len > SNAPSHOT_MAX ? -EFBIG : file_replace(path, b.s, b.len, 0640, FILE_DURABLE);
}

/* The process that holds the lock of PATH, from what it wrote there; 0 where that is unknown. */
static long
lock_holder(int fd)
{
	char text[32] = "";
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	return n > 0 ? strtol(text, NULL, 10) : 0;
}

/* One process uses a state file at a time: two would undo what the other committed. */
int
snapshot_lock(const char *state, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s.lock", state);
	char pid[32];
	int fd = lock_open(path, 0600), r;

	if (fd < 0)
		return fail_errno(f, fd, "%s", state);
	r = lock_wait(fd, LOCK_MS);
	if (r == 0) {
		int n = snprintf(pid, sizeof pid, "%jd\n", (intmax_t)getpid());

		(void)!ftruncate(fd, 0);
		(void)!pwrite(fd, pid, (size_t)n, 0);	/* for the message alone */
		return fd;
	}
	if (r == -ETIMEDOUT) {
		fail_set(f, EXIT_BUSY, "%s: state file is in use by another rejoin-watch (pid %ld)", state,
		    lock_holder(fd));
		fail_hint(f, "give each its own --state FILE, or stop the other one");
	} else {
		fail_errno(f, r, "%s", path);
	}
	close(fd);
	return -EBUSY;
}
