#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "deploy/goal.h"

#define HASH	"\"hashes\":{\"sha256\":\"Uk1vsEL/nT4btMngo0YSJjheOL2aqm6/EAFhzPb0rXs=\"}"
#define FILES	"\"files\":{\"f1\":{\"fileName\":\"a.json\",\"sizeInBytes\":136," HASH "}," \
		"\"f2\":{\"fileName\":\"b.sh\"," HASH "}}"
#define HEAD	"{\"manifestVersion\":\"4\",\"updateId\":{\"provider\":\"p\",\"name\":\"n\",\"version\":\"1\"},"
#define COMPAT	"\"compatibility\":[{\"group\":\"motors\"}],"
#define STEPS(s) "\"instructions\":{\"steps\":[" s "]},"
#define INLINE	"{\"handler\":\"microsoft/script:1\",\"files\":[\"f1\",\"f2\"]," \
		"\"handlerProperties\":{\"scriptFileName\":\"b.sh\"}}"
#define REFER	"{\"type\":\"reference\",\"detachedManifestFileId\":\"f1\"}"

static const struct {
	const char *text;
	const char *wrong;	/* in the message; NULL where it is right */
} manifests[] = {
	{ HEAD COMPAT STEPS(INLINE) FILES "}", NULL },
	{ HEAD COMPAT STEPS(REFER "," INLINE) FILES "}", NULL },
	{ HEAD "\"detachedManifestFileId\":\"f1\"," FILES "}", NULL },
	{ HEAD COMPAT STEPS("{\"handler\":\"a\"}") "\"files\":{}}", NULL },
	{ HEAD COMPAT STEPS("{\"handler\":\"a\"}") "\"x\":1}", NULL },
	{ "[]", "an array, not an object" },
	{ "{}", "manifestVersion" },
	{ "{\"manifestVersion\":4}", "manifestVersion" },
	{ "{\"manifestVersion\":\"6\"}", "manifestVersion" },
	{ "{\"manifestVersion\":\"5\",\"updateId\":\"x\"}", "updateId is a string" },
	{ HEAD "\"detachedManifestFileId\":\"f9\"," FILES "}", "detachedManifestFileId is no file" },
	{ HEAD STEPS(INLINE) FILES "}", "compatibility is nothing" },
	{ HEAD "\"compatibility\":[3]," STEPS(INLINE) FILES "}", "compatibility[0] is a number" },
	{ HEAD COMPAT STEPS("") FILES "}", "no array of steps" },
	{ HEAD COMPAT STEPS("7") FILES "}", "steps[0] is a number" },
	{ HEAD COMPAT STEPS("{}") FILES "}", "steps[0] has no handler" },
	{ HEAD COMPAT STEPS(INLINE ",{\"type\":\"reference\"}") FILES "}", "steps[1].detached" },
	{ HEAD COMPAT STEPS("{\"handler\":\"a\",\"files\":[\"f3\"]}") FILES "}",
	    "steps[0].files[0] is no file" },
	{ HEAD COMPAT STEPS("{\"handler\":\"a\",\"files\":{}}") FILES "}", "files is an object" },
	{ HEAD COMPAT STEPS("{\"handler\":\"a\",\"handlerProperties\":[]}") FILES "}",
	    "handlerProperties is an array" },
	{ HEAD "\"files\":{\"f\":{\"fileName\":\"..\"," HASH "}}}", "fileName" },
	{ HEAD "\"files\":{\"f\":{\"fileName\":\"a/b\"," HASH "}}}", "fileName" },
	{ HEAD "\"files\":{\"f\":{\"fileName\":\"a\\u0007b\"," HASH "}}}", "fileName" },
	{ HEAD "\"files\":{\"f\":{\"fileName\":\"a\"}}}", "has no hash" },
	{ HEAD "\"files\":{\"f\":{\"fileName\":\"a\",\"sizeInBytes\":\"136\"," HASH "}}}", "sizeInBytes" },
	{ HEAD "\"files\":{\"f\":{\"fileName\":\"a\",\"sizeInBytes\":1.5," HASH "}}}", "sizeInBytes" },
	{ HEAD "\"files\":{\"f\":{\"fileName\":\"a\",\"sizeInBytes\":-1," HASH "}}}", "sizeInBytes" },
	{ HEAD "\"files\":{\"f\":{\"fileName\":\"a\",\"sizeInBytes\":1e30," HASH "}}}", "sizeInBytes" },
	{ HEAD "\"files\":{\"f\":{\"fileName\":\"a\",\"sizeInBytes\":null," HASH "}}}", "sizeInBytes" },
	{ HEAD "\"files\":{\"f\":{\"fileName\":\"a\",\"hashes\":{\"md5\":\"x\"}}}}", "hash 'md5'" },
	{ HEAD "\"files\":{\"f\":{\"fileName\":\"a\",\"hashes\":{\"sha256\":\"short\"}}}}", "hash 'sha256'" },
};

