#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/sse.h"
#include "input/protocol.h"
#include "imp/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int
add(const struct sse_event *e, void *cookie)
{
	protocol_event(cookie, e->id, e->data, e->len);
	return 0;
}

static void
take_event(const char *id, const char *text, size_t n, void *cookie)
{
	protocol_event(cookie, id, text, n);
}

static void
take_gap(const char *why, void *cookie)
{
	protocol_gap(cookie, why);
}

static void
take_tell(const struct fail *f, void *cookie)
{
	protocol_tell(cookie, f);
}

static void
in_pieces(const char *p, size_t n, size_t step, struct buf *out)
{
	struct sse s;

	sse_init(&s, 64, add, out);
	for (size_t at = 0; at < n; at += step)
		(void)sse_feed(&s, p + at, n - at < step ? n - at : step);
	sse_release(&s);
}

/* What is shown of an entry is read again as the same entry. */
static void
check_entry(const char *p, size_t n)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct imp_entry a, b;

	if (imp_entry_parse(p, n, &a) < 0)
		return;
	imp_entry_format(&a, &text);
	if (imp_entry_parse(text.s, text.len, &b) == 0) {
		if (a.hash != b.hash)
			abort();
		imp_entry_release(&b);
	} else if (*text.s != '{')
		abort();
	imp_entry_release(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data;
	_cleanup_buf_ struct buf whole = BUF_INIT, pieces = BUF_INIT, again = BUF_INIT, in = BUF_INIT;
	const struct protocol_ops ops = { take_event, take_gap, take_tell, &again };

	in_pieces(p, n, n + 1, &whole);
	in_pieces(p, n, n ? data[0] % 7 + 1 : 1, &pieces);
	if (whole.len != pieces.len || memcmp(whole.s, pieces.s, whole.len) != 0)
		abort();
	/* what was written for the wire is read from it as it was */
	if (protocol_parse(&pieces, &ops) < 0 || pieces.len || again.len != whole.len ||
	    memcmp(again.s, whole.s, whole.len) != 0)
		abort();
	buf_add(&in, p, n);
	(void)protocol_parse(&in, &ops);
	check_entry(p, n);
	return 0;
}
