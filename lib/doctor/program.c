#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trust.h"
#include "base/xalloc.h"
#include "doctor/program.h"

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & 0111;
}

char *
program_find(const char *name)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/'))
		return is_program(name) ? xstrdup(name) : NULL;
	/* the default of execvp(3), as udev rules have no PATH */
	if (!path || !*path)
		path = "/bin:/usr/bin";
	for (;;) {
		size_t n = strcspn(path, ":");
		_cleanup_free_ char *dir = n ? xstrndup(path, n) : xstrdup(".");
		_cleanup_free_ char *file = xasprintf("%s/%s", dir, name);

		if (is_program(file))
			return TAKE_PTR(file);
		if (!path[n])
			return NULL;
		path += n + 1;
	}
}

char *
program_sibling(const char *name)
{
	char self[PATH_MAX];
	const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash) {
			_cleanup_free_ char *path = xasprintf("%.*s/%s", (int)(slash - self), self, name);

			if (is_program(path))
				return TAKE_PTR(path);
		}
	}
	return xstrdup(name);
}

bool
program_test(struct doctor_run *x, const char *where, const char *name, gid_t group)
{
	_cleanup_free_ char *file = program_find(name);
	struct fail f;

	if (!file) {
		doctor_fail(x, where, "%s: no such program", name);
		doctor_advise(x, "install it, or correct the name");
		return false;
	}
	if (trust_check(file, group, &f) < 0) {
		doctor_warn(x, where, "%s", f.text);
		doctor_advise(x, "it runs with the rights of the user of the tools: make it and its directory "
		    "writable by root alone");
	}
	return true;
}
