#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/opt.h"
#include "base/opt_help.h"

enum {
	COLUMNS = 79,
	LEFT_MAX = 26,		/* a longer option has its text on the next line */
};

/* "jsonl json" as "jsonl, json". */
static void
add_list(struct buf *out, const char *words)
{
	for (size_t n; *words; words += n + strspn(words + n, " ")) {
		n = strcspn(words, " ");
		buf_printf(out, "%.*s%s", (int)n, words, words[n] ? ", " : "");
	}
}

/* What the option does, its choices and its default. */
static void
add_text(struct buf *out, const struct opt *o)
{
	buf_puts(out, o->help);
	if (o->choices) {
		buf_puts(out, ": ");
		add_list(out, o->choices);
	}
	if (o->preset)
		buf_printf(out, " (default: %s)", o->preset);
	if (o->repeats)
		buf_puts(out, "; may be repeated");
}

/* TEXT from COLUMN on, where the cursor is, in lines that continue there. */
static void
print_wrapped(const char *text, int column)
{
	int at = column;

	for (size_t n; *text; text += n + strspn(text + n, " ")) {
		n = strcspn(text, " ");
		if (at > column && at + 1 + (int)n > COLUMNS) {
			printf("\n%*s", column, "");
			at = column;
		} else if (at > column) {
			putchar(' ');
			at++;
		}
		printf("%.*s", (int)n, text);
		at += (int)n;
	}
	putchar('\n');
}

/* The statuses in lines that break between two of them. */
static void
print_statuses(const char *text)
{
	static const char label[] = "exit status: ";
	int column = (int)strlen(label), at = column;

	fputs(label, stdout);
	for (size_t n; *text; text += n + strspn(text + n, "; ")) {
		const char *end = strstr(text, "; ");

		n = end ? (size_t)(end - text) : strlen(text);
		if (at > column && at + (int)n + 2 > COLUMNS) {
			printf("\n%*s", column, "");
			at = column;
		} else if (at > column) {
			at += printf(" ");
		}
		at += printf("%.*s%s", (int)n, text, end ? ";" : "\n");
	}
}

/* "  -A, --agent NAME", without blanks at the end. */
static void
add_left(struct buf *out, const struct opt *o)
{
	if (o->key <= 255)
		buf_printf(out, "  -%c, ", o->key);
	else
		buf_puts(out, "      ");
	buf_printf(out, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
}

static void
print_option(const struct opt *o, int column)
{
	_cleanup_buf_ struct buf left = BUF_INIT, text = BUF_INIT;

	add_left(&left, o);
	add_text(&text, o);
	fputs(left.s, stdout);
	if ((int)left.len + 2 > column)
		printf("\n%*s", column, "");
	else
		printf("%*s", column - (int)left.len, "");
	print_wrapped(text.s, column);
}

/* The width of the options' own column. */
static int
text_column(const struct opt *opts)
{
	size_t widest = 0;

	for (; opts->name; opts++) {
		_cleanup_buf_ struct buf left = BUF_INIT;

		add_left(&left, opts);
		if (left.len > widest && left.len <= LEFT_MAX)
			widest = left.len;
	}
	return (int)widest + 2;
}

static bool
has_argument(const struct opt *opts, const char *name)
{
	for (; opts->name; opts++)
		if (opts->arg && strcmp(opts->arg, name) == 0)
			return true;
	return false;
}

static void
print_usage(const char *synopsis)
{
	printf("usage: %s ", diag_name());
	for (; *synopsis; synopsis++) {
		if (*synopsis != '\n')
			putchar(*synopsis);
		else if (synopsis[1] == '\t')
			printf("\n%*s", (int)strlen(diag_name()) + 8, ""), synopsis++;
		else
			printf("\n       %s ", diag_name());
	}
	putchar('\n');
}

void
opt_help(const struct opt_tool *tool)
{
	int column = text_column(tool->opts);

	print_usage(tool->synopsis);
	printf("%c%s.\n\n", toupper((unsigned char)*tool->purpose), tool->purpose + 1);
	for (const struct opt *o = tool->opts; o->name; o++)
		print_option(o, column);
	putchar('\n');
	if (has_argument(tool->opts, "DUR"))
		puts("DUR is a number with its unit: 250ms, 5s, 2m, 1h, 1d.");
	if (has_argument(tool->opts, "SIZE"))
		puts("SIZE is a number of bytes, or one with its unit: 64K, 16M, 1G.");
	if (tool->statuses)
		print_statuses(tool->statuses);
	if (tool->example)
		printf("example: %s\n", tool->example);
}

/* --- for the generator */

static void
print_field(const char *text)
{
	putchar('\t');
	for (text = text && *text ? text : "-"; *text; text++)
		if (*text == '\n' || *text == '\t')
			fputs(*text == '\n' ? "\\n" : "\\t", stdout);
		else
			putchar(*text);
}

static void
print_line(const char *kind, const char *const *fields, size_t n)
{
	fputs(kind, stdout);
	for (size_t i = 0; i < n; i++)
		print_field(fields[i]);
	putchar('\n');
}

void
opt_help_print(const struct opt_tool *tool)
{
	static const char *const operands[] = { "none", "texts", "files", "tools", "peers", "tasks", "listed" };

	print_line("tool", (const char *const[]){ diag_name(), tool->purpose }, 2);
	print_line("synopsis", &tool->synopsis, 1);
	print_line("operands", (const char *const[]){ operands[tool->operands], tool->words,
	    tool->has_command ? "command" : NULL,
	    tool->stop && !*tool->stop ? "*" : tool->stop, tool->after }, 5);
	for (const struct opt *o = tool->opts; o->name; o++)
		print_line("option", (const char *const[]){ o->key <= 255 ? (char[]){ (char)o->key, '\0' } : NULL,
		    o->name, o->arg, o->choices, o->preset, o->repeats ? "repeats" : NULL,
		    o->samples, o->help }, 8);
	print_line("statuses", &tool->statuses, 1);
	print_line("example", &tool->example, 1);
}
