/*
 * own_output - is a source the file that standard output goes to?
 *
 * Such a source would grow by what is printed of it, without an end, so it is not
 * read; cat(1) refuses it as well.
 */
#ifndef INPUT_OWN_OUTPUT_H
#define INPUT_OWN_OUTPUT_H

#include <sys/stat.h>

#include "base/fail.h"

/* 0 where ST, of the source NAME, is another file; else F says so and the result is negative. */
int own_output_check(const struct stat *st, const char *name, struct fail *f);

#endif
