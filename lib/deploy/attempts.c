#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "base/bootid.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/journal.h"
#include "base/xalloc.h"
#include "component/component.h"
#include "deploy/attempts.h"
#include "deploy/handler_result.h"

enum { FILE_MAX = 4 << 20, BOOT = BOOTID_SIZE, NEED = 128 };

struct attempt_entry {
	char *step, *component;
	char **identities;	/* that the component had before each attempt, without repetition */
	size_t n_identities, identities_cap;
	int64_t done;		/* attempts since the count began */
	int64_t resets;
	bool ok;		/* the last one succeeded */
	bool installed;		/* and is to be applied */
	bool backup;		/* there is a backup of what was there before */
	enum attempts_need need;
	char need_of[NEED];	/* boot or incarnation that was there when it asked */
	char need_boot[BOOT];
	int64_t need_ms, asked;
	int64_t wall_ms, boot_ms;	/* when it began */
	char boot[BOOT];
};

struct attempts {
	char *path;
	const struct attempts_policy *policy;
	struct journal *journal;
	char *workflow;		/* NULL for none yet */
	char boot[BOOT];
	struct attempt_entry *entries;
	size_t n, cap;
};

/* What makes COMPONENT another one, or what was installed on it another version. */
static char *
identity_of(struct json component)
{
	static const char *const members[] = { "name", "group", "manufacturer", "model", "serial", "version" };
	_cleanup_json_ struct json properties = json_get(component, "properties");
	_cleanup_json_ struct json out = json_array();
	_cleanup_json_ struct json serial = json_get(properties, "serial");
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		struct json v = json_get(component, members[i]);

		json_append(&out, json_kind(v) == JSON_NONE ? json_null() : v);
	}
	json_append(&out, json_kind(serial) == JSON_NONE ? json_null() : json_copy(serial));
	json_format(out, &b);
	return buf_steal(&b);
}

static const char *
id_of(struct json component)
{
	return json_is_object(component) ? component_id(component) : "";
}

static void
entry_forget(struct attempt_entry *e)
{
	for (size_t i = 0; i < e->n_identities; i++)
		free(e->identities[i]);
	e->n_identities = 0;
	e->done = e->asked = 0;
	e->need = ATTEMPTS_NEED_NONE;
	e->ok = false;
}

static void
entries_forget(struct attempts *a)
{
	for (size_t i = 0; i < a->n; i++) {
		entry_forget(&a->entries[i]);
		free(a->entries[i].identities);
		free(a->entries[i].step);
		free(a->entries[i].component);
	}
	a->n = 0;
}

static struct attempt_entry *
find_entry(struct attempts *a, const char *step, const char *component)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->entries[i].step, step) == 0 && strcmp(a->entries[i].component, component) == 0)
			return &a->entries[i];
	return NULL;
}

static struct attempt_entry *
make_entry(struct attempts *a, const char *step, const char *component)
{
	struct attempt_entry *e = find_entry(a, step, component);

	if (e)
		return e;
	a->entries = xgrow(a->entries, a->n, &a->cap, sizeof *a->entries);
	e = &a->entries[a->n++];
	*e = (struct attempt_entry){ .step = xstrdup(step), .component = xstrdup(component) };
	return e;
}

static bool
had_identity(const struct attempt_entry *e, const char *identity)
{
	for (size_t i = 0; i < e->n_identities; i++)
		if (strcmp(e->identities[i], identity) == 0)
			return true;
	return false;
}

static void
entry_count(struct attempt_entry *e, const char *identity)
{
	e->done++;
	e->ok = e->installed = false;
	if (had_identity(e, identity))
		return;
	e->identities = xgrow(e->identities, e->n_identities, &e->identities_cap, sizeof *e->identities);
	e->identities[e->n_identities++] = xstrdup(identity);
}

/* --- the file */

static void
set_need(struct attempt_entry *e, enum attempts_need need, const char *of, const char *boot, int64_t boot_ms)
{
	e->need = need;
	e->asked++;
	e->need_ms = boot_ms;
	snprintf(e->need_of, sizeof e->need_of, "%s", of);
	snprintf(e->need_boot, sizeof e->need_boot, "%s", boot);
}

