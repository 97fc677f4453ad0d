/*
 * download - the content of a payload from servers, into a file, until it is whole.
 *
 * The sources are tried in turn.  A transfer that was cut is resumed where it stopped,
 * from the same source or another: what they have is the same content.  One that has
 * other content, or says that it has none (404, 403, ...), is not tried again; once parts of several sources were
 * not the content, each is asked for all of it.  When no
 * source has brought a byte for the link's patience, the download has failed; the file stays, to
 * be resumed.  While no source brings anything the time between tries grows, at random (deploy/http_job.h).
 *
 * This blocks: it is for a child, and for tools.  A process whose loop must not be held
 * up never calls download_allow(), and so finds only what is in the cache.
 */
#ifndef DEPLOY_DOWNLOAD_H
#define DEPLOY_DOWNLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "deploy/http_job.h"

/* How far a download is; in memory that two processes may share. */
struct download_progress {
	_Atomic int64_t got, size;	/* bytes; SIZE 0 while none is under way, -1 where it is not known */
};

/* From here on payloads may be downloaded by this process, unless LINK is NULL; both are borrowed, PROGRESS may be NULL. */
void download_allow(const struct http_job_link *link, struct download_progress *progress);
bool download_is_allowed(void);

/* Show that GOT of SIZE bytes are there, also of what is copied; SIZE as in struct download_progress. */
void download_show(int64_t got, int64_t size);

/* Does URL name a server? */
bool download_is_url(const char *url);

/* Is the file, open as FD, what it should be?  It may move FD's offset. */
typedef bool download_check(int fd, void *cookie);

/*
 * Fill the file PATH, open as FD, from URLS (NULL-terminated; those that name no server are passed over).
 * SIZE is -1 where it is not known.  Errors: EXIT_DENIED where sources have other content, EXIT_NO where they have none,
 * EXIT_ABSENT, EXIT_TIMEOUT and EXIT_TROUBLE where it may be there later.
 */
int download_fill(const char *path, int fd, const char *const *urls, int64_t size, download_check *check,
    void *cookie, struct fail *f);

#endif
