/*
 * apt - what a step of the handler microsoft/apt:1 installs: Azure Device Update's APT manifest.
 *
 *	{"name":"contoso-iot-edge", "version":"1.0.0.0",
 *	 "packages":[{"name":"thermocontrol","version":"1.0.1"}, {"name":"old-probe-"}],
 *	 "agentRestartRequired":false}
 *
 * It is the only file of the step.  A package without a version is wanted at any; one whose
 * name ends with '-' is wanted to be absent, as apt-get(8) has it.  Names and versions
 * have the characters that Debian's policy allows, so none of them can be an option or a pattern.
 */
#ifndef DEPLOY_APT_H
#define DEPLOY_APT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/fail.h"

struct apt_package {
	char *name;		/* without the '-' */
	char *version;		/* NULL for any */
	bool is_unwanted;
};

struct apt_update {
	char *name, *version;
	struct apt_package *packages;
	size_t n;
	bool restarts_agent;
};

/* Is HANDLER, an id, microsoft/apt:1? */
bool apt_is_handler(const char *handler);

/* EXIT_USAGE where TEXT, which messages call NAME, is no APT manifest.  U is to be released in any case. */
int apt_update_parse(const char *name, const char *text, size_t len, struct apt_update *u, struct fail *f);
void apt_update_release(struct apt_update *u);

/* P as an operand of apt-get install: "NAME=VERSION", "NAME", "NAME-"; to be freed. */
char *apt_package_operand(const struct apt_package *p);

/*
 * Is P as it is wanted, by what dpkg-query(1) says of it: a line "STATUS VERSION" for each
 * architecture?  If not, WHY says what is there.
 */
bool apt_package_is_met(const struct apt_package *p, const char *query, struct buf *why);

#endif
