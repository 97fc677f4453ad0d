#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dirs.h"
#include "base/file.h"
#include "base/io.h"
#include "base/secret.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "hub/blob.h"

enum { RESULT_MAX = 65536, COPY = 65536, HEADERS_MAX = 65536 };

/* Where the bytes are while they are transferred. */
struct blob_place {
	char *path;		/* of our descriptor: the helper opens what we have checked, not a name */
	char *temporary;	/* to be renamed; NULL: none */
	int fd;
};

/* --- a storage token of EVP */

static struct json
token_params(const char *dialect, const char *name, const char *storage, const char *instance)
{
	struct json v = json_object(), outer;

	json_set_text(&v, "filename", name);
	if (strcmp(dialect, "evp1") == 0) {
		json_set_text(&v, "moduleInstanceName", instance ? instance : "");
		if (storage)
			json_set_text(&v, "storageName", storage);
		return v;
	}
	/* its "reqid" is the number of the call, which the link gives */
	json_set_text(&v, "moduleInstanceId", instance ? instance : "");
	if (storage)
		json_set_text(&v, "key", storage);
	outer = json_object();
	json_set(&outer, "storagetoken-request", v);
	return outer;
}

/* URL and headers of the response, into REQUEST; 1 where the hub gives none. */
static int
token_take(struct json response, const char *name, struct json *request, struct fail *f)
{
	_cleanup_json_ struct json evp1 = json_get(response, "params"), evp2 = json_get(response, "storagetoken-response");
	const struct json token = json_is_object(evp2) ? evp2 : evp1;
	_cleanup_json_ struct json headers = json_get(token, "headers"), list = json_get(*request, "headers");
	const char *url = json_get_text(token, "URL"), *error = json_get_text(token, "errorMessage");

	if (!url || error) {
		fail_set(f, EXIT_NO, "%s: the hub gives no token: %s", name, error ? error : "the response has no URL");
		return 1;
	}
	json_set_text(request, "url", url);
	for (struct json_iter it = json_begin(headers); json_next(&it); ) {
		_cleanup_free_ char *line = json_get_string(it.value) ? xasprintf("%s: %s", it.key, json_get_string(it.value)) : NULL;

		if (line)
			json_append(&list, json_string(line));
	}
	json_set(request, "headers", json_copy(list));
	return 0;
}

static int
token_ask(const struct blob_spec *spec, struct json *request, struct fail *f)
{
	const char *dialect = spec->producer->dialect->name, *name = spec->source + 4, *at = strrchr(name, '@');
	_cleanup_free_ char *file = xstrndup(name, at ? (size_t)(at - name) : strlen(name));
	_cleanup_json_ struct json response = JSON_ABSENT;
	int r;

	if (strcmp(dialect, "evp1") != 0 && strcmp(dialect, "evp2") != 0)
		return fail_set(f, EXIT_USAGE, "%s: the dialect %s has no storage tokens: give a URL", spec->source, dialect);
	if (!*file || (at && !at[1]))
		return fail_set(f, EXIT_USAGE, "%s: not evp:NAME or evp:NAME@STORAGE", spec->source);
	r = producer_call(spec->producer, strcmp(dialect, "evp1") == 0 ? "StorageToken" : "evp-d2c",
	    token_params(dialect, file, at ? at + 1 : NULL, spec->instance), &response, f);
	if (r < 0)
		return r;
	json_set(request, "secret", json_bool(!spec->insecure));
	return token_take(response, spec->source, request, f);
}

/* --- the file */

static void
place_share(struct blob_place *p)
{
	p->path = xasprintf("/proc/%d/fd/%d", (int)getpid(), p->fd);
}

static int
place_unnamed(struct blob_place *p, struct fail *f)
{
	const char *tmp = getenv("TMPDIR");

	p->fd = open(tmp && *tmp ? tmp : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (p->fd < 0)
		return fail_errno(f, errno, "%s", tmp && *tmp ? tmp : "/tmp");
	place_share(p);
	return 0;
}

/* All of FROM to TO. */
static int
file_copy(int from, int to)
{
	_cleanup_free_ char *block = xcalloc(1, COPY);
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = io_read(from, block, COPY)) != 0)
		r = n < 0 ? (int)n : io_write_all(to, block, (size_t)n);
	return r;
}

