#include <unistd.h>

#include "input/own_output.h"

int
own_output_check(const struct stat *st, const char *name, struct fail *f)
{
	struct stat out;

	if (!S_ISREG(st->st_mode) || fstat(STDOUT_FILENO, &out) < 0 || out.st_dev != st->st_dev ||
	    out.st_ino != st->st_ino)
		return 0;
	return fail_set(f, EXIT_NO, "%s: is the file that standard output is written to, and is not read", name);
}
