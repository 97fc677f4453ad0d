/*
 * listing - records as the user wants them printed.
 *
 *	jsonl	one object a line
 *	json	one document, {"NAME":[...]}
 *	table	columns with a heading, for a person; a column that is empty is left out
 *	tsv	columns with a tab between, no heading; tab, newline, return and
 *		backslash in a cell are \t, \n, \r and \\, other controls \xHH
 *	kv	ID.MEMBER=VALUE for each member that is a string, as Mender's
 *		inventory; in the key, what is not [A-Za-z0-9._-] is %HH
 *	adu	what the Azure agent expects of GetAllComponents: {"components":[...]},
 *		where "properties" has "status" "ok" or "unknown", and there is no "state"
 *
 * Each record is complete in OUT after its listing_add(), but for a table,
 * which is there after listing_end().
 */
#ifndef COMPONENT_LISTING_H
#define COMPONENT_LISTING_H

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"

enum listing_format {
	LISTING_JSONL, LISTING_JSON, LISTING_TABLE, LISTING_TSV, LISTING_KV, LISTING_ADU,
	LISTING_N_FORMATS,
};

/* The choices of --format: what all tools offer, and what rejoin-enum has besides. */
#define LISTING_COMMON_LIST	"jsonl json table tsv"
#define LISTING_ALL_LIST	LISTING_COMMON_LIST " kv adu"
#define LISTING_DEFAULT_TEXT	"REJOIN_FORMAT, else table on a terminal, else jsonl"

/* How a table shows a column (base/table.h): a state in colour, a sentence wrapped where it is the last one. */
enum listing_kind { LISTING_STATE = 1, LISTING_SENTENCE };

struct listing_column {
	const char *heading;	/* NULL ends a list of columns */
	/*
	 * The member shown.  Alternatives have a '|' between, and the first that
	 * is there is shown; "=TEXT" is one that always is, TEXT itself.
	 */
	const char *key;
	enum listing_kind kind;	/* 0 for a name, a path, a version */
};

struct listing_spec {
	const char *name;				/* of the array in json */
	const struct listing_column *table, *tsv;	/* NULL where not offered */
};

struct opt_scan;
struct opt_tool;

/* The format that the current option of S names; one of its choices, or the end of the tool. */
enum listing_format listing_format(const struct opt_scan *s);

/* Where no option says: REJOIN_FORMAT if TOOL offers it, a table on a terminal, else jsonl. */
enum listing_format listing_default(const struct opt_tool *tool);

struct listing;

/* SPEC must live as long as the listing. */
struct listing *listing_new(enum listing_format format, const struct listing_spec *spec,
    struct buf *out);
void listing_free(struct listing *l);

void listing_add(struct listing *l, struct json record);
void listing_end(struct listing *l);

#endif
