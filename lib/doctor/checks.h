/*
 * checks - the table of the doctor's checks, in the order in which they run.
 *
 * To add a check: a row in checks.c, and NAME_check_run() in NAME_check.c.
 */
#ifndef DOCTOR_CHECKS_H
#define DOCTOR_CHECKS_H

#include "doctor/run.h"

/* All checks; the last entry has no name. */
const struct check *checks_all(void);

/* The check NAME, or NULL. */
const struct check *checks_find(const char *name);

/* All checks of SCOPE, or for CHECK_AGENT also those of CHECK_PROFILE. */
void checks_run_all(struct doctor_run *x, enum check_scope scope);

/*
 * Check the agents NAMES, NULL-terminated, one after the other, and then the machine.
 * A name without a profile is a finding.
 */
void checks_run_agents(struct doctor_run *x, char *const *names);

/* The test() and fix() of the rows: see struct check in doctor/run.h. */
void profile_check_run(struct doctor_run *x);
void agent_check_run(struct doctor_run *x);
void fifo_check_run(struct doctor_run *x);
int fifo_check_fix(struct doctor_run *x, const struct finding *f, struct buf *done, struct fail *why);
void groups_check_run(struct doctor_run *x);
void marks_check_run(struct doctor_run *x);
int marks_check_fix(struct doctor_run *x, const struct finding *f, struct buf *done, struct fail *why);
void inventory_check_run(struct doctor_run *x);
void config_check_run(struct doctor_run *x);
int config_check_fix(struct doctor_run *x, const struct finding *f, struct buf *done, struct fail *why);
void logs_check_run(struct doctor_run *x);
void journal_check_run(struct doctor_run *x);
void limits_check_run(struct doctor_run *x);
void enumerator_check_run(struct doctor_run *x);
int enumerator_check_fix(struct doctor_run *x, const struct finding *f, struct buf *done, struct fail *why);
void hardening_check_run(struct doctor_run *x);

#endif
