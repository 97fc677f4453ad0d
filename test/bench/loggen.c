/*
 * loggen DIR FILES BYTES FORMAT - sorted logs to measure a merge with.
 *
 * FORMAT is iso (RFC 3339, microseconds), syslog, clf, export (what journald
 * exports, each file the journal of a machine), or ids: iso with an id on
 * every line, tx= where it is sent and rx= where, a little later and in
 * another file, it is received.  The same arguments make the same files.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FILES_MAX = 1000, FLYING = 64 };

static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t
rnd(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

static const char *const texts[] = {
	"lvl=info msg=\"request completed\" path=/api/v1/items/%u st=200 us=%u",
	"lvl=debug msg=\"cache lookup\" key=user:%u hit=true shard=%u",
	"lvl=info msg=\"accepted connection\" peer=10.0.%u.%u:443 tls=1.3",
	"lvl=warn msg=\"slow query\" table=orders rows=%u us=%u",
	"lvl=error msg=\"upstream timed out\" up=10.1.0.%u:80 attempt=%u",
	"lvl=info msg=\"worker heartbeat\" worker=%u queue_depth=%u",
};

static void
print_time(FILE *f, const char *format, int64_t us)
{
	time_t s = (time_t)(us / 1000000);
	struct tm tm;
	char text[64];

	gmtime_r(&s, &tm);
	if (strcmp(format, "export") == 0) {
		fprintf(f, "__REALTIME_TIMESTAMP=%jd\n__MONOTONIC_TIMESTAMP=%jd\n", (intmax_t)us,
		    (intmax_t)(us % INT64_C(1000000000000)));
		return;
	}
	if (strcmp(format, "syslog") == 0) {
		strftime(text, sizeof text, "%b %e %H:%M:%S", &tm);
		fputs(text, f);
	} else if (strcmp(format, "clf") == 0) {
		strftime(text, sizeof text, "%d/%b/%Y:%H:%M:%S +0000", &tm);
		fprintf(f, "10.0.0.1 - - [%s]", text);
	} else {
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
		fprintf(f, "%s.%06d+00:00", text, (int)(us % 1000000));
	}
}

int
main(int argc, char *argv[])
{
	static FILE *files[FILES_MAX];
	static uint64_t sizes[FILES_MAX], seqs[FILES_MAX];
	static struct { uint32_t id, from; } flying[FLYING];
	char path[4096], body[200];
	int64_t us = INT64_C(1709294400000000);
	unsigned n, live;
	uint32_t id = 0, waiting = 0;
	uint64_t size;
	const char *format;

	if (argc != 5 || (n = (unsigned)atoi(argv[2])) < 1 || n > FILES_MAX)
		return 2;
	size = strtoull(argv[3], NULL, 10);
	format = argv[4];
	for (unsigned i = 0; i < n; i++) {
		snprintf(path, sizeof path, "%s/n%03u.log", argv[1], i);
		files[i] = fopen(path, "we");
		if (!files[i])
			return 3;
	}
	for (live = n; live;) {
		unsigned i = (unsigned)rnd(n);
		int len;

		us += 1 + (int64_t)rnd(200);
		if (sizes[i] >= size)
			continue;
		len = (int)ftell(files[i]);
		print_time(files[i], format, us);
		if (strcmp(format, "export") == 0)
			fprintf(files[i], "_BOOT_ID=%032x\n_MACHINE_ID=%032x\n_HOSTNAME=node%u\nPRIORITY=6\nSYSLOG_IDENTIFIER=app\nMESSAGE=",
			    i + 1, i + 1, i);
		else
			fprintf(files[i], " node%u app[%u]: ", i, 1000 + i);
		if (strcmp(format, "ids") == 0) {
			unsigned k = (unsigned)rnd(FLYING);

			if (flying[k].id && flying[k].from != i) {
				fprintf(files[i], "rx=%08x ", flying[k].id);
				flying[k].id = 0;
				waiting--;
			} else if (!flying[k].id) {
				flying[k].id = ++id;
				flying[k].from = i;
				waiting++;
				fprintf(files[i], "tx=%08x ", id);
			} else {
				fprintf(files[i], "tx=%08x ", ++id);
			}
		} else {
			fprintf(files[i], "r=%04x ", (unsigned)rnd(65536));
		}
		snprintf(body, sizeof body, texts[rnd(6)], (unsigned)rnd(256), (unsigned)rnd(256));
		fprintf(files[i], "seq=%ju %s\n%s", (uintmax_t)++seqs[i], body, strcmp(format, "export") == 0 ? "\n" : "");
		sizes[i] += (uint64_t)(ftell(files[i]) - len);
		if (sizes[i] >= size)
			live--;
	}
	for (unsigned i = 0; i < n; i++)
		if (fclose(files[i]) != 0)
			return 3;
	return 0;
}
