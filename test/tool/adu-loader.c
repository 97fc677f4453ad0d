/*
 * adu-loader FILE.so N [SELECTOR] - load a component enumerator as the Azure agent does
 *
 * It checks the contract, asks N times for all components, or for those that
 * SELECTOR matches, prints the last answer, and ends with 1 where an answer is
 * NULL.  With N over 1, it ends with 3 where descriptors, children or memory have
 * grown meanwhile.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct result { int32_t code, extended; };
struct contract { unsigned int major, minor; };

struct enumerator {
	char *(*all)(void);
	char *(*matching)(const char *);
	void (*release)(char *);
	struct result (*contract)(struct contract *);
};

static void *
symbol(void *so, const char *name)
{
	void *p = dlsym(so, name);

	if (!p) {
		fprintf(stderr, "adu-loader: %s\n", dlerror());
		exit(2);
	}
	return p;
}

static int
open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* A sanitizer keeps what was freed, and reports itself at the end what was not. */
#ifdef __SANITIZE_ADDRESS__
static long
resident_pages(void)
{
	return 0;
}
#else
static long
resident_pages(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long size = 0, resident = 0;

	if (fscanf(f, "%ld %ld", &size, &resident) != 2)
		abort();
	fclose(f);
	return resident;
}
#endif

static int
ask(const struct enumerator *e, const char *selector, int last)
{
	char *text = selector ? e->matching(selector) : e->all();
	int r = text ? 0 : 1;

	if (last && text)
		fputs(text, stdout);
	e->release(text);
	return r;
}

int
main(int argc, char *argv[])
{
	void *so = argc > 2 ? dlopen(argv[1], RTLD_LAZY) : NULL;
	struct enumerator e;
	struct contract c = { 0 };
	int n = argc > 2 ? atoi(argv[2]) : 0, fds, r = 0;
	long pages;

	if (!so) {
		fprintf(stderr, "adu-loader: %s\n", argc > 2 ? dlerror() : "FILE.so N [SELECTOR]");
		return 2;
	}
	*(void **)&e.all = symbol(so, "GetAllComponents");
	*(void **)&e.matching = symbol(so, "SelectComponents");
	*(void **)&e.release = symbol(so, "FreeComponentsDataString");
	*(void **)&e.contract = symbol(so, "GetContractInfo");
	if (e.contract(&c).code <= 0 || c.major != 1 || c.minor != 0)
		return 2;
	r = ask(&e, argv[3], n == 1);
	fds = open_descriptors();
	pages = resident_pages();
	for (int i = 1; i < n; i++)
		r |= ask(&e, argv[3], i + 1 == n);
	if (n > 1 && (open_descriptors() != fds || resident_pages() > pages + 256 ||
	    waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)) {
		fprintf(stderr, "adu-loader: descriptors, children or memory have grown: %d to %d, %ld to %ld pages\n",
		    fds, open_descriptors(), pages, resident_pages());
		return 3;
	}
	return r;
}
