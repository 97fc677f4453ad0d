#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/http.h"
#include "base/xalloc.h"

enum { CONNECT_MS = 30000, REDIRECTS_MAX = 5 };

struct http {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer timer;	/* libcurl's */
	struct http_transfer *transfers;
	bool inside;			/* libcurl is calling us, and may not be called */
};

struct http_transfer {
	struct http *h;
	struct http_transfer *next;
	CURL *easy;			/* NULL where the request is wrong */
	bool added;			/* to the multi handle */
	bool cancelled, paused, failed;	/* FAILED: FAIL is filled by us */
	struct curl_slist *headers;
	struct buf name, body;
	int upload_fd;
	int64_t uploaded;
	char error[CURL_ERROR_SIZE];
	struct http_response r;
	size_t max;
	int64_t idle_ms;
	struct loop_timer idle, wrong;	/* WRONG: tells of a request that cannot be made */
	struct fail fail;
	http_chunk *chunk;
	http_done *done;
	void *cookie;
};

/* libcurl copies tokens as it likes: what it gives back is overwritten. */
static void
wipe_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *
wipe_realloc(void *p, size_t n)
{
	size_t had = p ? malloc_usable_size(p) : 0;
	void *q = had >= n && p ? p : malloc(n);

	if (!q || q == p)
		return q;
	if (p)
		memcpy(q, p, had < n ? had : n);
	wipe_free(p);
	return q;
}

static void
library_init(void)
{
	static bool ready;

	if (!ready && curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wipe_free, wipe_realloc, strdup,
	    calloc) != CURLE_OK)
		die(EXIT_TROUBLE, 0, "libcurl cannot be used");
	ready = true;
}

/* A part of URL, to be freed with curl_free(); NULL where it has none. */
static char *
url_part(CURLU *u, CURLUPart which)
{
	char *s = NULL;

	return curl_url_get(u, which, &s, 0) == CURLUE_OK ? s : NULL;
}

void
http_name(const char *url, struct buf *out)
{
	CURLU *u = curl_url();
	bool query = strchr(url, '?');
	char *s;

	if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK) {
		buf_add(out, url, strcspn(url, "?#"));
		curl_url_cleanup(u);
		return;
	}
	curl_url_set(u, CURLUPART_USER, NULL, 0);
	curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
	curl_url_set(u, CURLUPART_QUERY, NULL, 0);
	curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
	s = url_part(u, CURLUPART_URL);
	buf_puts(out, s ? s : "");
	if (query)
		buf_puts(out, "?...");
	curl_free(s);
	curl_url_cleanup(u);
}

static bool
is_loopback(const char *host)
{
	struct in_addr a;

	return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	    (inet_pton(AF_INET, host, &a) == 1 && ntohl(a.s_addr) >> 24 == 127);
}

/* What is wrong with U; NULL for nothing.  *LOOPBACK: it is this machine's. */
static const char *
wrong_with(CURLU *u, bool secret, bool *loopback)
{
	char *scheme = url_part(u, CURLUPART_SCHEME), *host = url_part(u, CURLUPART_HOST);
	char *user = url_part(u, CURLUPART_USER), *password = url_part(u, CURLUPART_PASSWORD);
	const char *what = NULL;

	*loopback = host && is_loopback(host);
	if (!scheme || !host || (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0))
		what = "not an http:// or https:// URL";
	else if (user || password)
		what = "a URL must not hold a user or a password";
	else if (secret && strcasecmp(scheme, "https") != 0 && !*loopback)
		what = "a token goes over https alone";
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_free(password);
	return what;
}

static int
check_url(const char *url, const char *name, bool secret, bool *loopback, struct fail *f)
{
	CURLU *u = curl_url();
	const char *what;

	if (!u)
		die(EXIT_TROUBLE, ENOMEM, "libcurl");
	what = curl_url_set(u, CURLUPART_URL, url, CURLU_NO_DEFAULT_PORT) == CURLUE_OK ?
	    wrong_with(u, secret, loopback) : "not an http:// or https:// URL";
	curl_url_cleanup(u);
	return what ? fail_set(f, EXIT_USAGE, "%s: %s", name, what) : 0;
}

int
http_check_url(const char *url, bool secret, struct fail *f)
{
	_cleanup_buf_ struct buf name = BUF_INIT;
	bool loopback;

	http_name(url, &name);
	return check_url(url, name.s, secret, &loopback, f);
}

