#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "deploy/handler_result.h"

static const char *const phases[] = {
	[HANDLER_IS_INSTALLED] = "is-installed", [HANDLER_DOWNLOAD] = "download",
	[HANDLER_INSTALL] = "install", [HANDLER_APPLY] = "apply", [HANDLER_BACKUP] = "backup",
	[HANDLER_RESTORE] = "restore", [HANDLER_CANCEL] = "cancel",
};

const char *
handler_result_phase(enum handler_action a)
{
	return phases[a];
}

bool
handler_result_phase_parse(const char *name, enum handler_action *a)
{
	for (size_t i = 0; i < sizeof phases / sizeof *phases; i++)
		if (strcmp(phases[i], name) == 0) {
			*a = (enum handler_action)i;
			return true;
		}
	return false;
}

/* A number as a 32-bit one: a code given as unsigned keeps its bits. */
static int
get_int32(struct json object, const char *key, int32_t *out)
{
	_cleanup_json_ struct json v = json_get(object, key);
	double d = json_get_number(v);

	if (!(d >= INT32_MIN && d <= UINT32_MAX))
		return -EBADMSG;	/* NaN, too */
	*out = (int32_t)(int64_t)d;
	return 0;
}

void
handler_result_add_details(struct buf *details, const char *text)
{
	size_t len = strnlen(text, HANDLER_DETAILS_MAX);

	buf_add(details, text, utf8_check(text, len));	/* a character cut in two goes */
}

int
handler_result_parse(const char *text, size_t len, struct handler_result *r, struct buf *details)
{
	_cleanup_json_ struct json v = JSON_ABSENT, said = JSON_ABSENT;
	struct fail f;

	if (json_parse(NULL, text, len, &v, &f) < 0 || !json_is_object(v) ||
	    get_int32(v, "resultCode", &r->code) < 0 ||
	    get_int32(v, "extendedResultCode", &r->erc) < 0)
		return -EBADMSG;
	if (r->code <= 0 && r->erc == 0)
		r->erc = ERC_SCRIPT_FAILED;
	said = json_get(v, "resultDetails");
	if (json_get_string(said))	/* up to a NUL: a part of the reason is better than none */
		handler_result_add_details(details, json_get_string(said));
	return 0;
}

void
handler_result_load(const char *path, const char *name, struct handler_result *r, struct buf *details)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail f;
	int e = file_load(path, FILE_NOFOLLOW, HANDLER_RESULT_MAX, &b, &f);

	if (e == 0 && handler_result_parse(b.s, b.len, r, details) == 0)
		return;
	r->code = RESULT_FAILURE;
	r->erc = ERC_NO_RESULT;
	buf_reset(details);
	if (e == -ENOENT)
		buf_printf(details, "%s left no result file", name);
	else if (e < 0)
		buf_printf(details, "no result file: %s", f.text);
	else
		buf_printf(details, "%s left a result file that holds no result", name);
}

void
handler_result_set_late(const char *name, int64_t timeout_ms, struct handler_result *r, struct buf *details)
{
	r->code = RESULT_FAILURE;
	r->erc = ERC_SCRIPT_FAILED;
	r->timed_out = true;
	if (timeout_ms % 1000 == 0)
		buf_printf(details, "%s did not end within %lld s", name, (long long)timeout_ms / 1000);
	else
		buf_printf(details, "%s did not end within %lld ms", name, (long long)timeout_ms);
}
