#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/dirs.h"
#include "base/xalloc.h"

#ifndef VENDOR_DIR
#define VENDOR_DIR "/usr/share/rejoin"
#endif
#ifndef LIBEXEC_DIR
#define LIBEXEC_DIR "/usr/libexec/rejoin"
#endif

struct place {
	const char *env, *system;
	const char *xdg, *home;	/* a user's: $XDG, else $HOME/HOME; HOME may be NULL */
	char *found;
};

static bool
is_set(const char *env)
{
	const char *v = secure_getenv(env);

	return v && *v;
}

/* An ordinary user with none of our variables set lives in the XDG directories. */
static bool
is_users(void)
{
	return geteuid() != 0 && !is_set("REJOIN_CONFIG_DIR") &&
	    !is_set("REJOIN_STATE_DIR") && !is_set("REJOIN_RUNTIME_DIR");
}

static const char *
locate(struct place *p)
{
	const char *home = secure_getenv("HOME");

	if (p->found)
		return p->found;
	if (is_set(p->env))
		p->found = xstrdup(secure_getenv(p->env));
	else if (is_users() && is_set(p->xdg))
		p->found = xasprintf("%s/rejoin", secure_getenv(p->xdg));
	else if (is_users() && p->home && home && *home)
		p->found = xasprintf("%s/%s/rejoin", home, p->home);
	else if (is_users() && !p->home)
		p->found = xasprintf("/run/user/%ju/rejoin", (uintmax_t)geteuid());
	else
		p->found = xstrdup(p->system);
	return p->found;
}

const char *
dirs_config(void)
{
	static struct place p = { "REJOIN_CONFIG_DIR", "/etc/rejoin",
	    "XDG_CONFIG_HOME", ".config", NULL };

	return locate(&p);
}

const char *
dirs_vendor(void)
{
	return VENDOR_DIR;
}

const char *
dirs_state(void)
{
	static struct place p = { "REJOIN_STATE_DIR", "/var/lib/rejoin",
	    "XDG_STATE_HOME", ".local/state", NULL };

	return locate(&p);
}

const char *
dirs_runtime(void)
{
	static struct place p = { "REJOIN_RUNTIME_DIR", "/run/rejoin",
	    "XDG_RUNTIME_DIR", NULL, NULL };

	return locate(&p);
}

const char *
dirs_runtime_system(void)
{
	return "/run/rejoin";
}

char *
dirs_find(const char *subdir, const char *name)
{
	const char *const roots[] = { dirs_config(), dirs_vendor() };

	for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s/%s", roots[i], subdir, name);

		if (access(path, F_OK) == 0)
			return TAKE_PTR(path);
	}
	return NULL;
}

char *
dirs_helper(const char *name)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	_cleanup_free_ char *path = NULL;
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash) {
		*slash = '\0';
		path = xasprintf("%s/../libexec/rejoin/%s", self, name);
		if (access(path, X_OK) == 0)
			return TAKE_PTR(path);
	}
	return xasprintf("%s/%s", LIBEXEC_DIR, name);
}

char *
dirs_expand(const char *text)
{
	static const struct { const char *word; const char *(*dir)(void); } words[] = {
		{ "${config}", dirs_config }, { "${state}", dirs_state },
		{ "${runtime}", dirs_runtime },
	};
	struct buf b = BUF_INIT;

	while (*text) {
		size_t i, len = 0;

		for (i = 0; i < sizeof words / sizeof *words; i++) {
			len = strlen(words[i].word);
			if (strncmp(text, words[i].word, len) == 0)
				break;
		}
		if (i < sizeof words / sizeof *words) {
			buf_puts(&b, words[i].dir());
			text += len;
		} else {
			buf_putc(&b, *text++);
		}
	}
	return buf_steal(&b);
}
