#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dirs.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "component/enumerate.h"
#include "deploy/agent_config.h"
#include "deploy/goal_source.h"
#include "deploy/preview.h"
#include "deploy/review.h"
#include "doctor/checks.h"

/* What config_check_fix() can repair. */
enum { NOTHING_CONFIGURED = 1 };

/* The files of the examples that the tools read in the configuration directory. */
static const char *const examples[] = { "agent.conf", "inventory.json", "goal.json" };

/* Where the examples of a build tree expect the vendor directory; "make install" sets another in those it installs. */
static const char usual_vendor_dir[] = "/usr/share/rejoin";

/* 1 if DIR holds no file, at any depth; 0 if it does; -errno. */
static int
is_empty(const char *dir, int depth)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	int empty = 1;

	if (!d)
		return errno == ENOENT ? 1 : -errno;
	while (empty == 1 && (e = readdir(d))) {
		_cleanup_free_ char *path = NULL;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		path = xasprintf("%s/%s", dir, e->d_name);
		empty = e->d_type == DT_DIR && depth > 0 ? is_empty(path, depth - 1) : 0;
	}
	closedir(d);
	return empty;
}

static bool
test_directory(struct doctor_run *x)
{
	const char *dir = dirs_config();
	const int empty = is_empty(dir, 2);

	if (empty == 0)
		return true;
	if (empty < 0) {
		doctor_fail(x, dir, "%s", strerror(-empty));
		doctor_advise(x, empty == -ENOTDIR ? "move the file of that name away, and create a directory" :
		    "run the doctor as root, or as the user of the tools");
		return false;
	}
	doctor_warn(x, dir, "is empty: nothing is configured here");
	doctor_advise(x, "rejoin-doctor --fix copies agent.conf, inventory.json and goal.json of %s/examples to it, to be edited",
	    dirs_vendor());
	doctor_offer_fix(x, NOTHING_CONFIGURED);
	return false;
}

/* Append TEXT, with the directory of this vendor's files in the place of the usual one. */
static void
append_example(const char *text, struct buf *out)
{
	const char *at;

	while ((at = strstr(text, usual_vendor_dir))) {
		buf_add(out, text, (size_t)(at - text));
		buf_puts(out, dirs_vendor());
		text = at + strlen(usual_vendor_dir);
	}
	buf_puts(out, text);
}

int
config_check_fix(struct doctor_run *x, const struct finding *finding, struct buf *done, struct fail *why)
{
	const char *dir = dirs_config();
	int r = file_make_dirs(dir, 0755);

	(void)x;
	(void)finding;
	if (r < 0)
		return fail_errno(why, r, "%s", dir);
	for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
		_cleanup_free_ char *from = xasprintf("%s/examples/%s", dirs_vendor(), examples[i]);
		_cleanup_free_ char *to = xasprintf("%s/%s", dir, examples[i]);
		_cleanup_buf_ struct buf text = BUF_INIT, here = BUF_INIT;

		r = file_load(from, 0, FILE_DATA_MAX, &text, why);
		if (r < 0)
			return r;
		append_example(text.s, &here);
		r = file_replace(to, here.s, here.len, 0644, FILE_DURABLE);
		if (r < 0)
			return fail_errno(why, r, "%s", to);
		buf_printf(done, "%s%s", i ? ", " : "made from the examples: ", to);
	}
	buf_puts(done, "; edit them, and run rejoin-doctor again");
	return 0;
}

/* --- the goal */

/* Problems of the enumeration are those of the check "inventory". */
static void
ignore_problem(const struct fail *f, void *cookie)
{
	(void)f;
	(void)cookie;
}

/* The components of the profile's inventory, for the selectors of the goal; JSON_ABSENT if they are unknown. */
static struct json
list_components(const struct profile *p)
{
	struct enumerate_spec spec = { .problem = ignore_problem };
	struct json components = JSON_ABSENT;

	if (!p || !p->inventory || access(p->inventory, R_OK) < 0)
		return JSON_ABSENT;
	spec.inventories = (char *[]){ p->inventory, NULL };
	spec.group = p->gid;
	if (enumerate(&spec, &components) > EXIT_NO)
		json_release(&components);
	return components;
}

