#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dirs.h"
#include "base/xalloc.h"
#include "component/inventory.h"
#include "doctor/checks.h"
#include "doctor/program.h"

/* An id and its index in the inventory. */
struct id_place {
	const char *id;
	size_t i;
};

static int
compare_ids(const void *a, const void *b)
{
	const struct id_place *p = a, *q = b;
	int c = strcmp(p->id, q->id);

	return c ? c : (p->i > q->i) - (p->i < q->i);
}

/* Templates are left out: their ids are known only once devices match. */
static void
test_ids(struct doctor_run *x, const struct inventory *inv)
{
	_cleanup_free_ struct id_place *at = xcalloc(inv->n + 1, sizeof *at);
	size_t n = 0;

	for (size_t i = 0; i < inv->n; i++)
		if (!inv->entries[i].each)
			at[n++] = (struct id_place){ inventory_id(inv, i), i };
	qsort(at, n, sizeof *at, compare_ids);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(at[i - 1].id, at[i].id) != 0)
			continue;
		doctor_fail(x, inv->path, "components[%zu] and components[%zu] have the same id, '%s'",
		    at[i - 1].i, at[i].i, at[i].id);
		doctor_advise(x, "give one of them another id: the tools refuse the inventory as it is");
	}
}

static void
test_probes(struct doctor_run *x, const struct inventory *inv)
{
	_cleanup_buf_ struct buf where = BUF_INIT;

	for (size_t i = 0; i < inv->n; i++) {
		_cleanup_json_ struct json program = json_at(inv->entries[i].probe, 0);
		const char *name = json_get_string(program);

		if (!name)
			continue;
		buf_reset(&where);
		inventory_where(inv->path, i, inventory_id(inv, i), &where);
		program_test(x, where.s, name, x->profile->gid);
	}
}

void
inventory_check_run(struct doctor_run *x)
{
	const char *path = x->profile->inventory;
	struct inventory inv = INVENTORY_INIT;
	size_t first = x->n;
	struct fail f;

	if (!path) {
		doctor_ok(x, x->profile->name, "its profile names no inventory");
		return;
	}
	if (access(path, F_OK) < 0 && errno == ENOENT) {
		doctor_warn(x, path, "no such file: no components are known");
		doctor_advise(x, "create it: %s/examples/inventory.json and rejoin-enum(1) show how", dirs_vendor());
		return;
	}
	if (inventory_load(path, x->profile->gid, &inv, &f) < 0) {
		doctor_fail_as(x, path, &f);
		if (f.status != EXIT_DENIED)
			doctor_advise(x, "%s", *f.hint ? f.hint : "correct it: rejoin-enum(1) describes inventories; "
			    "until then no component is known");
		else
			doctor_advise(x, "it names programs to run: check its content, then make it and its "
			    "directory writable by root alone (chown root, chmod go-w)");
		return;
	}
	test_ids(x, &inv);
	test_probes(x, &inv);
	if (x->n == first)
		doctor_ok(x, path, "%zu components or templates", inv.n);
	inventory_release(&inv);
}
