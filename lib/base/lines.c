#include <string.h>

#include "base/io.h"
#include "base/lines.h"

ssize_t
lines_read(struct lines *l, int fd)
{
	ssize_t n;

	memmove(l->b, l->b + l->begin, l->end - l->begin);
	l->end -= l->begin;
	l->begin = 0;
	n = io_read(fd, l->b + l->end, sizeof l->b - l->end);
	if (n > 0)
		l->end += (size_t)n;
	else
		l->at_end = true;
	return n;
}

bool
lines_next(struct lines *l, const char **line, size_t *len)
{
	while (l->begin < l->end) {
		const char *p = l->b + l->begin, *nl = memchr(p, '\n', l->end - l->begin);
		bool full = l->begin == 0 && l->end == sizeof l->b;
		bool was_skipping = l->skipping;

		if (!nl && !l->at_end && !full)
			return false;
		*line = p;
		*len = (size_t)((nl ? nl : l->b + l->end) - p);
		l->begin += *len + (nl != NULL);
		l->skipping = !nl && !l->at_end;
		if (!was_skipping)
			return true;
	}
	return false;
}
