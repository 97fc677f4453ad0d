#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "task/frames.h"

enum { HEAD_MAX = 96 };

static const char *const kind_names[] = { "out", "err", "out-gap", "err-gap", "end", "cursor" };

const char *
frames_name(enum frames_kind kind)
{
	return kind_names[kind];
}

/* The first word of *TEXT, which is cut off. */
static char *
next_word(char **text)
{
	return strsep(text, " ");
}

static int
parse_head(char *head, bool of_tasks, struct task_frame *f)
{
	const char *id = of_tasks ? next_word(&head) : NULL, *kind = next_word(&head);
	const char *offset = next_word(&head), *length = next_word(&head);
	size_t i = 0;

	f->task = 0;
	if (head || !kind || !offset || !length || (of_tasks && num_parse(id, 0, INT64_MAX, &f->task) < 0))
		return -EBADMSG;
	while (i < sizeof kind_names / sizeof *kind_names && strcmp(kind, kind_names[i]) != 0)
		i++;
	if (i == sizeof kind_names / sizeof *kind_names || (!of_tasks && i > FRAMES_ERR))
		return -EBADMSG;
	f->kind = (enum frames_kind)i;
	if (num_parse(offset, 0, INT64_MAX / 2, &f->offset) < 0 || num_parse(length, 0, INT64_MAX / 2, &f->length) < 0)
		return -EBADMSG;
	return 0;
}

int
frames_next(const char **p, const char *end, bool of_tasks, struct task_frame *f)
{
	const char *nl = *p < end ? memchr(*p, '\n', (size_t)(end - *p)) : NULL;
	char head[HEAD_MAX];

	if (*p == end)
		return 0;
	if (!nl || nl - *p >= HEAD_MAX)
		return -EBADMSG;
	memcpy(head, *p, (size_t)(nl - *p));
	head[nl - *p] = '\0';
	if (parse_head(head, of_tasks, f) < 0)
		return -EBADMSG;
	*p = nl + 1;
	f->bytes = NULL;
	if (f->kind == FRAMES_OUT_GAP || f->kind == FRAMES_ERR_GAP)
		return 1;
	if (f->length > end - *p)
		return -EBADMSG;
	f->bytes = *p;
	*p += f->length;
	return 1;
}
