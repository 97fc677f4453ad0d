#include <unistd.h>

#include "base/dirs.h"
#include "base/xalloc.h"
#include "component/enumerate.h"
#include "deploy/download.h"
#include "deploy/goal_check.h"
#include "deploy/goal_source.h"
#include "deploy/rootkeys.h"

int
goal_check_find(char **path, struct fail *f)
{
	struct agent_config config = { 0 };
	int r = agent_config_load(&config, f);
	const char *file = r == 0 && config.goal ? goal_source_file(config.goal) : NULL;

	*path = file ? xstrdup(file) : NULL;
	agent_config_release(&config);
	return r;
}

int
goal_check_load(const char *path, struct goal_check *c, struct fail *f)
{
	int r;

	*c = (struct goal_check){ .preview = { NULL } };
	r = agent_config_load(&c->config, f);
	if (r < 0)
		return r;
	c->config.link.patience_ms = 0;
	download_allow(&c->config.link, NULL);
	return preview_load(path, &c->preview, f);
}

void
goal_check_release(struct goal_check *c)
{
	download_allow(NULL, NULL);
	preview_release(&c->preview);
	agent_config_release(&c->config);
}

/* The components of this device, sorted in; JSON_ABSENT where they are not known. */
static struct json
select_components(struct goal_check *c, const struct goal_check_spec *spec)
{
	const struct enumerate_spec how = { .inventories = spec->inventories, .group = spec->group,
	    .problem = spec->problem, .cookie = spec->cookie };
	struct json components = JSON_ABSENT;

	if (access(*spec->inventories, F_OK) == 0 && enumerate(&how, &components) <= EXIT_NO)
		plan_select(c->preview.plan, components);
	else
		json_release(&components);
	return components;
}

/* What rejoin-agent refuses to start without, where it is configured here. */
static enum review_level
check_user(const struct agent_config *config, const struct goal_check_spec *spec)
{
	_cleanup_free_ char *path = dirs_find(NULL, "agent.conf");

	if (!path || config->handler_user || geteuid() != 0)
		return REVIEW_OK;
	spec->finding(REVIEW_FAIL, "agent.conf", "handler-user is not set: the user that runs the programs of updates,"
	    " such as root", spec->cookie);
	return REVIEW_FAIL;
}

int
goal_check_run(struct goal_check *c, const struct goal_check_spec *spec, enum review_level *worst, struct fail *f)
{
	_cleanup_json_ struct json components = JSON_ABSENT;
	struct rootkeys *keys = NULL;
	enum review_level goal;
	int r = rootkeys_load(&keys, f);

	if (r < 0)
		return r;
	components = select_components(c, spec);
	*worst = check_user(&c->config, spec);
	goal = review_goal(&(struct review_spec){ .goal = c->preview.goal, .plan = c->preview.plan, .keys = keys,
	    .allow_unsigned = c->config.allow_unsigned, .components = components,
	    .finding = spec->finding, .cookie = spec->cookie });
	if (goal > *worst)
		*worst = goal;
	rootkeys_free(keys);
	return 0;
}
