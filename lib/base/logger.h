/*
 * logger - where a module's messages go.  Only programs print (base/diag.h): a module
 * gets the function from its caller, and formats for it.
 */
#ifndef BASE_LOGGER_H
#define BASE_LOGGER_H

#include <stdbool.h>

struct logger {
	/* VERBOSE: a step, shown with -v alone.  diag_log() is such a function. */
	void (*fn)(const char *text, bool verbose, void *cookie);
	void *cookie;
};

/* What the user should know. */
void logger_info(const struct logger *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A step of the work. */
void logger_note(const struct logger *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
