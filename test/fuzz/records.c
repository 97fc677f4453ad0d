#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "component/component.h"
#include "component/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct reader {
	struct loop *loop;
	struct records *records;
};

static void
taken(void *cookie)
{
	const struct reader *r = cookie;
	struct json v;
	struct fail f;
	int e;

	while ((e = records_next(r->records, &v, &f)) != 0) {
		if (e > 0 && !component_id(v))
			abort();
		if (e > 0)
			json_release(&v);
	}
	if (records_is_at_end(r->records))
		loop_stop(r->loop, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct reader r = { .loop = loop_new() };
	int fd = memfd_create("records", MFD_CLOEXEC);

	if (fd < 0 || io_write_all(fd, data, n) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	r.records = records_open(r.loop, fd, taken, &r);
	records_watch(r.records, true);
	loop_run(r.loop);
	records_close(r.records);
	loop_free(r.loop);
	close(fd);
	return 0;
}
