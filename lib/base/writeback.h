/*
 * writeback - write a large file at the pace of the disk.
 *
 * Gigabytes that wait in the page cache are written by the next fsync(2) of
 * whatever file of the same file system: one of a small journal took up to
 * 350 ms beside a copy of 1.5 GiB, and 13 ms with this, and the copy itself was
 * no slower.  At most two windows of 8 MiB wait to be written.
 */
#ifndef BASE_WRITEBACK_H
#define BASE_WRITEBACK_H

#include <stddef.h>
#include <stdint.h>

struct writeback {
	int64_t end;		/* offset to which the file is written */
	int64_t begun;		/* and to which it is on its way to the disk */
};

#define WRITEBACK_FROM(offset)	{ (offset), (offset) }

/*
 * FD has N bytes more, at the end of those before.  May wait.  -errno for a write
 * to the disk that failed, which fsync(2) would not report a second time.
 */
int writeback_add(struct writeback *w, int fd, size_t n);

#endif
