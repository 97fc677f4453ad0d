#include <string.h>

#include "base/num.h"
#include "task/params.h"

enum { SHOWN_MAX = 60 };	/* bytes of a value in a refusal */

/* --- texts */

static void
describe_rule(const struct params_rule *rule, struct buf *out)
{
	switch (rule->kind) {
	case PARAMS_NUMBER:
		buf_printf(out, "a whole number from %jd to %jd", (intmax_t)rule->min, (intmax_t)rule->max);
		break;
	case PARAMS_WORD:
		buf_puts(out, "one of ");
		for (const char *p = rule->words; *p; p++)
			buf_puts(out, *p == ' ' ? ", " : (char[]){ *p, '\0' });
		break;
	case PARAMS_TEXT:
		buf_printf(out, "a string of %jd to %jd bytes without a NUL", (intmax_t)rule->min, (intmax_t)rule->max);
		break;
	case PARAMS_IDS:
		buf_printf(out, "an array of at most %d ids, whole numbers from 1 to %jd", PARAMS_LIST_MAX,
		    (intmax_t)PARAMS_ID_MAX);
		break;
	case PARAMS_OTHER:
		buf_puts(out, "there");
		break;
	}
}

/* The beginning of VALUE, not cut within a character. */
static void
shorten_value(struct buf *value)
{
	size_t n = SHOWN_MAX;

	if (value->len <= SHOWN_MAX)
		return;
	while (n > 0 && (value->s[n] & 0xc0) == 0x80)
		n--;
	value->len = n;
	value->s[n] = '\0';
	buf_puts(value, "...");
}

static int
refuse_value(const struct params_rule *rule, struct buf *value, struct refusal *r)
{
	_cleanup_buf_ struct buf what = BUF_INIT;

	describe_rule(rule, &what);
	shorten_value(value);
	return refusal_set(r, 400, "usage", "\"%s\": must be %s, not %s", rule->name, what.s, value->s);
}

static int
refuse_unknown(const struct params_rule *rules, const char *name, struct refusal *r)
{
	_cleanup_buf_ struct buf known = BUF_INIT, shown = BUF_INIT;

	for (; rules && rules->name; rules++)
		buf_printf(&known, "%s%s", known.len > 0 ? ", " : "", rules->name);
	buf_puts(&shown, name);
	shorten_value(&shown);
	return refusal_set(r, 400, "usage", "\"%s\": no such parameter of this request; it may have %s", shown.s,
	    known.len > 0 ? known.s : "none");
}

static int
refuse_missing(const struct params_rule *rule, struct refusal *r)
{
	_cleanup_buf_ struct buf what = BUF_INIT;

	describe_rule(rule, &what);
	return refusal_set(r, 400, "usage", "\"%s\": is missing; must be %s", rule->name, what.s);
}

/* --- values */

static const struct params_rule *
find_rule(const struct params_rule *rules, const char *name)
{
	while (rules && rules->name && strcmp(rules->name, name) != 0)
		rules++;
	return rules && rules->name ? rules : NULL;
}

static bool
has_word(const char *words, const char *word)
{
	const size_t len = strlen(word);

	for (const char *p = words; len > 0 && *p; p += strcspn(p, " "), p += *p == ' ')
		if (strcspn(p, " ") == len && strncmp(p, word, len) == 0)
			return true;
	return false;
}

static bool
are_ids(struct json list)
{
	if (json_kind(list) != JSON_ARRAY || json_count(list) > PARAMS_LIST_MAX)
		return false;
	for (size_t i = 0; i < json_count(list); i++) {
		_cleanup_json_ struct json item = json_at(list, i);
		int64_t id;

		if (!json_get_whole(item, &id) || id < 1 || id > PARAMS_ID_MAX)
			return false;
	}
	return true;
}

static bool
is_allowed(const struct params_rule *rule, struct json v)
{
	const char *s = json_get_string(v);
	const int64_t len = (int64_t)json_string_len(v);
	int64_t n;

	switch (rule->kind) {
	case PARAMS_NUMBER:
		return json_get_whole(v, &n) && n >= rule->min && n <= rule->max;
	case PARAMS_WORD:
		return s && strlen(s) == (size_t)len && has_word(rule->words, s);
	case PARAMS_TEXT:
		return s && strlen(s) == (size_t)len && len >= rule->min && len <= rule->max;
	case PARAMS_IDS:
		return are_ids(v);
	case PARAMS_OTHER:
		break;
	}
	return true;
}

/* --- bodies */

int
params_check_size(const char *text, size_t len, struct refusal *r)
{
	bool in_string = false;
	size_t n = 1;

	for (size_t i = 0; i < len; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (!in_string)
			n += text[i] == ',' || text[i] == '[' || text[i] == '{';
	}
	if (n > PARAMS_VALUES_MAX)
		return refusal_set(r, 413, "too-large", "body: more than %d values", PARAMS_VALUES_MAX);
	return 0;
}

static int
check_member(const struct params_rule *rules, const char *name, struct json v, struct refusal *r)
{
	const struct params_rule *rule = find_rule(rules, name);
	_cleanup_buf_ struct buf text = BUF_INIT;

	if (!rule || is_allowed(rule, v))
		return 0;
	json_format(v, &text);
	return refuse_value(rule, &text, r);
}

int
params_check_body(const struct params_rule *rules, struct json body, struct refusal *r)
{
	for (struct json_iter it = json_begin(body); json_next(&it); )
		if (check_member(rules, it.key, it.value, r) < 0) {
			json_end(&it);
			return -1;
		}
	for (; rules && rules->name; rules++) {
		_cleanup_json_ struct json v = json_get(body, rules->name);

		if (rules->required && json_kind(v) == JSON_NONE)
			return refuse_missing(rules, r);
	}
	return 0;
}

bool
params_find_unknown(const struct params_rule *rules, struct json body, struct buf *name)
{
	for (struct json_iter it = json_begin(body); json_next(&it); )
		if (!find_rule(rules, it.key)) {
			buf_puts(name, it.key);
			json_end(&it);
			return true;
		}
	return false;
}

/* --- queries */

int
params_check_query(const struct params_rule *rules, const char *name, const char *value,
    bool seen[PARAMS_QUERY_MAX], struct refusal *r)
{
	const struct params_rule *rule = find_rule(rules, name);
	_cleanup_buf_ struct buf shown = BUF_INIT;
	const int64_t len = (int64_t)strlen(value);
	int64_t n;
	bool is_good = true;

	if (!rule)
		return refuse_unknown(rules, name, r);
	if (seen[rule - rules])
		return refusal_set(r, 400, "usage", "\"%s\": is there twice", name);
	seen[rule - rules] = true;
	if (rule->kind == PARAMS_NUMBER)
		is_good = num_parse(value, rule->min, rule->max, &n) == 0;
	else if (rule->kind == PARAMS_WORD)
		is_good = has_word(rule->words, value);
	else if (rule->kind == PARAMS_TEXT)
		is_good = len >= rule->min && len <= rule->max;
	if (is_good)
		return 0;
	buf_printf(&shown, "'%s", value);
	shorten_value(&shown);
	buf_putc(&shown, '\'');
	return refuse_value(rule, &shown, r);
}

int
params_check_missing(const struct params_rule *rules, const bool seen[PARAMS_QUERY_MAX], struct refusal *r)
{
	for (size_t i = 0; rules && rules[i].name; i++)
		if (rules[i].required && !seen[i])
			return refuse_missing(&rules[i], r);
	return 0;
}
