/*
 * http_helper - a program that makes one HTTP request for the process that started it, which links no HTTP library.
 *
 * The request is a JSON object on standard input, so that no secret is in an argument.  The program ends with the
 * process that started it.
 */
#ifndef BASE_HTTP_HELPER_H
#define BASE_HTTP_HELPER_H

#include <stddef.h>

#include "base/fail.h"
#include "base/json.h"

/* First in main(): name the program, and end with the parent; EXIT_TROUBLE where that has ended already. */
void http_helper_begin(char *argv[]);

/* All of standard input, at most MAX bytes, into REQUEST. */
int http_helper_read(size_t max, struct json *request, struct fail *f);

/*
 * The strings of the member "headers" of REQUEST, and MORE unless it is NULL; NULL-terminated, to be freed.  The
 * strings are REQUEST's, and must not outlive it.
 */
const char **http_helper_headers(struct json request, const char *more);

#endif
