/*
 * selector - which components are meant: a JSON object such as
 * {"manufacturer":"contoso","model":"virtual-camera"}.
 *
 * It matches a component whose top-level member of each key is a string exactly
 * equal, case and all, to the selector's: AND over any number of keys.  A key
 * or value that is empty, and a value that is no string, never matches; {}
 * matches every component.  (The Azure agent's compatibility entries.)
 */
#ifndef COMPONENT_SELECTOR_H
#define COMPONENT_SELECTOR_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/json.h"

/* TEXT as a selector; EXIT_USAGE where it is no JSON object. */
int selector_parse(const char *text, struct json *selector, struct fail *f);

bool selector_matches(struct json selector, struct json component);

/* Does any of ALTERNATIVES, an array of selectors, match? */
bool selector_matches_any(struct json alternatives, struct json component);

#endif
