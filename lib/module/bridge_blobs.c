#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "module/bridge_blobs.h"

enum { GRACE_MS = 500, OUT_MAX = 16384, WORDS = 80 };

struct blob {
	struct bridge_blobs *owner;
	struct spawn *spawn;		/* NULL: free */
	uint64_t callback, userdata;
	enum sdk_blob_union blob_union;
};

struct bridge_blobs {
	struct loop *loop;
	char *home;
	bridge_blob_fn *fn;
	void *cookie;
	struct blob blobs[BRIDGE_BLOBS_MAX];
};

struct bridge_blobs *
bridge_blobs_new(struct loop *l, const char *home, bridge_blob_fn *fn, void *cookie)
{
	struct bridge_blobs *b = xcalloc(1, sizeof *b);

	*b = (struct bridge_blobs){ .loop = l, .home = xstrdup(home), .fn = fn, .cookie = cookie };
	return b;
}

void
bridge_blobs_free(struct bridge_blobs *b)
{
	for (size_t i = 0; i < BRIDGE_BLOBS_MAX; i++)
		if (b->blobs[i].spawn)
			spawn_kill(b->blobs[i].spawn);
	free(b->home);
	free(b);
}

/* The status of HTTP in what the program printed: {"result","http_status",...}. */
static void
result_read(const struct spawn_result *r, struct sdk_event *e)
{
	_cleanup_json_ struct json v = JSON_ABSENT, status = JSON_ABSENT;
	struct fail ignored;
	int64_t n = 0;

	if (json_parse(NULL, r->out.s, r->out.len, &v, &ignored) == 0) {
		status = json_get(v, "http_status");
		(void)json_get_whole(status, &n);
	}
	e->http_status = (uint32_t)n;
	e->result = r->status == 0 ? SDK_BLOB_SUCCESS : n >= 300 ? SDK_BLOB_ERROR_HTTP : SDK_BLOB_ERROR;
	e->error = e->result == SDK_BLOB_ERROR ? EIO : 0;
}

static void
blob_done(const struct spawn_result *r, void *cookie)
{
	struct blob *x = cookie;
	struct sdk_event e = { .kind = SDK_EVENT_BLOB, .callback = x->callback, .userdata = x->userdata,
		/* the agent answers a request with headers as one without */
		.blob_union = x->blob_union == SDK_BLOB_HTTP_EXT ? SDK_BLOB_HTTP : x->blob_union };

	x->spawn = NULL;
	result_read(r, &e);
	x->owner->fn(&e, x->owner->cookie);
}

/* FILE, to be freed, as a path below home whose directory is there and no link; NULL where it is none. */
static char *
file_check(const struct bridge_blobs *b, struct sdk_text file)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	_cleanup_free_ char *path = xstrndup(file.s, file.n), *parent = NULL;
	_cleanup_fd_ int home = -1, dir = -1;
	const size_t n = strlen(b->home);
	const char *rest = path, *slash;

	if (*path == '/') {
		if (strncmp(path, b->home, n) != 0 || path[n] != '/')
			return NULL;
		rest = path + n + 1;
	}
	slash = strrchr(rest, '/');
	if (strlen(path) != file.n || !*rest || (slash && !slash[1]))
		return NULL;
	parent = slash ? xstrndup(rest, (size_t)(slash - rest)) : xstrdup(".");
	home = open(b->home, O_PATH | O_DIRECTORY | O_CLOEXEC);
	dir = home < 0 ? -1 : (int)syscall(SYS_openat2, home, *parent ? parent : ".", &how, sizeof how);
	if (dir < 0 && errno != ENOSYS)
		return NULL;
	return xasprintf("%s/%s", b->home, rest);
}

static struct blob *
blob_free_slot(struct bridge_blobs *b)
{
	for (size_t i = 0; i < BRIDGE_BLOBS_MAX; i++)
		if (!b->blobs[i].spawn)
			return &b->blobs[i];
	return NULL;
}

/* What the program calls the blob; to be freed. */
static char *
source_of(const struct sdk_request *r)
{
	const int url = (int)r->url.n, storage = (int)r->storage.n;

	if (r->blob_union != SDK_BLOB_EVP)
		return xasprintf("%.*s", url, r->url.s);
	return storage > 0 ? xasprintf("evp:%.*s@%.*s", url, r->url.s, storage, r->storage.s) :
	    xasprintf("evp:%.*s", url, r->url.s);
}

/* The command line; to be freed with xfree_strv(). */
static char **
words_of(const struct sdk_request *r, const char *file)
{
	char **words = xcalloc(WORDS, sizeof *words);
	size_t n = 0;

	words[n++] = xstrdup("rejoin-hub");
	words[n++] = xstrdup("--json");
	for (uint32_t i = 0; i < r->n_headers && n < WORDS - 8; i++)
		if (r->headers[i].s) {
			words[n++] = xstrdup("--header");
			words[n++] = xstrndup(r->headers[i].s, r->headers[i].n);
		}
	/* Azure's storage wants to know what kind of blob it is to make */
	if (r->blob_union == SDK_BLOB_AZURE && r->operation == 1) {
		words[n++] = xstrdup("--header");
		words[n++] = xstrdup("x-ms-blob-type: BlockBlob");
	}
	words[n++] = xstrdup("--");
	words[n++] = xstrdup("blob");
	words[n++] = xstrdup(r->operation == 1 ? "put" : "get");
	words[n++] = source_of(r);
	words[n++] = xstrdup(file);
	return words;
}

enum sdk_result
bridge_blobs_start(struct bridge_blobs *b, const struct sdk_request *r)
{
	struct blob *x = blob_free_slot(b);
	_cleanup_free_ char *file = file_check(b, r->filename);
	char **words;

	if (r->operation > 1 || r->blob_union < SDK_BLOB_AZURE || r->blob_union > SDK_BLOB_HTTP_EXT || !file || r->url.n == 0 ||
	    strnlen(r->url.s, r->url.n) != r->url.n)
		return SDK_INVAL;
	if (!x)
		return SDK_DENIED;
	words = words_of(r, file);
	*x = (struct blob){ .owner = b, .callback = r->callback, .userdata = r->userdata, .blob_union = r->blob_union };
	x->spawn = spawn_start(b->loop, &(struct spawn_spec){ .argv = words, .out_max = OUT_MAX, .err_inherit = true,
	    .grace_ms = GRACE_MS }, blob_done, x);
	xfree_strv(words);
	return SDK_OK;
}
