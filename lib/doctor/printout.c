#include <unistd.h>

#include "agent/profile.h"
#include "base/json.h"
#include "base/table.h"
#include "base/xalloc.h"
#include "doctor/checks.h"
#include "doctor/presence.h"
#include "doctor/printout.h"

static const struct listing_spec findings_spec = {
	.name = "findings",
	.table = (const struct listing_column[]){ { NULL, NULL } },
	.tsv = (const struct listing_column[]){
		{ "STATE", "state" }, { "CHECK", "check" }, { "OBJECT", "object" },
		{ "FINDING", "what" }, { "ADVICE", "advice" }, { "REPAIR", "repair" }, { "AGENT", "agent" }, { NULL, NULL }
	},
};

static const struct listing_spec codes_spec = {
	.name = "codes",
	.table = (const struct listing_column[]){
		{ "CODE", "code" }, { "NAME", "name" }, { "FACILITY", "facility" },
		{ "COMPONENT", "component" }, { "MEANING", "meaning", LISTING_SENTENCE }, { NULL, NULL }
	},
	.tsv = (const struct listing_column[]){
		{ "CODE", "code" }, { "NAME", "name" }, { "FACILITY", "facility" },
		{ "COMPONENT", "component" }, { "MEANING", "meaning" }, { NULL, NULL }
	},
};

static const struct listing_spec bundle_spec = {
	.name = "sections",
	.table = (const struct listing_column[]){ { "BYTES", "bytes" }, { "SECTION", "section" }, { NULL, NULL } },
	.tsv = (const struct listing_column[]){ { "BYTES", "bytes" }, { "SECTION", "section" }, { NULL, NULL } },
};

static const struct listing_spec profiles_spec = {
	.name = "profiles",
	.table = (const struct listing_column[]){
		{ "PROFILE", "name" }, { "HERE", "here" }, { "CONFIGURED", "configured" },
		{ "DESCRIPTION", "description|error" }, { "FOUND BY", "evidence" }, { NULL, NULL }
	},
	.tsv = (const struct listing_column[]){
		{ "PROFILE", "name" }, { "HERE", "here" }, { "CONFIGURED", "configured" },
		{ "DESCRIPTION", "description|error" }, { "EVIDENCE", "evidence" }, { "FILE", "file" }, { NULL, NULL }
	},
};

void
printout_findings(const struct doctor_run *x, enum listing_format format, struct buf *out)
{
	struct listing *l;

	if (format == LISTING_TABLE) {
		doctor_format(x, STDOUT_FILENO, out);
		return;
	}
	l = listing_new(format, &findings_spec, out);
	for (size_t i = 0; i < x->n; i++) {
		_cleanup_json_ struct json r = doctor_finding_record(&x->findings[i]);

		listing_add(l, r);
	}
	listing_end(l);
	listing_free(l);
}

/* A table has words for true, false and null. */
static void
set_word(struct json *r, const char *key, const char *no, const char *unknown)
{
	_cleanup_json_ struct json v = json_get(*r, key);

	json_set_text(r, key, json_kind(v) == JSON_NULL ? unknown : json_kind(v) == JSON_TRUE ? "yes" : no);
}

void
printout_profiles(enum listing_format format, struct buf *out)
{
	struct listing *l = listing_new(format, &profiles_spec, out);
	char **configured = presence_configured(), **names = profile_names();

	for (size_t i = 0; names[i]; i++) {
		_cleanup_json_ struct json r = presence_record(names[i], configured);

		if (format == LISTING_TABLE || format == LISTING_TSV) {
			set_word(&r, "here", "no", "unknown");
			set_word(&r, "configured", "", "");
		}
		listing_add(l, r);
	}
	listing_end(l);
	listing_free(l);
	xfree_strv(configured);
	xfree_strv(names);
}

/* Add each object of the array RECORDS. */
static void
add_records(struct listing *l, struct json records)
{
	for (size_t i = 0; i < json_count(records); i++) {
		_cleanup_json_ struct json record = json_at(records, i);

		listing_add(l, record);
	}
}

void
printout_contents(enum listing_format format, const struct bundle *b, struct buf *out)
{
	struct listing *l = listing_new(format, &bundle_spec, out);
	_cleanup_json_ struct json contents = bundle_contents(b);

	add_records(l, contents);
	listing_end(l);
	listing_free(l);
}

int
printout_codes(enum listing_format format, const struct codes *codes, char *const *texts, const char **wrong,
    struct buf *out)
{
	struct listing *l = listing_new(format, &codes_spec, out);
	int all = 1;

	for (; *texts && all >= 0; texts++) {
		_cleanup_json_ struct json found = JSON_ABSENT;
		int r = codes_explain(codes, *texts, &found);

		if (r < 0)
			*wrong = *texts;
		if (r <= 0)
			all = r;
		add_records(l, found);
	}
	listing_end(l);
	listing_free(l);
	return all;
}

void
printout_checks(struct buf *out)
{
	struct table *t = table_new();

	for (const struct check *c = checks_all(); c->name; c++) {
		table_cell(t, c->name);
		table_cell(t, c->subject);
		table_end_row(t);
	}
	table_format(t, out);
	table_free(t);
}
