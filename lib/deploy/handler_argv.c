#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "deploy/apt.h"
#include "deploy/handler_argv.h"
#include "deploy/swupdate.h"

void
handler_argv_add(struct handler_args *a, char *taken)
{
	a->v = xgrow(a->v, a->n, &a->cap, sizeof *a->v);
	a->v[a->n++] = taken;
}

/* The string at PATH, names joined by dots, below the component's properties; NULL for none. */
static char *
component_property(struct json component, const char *path)
{
	struct json v = json_get(component, "properties");
	char *text = NULL;

	while (path) {
		size_t len = strcspn(path, ".");
		_cleanup_free_ char *key = xstrndup(path, len);
		struct json next = json_get(v, key);

		json_release(&v);
		v = next;
		path = path[len] ? path + len + 1 : NULL;
	}
	if (json_get_string(v))
		text = xstrdup(json_get_string(v));
	json_release(&v);
	return text;
}

/* The component's member that TOKEN stands for; NULL where TOKEN is no placeholder. */
static const char *
placeholder_member(const char *token, bool is_swupdate)
{
	static const struct { const char *token, *member; } table[] = {
		{ "--component-id-val", "id" }, { "--component-name-val", "name" },
		{ "--component-manufacturer-val", "manufacturer" },
		{ "--component-model-val", "model" }, { "--component-version-val", "version" },
		{ "--component-group-val", "group" },
		{ "${du_component_id}", "id" }, { "${du_component_name}", "name" },
		{ "${du_component_manufacturer}", "manufacturer" }, { "${du_component_model}", "model" },
		{ "${du_component_version}", "version" }, { "${du_component_group}", "group" },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(token, table[i].token) == 0 && (*token != '$' || is_swupdate))
			return table[i].member;
	return NULL;
}

/* The next token of *TEXT, which moves behind it; NULL after the last. */
static char *
next_token(const char **text)
{
	size_t len;

	*text += strspn(*text, " ");
	len = strcspn(*text, " ");
	*text += len;
	return len ? xstrndup(*text - len, len) : NULL;
}

/* Blanks separate, nothing quotes; a value put in stays one argument whatever it holds. */
static void
add_arguments(struct handler_args *a, const char *text, struct json component, bool is_swupdate)
{
	for (char *token; (token = next_token(&text)); ) {
		const char *member = placeholder_member(token, is_swupdate), *value;

		if (member) {
			value = json_get_text(component, member);
			free(token);
			handler_argv_add(a, xstrdup(value ? value : "n/a"));
		} else if (strcmp(token, "--component-prop-val") == 0 ||
		    (is_swupdate && strcmp(token, "${du_component_prop}") == 0)) {
			_cleanup_free_ char *path = next_token(&text);
			char *found = path ? component_property(component, path) : NULL;

			free(token);
			handler_argv_add(a, found ? found : xstrdup("n/a"));
		} else {
			handler_argv_add(a, token);
		}
	}
}

/* The .swu file and the pairs of the configuration. */
static void
add_swupdate(struct handler_args *a, const struct handler_call *call)
{
	const char *swu = json_get_text(call->properties, "swuFileName");

	if (swu) {
		handler_argv_add(a, xstrdup("--swu-file"));
		handler_argv_add(a, xasprintf("%s/%s", call->work_folder, swu));
	}
	for (struct json_iter it = json_begin(call->config); json_next(&it); ) {
		handler_argv_add(a, xstrdup(it.key));
		handler_argv_add(a, xstrdup(json_get_string(it.value)));
	}
}

char **
handler_argv(const struct handler_call *call, const char *program, const char *result_file)
{
	const char *version = json_get_text(call->properties, "apiVersion");
	const char *arguments = json_get_text(call->properties, "arguments");
	const char *criteria = json_get_text(call->properties, "installedCriteria");
	const bool is_swupdate = swupdate_is_handler(call->handler);
	const char *action = handler_result_phase(call->action);
	struct handler_args a = { 0 };

	handler_argv_add(&a, xstrdup(program));
	if (!version || strcmp(version, "1.0") == 0) {
		handler_argv_add(&a, xasprintf("--action-%s", action));
	} else if (strcmp(version, "1.1") == 0) {
		handler_argv_add(&a, xstrdup("--action"));
		handler_argv_add(&a, xstrdup(action));
	}
	if (is_swupdate)
		add_swupdate(&a, call);
	if (apt_is_handler(call->handler) && call->file) {
		handler_argv_add(&a, xstrdup("--apt-manifest"));
		handler_argv_add(&a, xasprintf("%s/%s", call->work_folder, call->file));
	}
	if (arguments)
		add_arguments(&a, arguments, call->component, is_swupdate);
	handler_argv_add(&a, xstrdup("--work-folder"));
	handler_argv_add(&a, xstrdup(call->work_folder));
	handler_argv_add(&a, xstrdup("--result-file"));
	handler_argv_add(&a, xstrdup(result_file));
	if (criteria && *criteria) {
		handler_argv_add(&a, xstrdup("--installed-criteria"));
		handler_argv_add(&a, xstrdup(criteria));
	}
	handler_argv_add(&a, NULL);
	return a.v;
}
