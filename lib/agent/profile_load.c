#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/profile.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/suggest.h"
#include "base/xalloc.h"

/* Where profiles are found, and whether they may be used; profile.c reads what they say. */
enum { PROFILE_MAX = 65536 };

static int
look_up_owners(struct profile *p, struct fail *f)
{
	struct passwd *pw = p->user ? getpwnam(p->user) : NULL;
	struct group *gr = p->group ? getgrnam(p->group) : NULL;

	if (pw)
		p->uid = pw->pw_uid;
	if (gr)
		p->gid = gr->gr_gid;
	if ((!p->user || pw) && (!p->group || gr))
		return 0;
	if (p->user && !pw)
		fail_set(f, EXIT_USAGE, "%s: there is no user '%s'", p->file, p->user);
	else
		fail_set(f, EXIT_USAGE, "%s: there is no group '%s'", p->file, p->group);
	fail_hint(f, "install the agent, which creates it; rejoin-doctor profiles lists the agents that are installed here");
	return -EBADMSG;
}

static bool
is_name(const char *s)
{
	if (!*s || *s == '.')
		return false;
	for (; *s; s++)
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= 'A' && *s <= 'Z') && !(*s >= '0' && *s <= '9') &&
		    *s != '.' && *s != '_' && *s != '-')
			return false;
	return true;
}

/* The name that agents.d/default stands for, or NULL. */
static char *
linked_default(void)
{
	_cleanup_free_ char *path = dirs_find("agents.d", "default");
	_cleanup_free_ char *real = path ? realpath(path, NULL) : NULL;
	char *base = real ? strrchr(real, '/') + 1 : NULL;
	size_t n = base ? strlen(base) : 0;

	return n > 5 && strcmp(base + n - 5, ".conf") == 0 ? xstrndup(base, n - 5) : NULL;
}

char *
profile_default_name(void)
{
	const char *env = secure_getenv("REJOIN_AGENT");
	char *name = env && *env ? xstrdup(env) : linked_default();

	return name ? name : xstrdup("rejoin");
}

/* The group that may write a profile is in the profile itself: one that is denied is read for its group alone. */
static int
load_text(const char *path, struct buf *text, struct fail *f)
{
	struct profile *p = NULL;
	struct fail first;
	int r = file_load_trusted(path, (gid_t)-1, PROFILE_MAX, text, f);

	if (r == 0 || f->status != EXIT_DENIED)
		return r;
	first = *f;
	if (file_load(path, 0, PROFILE_MAX, text, f) == 0 &&
	    profile_parse(path, text->s, text->len, &p, f) == 0 && look_up_owners(p, f) == 0 &&
	    p->gid != (gid_t)-1)
		r = file_load_trusted(path, p->gid, PROFILE_MAX, text, f);
	else
		*f = first;
	profile_free(p);
	return r;
}

static int
missing_profile(const char *name, struct fail *f)
{
	char **all = dirs_list("agents.d", ".conf");
	struct suggest near;

	fail_set(f, EXIT_USAGE, "no profile '%s': neither %s/agents.d/%s.conf nor %s/agents.d/%s.conf"
	    " is there", name, dirs_config(), name, dirs_vendor(), name);
	suggest_begin(&near, name);
	for (char **p = all; *p; p++)
		suggest_offer(&near, *p);
	suggest_fail(&near, "profiles", f);
	if (!*f->hint)
		fail_hint(f, "rejoin-doctor profiles lists the profiles; rejoin(7) describes them");
	suggest_release(&near);
	xfree_strv(all);
	return -ENOENT;
}

int
profile_load_as_written(const char *name, struct profile **out, struct fail *f)
{
	_cleanup_free_ char *chosen = name ? xstrdup(name) : profile_default_name();
	_cleanup_free_ char *base = xconcat(chosen, ".conf", NULL);
	_cleanup_free_ char *path = is_name(chosen) ? dirs_find("agents.d", base) : NULL;
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct fail missing;
	int r;

	if (!is_name(chosen)) {
		fail_set(f, EXIT_USAGE, "not a profile's name: '%s'", chosen);
		return -ENOENT;
	}
	if (!path)
		return missing_profile(chosen, f);
	r = load_text(path, &text, f);
	if (r == 0)
		r = profile_parse(path, text.s, text.len, out, f);
	if (r < 0)
		return r == -ENOENT ? -EIO : r;	/* gone just now */
	free((*out)->name);
	(*out)->name = TAKE_PTR(chosen);
	(void)look_up_owners(*out, &missing);
	return 0;
}

int
profile_load(const char *name, struct profile **out, struct fail *f)
{
	int r = profile_load_as_written(name, out, f);

	if (r < 0)
		return r;
	r = look_up_owners(*out, f);
	if (r < 0) {
		profile_free(*out);
		*out = NULL;
	}
	return r;
}

struct name_list {
	char **names;
	size_t n, cap;
};

static void
add_names(const char *dir, struct name_list *l)
{
	_cleanup_free_ char *path = xconcat(dir, "/agents.d", NULL);
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		size_t n = strlen(e->d_name);
		bool known = n < 6 || strcmp(e->d_name + n - 5, ".conf") != 0;
		char *name = xstrndup(e->d_name, n < 5 ? n : n - 5);

		for (size_t i = 0; i < l->n && !known; i++)
			known = strcmp(l->names[i], name) == 0;
		if (known || !is_name(name)) {
			free(name);
			continue;
		}
		l->names = xgrow(l->names, l->n + 1, &l->cap, sizeof *l->names);
		l->names[l->n++] = name;
		l->names[l->n] = NULL;
	}
	if (d)
		closedir(d);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **
profile_names(void)
{
	struct name_list l = { 0 };

	add_names(dirs_config(), &l);
	add_names(dirs_vendor(), &l);
	if (!l.names)
		return xcalloc(1, sizeof *l.names);
	qsort(l.names, l.n, sizeof *l.names, compare_names);
	return l.names;
}

struct profile *
profile_load_or_die(const char *name)
{
	struct profile *p = NULL;
	struct fail f;

	if (profile_load(name, &p, &f) < 0)
		fail_die(&f);
	fail_set_next_step("rejoin-doctor -A %s finds the cause", p->name);
	return p;
}

void
profile_ask_by(struct profile *p, const char *const *argv)
{
	size_t n = 0;

	xfree_strv(p->retry.argv);
	p->retry.method = RETRY_EXEC;
	while (argv[n])
		n++;
	p->retry.argv = xcalloc(n + 1, sizeof *p->retry.argv);
	while (n-- > 0)
		p->retry.argv[n] = xstrdup(argv[n]);
}

void
profile_scope_or_die(const char *agent, char *const *named, struct profile_scope *s)
{
	bool none = !named || !*named;

	*s = (struct profile_scope){ .inventories = none ? s->own : named, .group = (gid_t)-1 };
	if (!agent && !none)
		return;
	s->profile = profile_load_or_die(agent);
	s->group = s->profile->gid;
	s->own[0] = s->profile->inventory;
	if (none && !s->own[0])
		die(EXIT_USAGE, 0, "%s: has no [inventory] file", s->profile->file);
}