static void
transfer_free(struct http_transfer *t)
{
	struct http_transfer **p = &t->h->transfers;

	while (*p && *p != t)
		p = &(*p)->next;
	if (*p)
		*p = t->next;
	loop_timer_stop(t->h->loop, &t->idle);
	loop_timer_stop(t->h->loop, &t->wrong);
	if (t->added)
		curl_multi_remove_handle(t->h->multi, t->easy);
	curl_easy_cleanup(t->easy);
	for (struct curl_slist *l = t->headers; l; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(t->headers);
	http_response_release(&t->r);
	secret_wipe(&t->body);
	buf_release(&t->name);
	free(t);
}

/* libcurl knows both of its forms, seconds and a date. */
static void
read_retry_after(struct http_transfer *t)
{
	curl_off_t s = 0;

	if (curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &s) == CURLE_OK)
		t->r.retry_after_s = s;
}

/* T ends, with F or with what FAIL holds. */
static void
tell_done(struct http_transfer *t, bool failed)
{
	loop_timer_stop(t->h->loop, &t->idle);
	if (t->added)
		curl_multi_remove_handle(t->h->multi, t->easy);
	t->added = false;
	if (t->easy)
		read_retry_after(t);
	t->done(&t->r, failed ? &t->fail : NULL, t->cookie);
	transfer_free(t);
}

static void
transfer_explain(struct http_transfer *t, CURLcode code)
{
	const char *why = *t->error ? t->error : curl_easy_strerror(code);
	enum exit_status status;

	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		status = EXIT_TIMEOUT;
		break;
	case CURLE_COULDNT_CONNECT:
		status = EXIT_ABSENT;
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		status = EXIT_DENIED;
		break;
	default:
		status = EXIT_TROUBLE;
	}
	fail_set(&t->fail, status, "%s: %s", t->name.s, why);
}

/* What libcurl has finished, and what was asked for while it was at work. */
static void
transfers_reap(struct http *h)
{
	struct http_transfer *t, *next;
	CURLMsg *m;
	int left;

	for (t = h->transfers; t; t = next) {
		next = t->next;
		if (t->cancelled)
			transfer_free(t);
		else if (!t->added && t->easy) {
			t->added = true;
			curl_multi_add_handle(h->multi, t->easy);
		}
	}
	while ((m = curl_multi_info_read(h->multi, &left))) {
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		if (code != CURLE_OK && !t->failed)
			transfer_explain(t, code);
		tell_done(t, code != CURLE_OK);
	}
}

static void
socket_act(struct http *h, curl_socket_t s, int what)
{
	int running;

	h->inside = true;
	curl_multi_socket_action(h->multi, s, what, &running);
	h->inside = false;
	transfers_reap(h);
}

static void
on_fd(int fd, short events, void *cookie)
{
	socket_act(cookie, fd, (events & (POLLIN | POLLHUP) ? CURL_CSELECT_IN : 0) |
	    (events & POLLOUT ? CURL_CSELECT_OUT : 0) | (events & POLLERR ? CURL_CSELECT_ERR : 0));
}

static void
on_timer(void *cookie)
{
	socket_act(cookie, CURL_SOCKET_TIMEOUT, 0);
}

static int
watch_socket(CURL *easy, curl_socket_t s, int what, void *cookie, void *unused)
{
	struct http *h = cookie;

	(void)easy;
	(void)unused;
	loop_unwatch(h->loop, s);
	if (what != CURL_POLL_REMOVE)
		loop_watch(h->loop, s, (short)((what & CURL_POLL_IN ? POLLIN : 0) |
		    (what & CURL_POLL_OUT ? POLLOUT : 0)), on_fd, h);
	return 0;
}

static int
set_timer(CURLM *multi, long ms, void *cookie)
{
	struct http *h = cookie;

	(void)multi;
	if (ms < 0)
		loop_timer_stop(h->loop, &h->timer);
	else
		loop_timer_set(h->loop, &h->timer, ms);
	return 0;
}

struct http *
http_new(struct loop *l)
{
	struct http *h = xcalloc(1, sizeof *h);

	library_init();
	h->loop = l;
	h->timer = (struct loop_timer){ .fn = on_timer, .cookie = h };
	h->multi = curl_multi_init();
	if (!h->multi)
		die(EXIT_TROUBLE, ENOMEM, "libcurl");
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	return h;
}

void
http_limit(struct http *h, int connections)
{
	curl_multi_setopt(h->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections);
}

void
http_free(struct http *h)
{
	if (!h)
		return;
	while (h->transfers)
		transfer_free(h->transfers);
	curl_multi_cleanup(h->multi);
	loop_timer_stop(h->loop, &h->timer);
	free(h);
}

