/*
 * thingsboard - the dialects over ThingsBoard's device API for MQTT: thingsboard
 * itself, and EVP's two schemas.
 *
 * Below v1/devices/me: `attributes` both ways, `attributes/request/N` and
 * `attributes/response/N`, `telemetry`, `rpc/request/N` and `rpc/response/N` both ways.
 * A broker without ThingsBoard behind it delivers the device's own attributes back
 * to the device: members that only devices write are dropped when received.
 */
#ifndef HUB_THINGSBOARD_H
#define HUB_THINGSBOARD_H

#include "hub/dialect.h"

extern const struct dialect thingsboard_evp1, thingsboard_evp2, thingsboard_plain;

/* The request by number N for the client attributes KEYS, an object's members, into M. */
void thingsboard_read_back(int64_t n, struct json keys, struct dialect_message *m);

#endif
