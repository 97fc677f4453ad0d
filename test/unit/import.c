#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "deploy/goal.h"
#include "deploy/import.h"

#define HASH	"\"hashes\":{\"sha256\":\"Uk1vsEL/nT4btMngo0YSJjheOL2aqm6/EAFhzPb0rXs=\"}"
#define ID(n)	"\"updateId\":{\"provider\":\"p\",\"name\":\"" n "\",\"version\":\"1.0\"}"
#define HEAD(v)	"{\"manifestVersion\":\"" v "\"," ID("n") ",\"compatibility\":[{\"model\":\"m\"}],"
#define STEPS(s) "\"instructions\":{\"steps\":[" s "]},"
#define INLINE	"{\"type\":\"inline\",\"handler\":\"h\",\"files\":[\"a b%.sh\"],\"handlerProperties\":{\"k\":\"v\"}}"
#define REFER	"{\"type\":\"reference\"," ID("c") "}"
#define FILES	"\"files\":[{\"filename\":\"a b%.sh\",\"sizeInBytes\":136," HASH "}]"
#define CHILD	HEAD("4") STEPS("{\"handler\":\"h\",\"files\":[\"c\"]}") \
		"\"files\":[{\"filename\":\"c\",\"sizeInBytes\":1," HASH "}]}"

static const char *child = CHILD;

static int
load(const char *name, struct buf *text, struct fail *f, void *cookie)
{
	int *n_loads = cookie;

	(*n_loads)++;
	if (strcmp(name, "p.c.1.0.importmanifest.json") != 0)
		return fail_errno(f, EIO, "%s", name);
	buf_reset(text);
	buf_puts(text, child);
	return 0;
}

/* TEXT as a goal; NULL where it is refused with WRONG in the message. */
static struct goal *
convert(const char *text, const char *wrong, int *n_loads)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	_cleanup_buf_ struct buf out = BUF_INIT;
	const struct import_place place = { load, n_loads, "https://h/d/", "?s=1" };
	struct goal *g = NULL;
	struct fail f = { .text = "" };
	int r;

	*n_loads = 0;
	assert(json_parse("i", text, strlen(text), &v, &f) == 0 && import_is_manifest(v));
	r = import_goal("i", v, &place, &out, &f);
	if (r == 0)
		r = goal_parse("i", out.s, out.len, &g, &f);
	if (wrong ? r == 0 || !strstr(f.text, wrong) : r != 0) {
		fprintf(stderr, "%s\n-> %d '%s'\n", text, r, f.text);
		abort();
	}
	return g;
}

static void
check_goal(void)
{
	int n;
	struct goal *g = convert(HEAD("5.0") STEPS(INLINE "," REFER "," REFER) FILES "}", NULL, &n), *other;
	const struct manifest *m = g->manifest;
	const struct payload *c = manifest_file(m, "p.c.1.0.importmanifest.json");
	_cleanup_json_ struct json url = json_get(g->urls, "c");

	assert(n == 1);		/* named twice, read once */
	assert(strncmp(g->id, "p.n.1.0-", 8) == 0 && strlen(g->id) == 16);
	assert(strcmp(m->version, "5") == 0 && m->n_steps == 3 && m->n_files == 2);
	assert(strcmp(m->steps[0].files[0]->url, "https://h/d/a%20b%25.sh?s=1") == 0);
	assert(strcmp(m->steps[1].detached, c->id) == 0 && c->size_bytes == (int64_t)strlen(child));
	assert(strcmp(json_get_string(url), "https://h/d/c?s=1") == 0);
	child = CHILD " ";
	other = convert(HEAD("5.0") STEPS(INLINE "," REFER) FILES "}", NULL, &n);
	assert(strcmp(g->id, other->id) != 0);
	goal_free(g);
	goal_free(other);
	child = CHILD;
}

/* Too many of them are refused before any is read: each could be a file of a server. */
static void
check_many(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	int n;

	buf_puts(&text, HEAD("5.0") "\"instructions\":{\"steps\":[" REFER);
	for (int i = 0; i < MANIFEST_STEPS_MAX; i++)
		buf_puts(&text, "," REFER);
	buf_puts(&text, "]}," FILES "}");
	convert(text.s, "257 steps are too many", &n);
	assert(n == 0);
}

static void
check_refusals(void)
{
	int n;

	convert(HEAD("3.0") STEPS(INLINE) FILES "}", "version '3.0'", &n);
	convert(HEAD("") STEPS(INLINE) FILES "}", "version ''", &n);
	convert(HEAD("50") STEPS(INLINE) FILES "}", "version '50'", &n);
	convert("{" ID("n") ",\"files\":[]}", "version ''", &n);
	convert(HEAD("4.0") STEPS(INLINE) "\"files\":[{\"filename\":\"..\"}]}", "files[0].filename", &n);
	convert(HEAD("4.0") STEPS("7") FILES "}", "steps[0] is a number", &n);
	convert(HEAD("4.0") STEPS("{\"type\":\"reference\"}") FILES "}", "steps[0].updateId", &n);
	convert(HEAD("4.0") STEPS("{\"type\":\"reference\"," ID("x") "}") FILES "}", "p.x.1.0.importmanifest.json", &n);
	convert(HEAD("4.0") FILES "}", "no array of steps", &n);
	child = HEAD("4.0") STEPS(REFER) FILES "}";
	convert(HEAD("4.0") STEPS(REFER) FILES "}", "a reference inside a reference", &n);
	child = CHILD;
}

/* The child of a goal is converted where it is read. */
static void
check_child(void)
{
	struct manifest *m = NULL;
	struct fail f;

	assert(manifest_parse("c", child, strlen(child), JSON_ABSENT, &m, &f) == 0);
	assert(m->n_steps == 1 && strcmp(m->steps[0].files[0]->name, "c") == 0);
	manifest_free(m);
}

int
main(void)
{
	check_goal();
	check_refusals();
	check_many();
	check_child();
	return 0;
}
