#include <string.h>
#include <sys/stat.h>

#include "input/filter_command.h"
#include "input/feeds.h"
#include "input/journalfeed.h"
#include "input/pipe.h"
#include "input/remote.h"
#include "input/spanfile.h"
#include "input/tail.h"

struct feed *
feeds_new(const struct source_spec *spec, struct tails *tails)
{
	const char *location = spec->location;
	struct stat st;

	if (remote_is(location))
		return remote_new(spec);
	if (source_spec_is_journal(spec))
		return journalfeed_new(location, spec->dir);
	if (spanfile_is(location, spec->format))
		return pipe_new_of(location, spanfile_command(location));
	if (strcmp(location, "-") == 0 || filter_command_of(location) ||
	    (stat(location, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return pipe_new(location);
	return tail_new(location, tails);
}
