/* deploy/download against servers that fail, in a process of their own: what is resumed, begun again and given up. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "deploy/download.h"

enum { SIZE = 20000 };

static int port;
static char content[SIZE], other[SIZE];

/* --- the server */

static void
say(int fd, const char *text)
{
	(void)!write(fd, text, strlen(text));
}

/* N bytes of FROM, from the byte START on; STATED is the range that the headers state. */
static void
send_part(int fd, const char *from, size_t start, size_t n, size_t stated)
{
	char head[200];

	if (stated)
		snprintf(head, sizeof head, "HTTP/1.1 206 Part\r\nContent-Range: bytes %zu-%d/%d\r\n", stated, SIZE - 1, SIZE);
	else
		snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n");
	say(fd, head);
	snprintf(head, sizeof head, "Content-Length: %zu\r\n\r\n", (size_t)SIZE - start);
	say(fd, head);
	(void)!write(fd, from + start, n);
}

/* LINE again and again, until the client has gone. */
static void
send_endless(int fd, const char *line)
{
	const struct timespec pause = { .tv_nsec = 100000000 };

	for (int i = 0; i < 600 && write(fd, line, strlen(line)) > 0; i++)
		nanosleep(&pause, NULL);
}

static void
answer(int fd, const char *request)
{
	static int replaced, strayed;
	const char *range = strstr(request, "\r\nRange: bytes=");
	const size_t start = range ? strtoul(range + 15, NULL, 10) : 0, half = SIZE / 2;
	char path[64] = "";

	sscanf(request, "GET %63s", path);
	if (strcmp(path, "/whole") == 0) {
		send_part(fd, content, start, SIZE - start, start);
	} else if (strcmp(path, "/replaced") == 0) {
		/* the first half of what was there before */
		if (replaced++ == 0)
			send_part(fd, other, 0, half, 0);
		else
			send_part(fd, content, start, SIZE - start, start);
	} else if (strcmp(path, "/wrong") == 0) {
		/* always in two parts, and never the content */
		send_part(fd, other, start, start ? SIZE - start : half, start);
	} else if (strcmp(path, "/longer") == 0) {
		say(fd, "HTTP/1.1 200 OK\r\n\r\n");
		(void)!write(fd, content, SIZE);
		say(fd, "more");
	} else if (strcmp(path, "/strayed") == 0) {
		/* what it answers to a range is another one, once */
		if (start && strayed++ == 0)
			send_part(fd, content, start + 1, SIZE - start - 1, start + 1);
		else
			send_part(fd, content, 0, strayed ? SIZE : half, 0);
	} else if (strcmp(path, "/astray") == 0) {
		send_part(fd, content, 5, SIZE - 5, 5);
	} else if (strcmp(path, "/headers") == 0) {
		say(fd, "HTTP/1.1 200 OK\r\n");
		send_endless(fd, "X-More: yes\r\n");
	} else if (strcmp(path, "/early") == 0) {
		send_endless(fd, "HTTP/1.1 103 Early Hints\r\nX-More: yes\r\n\r\n");
	}
}

static void
serve(int at)
{
	char request[8192];

	for (;;) {
		_cleanup_fd_ int fd = accept(at, NULL, NULL);
		size_t n = 0;
		ssize_t got = 1;

		*request = '\0';
		while (fd >= 0 && got > 0 && n < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
			got = read(fd, request + n, sizeof request - 1 - n);
			n += got > 0 ? (size_t)got : 0;
			request[n] = '\0';
		}
		if (n)
			answer(fd, request);
	}
}

static pid_t
start_server(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	assert(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 16) == 0);
	assert(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
	port = ntohs(a.sin_port);
	pid = fork();
	assert(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		serve(fd);
		_exit(0);
	}
	close(fd);
	return pid;
}

/* --- the checks */

static bool
is_content(int fd, void *cookie)
{
	char got[SIZE];

	(void)cookie;
	return io_read(fd, got, SIZE) == SIZE && memcmp(got, content, SIZE) == 0;
}

