#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "component/component.h"
#include "component/inventory.h"
#include "component/template.h"

/* Each entry has an id, and what is kept of it is a record, as text or as a value. */
static void
check(const struct inventory *inv)
{
	for (size_t i = 0; i < inv->n; i++) {
		const struct inventory_entry *e = &inv->entries[i];
		struct json v = JSON_ABSENT;
		struct fail f;

		if (e->text_len)
			assert(json_parse(NULL, inv->text.s + e->text, e->text_len, &v, &f) == 0);
		else
			v = json_copy(e->component);
		assert(component_check(v, "entry", &f) == 0);
		assert(strcmp(component_id(v), inventory_id(inv, i)) == 0);
		json_release(&v);
	}
}

/* A hostile device: what it says of itself is what the inventory asks for. */
static const char *
echo(const char *name, void *cookie)
{
	char *value = cookie;

	snprintf(value, COMPONENT_TEXT_MAX, "%s", name);
	return *name ? value : NULL;
}

static void
fill(const struct inventory *inv)
{
	static char value[COMPONENT_TEXT_MAX];

	for (size_t i = 0; i < inv->n; i++) {
		struct json filled = JSON_ABSENT;
		struct fail f;

		if (!inv->entries[i].each)
			continue;
		if (template_fill(inv->entries[i].component, echo, value, &filled, &f) == 0)
			assert(component_check(filled, "filled", &f) == 0 || strstr(f.text, "id is empty") ||
			    strstr(f.text, "state is"));
		json_release(&filled);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* of its own, so that a read beyond it is seen */
	char *text = malloc(size ? size : 1);
	struct inventory inv = INVENTORY_INIT;
	struct json whole = JSON_ABSENT, list = JSON_ABSENT;
	struct fail f;
	bool has_probe;

	if (size)
		memcpy(text, data, size);
	if (inventory_parse("fuzz", text, size, &inv, &has_probe, &f) == 0) {
		/* whichever way it was read, it is what the whole says */
		assert(json_parse(NULL, text, size, &whole, &f) == 0);
		list = json_get(whole, "components");
		assert(json_count(list) == inv.n);
		check(&inv);
		fill(&inv);
	} else {
		assert(f.status == EXIT_USAGE && strncmp(f.text, "fuzz: ", 6) == 0);
	}
	json_release(&whole);
	json_release(&list);
	inventory_release(&inv);
	free(text);
	return 0;
}
