#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dirs.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "deploy/swupdate.h"

enum { CONFIG_MAX = 65536 };

enum { ERC_CANCEL_FAILED = 0x30100402 };	/* the Azure agent's, where an update could not be undone */

static const char result_name[] = "aduc_result.json";

bool
swupdate_is_handler(const char *handler)
{
	return handler && strcmp(handler, "microsoft/swupdate:2") == 0;
}

int
swupdate_load_config(struct json *out, struct fail *f)
{
	_cleanup_free_ char *path = dirs_find(NULL, "swupdate-handler-config.json");
	int r = path ? json_load(path, FILE_TRUSTED, CONFIG_MAX, out, f) : 0;

	if (!path)
		*out = json_object();
	if (r < 0)
		return r;
	for (struct json_iter it = json_begin(*out); json_next(&it); )
		if (!json_get_string(it.value))
			r = fail_set(f, EXIT_USAGE, "%s: %s is %s, not a string", path, it.key,
			    json_kind_name(it.value));
	if (r == 0 && !json_is_object(*out))
		r = fail_set(f, EXIT_USAGE, "%s: is %s, not an object", path, json_kind_name(*out));
	return r;
}

char *
swupdate_result_file(const char *work_folder)
{
	return xasprintf("%s/%s", work_folder, result_name);
}

bool
swupdate_has_result(const char *path)
{
	const char *name = strrchr(path, '/');

	return name && strcmp(name + 1, result_name) == 0 && access(path, F_OK) == 0;
}

void
swupdate_set_restored(struct handler_result *r, struct buf *details)
{
	if (r->code == RESULT_CANCEL_SUCCESS) {
		r->code = RESULT_RESTORE_SUCCESS;
		return;
	}
	if (r->code > 0) {
		buf_printf(details, "%scancel answered %d, not %d", details->len ? ": " : "", r->code, RESULT_CANCEL_SUCCESS);
		r->erc = ERC_CANCEL_FAILED;
	}
	r->code = RESULT_FAILURE;
}