/* PATHS, blanks between, are the sources; WRONG is in the message, NULL where the file is whole in the end. */
static void
check(const char *paths, enum exit_status status, const char *wrong)
{
	_cleanup_free_ char *words = xstrdup(paths);
	char file[] = "/tmp/rejoin-download.XXXXXX", *urls[4] = { NULL }, *rest = words, *word;
	_cleanup_fd_ int fd = mkstemp(file);
	struct fail f = { .text = "" };
	size_t n = 0;
	int r;

	assert(fd >= 0);
	while ((word = strsep(&rest, " ")))
		urls[n++] = xasprintf("http://127.0.0.1:%d%s", port, word);
	r = download_fill(file, fd, (const char *const *)urls, SIZE, is_content, NULL, &f);
	unlink(file);
	while (n > 0)
		free(urls[--n]);
	if (wrong ? r >= 0 || f.status != status || !strstr(f.text, wrong) : r < 0) {
		printf("%s: %d, %d '%s'\n", paths, r, r < 0 ? (int)f.status : 0, f.text);
		exit(1);
	}
}

/* What cannot be written, whatever is sent: it is the disk's fault, and said at once. */
static void
check_disk(void)
{
	_cleanup_fd_ int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	_cleanup_free_ char *url = xasprintf("http://127.0.0.1:%d/whole", port);
	struct fail f = { .text = "" };

	assert(fd >= 0);
	assert(download_fill("/dev/full", fd, (const char *const[]){ url, NULL }, SIZE, is_content, NULL, &f) < 0);
	if (f.status != EXIT_TROUBLE || strncmp(f.text, "/dev/full: ", 11) != 0) {
		printf("disk: %d '%s'\n", (int)f.status, f.text);
		exit(1);
	}
}

/* An ETag comes back to the server in a header: one that no header can hold is none. */
static void
check_etag(void)
{
	static const struct { const char *line, *etag; } lines[] = {
		{ "{\"status\":200,\"etag\":\"\\\"a-1\\\"\"}\n", "\"a-1\"" },
		{ "{\"status\":200,\"etag\":\"W/\\\"a\\\"\"}\n", "W/\"a\"" },
		{ "{\"status\":200,\"etag\":\"\\\"a\\u0001b\\\"\"}\n", "" },
		{ "{\"status\":200,\"etag\":\"\\\"a\\tb\\\"\"}\n", "" },
		{ "{\"status\":200,\"etag\":\"\\\"a\\r\\nX: y\\\"\"}\n", "" },
		{ "{\"status\":200,\"etag\":\"\\\"a\\u007f\\\"\"}\n", "" },
		{ "{\"status\":200}\n", "" },
	};

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct http_job_response r;
		struct fail f;

		assert(http_job_parse(lines[i].line, strlen(lines[i].line), &r, &f) == 0 && r.status == 200);
		assert(strcmp(r.etag, lines[i].etag) == 0);
	}
}

int
main(void)
{
	struct http_job_link link = { .idle_ms = 10000, .patience_ms = 60000 };
	pid_t server;

	for (int i = 0; i < SIZE; i++) {
		content[i] = (char)('a' + i % 23);
		other[i] = (char)('A' + i % 19);
	}
	server = start_server();
	download_allow(&link, NULL);
	check_etag();
	check_disk();
	check("/whole", EXIT_OK, NULL);
	check("/replaced", EXIT_OK, NULL);
	check("/wrong", EXIT_DENIED, "is not what its hash says");
	check("/longer", EXIT_DENIED, "/longer: sends more than the 20000 bytes");
	check("/longer /whole", EXIT_OK, NULL);
	check("/strayed", EXIT_OK, NULL);
	check("/astray", EXIT_TROUBLE, "/astray: sends another range");
	/* one round, and a source that sends no body has its time for headers */
	link = (struct http_job_link){ .idle_ms = 500 };
	check("/headers", EXIT_TIMEOUT, "/headers: nothing came for 500 ms");
	check("/headers /whole", EXIT_OK, NULL);
	check("/early", EXIT_TIMEOUT, "/early: nothing came for 500 ms");
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}
