#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/profile.h"
#include "base/file.h"

#define FIFO	"[retry]\nmethod=fifo\npath=/p\n"

/* What is wrong with a profile, after "f" (and a line): "" for nothing. */
static const struct {
	const char *text, *error;
} texts[] = {
	{ "", "" },
	{ "[agent]\n[retry]\n[restart]\n[status]\n[inventory]\n[log.a]\n", "" },
	{ FIFO "frame=adu64\ncommand=retry-update\n", "" },
	{ FIFO "frame=byte:0A\n", "" },
	{ FIFO "frame=line\ncommand=again\n", "" },
	{ "[agent]\nnmae=x\n", ":2: key 'nmae' is not known in [agent]" },
	{ "[agnet]\n", ":1: section [agnet] is not known" },
	{ "[log.]\n", ":1: section [log.] is not known" },
	{ "[log.a]\nfile=/x\n", ":2: key 'file' is not known in [log.a]" },
	{ "[retry]\nmethod=pigeon\n", ":2: method: 'pigeon' is not none, fifo, exec, signal or http" },
	{ "[retry]\nmethod=fifo\n", ": [retry] method = fifo needs a path" },
	{ FIFO, ": [retry] this frame needs a command" },
	{ "[retry]\npath=relative\n", ":2: path: not an absolute path: 'relative'" },
	{ "[retry]\nframe=byte:1\n", ":2: frame: 'byte:1' is not adu64, line or byte:HH" },
	{ "[retry]\nframe=byte:+1\n", ":2: frame: 'byte:+1' is not adu64, line or byte:HH" },
	{ FIFO "command=0123456789012345678901234567890123456789012345678901234567890123\n",
	    ": [retry] the command of an adu64 frame is at most 63 bytes long" },
	{ "[retry]\nmethod=exec\n", ": [retry] method = exec needs an argv" },
	{ "[retry]\nargv=\n", ":2: argv: is empty" },
	{ "[retry]\nargv=a 'b\n", ":2: argv: a quote is left open" },
	{ "[retry]\nmethod=signal\nsignal=SIGHUP\n",
	    ": [retry] method = signal needs a pid-file, or a unit in [agent]" },
	{ "[retry]\nsignal=SIGNAL\n", ":2: signal: 'SIGNAL' is none (such as SIGHUP)" },
	{ "[retry]\ndebounce=2\n", ":2: debounce: not a duration: '2' (such as 250ms, 5s, 2m)" },
	{ "[retry]\nonly-when-idle=maybe\n", ":2: only-when-idle: neither yes nor no: 'maybe'" },
	{ "[retry]\nwhen-unknown=drop\n", ":2: when-unknown: 'drop' is not hold or send" },
	{ "[restart]\nlimit=3\n", ":2: limit: not a number in a time: '3' (such as 3/10m)" },
	{ "[restart]\nlimit=0/10m\n", ":2: limit: not a number in a time: '0/10m' (such as 3/10m)" },
	{ "[restart]\nlimit=3/0s\n", ":2: limit: not a number in a time: '3/0s' (such as 3/10m)" },
	{ "[restart]\nmethod=hammer\n", ":2: method: 'hammer' is not systemd, signal, exec, http, "
	    "impcentral or s6" },
	{ "[restart]\nmethod=systemd\n", ": [restart] method = systemd needs a unit in [agent]" },
	{ "[restart]\nmethod=s6\n", ": [restart] method = s6 needs a service" },
	{ "[restart]\nmethod=exec\npid-file=/p\n", ": [restart] method = exec needs an argv" },
	{ "[restart]\nmethod=signal\n", ": [restart] this method needs a pid-file, or a unit in [agent]" },
	{ "[restart]\nmethod=signal\npid-file=/p\nready=notify\n",
	    ": [restart] ready = notify needs the method systemd or s6" },
	{ "[restart]\nready=soon\n", ":2: ready: 'soon' is not notify, log:REGEX, probe:ARGV, "
	    "fifo-reader, status or none" },
	{ "[restart]\nready=log:(\n", ":2: ready: '(': Unmatched ( or \\(" },
	{ "[restart]\nready=log:up\n", ": [restart] ready = log: needs a [log.NAME] with a path or a journal" },
	{ "[restart]\nready=log:up\n[log.a]\njournal=x\n", "" },
	{ "[restart]\nready=probe:\n", ":2: ready: is empty" },
	{ "[restart]\nready=probe:true\n", "" },
	{ "[restart]\nready=fifo-reader\n", ": [restart] ready = fifo-reader needs the method fifo in [retry]" },
	{ "[restart]\nready=status\n", ": [restart] ready = status needs a [status]" },
	{ "[status]\nmethod=systemd\n", ": [status] method = systemd needs a unit in [agent]" },
	{ "[agent]\nunit=x\n[status]\nmethod=systemd\n", "" },
	{ "[status]\nmethod=dbus\nproperty=a b c\n",
	    ": [status] method = dbus needs a property: SERVICE OBJECT INTERFACE NAME" },
	{ "[status]\nmethod=dbus\nproperty=a b c d\n",
	    ": [status] needs to be told what an answer means: idle, busy, ... = REGEX" },
	{ "[status]\nmethod=adu-api\nidle=x\n", ": [status] method = adu-api needs a path" },
	{ "[status]\nmethod=exec\nidle=x\n", ": [status] method = exec needs an argv" },
	{ "[status]\nmethod=exec\nargv=x\nidle=[\n", ":4: idle: '[': Invalid regular expression" },
	{ "[status]\nmethod=file\n", ": [status] method = file needs a path" },
	{ "[status]\nmethod=busy-path\n", ": [status] method = busy-path needs a busy-path" },
};

