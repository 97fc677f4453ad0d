/*
 * pattern - a rule's regular expression with the group "id".
 *
 * One that is a literal, (?<id>[...]+) and perhaps a literal is matched by
 * hand, and finds just what PCRE2 would; of any other a literal at its front
 * rules most lines out.  They are looked for on every line.
 */
#ifndef RECORD_PATTERN_H
#define RECORD_PATTERN_H

#include "base/fail.h"
#include "record/rule.h"

/* NULL with F filled (EXIT_USAGE). */
struct pattern *pattern_new(const char *where, const char *text, struct fail *f);
void pattern_free(struct pattern *x);

/*
 * Does X match TEXT?  REGEX is its regular expression, or a share of it; where X
 * begins with a literal, HINT is the first place of that in TEXT.  *ID is then its
 * id, with P NULL where it has no such group.
 */
bool pattern_match(const struct pattern *x, struct regex *regex, struct span text, const char *hint,
    struct span *id);

#endif
