/*
 * settings - how our agent works: the file agent.conf.
 *
 *	[agent]
 *	goal = file:/etc/rejoin/goal.json
 *	allow-unsigned = no
 *	handler-user = root
 *	jobs = 1
 *	on-failure = continue
 *	script-timeout = 10m
 *	stop-grace = 10s
 *
 * The file is looked for in the configuration directory, then in the vendor's,
 * and must be trusted, as it decides who runs what.
 */
#ifndef DEPLOY_SETTINGS_H
#define DEPLOY_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"

struct settings {
	char *goal;			/* where the goal is; NULL for nowhere */
	bool allow_unsigned;		/* take goals without a signature */
	char *handler_user;		/* who runs handlers; NULL where it is not said */
	int64_t jobs;			/* components worked on at a time */
	bool stop_on_failure;		/* a component's failure ends the others' turn */
	int64_t script_timeout_ms;	/* of each action of a handler */
	int64_t stop_grace_ms;		/* between SIGTERM and SIGKILL */
};

/* No file is no error: S then holds the defaults. */
int settings_load(struct settings *s, struct fail *f);
int settings_parse(const char *file, const char *text, size_t len, struct settings *s,
    struct fail *f);
void settings_release(struct settings *s);

/* The state directory of our agent, where nothing else is said; to be freed. */
char *settings_state_dir(void);

/* The user for deploy/handler.h: NULL where handlers run as ourselves. */
const char *settings_user(const struct settings *s);

#endif
