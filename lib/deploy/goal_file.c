#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/xalloc.h"
#include "deploy/goal_file.h"
#include "deploy/import.h"
#include "deploy/manifest.h"
#include "deploy/payload.h"

/* The directory of an import manifest, with its slash, and how files are read from it. */
struct directory {
	const char *dir;
	int flags;
};

static int
beside_load(const char *name, struct buf *text, struct fail *f, void *cookie)
{
	const struct directory *d = cookie;
	_cleanup_free_ char *path = xasprintf("%s%s", d->dir, name);
	int r = file_load(path, d->flags, MANIFEST_MAX, text, f);

	/* the goal is there: that its part is not must not be read as "no goal" */
	return r == -ENOENT ? (fail_errno(f, ENOENT, "%s", path), -EIO) : r;
}

static int
import_translate(const char *path, struct json v, int flags, struct buf *text, struct fail *f)
{
	_cleanup_free_ char *dir = realpath(path, NULL);
	_cleanup_free_ char *url = NULL;
	struct directory d = { dir, flags };

	if (!dir)
		return fail_errno(f, errno, "%s", path);
	strrchr(dir, '/')[1] = '\0';
	url = payload_url(dir);
	return import_goal(path, v, &(struct import_place){ beside_load, &d, url, "" }, text, f);
}

int
goal_file_load(const char *path, int flags, bool is_part, struct buf *text, struct fail *f)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct fail ignored;
	int r = file_load(path, flags, MANIFEST_MAX, text, f);

	/* what is no JSON is refused by the reader of the goal, which says where */
	if (r < 0 || json_parse(path, text->s, text->len, &v, &ignored) < 0 || !import_is_manifest(v))
		return r;
	if (!is_part)
		r = import_check_deployable(path, v, f);
	return r < 0 ? r : import_translate(path, v, flags, text, f);
}