static int
place_open(const struct blob_spec *spec, struct blob_place *p, struct fail *f)
{
	const mode_t mask = umask(0);
	int r;

	umask(mask);
	if (strcmp(spec->file, "-") == 0) {
		r = place_unnamed(p, f);
		if (r == 0 && spec->put && (r = file_copy(STDIN_FILENO, p->fd)) < 0)
			return fail_errno(f, r, "standard input");
		return r;
	}
	if (spec->put) {
		struct stat st;

		p->fd = open(spec->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (p->fd < 0 || fstat(p->fd, &st) < 0)
			return fail_errno(f, errno, "%s", spec->file);
		if (!S_ISREG(st.st_mode))
			return fail_set(f, EXIT_USAGE, "%s: is not a regular file", spec->file);
		place_share(p);
		return 0;
	}
	p->temporary = xasprintf("%s.%d.tmp", spec->file, (int)getpid());
	p->fd = open(p->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666 & ~mask);
	if (p->fd < 0) {
		r = fail_errno(f, errno, "%s", p->temporary);
		free(TAKE_PTR(p->temporary));
		return r;
	}
	place_share(p);
	return 0;
}

/* What was fetched is where it was wanted. */
static int
place_deliver(const struct blob_spec *spec, struct blob_place *p, struct fail *f)
{
	struct stat ours, there;
	int r;

	if (spec->put)
		return 0;
	if (!p->temporary) {
		r = lseek(p->fd, 0, SEEK_SET) < 0 ? -errno : file_copy(p->fd, STDOUT_FILENO);
		return r < 0 ? fail_errno(f, r, "standard output") : 0;
	}
	if (fsync(p->fd) < 0 || rename(p->temporary, spec->file) < 0)
		return fail_errno(f, errno, "%s", spec->file);
	free(TAKE_PTR(p->temporary));
	/* another user of the directory may have put its own in place of the temporary file */
	if (fstat(p->fd, &ours) < 0 || lstat(spec->file, &there) < 0 || ours.st_ino != there.st_ino || ours.st_dev != there.st_dev)
		return fail_set(f, EXIT_DENIED, "%s: was replaced by another program meanwhile", spec->file);
	return 0;
}

static void
place_release(struct blob_place *p)
{
	if (p->temporary)
		unlink(p->temporary);
	io_closep(&p->fd);
	free(p->temporary);
	free(p->path);
}

/* --- */

static struct json
request_json(const struct blob_spec *spec)
{
	struct json v = json_object(), headers = json_array();
	bool secret = false;

	for (char *const *h = spec->headers; h && *h; h++) {
		json_append(&headers, json_string(*h));
		secret = true;
	}
	json_set(&v, "put", json_bool(spec->put));
	json_set_text(&v, "url", spec->source);
	json_set(&v, "headers", headers);
	json_set(&v, "secret", json_bool(secret && !spec->insecure));
	if (spec->ca_file)
		json_set_text(&v, "ca_file", spec->ca_file);
	json_set(&v, "timeout_ms", json_number((double)spec->timeout_ms));
	json_set(&v, "idle_ms", json_number((double)spec->idle_ms));
	return v;
}

static int
helper_result(const struct spawn_result *s, const char *name, struct blob_result *r, struct fail *f)
{
	_cleanup_json_ struct json v = JSON_ABSENT, status = JSON_ABSENT, bytes = JSON_ABSENT, code = JSON_ABSENT;
	struct fail ignored;
	int64_t n = 0;

	if (s->status != 0 || json_parse(NULL, s->out.s, s->out.len, &v, &ignored) < 0) {
		_cleanup_buf_ struct buf how = BUF_INIT;

		spawn_describe(s, &how);
		return fail_set(f, EXIT_TROUBLE, "%s: rejoin-hub-http %s: %.*s", name, how.s, (int)strcspn(s->err.s, "\n"), s->err.s);
	}
	status = json_get(v, "http_status");
	bytes = json_get(v, "bytes");
	code = json_get(v, "exit");
	r->http_status = (int)json_get_number(status);
	r->bytes = (int64_t)json_get_number(bytes);
	if (json_get_text(v, "error")) {
		(void)json_get_whole(code, &n);
		/* absent is for the link; a server that is not there is trouble */
		return fail_set(f, n == EXIT_ABSENT || n == EXIT_OK ? EXIT_TROUBLE : (enum exit_status)n, "%s", json_get_text(v, "error"));
	}
	if (r->http_status >= 400 && r->http_status < 500) {
		fail_set(f, EXIT_NO, "%s: HTTP %d", name, r->http_status);
		return 1;
	}
	return r->http_status >= 200 && r->http_status < 300 ? 0 : fail_set(f, EXIT_TROUBLE, "%s: HTTP %d", name, r->http_status);
}

static int
helper_run(struct json request, const char *name, struct blob_result *r, struct fail *f)
{
	_cleanup_free_ char *program = dirs_helper("rejoin-hub-http");
	char *argv[] = { program, NULL };
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct spawn_spec spec = { .argv = argv, .out_max = RESULT_MAX, .grace_ms = 1000 };
	struct spawn_result s;
	int result;

	json_format(request, &text);
	spec.in = text.s;
	spec.in_len = text.len;
	spawn_run(&spec, &s);
	result = helper_result(&s, name, r, f);
	secret_wipe(&text);
	buf_release(&s.out);
	buf_release(&s.err);
	return result;
}

/* For messages: a URL without its query, which may hold a token. */
static char *
source_name(const char *source)
{
	return xstrndup(source, strcspn(source, "?#"));
}

int
blob_run(const struct blob_spec *spec, struct blob_result *result, struct fail *f)
{
	_cleanup_json_ struct json request = request_json(spec);
	_cleanup_free_ char *name = source_name(spec->source);
	struct blob_place place = { .fd = -1 };
	int r = 0;

	*result = (struct blob_result){ 0 };
	if (strncmp(spec->source, "evp:", 4) != 0 && strncasecmp(spec->source, "http://", 7) != 0 &&
	    strncasecmp(spec->source, "https://", 8) != 0) {
		r = fail_set(f, EXIT_USAGE, "%s: is no http:// or https:// URL, nor evp:NAME", name);
		fail_hint(f, "the URL comes first: blob get URL FILE, blob put URL FILE");
		return r;
	}
	if (strncmp(spec->source, "evp:", 4) == 0)
		r = token_ask(spec, &request, f);
	if (r == 0)
		r = place_open(spec, &place, f);
	if (r == 0) {
		json_set_text(&request, "file", place.path);
		r = helper_run(request, name, result, f);
	}
	if (r == 0)
		r = place_deliver(spec, &place, f);
	place_release(&place);
	return r;
}

void
blob_format(const struct blob_result *b, int r, const struct fail *f, struct buf *out)
{
	_cleanup_json_ struct json v = json_object();

	json_set_text(&v, "result", r == 0 ? "ok" : r > 0 ? "refused" : "error");
	json_set(&v, "http_status", json_number(b->http_status));
	json_set(&v, "bytes", json_number((double)b->bytes));
	if (r != 0)
		json_set_text(&v, "reason", f->text);
	json_format(v, out);
	buf_putc(out, '\n');
}

static void
header_push(char ***headers, const char *line, size_t len)
{
	size_t n = 0;

	while (*headers && (*headers)[n])
		n++;
	*headers = xrealloc(*headers, n + 2, sizeof **headers);
	(*headers)[n] = xstrndup(line, len);
	(*headers)[n + 1] = NULL;
}

int
blob_headers_add(char ***headers, const char *text, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (*text != '@') {
		header_push(headers, text, strlen(text));
		return 0;
	}
	if (file_load(text + 1, 0, HEADERS_MAX, &b, f) < 0)
		return -EIO;
	for (char *p = b.s; *p; p += strspn(p, "\r\n")) {
		const size_t n = strcspn(p, "\r\n");

		if (n > 0)
			header_push(headers, p, n);
		p += n;
	}
	secret_wipe(&b);
	return 0;
}
