#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "deploy/apt.h"

enum { PACKAGES_MAX = 1000, WORD_MAX = 255 };

bool
apt_is_handler(const char *handler)
{
	return handler && strcmp(handler, "microsoft/apt:1") == 0;
}

/* Is S made of letters, digits and MORE, and does it begin with a letter or digit? */
static bool
is_word(const char *s, const char *more)
{
	static const char alnum[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	const size_t len = strlen(s);

	if (len == 0 || len > WORD_MAX || !strchr(alnum, *s))
		return false;
	for (; *s; s++)
		if (!strchr(alnum, *s) && !strchr(more, *s))
			return false;
	return true;
}

static int
parse_package(const char *name, struct json v, size_t i, struct apt_package *p, struct fail *f)
{
	const char *package = json_get_text(v, "name"), *version = json_get_text(v, "version");
	_cleanup_json_ struct json given = json_get(v, "version");
	size_t len = package ? strlen(package) : 0;

	p->is_unwanted = len > 1 && package[len - 1] == '-';
	p->name = xstrndup(package ? package : "", len - p->is_unwanted);
	p->version = version ? xstrdup(version) : NULL;
	if (!is_word(p->name, ".+-:"))
		return fail_set(f, EXIT_USAGE, "%s: packages[%zu].name '%.100s' is not the name of a package", name, i,
		    package ? package : "");
	if (version ? !is_word(version, ".+-:~") : json_kind(given) != JSON_NONE && json_kind(given) != JSON_NULL)
		return fail_set(f, EXIT_USAGE, "%s: packages[%zu].version '%.100s' is not the version of a package", name, i,
		    version ? version : json_kind_name(given));
	if (p->is_unwanted && version)
		return fail_set(f, EXIT_USAGE, "%s: packages[%zu]: '%s' is to be removed, and has a version", name, i, package);
	return 0;
}

static int
parse_packages(const char *name, struct json list, struct apt_update *u, struct fail *f)
{
	if (json_kind(list) != JSON_ARRAY || json_count(list) == 0 || json_count(list) > PACKAGES_MAX)
		return fail_set(f, EXIT_USAGE, "%s: packages is not an array of 1 to %d packages", name, PACKAGES_MAX);
	u->packages = xcalloc(json_count(list), sizeof *u->packages);
	for (size_t i = 0; i < json_count(list); i++) {
		_cleanup_json_ struct json one = json_at(list, i);
		int r = parse_package(name, one, i, &u->packages[u->n++], f);

		if (r < 0)
			return r;
	}
	return 0;
}

int
apt_update_parse(const char *name, const char *text, size_t len, struct apt_update *u, struct fail *f)
{
	_cleanup_json_ struct json v = JSON_ABSENT, list = JSON_ABSENT, restart = JSON_ABSENT;
	int r;

	*u = (struct apt_update){ 0 };
	r = json_parse(name, text, len, &v, f);
	if (r < 0)
		return r;
	if (!json_get_text(v, "name") || !json_get_text(v, "version"))
		return fail_set(f, EXIT_USAGE, "%s: is no APT manifest: it has no name and version", name);
	u->name = xstrdup(json_get_text(v, "name"));
	u->version = xstrdup(json_get_text(v, "version"));
	restart = json_get(v, "agentRestartRequired");
	u->restarts_agent = json_kind(restart) == JSON_TRUE;
	list = json_get(v, "packages");
	return parse_packages(name, list, u, f);
}

void
apt_update_release(struct apt_update *u)
{
	for (size_t i = 0; i < u->n; i++) {
		free(u->packages[i].name);
		free(u->packages[i].version);
	}
	free(u->packages);
	free(u->name);
	free(u->version);
	*u = (struct apt_update){ 0 };
}

char *
apt_package_operand(const struct apt_package *p)
{
	if (p->is_unwanted)
		return xasprintf("%s-", p->name);
	return p->version ? xasprintf("%s=%s", p->name, p->version) : xstrdup(p->name);
}

bool
apt_package_is_met(const struct apt_package *p, const char *query, struct buf *why)
{
	static const char installed[] = "installed ";
	const char *found = NULL;
	size_t n = 0;

	for (; *query && !(found && p->version && strlen(p->version) == n && memcmp(found, p->version, n) == 0);
	    query += strcspn(query, "\n"), query += *query == '\n')
		if (strncmp(query, installed, sizeof installed - 1) == 0) {
			found = query + sizeof installed - 1;
			n = strcspn(found, "\n");
		}
	if (!found) {
		if (!p->is_unwanted)
			buf_printf(why, "%s is not installed", p->name);
		return p->is_unwanted;
	}
	if (!p->is_unwanted && (!p->version || (strlen(p->version) == n && memcmp(found, p->version, n) == 0)))
		return true;
	buf_printf(why, "%s is at %.*s", p->name, (int)n, found);
	return false;
}
