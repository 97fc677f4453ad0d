#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "task/frames.h"
#include "task/session.h"
#include "task/submit.h"
#include "task/target.h"
#include "task/taskcursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What an agent may answer, and what a reader may return as its place. */
static void
read_answer(const char *text, size_t n)
{
	_cleanup_taskcursor_ struct taskcursor c = { NULL, 0, 0 }, again = { NULL, 0, 0 };
	_cleanup_buf_ struct buf word = BUF_INIT, copy = BUF_INIT;
	const char *p = text;
	struct task_frame f;

	while (frames_next(&p, text + n, n % 2, &f) > 0)
		if (p > text + n || (f.bytes && f.bytes + f.length != p))
			abort();
	buf_add(&word, text, n < 4000 ? n : 4000);
	if (taskcursor_parse(word.s, &c) < 0)
		return;
	for (size_t i = 0; i < c.n; i++)
		if (!taskcursor_add(&again, &c.items[i], &copy))
			return;
	taskcursor_release(&again);
	if (taskcursor_parse(copy.s, &again) < 0 || again.n != c.n)
		abort();
}

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
	read_answer(text, n);
	return 0;
}
