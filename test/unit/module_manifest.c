/* The deployment of modules: as it was recorded, what is wrong with it, backdoors, routes, runners. */
#undef NDEBUG
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "deploy/acceptance.h"
#include "deploy/goal.h"
#include "deploy/module_manifest.h"
#include "deploy/module_runner.h"

#define HASH	"15183ec7b855fbe6e7e878e57b0aab33ddd5fb6bd7c37e7af7b7fab4d6c0f19f"

static struct module_manifest *
manifest(const char *text)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct module_manifest *m = NULL;
	struct fail f;

	assert(json_parse("d", text, strlen(text), &v, &f) == 0);
	assert(module_manifest_parse("d", v, &m, &f) == 0);
	return m;
}

static void
refused(const char *text, const char *why)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct module_manifest *m = NULL;
	struct fail f;

	assert(json_parse("d", text, strlen(text), &v, &f) == 0);
	assert(module_manifest_parse("d", v, &m, &f) < 0 && f.status == EXIT_USAGE && !m);
	if (!strstr(f.text, why))
		printf("%s: %s\n", why, f.text);
	assert(strstr(f.text, why));
}

/* What the hub writes as goal.json for a recorded deployment. */
static struct module_manifest *
recorded(const char *dir, const char *file)
{
	_cleanup_free_ char *path = xasprintf("%s/test/data/evp/%s", dir, file);
	_cleanup_json_ struct json all = JSON_ABSENT, goal = JSON_ABSENT, inner = JSON_ABSENT;
	struct module_manifest *m = NULL;
	struct fail f;

	assert(json_load(path, 0, FILE_DATA_MAX, &all, &f) == 0);
	goal = json_get(all, "deployment");
	if (json_get_string(goal)) {
		assert(json_parse("d", json_get_string(goal), json_string_len(goal), &inner, &f) == 0);
		assert(module_manifest_parse("d", inner, &m, &f) == 0);
	} else {
		assert(module_manifest_parse("d", goal, &m, &f) == 0);
	}
	return m;
}

static void
test_recorded(const char *dir)
{
	struct module_manifest *m = recorded(dir, "evp2-deployment.json");
	const struct manifest_module *module;

	assert(strcmp(m->id, "d-1") == 0 && m->n_modules == 5 && m->n_instances == 5);
	module = module_manifest_module(m, "M1");
	assert(!module->problem && strcmp(module->entry_point, "main") == 0 && strcmp(module->impl, "spawn") == 0);
	assert(strcmp(module->hash, HASH) == 0 && !module->is_backdoor);
	assert(module_manifest_module(m, "MB")->is_backdoor && !module_manifest_module(m, "MB")->problem);
	assert(module_manifest_instance(m, "bd")->is_backdoor && !module_manifest_instance(m, "tel")->is_backdoor);
	for (size_t i = 0; i < m->n_instances; i++)
		assert(!m->instances[i].problem);
	module_manifest_free(m);
	m = recorded(dir, "evp1-deployment.json");
	assert(strcmp(m->id, "d-9") == 0 && m->n_modules == 1 && m->n_instances == 1);
	assert(strcmp(m->instances[0].entry_point, "main") == 0 && strcmp(m->instances[0].version, "1") == 0);
	assert(!m->modules[0].problem && !*m->modules[0].entry_point);
	module_manifest_free(m);
}

static void
test_wrong_document(void)
{
	refused("{\"deploymentId\":\"d\",\"modules\":{}}", "instanceSpecs is missing");
	refused("{\"deploymentId\":\"d\",\"instanceSpecs\":{}}", "modules is missing");
	refused("{\"deploymentId\":\"d\",\"instanceSpecs\":[],\"modules\":{}}", "instanceSpecs is an array");
	refused("{\"instanceSpecs\":{},\"modules\":{}}", "deploymentId");
	refused("{\"deploymentId\":\"\",\"instanceSpecs\":{},\"modules\":{}}", "deploymentId");
}

/* One that is wrong has its problem, and the one beside it none. */
static void
wrong_module(const char *module, const char *why)
{
	_cleanup_free_ char *text = xasprintf("{\"deploymentId\":\"d\",\"instanceSpecs\":{},\"modules\":{\"M\":%s,"
	    "\"OK\":{\"downloadUrl\":\"https://h/m\",\"hash\":\"" HASH "\"}}}", module);
	struct module_manifest *m = manifest(text);

	if (!m->modules[0].problem || !strstr(m->modules[0].problem, why))
		printf("%s: %s\n", module, m->modules[0].problem);
	assert(m->modules[0].problem && strstr(m->modules[0].problem, why));
	assert(!m->modules[1].problem && strcmp(m->modules[1].impl, "spawn") == 0);
	module_manifest_free(m);
}

