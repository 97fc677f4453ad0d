#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/fd_owners.h"
#include "base/file.h"
#include "base/procstat.h"
#include "base/xalloc.h"

enum { TEXT_MAX = 65536, PATH_LONGEST = 4096 };

struct fd_search {
	struct stat st;
	unsigned long long ino;	/* inode number in fdinfo, which may differ from st_ino; 0 if unknown */
	struct fd_owner *out;
	size_t max, n;
	size_t hidden;
};

/* Call FN for each name in DIR that is a number; false where DIR cannot be read. */
static bool
each_number(const char *dir, void (*fn)(const char *name, void *cookie), void *cookie)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (!d)
		return false;
	while ((e = readdir(d)))
		if (isdigit((unsigned char)*e->d_name))
			fn(e->d_name, cookie);
	closedir(d);
	return true;
}

/* Read a file of /proc, whose st_size is 0. */
static bool
read_proc(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "re");
	char b[4096];
	size_t n;

	buf_reset(out);
	if (!f)
		return false;
	while (out->len < TEXT_MAX && (n = fread(b, 1, sizeof b, f)) > 0)
		buf_add(out, b, n);
	fclose(f);
	return true;
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

struct process {
	struct fd_search *search;
	struct fd_owner as;	/* what all its descriptors of the file allow */
	bool found;
};

static void
add_flags(struct process *p, int flags)
{
	p->as.reads |= (flags & O_ACCMODE) != O_WRONLY;
	p->as.writes |= (flags & O_ACCMODE) != O_RDONLY;
	p->found = true;
}

/* Not the owner of /proc/PID: that is root where a process made itself undumpable. */
static uid_t
effective_uid(pid_t pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/status", pid);
	_cleanup_buf_ struct buf b = BUF_INIT;
	const char *line = read_proc(path, &b) ? strstr(b.s, "\nUid:\t") : NULL;
	unsigned int uid;

	return line && sscanf(line, "\nUid: %*u %u", &uid) == 1 ? (uid_t)uid : (uid_t)-1;
}

static void
add_owner(struct fd_search *s, struct fd_owner *h)
{
	struct procstat stat;

	h->uid = effective_uid(h->pid);
	if (procstat_read(h->pid, &stat) == 0) {
		snprintf(h->command, sizeof h->command, "%.*s", (int)sizeof h->command - 1, stat.command);
		h->parent = stat.parent;
	}
	if (s->n < s->max)
		s->out[s->n] = *h;
	s->n++;
}

/* The inode number in a fdinfo text, 0 where the kernel (before 5.14) gives none. */
static unsigned long long
inode_of(const struct buf *info)
{
	const char *ino = strstr(info->s, "\nino:");

	return ino ? strtoull(ino + 5, NULL, 10) : 0;
}

/*
 * fdinfo gives the inode number (Linux 5.14), so only descriptors that match are
 * stat(2)ed: a stat(2) of a file on an unreachable server would hang.
 */
static void
check_descriptor(const char *name, void *cookie)
{
	struct process *p = cookie;
	_cleanup_free_ char *path = xasprintf("/proc/%d/fd/%s", p->as.pid, name);
	_cleanup_free_ char *file = xasprintf("/proc/%d/fdinfo/%s", p->as.pid, name);
	_cleanup_buf_ struct buf info = BUF_INIT;
	const char *flags;
	struct stat st;

	if (!read_proc(file, &info) || inode_of(&info) != p->search->ino)
		return;
	if (stat(path, &st) < 0 || !is_same_file(&st, &p->search->st))
		return;
	flags = strstr(info.s, "flags:");
	add_flags(p, flags ? (int)strtol(flags + 6, NULL, 8) : 0);
	p->as.locks |= strstr(info.s, "\nlock:") != NULL;
}

/* Read the path at ADDRESS in the memory of process PID; false where there is none. */
static bool
read_path(pid_t pid, unsigned long address, char path[PATH_LONGEST])
{
	const unsigned long page = (unsigned long)sysconf(_SC_PAGESIZE);
	size_t n = 0;

	/* one page at a time: the page after the path's end may not be mapped */
	while (n < PATH_LONGEST) {
		size_t step = page - (address + n) % page;
		struct iovec to = { path + n, step > PATH_LONGEST - n ? PATH_LONGEST - n : step };
		/* an address in the other process, never dereferenced here */
		struct iovec from = { (void *)(uintptr_t)(address + n), to.iov_len };

		if (process_vm_readv(pid, &to, 1, &from, 1, 0) != (ssize_t)to.iov_len)
			return false;
		if (memchr(to.iov_base, '\0', to.iov_len))
			return true;
		n += to.iov_len;
	}
	return false;
}

