#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/http_helper.h"
#include "base/io.h"
#include "base/xalloc.h"

void
http_helper_begin(char *argv[])
{
	const pid_t parent = getppid();

	diag_init(argv);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_TROUBLE);
}

int
http_helper_read(size_t max, struct json *request, struct fail *f)
{
	_cleanup_buf_ struct buf text = BUF_MAX(max);
	ssize_t n;

	while ((n = io_read_buf(STDIN_FILENO, &text)) > 0)
		;
	return n < 0 ? fail_errno(f, (int)n, "standard input") : json_parse("request", text.s, text.len, request, f);
}

const char **
http_helper_headers(struct json request, const char *more)
{
	_cleanup_json_ struct json list = json_get(request, "headers");
	const char **v = xcalloc(json_count(list) + 2, sizeof *v);
	size_t n = 0;

	for (size_t i = 0; i < json_count(list); i++) {
		_cleanup_json_ struct json h = json_at(list, i);

		if (json_get_string(h))
			v[n++] = json_get_string(h);
	}
	if (more)
		v[n] = more;
	return v;
}
