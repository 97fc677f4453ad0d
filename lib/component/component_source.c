#include <stdlib.h>

#include "base/xalloc.h"
#include "component/records.h"
#include "component/component_source.h"

struct component_source {
	struct component_source_spec spec;
	struct records *records;		/* where they come from an FD ... */
	struct enumeration *enumeration;	/* ... or while the inventories are enumerated ... */
	struct json components;			/* ... and what was found, the next one at AT */
	size_t at;
	enum exit_status status;
};

static void
status_raise(struct component_source *s, enum exit_status status)
{
	if (status > s->status)
		s->status = status;
}

static void
on_wake(void *cookie)
{
	const struct component_source *s = cookie;

	s->spec.wake(s->spec.cookie);
}

static void
on_enumerated(struct json components, enum exit_status worst, void *cookie)
{
	struct component_source *s = cookie;

	s->enumeration = NULL;
	s->components = json_copy(components);
	status_raise(s, worst);
	on_wake(s);
}

struct component_source *
component_source_open(struct loop *l, const struct component_source_spec *spec)
{
	struct component_source *s = xcalloc(1, sizeof *s);

	*s = (struct component_source){ .spec = *spec, .components = JSON_ABSENT };
	if (spec->fd >= 0) {
		s->records = records_open(l, spec->fd, on_wake, s);
		records_watch(s->records, true);
	} else {
		s->enumeration = enumerate_start(l, &s->spec.inventories, on_enumerated, s);
	}
	return s;
}

void
component_source_close(struct component_source *s)
{
	if (!s)
		return;
	if (s->enumeration)
		enumerate_cancel(s->enumeration);
	records_close(s->records);
	json_release(&s->components);
	free(s);
}

void
component_source_want(struct component_source *s, bool yes)
{
	if (s->records)
		records_watch(s->records, yes && !records_is_at_end(s->records));
}

static int
next_record(struct component_source *s, struct json *c)
{
	const struct enumerate_spec *tell = &s->spec.inventories;
	struct fail f, named;
	int r;

	while ((r = records_next(s->records, c, &f)) < 0) {
		fail_set(&named, f.status, "%s: %.400s", s->spec.name, f.text);
		tell->problem(&named, tell->cookie);
		status_raise(s, f.status == EXIT_USAGE ? EXIT_NO : f.status);
	}
	return r;
}

int
component_source_next(struct component_source *s, struct json *c)
{
	if (s->records)
		return next_record(s, c);
	if (s->at >= json_count(s->components))
		return 0;
	*c = json_at(s->components, s->at++);
	return 1;
}

bool
component_source_is_at_end(const struct component_source *s)
{
	return s->records ? records_is_at_end(s->records) :
	    !s->enumeration && s->at >= json_count(s->components);
}

enum exit_status
component_source_status(const struct component_source *s)
{
	return s->status;
}
