/*
 * payload - a file of an update: fetched, verified by its hash, copied to a work directory.
 *
 * The cache holds payloads by their content, CACHE/sha256/HEX, and nothing in
 * it that was not verified: a payload is hashed while it is copied, made durable
 * and renamed into place.  Where it comes from is not trusted, its hash is.
 *
 * Errors: EXIT_USAGE for a payload that is described wrongly, EXIT_TROUBLE for
 * one that cannot be had, EXIT_DENIED for one that is not what its hash says;
 * messages name the file's id and its name.
 */
#ifndef DEPLOY_PAYLOAD_H
#define DEPLOY_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

struct payload {
	char *id;		/* the manifest's file id */
	char *name;		/* its fileName; one component of a path */
	int64_t size_bytes;	/* -1 where the manifest does not say */
	char *algorithm;	/* "sha256", "sha384" or "sha512" */
	char *hash;		/* standard base64 */
	char *url;		/* from fileUrls; NULL where there is none */
	char **more;		/* further URLs of the same content, NULL-terminated; NULL for none */
};

void payload_release(struct payload *p);

/*
 * The local file PATH as a payload: its name, size, SHA-256 and URL; its id is
 * PATH.  EXIT_TROUBLE for what is no regular file, EXIT_USAGE for a name that no payload can
 * have.
 */
int payload_describe(const char *path, struct payload *out, struct fail *f);

/* file:PATH for an absolute PATH, with what has a meaning in a URL escaped.  To be freed. */
char *payload_url(const char *path);

/* The path of file:PATH, file:///PATH or file://localhost/PATH, to be freed; NULL for another URL. */
char *payload_url_path(const char *url);

/* Is NAME one component of a path, and fit to be shown? */
bool payload_is_name(const char *name);

/*
 * P is in the cache below the directory CACHE, fetched from its URL if it is not there yet:
 * file:PATH, file:///PATH, or that of a server where this process may download
 * (deploy/download.h), else EXIT_ABSENT.  What is there is hashed again.  PATH, to be freed, is where.
 */
int payload_fetch(const struct payload *p, const char *cache, char **path, struct fail *f);

/* Is P in the cache, with at most MAX bytes?  Its content is not hashed. */
bool payload_is_small(const struct payload *p, const char *cache, int64_t max);

/*
 * The content of P, at most MAX bytes, from the cache alone: the bytes in OUT are
 * those that were hashed.  -ENOENT where the cache does not have it.
 */
int payload_load(const struct payload *p, const char *cache, size_t max, struct buf *out, struct fail *f);

/* Is the file PATH, no link, what P's hash and size say? */
bool payload_is_at(const struct payload *p, const char *path);

/*
 * A copy of P, which must have been fetched, in the directory FOLDER under its
 * name, replacing what is there; EXECUTABLE makes its mode 0750, else 0640.
 */
int payload_place(const struct payload *p, const char *cache, const char *folder,
    bool executable, struct fail *f);

/* A copy of P, a local file, in DIR under its name; one that is there stays.  EXIT_USAGE where another is there. */
int payload_lay(const struct payload *p, const char *dir, struct fail *f);

#endif
