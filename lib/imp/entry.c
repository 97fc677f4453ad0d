#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/xalloc.h"
#include "imp/client.h"
#include "imp/entry.h"

static uint64_t
hash_text(uint64_t hash, const char *s)
{
	do
		hash = (hash ^ (unsigned char)*s) * UINT64_C(1099511628211);	/* FNV-1a, the NUL too */
	while (*s++);
	return hash;
}

static int
finish_entry(struct imp_entry *e)
{
	if (!*e->device || !*e->time || !*e->type || strpbrk(e->device, " \n") || strpbrk(e->time, " \n") ||
	    strpbrk(e->kind, " \n") || strpbrk(e->type, " \n")) {
		imp_entry_release(e);
		return -EINVAL;
	}
	e->hash = hash_text(hash_text(hash_text(hash_text(UINT64_C(14695981039346656037), e->device), e->time), e->type), e->message);
	return 0;
}

static char *
text_of(struct json v, const char *key, const char *otherwise)
{
	const char *s = json_get_text(v, key);

	return xstrdup(s && *s ? s : otherwise);
}

int
imp_entry_of_json(struct json v, const char *device, struct imp_entry *e)
{
	if (!json_is_object(v) || !json_get_text(v, "msg"))
		return -EINVAL;
	*e = (struct imp_entry){ .device = text_of(v, "device_id", device), .time = text_of(v, "ts", ""),
	    .kind = text_of(v, "log_type", "development"), .type = text_of(v, "type", ""),
	    .message = text_of(v, "msg", "") };
	return finish_entry(e);
}

/* The next word of *P, to be freed; *P goes to what follows its blank. */
static char *
next_word(const char **p, const char *end)
{
	const char *blank = memchr(*p, ' ', (size_t)(end - *p));
	char *w = xstrndup(*p, (size_t)((blank ? blank : end) - *p));

	*p = blank ? blank + 1 : end;
	return w;
}

int
imp_entry_parse(const char *text, size_t n, struct imp_entry *e)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	const char *p = text, *end = text + n;
	struct fail f;

	if (n && *text == '{')
		return json_parse(NULL, text, n, &v, &f) < 0 ? -EINVAL : imp_entry_of_json(v, "", e);
	if (memchr(text, '\0', n))
		return -EINVAL;
	*e = (struct imp_entry){ .device = NULL };
	e->device = next_word(&p, end);
	e->time = next_word(&p, end);
	e->kind = next_word(&p, end);
	e->type = next_word(&p, end);
	e->message = xstrndup(p, (size_t)(end - p));
	return finish_entry(e);
}

void
imp_entry_format(const struct imp_entry *e, struct buf *out)
{
	buf_printf(out, "%s %s %s %s ", e->device, e->time, e->kind, e->type);
	buf_puts(out, e->message);
}

void
imp_entry_release(struct imp_entry *e)
{
	free(e->device);
	free(e->time);
	free(e->kind);
	free(e->type);
	free(e->message);
	*e = (struct imp_entry){ .device = NULL };
}

bool
imp_entry_is_start(const struct imp_entry *e)
{
	static const char *const starts[] = { "Agent restarted", "Agent started", "Downloading new code",
		"Device booting" };

	if (strcmp(e->type, "lastexitcode") == 0)
		return true;
	for (size_t i = 0; strcmp(e->type, "status") == 0 && i < sizeof starts / sizeof *starts; i++)
		if (strncmp(e->message, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

static int
by_time(const void *a, const void *b)
{
	return strcmp(((const struct imp_entry *)a)->time, ((const struct imp_entry *)b)->time);
}

/* A server's order is not to be relied on: its own texts contradict each other. */
int
imp_entries_read(struct imp *i, const char *device, int page, int size, struct imp_entry **out, size_t *n,
    struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("/devices/%s/logs?page%%5Bnumber%%5D=%d&page%%5Bsize%%5D=%d", device,
	    page, size);
	_cleanup_json_ struct json answer = JSON_ABSENT, data = JSON_ABSENT;
	size_t got;
	int r = imp_request(i, "GET", path, NULL, &answer, f);

	*out = NULL;
	*n = 0;
	if (r < 0)
		return r;
	data = json_get(answer, "data");
	got = json_count(data);
	*out = xcalloc(got + 1, sizeof **out);
	for (size_t k = 0; k < got; k++) {
		_cleanup_json_ struct json v = json_at(data, k);

		*n += imp_entry_of_json(v, device, *out + *n) == 0;
	}
	/* those of one time stay in their order: by place, where qsort would not keep it */
	if (*n > 1 && strcmp((*out)[0].time, (*out)[*n - 1].time) > 0)
		for (size_t k = 0; k < *n / 2; k++) {
			struct imp_entry e = (*out)[k];

			(*out)[k] = (*out)[*n - 1 - k];
			(*out)[*n - 1 - k] = e;
		}
	for (size_t k = 1; k < *n; k++)
		for (size_t m = k; m && by_time(*out + m - 1, *out + m) > 0; m--) {
			struct imp_entry e = (*out)[m];

			(*out)[m] = (*out)[m - 1];
			(*out)[m - 1] = e;
		}
	return 0;
}

void
imp_entries_free(struct imp_entry *v, size_t n)
{
	for (size_t k = 0; v && k < n; k++)
		imp_entry_release(&v[k]);
	free(v);
}