struct goal_test {
	struct doctor_run *x;
	const char *path;
	bool found;
};

static void
add_review(enum review_level level, const char *object, const char *text, void *cookie)
{
	struct goal_test *t = cookie;
	_cleanup_free_ char *where = xasprintf("%s: %s", t->path, object);

	if (level == REVIEW_OK)
		return;
	t->found = true;
	if (level == REVIEW_WARN)
		doctor_warn(t->x, where, "%s", text);
	else
		doctor_fail(t->x, where, "%s", text);
	doctor_advise(t->x, "correct the goal or agent.conf; rejoin-goal check %s reviews it again", t->path);
}

static void
test_goal_file(struct doctor_run *x, const struct agent_config *c, const char *path)
{
	_cleanup_json_ struct json components = JSON_ABSENT;
	struct goal_test t = { .x = x, .path = path };
	struct rootkeys *keys = NULL;
	struct preview p;
	struct fail f;

	if (access(path, F_OK) < 0 && errno == ENOENT) {
		doctor_fail(x, path, "no such file: the agent has no deployment");
		doctor_advise(x, "rejoin-goal make writes one; else correct goal = in agent.conf");
		return;
	}
	if (rootkeys_load(&keys, &f) < 0) {
		doctor_fail(x, path, "its signature cannot be checked: %s", f.text);
		doctor_advise(x, "correct or remove that file of root keys");
		return;
	}
	if (preview_load(path, &p, &f) < 0) {
		doctor_fail_as(x, path, &f);
		doctor_advise(x, "correct it; rejoin-goal(1) makes goals and checks them");
		rootkeys_free(keys);
		return;
	}
	components = list_components(x->profile);
	if (json_kind(components) == JSON_ARRAY)
		plan_select(p.plan, components);
	review_goal(&(struct review_spec){ .goal = p.goal, .plan = p.plan, .keys = keys,
	    .allow_unsigned = c->allow_unsigned, .components = components, .finding = add_review, .cookie = &t });
	if (!t.found)
		doctor_ok(x, path, "deployment %s, %zu step%s", p.goal->id, p.plan->n_stages,
		    p.plan->n_stages == 1 ? "" : "s");
	preview_release(&p);
	rootkeys_free(keys);
}

static void
test_goal(struct doctor_run *x, const struct agent_config *c, const char *file)
{
	const char *path = c->goal ? goal_source_file(c->goal) : NULL;

	if (!c->goal) {
		doctor_warn(x, file, "names no goal: rejoin-agent has nothing to install");
		doctor_advise(x, "set goal = file:PATH or https://... in [agent]");
	} else if (path) {
		test_goal_file(x, c, path);
	} else {
		doctor_ok(x, c->goal, "is fetched by the agent; the doctor does not fetch it");
	}
	if (c->goal && !c->handler_user && geteuid() == 0) {
		doctor_fail(x, file, "handler-user is not set, so rejoin-agent does not start as root");
		doctor_advise(x, "set handler-user = USER in [agent]: the user that runs the programs of updates");
	}
}

void
config_check_run(struct doctor_run *x)
{
	_cleanup_free_ char *file = NULL;
	struct agent_config c = { 0 };
	struct fail f;

	if (!test_directory(x))
		return;
	file = xasprintf("%s/agent.conf", dirs_config());
	if (access(file, F_OK) < 0 && errno == ENOENT) {
		doctor_ok(x, file, "is not there: rejoin-agent is not configured");
		return;
	}
	if (agent_config_load(&c, &f) < 0) {
		doctor_fail_as(x, file, &f);
		doctor_advise(x, f.status == EXIT_DENIED ? "it decides which programs run: check its content, then make "
		    "it and its directory writable by root alone (chown root, chmod go-w)" :
		    "correct it; rejoin-agent(1) has its keys");
		return;
	}
	doctor_ok(x, file, "can be read; handlers run as %s", c.handler_user ? c.handler_user : "the user of the agent");
	test_goal(x, &c, file);
	agent_config_release(&c);
}
