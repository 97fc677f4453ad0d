/*
 * spanfile - files of spans and of OTLP log records: documents that are not lines.
 *
 *	OTLP JSON	{"resourceSpans":[...]}, {"resourceLogs":[...]}; also one on each line
 *	Zipkin v2	[{"traceId":...,"id":...},...]; also nested, or one span a line
 *	Jaeger JSON	{"data":[{"traceID":...,"spans":[...],"processes":{...}}]}
 *
 * The program rejoin-log-spans makes a line of JSON of each span and log record,
 * in the order of their times; its head comment describes the members.
 */
#ifndef INPUT_SPANFILE_H
#define INPUT_SPANFILE_H

#include <stdbool.h>
#include <stddef.h>

enum spanfile_kind { SPANFILE_NONE, SPANFILE_OTLP, SPANFILE_ZIPKIN, SPANFILE_JAEGER };

/* What the file is that begins with the N bytes of TEXT. */
enum spanfile_kind spanfile_kind(const char *text, size_t n);

/* Is the regular file PATH such a document?  FORMAT is what the user said, or NULL. */
bool spanfile_is(const char *path, const char *format);

/* The same of the open file FD, which is read from its start with pread(2). */
bool spanfile_is_open(int fd, const char *format);

/* The command that makes lines of its standard input, which messages call NAME: to be freed with xfree_strv(). */
char **spanfile_command(const char *name);

/*
 * The lines of the file FD, in a file without a name: a descriptor, or -errno.
 * *STATUS is that of the command; where it is not 0, a part of the file was not
 * understood, which the command has reported.
 */
int spanfile_spool(int fd, const char *name, int *status);

#endif
