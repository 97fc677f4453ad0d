/*
 * json_filter - jq programs over JSON values, by libjq.
 *
 * libjq holds numbers as doubles, so a program sees a copy of the value; the
 * value itself keeps the spelling of its numbers.  Compiling a program costs
 * over 40 ms: a tool makes a filter only where the user gave a program.
 */
#ifndef BASE_JSON_FILTER_H
#define BASE_JSON_FILTER_H

#include "base/fail.h"
#include "base/json.h"

struct json_filter;

/* NULL with F filled (EXIT_USAGE) where PROGRAM does not compile. */
struct json_filter *json_filter_new(const char *program, struct fail *f);
void json_filter_free(struct json_filter *p);

/* The first output of P for V, JSON_NONE where it has none; < 0 where it fails. */
int json_filter_first(struct json_filter *p, struct json v, struct json *out, struct fail *f);

/* 1 where that output is neither false nor null, 0 where it is or there is none, < 0 where it fails. */
int json_filter_test(struct json_filter *p, struct json v, struct fail *f);

#endif
