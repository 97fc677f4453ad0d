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

#include "base/file.h"
#include "base/xalloc.h"
#include "doctor/holder.h"

enum { TEXT_MAX = 65536, PATH_LONGEST = 4096 };

struct search {
	struct stat st;
	unsigned long long ino;	/* as the kernel has it, which is not always st_ino; 0 for not known */
	struct holder *out;
	size_t max, n;
	size_t hidden;
};

/* Each name in DIR that is a number; false where DIR cannot be read. */
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

/* A file of /proc, which says that it is empty. */
static bool
slurp(const char *path, struct buf *out)
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
is_it(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

struct process {
	struct search *search;
	struct holder as;	/* all its descriptors of it together */
	bool found;
};

static void
note(struct process *p, int flags)
{
	p->as.reads |= (flags & O_ACCMODE) != O_WRONLY;
	p->as.writes |= (flags & O_ACCMODE) != O_RDONLY;
	p->found = true;
}

/* Its name, in which anything may stand, is in parentheses: "PID (NAME) STATE PARENT ..." */
static void
add(struct search *s, struct holder *h)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/stat", h->pid);
	_cleanup_buf_ struct buf b = BUF_INIT;
	char *name, *end;

	if (slurp(path, &b) && (name = strchr(b.s, '(')) && (end = strrchr(b.s, ')'))) {
		snprintf(h->command, sizeof h->command, "%.*s", (int)(end - name - 1), name + 1);
		if (strlen(end) > 4)
			h->parent = (pid_t)strtol(end + 4, NULL, 10);
	}
	if (s->n < s->max)
		s->out[s->n] = *h;
	s->n++;
}

/* What the kernel says of a descriptor's inode, 0 for nothing. */
static unsigned long long
inode_of(const struct buf *info)
{
	const char *ino = strstr(info->s, "\nino:");

	return ino ? strtoull(ino + 5, NULL, 10) : 0;
}

/*
 * The kernel says which inode it is (from 5.14): a stat(2) of each descriptor
 * of the machine would wait for the first dead server among their file systems.
 */
static void
look_at_descriptor(const char *name, void *cookie)
{
	struct process *p = cookie;
	_cleanup_free_ char *path = xasprintf("/proc/%d/fd/%s", p->as.pid, name);
	_cleanup_free_ char *file = xasprintf("/proc/%d/fdinfo/%s", p->as.pid, name);
	_cleanup_buf_ struct buf info = BUF_INIT;
	const char *flags;
	struct stat st;

	if (!slurp(file, &info) || inode_of(&info) != p->search->ino)
		return;
	if (stat(path, &st) < 0 || !is_it(&st, &p->search->st))
		return;
	flags = strstr(info.s, "flags:");
	note(p, flags ? (int)strtol(flags + 6, NULL, 8) : 0);
	p->as.locks |= strstr(info.s, "\nlock:") != NULL;
}

/* The path that the process PID has at ADDRESS; false where there is none. */
static bool
read_path(pid_t pid, unsigned long address, char path[PATH_LONGEST])
{
	const unsigned long page = (unsigned long)sysconf(_SC_PAGESIZE);
	size_t n = 0;

	/* not beyond the page in which it ends: the next one may not be there */
	while (n < PATH_LONGEST) {
		size_t step = page - (address + n) % page;
		struct iovec to = { path + n, step > PATH_LONGEST - n ? PATH_LONGEST - n : step };
		/* an address of another process: it is not looked at here */
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
 * Does this thread wait for the other end of a pipe, as far as the kernel tells
 * (not every one does)?  Who is in open(2) on a dead server is not to be followed.
 */
static bool
waits_for_partner(pid_t pid, const char *thread)
{
	_cleanup_free_ char *file = xasprintf("/proc/%d/task/%s/wchan", pid, thread);
	_cleanup_buf_ struct buf b = BUF_INIT;

	return !slurp(file, &b) || strcmp(b.s, "0") == 0 || strcmp(b.s, "wait_for_partner") == 0;
}

/* Is this thread in open(2) or openat(2) of it? */
static void
look_at_thread(const char *name, void *cookie)
{
	struct process *p = cookie;
	_cleanup_free_ char *file = xasprintf("/proc/%d/task/%s/syscall", p->as.pid, name);
	_cleanup_buf_ struct buf b = BUF_INIT;
	unsigned long a[4];
	char path[PATH_LONGEST], *at;
	struct stat st;
	long call;

	if (p->found || !slurp(file, &b) ||
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
	/* a relative one begins where that process is */
	at = *path == '/' ? xasprintf("/proc/%d/root%s", p->as.pid, path) :
	    xasprintf("/proc/%d/cwd/%s", p->as.pid, path);
	if (stat(at, &st) == 0 && is_it(&st, &p->search->st)) {
		note(p, (int)a[2]);
		p->as.waits = true;
	}
	free(at);
}

static void
look_at_process(const char *name, void *cookie)
{
	struct search *s = cookie;
	struct process p = { .search = s, .as.pid = (pid_t)strtol(name, NULL, 10) };
	_cleanup_free_ char *fds = xasprintf("/proc/%s/fd", name);
	_cleanup_free_ char *tasks = xasprintf("/proc/%s/task", name);

	if (p.as.pid == getpid())
		return;
	if (!each_number(fds, look_at_descriptor, &p)) {
		s->hidden += errno == EACCES || errno == EPERM;
		return;
	}
	if (!p.found && S_ISFIFO(s->st.st_mode))
		each_number(tasks, look_at_thread, &p);
	if (p.found)
		add(s, &p.as);
}

size_t
holder_find(int fd, struct holder out[], size_t max, size_t *hidden)
{
	struct search s = { .out = out, .max = max };
	_cleanup_free_ char *path = xasprintf("/proc/self/fdinfo/%d", fd);
	_cleanup_buf_ struct buf info = BUF_INIT;

	*hidden = 0;
	if (fstat(fd, &s.st) < 0)
		return 0;
	if (slurp(path, &info))
		s.ino = inode_of(&info);
	each_number("/proc", look_at_process, &s);
	*hidden = s.hidden;
	return s.n;
}

struct tally {
	uid_t uid;
	const char *process;
	size_t n;
};

static void
tally_descriptor(const char *name, void *cookie)
{
	struct tally *t = cookie;
	_cleanup_free_ char *path = xasprintf("/proc/%s/fd/%s", t->process, name);
	char target[64];
	ssize_t n = readlink(path, target, sizeof target - 1);

	if (n > 0) {
		target[n] = '\0';
		t->n += strcmp(target, "anon_inode:inotify") == 0;
	}
}

static void
tally_process(const char *name, void *cookie)
{
	struct tally *t = cookie;
	_cleanup_free_ char *dir = xasprintf("/proc/%s", name);
	_cleanup_free_ char *fds = xasprintf("/proc/%s/fd", name);
	struct stat st;

	if (stat(dir, &st) < 0 || st.st_uid != t->uid)
		return;
	t->process = name;
	each_number(fds, tally_descriptor, t);
}

size_t
holder_count_inotify(uid_t uid)
{
	struct tally t = { .uid = uid };

	each_number("/proc", tally_process, &t);
	return t.n;
}
