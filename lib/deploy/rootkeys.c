#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/json.h"
#include "base/xalloc.h"
#include "deploy/rootkeys.h"

enum { KEYS_MAX = 32, DISABLED_MAX = 1024, PACKAGE_MAX = 256 << 10 };

struct rootkey {
	char *kid;
	struct jws_key *key;
};

struct disabled_hash {
	char *algorithm, *hash;
};

struct rootkeys {
	struct rootkey key[KEYS_MAX];
	size_t n;
	char *disabled[DISABLED_MAX];		/* key ids of root keys */
	size_t n_disabled;
	struct disabled_hash signing[DISABLED_MAX];
	size_t n_signing;
};

struct rootkeys *
rootkeys_new(void)
{
	return xcalloc(1, sizeof(struct rootkeys));
}

void
rootkeys_free(struct rootkeys *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		free(r->key[i].kid);
		jws_key_free(r->key[i].key);
	}
	for (size_t i = 0; i < r->n_disabled; i++)
		free(r->disabled[i]);
	for (size_t i = 0; i < r->n_signing; i++) {
		free(r->signing[i].algorithm);
		free(r->signing[i].hash);
	}
	free(r);
}

size_t
rootkeys_count(const struct rootkeys *r)
{
	return r->n;
}

const struct jws_key *
rootkeys_find(const struct rootkeys *r, const char *kid)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->key[i].kid, kid) == 0)
			return r->key[i].key;
	return NULL;
}

bool
rootkeys_disabled(const struct rootkeys *r, const char *kid)
{
	for (size_t i = 0; i < r->n_disabled; i++)
		if (strcmp(r->disabled[i], kid) == 0)
			return true;
	return false;
}

bool
rootkeys_signing_disabled(const struct rootkeys *r, const struct jws_key *k)
{
	for (size_t i = 0; i < r->n_signing; i++)
		if (jws_key_has_hash(k, r->signing[i].algorithm, r->signing[i].hash))
			return true;
	return false;
}

/* KEY is taken. */
static int
key_add(struct rootkeys *r, const char *name, const char *kid, struct jws_key *key, struct fail *f)
{
	const struct jws_key *have = rootkeys_find(r, kid);
	bool same = have && jws_key_equal(have, key);

	if (!have && r->n < KEYS_MAX) {
		r->key[r->n++] = (struct rootkey){ .kid = xstrdup(kid), .key = key };
		return 0;
	}
	jws_key_free(key);
	if (!have)
		return fail_set(f, EXIT_USAGE, "%s: more than %d root keys", name, KEYS_MAX);
	return same ? 0 : fail_set(f, EXIT_DENIED,
	    "%s: root key '%s' differs from the key of that id in another file of rootkeys.d", name, kid);
}

/* An exponent is a number in real packages, text in their schema, and base64url in a JWK. */
static char *
exponent_value(struct json e)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *text = json_get_string(e);
	int64_t n = 0;
	char *end = NULL;

	if (text)
		n = strtoll(text, &end, 10);
	else if (!json_get_whole(e, &n))
		return NULL;
	if (text && (!*text || *end))
		return xstrdup(text);
	if (n < 3 || n > 0xffffff)
		return NULL;
	return xasprintf("%c%c%c%c", digits[n >> 18 & 63], digits[n >> 12 & 63], digits[n >> 6 & 63],
	    digits[n & 63]);
}

static struct jws_key *
key_of(struct json object, const char *type_member)
{
	const char *type = json_is_object(object) ? json_get_text(object, type_member) : NULL;
	_cleanup_json_ struct json e = json_is_object(object) ? json_get(object, "e") : JSON_ABSENT;
	_cleanup_free_ char *text = exponent_value(e);

	return type && strcmp(type, "RSA") == 0 ? jws_key_new(json_get_text(object, "n"), text) : NULL;
}

static int
parse_jwk(struct rootkeys *r, const char *name, struct json jwk, struct fail *f)
{
	const char *kid = json_is_object(jwk) ? json_get_text(jwk, "kid") : NULL;
	struct jws_key *key = key_of(jwk, "kty");

	if (kid && key)
		return key_add(r, name, kid, key, f);
	jws_key_free(key);
	return fail_set(f, EXIT_USAGE, "%s: a key is not an RSA public key of at least 2048 bits"
	    " with kty, kid, n and e", name);
}

static int
parse_jwks(struct rootkeys *r, const char *name, struct json keys, struct fail *f)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < json_count(keys); i++) {
		_cleanup_json_ struct json jwk = json_at(keys, i);
		status = parse_jwk(r, name, jwk, f);
	}
	return status;
}

/* The end of the JSON string that begins at S: behind its closing quote.  The text is well-formed JSON. */
static const char *
string_end(const char *s)
{
	for (s++; *s != '"'; s++)
		if (*s == '\\')
			s++;
	return s + 1;
}

/* The end of the JSON value that begins at S. */
static const char *
value_end(const char *s)
{
	int depth = 0;

	do {
		if (*s == '"') {
			s = string_end(s);
		} else {
			depth += (*s == '{' || *s == '[') - (*s == '}' || *s == ']');
			s++;
		}
	} while (depth > 0);
	return s;
}

