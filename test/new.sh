#!/bin/sh
# A new tool that builds and passes the lint: new.sh NAME
#
# It makes cmd/rejoin-NAME.c, man/rejoin-NAME.1 and test/rejoin-NAME.bats, to be
# changed into what the tool is for; "make generate" makes the completions.
# What it makes prints its operands, a line each.
set -eu
name=${1#rejoin-}
case $name in
'' | *[!a-z0-9-]* | -*)
	echo "new: '$1' is not a name of lower-case letters, digits and '-'; make new TOOL=name" >&2
	exit 2
	;;
esac
tool=rejoin-$name
for f in "cmd/$tool.c" "man/$tool.1" "test/$tool.bats"; do
	[ ! -e "$f" ] || { echo "new: $f exists" >&2; exit 1; }
done

cat >"cmd/$tool.c" <<END
/*
 * $tool - print the operands, a line each.
 *
 * What the tool does, and with which statuses it exits.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/diag.h"
#include "base/opt.h"

static const struct opt opts[] = {
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "print the operands",
	.synopsis = "[TEXT]...",
	.opts = opts,
	.operands = OPT_TEXTS,
	.statuses = "0 printed; 2 usage; 3 standard output cannot be written",
	.example = "$tool one two",
};

static void
parse_options(struct opt_scan *s)
{
	if (opt_next(s) != -1)
		abort();
}

int
main(int argc, char *argv[])
{
	struct opt_scan s;

	diag_init(argv);
	opt_begin(&s, argc, argv, &tool);
	parse_options(&s);
	for (int i = 0; i < s.n_operands; i++)
		puts(s.operands[i]);
	finish(EXIT_OK);
}
END

cat >"man/$tool.1" <<END
.Dd $(LC_ALL=C date '+%B %-d, %Y')
.Dt $(printf %s "$tool" | tr '[:lower:]' '[:upper:]') 1
.Os
.Sh NAME
.Nm $tool
.Nd print the operands
.Sh SYNOPSIS
.Nm
.Op Ar TEXT ...
.Sh DESCRIPTION
.Nm
prints its operands, a line each.
.Pp
The options are as follows:
.Bl -tag -width Ds
.\\" begin options
.\\" end options
.El
.Sh ENVIRONMENT
.Nm
uses no environment variables.
.Sh FILES
.Nm
uses no files.
.Sh EXIT STATUS
.Bl -tag -width Ds -compact
.It 0
The operands were printed.
.It 2
The command line is wrong.
.It 3
Standard output cannot be written.
.El
.Sh EXAMPLES
Print two words:
.Pp
.Dl $ $tool one two
.Sh SEE ALSO
.Xr rejoin 7
END

cat >"test/$tool.bats" <<END
load helper

@test "it prints its operands" {
	run --separate-stderr $tool one two
	status_is 0
	out_is \$'one\\ntwo'
}

@test "a wrong command line" {
	run --separate-stderr $tool --no-such
	status_is 2
	err_has '--no-such: unknown option'
}

@test "a full disk" {
	run --separate-stderr bash -c '$tool one >/dev/full'
	status_is 3
}
END
echo "made cmd/$tool.c man/$tool.1 test/$tool.bats; add the tool to man/rejoin.7 and NEWS"