static void
wrong_instance(const char *name, const char *instance, const char *why)
{
	_cleanup_free_ char *text = xasprintf("{\"deploymentId\":\"d\",\"modules\":{\"M\":{\"downloadUrl\":\"http://h/m\","
	    "\"hash\":\"" HASH "\"}},\"instanceSpecs\":{\"%s\":%s,\"ok\":{\"moduleId\":\"M\"}}}", name, instance);
	struct module_manifest *m = manifest(text);

	if (!m->instances[0].problem || !strstr(m->instances[0].problem, why))
		printf("%s: %s\n", instance, m->instances[0].problem);
	assert(m->instances[0].problem && strstr(m->instances[0].problem, why) && !m->instances[1].problem);
	module_manifest_free(m);
}

static void
test_wrong_members(void)
{
	wrong_module("3", "not an object");
	wrong_module("{\"downloadUrl\":7,\"hash\":\"" HASH "\"}", "not all texts");
	wrong_module("{\"downloadUrl\":\"ftp://h/m\",\"hash\":\"" HASH "\"}", "URL");
	wrong_module("{\"downloadUrl\":\"http://h/m\"}", "has no hash");
	wrong_module("{\"downloadUrl\":\"http://h/m\",\"hash\":\"12\"}", "SHA-256");
	wrong_module("{\"downloadUrl\":\"http://h/m\",\"hash\":\"" HASH "g\"}", "SHA-256");
	wrong_instance("a", "null", "not an object");
	wrong_instance("$agent", "{\"moduleId\":\"M\"}", "not a name");
	wrong_instance("", "{\"moduleId\":\"M\"}", "not a name");
	wrong_instance("a/b", "{\"moduleId\":\"M\"}", "not a name");
	wrong_instance("a\\n", "{\"moduleId\":\"M\"}", "not a name");
	wrong_instance("a", "{}", "moduleId");
	wrong_instance("a", "{\"moduleId\":\"X\"}", "module X is not in the deployment");
	wrong_instance("a", "{\"moduleId\":\"M\",\"publish\":[]}", "publish");
	wrong_instance("a", "{\"moduleId\":\"M\",\"subscribe\":{\"t\":1}}", "subscribe");
}

static void
test_backdoors(void)
{
	struct module_manifest *m = manifest("{\"deploymentId\":\"d\",\"modules\":{"
	    "\"none\":{\"entryPoint\":\"main\"},\"null\":{\"downloadUrl\":null},\"word\":{\"downloadUrl\":\"EVP-BACKDOOR\"},"
	    "\"entry\":{\"entryPoint\":\"backdoor-x\",\"downloadUrl\":\"http://h/m\",\"hash\":\"" HASH "\"},"
	    "\"real\":{\"downloadUrl\":\"http://h/m\",\"hash\":\"" HASH "\"}},\"instanceSpecs\":{"
	    "\"a\":{\"moduleId\":\"none\"},\"backdoor-b\":{\"moduleId\":\"real\"},"
	    "\"c\":{\"moduleId\":\"real\",\"entryPoint\":\"backdoor-y\"},\"d\":{\"moduleId\":\"real\"}}}");

	for (size_t i = 0; i < m->n_modules; i++)
		assert(m->modules[i].is_backdoor == (i < 4) && !m->modules[i].problem);
	for (size_t i = 0; i < m->n_instances; i++)
		assert(m->instances[i].is_backdoor == (i < 3) && !m->instances[i].problem);
	module_manifest_free(m);
}

static void
test_routes(void)
{
	struct module_manifest *m = manifest("{\"deploymentId\":\"d\",\"modules\":{\"M\":{\"downloadUrl\":\"http://h/m\","
	    "\"hash\":\"" HASH "\"}},\"instanceSpecs\":{"
	    "\"p\":{\"moduleId\":\"M\",\"publish\":{\"out\":\"T1\",\"void\":\"T9\",\"far\":\"T3\"}},"
	    "\"s\":{\"moduleId\":\"M\",\"subscribe\":{\"in\":\"S1\",\"other\":\"S2\"}},"
	    "\"t\":{\"moduleId\":\"M\",\"subscribe\":{\"x\":\"S1\",\"y\":\"S1\"}}},"
	    "\"publishTopics\":{\"T1\":{\"type\":\"local\",\"topic\":\"l1\"},\"T3\":{\"type\":\"hub\",\"topic\":\"l1\"}},"
	    "\"subscribeTopics\":{\"S1\":{\"type\":\"local\",\"topic\":\"l1\"},\"S2\":{\"type\":\"local\",\"topic\":\"l2\"}}}");
	_cleanup_json_ struct json routes = module_manifest_routes(m, module_manifest_instance(m, "p"));
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_format(routes, &b);
	assert(strcmp(b.s, "{\"out\":[{\"instance\":\"s\",\"topic\":\"in\"},{\"instance\":\"t\",\"topic\":\"x\"},"
	    "{\"instance\":\"t\",\"topic\":\"y\"}],\"void\":[],\"far\":[]}") == 0);
	module_manifest_free(m);
}

