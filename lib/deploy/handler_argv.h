/*
 * handler_argv - the arguments of a handler's program, as the Azure agent gives them.
 *
 * The action comes first, "--action-install" or "--action install" by the step's
 * apiVersion; then the step's arguments, separated by blanks, with the placeholders
 * for the component's members filled in; then the work folder, the result file and
 * the installed criteria.  microsoft/swupdate:2 and microsoft/apt:1 have some of their
 * own before.  A value that is put in stays one argument, whatever it holds.
 */
#ifndef DEPLOY_HANDLER_ARGV_H
#define DEPLOY_HANDLER_ARGV_H

#include <stddef.h>

#include "deploy/handler.h"

/* A list of strings that grows; V is freed with xfree_strv() once it ends with NULL. */
struct handler_args {
	char **v;
	size_t n, cap;
};

/* TAKEN, to be freed with the list, or the NULL at its end. */
void handler_argv_add(struct handler_args *a, char *taken);

/*
 * The argument vector, NULL-terminated; free with xfree_strv().  RESULT_FILE is
 * where the program is told to leave its result.
 */
char **handler_argv(const struct handler_call *call, const char *program, const char *result_file);

#endif
