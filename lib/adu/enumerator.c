/*
 * librejoin_adu_enumerator.so - a component enumerator for the Azure Device Update
 * agent, which loads it with dlopen(3) and asks it which components are there.
 *
 * It runs rejoin-enum in a child, because it lives inside the agent: a probe that
 * crashes or hangs must not take the agent with it, and no library of ours may
 * come into its process.  So this file needs libc alone and is not part of libcore.
 *
 *	GetAllComponents	rejoin-enum -q -A adu --format=adu
 *	SelectComponents	the same with -s SELECTOR
 *
 * The answer is the text that rejoin-enum prints, to be freed with
 * FreeComponentsDataString(), or NULL if it failed, was killed or took longer than
 * DEADLINE_MS.  That is never the same as {"components":[]}: the agent takes an
 * empty list for a step that is for no component here, and the deployment for done.
 *
 * REJOIN_ADU_ENUM names another program instead of rejoin-enum; it is ignored in
 * a process with raised privileges.
 *
 * Source of the interface: Azure/iot-hub-device-update,
 * src/extensions/inc/aduc/component_enumerator_extension.hpp and
 * src/utils/contract_utils/inc/aduc/contract_utils.h, contract 1.0.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef ENUM_PATH
#define ENUM_PATH "/usr/bin/rejoin-enum"
#endif
#ifndef DEADLINE_MS
#define DEADLINE_MS 30000
#endif

/* The agent's user is an ordinary one, and its own directories are not where the system's inventory is. */
static char config_dir[] = "REJOIN_CONFIG_DIR=/etc/rejoin";

enum { ANSWER_MAX = 64 << 20, BLOCK = 65536 };

#define EXPORT	__attribute__((visibility("default")))

typedef struct {
	int32_t ResultCode, ExtendedResultCode;
} ADUC_Result;

typedef struct {
	unsigned int majorVer, minorVer;
} ADUC_ExtensionContractInfo;

EXPORT char *GetAllComponents(void);
EXPORT char *SelectComponents(const char *selector);
EXPORT void FreeComponentsDataString(char *text);
EXPORT ADUC_Result GetContractInfo(ADUC_ExtensionContractInfo *info);

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The agent's environment, with the system's configuration directory unless it names one; to be freed. */
static char **
child_environment(void)
{
	size_t i, n = 0, name = strlen("REJOIN_CONFIG_DIR=");
	bool named = false;
	char **env;

	while (environ && environ[n])
		n++;
	env = calloc(n + 2, sizeof *env);
	if (!env)
		return NULL;
	for (n = 0, i = 0; environ && environ[i]; i++) {
		if (strncmp(environ[i], config_dir, name) == 0) {
			if (environ[i][name] == '\0')
				continue;	/* empty is unset */
			named = true;
		}
		env[n++] = environ[i];
	}
	if (!named)
		env[n] = config_dir;
	return env;
}

/*
 * Start ARGV in a process group of its own, with default signals and no descriptor
 * of the agent's but standard error; FD reads what it prints.  0 or an errno.
 */
static int
child_start(char *const argv[], pid_t *pid, int *fd)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int ends[2], r;
	char **env;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	env = child_environment();
	if (!env) {
		close(ends[0]);
		close(ends[1]);
		return ENOMEM;
	}
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
	r = posix_spawn(pid, argv[0], &files, &attr, argv, env);
	free(env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	close(ends[1]);
	if (r == 0)
		*fd = ends[0];
	else
		close(ends[0]);
	return r;
}

/* Room for a further block and a NUL; false where there is none, or the answer is too long. */
static bool
answer_grow(char **text, size_t len, size_t *cap)
{
	char *more;

	if (*cap - len > BLOCK)
		return true;
	if (len > ANSWER_MAX)
		return false;
	more = realloc(*text, *cap + *cap / 2 + 2 * BLOCK);
	if (!more)
		return false;
	*text = more;
	*cap += *cap / 2 + 2 * BLOCK;
	return true;
}

/* Everything that comes from FD until END_MS, to be freed; NULL where it did not end in time. */
static char *
answer_read(int fd, int64_t end_ms)
{
	size_t len = 0, cap = 0;
	char *text = NULL;

	while (answer_grow(&text, len, &cap)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end_ms - now_ms();
		int r = left > 0 ? poll(&p, 1, (int)left) : 0;
		ssize_t n = r > 0 ? read(fd, text + len, BLOCK) : r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 && r > 0) {
			text[len] = 0;
			return text;
		}
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	free(text);
	return NULL;
}

/* Wait until the child has ended, at most until END_MS; then it and its group are killed. */
static void
child_await(pid_t pid, int64_t end_ms)
{
	struct pollfd p = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	int64_t left;
	int r = 0;

	while (p.fd >= 0 && (left = end_ms - now_ms()) > 0 && (r = poll(&p, 1, (int)left)) < 0 && errno == EINTR)
		;
	if (r <= 0)
		kill(-pid, SIGKILL);
	if (p.fd >= 0)
		close(p.fd);
}

/*
 * Did the child end well?  1 is well, too: the selector matches nothing.  Where the
 * agent ignores SIGCHLD the status is lost, and that is not well.
 */
static bool
child_ended_well(pid_t pid)
{
	int status;
	pid_t r;

	do
		r = waitpid(pid, &status, 0);
	while (r < 0 && errno == EINTR);
	return r == pid && WIFEXITED(status) && WEXITSTATUS(status) <= 1;
}

static char *
enum_run(char *const argv[])
{
	int64_t end_ms = now_ms() + DEADLINE_MS;
	char *text;
	pid_t pid;
	int fd = -1;

	if (child_start(argv, &pid, &fd) != 0)
		return NULL;
	text = answer_read(fd, end_ms);
	close(fd);
	child_await(pid, text ? end_ms : 0);
	if (child_ended_well(pid) && text && *text)
		return text;
	free(text);
	return NULL;
}

/* A NULL selector is all components. */
static char *
enumerate(const char *selector)
{
	const char *path = secure_getenv("REJOIN_ADU_ENUM");
	char program[4096], option[] = "-q", agent[] = "-Aadu", format[] = "--format=adu", select[] = "-s";
	char *copy = selector ? strdup(selector) : NULL, *text;

	path = path && *path ? path : ENUM_PATH;
	if ((selector && !copy) || strlen(path) >= sizeof program) {
		free(copy);
		return NULL;
	}
	strcpy(program, path);
	text = enum_run((char *[]){ program, option, agent, format, copy ? select : NULL, copy, NULL });
	free(copy);
	return text;
}

char *
GetAllComponents(void)
{
	return enumerate(NULL);
}

char *
SelectComponents(const char *selector)
{
	return selector ? enumerate(selector) : NULL;
}

void
FreeComponentsDataString(char *text)
{
	free(text);
}

ADUC_Result
GetContractInfo(ADUC_ExtensionContractInfo *info)
{
	info->majorVer = 1;
	info->minorVer = 0;
	return (ADUC_Result){ .ResultCode = 1 };	/* ADUC_GeneralResult_Success */
}
