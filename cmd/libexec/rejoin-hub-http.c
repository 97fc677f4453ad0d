/*
 * rejoin-hub-http - get or put one blob for rejoin-hub, which links no HTTP library.
 *
 * The request comes on standard input, the result goes to standard output: hub/blob.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/http.h"
#include "base/http_helper.h"
#include "base/http_run.h"
#include "base/io.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/xalloc.h"

enum { REQUEST_MAX = 1 << 20 };

struct blob_job {
	struct json request;
	int fd;			/* of the file */
	int64_t bytes;
};

static int
on_chunk(const struct http_response *r, const char *p, size_t n, void *cookie)
{
	struct blob_job *job = cookie;

	(void)r;
	if (n == 0) {	/* the beginning, also after a redirect */
		job->bytes = 0;
		return ftruncate(job->fd, 0) < 0 || lseek(job->fd, 0, SEEK_SET) < 0 ? -errno : 0;
	}
	job->bytes += (int64_t)n;
	return io_write_all(job->fd, p, n);
}

static bool
is_set(struct json v, const char *key)
{
	_cleanup_json_ struct json m = json_get(v, key);

	return json_kind(m) == JSON_TRUE;
}

static int
blob_transfer(struct blob_job *job, struct http_response *r, struct fail *f)
{
	const bool put = is_set(job->request, "put");
	_cleanup_json_ struct json idle = json_get(job->request, "idle_ms"), timeout = json_get(job->request, "timeout_ms");
	const char *path = json_get_text(job->request, "file"), *url = json_get_text(job->request, "url");
	_cleanup_free_ const char **headers = http_helper_headers(job->request, NULL);
	struct http_request q = {
		.url = url, .headers = headers, .ca_file = json_get_text(job->request, "ca_file"),
		.secret = is_set(job->request, "secret"), .upload = put, .chunk = on_chunk,
	};
	struct stat st;

	(void)json_get_whole(timeout, &q.timeout_ms);
	(void)json_get_whole(idle, &q.idle_ms);
	job->fd = open(path, (put ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_CLOEXEC);
	if (job->fd < 0 || fstat(job->fd, &st) < 0)
		return fail_errno(f, errno, "%s", path);
	q.upload_fd = job->fd;
	q.upload_size = st.st_size;
	if (put) {
		q.chunk = NULL;
		job->bytes = st.st_size;
	}
	return http_run(&q, r, job, f);
}

int
main(int argc, char *argv[])
{
	struct blob_job job = { .request = JSON_ABSENT, .fd = -1 };
	_cleanup_json_ struct json result = json_object();
	struct http_response r = { 0 };
	struct fail f;

	(void)argc;
	http_helper_begin(argv);
	secret_guard();
	if (http_helper_read(REQUEST_MAX, &job.request, &f) < 0)
		fail_die(&f);
	if (blob_transfer(&job, &r, &f) < 0) {
		json_set_text(&result, "error", f.text);
		json_set(&result, "exit", json_number(f.status));
	}
	json_set(&result, "http_status", json_number(r.status));
	json_set(&result, "bytes", json_number((double)job.bytes));
	json_print(result);
	finish(EXIT_OK);
}
