#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dirs.h"
#include "base/file.h"
#include "base/http.h"
#include "base/ini.h"
#include "base/xalloc.h"
#include "imp/account.h"

static const char default_url[] = "https://api.electricimp.com/v5";

static int
set_key(const struct ini_entry *e, void *cookie, struct fail *f)
{
	struct imp_account *a = cookie;
	char **at;

	if (strcmp(e->section, "account") != 0)
		return ini_unknown(e, "account", f);
	if (!e->key)
		return 0;
	if (strcmp(e->key, "url") == 0)
		at = &a->url;
	else if (strcmp(e->key, "login-key-file") == 0)
		at = &a->key_file;
	else if (strcmp(e->key, "ca-file") == 0)
		at = &a->ca_file;
	else
		return ini_unknown(e, "url login-key-file ca-file", f);
	free(*at);
	*at = dirs_expand(e->value);
	if (at != &a->url && **at != '/')
		return ini_bad(e, f, "%s: not an absolute path: '%s'", e->key, e->value);
	return 0;
}

static int
finish_account(struct imp_account *a, struct fail *f)
{
	size_t n;

	if (!a->url)
		a->url = xstrdup(default_url);
	if (!a->key_file)
		a->key_file = dirs_expand("${config}/impcentral.key");
	for (n = strlen(a->url); n && a->url[n - 1] == '/'; n--)
		a->url[n - 1] = '\0';
	return http_check_url(a->url, true, f);
}

int
imp_account_load(const char *file, struct imp_account *a, struct fail *f)
{
	_cleanup_free_ char *path = file ? xstrdup(file) : dirs_expand("${config}/impcentral.conf");
	_cleanup_buf_ struct buf text = BUF_INIT;
	int r = 0;

	*a = (struct imp_account){ .url = NULL };
	if (file || access(path, F_OK) == 0)
		r = file_load(path, FILE_TRUSTED, FILE_DATA_MAX, &text, f);
	if (r == 0)
		r = ini_parse(path, text.s, text.len, set_key, a, f);
	if (r == 0)
		r = finish_account(a, f);
	if (r < 0)
		imp_account_release(a);
	return r;
}

void
imp_account_release(struct imp_account *a)
{
	free(a->url);
	free(a->key_file);
	free(a->ca_file);
	*a = (struct imp_account){ .url = NULL };
}
