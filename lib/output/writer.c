#include <stdlib.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "output/writer.h"

void
writer_init(struct writer *w, int fd, size_t size)
{
	*w = (struct writer){ .fd = fd, .cap = fd >= 0 ? WRITER_SIZE : size };
	w->buf = w->cap ? xrealloc(NULL, w->cap, 1) : NULL;
}

static void
write_out(struct writer *w, const char *p, size_t n)
{
	if (w->error == 0 && n)
		w->error = io_write_all(w->fd, p, n);
}

void
writer_room(struct writer *w, size_t n)
{
	writer_flush(w);
	if (w->cap - w->len >= n)
		return;
	if (w->cap == 0)
		w->cap = 256;
	while (w->cap - w->len < n)
		w->cap *= 2;
	w->buf = xrealloc(w->buf, w->cap, 1);
}

void
writer_in_place(struct writer *w, const char *p, size_t n)
{
	writer_flush(w);
	write_out(w, p, n);
}

void
writer_flush(struct writer *w)
{
	if (w->fd < 0)
		return;
	write_out(w, w->buf, w->len);
	w->len = 0;
}

void
writer_release(struct writer *w)
{
	free(w->buf);
	*w = (struct writer){ .fd = -1 };
}
