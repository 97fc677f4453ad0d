#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/writeback.h"

enum { BLOCK = 100000, BLOCKS = 400 };	/* no multiple of a window */

static void
what_is_written_is_there_from_any_offset(void)
{
	static char block[BLOCK], back[BLOCK];
	int fd = open("written", O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert(fd >= 0);
	for (int from = 0; from <= 7; from += 7) {
		struct writeback w = WRITEBACK_FROM(from);

		assert(lseek(fd, from, SEEK_SET) == from);
		for (int i = 0; i < BLOCKS; i++) {
			block[0] = (char)i;
			assert(io_write_all(fd, block, BLOCK) == 0 && writeback_add(&w, fd, BLOCK) == 0);
		}
		assert(w.end == from + (int64_t)BLOCK * BLOCKS && w.end - w.begun < w.end);
		for (int i = 0; i < BLOCKS; i++) {
			assert(pread(fd, back, BLOCK, from + (off_t)i * BLOCK) == BLOCK);
			assert(back[0] == (char)i);
		}
	}
	close(fd);
	unlink("written");
}

static void
one_that_is_no_file_of_a_disk_is_left_alone(void)
{
	struct writeback w = WRITEBACK_FROM(0);
	int pipes[2];

	assert(pipe(pipes) == 0);
	assert(writeback_add(&w, pipes[1], 64 << 20) == 0 && w.end == 64 << 20);
	close(pipes[0]);
	close(pipes[1]);
}

int
main(void)
{
	what_is_written_is_there_from_any_offset();
	one_that_is_no_file_of_a_disk_is_left_alone();
	return 0;
}
