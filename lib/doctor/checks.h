/*
 * checks - the table of what can be checked, in the order in which it is.
 *
 * To add one: a row in checks.c, and its test here, in a file of its own.
 */
#ifndef DOCTOR_CHECKS_H
#define DOCTOR_CHECKS_H

#include "doctor/exam.h"

/* All of them; the last has no name. */
const struct check *checks_all(void);

/* NULL where there is none of that name. */
const struct check *checks_find(const char *name);

/* The tests and fixes of the rows, as doctor/exam.h has them. */
void named_test(struct exam *x);
void agent_test(struct exam *x);
void pipe_test(struct exam *x);
int pipe_fix(struct exam *x, const struct finding *f, struct buf *done, struct fail *why);
void caller_test(struct exam *x);
void marks_test(struct exam *x);
int marks_fix(struct exam *x, const struct finding *f, struct buf *done, struct fail *why);
void stock_test(struct exam *x);
void limits_test(struct exam *x);
void hardening_test(struct exam *x);

#endif
