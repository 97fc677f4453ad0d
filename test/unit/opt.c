#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/io.h"
#include "base/opt.h"
#include "base/suggest.h"
#include "base/xalloc.h"

enum { KEY_REASON = OPT_OWN, KEY_RESCAN, KEY_ON, KEY_SIZE };

static const struct opt opts[] = {
	OPT_AGENT,
	{ 'a', "all", NULL, "print all" },
	{ '1', "once", NULL, "print once" },
	OPT_FORMAT("jsonl json table", NULL),
	OPT_JSON,
	{ 'j', "jobs", "N", "work on N" },
	{ KEY_ON, "on", "VERDICT ARGV", "run ARGV on VERDICT" },
	{ KEY_REASON, "reason", "TEXT", "for TEXT" },
	{ KEY_RESCAN, "rescan", "DUR", "scan every DUR" },
	{ KEY_SIZE, "size", "SIZE", "up to SIZE" },
	OPT_COMMON
};

static const struct opt_tool plain = { .purpose = "p", .synopsis = "s", .opts = opts };
static const struct opt_tool runs = { .purpose = "p", .synopsis = "s", .opts = opts, .has_command = true };
static const struct opt_tool first = { .purpose = "p", .synopsis = "s", .opts = opts, .stop = "" };
static const struct opt_tool explains = { .purpose = "p", .synopsis = "s", .opts = opts, .stop = "explain" };

/*
 * The words of LINE are the arguments.  An option is printed "name" or
 * "name=ARG", an operand "<it>", and at last the words of the command in "{}"
 * with the index of the "--" before it.  Misuse is what stderr has.
 */
static const struct {
	const struct opt_tool *tool;
	const char *line, *want;
} scans[] = {
	{ &plain, "", "" },
	{ &plain, "x", "<x>" },
	/* each form of an option */
	{ &plain, "-a -1", "all once " }, { &plain, "-a1", "all once " },
	{ &plain, "-A n -An -aAn -aA n", "agent=n agent=n all agent=n all agent=n " },
	{ &plain, "--agent n --agent=n --agent=", "agent=n agent=n agent= " },
	{ &plain, "--ag n --agen=n", "agent=n agent=n " },
	{ &plain, "--reason=a=b", "reason=a=b " },
	/* mixed with operands, which keep their order; "-" is one */
	{ &plain, "x -a y --agent n - z", "all agent=n <x><y><-><z>" },
	/* "--": what follows are operands, or the command */
	{ &plain, "x -a -- -1 -- y", "all <x><-1><--><y>@3" },
	{ &runs, "x -a -- -1 -- y", "all <x>{-1 -- y}@3" },
	{ &runs, "-- c", "{c}@1" }, { &runs, "x --", "<x>{}@2" }, { &runs, "x c", "<x><c>" },
	/* a "--" that is an option's argument is no separator */
	{ &runs, "--reason -- x -- c", "reason=-- <x>{c}@4" }, { &runs, "-A -- x", "agent=-- <x>" },
	{ &runs, "--reason=-- -- c", "reason=-- {c}@2" }, { &runs, "-aA -- -- c", "all agent=-- {c}@3" },
	/* the scan ends at the first operand, or at a word */
	{ &first, "-a x -a --json -- y", "all <x><-a><--json><--><y>" }, { &first, "-a", "all " },
	{ &first, "-a -- -x", "all <-x>@2" },
	{ &explains, "-a explain -1 --x", "all <explain><-1><--x>" },
	{ &explains, "fifo -a explain -1", "all once <fifo><explain>" },
	/* a second argument */
	{ &plain, "--on cold ls x", "on=cold:ls <x>" }, { &plain, "--on=cold ls", "on=cold:ls " },
	/* typed arguments */
	{ &plain, "--rescan 2m -j 7 --size 64K --format json", "rescan=2m jobs=7 size=64K format=json " },
	/* misuse */
	{ &plain, "--agnet x", "t: --agnet: unknown option\nhint: did you mean '--agent'? try 't --help'\n" },
	{ &plain, "--agnet=x", "t: --agnet: unknown option\nhint: did you mean '--agent'? try 't --help'\n" },
	{ &plain, "--xyzzy", "t: --xyzzy: unknown option\nhint: try 't --help'\n" },
	{ &plain, "--=x", "t: --: unknown option\nhint: try 't --help'\n" },
	{ &plain, "-x", "t: -x: unknown option\nhint: try 't --help'\n" },
	{ &plain, "-ax", "t: -x: unknown option\nhint: try 't --help'\n" },
	{ &plain, "-rescan", "t: -rescan: unknown option\nhint: did you mean '--rescan'? try 't --help'\n" },
	{ &plain, "--re 1s", "t: --re: ambiguous option: --reason, --rescan\nhint: try 't --help'\n" },
	{ &plain, "--json=x", "t: --json: takes no argument: 'x'\nhint: try 't --help'\n" },
	{ &plain, "--agent", "t: --agent: requires an argument NAME\nhint: try 't --help'\n" },
	{ &plain, "-A", "t: --agent: requires an argument NAME\nhint: try 't --help'\n" },
	{ &plain, "--rescan 5", "t: --rescan: not a duration: '5'\n"
	    "hint: a duration is a number with its unit, such as 250ms, 5s, 2m, 1h, 1d\n" },
	{ &plain, "-j 0", "t: --jobs: not from 1 to 9: '0'\nhint: try 't --help'\n" },
	{ &plain, "-j x", "t: --jobs: not a number: 'x'\nhint: try 't --help'\n" },
	{ &plain, "--size 1T", "t: --size: not a size: '1T'\n"
	    "hint: a size is a number of bytes, or one with its unit, such as 64K, 16M, 1G\n" },
	{ &plain, "--size 2G", "t: --size: not from 0 to 1073741824 bytes: '2G'\nhint: try 't --help'\n" },
	{ &plain, "--format jsno", "t: --format: unknown choice: 'jsno'\n"
	    "hint: did you mean 'json'? choices: jsonl, json, table\n" },
	{ &plain, "--format xml", "t: --format: unknown choice: 'xml'\nhint: choices: jsonl, json, table\n" },
};

