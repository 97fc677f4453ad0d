#include <regex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "doctor/redaction.h"

#define LEFT_OUT	"[left out]"

/* Names that say secret, with what follows in a longer name. */
#define SECRET_NAME \
	"(passw(or)?d|passphrase|secret|token|credential|authorization|cookie|" \
	"api[_-]?key|(access|private|login|account|client|shared)[a-z_-]*key|[_-]pin|[_-]psk)[a-z0-9_.-]*"

/* What follows in a longer line is left out, too: the rules take time by the square of its length. */
enum { SHORTEST_SECRET = 6, LONGEST_LINE = 16384 };

/* A rule leaves out what its group GROUP matches; group 1, where it is another, is the name of the value. */
struct secret_rule {
	const char *pattern;	/* POSIX extended regular expression, without regard to case */
	size_t group;
	bool named;		/* group 1 is a name: no rule for the name of a file */
};

enum { GROUPS = 8 };

static const struct secret_rule rules[] = {
	/* of a URL: the query, then the user, since "[left out]" is no URL */
	{ "://[^[:space:]\"'<>?#]*[?]([^[:space:]\"'<>#]+)", 1, false },
	{ "://([^[:space:]/\"'<>@]+)@", 1, false },
	{ "(bearer|basic|sharedaccesssignature|digest)[[:space:]]+([A-Za-z0-9+/=._~%&,:-]{6,})", 2, false },
	{ "(eyJ[A-Za-z0-9_-]{8,}[.][A-Za-z0-9_-]+([.][A-Za-z0-9_-]*)*)", 1, false },
	{ "(AKIA[0-9A-Z]{16})", 1, false },
	{ "(-----BEGIN [A-Z ]*PRIVATE KEY-----.*)$", 1, false },
	/* a quoted value, as in JSON; then one up to the end of the line */
	{ "(" SECRET_NAME ")[\\\\]*[\"']?[[:space:]]*[=:][[:space:]]*\"(([^\"\\\\]|\\\\.)+)\"", 5, true },
	{ "(" SECRET_NAME ")[\\\\]*[\"']?[[:space:]]*[=:][[:space:]]*([^[:space:]\"].*)$", 5, true },
	{ "--(" SECRET_NAME ")[[:space:]]+([^[:space:]=-][^[:space:]]*)", 5, true },
};

enum { N_RULES = sizeof rules / sizeof *rules };

struct redaction {
	regex_t rules[N_RULES];
	regex_t ini;		/* of a profile: its value and what continues it */
	char **secrets;
	size_t n, cap;
};

static void
compile_rule(regex_t *re, const char *pattern)
{
	if (regcomp(re, pattern, REG_EXTENDED | REG_ICASE) != 0)
		abort();
}

struct redaction *
redaction_new(void)
{
	struct redaction *r = xcalloc(1, sizeof *r);

	for (size_t i = 0; i < N_RULES; i++)
		compile_rule(&r->rules[i], rules[i].pattern);
	compile_rule(&r->ini, "^[[:space:]]*(header|body|username)[[:space:]]*=[[:space:]]*([^[:space:]].*)$");
	return r;
}

void
redaction_free(struct redaction *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < N_RULES; i++)
		regfree(&r->rules[i]);
	regfree(&r->ini);
	for (size_t i = 0; i < r->n; i++) {
		explicit_bzero(r->secrets[i], strlen(r->secrets[i]));
		free(r->secrets[i]);
	}
	free(r->secrets);
	free(r);
}

void
redaction_add(struct redaction *r, const char *secret, size_t len)
{
	if (len < SHORTEST_SECRET)
		return;
	r->secrets = xgrow(r->secrets, r->n, &r->cap, sizeof *r->secrets);
	r->secrets[r->n++] = xstrndup(secret, len);
}