static void
check_manifests(void)
{
	for (size_t i = 0; i < sizeof manifests / sizeof *manifests; i++) {
		struct manifest *m = NULL;
		struct fail f = { .text = "" };
		int r = manifest_parse("m", manifests[i].text, strlen(manifests[i].text), JSON_ABSENT,
		    &m, &f);

		if (manifests[i].wrong ? r >= 0 || f.status != EXIT_USAGE ||
		    !strstr(f.text, manifests[i].wrong) : r != 0) {
			fprintf(stderr, "manifest %zu: %d '%s'\n", i, r, f.text);
			abort();
		}
		manifest_free(m);
	}
}

static void
check_content(void)
{
	const char *text = HEAD COMPAT STEPS(INLINE "," REFER) FILES "}";
	_cleanup_json_ struct json urls = json_object();
	_cleanup_free_ char *id = NULL;
	struct manifest *m = NULL;
	struct fail f;

	json_set_text(&urls, "f2", "file:/tmp/b.sh");
	assert(manifest_parse("m", text, strlen(text), urls, &m, &f) == 0);
	assert(m->n_steps == 2 && m->n_files == 2);
	assert(strcmp(m->steps[0].handler, "microsoft/script:1") == 0);
	assert(strcmp(m->steps[0].files[0]->name, "a.json") == 0 && m->steps[0].files[0]->size_bytes == 136);
	assert(!m->steps[0].files[0]->url);
	assert(strcmp(m->steps[0].files[1]->url, "file:/tmp/b.sh") == 0 && !m->steps[0].files[2]);
	assert(m->steps[0].files[1]->size_bytes == -1);
	assert(strcmp(m->steps[1].detached, "f1") == 0 && !m->steps[1].handler);
	assert(manifest_file(m, "f1") == m->steps[0].files[0] && !manifest_file(m, "f0"));
	id = manifest_update_id(m);
	assert(strcmp(id, "{\"provider\":\"p\",\"name\":\"n\",\"version\":\"1\"}") == 0);
	manifest_free(m);
}

/* A manifest as text inside a goal, as the hub sends it. */
static char *
quoted(const char *text)
{
	_cleanup_json_ struct json v = json_string(text);
	struct buf b = BUF_INIT;

	json_format(v, &b);
	return buf_steal(&b);
}

static void
check_goal(const char *text, const char *wrong)
{
	struct goal *g = NULL;
	struct fail f = { .text = "" };
	int r = goal_parse("g", text, strlen(text), &g, &f);

	if (wrong ? r >= 0 || !strstr(f.text, wrong) : r != 0) {
		fprintf(stderr, "goal '%.60s': %d '%s'\n", text, r, f.text);
		abort();
	}
	if (!wrong && g->action == GOAL_PROCESS)
		assert(strcmp(g->id, "w") == 0 && g->manifest && strcmp(g->signature, "s.i.g") == 0);
	goal_free(g);
}

static void
check_goals(void)
{
	static const char *const around[] = { "%s", "{\"service\":%s}", "{\"deviceUpdate\":{\"__t\":\"c\",\"service\":%s}}" };
	_cleanup_free_ char *manifest = quoted(HEAD COMPAT STEPS(INLINE) FILES "}");
	_cleanup_free_ char *bare = xasprintf("{\"workflow\":{\"action\":3,\"id\":\"w\"},"
	    "\"updateManifest\":%s,\"updateManifestSignature\":\"s.i.g\",\"fileUrls\":null}", manifest);

	for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
		const char *at = strstr(around[i], "%s");
		_cleanup_free_ char *text = xasprintf("%.*s%s%s", (int)(at - around[i]), around[i], bare, at + 2);

		check_goal(text, NULL);
	}
	check_goal("{\"workflow\":{\"action\":255,\"id\":\"nodeployment\"},\"updateManifest\":null}", NULL);
	check_goal("{\"workflow\":{\"action\":3,\"id\":\"w\"}}", "updateManifest is nothing");
	check_goal("{\"workflow\":{\"action\":1,\"id\":\"w\"}}", "workflow.action");
	check_goal("{\"workflow\":{\"action\":\"3\",\"id\":\"w\"}}", "workflow.action");
	check_goal("{\"workflow\":{\"action\":3,\"id\":\"\"}}", "workflow.id");
	check_goal("{\"workflow\":[]}", "workflow is an array");
	check_goal("{\"workflow\":{\"action\":3,\"id\":\"w\"},\"fileUrls\":[]}", "fileUrls is an array");
	check_goal("7", "is a number");
}

int
main(void)
{
	check_manifests();
	check_content();
	check_goals();
	return 0;
}