static void
scan(const struct opt_tool *tool, int argc, char *argv[], struct buf *out)
{
	struct opt_scan s;
	int key;

	opt_begin(&s, argc, argv, tool);
	while ((key = opt_next(&s)) != -1) {
		buf_printf(out, "%s", s.opt->name);
		if (s.arg)
			buf_printf(out, "=%s", s.arg);
		switch (key) {
		case KEY_RESCAN: (void)opt_duration(&s); break;
		case 'j': (void)opt_number(&s, 1, 9); break;
		case KEY_SIZE: (void)opt_size(&s, 0, 1 << 30); break;
		case OPT_KEY_FORMAT: (void)opt_choice(&s); break;
		case KEY_ON: buf_printf(out, ":%s", opt_another(&s)); break;
		}
		buf_putc(out, ' ');
	}
	for (int i = 0; i < s.n_operands; i++)
		buf_printf(out, "<%s>", s.operands[i]);
	if (s.operands[s.n_operands])
		buf_printf(out, "not ended");
	for (char **w = s.command; w && *w; w++)
		buf_printf(out, "%s%s", w == s.command ? "{" : " ", *w);
	if (s.command)
		buf_printf(out, "%s}", *s.command ? "" : "{");
	if (s.separator >= 0)
		buf_printf(out, "@%d", s.separator);
}

/* What scan() says in a child, or what the child reports where it ends with EXIT_USAGE. */
static void
scan_apart(const struct opt_tool *tool, const char *line, struct buf *out)
{
	_cleanup_free_ char *copy = xasprintf("t %s", line);
	char *argv[32], *rest = copy, *word;
	int argc = 0, out_pipe[2], status;
	pid_t pid;

	while ((word = strsep(&rest, " ")))
		if (*word)
			argv[argc++] = word;
	argv[argc] = NULL;
	if (pipe(out_pipe) < 0 || (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		struct buf said = BUF_INIT;

		dup2(out_pipe[1], STDERR_FILENO);
		diag_init(argv);
		scan(tool, argc, argv, &said);
		fputs(said.s, stderr);
		_exit(0);
	}
	close(out_pipe[1]);
	while (io_read_buf(out_pipe[0], out) > 0)
		;
	close(out_pipe[0]);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != (strncmp(out->s, "t: ", 3) == 0 ? EXIT_USAGE : 0))
		buf_printf(out, " ended with %x", (unsigned)status);
}

static const struct {
	const char *wrong, *nearest;
} slips[] = {
	{ "fromat", "format" }, { "frmat", "format" }, { "forrmat", "format" }, { "FORMAT", "format" },
	{ "fo", "format" }, { "jsonn", "json" }, { "jsom", "json" }, { "all", "all" },
	{ "x", NULL }, { "", NULL }, { "zzzz", NULL }, { "table!", NULL },
	{ "0123456789012345678901234567890123456789012345678901234567890123456789", NULL },
};

static int
suggestions(void)
{
	int bad = 0;

	for (size_t i = 0; i < sizeof slips / sizeof *slips; i++) {
		const char *want = slips[i].nearest, *got;
		struct suggest s;

		suggest_begin(&s, slips[i].wrong);
		suggest_offer_list(&s, "all  format json");
		got = suggest_nearest(&s);
		if (!want != !got || (want && strcmp(got, want) != 0)) {
			printf("suggest: '%s': got %s, want %s\n", slips[i].wrong, got ? got : "none", want ? want : "none");
			bad = 1;
		}
		suggest_release(&s);
	}
	return bad;
}

int
main(void)
{
	int bad = suggestions();

	for (size_t i = 0; i < sizeof scans / sizeof *scans; i++) {
		_cleanup_buf_ struct buf got = BUF_INIT;

		scan_apart(scans[i].tool, scans[i].line, &got);
		if (strcmp(got.s, scans[i].want) != 0) {
			printf("opt: '%s': got '%s', want '%s'\n", scans[i].line, got.s, scans[i].want);
			bad = 1;
		}
	}
	return bad;
}