/* LINE with the LEN bytes at AT replaced. */
static void
leave_out(struct buf *line, size_t at, size_t len)
{
	_cleanup_buf_ struct buf rest = BUF_INIT;

	buf_puts(&rest, line->s + at + len);
	line->len = at;
	buf_puts(line, LEFT_OUT);
	buf_add(line, rest.s, rest.len);
}

static bool
ends_in(const char *s, size_t len, const char *tail)
{
	const size_t n = strlen(tail);

	return len >= n && strncasecmp(s + len - n, tail, n) == 0;
}

static bool
names_a_place(const char *s, size_t len)
{
	return ends_in(s, len, "file") || ends_in(s, len, "path") || ends_in(s, len, "dir");
}

static void
apply_rule(const struct redaction *r, size_t i, struct buf *line)
{
	const struct secret_rule *rule = &rules[i];
	regmatch_t m[GROUPS];

	for (size_t at = 0; at < line->len && regexec(&r->rules[i], line->s + at, GROUPS, m,
	    at ? REG_NOTBOL : 0) == 0; ) {
		const size_t begin = at + (size_t)m[rule->group].rm_so, end = at + (size_t)m[rule->group].rm_eo;

		if (end == begin)	/* no rule matches nothing */
			return;
		if (strncmp(line->s + begin, LEFT_OUT, strlen(LEFT_OUT)) == 0 ||
		    (rule->named && names_a_place(line->s + at + m[1].rm_so, (size_t)(m[1].rm_eo - m[1].rm_so)))) {
			at = rule->named ? at + (size_t)m[1].rm_eo : end;
			continue;
		}
		leave_out(line, begin, end - begin);
		at = begin + strlen(LEFT_OUT);
	}
}

static void
apply_secrets(const struct redaction *r, struct buf *line)
{
	for (size_t i = 0; i < r->n; i++) {
		const size_t len = strlen(r->secrets[i]);

		for (char *at = line->s; (at = strstr(at, r->secrets[i])); ) {
			const size_t begin = (size_t)(at - line->s);

			leave_out(line, begin, len);
			at = line->s + begin + strlen(LEFT_OUT);
		}
	}
}

/* The line "key = value", whose value is left out; false if it is another one. */
static bool
apply_ini(const struct redaction *r, struct buf *line)
{
	regmatch_t m[GROUPS];

	if (regexec(&r->ini, line->s, GROUPS, m, 0) != 0)
		return false;
	leave_out(line, (size_t)m[2].rm_so, (size_t)(m[2].rm_eo - m[2].rm_so));
	return true;
}

static void
load_line(const char *s, size_t len, struct buf *line)
{
	const size_t kept = len < LONGEST_LINE ? len : LONGEST_LINE;

	buf_reset(line);
	buf_add(line, s, kept);
	if (kept < len)
		buf_printf(line, "[%zu more bytes]", len - kept);
	for (size_t i = 0; i < kept; i++)
		if (!line->s[i])
			line->s[i] = '?';
}

void
redaction_apply(const struct redaction *r, const char *text, size_t len, struct buf *out)
{
	_cleanup_buf_ struct buf line = BUF_INIT;
	bool in_key = false, in_value = false;

	for (const char *end = text + len; text < end; ) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		const size_t n = (size_t)((nl ? nl : end) - text);

		load_line(text, n, &line);
		text += n + (nl != NULL);
		if (in_key) {		/* of a private key the first line says that it was here */
			in_key = !strstr(line.s, "-----END ");
			continue;
		}
		in_key = strstr(line.s, "-----BEGIN ") && strstr(line.s, "PRIVATE KEY-----") && !strstr(line.s, "-----END ");
		if (in_value && (*line.s == ' ' || *line.s == '\t'))
			continue;
		apply_secrets(r, &line);
		in_value = apply_ini(r, &line);
		for (size_t i = 0; i < N_RULES && !in_value; i++)
			apply_rule(r, i, &line);
		buf_add(out, line.s, line.len);
		if (nl)
			buf_putc(out, '\n');
	}
}
