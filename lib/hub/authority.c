#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/uidname.h"
#include "base/xalloc.h"
#include "hub/authority.h"

static bool
is_trusted(const struct authority *a, uid_t uid)
{
	return uid == 0 || uid == geteuid() || (a->agent != (uid_t)-1 && uid == a->agent);
}

uid_t
authority_owner(const struct authority *a, const char *instance)
{
	_cleanup_json_ struct json all = JSON_ABSENT, uid = JSON_ABSENT;
	struct fail ignored;
	struct stat st;
	int64_t n;

	/* the file itself is the agent's, or it says nothing */
	if (!a->owners || lstat(a->owners, &st) < 0 || !is_trusted(a, st.st_uid) || (st.st_mode & 022) ||
	    json_load(a->owners, FILE_NOFOLLOW, FILE_DATA_MAX, &all, &ignored) < 0)
		return (uid_t)-1;
	uid = json_get(all, instance);
	return json_get_whole(uid, &n) && n >= 0 && n < UINT32_MAX ? (uid_t)n : (uid_t)-1;
}

static int
fail_refused(uid_t uid, const char *kind, const char *of, struct fail *f)
{
	char name[UIDNAME_MAX];

	return fail_set(f, EXIT_DENIED, "%s of %s: not for %s", kind, of, uidname_user(uid, name));
}

/* The instance of "INSTANCE/NAME" or "INSTANCE"; NULL where KEY is no such. */
static char *
key_instance(const char *kind, const char *key)
{
	const char *slash = strchr(key, '/');

	if (strcmp(kind, "log") == 0 && !slash && *key)
		return xstrdup(key);
	return slash && slash > key && slash[1] ? xstrndup(key, (size_t)(slash - key)) : NULL;
}

int
authority_check(const struct authority *a, uid_t uid, const char *kind, const char *key, const char *instance,
    struct fail *f)
{
	_cleanup_free_ char *of = NULL;

	if (strcmp(kind, "report") == 0)
		return is_trusted(a, uid) ? 0 : fail_refused(uid, kind, "the device", f);
	if (strcmp(kind, "call") == 0) {
		if (!*key)
			return fail_set(f, EXIT_USAGE, "call: no method");
		return strncmp(key, "$agent/", 7) != 0 || is_trusted(a, uid) ? 0 : fail_refused(uid, kind, "$agent", f);
	}
	if (strcmp(kind, "answer") == 0)
		of = xstrdup(instance);
	else if (strcmp(kind, "state") == 0 || strcmp(kind, "telemetry") == 0 || strcmp(kind, "log") == 0)
		of = key_instance(kind, key);
	else
		return fail_set(f, EXIT_USAGE, "%s: no kind of record", kind);
	if (!of)
		return fail_set(f, EXIT_USAGE, "%s: '%s' is not INSTANCE/NAME", kind, key);
	if (is_trusted(a, uid))
		return 0;
	return uid == authority_owner(a, of) ? 0 : fail_refused(uid, kind, of, f);
}
