#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/argv.h"
#include "base/ini.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "record/pattern.h"
#include "record/rule.h"
#include "record/scan.h"

#define WITHIN_NS	INT64_C(5000000000)

uint64_t
rule_tick_id(uint64_t id, int64_t n)
{
	return hash_bytes(id, (const char *)&n, sizeof n);
}

/* The rule that is being read. */
struct rule_reading {
	struct rules *rules;
	struct rule *rule;
};

static void
rule_release(struct rule *r)
{
	free(r->name);
	free(r->where);
	xfree_strv(r->formats);
	pattern_free(r->send);
	pattern_free(r->recv);
	pattern_free(r->open);
	pattern_free(r->belongs);
	free(r->id_path);
	free(r->entity);
}

static int
finish_stream(const struct rule *r, struct fail *f)
{
	if (r->send->len < 0 || r->recv->len < 0)
		return fail_set(f, EXIT_USAGE, "%s: [%s]: send and recv of a stream need a group (?<len>...)", r->where, r->name);
	if ((r->send->from < 0) != (r->recv->from < 0))
		return fail_set(f, EXIT_USAGE, "%s: [%s]: only one of send and recv has a group (?<from>...)", r->where, r->name);
	if (r->send->from < 0 && !r->open)
		return fail_set(f, EXIT_USAGE, "%s: [%s]: a stream needs open, or groups (?<from>...)", r->where, r->name);
	if (r->open && r->open->id < 0 && !r->id_path)
		return fail_set(f, EXIT_USAGE, "%s: [%s]: open needs a group (?<id>...)", r->where, r->name);
	return 0;
}

static int
finish_rule(const struct rule *r, struct fail *f)
{
	if (!r)
		return 0;
	if (r->kind != RULE_MESSAGE && (r->match != MATCH_FIRST || r->open || r->id_path))
		return fail_set(f, EXIT_USAGE, "%s: [%s]: match, open and id are for kind = message", r->where, r->name);
	if (r->kind != RULE_LIFECYCLE && (r->belongs || r->started))
		return fail_set(f, EXIT_USAGE, "%s: [%s]: belongs and initial are for kind = lifecycle", r->where, r->name);
	if (r->kind == RULE_TRACE && (r->send || r->recv))
		return fail_set(f, EXIT_USAGE, "%s: [%s]: kind = trace has no expressions", r->where, r->name);
	if (r->open && r->match != MATCH_STREAM)
		return fail_set(f, EXIT_USAGE, "%s: [%s]: open is for match = stream", r->where, r->name);
	if (r->kind == RULE_MESSAGE && (!r->send || !r->recv))
		return fail_set(f, EXIT_USAGE, "%s: [%s] needs send and recv", r->where, r->name);
	if (r->kind == RULE_MESSAGE && !r->id_path && (r->send->id < 0 || r->recv->id < 0))
		return fail_set(f, EXIT_USAGE, "%s: [%s]: send and recv need a group (?<id>...)", r->where, r->name);
	if (r->kind == RULE_MESSAGE && r->match == MATCH_STREAM)
		return finish_stream(r, f);
	if (r->kind == RULE_SPAN && (!r->recv || r->recv->id < 0 || r->recv->parent < 0))
		return fail_set(f, EXIT_USAGE, "%s: [%s] needs begin with the groups id and parent", r->where, r->name);
	if (r->kind == RULE_SPAN && r->send && r->send->id < 0)
		return fail_set(f, EXIT_USAGE, "%s: [%s]: end needs a group (?<id>...)", r->where, r->name);
	if (r->kind == RULE_LIFECYCLE && (!r->send || !r->recv))
		return fail_set(f, EXIT_USAGE, "%s: [%s] needs stop and start", r->where, r->name);
	return 0;
}

static int
begin_rule(struct rule_reading *w, const struct ini_entry *e, struct fail *f)
{
	int r = finish_rule(w->rule, f);

	w->rule = NULL;
	if (r < 0)
		return r;
	for (size_t i = 0; i < w->rules->n; i++)
		if (strcmp(w->rules->v[i].name, e->section) == 0)
			return ini_bad(e, f, "rule [%s] is there already, at %s", e->section, w->rules->v[i].where);
	w->rules->v = xrealloc(w->rules->v, w->rules->n + 1, sizeof *w->rules->v);
	w->rule = &w->rules->v[w->rules->n++];
	*w->rule = (struct rule){ .name = xstrdup(e->section), .where = xasprintf("%s:%d", e->file, e->line),
	    .within_ns = WITHIN_NS };
	return 0;
}

