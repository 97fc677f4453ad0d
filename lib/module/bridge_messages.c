#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/json.h"
#include "base/xalloc.h"
#include "module/bridge_messages.h"
#include "module/sdk.h"

enum { PEERS = 64, BACKLOG = 16 };

struct bridge_messages {
	struct loop *loop;
	char *home;
	bridge_message_fn *fn;
	void *cookie;
	int fd;
	int peers[PEERS];	/* connections; -1 */
	bool held;		/* none is watched */
};

/* The socket NAME of the directory DIR, by a path that is short enough. */
static int
address_of(const char *dir, const char *name, struct sockaddr_un *un, int *dir_fd)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (*dir_fd < 0)
		return -errno;
	snprintf(un->sun_path, sizeof un->sun_path, "/proc/self/fd/%d/%s", *dir_fd, name);
	return 0;
}

/* STATE of HOME = STATE/instances/NAME/home; to be freed. */
static char *
state_of(const char *home)
{
	char *state = xstrdup(home);

	for (int i = 0; i < 3; i++) {
		char *slash = strrchr(state, '/');

		if (slash && slash > state)
			*slash = '\0';
	}
	return state;
}

/* The user of the peer runs instances here. */
static bool
is_instance(const struct bridge_messages *m, int fd)
{
	_cleanup_free_ char *state = state_of(m->home), *path = xasprintf("%s/owners", state);
	_cleanup_json_ struct json owners = JSON_ABSENT;
	struct ucred peer;
	socklen_t len = sizeof peer;
	struct fail ignored;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	if (json_load(path, FILE_NOFOLLOW, FILE_DATA_MAX, &owners, &ignored) < 0)
		return false;
	for (struct json_iter it = json_begin(owners); json_next(&it); ) {
		int64_t uid;

		if (json_get_whole(it.value, &uid) && uid == peer.uid) {
			json_end(&it);
			return true;
		}
	}
	return false;
}

static void
peer_close(struct bridge_messages *m, int fd)
{
	for (size_t i = 0; i < PEERS; i++)
		if (m->peers[i] == fd)
			m->peers[i] = -1;
	if (!m->held)
		loop_unwatch(m->loop, fd);
	close(fd);
}

static void
peer_ready(int fd, short events, void *cookie)
{
	struct bridge_messages *m = cookie;
	static char packet[SDK_RECORD_MAX + 1];
	const ssize_t n = recv(fd, packet, sizeof packet - 1, MSG_DONTWAIT);
	const char *nul;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		peer_close(m, fd);
		return;
	}
	nul = memchr(packet, '\0', (size_t)n);
	if (nul && nul > packet)
		m->fn(packet, nul + 1, (size_t)(packet + n - nul - 1), m->cookie);
}

static void
peer_accept(int fd, short events, void *cookie)
{
	struct bridge_messages *m = cookie;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t i = 0;

	(void)events;
	if (peer < 0)
		return;
	while (i < PEERS && m->peers[i] >= 0)
		i++;
	if (i == PEERS || !is_instance(m, peer)) {
		close(peer);
		return;
	}
	m->peers[i] = peer;
	loop_watch(m->loop, peer, POLLIN, peer_ready, m);
}

static void
socket_hold(struct bridge_messages *m, int fd, loop_fd_fn *fn)
{
	if (fd < 0)
		return;
	if (m->held)
		loop_unwatch(m->loop, fd);
	else
		loop_watch(m->loop, fd, POLLIN, fn, m);
}

void
bridge_messages_hold(struct bridge_messages *m, bool hold)
{
	if (m->held == hold)
		return;
	m->held = hold;
	socket_hold(m, m->fd, peer_accept);
	for (size_t i = 0; i < PEERS; i++)
		socket_hold(m, m->peers[i], peer_ready);
}

struct bridge_messages *
bridge_messages_new(struct loop *l, const char *home, bridge_message_fn *fn, void *cookie, struct fail *f)
{
	struct bridge_messages *m = xcalloc(1, sizeof *m);
	_cleanup_fd_ int dir = -1;
	struct sockaddr_un un;
	int r;

	*m = (struct bridge_messages){ .loop = l, .home = xstrdup(home), .fn = fn, .cookie = cookie, .fd = -1 };
	for (size_t i = 0; i < PEERS; i++)
		m->peers[i] = -1;
	r = address_of(home, "in.sock", &un, &dir);
	if (r == 0) {
		unlinkat(dir, "in.sock", 0);
		m->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	if (r < 0 || m->fd < 0 || bind(m->fd, (struct sockaddr *)&un, sizeof un) < 0 ||
	    fchmodat(dir, "in.sock", 0666, 0) < 0 || listen(m->fd, BACKLOG) < 0) {
		fail_errno(f, r < 0 ? r : errno, "%s/in.sock", home);
		bridge_messages_free(m);
		return NULL;
	}
	loop_watch(l, m->fd, POLLIN, peer_accept, m);
	return m;
}

void
bridge_messages_free(struct bridge_messages *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < PEERS; i++)
		if (m->peers[i] >= 0)
			peer_close(m, m->peers[i]);
	if (m->fd >= 0 && !m->held)
		loop_unwatch(m->loop, m->fd);
	io_closep(&m->fd);
	free(m->home);
	free(m);
}

/* One packet to INSTANCE, without waiting. */
static int
packet_send(const struct bridge_messages *m, const char *instance, const char *p, size_t n)
{
	_cleanup_free_ char *state = state_of(m->home), *file = file_encode(instance);
	_cleanup_free_ char *home = xasprintf("%s/instances/%s/home", state, file);
	_cleanup_fd_ int dir = -1, fd = -1;
	struct sockaddr_un un;
	int size = 2 * SDK_RECORD_MAX, r = address_of(home, "in.sock", &un, &dir);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	if (connect(fd, (struct sockaddr *)&un, sizeof un) < 0 || send(fd, p, n, MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

int
bridge_messages_send(struct bridge_messages *m, const char *alias, const char *data, size_t len, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/../routes.json", m->home);
	_cleanup_json_ struct json all = JSON_ABSENT, routes = JSON_ABSENT;
	int r = json_load(path, FILE_NOFOLLOW, FILE_DATA_MAX, &all, f), worst = 0;

	if (r < 0)
		return r;
	routes = json_get(all, alias);
	if (json_kind(routes) != JSON_ARRAY)
		return fail_set(f, EXIT_USAGE, "%s: the instance publishes no such topic", alias);
	for (size_t i = 0; i < json_count(routes); i++) {
		_cleanup_json_ struct json route = json_at(routes, i);
		const char *instance = json_get_text(route, "instance"), *topic = json_get_text(route, "topic");
		_cleanup_buf_ struct buf packet = BUF_INIT;

		if (!instance || !topic)
			continue;
		buf_puts(&packet, topic);
		buf_putc(&packet, '\0');
		buf_add(&packet, data, len);
		r = packet_send(m, instance, packet.s, packet.len);
		if (r < 0 && worst == 0)
			worst = fail_errno(f, r, "message to %s", instance);
	}
	return worst;
}