/*
 * Does this thread wait for the other end of a FIFO?  Kernels without wchan
 * give "0".  A thread that hangs in open(2) on an unreachable server must not be
 * followed there.
 */
static bool
waits_for_partner(pid_t pid, const char *thread)
{
	_cleanup_free_ char *file = xasprintf("/proc/%d/task/%s/wchan", pid, thread);
	_cleanup_buf_ struct buf b = BUF_INIT;

	return !read_proc(file, &b) || strcmp(b.s, "0") == 0 || strcmp(b.s, "wait_for_partner") == 0;
}

/* Is this thread in open(2) or openat(2) of the file? */
static void
check_thread(const char *name, void *cookie)
{
	struct process *p = cookie;
	_cleanup_free_ char *file = xasprintf("/proc/%d/task/%s/syscall", p->as.pid, name);
	_cleanup_buf_ struct buf b = BUF_INIT;
	unsigned long a[4];
	char path[PATH_LONGEST], *at;
	struct stat st;
	long call;

	if (p->found || !read_proc(file, &b) ||
	    sscanf(b.s, "%ld %lx %lx %lx %lx", &call, &a[0], &a[1], &a[2], &a[3]) != 5)
		return;
#ifdef SYS_open
	if (call == SYS_open) {
		memmove(a + 1, a, 2 * sizeof *a);
		a[0] = (unsigned long)AT_FDCWD;
		call = SYS_openat;
	}
#endif
	if (call != SYS_openat || !waits_for_partner(p->as.pid, name) ||
	    !read_path(p->as.pid, a[1], path))
		return;
	/* a relative path begins in the working directory of that process */
	at = *path == '/' ? xasprintf("/proc/%d/root%s", p->as.pid, path) :
	    xasprintf("/proc/%d/cwd/%s", p->as.pid, path);
	if (stat(at, &st) == 0 && is_same_file(&st, &p->search->st)) {
		add_flags(p, (int)a[2]);
		p->as.waits = true;
	}
	free(at);
}

static void
check_process(const char *name, void *cookie)
{
	struct fd_search *s = cookie;
	struct process p = { .search = s, .as.pid = (pid_t)strtol(name, NULL, 10) };
	_cleanup_free_ char *fds = xasprintf("/proc/%s/fd", name);
	_cleanup_free_ char *tasks = xasprintf("/proc/%s/task", name);

	if (p.as.pid == getpid())
		return;
	if (!each_number(fds, check_descriptor, &p)) {
		s->hidden += errno != ENOENT && errno != ESRCH;		/* else it has ended */
		return;
	}
	if (!p.found && S_ISFIFO(s->st.st_mode))
		each_number(tasks, check_thread, &p);
	if (p.found)
		add_owner(s, &p.as);
}

size_t
fd_owners_find(int fd, struct fd_owner out[], size_t max, size_t *hidden)
{
	struct fd_search s = { .out = out, .max = max };
	_cleanup_free_ char *path = xasprintf("/proc/self/fdinfo/%d", fd);
	_cleanup_buf_ struct buf info = BUF_INIT;

	*hidden = 0;
	if (fstat(fd, &s.st) < 0)
		return 0;
	if (read_proc(path, &info))
		s.ino = inode_of(&info);
	if (!each_number("/proc", check_process, &s))
		s.hidden++;
	*hidden = s.hidden;
	return s.n;
}

struct inotify_count {
	uid_t uid;
	const char *process;
	size_t n;
};

static void
count_descriptor(const char *name, void *cookie)
{
	struct inotify_count *t = cookie;
	_cleanup_free_ char *path = xasprintf("/proc/%s/fd/%s", t->process, name);
	char target[64];
	ssize_t n = readlink(path, target, sizeof target - 1);

	if (n > 0) {
		target[n] = '\0';
		t->n += strcmp(target, "anon_inode:inotify") == 0;
	}
}

static void
count_process(const char *name, void *cookie)
{
	struct inotify_count *t = cookie;
	_cleanup_free_ char *dir = xasprintf("/proc/%s", name);
	_cleanup_free_ char *fds = xasprintf("/proc/%s/fd", name);
	struct stat st;

	if (stat(dir, &st) < 0 || st.st_uid != t->uid)
		return;
	t->process = name;
	each_number(fds, count_descriptor, t);
}

size_t
fd_owners_count_inotify(uid_t uid)
{
	struct inotify_count t = { .uid = uid };

	each_number("/proc", count_process, &t);
	return t.n;
}
