#include <stdlib.h>

#include "base/xalloc.h"
#include "component/records.h"
#include "component/supply.h"

struct supply {
	struct supply_spec spec;
	struct records *records;		/* where they come from an FD ... */
	struct enumeration *enumeration;	/* ... or while the inventories are looked at ... */
	struct json components;			/* ... and what was found, the next one at AT */
	size_t at;
	enum exit_status status;
};

static void
worse(struct supply *s, enum exit_status status)
{
	if (status > s->status)
		s->status = status;
}

static void
woken(void *cookie)
{
	const struct supply *s = cookie;

	s->spec.wake(s->spec.cookie);
}

static void
enumerated(struct json components, enum exit_status worst, void *cookie)
{
	struct supply *s = cookie;

	s->enumeration = NULL;
	s->components = json_copy(components);
	worse(s, worst);
	woken(s);
}

struct supply *
supply_open(struct loop *l, const struct supply_spec *spec)
{
	struct supply *s = xcalloc(1, sizeof *s);

	*s = (struct supply){ .spec = *spec, .components = JSON_ABSENT };
	if (spec->fd >= 0) {
		s->records = records_open(l, spec->fd, woken, s);
		records_watch(s->records, true);
	} else {
		s->enumeration = enumerate_start(l, &s->spec.inventories, enumerated, s);
	}
	return s;
}

void
supply_close(struct supply *s)
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
supply_want(struct supply *s, bool yes)
{
	if (s->records)
		records_watch(s->records, yes && !records_is_at_end(s->records));
}

static int
next_record(struct supply *s, struct json *c)
{
	const struct enumerate_spec *tell = &s->spec.inventories;
	struct fail f, named;
	int r;

	while ((r = records_next(s->records, c, &f)) < 0) {
		fail_set(&named, f.status, "%s: %.400s", s->spec.name, f.text);
		tell->problem(&named, tell->cookie);
		worse(s, f.status == EXIT_USAGE ? EXIT_NO : f.status);
	}
	return r;
}

int
supply_next(struct supply *s, struct json *c)
{
	if (s->records)
		return next_record(s, c);
	if (s->at >= json_count(s->components))
		return 0;
	*c = json_at(s->components, s->at++);
	return 1;
}

bool
supply_is_at_end(const struct supply *s)
{
	return s->records ? records_is_at_end(s->records) :
	    !s->enumeration && s->at >= json_count(s->components);
}

enum exit_status
supply_status(const struct supply *s)
{
	return s->status;
}