/*
 * What was signed: the text of the member "protected" as a compact printer
 * writes it.  The value is copied from TEXT, because a parsed value has lost the
 * spelling of its strings and numbers.  With SLASHES each "/" is "\/", as parson,
 * the printer of the Azure agent, writes it.  False where TEXT has no such member
 * in that spelling.
 */
static bool
signed_text(const char *text, bool slashes, struct buf *out)
{
	static const char member[] = "\"protected\"";
	const char *s = strchr(text, '{') + 1, *value = NULL, *end = NULL;

	for (;;) {
		s += strspn(s, " \t\r\n,");
		if (*s != '"')
			break;
		bool ours = strncmp(s, member, sizeof member - 1) == 0;
		s = string_end(s);
		s += strspn(s, " \t\r\n:");
		if (ours && *s == '{') {
			value = s;
			end = value_end(s);
		}
		s = *s == '{' || *s == '[' || *s == '"' ? value_end(s) : s + strcspn(s, ",} \t\r\n");
	}
	buf_reset(out);
	for (s = value; s && s < end;) {
		const char *next = *s == '"' ? string_end(s) : s + 1;
		if (*s != '"' && strchr(" \t\r\n", *s)) {
			s = next;
			continue;
		}
		for (; s < next; s++) {
			if (slashes && *s == '/' && s[-1] != '\\')
				buf_putc(out, '\\');
			buf_putc(out, *s);
		}
	}
	return value;
}

/* Has KEY made one of SIGNATURES over TEXT? */
static bool
is_signed_by(const struct jws_key *key, const struct buf *text, struct json signatures)
{
	for (size_t i = 0; i < json_count(signatures) && i < KEYS_MAX; i++) {
		_cleanup_json_ struct json one = json_at(signatures, i);
		const char *alg = json_is_object(one) ? json_get_text(one, "alg") : NULL;
		const char *sig = json_is_object(one) ? json_get_text(one, "sig") : NULL;

		if (alg && sig && strcmp(alg, "RS256") == 0 && jws_key_signed(key, text->s, text->len, sig))
			return true;
	}
	return false;
}

/* What was signed, in the two spellings of a package. */
struct signed_texts {
	struct buf plain, slashed;
};

static int
add_package_keys(struct rootkeys *r, const char *name, const struct signed_texts *texts, struct json keys,
    struct json signatures, struct fail *f)
{
	int status = 0;

	if (!json_is_object(keys) || json_count(keys) == 0)
		return fail_set(f, EXIT_USAGE, "%s: protected.rootKeys is not an object with keys", name);
	for (struct json_iter it = json_begin(keys); json_next(&it);) {
		struct jws_key *key = key_of(it.value, "keyType");

		if (!key)
			status = fail_set(f, EXIT_USAGE, "%s: root key '%s' is not an RSA public key of at"
			    " least 2048 bits", name, it.key);
		else if (!is_signed_by(key, &texts->plain, signatures) &&
		    !is_signed_by(key, &texts->slashed, signatures)) {
			jws_key_free(key);
			status = fail_set(f, EXIT_DENIED, "%s: is not signed by its root key '%s'", name, it.key);
		} else
			status = key_add(r, name, it.key, key, f);
		if (status < 0) {
			json_end(&it);
			break;
		}
	}
	return status;
}

static int
add_disabled(struct rootkeys *r, const char *name, struct json roots, struct json signing, struct fail *f)
{
	for (size_t i = 0; i < json_count(roots); i++) {
		_cleanup_json_ struct json kid = json_at(roots, i);

		if (!json_get_string(kid) || r->n_disabled == DISABLED_MAX)
			return fail_set(f, EXIT_USAGE, "%s: protected.disabledRootKeys is not a list of at most"
			    " %d key ids", name, DISABLED_MAX);
		r->disabled[r->n_disabled++] = xstrdup(json_get_string(kid));
	}
	for (size_t i = 0; i < json_count(signing); i++) {
		_cleanup_json_ struct json one = json_at(signing, i);
		const char *alg = json_is_object(one) ? json_get_text(one, "alg") : NULL;
		const char *hash = json_is_object(one) ? json_get_text(one, "hash") : NULL;

		/* a key with a hash of another algorithm could not be recognized as disabled */
		if (!alg || !hash || r->n_signing == DISABLED_MAX || (strcasecmp(alg, "SHA256") != 0 &&
		    strcasecmp(alg, "SHA384") != 0 && strcasecmp(alg, "SHA512") != 0))
			return fail_set(f, EXIT_USAGE, "%s: protected.disabledSigningKeys is not a list of at most"
			    " %d {\"alg\":\"SHA256\",\"hash\"}", name, DISABLED_MAX);
		r->signing[r->n_signing++] = (struct disabled_hash){ xstrdup(alg), xstrdup(hash) };
	}
	return 0;
}

