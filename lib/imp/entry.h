/*
 * entry - one line of a device's log at impCentral.
 *
 * It comes as JSON, from the stream or from the history, or as text from the
 * stream:
 *
 *	DEVICE TIME development|production TYPE MESSAGE
 *
 * and as this text it is shown.  Two entries are the same where device, time,
 * type and message are: the two sources deliver some twice.
 */
#ifndef IMP_ENTRY_H
#define IMP_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

struct imp_entry {
	char *device, *time, *kind, *type, *message;	/* KIND: development or production */
	uint64_t hash;
	size_t place;		/* among those of the same time, where they were read together */
};

/* V is one of the history of DEVICE, or the stream's (it then names the device itself): -EINVAL where it is none. */
int imp_entry_of_json(struct json v, const char *device, struct imp_entry *e);

/* The N bytes of TEXT: JSON, or text as above. */
int imp_entry_parse(const char *text, size_t n, struct imp_entry *e);
void imp_entry_format(const struct imp_entry *e, struct buf *out);
void imp_entry_release(struct imp_entry *e);

/* Does it tell that the device or its agent was started anew? */
bool imp_entry_is_start(const struct imp_entry *e);

/* A page of the history of DEVICE, oldest first by its times; free with imp_entries_free(). */
struct imp;
struct fail;
int imp_entries_read(struct imp *i, const char *device, int page, int size, struct imp_entry **out, size_t *n,
    struct fail *f);
void imp_entries_free(struct imp_entry *v, size_t n);

#endif
