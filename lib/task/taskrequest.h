/*
 * taskrequest - what a controller asks to be executed: the body of POST /1/tasks
 * (task/submit.h) but for "id", "session" and "on_loss".
 *
 * The environment is not the caller's: it is PATH, the caller's locale, zone and
 * terminal, and what is named.
 */
#ifndef TASK_TASKREQUEST_H
#define TASK_TASKREQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"

/* The words of COMMAND, NULL-terminated, with the environment and the members of ENV. */
struct json taskrequest_new(char *const *command, struct json env);

/* An object with the environment that a request has where it names none. */
struct json taskrequest_environment(void);

/*
 * A new nonce, by which a task is told from another controller's with the same
 * id and command (task/submit.h).
 */
enum { TASKREQUEST_NONCE = 33 };
void taskrequest_nonce(char out[TASKREQUEST_NONCE]);

/*
 * WORD is that of a refusal: is the id that we chose another task's, so that
 * another id will do?  SENT is how often it was sent: where it was more than
 * once, a task that has run may be ours.
 */
bool taskrequest_is_id_taken(const char *word, int sent);

/* Is it certain that the agent has, or will have, no task by this id that is to be continued?  IS_OURS: we chose the id. */
bool taskrequest_is_void(const char *word, bool is_ours);

/* The rest of FD as the standard input, at most 1 MiB; -EMSGSIZE where it is more. */
int taskrequest_read_stdin(struct json *request, int fd);

/*
 * One line of requests (rejoin-task(1), run --lines): an object with "argv"; EXIT_USAGE where it is none, or
 * where it is not to be left (LEAVE) and may live longer than the link's arithmetic knows (task/link.h).
 */
int taskrequest_parse(const char *line, size_t len, bool leave, struct json *request, struct fail *f);

#endif