static int
check(const char *text, const char *error)
{
	struct profile *p = NULL;
	struct fail f = { 0 };
	int r = profile_parse("f", text, strlen(text), &p, &f);
	bool good = *error ? r < 0 && f.status == EXIT_USAGE && f.text[0] == 'f' &&
	    strcmp(f.text + 1, error) == 0 : r == 0;

	if (!good)
		printf("profile: '%s': got '%s', want 'f%s'\n", text, r < 0 ? f.text : "", error);
	profile_free(p);
	return !good;
}

static void
is_kept(const char *dir)
{
	static const char text[] = "[agent]\nuser=u\nunit=x.service\n"
	    "[retry]\nmethod=signal\nsignal=HUP\nexe=/bin/x\ndebounce=2s\ndebounce=3s\n"
	    "only-when-idle=yes\nwhen-unknown=send\nargv=a \"b c\"\n"
	    "[restart]\nlimit=3/10m\nstable=2s\nready=probe:a 'b c'\nsignal=TERM\n"
	    "[status]\nmethod=exec\nargv=x\nidle=a\nidle=b\n[inventory]\nfile=${config}/i.json\n"
	    "[log.one]\npath=/l\nformat=f\n[log.two]\njournal=x\n";
	struct profile *p = NULL;
	struct fail f;

	assert(profile_parse("f", text, sizeof text - 1, &p, &f) == 0);
	assert(strcmp(p->user, "u") == 0 && !p->group && p->uid == (uid_t)-1 && p->gid == (gid_t)-1);
	assert(p->retry.signo == SIGHUP && p->retry.debounce_ms == 3000 && p->retry.only_when_idle &&
	    p->retry.send_when_unknown && strcmp(p->retry.argv[1], "b c") == 0 && !p->retry.argv[2]);
	assert(strncmp(p->inventory, dir, strlen(dir)) == 0 &&
	    strcmp(p->inventory + strlen(dir), "/i.json") == 0 && p->restart.stable_ms == 2000);
	assert(p->restart.limit == 3 && p->restart.limit_ms == 600000 && p->restart.signo == SIGTERM &&
	    p->restart.ready == READY_PROBE && strcmp(p->restart.ready_probe[1], "b c") == 0 &&
	    p->restart.timeout_ms == 30000 && strcmp(p->status.idle, "b") == 0);
	assert(p->n_logs == 2 && strcmp(p->logs[0].format, "f") == 0 && !p->logs[1].path);
	profile_free(p);
	profile_free(NULL);
}

static void
put(const char *path, const char *text, mode_t mode)
{
	assert(file_replace(path, text, strlen(text), mode, 0) == 0);
}

/* By name, by REJOIN_AGENT, by the link "default", else "rejoin"; never by a path. */
static void
is_found(void)
{
	struct profile *p = NULL;
	struct fail f;

	unsetenv("REJOIN_AGENT");
	assert(file_make_dirs("agents.d", 0755) == 0);
	put("agents.d/a.conf", "[agent]\n", 0644);
	put("agents.d/b.conf", "[agent]\n", 0644);
	assert(profile_load("a", &p, &f) == 0 && strcmp(p->name, "a") == 0);
	profile_free(p);
	assert(profile_load("../a", &p, &f) < 0 && f.status == EXIT_USAGE);
	assert(profile_load("", &p, &f) < 0 && profile_load(".", &p, &f) < 0);
	assert(profile_load("c", &p, &f) < 0 && strstr(f.text, "no profile 'c'"));
	assert(profile_load(NULL, &p, &f) < 0 && strstr(f.text, "no profile 'rejoin'"));
	assert(symlink("b.conf", "agents.d/default") == 0);
	assert(profile_load(NULL, &p, &f) == 0 && strcmp(p->name, "b") == 0);
	profile_free(p);
	setenv("REJOIN_AGENT", "a", 1);
	assert(profile_load(NULL, &p, &f) == 0 && strcmp(p->name, "a") == 0);
	profile_free(p);
	put("agents.d/a.conf", "[agent]\nuser=no-such-user\n", 0644);
	assert(profile_load("a", &p, &f) < 0 && strstr(f.text, "there is no user 'no-such-user'"));
	put("agents.d/a.conf", "[agent]\n", 0666);
	assert(profile_load("a", &p, &f) < 0 && f.status == EXIT_DENIED);
	if (geteuid() != 0)
		return;
	/* its own group may write it */
	put("agents.d/a.conf", "[agent]\ngroup=daemon\n", 0664);
	assert(chown("agents.d/a.conf", 0, 1) == 0);
	assert(profile_load("a", &p, &f) == 0 && p->gid == 1);
	profile_free(p);
	put("agents.d/a.conf", "[agent]\n", 0664);
	assert(chown("agents.d/a.conf", 0, 1) == 0);
	assert(profile_load("a", &p, &f) < 0 && f.status == EXIT_DENIED);
}

int
main(void)
{
	char dir[] = "/tmp/rejoin-profile.XXXXXX";
	int bad = 0;

	assert(mkdtemp(dir) && chdir(dir) == 0 && chmod(dir, 0755) == 0);
	umask(022);
	setenv("REJOIN_CONFIG_DIR", dir, 1);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		bad |= check(texts[i].text, texts[i].error);
	is_kept(dir);
	is_found();
	return bad | (file_remove_tree(dir) < 0);
}
