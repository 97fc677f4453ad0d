/*
 * codes - what the result codes of the Azure agent mean, from tables of facts
 * in codes.d/ of the configuration or the vendor's directory.
 *
 * A result code (600, -1) says how a phase ended.  An extended one says why:
 * its bits 31-28 are the facility, 27-20 the component, and the rest a value.
 *
 *	adu-result-codes.tsv	HEX DECIMAL NAME FACILITY COMPONENT: all that have a name
 *	adu-results.tsv		FIRST[-LAST] NAME MEANING: result codes, and what is
 *				known of extended ones; in MEANING %d is the distance
 *				to FIRST, %e that as an errno, %h the low 28 bits as
 *				an HRESULT; a line that begins with # is a comment
 */
#ifndef DOCTOR_CODES_H
#define DOCTOR_CODES_H

#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"

struct codes;

int codes_load(struct codes **out, struct fail *f);
void codes_free(struct codes *c);

/* The two tables as texts (for tests); what is no row is passed over. */
struct codes *codes_parse(const char *named, const char *meanings);

/*
 * TEXT as it stands in a twin, a log or a header: 0x30501028, 30501028 (eight
 * hexadecimal digits), 810553384, -804847529, or several with commas between.
 * RECORDS is an array of {"code","decimal","name","facility","component",
 * "value","meaning"}, without what is not known.  1, or 0 where one of them has
 * no name and no meaning; -EINVAL where TEXT is no code.
 */
int codes_explain(const struct codes *c, const char *text, struct json *records);

#endif
