/*
 * codes - the meaning of result codes of the Azure Device Update agent, from
 * tables in codes.d/ of the configuration or vendor directory.
 *
 * A result code (600, -1) says how a phase ended.  An extended result code says
 * why: its bits 31-28 are the facility, 27-20 the component, 19-0 a value.
 *
 *	adu-result-codes.tsv	HEX DECIMAL NAME FACILITY COMPONENT: extended codes
 *				with a name
 *	adu-results.tsv		FIRST[-LAST] NAME MEANING: result codes, and meanings
 *				of extended codes; in MEANING %d is the distance
 *				from FIRST, %e the error message of that errno, %h
 *				the low 28 bits as an HRESULT
 *
 * Columns are separated by tabs; a line that begins with # is a comment.
 */
#ifndef DOCTOR_CODES_H
#define DOCTOR_CODES_H

#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"

struct codes;

int codes_load(struct codes **out, struct fail *f);
void codes_free(struct codes *c);

/* From the texts of the two tables (for tests); lines that are no row are ignored. */
struct codes *codes_parse(const char *named, const char *meanings);

/*
 * Explains TEXT, in any spelling that a twin, a log or a header has: 0x30501028,
 * 30501028 (eight hexadecimal digits), 810553384, -804847529, or several with
 * commas between.  RECORDS becomes an array of {"code","decimal","name",
 * "facility","component","value","meaning"} without the members that are unknown.
 * 1 if each code has a name or a meaning, 0 if not, -EINVAL if TEXT is no code.
 */
int codes_explain(const struct codes *c, const char *text, struct json *records);

/*
 * Add to each result of RECORD, a status, its name in words as "resultName"; nothing is
 * added where the tables cannot be read.
 */
void codes_name_results(struct json *record);

#endif
