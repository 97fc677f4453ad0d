/*
 * device - a device at impCentral: how it is, and a restart of it.
 *
 * A restart is requested, and carried out when the device receives the request:
 * "accepted" is not "restarted".  A run of a device is identified by the newest
 * entry of its log that a start writes (an agent restarted, code downloaded, an
 * exit code), or, where its log cannot be read, by the time at which its
 * connection last changed.
 */
#ifndef IMP_DEVICE_H
#define IMP_DEVICE_H

#include <stdbool.h>

#include "base/fail.h"
#include "imp/client.h"

enum { IMP_ID_TEXT = 72, IMP_RUN_TEXT = 80 };

struct imp_device {
	char id[IMP_ID_TEXT];		/* the device's own, whatever it was asked for by */
	bool online;
	bool assigned;			/* to a device group: the others cannot be restarted */
	char changed_at[IMP_ID_TEXT];	/* when its connection changed; empty where not known */
	char run[IMP_RUN_TEXT];		/* names this run of it: "log:TIME" or "state:TIME" */
};

/* How device ID is: its id, a MAC address, or its agent's id.  RUN is left empty. */
int imp_device_read(struct imp *i, const char *id, struct imp_device *d, struct fail *f);

/*
 * The same, and RUN.  KNOWN is what it was when last asked, empty at first: a
 * start that has left the log is still the newest, and what names the runs
 * stays the same, so that a log that cannot be read for once is an error.
 */
int imp_device_read_run(struct imp *i, const char *id, const char *known, struct imp_device *d, struct fail *f);

/*
 * Ask for a restart; CONDITIONAL: let the device decide when, where what it
 * runs can.  EXIT_NO for one that is not assigned.
 */
int imp_device_restart(struct imp *i, const char *id, bool conditional, struct fail *f);

#endif
