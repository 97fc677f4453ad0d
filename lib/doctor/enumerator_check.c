/*
 * Whether the Azure Device Update agent has our component enumerator registered.  The agent loads the file that
 * DATA/extensions/component_enumerator/extension.json names, if its hash is the one there:
 *
 *	{"fileName":PATH,"sizeInBytes":N,"hashes":{"sha256":BASE64}}
 *
 * Its package registers an example on each installation, which lists components that are offline.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/command.h"
#include "base/file.h"
#include "base/io.h"
#include "base/sha.h"
#include "base/xalloc.h"
#include "doctor/checks.h"
#include "doctor/program.h"

#define AGENT	"AducIotAgent"
#define LIBRARY	"librejoin_adu_enumerator.so"

enum { REGISTER = 1, REGISTER_MS = 30000, REGISTRATION_MAX = 65536 };

static const char pipe_name[] = "/du-commands.fifo";

/* The path of the registration, to be freed: beside the agent's pipe.  NULL for another agent. */
static char *
registration_path(const struct doctor_run *x)
{
	const struct profile *p = x->profile;
	const char *path = p->retry.method == RETRY_FIFO ? p->retry.path : NULL;
	const size_t len = path ? strlen(path) : 0, n = sizeof pipe_name - 1;

	if (len <= n || strcmp(path + len - n, pipe_name) != 0)
		return NULL;
	return xasprintf("%.*s/extensions/component_enumerator/extension.json", (int)(len - n), path);
}

/* Our library, to be freed; NULL where it is not installed. */
static char *
library_path(void)
{
	static const char *const dirs[] = { "lib/rejoin", "lib" };
	_cleanup_free_ char *enumerator = program_sibling("rejoin-enum");
	char *slash = enumerator ? strrchr(enumerator, '/') : NULL;

	for (size_t i = 0; slash && i < sizeof dirs / sizeof *dirs; i++) {
		_cleanup_free_ char *path = xasprintf("%.*s/../%s/%s", (int)(slash - enumerator), enumerator, dirs[i], LIBRARY);

		if (access(path, R_OK) == 0)
			return realpath(path, NULL);
	}
	return NULL;
}

/* Is HASH, of the registration, that of the file PATH? */
static bool
is_hash_of(const char *hash, const char *path)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char text[SHA_TEXT];

	return hash && fd >= 0 && sha_fd("sha256", fd, text) == 0 && strcmp(text, hash) == 0;
}

static void
offer_registration(struct doctor_run *x, const char *library)
{
	doctor_advise(x, AGENT " --extension-type componentEnumerator --register-extension %s", library);
	doctor_offer_fix(x, REGISTER);
}

static void
registration_test(struct doctor_run *x, const char *path, struct json v, const char *library)
{
	_cleanup_json_ struct json hashes = json_get(v, "hashes");
	const char *file = json_get_text(v, "fileName");
	const bool matches = file && is_hash_of(json_get_text(hashes, "sha256"), file);

	if (!file) {
		doctor_fail(x, path, "names no file");
	} else if (!matches) {
		doctor_fail(x, path, "has not the hash of %s: the agent does not load it", file);
	} else if (library && strcmp(file, library) == 0) {
		doctor_ok(x, path, "%s is registered", file);
		return;
	} else if (strstr(file, "contoso")) {
		doctor_warn(x, path, "%s is registered, an example, which lists components that are offline", file);
	} else {
		doctor_ok(x, path, "another enumerator is registered: %s", file);
		return;
	}
	/* that of another vendor is not replaced */
	if (library && (!file || strcmp(file, library) == 0 || strstr(file, "contoso")))
		offer_registration(x, library);
	else
		doctor_advise(x, AGENT " --extension-type componentEnumerator --register-extension FILE");
}

void
enumerator_check_run(struct doctor_run *x)
{
	_cleanup_free_ char *path = registration_path(x), *agent = program_find(AGENT), *library = library_path();
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct fail f;
	int r;

	if (!path || !agent) {
		doctor_ok(x, path ? AGENT : x->agent, path ? "is not installed" : "is not the Azure Device Update agent");
		return;
	}
	r = json_load(path, 0, REGISTRATION_MAX, &v, &f);
	if (r == -ENOENT && library) {
		doctor_warn(x, path, "no component enumerator is registered: the agent knows no components");
		offer_registration(x, library);
	} else if (r == -ENOENT) {
		doctor_ok(x, path, "no component enumerator is registered, and " LIBRARY " is not installed");
	} else if (r < 0 && f.status == EXIT_DENIED) {
		doctor_warn(x, path, "cannot be read by this user");
	} else if (r < 0) {
		doctor_fail_as(x, path, &f);
	} else {
		registration_test(x, path, v, library);
	}
}

/* The agent itself writes the registration; what it wrote is checked. */
int
enumerator_check_fix(struct doctor_run *x, const struct finding *finding, struct buf *done, struct fail *why)
{
	_cleanup_free_ char *path = registration_path(x), *agent = program_find(AGENT), *library = library_path();
	const char *const argv[] = { agent, "--extension-type", "componentEnumerator", "--register-extension", library, NULL };
	_cleanup_json_ struct json v = JSON_ABSENT, hashes = JSON_ABSENT;
	_cleanup_buf_ struct buf out = BUF_INIT;
	const char *file;
	int r;

	if (finding->fault != REGISTER || !path || !agent || !library)
		return fail_set(why, EXIT_TROUBLE, "%s: cannot be registered", LIBRARY);
	r = command_capture(argv, REGISTER_MS, &out, why);
	if (r < 0)
		return r;
	if (r > 0)
		return fail_set(why, EXIT_TROUBLE, AGENT ": exited with %d", r);
	r = json_load(path, 0, REGISTRATION_MAX, &v, why);
	if (r == -ENOENT)
		return fail_errno(why, ENOENT, "%s", path), -EIO;
	if (r < 0)
		return r;
	hashes = json_get(v, "hashes");
	file = json_get_text(v, "fileName");
	if (!file || strcmp(file, library) != 0 || !is_hash_of(json_get_text(hashes, "sha256"), library))
		return fail_set(why, EXIT_TROUBLE, "%s: does not name %s with its hash", path, library);
	buf_printf(done, "registered %s", library);
	return 0;
}
