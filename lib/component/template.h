/*
 * template - a text, or an inventory's entry, filled in from a device.
 *
 * "${NAME}" stands for the device's property NAME, "${attr:NAME}" for its
 * attribute; "$${" is a plain "${".  What a device says is bounded and distrusted: UTF-8 without
 * control characters, at most 4096 bytes a text; no part of a path that leads
 * elsewhere (a slash, a dot at the beginning); no argument of a program that
 * would be taken for an option.
 * Errors: EXIT_USAGE; F's text names the ${NAME}.
 */
#ifndef COMPONENT_TEMPLATE_H
#define COMPONENT_TEMPLATE_H

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"

enum template_use { TEMPLATE_TEXT, TEMPLATE_PATH, TEMPLATE_ARGUMENT };

/* What NAME is, borrowed until the next call; NULL for nothing. */
typedef const char *template_get(const char *name, void *cookie);

/* TEXT filled in, added to OUT. */
int template_expand(const char *text, enum template_use use, template_get *get, void *cookie,
    struct buf *out, struct fail *f);

/*
 * A copy of ENTRY with all its strings filled in; those of "probe" as
 * arguments, "path" and "firmwareDataFile" of "properties" as paths.  On an
 * error, the first is in F, and OUT is ENTRY without what could not be filled in.
 */
int template_fill(struct json entry, template_get *get, void *cookie, struct json *out,
    struct fail *f);

#endif
