#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ini.h"

static const struct {
	const char *text;
	const char *said;	/* "[section]" and "key=value|" as handed out, or the error */
} texts[] = {
	{ "", "" },
	{ "# only\n; comments\n\n", "" },
	{ "[a]\nk = v\n", "[a]k=v|" },
	{ "[a]\n k=v ; and this ", "[a]k=v ; and this|" },
	{ "[ a b ]\r\nk=\r\n", "[a b]k=|" },
	{ "[a]\nk=one\n  two\n\tthree\nl=x\n", "[a]k=one\ntwo\nthree|l=x|" },
	{ "[a]\nk=one\n\n  l=two\n", "[a]k=one|l=two|" },
	{ "[a]\nk = a = b\n", "[a]k=a = b|" },
	{ "k=v\n", "f:1: key 'k' stands before any section" },
	{ "[a]\nword\n", "[a]f:2: neither a section nor a key with a value: 'word'" },
	{ "[a]\n=v\n", "[a]f:2: no key before the '='" },
	{ "\n[a\n", "f:2: not a section: '[a'" },
	{ "[]\n", "f:1: not a section: '[]'" },
	{ "[a]\nk=x\n y\nz\n", "[a]k=x\ny|f:4: neither a section nor a key with a value: 'z'" },
	{ "[a]\nk=\xff\n", "f: is not UTF-8 at byte 6" },
};

static int
note(const struct ini_entry *e, void *cookie, struct fail *f)
{
	struct buf *b = cookie;

	(void)f;
	if (e->key)
		buf_printf(b, "%s=%s|", e->key, e->value);
	else
		buf_printf(b, "[%s]", e->section);
	return 0;
}

static int
is_parsed(const char *text, size_t len, const char *want)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail f;

	if (ini_parse("f", text, len, note, &b, &f) < 0) {
		assert(f.status == EXIT_USAGE);
		buf_puts(&b, f.text);
	}
	if (strcmp(b.s, want) == 0)
		return 0;
	printf("ini: '%s': got '%s', want '%s'\n", text, b.s, want);
	return 1;
}

static void
values(void)
{
	struct ini_entry e = { .file = "f", .line = 7, .section = "s", .key = "k", .value = "2m" };
	const char *const words[] = { "one", "two", "three", NULL };
	struct fail f;
	int64_t ms;
	int n;

	assert(ini_duration(&e, &ms, &f) == 0 && ms == 120000);
	assert(ini_bool(&e, &n, &f) < 0 && strcmp(f.text, "f:7: k: neither yes nor no: '2m'") == 0);
	assert(ini_word(&e, words, &n, &f) < 0);
	assert(strcmp(f.text, "f:7: k: '2m' is not one, two or three") == 0);
	e.value = "three";
	assert(ini_word(&e, words, &n, &f) == 0 && n == 2);
	assert(ini_duration(&e, &ms, &f) < 0 && f.status == EXIT_USAGE);
	assert(ini_unknown(&e, "kk l", &f) < 0 && strcmp(f.text, "f:7: key 'k' is not known in [s]") == 0);
	e.key = NULL;
	assert(ini_unknown(&e, "kk l", &f) < 0 && strcmp(f.text, "f:7: section [s] is not known") == 0);
}

int
main(void)
{
	int bad = 0;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		bad |= is_parsed(texts[i].text, strlen(texts[i].text), texts[i].said);
	bad |= is_parsed("[a]\nk=\0v\n", 9, "f: has a NUL byte");
	values();
	return bad;
}