static void
transfer_rearm(struct http_transfer *t)
{
	if (t->idle_ms && !t->paused)
		loop_timer_set(t->h->loop, &t->idle, t->idle_ms);
}

static void
on_idle(void *cookie)
{
	struct http_transfer *t = cookie;

	fail_set(&t->fail, EXIT_TIMEOUT, "%s: nothing came for %jd ms", t->name.s, (intmax_t)t->idle_ms);
	tell_done(t, true);
}

static void
on_wrong(void *cookie)
{
	struct http_transfer *t = cookie;

	if (t->cancelled)
		transfer_free(t);
	else
		tell_done(t, true);
}

static bool
is_ok(const struct http_transfer *t)
{
	return t->r.status >= 200 && t->r.status < 300;
}

/* One header line of an answer; a further answer (after a redirect, or a 100) begins anew. */
static size_t
take_header(char *p, size_t size, size_t n, void *cookie)
{
	struct http_transfer *t = cookie;
	size_t len = n * size;
	long status = 0;

	while (len && (p[len - 1] == '\r' || p[len - 1] == '\n'))
		len--;
	if (len >= 5 && memcmp(p, "HTTP/", 5) == 0) {
		buf_reset(&t->r.headers);
		buf_reset(&t->r.body);
	} else if (len && !memchr(p, '\0', len) && t->r.headers.len + len < HTTP_HEADERS_MAX) {
		buf_add(&t->r.headers, p, len);
		buf_add(&t->r.headers, "", 1);
	} else if (!len) {
		curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
		t->r.status = (int)status;
		/* not each line: headers without an end, or 1xx without a response, are no progress */
		if (status >= 200)
			transfer_rearm(t);
		if (is_ok(t) && t->chunk && t->chunk(&t->r, "", 0, t->cookie) < 0)
			return 0;
	}
	return n * size;
}

static size_t
take_body(char *p, size_t size, size_t n, void *cookie)
{
	struct http_transfer *t = cookie;

	transfer_rearm(t);
	if (t->cancelled)
		return 0;
	if (is_ok(t) && t->chunk)
		return t->chunk(&t->r, p, n * size, t->cookie) < 0 || t->cancelled ? 0 : n * size;
	if (t->r.body.len + n * size > t->max) {
		if (!is_ok(t))		/* of what explains an error, the beginning will do */
			return n * size;
		t->failed = true;
		fail_set(&t->fail, EXIT_TROUBLE, "%s: more than %zu bytes", t->name.s, t->max);
		return 0;
	}
	buf_add(&t->r.body, p, n * size);
	return n * size;
}

/* A header that could be two is none. */
static int
add_header(struct http_transfer *t, const char *line)
{
	struct curl_slist *l;

	for (const char *p = line; *p; p++)
		if ((unsigned char)*p < ' ' && *p != '\t')
			return fail_set(&t->fail, EXIT_USAGE, "%s: a header holds a control character",
			    t->name.s);
	if (!strchr(line, ':') || *line == ':')
		return fail_set(&t->fail, EXIT_USAGE, "%s: a header is written 'Name: value'", t->name.s);
	l = curl_slist_append(t->headers, line);
	if (!l)
		die(EXIT_TROUBLE, ENOMEM, "libcurl");
	t->headers = l;
	return 0;
}

static int
add_headers(struct http_transfer *t, const struct http_request *q)
{
	_cleanup_secret_ struct secret bearer = SECRET_NONE;
	int r = 0;

	for (const char *const *p = q->headers; r == 0 && p && *p; p++)
		r = add_header(t, *p);
	if (r == 0 && q->token) {
		bearer.s = xasprintf("Authorization: Bearer %.*s", (int)q->token->len, q->token->s);
		bearer.len = strlen(bearer.s);
		r = add_header(t, bearer.s);
	}
	return r == 0 ? add_header(t, "Expect:") : r;
}

/* The next bytes of a file that is sent. */
static size_t
read_upload(char *p, size_t size, size_t n, void *cookie)
{
	struct http_transfer *t = cookie;
	ssize_t got = pread(t->upload_fd, p, size * n, t->uploaded);

	if (got < 0) {
		fail_errno(&t->fail, errno, "the file to send");
		t->failed = true;
		return CURL_READFUNC_ABORT;
	}
	t->uploaded += got;
	transfer_rearm(t);
	return (size_t)got;
}