static int
set_pattern(struct pattern **slot, const struct ini_entry *e, struct fail *f)
{
	_cleanup_free_ char *where = xasprintf("%s:%d", e->file, e->line);

	pattern_free(*slot);
	*slot = pattern_new(where, e->value, f);
	return *slot ? 0 : -EINVAL;
}

static int
rule_set_key(const struct ini_entry *e, void *cookie, struct fail *f)
{
	static const char *const kinds[] = { "message", "span", "lifecycle", "trace", NULL };
	static const char *const matches[] = { "first", "nth", "stream", NULL };
	static const char *const states[] = { "unknown", "started", NULL };
	struct rule_reading *w = cookie;
	struct rule *r = w->rule;
	int64_t ms;
	int i, err;

	if (!e->key)
		return begin_rule(w, e, f);
	if (strcmp(e->key, "kind") == 0) {
		err = ini_word(e, kinds, &i, f);
		r->kind = err < 0 ? RULE_MESSAGE : (enum rule_kind)i;
		return err;
	}
	if (strcmp(e->key, "send") == 0 || strcmp(e->key, "stop") == 0 || strcmp(e->key, "end") == 0)
		return set_pattern(&r->send, e, f);
	if (strcmp(e->key, "recv") == 0 || strcmp(e->key, "start") == 0 || strcmp(e->key, "begin") == 0)
		return set_pattern(&r->recv, e, f);
	if (strcmp(e->key, "open") == 0)
		return set_pattern(&r->open, e, f);
	if (strcmp(e->key, "belongs") == 0)
		return set_pattern(&r->belongs, e, f);
	if (strcmp(e->key, "match") == 0) {
		err = ini_word(e, matches, &i, f);
		r->match = err < 0 ? MATCH_FIRST : (enum rule_match)i;
		return err;
	}
	if (strcmp(e->key, "learned") == 0) {
		err = ini_bool(e, &i, f);
		r->learned = err == 0 && i;
		return err;
	}
	if (strcmp(e->key, "initial") == 0) {
		err = ini_word(e, states, &i, f);
		r->started = err == 0 && i == 1;
		return err;
	}
	if (strcmp(e->key, "id") == 0) {
		if (strncmp(e->value, "json:", 5) != 0 || !e->value[5])
			return ini_bad(e, f, "id: '%s' is not json:MEMBER", e->value);
		free(r->id_path);
		r->id_path = xstrdup(e->value + 5);
		return 0;
	}
	if (strcmp(e->key, "entity") == 0) {
		free(r->entity);
		r->entity = xstrdup(e->value);
		return 0;
	}
	if (strcmp(e->key, "within") == 0) {
		err = ini_duration(e, &ms, f);
		if (err == 0 && ms > 86400000)
			return ini_bad(e, f, "within: more than a day");
		r->within_ns = err < 0 ? 0 : ms * 1000000;
		return err;
	}
	if (strcmp(e->key, "format") == 0) {
		const char *why;

		xfree_strv(r->formats);
		r->formats = argv_split(e->value, &why);
		return r->formats ? 0 : ini_bad(e, f, "format: %s", why);
	}
	if (strcmp(e->key, "description") == 0)
		return 0;
	return ini_unknown(e, "kind send stop end recv start begin match id open entity belongs initial within format learned description", f);
}

int
rules_parse(struct rules *rs, const char *file, const char *text, size_t len, struct fail *f)
{
	struct rule_reading w = { rs, NULL };
	int r = ini_parse(file, text, len, rule_set_key, &w, f);

	if (r == 0)
		r = finish_rule(w.rule, f);
	return r == 0 && rs->n > UINT16_MAX ? fail_set(f, EXIT_USAGE, "%s: too many rules", file) : r;
}

static int
load_file(struct rules *rs, const char *path, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = file_load(path, FILE_TRUSTED, FILE_DATA_MAX, &b, f);

	return r < 0 ? r : rules_parse(rs, path, b.s, b.len, f);
}

