#include <dirent.h>
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
dir_locate(struct place *p)
{
	const char *home = secure_getenv("HOME");

	if (p->found)
		return p->found;
	if (is_set(p->env))
		p->found = xstrdup(secure_getenv(p->env));
	else if (is_users() && is_set(p->xdg))
		p->found = xconcat(secure_getenv(p->xdg), "/rejoin", NULL);
	else if (is_users() && p->home && home && *home)
		p->found = xconcat(home, "/", p->home, "/rejoin", NULL);
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

	return dir_locate(&p);
}

/* The directory of the program that runs; empty where /proc does not tell. */
static void
own_directory(char dir[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *slash;

	dir[n > 0 ? n : 0] = '\0';
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
}

/* Cut LAST, a path of one or more names, off DIR. */
static bool
cut_off(char *dir, const char *last)
{
	size_t n = strlen(dir), l = strlen(last);

	if (n <= l || strcmp(dir + n - l, last) != 0)
		return false;
	dir[n - l] = '\0';
	return true;
}

const char *
dirs_build_tree(void)
{
	static char tree[PATH_MAX];
	static bool known;
	_cleanup_free_ char *mark = NULL;
	char *slash;

	if (known)
		return *tree ? tree : NULL;
	known = true;
	own_directory(tree);
	slash = cut_off(tree, "/bin") || cut_off(tree, "/libexec/rejoin") ? strrchr(tree, '/') : NULL;
	if (!slash || (strcmp(slash, "/build") != 0 && strncmp(slash, "/build-", 7) != 0)) {
		tree[0] = '\0';
		return NULL;
	}
	*slash = '\0';
	mark = xconcat(tree, "/packaging/agents.d/rejoin.conf", NULL);
	if (access(mark, F_OK) < 0)
		tree[0] = '\0';
	return *tree ? tree : NULL;
}

const char *
dirs_vendor(void)
{
	static char *of_tree;

	if (!of_tree && dirs_build_tree())
		of_tree = xconcat(dirs_build_tree(), "/packaging", NULL);
	return of_tree ? of_tree : VENDOR_DIR;
}

const char *
dirs_state(void)
{
	static struct place p = { "REJOIN_STATE_DIR", "/var/lib/rejoin",
	    "XDG_STATE_HOME", ".local/state", NULL };

	return dir_locate(&p);
}

const char *
dirs_runtime(void)
{
	static struct place p = { "REJOIN_RUNTIME_DIR", "/run/rejoin",
	    "XDG_RUNTIME_DIR", NULL, NULL };

	return dir_locate(&p);
}

bool
dirs_runtime_is_users(void)
{
	return is_users();
}

const char *
dirs_runtime_system(void)
{
	return "/run/rejoin";
}

char *
dirs_find(const char *subdir, const char *name)
{
	/* not both at once: to find the vendor's takes longer than to find the file */
	const char *(*const roots[])(void) = { dirs_config, dirs_vendor };

	for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
		_cleanup_free_ char *path = subdir ? xconcat(roots[i](), "/", subdir, "/", name, NULL) :
		    xconcat(roots[i](), "/", name, NULL);

		if (access(path, F_OK) == 0)
			return TAKE_PTR(path);
	}
	return NULL;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of DIR/SUBDIR, added to the *N ones of V. */
static char **
add_names(char **v, size_t *n, const char *dir, const char *subdir, const char *suffix)
{
	_cleanup_free_ char *path = xconcat(dir, "/", subdir, NULL);
	DIR *d = opendir(path);

	for (const struct dirent *e; d && (e = readdir(d)); ) {
		size_t len = strlen(e->d_name), tail = strlen(suffix);

		if (len <= tail || *e->d_name == '.' || strcmp(e->d_name + len - tail, suffix) != 0)
			continue;
		v = xrealloc(v, *n + 2, sizeof *v);
		v[(*n)++] = xstrndup(e->d_name, len - tail);
	}
	if (d)
		closedir(d);
	return v;
}

char **
dirs_list(const char *subdir, const char *suffix)
{
	char **v = xcalloc(1, sizeof *v);
	size_t n = 0, kept = 0;

	v = add_names(v, &n, dirs_config(), subdir, suffix);
	v = add_names(v, &n, dirs_vendor(), subdir, suffix);
	qsort(v, n, sizeof *v, compare_names);
	for (size_t i = 0; i < n; i++)
		if (kept > 0 && strcmp(v[kept - 1], v[i]) == 0)
			free(v[i]);
		else
			v[kept++] = v[i];
	v[kept] = NULL;
	return v;
}

char *
dirs_helper(const char *name)
{
	char self[PATH_MAX];
	_cleanup_free_ char *path = NULL;

	own_directory(self);
	if (*self) {
		path = xconcat(self, "/../libexec/rejoin/", name, NULL);
		if (access(path, X_OK) == 0)
			return TAKE_PTR(path);
	}
	return xconcat(LIBEXEC_DIR "/", name, NULL);
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
