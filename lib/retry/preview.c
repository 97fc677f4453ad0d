#include <inttypes.h>

#include "agent/status.h"
#include "agent/status_text.h"
#include "retry/method.h"
#include "retry/preview.h"

enum exit_status
preview_format(const struct profile *p, const struct pending *m, const struct preview_spec *spec, struct buf *out)
{
	_cleanup_buf_ struct buf how = BUF_INIT;
	enum exit_status status = EXIT_OK;
	struct status s;
	struct fail f;

	if (retry_method_find(p)->describe(p, &how, &f) < 0)
		status = f.status;
	buf_printf(out, "agent\t%s\nprofile\t%s\n%s", p->name, p->file, how.s);
	if (spec->instance)
		buf_printf(out, "instance\t%s\n", spec->instance);
	buf_printf(out, "when\t%s\n", p->retry.only_when_idle && !spec->force ? "idle" : "at once");
	buf_printf(out, "state\t%s\n", status_read(p, &s, &f) < 0 ? f.text : status_text_state(s.state));
	buf_printf(out, "debounce\t%" PRId64 "ms\n", spec->debounce_ms);
	buf_printf(out, "pending\t%s: %s\n", m->pending, pending_exists(m) ? "yes" : "no");
	return status;
}
