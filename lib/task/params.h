/*
 * params - which parameters a request of the task protocol may have, in its query
 * and in its body, and with which values.
 *
 * A request with a value that a rule does not allow, or with a parameter of a query
 * that no rule names, is refused (400 usage): it would be carried out otherwise than
 * it was meant.  The text names the parameter, what it may be, and what it was.
 * A member of a body that no rule names is ignored, so that a later controller can
 * work with an earlier agent.
 */
#ifndef TASK_PARAMS_H
#define TASK_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "task/refusal.h"

enum {
	PARAMS_VALUES_MAX = 32768,	/* values in a body, of whatever kind and however deep */
	PARAMS_LIST_MAX = 10000,	/* ids in a list */
	PARAMS_QUERY_MAX = 8,		/* rules of a query */
};

/* Ids are whole numbers below 2^53, so that each has one spelling as a JSON number. */
#define PARAMS_ID_MAX	((INT64_C(1) << 53) - 1)

enum params_kind {
	PARAMS_NUMBER,	/* a whole number from MIN to MAX */
	PARAMS_WORD,	/* one of WORDS, which are separated by blanks */
	PARAMS_TEXT,	/* a string of MIN to MAX bytes, without a NUL */
	PARAMS_IDS,	/* an array of at most PARAMS_LIST_MAX ids */
	PARAMS_OTHER,	/* checked where it is used */
};

struct params_rule {
	const char *name;	/* NULL ends the rules */
	enum params_kind kind;
	bool required;
	int64_t min, max;
	const char *words;
};

/* For tables. */
#define PARAMS_ID(name, required)	{ name, PARAMS_NUMBER, required, 1, PARAMS_ID_MAX, NULL }
#define PARAMS_END			{ NULL, PARAMS_OTHER, false, 0, 0, NULL }

/* LEN bytes of JSON with more than PARAMS_VALUES_MAX values: 413 too-large.  To be asked before they are parsed. */
int params_check_size(const char *text, size_t len, struct refusal *r);

/* BODY, an object, by RULES. */
int params_check_body(const struct params_rule *rules, struct json body, struct refusal *r);

/* Has BODY, an object, a member that no rule names?  NAME gets that of the first one. */
bool params_find_unknown(const struct params_rule *rules, struct json body, struct buf *name);

/* A query, parameter by parameter; SEEN, at first all false, has those that were there. */
int params_check_query(const struct params_rule *rules, const char *name, const char *value,
    bool seen[PARAMS_QUERY_MAX], struct refusal *r);

/* After the last one: is one missing? */
int params_check_missing(const struct params_rule *rules, const bool seen[PARAMS_QUERY_MAX], struct refusal *r);

#endif
