#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "hub/results.h"
#include "hub/submission.h"

int
results_write(const char *dir, const char *name, int64_t id, const char *word, int status,
    const char *reason, struct json response)
{
	_cleanup_free_ char *path = xasprintf("%s/done/%s", dir, name);
	_cleanup_json_ struct json v = json_object();
	_cleanup_buf_ struct buf text = BUF_INIT;

	if (id > 0)
		json_set(&v, "id", json_number((double)id));
	json_set_text(&v, "result", word);
	json_set(&v, "status", json_number(status));
	if (reason)
		json_set_text(&v, "reason", reason);
	if (json_kind(response) != JSON_NONE)
		json_set(&v, "response", json_copy(response));
	json_format(v, &text);
	buf_putc(&text, '\n');
	return file_replace(path, text.s, text.len, 0644, 0);
}

void
results_sweep(const char *dir)
{
	_cleanup_free_ char *path = xasprintf("%s/done", dir);
	const int64_t now = clock_wall_ms();
	DIR *d = opendir(path);
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    (st.st_mtim.tv_sec * INT64_C(1000) < now - SUBMISSION_DONE_MS || st.st_mtim.tv_sec * INT64_C(1000) > now + SUBMISSION_DONE_MS))
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}
