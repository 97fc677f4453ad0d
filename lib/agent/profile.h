/*
 * profile - how the tools deal with an agent: how to send it a retry request,
 * restart it and read its status, and where its inventory and logs are.
 *
 * A profile is an INI file, agents.d/NAME.conf, of the configuration directory
 * or else the vendor's (base/dirs.h).  It can name programs, so it is used only
 * if root, the caller and the agent's group alone may write it (base/trust.h).
 * Sections and keys are described in rejoin(7).  In paths, ${config}, ${state}
 * and ${runtime} stand for the toolkit's directories.
 *
 * Errors: EXIT_USAGE for a wrong name, an unknown key, a missing profile (with
 * file and line where there is one), EXIT_DENIED for one that is not trusted.
 */
#ifndef AGENT_PROFILE_H
#define AGENT_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fail.h"

enum retry_kind { RETRY_NONE, RETRY_FIFO, RETRY_EXEC, RETRY_SIGNAL, RETRY_HTTP };
enum retry_frame { FRAME_ADU64, FRAME_BYTE, FRAME_LINE };
enum status_kind {
	STATUS_NONE, STATUS_FILE, STATUS_BUSY_PATH, STATUS_SYSTEMD, STATUS_DBUS, STATUS_EXEC,
	STATUS_ADU_API,
};
enum ready_sign { READY_NONE, READY_NOTIFY, READY_LOG, READY_PROBE, READY_FIFO_READER, READY_STATUS };

struct profile_http {		/* a request; NULL where not set */
	char *url;
	char *request;		/* its method; POST by default */
	char *headers;		/* "Name: value", a line each */
	char *body;
	char *token_file;	/* holds a bearer token: base/secret.h */
	char *ca_file;		/* certificate authorities, PEM; NULL: the system's */
};

struct profile_retry {
	enum retry_kind method;
	char *path;		/* fifo: the pipe */
	enum retry_frame frame;
	unsigned char byte;	/* of FRAME_BYTE: "byte:01" */
	char *command;		/* text of an adu64 frame or a line */
	char *again_command;	/* the same for --again: also reset what failed; NULL for none */
	char *instance_command;	/* the same for --instance, before a blank and the name; NULL for none */
	char *call_command;	/* the same for what a link asks of the agent, before the call; NULL for none */
	char **argv;		/* exec: the command, NULL-terminated */
	int signo;		/* signal: which */
	char *pid_file;		/* signal: holds the pid; NULL: the unit's main process */
	char *exe;		/* signal: the program that the process must run; NULL: any */
	struct profile_http http;	/* http: the request */
	int64_t debounce_ms;	/* requests within this time are coalesced */
	bool only_when_idle;	/* wait for idle before delivering */
	bool send_when_unknown;	/* when-unknown = send; else hold */
};

struct profile_status {
	enum status_kind method;
	char *path;		/* file: KEY=VALUE lines, agent/status.h; adu-api: its FIFO */
	char *busy_path;	/* busy-path: a glob; the agent is busy while it matches */
	char **property;	/* dbus: service, object, interface, name */
	char **argv;		/* exec: the command */
	int64_t timeout_ms;	/* dbus, exec, adu-api: time limit of one query */
	/* POSIX extended regular expressions that match the answer in that state; NULL if not set */
	char *stopped, *starting, *idle, *busy, *failed, *stopping, *needs_reboot;
};

struct profile_restart {
	char *method;		/* its name, NULL for none */
	char *service;		/* s6: the service directory */
	char **before;		/* a command that runs before the restart; NULL for none */
	char **argv;		/* exec: the command */
	int signo;		/* signal: the first one; 0 for SIGINT */
	int64_t grace_ms;	/* signal: until the next, stronger one */
	char **start;		/* signal: the command that starts it; NULL: a supervisor does */
	char *pid_file, *exe;	/* signal, exec: as in struct profile_retry */
	struct profile_http http;	/* http: the request */
	char *device, *account;	/* impcentral: device id, account file (NULL: the default) */
	enum ready_sign ready;
	char *ready_log;	/* READY_LOG: a POSIX extended regular expression */
	char **ready_probe;	/* READY_PROBE: a command */
	int64_t stable_ms;	/* the new incarnation must run this long after it is ready */
	int64_t timeout_ms;	/* give up if it is not ready by then */
	int64_t limit, limit_ms;	/* at most LIMIT restarts within LIMIT_MS; 0: no limit */
};

