/*
 * printout - what rejoin-doctor prints: findings, profiles, codes, the contents of a
 * bundle, and the names of the checks, as component/listing.h formats records.
 */
#ifndef DOCTOR_PRINTOUT_H
#define DOCTOR_PRINTOUT_H

#include "base/buf.h"
#include "component/listing.h"
#include "doctor/bundle.h"
#include "doctor/codes.h"
#include "doctor/run.h"

/* For LISTING_TABLE the text of doctor_format(). */
void printout_findings(const struct doctor_run *x, enum listing_format format, struct buf *out);

/* Each profile: is its agent installed here, and is it configured? */
void printout_profiles(enum listing_format format, struct buf *out);

/* The sections of B with their sizes. */
void printout_contents(enum listing_format format, const struct bundle *b, struct buf *out);

/*
 * The meanings of the codes TEXTS, NULL-terminated: 1, or 0 if one of them is unknown,
 * or -EINVAL with *WRONG set to the first that is no code.
 */
int printout_codes(enum listing_format format, const struct codes *codes, char *const *texts, const char **wrong,
    struct buf *out);

/* The names of the checks with their subjects. */
void printout_checks(struct buf *out);

#endif
