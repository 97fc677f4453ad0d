#include <string.h>
#include <time.h>

#include "base/num.h"
#include "input/export.h"

void
export_init(struct export *x)
{
	*x = (struct export){ .state = EXPORT_IN_NAME };
	for (int i = 0; i < EXPORT_N; i++)
		x->entry.v[i] = (struct buf)BUF_MAX(i == EXPORT_MESSAGE ? EXPORT_MESSAGE_MAX : EXPORT_VALUE_MAX);
}

void
export_release(struct export *x)
{
	for (int i = 0; i < EXPORT_N; i++)
		buf_release(&x->entry.v[i]);
}

static int
field_of(const char *name, size_t n)
{
	static const char *const names[EXPORT_N] = {
		"__CURSOR", "__REALTIME_TIMESTAMP", "__MONOTONIC_TIMESTAMP", "__SEQNUM", "__SEQNUM_ID", "_BOOT_ID",
		"_SOURCE_REALTIME_TIMESTAMP", "_HOSTNAME", "SYSLOG_IDENTIFIER", "_COMM", "_PID", "SYSLOG_PID",
		"PRIORITY", "INVOCATION_ID", "_SYSTEMD_INVOCATION_ID", "MESSAGE",
	};

	for (int i = 0; i < EXPORT_N; i++)
		if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
			return i;
	return -1;
}

/* A field may come several times: the first counts. */
static void
begin_value(struct export *x)
{
	x->field = x->n_name < EXPORT_NAME_MAX ? field_of(x->name, x->n_name) : -1;
	if (x->field >= 0 && x->entry.v[x->field].len)
		x->field = -1;
	x->any = true;
	x->n_name = 0;
}

/* As much as is kept. */
static void
add_value(struct export *x, const char *p, size_t n)
{
	struct buf *b = x->field >= 0 ? &x->entry.v[x->field] : NULL;

	if (b && n > b->max - b->len)
		n = b->max - b->len;
	if (b)
		buf_add(b, p, n);
}

static void
end_entry(struct export *x, export_fn *fn, void *cookie)
{
	if (x->any)
		fn(&x->entry, cookie);
	for (int i = 0; i < EXPORT_N; i++)
		buf_reset(&x->entry.v[i]);
	x->any = false;
}

static size_t
in_name(struct export *x, const char *p, size_t n, export_fn *fn, void *cookie)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n' && x->n_name == 0) {
			end_entry(x, fn, cookie);
		} else if (p[i] == '=' || p[i] == '\n') {
			begin_value(x);
			x->state = p[i] == '=' ? EXPORT_IN_TEXT : EXPORT_IN_LENGTH;
			x->left = x->n_length = 0;
			return i + 1;
		} else if (x->n_name < EXPORT_NAME_MAX) {
			x->name[x->n_name++] = p[i];
		}
	}
	return n;
}

static size_t
in_text(struct export *x, const char *p, size_t n)
{
	const char *nl = memchr(p, '\n', n);

	add_value(x, p, nl ? (size_t)(nl - p) : n);
	if (!nl)
		return n;
	x->state = EXPORT_IN_NAME;
	return (size_t)(nl + 1 - p);
}

static size_t
in_data(struct export *x, const char *p, size_t n)
{
	if (n > x->left)
		n = (size_t)x->left;
	add_value(x, p, n);
	x->left -= n;
	if (x->left == 0)
		x->state = EXPORT_AT_END;
	return n;
}

void
export_put(struct export *x, const char *p, size_t n, export_fn *fn, void *cookie)
{
	while (n) {
		size_t used = 1;

		switch (x->state) {
		case EXPORT_IN_NAME:
			used = in_name(x, p, n, fn, cookie);
			break;
		case EXPORT_IN_TEXT:
			used = in_text(x, p, n);
			break;
		case EXPORT_IN_LENGTH:
			x->left |= (uint64_t)(unsigned char)*p << 8 * x->n_length;
			if (++x->n_length == 8)
				x->state = x->left ? EXPORT_IN_DATA : EXPORT_AT_END;
			break;
		case EXPORT_IN_DATA:
			used = in_data(x, p, n);
			break;
		default:
			x->state = *p == '\n' ? EXPORT_IN_NAME : EXPORT_IN_TEXT;
			x->field = -1;
		}
		p += used;
		n -= used;
	}
}

int64_t
export_number(const struct export_entry *e, enum export_name name)
{
	int64_t n;

	return num_parse(e->v[name].s, 0, INT64_MAX, &n) < 0 ? -1 : n;
}

int64_t
export_time_ns(const struct export_entry *e)
{
	int64_t us = export_number(e, EXPORT_SOURCE_REALTIME);

	if (us < 0)
		us = export_number(e, EXPORT_REALTIME);
	return us < 0 || us > INT64_MAX / 1000 ? -1 : us * 1000;
}

static void
add_time(const struct export_entry *e, struct buf *out)
{
	int64_t ns = export_time_ns(e);
	time_t s = (time_t)(ns / 1000000000);
	char text[64], zone[16];
	struct tm tm;

	if (ns < 0 || !localtime_r(&s, &tm))
		return;
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof zone, "%z", &tm);
	buf_printf(out, "%s.%06d%s ", text, (int)(ns / 1000 % 1000000), zone);
}

/* A name is of one line, whatever is in it: none can look like the end of a record. */
static void
add_name(const struct buf *name, struct buf *out)
{
	for (size_t i = 0; i < name->len; i++)
		buf_putc(out, name->s[i] == '\n' || name->s[i] == '\0' ? ' ' : name->s[i]);
}

/* Further lines of a message stand indented, so that none looks like a record. */
static void
add_message(const struct buf *m, struct buf *out)
{
	const char *p = m->s, *end = m->s + m->len, *nl;

	while (end > p && end[-1] == '\n')
		end--;
	for (; (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1) {
		buf_add(out, p, (size_t)(nl + 1 - p));
		buf_puts(out, "    ");
	}
	buf_add(out, p, (size_t)(end - p));
}

void
export_text(const struct export_entry *e, struct buf *out)
{
	const struct buf *name = e->v[EXPORT_IDENTIFIER].len ? &e->v[EXPORT_IDENTIFIER] : &e->v[EXPORT_COMM];
	const struct buf *pid = e->v[EXPORT_PID].len ? &e->v[EXPORT_PID] : &e->v[EXPORT_SYSLOG_PID];

	add_time(e, out);
	add_name(&e->v[EXPORT_HOSTNAME], out);
	if (e->v[EXPORT_HOSTNAME].len)
		buf_putc(out, ' ');
	if (name->len)
		add_name(name, out);
	else
		buf_puts(out, "unknown");
	if (pid->len) {
		buf_putc(out, '[');
		add_name(pid, out);
		buf_putc(out, ']');
	}
	buf_puts(out, ": ");
	add_message(&e->v[EXPORT_MESSAGE], out);
	if (e->v[EXPORT_UNIT_INVOCATION].len) {
		buf_puts(out, " (invocation ");
		add_name(&e->v[EXPORT_UNIT_INVOCATION], out);
		buf_putc(out, ')');
	}
}