/* [hub]: the link of rejoin-hub(1) to a broker; NULL, or empty, where a key is not set. */
struct profile_hub {
	char *dialect;		/* evp1, evp2, thingsboard or rejoin; NULL: there is no [hub] */
	char *broker;		/* mqtt://HOST[:PORT] or mqtts://HOST[:PORT] */
	bool insecure;		/* mqtt:// to another machine is allowed */
	char *client_id;
	char *username, *username_file, *password_file;
	char *ca_file, *cert_file, *key_file;
	char **allow;		/* calls of $agent/ that are carried out, NULL-terminated */
	char *group;		/* the group that may submit and read */
	char **fleet_groups;
	char *goal_key;		/* the shared attribute that is the goal */
	char *version;		/* of MQTT: 3.1.1 or 5 */
	int64_t keep_alive_ms, report_min_ms, report_max_ms;
	int64_t urgent_max, bulk_max;	/* bytes of the queues */
};

struct profile_log {		/* [log.NAME] */
	char *name, *path, *format, *journal;
};

struct profile {
	char *name;
	char *file;		/* its path */
	char *description, *user, *group, *unit;	/* NULL where not set */
	uid_t uid;		/* of USER, (uid_t)-1 where not set */
	gid_t gid;		/* of GROUP, (gid_t)-1 where not set */
	struct profile_retry retry;
	struct profile_status status;
	struct profile_restart restart;
	struct profile_hub hub;
	char *inventory;	/* its file, or NULL */
	struct profile_log *logs;
	size_t n_logs;
};

/*
 * NAME's profile; NULL for the default: REJOIN_AGENT, else the one that the
 * link agents.d/default leads to, else "rejoin".  Free with profile_free().
 */
int profile_load(const char *name, struct profile **out, struct fail *f);
void profile_free(struct profile *p);

/* The name of the profile that is used where none is named: rejoin(7), "Profiles".  To be freed. */
char *profile_default_name(void);

/*
 * The same for tools that report what is wrong with a profile: its user and group
 * need not exist; UID and GID are then -1.  -ENOENT if there is no profile NAME.
 */
int profile_load_as_written(const char *name, struct profile **out, struct fail *f);

/*
 * The names of all profiles of the configuration and the vendor's directory, sorted,
 * each once, NULL-terminated.  Free with xfree_strv().
 */
char **profile_names(void);

/*
 * For a tool's main(): the profile NAME or the end of the tool.  From here on the
 * next step after a failure is rejoin-doctor (base/fail.h).
 */
struct profile *profile_load_or_die(const char *name);

/* Have P's agent asked for a retry by running ARGV, NULL-terminated, from here on. */
void profile_ask_by(struct profile *p, const char *const *argv);

/* The inventories that a tool reads, and the group that may write them. */
struct profile_scope {
	struct profile *profile;	/* NULL where it is neither asked for nor needed */
	char *const *inventories;	/* NULL-terminated: those named, else the profile's */
	gid_t group;			/* the profile's, or (gid_t)-1 */
	char *own[2];			/* where INVENTORIES is the profile's */
};

/*
 * For a tool's main(): AGENT is -A's argument, NULL for none; NAMED the
 * inventories that are operands, NULL for none.  The end of the tool where
 * there is no inventory at all.  Free S->profile.
 */
void profile_scope_or_die(const char *agent, char *const *named, struct profile_scope *s);

/* The text TEXT of a profile, called FILE in messages; owners are not looked up (for tests). */
int profile_parse(const char *file, const char *text, size_t len, struct profile **out,
    struct fail *f);

#define _cleanup_profile_	__attribute__((cleanup(profile_freep)))
static inline void
profile_freep(struct profile **p)
{
	profile_free(*p);
}

#endif