/* A goal of modules alone, of both, and what may be run. */
static void
test_goal(void)
{
	static const char alone[] = "{\"deploymentId\":\"d\",\"instanceSpecs\":{},\"modules\":{}}";
	static const char both[] = "{\"workflow\":{\"action\":255,\"id\":\"w\"},\"deploymentId\":\"d\",\"instanceSpecs\":{},\"modules\":{}}";
	static const char workflow[] = "{\"workflow\":{\"action\":255,\"id\":\"w\"}}";
	struct goal *g = NULL;
	struct fail f;

	assert(goal_parse("g", alone, strlen(alone), &g, &f) == 0);
	assert(g->action == GOAL_MODULES && strcmp(g->id, "d") == 0 && g->modules && !g->manifest);
	assert(acceptance_check_modules(g, false, true, &f) < 0 && f.status == EXIT_DENIED && strstr(f.text, "allow-modules"));
	assert(acceptance_check_modules(g, true, false, &f) < 0 && f.status == EXIT_DENIED && strstr(f.text, "trust-hub"));
	assert(acceptance_check_modules(g, true, true, &f) == 0);
	goal_free(g);
	assert(goal_parse("g", both, strlen(both), &g, &f) == 0 && g->action == GOAL_CANCEL && g->modules);
	goal_free(g);
	assert(goal_parse("g", workflow, strlen(workflow), &g, &f) == 0 && !g->modules);
	assert(acceptance_check_modules(g, false, false, &f) == 0);
	goal_free(g);
	assert(goal_parse("g", "{}", 2, &g, &f) < 0 && strstr(f.text, "no workflow"));
}

static int
runners_entry(const struct ini_entry *e, void *cookie, struct fail *f)
{
	return module_runners_parse(cookie, e, f);
}

static int
runners(struct module_runners *r, const char *text, struct fail *f)
{
	module_runners_init(r);
	return ini_parse("agent.conf", text, strlen(text), runners_entry, r, f);
}

static void
test_runners(void)
{
	static const char *const wrong[] = { "[module-impl.x]\nargv = \"a\n", "[module-impl.x]\nargv = a ${nothing}\n",
		"[module-impl.x]\nuser = there-is-no-such\n", "[module-impl.x]\nstop-signal = SIGFOO\n",
		"[module-impl.x]\nnofile = many\n", "[module-impl.x]\nword = 1\n", "[module-impl.]\nargv = a\n" };
	const struct module_runner_words words = { "/m/f", "main", "i", "/d" };
	struct module_runners r;
	const struct module_runner *m;
	struct fail f;
	char **argv;

	assert(runners(&r, "[module-impl.podman]\nargv = podman run -v ${dir}:/w --name=${instance} ${file}#${entry}\n"
	    "stop-signal = INT\nnofile = 64\n[module-impl.spawn]\nuser = root\n[module-impl.empty]\n", &f) == 0);
	m = module_runners_find(&r, "podman");
	argv = module_runner_argv(m, &words);
	assert(m->stop_signal == SIGINT && m->n_limits == 1 && m->limits[0].resource == RLIMIT_NOFILE);
	assert(strcmp(argv[3], "/d:/w") == 0 && strcmp(argv[4], "--name=i") == 0 && strcmp(argv[5], "/m/f#main") == 0 && !argv[6]);
	xfree_strv(argv);
	m = module_runners_find(&r, "spawn");
	assert(strcmp(m->user, "root") == 0 && strcmp(m->argv[0], "${file}") == 0 && m->stop_signal == SIGTERM);
	assert(!module_runners_find(&r, "wasm") && !module_runners_find(&r, "empty"));
	module_runners_release(&r);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert(runners(&r, wrong[i], &f) < 0 && f.status == EXIT_USAGE && strstr(f.text, "agent.conf:"));
		module_runners_release(&r);
	}
}

int
main(void)
{
	const char *top = getenv("top");

	test_recorded(top ? top : ".");
	test_wrong_document();
	test_wrong_members();
	test_backdoors();
	test_routes();
	test_goal();
	test_runners();
	return 0;
}
