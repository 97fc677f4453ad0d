#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "task/taskd.h"
#include "task/target.h"

static const char unix_scheme[] = "unix:", ssh_scheme[] = "ssh://";

void
target_release(struct target *t)
{
	free(t->name);
	free(t->key);
	free(t->socket);
	free(t->host);
	free(t->port);
	*t = (struct target){ NULL, NULL, NULL, NULL, NULL };
}

/* A host or user name of LEN bytes that ssh cannot take for an option or a pattern. */
static bool
is_name(const char *s, size_t len)
{
	if (len == 0 || *s == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("._-", s[i]))
			return false;
	return true;
}

static bool
is_address6(const char *s, size_t len)
{
	if (len < 4 || s[0] != '[' || s[len - 1] != ']')
		return false;
	for (size_t i = 1; i + 1 < len; i++)	/* ADDRESS or ADDRESS%ZONE */
		if (!isalnum((unsigned char)s[i]) && s[i] != ':' && s[i] != '.' && s[i] != '%')
			return false;
	return memchr(s, ':', len) != NULL;
}

/* [USER@]HOST[:PORT], the port where PORTS. */
static bool
parse_host(const char *text, bool ports, struct target *t)
{
	const char *at = strchr(text, '@'), *host = at ? at + 1 : text, *end, *port = NULL;
	int64_t n;

	end = *host == '[' ? strchr(host, ']') : NULL;
	end = end ? end + 1 : host + strcspn(host, ports ? ":" : "");
	if (*end == ':' && ports)
		port = end + 1;
	else if (*end)
		return false;
	if (at && !is_name(text, (size_t)(at - text)))
		return false;
	if (!is_name(host, (size_t)(end - host)) && !is_address6(host, (size_t)(end - host)))
		return false;
	if (port && num_parse(port, 1, 65535, &n) < 0)
		return false;
	/* ssh wants an IPv6 address without its brackets */
	if (*host == '[')
		t->host = xasprintf("%.*s%.*s", (int)(host - text), text, (int)(end - host - 2), host + 1);
	else
		t->host = xstrndup(text, (size_t)(end - text));
	t->port = port ? xstrdup(port) : NULL;
	return true;
}

int
target_parse(const char *text, struct target *t, struct fail *f)
{
	*t = (struct target){ .name = xstrdup(*text ? text : "taskd") };
	t->key = file_encode(*text ? text : "local");
	if (!*text || strcmp(text, unix_scheme) == 0) {
		t->socket = taskd_socket_path();
		return 0;
	}
	if (strncmp(text, unix_scheme, sizeof unix_scheme - 1) == 0) {
		t->socket = xstrdup(text + sizeof unix_scheme - 1);
		return 0;
	}
	if (strncmp(text, ssh_scheme, sizeof ssh_scheme - 1) == 0 ?
	    parse_host(text + sizeof ssh_scheme - 1, true, t) : parse_host(text, false, t))
		return 0;
	return fail_set(f, EXIT_USAGE, "%s: not a target: unix:PATH, [USER@]HOST or ssh://[USER@]HOST[:PORT]", text);
}

bool
target_is_one(const char *text)
{
	return strncmp(text, unix_scheme, sizeof unix_scheme - 1) == 0 || strpbrk(text, ".:@[/") != NULL;
}