/* After a redirect the file is sent from its beginning. */
static int
seek_upload(void *cookie, curl_off_t offset, int whence)
{
	struct http_transfer *t = cookie;

	if (whence != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	t->uploaded = offset;
	return CURL_SEEKFUNC_OK;
}

static void
set_method(struct http_transfer *t, const struct http_request *q)
{
	const char *method = q->method ? q->method : q->body ? "POST" : "GET";

	if (q->upload) {
		t->upload_fd = q->upload_fd;
		curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, read_upload);
		curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
		curl_easy_setopt(t->easy, CURLOPT_SEEKFUNCTION, seek_upload);
		curl_easy_setopt(t->easy, CURLOPT_SEEKDATA, t);
		curl_easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->upload_size);
		return;
	}
	if (q->body)
		buf_add(&t->body, q->body, q->body_len);
	if (q->body || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->body.s);
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body.len);
	}
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
	else if (strcmp(method, q->body ? "POST" : "GET") != 0)
		curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
}

static void
set_options(struct http_transfer *t, const struct http_request *q, bool secret, bool loopback)
{
	CURL *e = t->easy;

	curl_easy_setopt(e, CURLOPT_URL, q->url);
	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "rejoin/" VERSION);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (q->decode)
		curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "identity");
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR,
	    strncasecmp(q->url, "https:", 6) == 0 ? "https" : "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, secret ? 0L : 1L);
	curl_easy_setopt(e, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(q->connect_ms ? q->connect_ms : CONNECT_MS));
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)q->timeout_ms);
	if (q->socket)
		curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, q->socket);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	if (q->cert_file) {
		curl_easy_setopt(e, CURLOPT_SSLCERT, q->cert_file);
		curl_easy_setopt(e, CURLOPT_SSLKEY, q->key_file ? q->key_file : q->cert_file);
	}
	if (loopback || q->proxy)
		curl_easy_setopt(e, CURLOPT_PROXY, loopback ? "" : q->proxy);
	if (q->ca_file) {		/* they alone, not the system's beside them */
		curl_easy_setopt(e, CURLOPT_CAINFO, q->ca_file);
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	}
}

static int
transfer_prepare(struct http_transfer *t, const struct http_request *q)
{
	const bool secret = q->secret || q->token;
	bool loopback;
	int r = check_url(q->url, t->name.s, secret, &loopback, &t->fail);

	if (r == 0)
		r = add_headers(t, q);
	if (r < 0)
		return r;
	t->easy = curl_easy_init();
	if (!t->easy)
		die(EXIT_TROUBLE, ENOMEM, "libcurl");
	set_options(t, q, secret, loopback);
	set_method(t, q);
	return 0;
}

struct http_transfer *
http_start(struct http *h, const struct http_request *q, http_done *done, void *cookie)
{
	struct http_transfer *t = xcalloc(1, sizeof *t);

	*t = (struct http_transfer){ .h = h, .next = h->transfers, .name = BUF_INIT, .body = BUF_INIT,
	    .r = { .body = BUF_INIT, .headers = BUF_INIT }, .max = q->max ? q->max : HTTP_BODY_MAX,
	    .idle_ms = q->idle_ms, .chunk = q->chunk, .done = done, .cookie = cookie };
	t->idle = (struct loop_timer){ .fn = on_idle, .cookie = t };
	t->wrong = (struct loop_timer){ .fn = on_wrong, .cookie = t };
	h->transfers = t;
	if (q->name)
		buf_puts(&t->name, q->name);
	else
		http_name(q->url, &t->name);
	if (transfer_prepare(t, q) < 0) {
		loop_timer_set(h->loop, &t->wrong, 0);
		return t;
	}
	transfer_rearm(t);
	if (!h->inside) {
		t->added = true;
		curl_multi_add_handle(h->multi, t->easy);
	}
	return t;
}

void
http_cancel(struct http_transfer *t)
{
	if (t->h->inside)
		t->cancelled = true;
	else
		transfer_free(t);
}

void
http_pause(struct http_transfer *t, bool pause)
{
	const bool inside = t->h->inside;
	CURLcode code;

	if (!t->easy)
		return;
	t->paused = pause;
	if (pause)
		loop_timer_stop(t->h->loop, &t->idle);
	else
		transfer_rearm(t);
	t->h->inside = true;	/* what it held back is handed out in this call */
	code = curl_easy_pause(t->easy, pause ? CURLPAUSE_RECV : CURLPAUSE_CONT);
	t->h->inside = inside;
	if (code != CURLE_OK) {
		transfer_explain(t, code);
		loop_timer_set(t->h->loop, &t->wrong, 0);
	}
	if (!pause && !inside)
		loop_timer_set(t->h->loop, &t->h->timer, 0);
}
