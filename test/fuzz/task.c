#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "task/session.h"
#include "task/submit.h"
#include "task/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What a stranger may send to the agent, and what stands in its files. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char boot[] = "682befc3-1fac-41a8-9d7c-a6fa9966bb64";
	const char *text = (const char *)data;
	_cleanup_buf_ struct buf a = BUF_INIT, b = BUF_INIT, c = BUF_INIT;
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct submit q = SUBMIT_INIT;
	struct task_session s;
	struct refusal r;
	struct target t;
	struct fail f;

	if (json_parse(NULL, text, n, &v, &f) == 0 && submit_parse(v, 1 << 20, &q, &r) == 0 &&
	    (q.launch.inherit || q.launch.program || q.launch.log_max > 1 << 20))
		abort();
	submit_release(&q);
	if (session_parse(text, n, boot, &s) == 0) {
		session_format(&s, boot, &a);
		if (session_parse(a.s, a.len, boot, &s) < 0)
			abort();
	}
	if (base64_decode(text, n, &b) == 0 && b.len > 0) {
		base64_encode(b.s, b.len, &c);
		if (c.len != n)
			abort();
	}
	buf_reset(&a);
	buf_add(&a, text, n < 200 ? n : 200);
	if (target_parse(a.s, &t, &f) == 0 && t.host && (*t.host == '-' || strpbrk(t.host, " '\"$`;&|\n")))
		abort();
	target_release(&t);
	return 0;
}
