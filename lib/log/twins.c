#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "causal/idmap.h"
#include "log/twins.h"

/* A value: how often a line came from either, and when, in units of 64 s. */
enum { COUNT_BITS = 20, COUNT_MAX = (1 << COUNT_BITS) - 1, TIME_SHIFT = 2 * COUNT_BITS, KEPT = 113 /* two hours */ };

enum {
	SAVED_MAX = 4096,	/* lines in a state */
	SAVED_AGE = 8,		/* units: what came from one alone is awaited from the other for so long after a restart */
};

struct twins {
	struct idmap lines;
	uint64_t key[2];	/* of the hashes of lines, which a state keeps beside them */
	uint64_t newest;
	bool known[2];		/* the last record of either was left out */
};

static uint64_t
time_units(int64_t ns)
{
	return ns < 0 ? 0 : (uint64_t)ns / 64000000000U & ((UINT64_C(1) << 24) - 1);
}

static unsigned
count_of(uint64_t value, unsigned which)
{
	return (unsigned)(value >> which * COUNT_BITS) & COUNT_MAX;
}

/* A line that came from both as often, or that waits for too long, is forgotten. */
static bool
is_kept(uint64_t id, uint64_t value, void *cookie)
{
	const struct twins *t = cookie;

	(void)id;
	return count_of(value, 0) != count_of(value, 1) && (value >> TIME_SHIFT) + KEPT >= t->newest;
}

struct twins *
twins_new(void)
{
	struct twins *t = xcalloc(1, sizeof *t);

	t->lines.keep = is_kept;
	t->lines.cookie = t;
	t->key[0] = hash_bytes(0, "twins", 5);
	t->key[1] = hash_bytes(1, "twins", 5);
	return t;
}

void
twins_free(struct twins *t)
{
	if (t)
		idmap_release(&t->lines);
	free(t);
}

/* One more of the line of N bytes at P from WHICH; false where the other has not brought it as often. */
static bool
count_line(struct twins *t, const char *p, size_t n, unsigned which, uint64_t now)
{
	uint64_t *v = idmap_put(&t->lines, hash_bytes_keyed(t->key, 0x74, p, n));
	bool known = count_of(*v, !which) > count_of(*v, which);

	if (count_of(*v, which) < COUNT_MAX)
		*v += UINT64_C(1) << which * COUNT_BITS;
	*v = (*v & ((UINT64_C(1) << TIME_SHIFT) - 1)) | now << TIME_SHIFT;
	return known;
}

/* The text of P as the agent wrote it: of the journal, without what that puts before it; STAMPED: the agent's time is in it. */
static struct span
agent_text(const struct printed *p, bool *stamped)
{
	struct span text = { p->record->p, p->record->n };
	const char *tag;
	struct fields fields;

	*stamped = !p->record->inherited;
	if (!p->source->twin_journal)
		return text;
	*stamped = source_fields(p->source, text.p, text.n, &fields) && fields.v[FIELD_TIME].p > text.p;
	tag = *stamped ? fields.v[FIELD_TIME].p : memmem(text.p, text.n, "]: ", 3);
	if (tag) {
		tag += *stamped ? 0 : 3;
		text = (struct span){ tag, text.n - (size_t)(tag - text.p) };
	}
	return text;
}

bool
twins_is_known(struct twins *t, const struct printed *p)
{
	const unsigned which = p->source->twin_journal;
	const uint64_t now = time_units(p->record->t);
	bool stamped, known = true;
	struct span text = agent_text(p, &stamped);

	t->newest = now > t->newest ? now : t->newest;
	if (p->record->more || (!stamped && !t->known[which]))
		return t->known[which] = false;
	for (const char *end = text.p + text.n, *at = text.p, *nl; at < end; at = nl + 1) {
		nl = memchr(at, '\n', (size_t)(end - at));
		nl = nl ? nl : end;
		known &= count_line(t, at, (size_t)(nl - at), which, now);
	}
	return t->known[which] = known;
}

static void
append_word(struct json *list, uint64_t word)
{
	char text[17];

	snprintf(text, sizeof text, "%016jx", (uintmax_t)word);
	json_append(list, json_string(text));
}

/* The word I of LIST; 0 where there is none. */
static uint64_t
word_at(struct json list, size_t i)
{
	_cleanup_json_ struct json v = json_at(list, i);

	return json_kind(v) == JSON_STRING ? strtoull(json_get_string(v), NULL, 16) : 0;
}

void
twins_save(const struct twins *t, struct json *state)
{
	struct json list = json_array();
	size_t n = 0;

	if (t->newest == 0) {
		json_release(&list);
		return;
	}
	append_word(&list, t->key[0]);
	append_word(&list, t->key[1]);
	append_word(&list, t->newest << 2 | (uint64_t)t->known[1] << 1 | t->known[0]);
	for (size_t i = 0; i < t->lines.cap && n < SAVED_MAX; i++) {
		const struct idmap_entry *e = &t->lines.v[i];

		if (e->id == 0 || !is_kept(e->id, e->value, (void *)(uintptr_t)t) || (e->value >> TIME_SHIFT) + SAVED_AGE < t->newest)
			continue;
		append_word(&list, e->id);
		append_word(&list, e->value);
		n++;
	}
	json_set(state, "twins", list);
}

void
twins_load(struct twins *t, struct json state)
{
	_cleanup_json_ struct json list = json_get(state, "twins");
	const size_t n = json_count(list);
	uint64_t last;

	if (n < 3)
		return;
	t->key[0] = word_at(list, 0);
	t->key[1] = word_at(list, 1);
	last = word_at(list, 2);
	t->newest = last >> 2;
	t->known[0] = last & 1;
	t->known[1] = last >> 1 & 1;
	for (size_t i = 3; i + 1 < n; i += 2)
		if (word_at(list, i))
			*idmap_put(&t->lines, word_at(list, i)) = word_at(list, i + 1);
}