static void
read_need(struct attempt_entry *e, struct json record)
{
	const char *of = json_get_text(record, "of"), *boot = json_get_text(record, "boot");

	if (of && boot)
		set_need(e, strcmp(json_get_text(record, "need"), "reboot") == 0 ? ATTEMPTS_NEED_REBOOT :
		    ATTEMPTS_NEED_RESTART, of, boot, json_get_whole_or(record, "boot_ms", 0));
}

/* A record that is not understood is from another version, and is passed over. */
static void
read_record(struct attempts *a, struct json record)
{
	const char *workflow = json_get_text(record, "workflow"), *step = json_get_text(record, "step");
	const char *component = json_get_text(record, "component"), *boot = json_get_text(record, "boot");
	const char *identity = json_get_text(record, "identity");
	_cleanup_json_ struct json ok = json_get(record, "ok"), anew = json_get(record, "anew");
	_cleanup_json_ struct json installed = json_get(record, "installed"), backup = json_get(record, "backup");
	struct attempt_entry *e;

	if (!workflow || !step || !component)
		return;
	attempts_set_workflow(a, workflow);
	e = make_entry(a, step, component);
	if (json_get_text(record, "need")) {
		read_need(e, record);
		return;
	}
	if (json_kind(installed) != JSON_NONE) {
		e->installed = json_kind(installed) == JSON_TRUE;
		return;
	}
	if (json_kind(backup) != JSON_NONE) {
		e->backup = json_kind(backup) == JSON_TRUE;
		return;
	}
	if (json_kind(ok) == JSON_TRUE) {
		e->ok = true;
		return;
	}
	if (!identity || !boot)
		return;
	if (json_kind(anew) == JSON_TRUE) {
		entry_forget(e);
		e->resets = json_get_whole_or(record, "resets", 0);
	}
	entry_count(e, identity);
	e->wall_ms = json_get_whole_or(record, "wall_ms", 0);
	e->boot_ms = json_get_whole_or(record, "boot_ms", 0);
	snprintf(e->boot, sizeof e->boot, "%s", boot);
}

static int
read_file(struct attempts *a, const char *path, struct fail *f)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	int r = file_load(path, FILE_NOFOLLOW, 2 * FILE_MAX, &text, f);
	struct fail ignored;

	if (r == -ENOENT)
		return 0;
	for (char *line = text.s, *nl; r == 0 && (nl = strchr(line, '\n')); line = nl + 1) {
		struct json v = JSON_ABSENT;

		if (json_parse(NULL, line, (size_t)(nl - line), &v, &ignored) == 0)
			read_record(a, v);
		json_release(&v);
	}
	return r;
}

int
attempts_open(const char *dir, const struct attempts_policy *policy, struct attempts **out, struct fail *f)
{
	struct attempts *a = xcalloc(1, sizeof *a);
	_cleanup_free_ char *older = xasprintf("%s/attempts.jsonl.1", dir);
	int r;

	a->path = xasprintf("%s/attempts.jsonl", dir);
	a->policy = policy;
	bootid_read(a->boot);
	r = read_file(a, older, f);
	if (r == 0)
		r = read_file(a, a->path, f);
	if (r == 0) {
		a->journal = journal_open(a->path, FILE_MAX);
		if (!a->journal)
			r = fail_errno(f, errno, "%s", a->path);
	}
	if (r < 0)
		attempts_close(a);
	else
		*out = a;
	return r;
}

void
attempts_close(struct attempts *a)
{
	if (!a)
		return;
	journal_close(a->journal);
	entries_forget(a);
	free(a->entries);
	free(a->workflow);
	free(a->path);
	free(a);
}

void
attempts_set_workflow(struct attempts *a, const char *workflow)
{
	if (a->workflow && strcmp(a->workflow, workflow) == 0)
		return;
	entries_forget(a);
	free(a->workflow);
	a->workflow = xstrdup(workflow);
}

