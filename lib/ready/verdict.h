/*
 * verdict - what a start of the agent is, seen with its peer.
 */
#ifndef READY_VERDICT_H
#define READY_VERDICT_H

enum readiness_verdict {
	VERDICT_NONE,		/* not known yet */
	VERDICT_COLD_START,	/* agent and peer started */
	VERDICT_AGENT_RESTART,	/* the agent alone restarted */
	VERDICT_PEER_OFFLINE,	/* the peer is not connected */
	VERDICT_PEER_RESTART,	/* the peer alone restarted */
	VERDICTS,
};

const char *verdict_name(enum readiness_verdict v);

/* Parse one of the four names; -EINVAL. */
int verdict_parse(const char *name, enum readiness_verdict *v);

#endif
