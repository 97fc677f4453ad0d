/*
 * bridge - stands between the shim of an instance and its program: serves the module SDK's socket
 * (module/sdk.h), and ends the program in order. The work of rejoin-instance-evp.
 *
 * The program gets EVP_MODULE_SDK_SOCKET_PATH, the socket sdk.sock in its home; where that path is too
 * long for a socket, the name alone, as home is its working directory.
 *
 *	getEvent		answered when there is an event, or at its deadline without one
 *	sendState, sendTelemetry, sendRpcResponse	submitted to the link, then an event: sent, or refused
 *	sendMessage		to the instances that subscribe (module/bridge_messages.h), then an event
 *	blobOperation		module/bridge_blobs.h
 *	requestResendConfig	all configurations once more
 *
 * A request that is too big is answered so, and read over; one that cannot be understood ends the connection.
 *
 * The stop signal to the bridge: a program that is connected gets the event exit, and the signal
 * after half the grace period; one that is not gets the signal at once.  SIGKILL after the grace period
 * is the shim's.  When the program has ended, its open calls are answered with an error, and the bridge
 * ends as the program did.
 */
#ifndef MODULE_BRIDGE_H
#define MODULE_BRIDGE_H

#include <stdint.h>

#include "base/fail.h"

struct bridge_spec {
	const char *instance;
	const char *agent;	/* the profile of the link; NULL for none */
	const char *home;	/* absolute; the working directory */
	int stop_signal;
	int64_t grace_ms;
	char *const *argv;	/* the program */
};

/* Run it to its end: its exit status, or 128 + the signal with *SIGNO set; a negative errno with F filled. */
int bridge_run(const struct bridge_spec *spec, int *signo, struct fail *f);

#endif