/* The records are of no use any more: the next one begins the file anew. */
void
attempts_reset(struct attempts *a)
{
	_cleanup_free_ char *older = xasprintf("%s.1", a->path);

	entries_forget(a);
	unlink(older);
	if (unlink(a->path) < 0 && errno != ENOENT)
		return;
	journal_close(a->journal);
	a->journal = journal_open(a->path, FILE_MAX);
}

/* --- what is due */

static int64_t
elapsed_ms(const struct attempts *a, const struct attempt_entry *e)
{
	int64_t ms = strcmp(a->boot, e->boot) == 0 ? clock_boot_ms() - e->boot_ms : clock_wall_ms() - e->wall_ms;

	return ms < 0 ? 0 : ms;
}

/* Does the count of E begin anew for a component that is IDENTITY now? */
static bool
begins_anew(const struct attempts *a, const struct attempt_entry *e, const char *identity)
{
	if (e->ok && elapsed_ms(a, e) >= ATTEMPTS_SETTLED_MS)
		return true;
	return !had_identity(e, identity) && e->resets < ATTEMPTS_RESETS;
}

enum attempts_answer
attempts_check(struct attempts *a, const char *step, struct json component, int64_t *done, int64_t *wait_ms)
{
	const struct attempts_policy *p = a->policy;
	const struct attempt_entry *e = find_entry(a, step, id_of(component));
	_cleanup_free_ char *identity = identity_of(component);
	int64_t delay;

	*done = *wait_ms = 0;
	if (!e || e->done == 0 || begins_anew(a, e, identity))
		return ATTEMPTS_DUE;
	*done = e->done;
	if (e->done >= p->max)
		return ATTEMPTS_EXHAUSTED;
	if (e->ok && e->done == 1)
		return ATTEMPTS_DUE;
	delay = p->delays_ms[e->done - 1 < (int64_t)p->n_delays ? (size_t)e->done - 1 : p->n_delays - 1];
	*wait_ms = delay - elapsed_ms(a, e);
	return *wait_ms > 0 ? ATTEMPTS_HELD : ATTEMPTS_DUE;
}

static int
write_record(struct attempts *a, struct json record)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	json_format(record, &b);
	r = a->journal ? journal_add(a->journal, b.s, b.len) : -EBADF;
	return r == 0 ? journal_sync(a->journal) : r;
}

static struct json
begin_record(const struct attempts *a, const char *step, const char *component)
{
	struct json v = json_object();

	json_set_text(&v, "workflow", a->workflow ? a->workflow : "");
	json_set_text(&v, "step", step);
	json_set_text(&v, "component", component);
	return v;
}

int
attempts_begin(struct attempts *a, const char *step, struct json component, struct fail *f)
{
	_cleanup_free_ char *identity = identity_of(component);
	_cleanup_json_ struct json v = begin_record(a, step, id_of(component));
	struct attempt_entry *e = make_entry(a, step, id_of(component));
	const bool anew = e->done == 0 || begins_anew(a, e, identity);
	const int64_t resets = e->resets + (e->done > 0 && anew && !e->ok), wall = clock_wall_ms(), boot = clock_boot_ms();
	int r;

	json_set_text(&v, "identity", identity);
	json_set(&v, "wall_ms", json_number((double)wall));
	json_set_text(&v, "boot", a->boot);
	json_set(&v, "boot_ms", json_number((double)boot));
	if (anew) {
		json_set(&v, "anew", json_bool(true));
		json_set(&v, "resets", json_number((double)resets));
	}
	r = write_record(a, v);
	if (r < 0)
		return fail_errno(f, r, "%s", a->path);
	if (anew) {
		entry_forget(e);
		e->resets = resets;
	}
	entry_count(e, identity);
	e->wall_ms = wall;
	e->boot_ms = boot;
	snprintf(e->boot, sizeof e->boot, "%s", a->boot);
	return 0;
}

void
attempts_set_installed(struct attempts *a, const char *step, const char *component, bool is_installed)
{
	struct attempt_entry *e = find_entry(a, step, component);
	_cleanup_json_ struct json v = begin_record(a, step, component);

	if (!e || e->installed == is_installed)
		return;
	e->installed = is_installed;
	json_set(&v, "installed", json_bool(is_installed));
	/* lost, it costs one more installation */
	(void)!write_record(a, v);
}

