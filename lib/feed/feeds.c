#include <string.h>
#include <sys/stat.h>

#include "feed/decode.h"
#include "feed/feeds.h"
#include "feed/journalfeed.h"
#include "feed/pipe.h"
#include "feed/remote.h"
#include "feed/tail.h"

struct feed *
feeds_new(const struct spec *spec, struct lookout *lookout)
{
	const char *location = spec->location;
	struct stat st;

	if (remote_is(location))
		return remote_new(spec);
	if (strncmp(location, "journal:", 8) == 0)
		return journalfeed_new(location);
	if (strcmp(location, "-") == 0 || decode_command(location) ||
	    (stat(location, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return pipe_new(location);
	return tail_new(location, lookout);
}
