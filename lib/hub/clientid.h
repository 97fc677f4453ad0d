/*
 * clientid - the MQTT client id as a profile writes it: text in which ${machine} stands for
 * an id of this machine that is the project's own (machine-id(5), "must not be used
 * directly"): the first 128 bits of SHA-256("rejoin" machine-id), in hexadecimal; and
 * ${host} for the host name.
 */
#ifndef HUB_CLIENTID_H
#define HUB_CLIENTID_H

#include "base/fail.h"

/* To be freed; NULL with F filled (EXIT_USAGE, or EXIT_TROUBLE without a machine id). */
char *clientid_expand(const char *text, struct fail *f);

#endif
