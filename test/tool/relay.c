/*
 * relay LISTEN SERVER SEED [WHAT=PERCENT]... - a bad connection to an HTTP server
 * on a Unix socket, for tests.
 *
 * Listens on the Unix socket LISTEN and passes requests on to SERVER.  At random
 * a request is lost, or its answer is, or half of it (break); it is held up for
 * up to 1 s (delay), also when its sender has given it up meanwhile; and it is
 * sent once more, up to 2 s later and so behind others (duplicate).  While the
 * file LISTEN.no-answers is there, requests arrive and no answer does; while
 * LISTEN.no-requests is, nothing does.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/io.h"
#include "base/xalloc.h"

enum { HEAD_MAX = 64 << 10, DELAY_MS = 1000, DUPLICATE_MS = 2000, LOOK_MS = 20 };

struct relay {
	const char *listen, *server;
	char *no_answers, *no_requests;
	int breaks, delays, duplicates;	/* percent */
	unsigned int seed;
	pthread_mutex_t lock;		/* of the seed */
};

/* A request on its way: by itself, so that it can outlive its connection. */
struct passage {
	struct relay *relay;
	struct buf request;
	int wait_ms;
};

static struct relay relay = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int
draw(int n)
{
	int r;

	pthread_mutex_lock(&relay.lock);
	r = rand_r(&relay.seed) % n;
	pthread_mutex_unlock(&relay.lock);
	return r;
}

static void
address_of(const char *path, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof a->sun_path)
		die(EXIT_USAGE, 0, "%s: too long", path);
	memcpy(a->sun_path, path, strlen(path));
}

/* One message of HTTP from FD into B: its head, and as much as Content-Length says. */
static bool
read_message(int fd, struct buf *b)
{
	size_t head = 0, want = 1;

	buf_reset(b);
	while (head == 0 || b->len < want) {
		const char *end, *length;

		if (io_read_buf(fd, b) <= 0)
			return false;
		end = head ? NULL : strstr(b->s, "\r\n\r\n");
		if (!end && head == 0 && b->len > HEAD_MAX)
			return false;
		if (!end)
			continue;
		head = (size_t)(end - b->s) + 4;
		length = strcasestr(b->s, "\r\nContent-Length:");
		want = head + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
	}
	return true;
}

static int
connect_server(void)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address_of(relay.server, &a);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Pass REQUEST on, and read its answer. */
static bool
pass(const struct buf *request, struct buf *answer)
{
	_cleanup_fd_ int fd = connect_server();

	return fd >= 0 && io_write_all(fd, request->s, request->len) == 0 && read_message(fd, answer);
}

static void *
pass_late(void *cookie)
{
	struct passage *p = cookie;
	_cleanup_buf_ struct buf answer = BUF_INIT;

	usleep((useconds_t)p->wait_ms * 1000);
	pass(&p->request, &answer);
	buf_release(&p->request);
	free(p);
	return NULL;
}

static void
start_thread(void *(*fn)(void *), void *cookie)
{
	pthread_t t;

	if (pthread_create(&t, NULL, fn, cookie) != 0)
		die(EXIT_TROUBLE, 0, "no thread");
	pthread_detach(t);
}

static void
send_late(const struct buf *request, int wait_ms)
{
	struct passage *p = xcalloc(1, sizeof *p);

	*p = (struct passage){ &relay, BUF_INIT, wait_ms };
	buf_add(&p->request, request->s, request->len);
	start_thread(pass_late, p);
}

static void
wait_while(const char *path)
{
	while (access(path, F_OK) == 0)
		usleep(LOOK_MS * 1000);
}

/* One request, and its answer; false where the connection ends. */
static bool
serve_one(int fd, const struct buf *request)
{
	_cleanup_buf_ struct buf answer = BUF_INIT;
	const bool breaks = draw(100) < relay.breaks;
	const int how = draw(3);

	if (access(relay.no_requests, F_OK) == 0) {
		wait_while(relay.no_requests);
		return false;
	}
	if (breaks && how == 0)
		return false;
	if (draw(100) < relay.duplicates)
		send_late(request, draw(DUPLICATE_MS));
	if (draw(100) < relay.delays)
		usleep((useconds_t)draw(DELAY_MS) * 1000);
	if (!pass(request, &answer) || (breaks && how == 1))
		return false;
	if (access(relay.no_answers, F_OK) == 0) {
		wait_while(relay.no_answers);
		return false;
	}
	return io_write_all(fd, answer.s, breaks ? answer.len / 2 : answer.len) == 0 && !breaks;
}

static void *
serve(void *cookie)
{
	int fd = (int)(intptr_t)cookie;
	_cleanup_buf_ struct buf request = BUF_INIT;

	while (read_message(fd, &request) && serve_one(fd, &request))
		;
	close(fd);
	return NULL;
}

static void
parse(int argc, char *argv[])
{
	if (argc < 4)
		die(EXIT_USAGE, 0, "needs two sockets and a seed");
	relay.listen = argv[1];
	relay.server = argv[2];
	relay.seed = (unsigned int)strtoul(argv[3], NULL, 10);
	relay.no_answers = xasprintf("%s.no-answers", relay.listen);
	relay.no_requests = xasprintf("%s.no-requests", relay.listen);
	for (char **p = argv + 4; *p; p++) {
		const char *value = strchr(*p, '=');
		int n = value ? atoi(value + 1) : -1;

		if (n >= 0 && strncmp(*p, "break=", 6) == 0)
			relay.breaks = n;
		else if (n >= 0 && strncmp(*p, "delay=", 6) == 0)
			relay.delays = n;
		else if (n >= 0 && strncmp(*p, "duplicate=", 10) == 0)
			relay.duplicates = n;
		else
			die(EXIT_USAGE, 0, "not understood: %s", *p);
	}
}

int
main(int argc, char *argv[])
{
	struct sockaddr_un a;
	int listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	diag_init(argv);
	parse(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	address_of(relay.listen, &a);
	unlink(relay.listen);
	if (bind(listen_fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(listen_fd, 1024) < 0)
		die(EXIT_TROUBLE, errno, "%s", relay.listen);
	while ((fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == EINTR || errno == ECONNABORTED)
		if (fd >= 0)
			start_thread(serve, (void *)(intptr_t)fd);
	die(EXIT_TROUBLE, errno, "accept");
}
