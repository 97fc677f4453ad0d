/* Text without its secrets: each row is what comes of a line, in both ways what is lost and what stays. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "doctor/redaction.h"

static int failed;

static void
check_text(const struct redaction *r, const char *text, size_t len, const char *want)
{
	_cleanup_buf_ struct buf out = BUF_INIT;

	redaction_apply(r, text, len, &out);
	if (strcmp(out.s, want) == 0)
		return;
	printf("%.*s\n\tis %s\n\tnot %s\n", (int)len, text, out.s, want);
	failed = 1;
}

static void
check_lines(const struct redaction *r)
{
	static const char *const rows[][2] = {
		/* names */
		{ "token = abc def", "token = [left out]" },
		{ "password=abc", "password=[left out]" },
		{ "MY_API_KEY=abc", "MY_API_KEY=[left out]" },
		{ "Environment=\"AUTH_TOKEN=abc\"", "Environment=\"AUTH_TOKEN=[left out]" },
		{ "{\"password\":\"a\\\"b\",\"x\":1}", "{\"password\":\"[left out]\",\"x\":1}" },
		{ "{\"a\":1, \"clientSecret\" : \"s\", \"token\":\"t\"}",
		    "{\"a\":1, \"clientSecret\" : \"[left out]\", \"token\":\"[left out]\"}" },
		{ "{\"text\":\"{\\\"token\\\":\\\"t\\\"}\"}", "{\"text\":\"{\\\"token\\\":[left out]" },
		{ "Authorization: Bearer abcdefghi", "Authorization: [left out]" },
		{ "Cookie: a=b; c=d", "Cookie: [left out]" },
		{ "tool --password hunter2 --port 8", "tool --password [left out] --port 8" },
		{ "tool --token=hunter2", "tool --token=[left out]" },
		{ "SharedAccessKey=abc;HostName=x", "SharedAccessKey=[left out]" },
		{ "login-key = k", "login-key = [left out]" },
		/* places of secrets are no secrets */
		{ "token-file = /etc/rejoin/token", "token-file = /etc/rejoin/token" },
		{ "login-key-file = /etc/k", "login-key-file = /etc/k" },
		{ "key-file = /etc/device.key", "key-file = /etc/device.key" },
		{ "token-file = /a, token = b", "token-file = /a, token = [left out]" },
		/* URLs */
		{ "get https://u:p@h/x?sig=1&y=2#f done", "get https://[left out]@h/x?[left out]#f done" },
		{ "\"url\":\"http://h/x?q\",\"b\":1", "\"url\":\"http://h/x?[left out]\",\"b\":1" },
		{ "https://a/b https://c/d?e", "https://a/b https://c/d?[left out]" },
		{ "mqtts://user@broker:8883", "mqtts://[left out]@broker:8883" },
		{ "https://h/@x", "https://h/@x" },
		/* credentials */
		{ "sent basic dXNlcjpwYXNz to it", "sent basic [left out] to it" },
		{ "jwt eyJhbGciOiJIUzI1.eyJzdWIi.abc-_ end", "jwt [left out] end" },
		{ "key AKIAIOSFODNN7EXAMPLE.", "key [left out]." },
		/* what was given */
		{ "it is s3cr3t-value, s3cr3t-value", "it is [left out], [left out]" },
		/* and what stays */
		{ "", "" },
		{ "2026-11-29T10:00:00Z a line: of text = 5", "2026-11-29T10:00:00Z a line: of text = 5" },
		{ "the token expired", "the token expired" },
		{ "{\"id\":\"a\",\"properties\":{\"path\":\"/x\"}}", "{\"id\":\"a\",\"properties\":{\"path\":\"/x\"}}" },
		{ "a basic fact", "a basic fact" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_text(r, rows[i][0], strlen(rows[i][0]), rows[i][1]);
}

static void
check_blocks(const struct redaction *r)
{
	static const char pem[] = "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nxyz\n-----END RSA PRIVATE KEY-----\nb\n";
	static const char cut[] = "-----BEGIN PRIVATE KEY-----\nMIIE";
	static const char ini[] = "[retry]\nheader = X-Key: abc\n    X-Other: def\n\tmore\nurl = http://h/\n";
	static const char nul[] = "a\0token=b\n";
	_cleanup_free_ char *line = xcalloc(1, 100002);
	_cleanup_buf_ struct buf out = BUF_INIT;

	check_text(r, pem, strlen(pem), "a\n[left out]\nb\n");
	check_text(r, cut, strlen(cut), "[left out]\n");
	check_text(r, ini, strlen(ini), "[retry]\nheader = [left out]\nurl = http://h/\n");
	check_text(r, nul, sizeof nul - 1, "a?token=[left out]\n");
	/* a long line ends early: a secret further on in it is lost as well */
	memset(line, 'x', 100000);
	strcpy(line + 90000, " token=abc\n");
	redaction_apply(r, line, strlen(line), &out);
	assert(!strstr(out.s, "abc") && strstr(out.s, "more bytes]\n") && out.len < 17000);
}

int
main(void)
{
	struct redaction *r = redaction_new();

	redaction_add(r, "s3cr3t-value", 12);
	redaction_add(r, "it", 2);	/* too short to be looked for in each word */
	check_lines(r);
	check_blocks(r);
	redaction_free(r);
	return failed;
}