/* The .conf files of DIR/rules.d, but for those that OTHER has under the same name. */
static int
load_dir(struct rules *rs, const char *dir, const char *other, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/rules.d", dir);
	struct dirent **list;
	int n = scandir(path, &list, NULL, alphasort), r = 0;

	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		size_t len = strlen(name);
		_cleanup_free_ char *file = xasprintf("%s/%s", path, name);
		_cleanup_free_ char *over = xasprintf("%s/rules.d/%s", other ? other : "/dev/null", name);

		if (r == 0 && len > 5 && *name != '.' && strcmp(name + len - 5, ".conf") == 0 && access(over, F_OK) < 0)
			r = load_file(rs, file, f);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return r;
}

int
rules_load(struct rules *rs, const char *file, struct fail *f)
{
	int r;

	if (file)
		return load_file(rs, file, f);
	r = load_dir(rs, dirs_config(), NULL, f);
	return r < 0 ? r : load_dir(rs, dirs_vendor(), dirs_config(), f);
}

void
rules_release(struct rules *rs)
{
	for (size_t i = 0; i < rs->n; i++)
		rule_release(&rs->v[i]);
	free(rs->v);
	*rs = (struct rules){ NULL, 0 };
}

bool
rule_is_for(const struct rule *r, const struct format *fmt)
{
	if (r->kind == RULE_TRACE && fmt->where != WHERE_JSON && fmt->where != WHERE_LOGFMT)
		return false;
	if (!r->formats)
		return true;
	for (char **f = r->formats; *f; f++)
		if (strcmp(*f, fmt->name) == 0)
			return true;
	return false;
}

bool
rule_is_of_source(const struct rule *r)
{
	return !r->entity || strstr(r->entity, "${source}");
}

static bool
to_number(struct span v, int64_t *out)
{
	char text[24];

	if (!v.p || v.n == 0 || v.n >= sizeof text)
		return false;
	memcpy(text, v.p, v.n);
	text[v.n] = '\0';
	return num_parse(text, 0, INT64_MAX, out) == 0;
}

/* {"host":n,...}: its own component ticks, the others must have been reached. */
static void
vector_clock(const struct fields *fields, struct constraints *out)
{
	struct span clock = fields->v[FIELD_CLOCK], self = fields->v[FIELD_EMITTER], key, value;
	struct scan s = { clock.p, clock.p + clock.n };
	int64_t n;

	while (scan_json(&s, &key, &value)) {
		uint64_t id = hash_bytes(0x76, key.p, key.n);
		bool own = self.p && key.n == self.n && memcmp(key.p, self.p, key.n) == 0;

		if (!to_number(value, &n) || n == 0)
			continue;
		if (own)
			constraints_add(out, CONSTRAINT_CLOCK_SET, CONSTRAINT_CLOCK, id)->n = n;
		if (!own || n > 1)
			constraints_add(out, CONSTRAINT_CLOCK_NEED, CONSTRAINT_CLOCK, id)->n = own ? n - 1 : n;
	}
}

uint64_t
rule_own_sequence(const struct source *s)
{
	return hash_bytes(0x74, s->name, strlen(s->name));
}

bool
rule_boot(const struct fields *fields, uint64_t *boot, int64_t *us)
{
	struct span id = fields->v[FIELD_BOOT], mono = fields->v[FIELD_MONO];

	if (!id.p || !mono.p || mono.n == 0 || mono.n > 16)
		return false;
	*boot = hash_bytes(0x62, id.p, id.n);
	*us = time_digits(mono.p, (unsigned)mono.n);
	return *us >= 0;
}

void
rule_clocks(const struct source *s, const struct fields *fields, struct constraints *out)
{
	struct span id = fields->v[FIELD_SEQID];
	int64_t n;

	if (to_number(fields->v[FIELD_SEQ], &n)) {
		struct constraint *e = constraints_add(out, CONSTRAINT_SEQUENCE, CONSTRAINT_CLOCK,
		    id.p ? hash_bytes(0x73, id.p, id.n) : rule_own_sequence(s));

		e->n = n;
		e->own = !id.p;
		e->sparse = s->fmt->where == WHERE_EXPORT;	/* other units' entries have the others */
	}
	if (fields->v[FIELD_CLOCK].p)
		vector_clock(fields, out);
}
