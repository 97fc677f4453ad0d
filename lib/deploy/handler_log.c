#include <string.h>

#include "base/xalloc.h"
#include "deploy/handler_log.h"

void
handler_log_flatten(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

void
handler_log_output(const char *step, const char *component, enum handler_action action, const char *output,
    handler_log_fn *log, void *cookie)
{
	for (size_t n; *output; output += n + (output[n] == '\n')) {
		_cleanup_free_ char *line = NULL;

		n = strcspn(output, "\n");
		if (n == 0)
			continue;
		line = xasprintf("%s%s%s: %s| %.*s", step, *component ? ": " : "", component,
		    handler_result_phase(action), (int)n, output);
		handler_log_flatten(line);
		log(line, cookie);
	}
}
