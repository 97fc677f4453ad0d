#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/journal.h"
#include "base/xalloc.h"

static void
add(struct journal *j, const char *line)
{
	assert(journal_add(j, line, strlen(line)) == 0);
}

static void
holds(const char *path, const char *want)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail f;

	assert(file_load(path, 0, 1 << 20, &b, &f) == 0 && strcmp(b.s, want) == 0);
}

static void
last_is(const char *want)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	assert(journal_last("j", &b) == 0 && strcmp(b.s, want) == 0);
}

/* A crash may leave as much of what was not yet on disk as was added, and zeros at that. */
static void
a_long_torn_line_costs_no_other(void)
{
	_cleanup_free_ char *text = calloc(3 << 20, 1);
	struct journal *j;

	assert(text);
	memcpy(text, "one\n", 4);
	assert(file_replace("j", text, 3 << 20, 0640, 0) == 0);
	last_is("one");
	j = journal_open("j", 20);
	assert(j);
	holds("j", "one\n");
	journal_close(j);
}

static void
a_file_that_cannot_be_made_is_made_later(void)
{
	struct journal *j = journal_open("j", 10);
	struct rlimit before, none;

	assert(j);
	add(j, "two");
	assert(getrlimit(RLIMIT_NOFILE, &before) == 0);
	none = (struct rlimit){ 3, before.rlim_max };
	assert(setrlimit(RLIMIT_NOFILE, &none) == 0);
	assert(journal_add(j, "three", 5) == -EMFILE);
	assert(setrlimit(RLIMIT_NOFILE, &before) == 0);
	add(j, "four");
	holds("j", "four\n");
	holds("j.1", "one\ntwo\n");
	journal_close(j);
}

int
main(void)
{
	char dir[] = "/tmp/rejoin-journal.XXXXXX";
	struct journal *j;

	assert(mkdtemp(dir) && chdir(dir) == 0);
	last_is("");
	j = journal_open("j", 20);
	assert(j);
	last_is("");
	add(j, "one");
	add(j, "");
	add(j, "three");
	assert(journal_sync(j) == 0 && journal_sync(j) == 0);
	holds("j", "one\n\nthree\n");
	last_is("three");
	journal_close(j);

	/* a crash tore the last line; it is cut off, once */
	assert(file_replace("j", "one\ntwo\nthr", 11, 0640, 0) == 0);
	last_is("two");
	j = journal_open("j", 20);
	assert(j);
	add(j, "four");
	holds("j", "one\ntwo\nfour\n");

	/* beyond its maximum it begins anew, and one old one is kept */
	add(j, "fifth line");
	holds("j.1", "one\ntwo\nfour\n");
	holds("j", "fifth line\n");
	add(j, "sixth line, longer than the whole");
	holds("j.1", "fifth line\n");
	last_is("sixth line, longer than the whole");
	journal_close(j);
	journal_close(NULL);

	/* a line that was never whole, and what is no file */
	assert(file_replace("j", "torn", 4, 0640, 0) == 0);
	last_is("");
	j = journal_open("j", 20);
	assert(j);
	holds("j", "");
	journal_close(j);
	a_long_torn_line_costs_no_other();
	a_file_that_cannot_be_made_is_made_later();
	assert(mkfifo("pipe", 0600) == 0 && !journal_open("pipe", 20));
	assert(symlink("j", "link") == 0 && !journal_open("link", 20) && errno == ELOOP);
	return file_remove_tree(dir) < 0;
}
