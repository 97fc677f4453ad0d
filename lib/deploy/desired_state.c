#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "deploy/acceptance.h"
#include "deploy/desired_state.h"
#include "deploy/goal_file.h"
#include "hub/hubdir.h"

void
desired_state_init(struct desired_state *d, const char *source, const char *name, const char *state,
    const struct desired_policy *policy)
{
	*d = (struct desired_state){ .kept = xasprintf("%s/twins/desired.json", state), .text = BUF_INIT };
	desired_state_set_source(d, source, name, policy);
}

void
desired_state_set_source(struct desired_state *d, const char *source, const char *name,
    const struct desired_policy *policy)
{
	free(d->source);
	free(d->name);
	d->source = source ? xstrdup(source) : NULL;
	d->name = source ? xstrdup(name ? name : source) : NULL;
	d->policy = *policy;
	d->is_hub = source && hubdir_has(source);
	d->missing = d->refused = false;
}

void
desired_state_release(struct desired_state *d)
{
	free(d->source);
	free(d->name);
	free(d->kept);
	buf_release(&d->text);
}

/* Does the goal need no signature? */
static bool
may_be_unsigned(const struct desired_state *d)
{
	return d->policy.allow_unsigned || (d->policy.trust_hub && d->is_hub);
}

/* The file PATH of a link, which its own user alone can have written. */
static int
check_link_file(const char *path, struct fail *f)
{
	_cleanup_free_ char *dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	struct stat of_dir, of_file;

	if (lstat(dir, &of_dir) < 0 || lstat(path, &of_file) < 0)
		return errno == ENOENT ? -ENOENT : fail_errno(f, errno, "%s", path);
	if ((of_dir.st_mode & 022) || (of_file.st_mode & 022) || !S_ISREG(of_file.st_mode) || of_file.st_nlink != 1 ||
	    (of_file.st_uid != of_dir.st_uid && of_file.st_uid != 0))
		return fail_set(f, EXIT_DENIED, "%s: is not the file of the user of rejoin-hub alone", path);
	return 0;
}

static int
load_text(const struct desired_state *d, const char *path, struct buf *text, struct fail *f)
{
	if (d->is_hub && path == d->source) {
		int r = d->policy.trust_hub ? check_link_file(path, f) : 0;

		if (r < 0 || d->policy.trust_hub)
			return r < 0 ? r : file_load(path, FILE_NOFOLLOW, MANIFEST_MAX, text, f);
	}
	return goal_file_load(path, may_be_unsigned(d) ? FILE_TRUSTED : 0, false, text, f);
}

/* The root keys are read anew for each goal, so that a key file put there later counts at the next look. */
static int
accept_goal(const struct desired_state *d, const struct goal *g, struct fail *f)
{
	struct rootkeys *keys = NULL;
	struct signer s;
	int r = g->signature ? rootkeys_load(&keys, f) : 0;

	if (r == 0)
		r = acceptance_check(g, keys, may_be_unsigned(d), &s, f);
	if (r == 0)
		r = acceptance_check_modules(g, d->policy.allow_modules, may_be_unsigned(d), f);
	rootkeys_free(keys);
	return r;
}

static int
text_parse(const struct desired_state *d, const char *name, const struct buf *text, struct goal **out,
    struct fail *f)
{
	int r = goal_parse(name, text->s, text->len, out, f);

	if (r < 0)
		return r;
	r = accept_goal(d, *out, f);
	if (r < 0) {
		goal_free(*out);
		*out = NULL;
	}
	return r;
}

int
desired_state_load(struct desired_state *d, struct goal **out, struct fail *f)
{
	int r = load_text(d, d->kept, &d->text, f);

	if (r == 0)
		r = text_parse(d, d->kept, &d->text, out, f);
	if (r < 0)
		buf_reset(&d->text);
	d->damaged = r < 0 && r != -ENOENT;
	return r;
}

static int
text_keep(struct desired_state *d, const struct buf *text, struct fail *f)
{
	int r = file_replace(d->kept, text->s, text->len, 0640, FILE_DURABLE);

	if (r < 0)
		return fail_errno(f, r, "%s", d->kept);
	buf_reset(&d->text);
	buf_add(&d->text, text->s, text->len);
	d->damaged = d->revoked = false;
	return 1;
}

int
desired_state_refresh(struct desired_state *d, struct goal **out, struct fail *f)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	int r;

	if (!d->source)
		return 0;
	r = load_text(d, d->source, &text, f);
	d->missing = r == -ENOENT;
	if (d->missing) {
		d->refused = false;
		return fail_set(f, EXIT_TROUBLE, strcmp(d->name, d->source) == 0 ? "%s: goal file does not exist" :
		    "%s: no goal was received", d->name), -ENOENT;
	}
	if (r == 0 && text.len == d->text.len && memcmp(text.s, d->text.s, text.len) == 0) {
		d->refused = false;
		return 0;
	}
	if (r == 0)
		r = text_parse(d, d->name, &text, out, f);
	if (r == 0)
		r = text_keep(d, &text, f);
	if (r < 0) {
		goal_free(*out);
		*out = NULL;
	}
	d->refused = r < 0;
	return r;
}

int
desired_state_check(struct desired_state *d, struct goal **out, struct fail *f)
{
	int r = d->text.len > 0 ? text_parse(d, d->name ? d->name : d->kept, &d->text, out, f) : 0;

	d->revoked = r < 0;
	return r;
}
