/*
 * clientid - the MQTT client id as a profile writes it: text in which ${machine} stands for
 * an id of this machine that is the project's own (machine-id(5), "must not be used
 * directly"): the first 128 bits of SHA-256("rejoin" machine-id), in hexadecimal;;
 * ${host} for the host name; and ${cert:CN} for the common name of the client's certificate,
 * as brokers with use_identity_as_username have it.
 */
#ifndef HUB_CLIENTID_H
#define HUB_CLIENTID_H

#include "base/fail.h"

/*
 * To be freed; NULL with F filled (EXIT_USAGE, or EXIT_TROUBLE without a machine id).  CERT_FILE is the
 * certificate, NULL for none.
 */
char *clientid_expand(const char *text, const char *cert_file, struct fail *f);

#endif
