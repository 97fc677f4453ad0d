#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bootid.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "restart/last.h"

enum { RECORD_MAX = 4096 };

char *
restart_last_path(const struct profile *p, const char *file)
{
	return xasprintf("%s/restart/%s.%s", dirs_runtime(), p->name, file);
}

int
restart_last_write(const struct profile *p, const struct restart_last *r, struct fail *f)
{
	_cleanup_free_ char *path = restart_last_path(p, "last");
	_cleanup_buf_ struct buf b = BUF_INIT;
	char boot[BOOTID_SIZE] = "";
	int e;

	(void)bootid_read(boot);
	buf_printf(&b, "boot=%s\nacted_ms=%" PRId64 "\nincarnation=%s\nstatus=%d\ntext=%s\n", boot,
	    r->acted_ms, r->incarnation, r->status, r->text);
	e = file_replace(path, b.s, b.len, 0644, 0);
	return e < 0 ? fail_errno(f, e, "%s", path) : 0;
}

int
restart_last_parse(const char *text, size_t len, struct restart_last *r)
{
	_cleanup_free_ char *copy = xstrndup(text, len);
	char *rest = copy, *line, *value;
	bool is_ours = false;
	int64_t n;

	*r = (struct restart_last){ .status = EXIT_TROUBLE };
	while ((line = strsep(&rest, "\n"))) {
		value = strchr(line, '=');
		if (!value)
			continue;
		*value++ = '\0';
		if (strcmp(line, "boot") == 0)
			is_ours = bootid_is_current(value);
		else if (strcmp(line, "acted_ms") == 0)
			(void)num_parse(value, 0, INT64_MAX, &r->acted_ms);
		else if (strcmp(line, "incarnation") == 0)
			snprintf(r->incarnation, sizeof r->incarnation, "%s", value);
		else if (strcmp(line, "text") == 0)
			snprintf(r->text, sizeof r->text, "%s", value);
		else if (strcmp(line, "status") == 0 && num_parse(value, 0, EXIT_DENIED, &n) == 0)
			r->status = (enum exit_status)n;
	}
	return is_ours ? 0 : -ENOENT;
}

int
restart_last_read(const struct profile *p, struct restart_last *r)
{
	_cleanup_free_ char *path = restart_last_path(p, "last");
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail f;

	/* it decides which process is signalled, so it must be as trusted as a program */
	if (file_load(path, FILE_TRUSTED | FILE_NOFOLLOW, RECORD_MAX, &b, &f) < 0)
		return -ENOENT;
	return restart_last_parse(b.s, b.len, r);
}
