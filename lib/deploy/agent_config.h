/*
 * agent_config - the configuration of rejoin-agent: the file agent.conf.
 *
 *	[agent]
 *	goal = file:/etc/rejoin/goal.json
 *	allow-unsigned = no
 *	allow-modules = no
 *	trust-hub = no
 *	on-stop = terminate
 *	handler-user = root
 *	fifo-owner = USER:GROUP
 *	jobs = 1
 *	on-failure = continue
 *	on-replace = wait
 *	new-privileges = no
 *	cache-max = 1G
 *	reboot = no
 *	reboot-timeout = 10m
 *	hold-until = /run/approved
 *	max-attempts = 3
 *	backoff = 1m 10m 1h
 *	script-timeout = 10m
 *	stop-grace = 10s
 *	report = https://HOST/reports/{id}.json, or hub:NAME
 *	report-method = put
 *
 *	[link]
 *	ca-file = /etc/rejoin/ca.pem
 *	cert-file = /etc/rejoin/device.pem
 *	key-file = /etc/rejoin/device.key
 *	token-file = /etc/rejoin/token
 *	proxy = http://HOST:PORT
 *	idle = 10s
 *	poll = 1m
 *	patience = 1m
 *
 * and a section [module-impl.NAME] for each kind of modules (deploy/module_runner.h).
 * It is read from the configuration directory, else from the vendor's, and must be
 * trusted (base/file.h): it decides which programs run, and as which user.
 */
#ifndef DEPLOY_AGENT_CONFIG_H
#define DEPLOY_AGENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fail.h"
#include "deploy/attempts.h"
#include "deploy/http_job.h"
#include "deploy/module_runner.h"

struct agent_config {
	char *goal;			/* URL of the goal; NULL for none */
	bool allow_unsigned;		/* accept goals without a signature */
	bool allow_modules;		/* accept goals with modules */
	bool trust_hub;			/* accept goals of rejoin-hub without a signature */
	bool keep_instances;		/* on-stop = keep: instances outlive a stop of the agent */
	char *handler_user;		/* user that runs handlers; NULL where it is not set */
	uid_t fifo_uid;			/* fifo-owner; (uid_t)-1 where it is not set */
	gid_t fifo_gid;
	int64_t jobs;			/* components worked on at a time */
	bool stop_on_failure;		/* after a failure no further component is started */
	bool cancel_on_replace;		/* on-replace = cancel */
	bool new_privileges;		/* handlers may gain privileges by setuid files */
	struct attempts_policy attempts;
	char **reboot;			/* the command that reboots the device; NULL: reboot = no */
	int64_t reboot_timeout_ms;
	char *hold_until;		/* nothing changes a component before this file exists; or NULL */
	int64_t cache_max;		/* bytes that the payload cache keeps beside what the goal names */
	int64_t script_timeout_ms;	/* of each action of a handler */
	int64_t stop_grace_ms;		/* between SIGTERM and SIGKILL */
	char *report;			/* URL that reports go to; NULL for none */
	bool posts_reports;		/* report-method = post */
	struct http_job_link link;
	struct module_runners runners;
};

/* Without a file S holds the defaults, and 0 is returned.  On failure S is empty: there is nothing to release. */
int agent_config_load(struct agent_config *s, struct fail *f);
int agent_config_parse(const char *file, const char *text, size_t len, struct agent_config *s,
    struct fail *f);
void agent_config_release(struct agent_config *s);

/* The default state directory of the agent; to be freed. */
char *agent_config_state_dir(void);

/* Where the agent keeps what it has fetched, if the caller may add to it; else NULL.  To be freed. */
char *agent_config_cache_dir(void);

/* The user for deploy/handler.h: NULL where it is the caller's. */
const char *agent_config_user(const struct agent_config *s);

#endif
