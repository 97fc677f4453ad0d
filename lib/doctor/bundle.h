/*
 * bundle - one text file with what an engineer needs to judge a report: the
 * findings, versions, profiles, configuration, units, states and the ends of logs.
 *
 *	rejoin-bundle 1
 *	...
 *	=== TITLE (N bytes)
 *	N bytes of text
 *	...
 *
 * Secrets are left out (doctor/redaction.h), and the files that hold them are not
 * read but to find their content elsewhere.  A file is read only if it is regular,
 * has one name, and its last component is no link; of a long one the end is kept.
 * A part that cannot be had is a section that says why.  Nothing is changed.
 */
#ifndef DOCTOR_BUNDLE_H
#define DOCTOR_BUNDLE_H

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"

struct bundle;

struct bundle *bundle_new(void);
void bundle_free(struct bundle *b);

/* A section of TEXT, of the end of the file PATH, of the output of ARGV. */
void bundle_text(struct bundle *b, const char *title, const char *text, size_t len);
void bundle_file(struct bundle *b, const char *path);
void bundle_output(struct bundle *b, char *const *argv);

/* What is known of this machine; and, besides, of the agent NAME. */
void bundle_machine(struct bundle *b);
void bundle_agent(struct bundle *b, const char *name);

/* {"section","bytes"} of each section so far, as an array. */
struct json bundle_contents(const struct bundle *b);

/* Write it to PATH, which is replaced as a whole, with mode 0600. */
int bundle_write(const struct bundle *b, const char *path, struct fail *f);

#endif