/* An absent member is an empty list; a member of another type is an error. */
static int
list_check(const char *name, const char *member, struct json list, struct fail *f)
{
	enum json_kind kind = json_kind(list);

	return kind == JSON_NONE || kind == JSON_ARRAY ? 0 :
	    fail_set(f, EXIT_USAGE, "%s: protected.%s is %s, not an array", name, member, json_kind_name(list));
}

/* The keys and lists of PROTECTED, the object that TEXTS spell. */
static int
add_protected(struct rootkeys *r, const char *name, const struct signed_texts *texts, struct json protected,
    struct json signatures, struct fail *f)
{
	_cleanup_json_ struct json keys = json_get(protected, "rootKeys");
	_cleanup_json_ struct json roots = json_get(protected, "disabledRootKeys");
	_cleanup_json_ struct json signing = json_get(protected, "disabledSigningKeys");
	int status = list_check(name, "disabledRootKeys", roots, f);

	if (status == 0)
		status = list_check(name, "disabledSigningKeys", signing, f);
	if (status == 0)
		status = add_package_keys(r, name, texts, keys, signatures, f);
	return status < 0 ? status : add_disabled(r, name, roots, signing, f);
}

/*
 * What is read is the text whose signature is checked, and not the member of the
 * parsed package: a member that is there twice, once spelled with an escape, is one
 * thing to the parser and may be another to whatever wrote the text.
 */
static int
parse_package(struct rootkeys *r, const char *name, const char *text, struct json package, struct fail *f)
{
	_cleanup_json_ struct json signatures = json_get(package, "signatures"), protected = JSON_ABSENT;
	struct signed_texts texts = { BUF_INIT, BUF_INIT };
	int status;

	if (json_kind(signatures) != JSON_ARRAY)
		return fail_set(f, EXIT_USAGE, "%s: is not a root key package: signatures is %s", name,
		    json_kind_name(signatures));
	if (!signed_text(text, false, &texts.plain) || !signed_text(text, true, &texts.slashed))
		status = fail_set(f, EXIT_USAGE, "%s: is not a root key package: protected is not an object", name);
	else
		status = json_parse(name, texts.plain.s, texts.plain.len, &protected, f);
	if (status == 0)
		status = add_protected(r, name, &texts, protected, signatures, f);
	buf_release(&texts.plain);
	buf_release(&texts.slashed);
	return status;
}

int
rootkeys_parse(struct rootkeys *r, const char *name, const char *text, size_t len, struct fail *f)
{
	_cleanup_json_ struct json whole = JSON_ABSENT;
	_cleanup_json_ struct json protected = JSON_ABSENT;
	_cleanup_json_ struct json keys = JSON_ABSENT;
	int status;

	if (len > PACKAGE_MAX)
		return fail_set(f, EXIT_USAGE, "%s: is longer than %d KiB", name, PACKAGE_MAX >> 10);
	status = json_parse(name, text, len, &whole, f);
	if (status < 0)
		return status;
	if (!json_is_object(whole))
		return fail_set(f, EXIT_USAGE, "%s: is %s, not an object", name, json_kind_name(whole));
	protected = json_get(whole, "protected");
	keys = json_get(whole, "keys");
	if (json_kind(protected) != JSON_NONE)
		return parse_package(r, name, text, whole, f);
	return json_kind(keys) == JSON_ARRAY ? parse_jwks(r, name, keys, f) : parse_jwk(r, name, whole, f);
}

static int
load_file(struct rootkeys *r, const char *path, struct fail *f)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	int status = file_load_trusted(path, (gid_t)-1, PACKAGE_MAX, &text, f);

	if (status == 0 && memchr(text.s, 0, text.len))
		return fail_set(f, EXIT_USAGE, "%s: has a NUL byte in it", path);
	return status < 0 ? status : rootkeys_parse(r, path, text.s, text.len, f);
}

static int
is_key_file(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return e->d_name[0] != '.' && n > 5 && strcmp(e->d_name + n - 5, ".json") == 0;
}

/* The files of BASE/rootkeys.d, but for those that OVERRIDING (NULL for none) has, too. */
static int
load_dir(struct rootkeys *r, const char *base, const char *overriding, struct fail *f)
{
	_cleanup_free_ char *dir = xasprintf("%s/rootkeys.d", base);
	struct dirent **list = NULL;
	int n = scandir(dir, &list, is_key_file, alphasort), status = 0;

	if (n < 0)
		return errno == ENOENT ? 0 : fail_errno(f, errno, "%s", dir);
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", dir, list[i]->d_name);
		_cleanup_free_ char *other = overriding ?
		    xasprintf("%s/rootkeys.d/%s", overriding, list[i]->d_name) : NULL;

		if (status == 0 && (!other || access(other, F_OK) < 0))
			status = load_file(r, path, f);
		free(list[i]);
	}
	free(list);
	return status;
}

int
rootkeys_load(struct rootkeys **out, struct fail *f)
{
	struct rootkeys *r = rootkeys_new();
	int status = load_dir(r, dirs_config(), NULL, f);

	if (status == 0)
		status = load_dir(r, dirs_vendor(), dirs_config(), f);
	if (status == 0)
		*out = r;
	else
		rootkeys_free(r);
	return status;
}
