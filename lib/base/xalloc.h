/*
 * xalloc - memory, or the end of the tool.
 *
 * These return what was asked for, or say "out of memory" and end the tool
 * with EXIT_TROUBLE; no caller checks them.  free(3) what they return.
 */
#ifndef BASE_XALLOC_H
#define BASE_XALLOC_H

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

/* N objects of SIZE bytes: P grown or shrunk, or new and unset where P is NULL. */
void *xrealloc(void *p, size_t n, size_t size)
	__attribute__((returns_nonnull, warn_unused_result, alloc_size(2, 3)));

/* N zeroed objects of SIZE bytes. */
void *xcalloc(size_t n, size_t size)
	__attribute__((returns_nonnull, warn_unused_result, alloc_size(1, 2)));

/* The same for threads that write to them at the same time: none shares a line of the cache with what is not of it. */
void *xcalloc_apart(size_t n, size_t size)
	__attribute__((returns_nonnull, warn_unused_result, alloc_size(1, 2)));

char *xstrdup(const char *s)
	__attribute__((returns_nonnull, warn_unused_result, nonnull));

/* The first N bytes of S, which may hold any byte, and a NUL after them. */
char *xstrndup(const char *s, size_t n)
	__attribute__((returns_nonnull, warn_unused_result, nonnull));

/* As asprintf(3) and vasprintf(3). */
char *xasprintf(const char *fmt, ...)
	__attribute__((returns_nonnull, warn_unused_result, format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap)
	__attribute__((returns_nonnull, warn_unused_result, format(printf, 1, 0)));

/*
 * The strings FIRST, ... up to NULL as one.  For paths: printf(3) costs a short-lived
 * program five first uses of a page, which take longer than the calls it makes.
 */
char *xconcat(const char *first, ...)
	__attribute__((returns_nonnull, warn_unused_result, nonnull(1), sentinel));

/* Room for one more in an array P of *CAP objects of which N are used. */
void *xgrow(void *p, size_t n, size_t *cap, size_t size)
	__attribute__((returns_nonnull, warn_unused_result));

/* A NULL-terminated list of strings and the list itself; NULL is nothing. */
void xfree_strv(char **v);

/*
 * free(3) on leaving the scope.  For one block only: what owns more has a
 * cleanup of its own.  Initialise at the declaration.
 */
#define _cleanup_free_	__attribute__((cleanup(xalloc_freep)))
static inline void
xalloc_freep(void *p)
{
	free(*(void **)p);
}

/* The pointer X, which is NULL from here on: ownership leaves. */
#define TAKE_PTR(x)	({ __typeof__(x) taken_ = (x); (x) = NULL; taken_; })

#endif
