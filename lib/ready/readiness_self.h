/*
 * readiness_self - the incarnation of the caller: of an agent that starts, or of a peer
 * that announces itself.
 */
#ifndef READY_READINESS_SELF_H
#define READY_READINESS_SELF_H

#include <stdint.h>

#include "base/fail.h"
#include "ready/readiness_note.h"

/* An incarnation and the time of its start. */
struct readiness_self {
	char id[READINESS_ID];
	int64_t began_us;	/* on CLOCK_BOOTTIME */
};

/*
 * The incarnation of the agent: GIVEN, else $INVOCATION_ID, else that of the parent
 * process.  One that is GIVEN begins now.  EXIT_USAGE for a name with controls.
 */
int readiness_self_agent(const char *given, struct readiness_self *s, struct fail *f);

/*
 * The incarnation of a peer: the same, but in a udev rule that of the device, which is
 * named by USEC_INITIALIZED: the time at which udev first saw it, which "udevadm
 * trigger" does not change and a replug does.
 */
int readiness_self_peer(const char *given, struct readiness_self *s, struct fail *f);

/* The id of this boot. */
int readiness_self_boot(char boot[READINESS_BOOT], struct fail *f);

#endif