bool
attempts_is_installed(struct attempts *a, const char *step, struct json component)
{
	const struct attempt_entry *e = find_entry(a, step, id_of(component));

	return e && e->installed;
}

int
attempts_set_backup(struct attempts *a, const char *step, const char *component, bool has_backup)
{
	struct attempt_entry *e = make_entry(a, step, component);
	_cleanup_json_ struct json v = begin_record(a, step, component);
	int r;

	if (e->backup == has_backup)
		return 0;
	json_set(&v, "backup", json_bool(has_backup));
	r = write_record(a, v);
	if (r == 0)
		e->backup = has_backup;
	return r;
}

bool
attempts_has_backup(struct attempts *a, const char *step, const char *component)
{
	const struct attempt_entry *e = find_entry(a, step, component);

	return e && e->backup;
}

/* What has to change for NEED to be met: what is there now. */
static void
read_present(const struct attempts *a, enum attempts_need need, char out[NEED])
{
	char own[INCARNATION_TEXT] = "";
	uint64_t ticks = 0;

	if (need == ATTEMPTS_NEED_REBOOT) {
		/* in a container the boot id is the host's, and stays: process 1 is another one */
		incarnation_start(1, &ticks);
		snprintf(out, NEED, "%s-%llu", a->boot, (unsigned long long)ticks);
	} else {
		incarnation_of(getpid(), own);
		snprintf(out, NEED, "%s", own);
	}
}

int64_t
attempts_ask(struct attempts *a, const char *step, const char *component, enum attempts_need need)
{
	struct attempt_entry *e = make_entry(a, step, component);
	_cleanup_json_ struct json v = begin_record(a, step, component);
	const int64_t now = clock_boot_ms();
	char of[NEED];

	read_present(a, need, of);
	set_need(e, need, of, a->boot, now);
	json_set_text(&v, "need", need == ATTEMPTS_NEED_REBOOT ? "reboot" : "restart");
	json_set_text(&v, "of", of);
	json_set_text(&v, "boot", a->boot);
	json_set(&v, "boot_ms", json_number((double)now));
	/* if lost, the next start runs is-installed and continues from its answer */
	(void)!write_record(a, v);
	return e->asked;
}

enum attempts_need
attempts_needs(struct attempts *a, const char *step, struct json component, int64_t *age_ms)
{
	const struct attempt_entry *e = find_entry(a, step, id_of(component));
	char now[NEED];

	if (!e || e->need == ATTEMPTS_NEED_NONE)
		return ATTEMPTS_NEED_NONE;
	read_present(a, e->need, now);
	if (age_ms)
		*age_ms = strcmp(e->need_boot, a->boot) == 0 ? clock_boot_ms() - e->need_ms : 0;
	return strcmp(now, e->need_of) == 0 ? e->need : ATTEMPTS_NEED_NONE;
}

const char *
attempts_workflow(const struct attempts *a)
{
	return a->workflow;
}

void
attempts_succeed(struct attempts *a, const char *step, struct json component)
{
	struct attempt_entry *e = find_entry(a, step, id_of(component));
	_cleanup_json_ struct json v = begin_record(a, step, id_of(component));

	if (!e)
		return;
	e->ok = true;
	json_set(&v, "ok", json_bool(true));
	/* lost, it only makes the count of a component that falls back stricter */
	(void)!write_record(a, v);
}

enum attempts_need
attempts_need_of(int32_t code)
{
	if (code > RESULT_INSTALL_RESTART)
		code -= RESULT_APPLY_SUCCESS - RESULT_INSTALL_SUCCESS;
	return code == RESULT_INSTALL_REBOOT_NOW || code == RESULT_INSTALL_REBOOT ? ATTEMPTS_NEED_REBOOT :
	    code == RESULT_INSTALL_RESTART_NOW || code == RESULT_INSTALL_RESTART ? ATTEMPTS_NEED_RESTART :
	    ATTEMPTS_NEED_NONE;
}
