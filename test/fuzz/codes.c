#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "doctor/codes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Up to the first newline a code as typed, then a table of meanings. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = xstrndup((const char *)data, n), *nl = strchr(text, '\n');
	struct json found = JSON_ABSENT;
	struct codes *c;
	int r;

	if (nl)
		*nl++ = '\0';
	c = codes_parse("0x30500205\t810549765\tNAME\tFACILITY\tCOMPONENT\n", nl ? nl : "");
	r = codes_explain(c, text, &found);
	if (r < 0 && r != -EINVAL)
		abort();
	if ((r >= 0) != (json_count(found) > 0))
		abort();
	json_release(&found);
	codes_free(c);
	free(text);
	return 0;
}
