/*
 * learning - rules learned from the sources of a run: --learn and --rules auto.
 */
#ifndef LOG_LEARNING_H
#define LOG_LEARNING_H

#include "base/buf.h"
#include "log/run.h"
#include "learn/learn.h"

/* The rules file of ALL, which are read and then stand at their beginning again, added to OUT. */
void learning_rules(const struct run *run, const struct sources *all, struct buf *out, struct learned *what);

/* Add the rules of ALL to those of RUN. */
void learning_use(struct run *run, const struct sources *all, struct learned *what);

/* Add the rules of those SPECS that are files and are there, before they are followed. */
void learning_use_files(struct run *run, struct source_specs *specs, const struct formats *formats, struct learned *what);

#endif
