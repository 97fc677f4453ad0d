#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "deploy/handler.h"
#include "deploy/handler_argv.h"

static int bad;

static struct json
parse(const char *text)
{
	struct json v = JSON_ABSENT;
	struct fail f;

	if (text && json_parse("test", text, strlen(text), &v, &f) < 0) {
		printf("handler: %s: %s\n", text, f.text);
		bad = 1;
	}
	return v;
}

static const char motor[] = "{\"id\":\"m1\",\"name\":\"left motor\",\"group\":\"motors\","
    "\"manufacturer\":\"contoso\",\"model\":\"virtual\",\"version\":7,"
    "\"properties\":{\"path\":\"/dev/m 1\",\"a\":{\"b\":{\"c\":\"deep\"}},\"n\":5}}";

#define TAIL	"|--work-folder|/w|--result-file|/w/action_is-installed_aduc_result.json"

static const struct {
	const char *properties, *component, *want;
} vectors[] = {
	{ "{}", motor, "/w/s|--action-is-installed" TAIL },
	{ "{\"apiVersion\":\"1.0\"}", motor, "/w/s|--action-is-installed" TAIL },
	{ "{\"apiVersion\":\"1.1\"}", motor, "/w/s|--action|is-installed" TAIL },
	{ "{\"apiVersion\":\"2.0\"}", motor, "/w/s" TAIL },
	{ "{\"apiVersion\":1.1}", motor, "/w/s|--action-is-installed" TAIL },
	{ "{\"installedCriteria\":\"1.1\"}", motor,
	    "/w/s|--action-is-installed" TAIL "|--installed-criteria|1.1" },
	{ "{\"installedCriteria\":\"\"}", motor, "/w/s|--action-is-installed" TAIL },
	{ "{\"installedCriteria\":\"a b\"}", motor,
	    "/w/s|--action-is-installed" TAIL "|--installed-criteria|a b" },
	/* blanks split, empty tokens go, nothing quotes */
	{ "{\"arguments\":\"  a   'b c'  \\\"d\\\\\\t \"}", motor,
	    "/w/s|--action-is-installed|a|'b|c'|\"d\\\t" TAIL },
	{ "{\"arguments\":\"\"}", motor, "/w/s|--action-is-installed" TAIL },
	{ "{\"arguments\":\"--component-id-val --component-name-val --component-manufacturer-val "
	    "--component-model-val --component-group-val\"}", motor,
	    "/w/s|--action-is-installed|m1|left motor|contoso|virtual|motors" TAIL },
	/* what is no string, and what is not there */
	{ "{\"arguments\":\"--component-version-val x\"}", motor,
	    "/w/s|--action-is-installed|n/a|x" TAIL },
	{ "{\"arguments\":\"--component-name --component-name-val\"}", NULL,
	    "/w/s|--action-is-installed|--component-name|n/a" TAIL },
	{ "{\"arguments\":\"--component-prop path --component-prop-val path\"}", motor,
	    "/w/s|--action-is-installed|--component-prop|path|/dev/m 1" TAIL },
	{ "{\"arguments\":\"--component-prop-val a.b.c --component-prop-val a.b "
	    "--component-prop-val n --component-prop-val x.y z\"}", motor,
	    "/w/s|--action-is-installed|deep|n/a|n/a|n/a|z" TAIL },
	{ "{\"arguments\":\"--component-prop-val\"}", motor, "/w/s|--action-is-installed|n/a" TAIL },
	/* no substitution inside of a token */
	{ "{\"arguments\":\"--id=--component-id-val ${installedCriteria}\"}", motor,
	    "/w/s|--action-is-installed|--id=--component-id-val|${installedCriteria}" TAIL },
};

static void
check_argv(void)
{
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		_cleanup_json_ struct json p = parse(vectors[i].properties);
		_cleanup_json_ struct json c = parse(vectors[i].component);
		struct handler_call call = {
			.action = HANDLER_IS_INSTALLED, .properties = p, .component = c,
			.work_folder = "/w",
		};
		char **v = handler_argv(&call, "/w/s", "/w/action_is-installed_aduc_result.json");
		_cleanup_buf_ struct buf b = BUF_INIT;

		for (char **a = v; *a; a++)
			buf_printf(&b, "%s%s", a == v ? "" : "|", *a);
		if (strcmp(b.s, vectors[i].want) != 0) {
			printf("handler: argv of %s\n got %s\nwant %s\n", vectors[i].properties,
			    b.s, vectors[i].want);
			bad = 1;
		}
		xfree_strv(v);
	}
}

static void
check_swupdate_argv(void)
{
	_cleanup_json_ struct json p = parse("{\"swuFileName\":\"os.swu\",\"apiVersion\":\"1.1\",\"arguments\":"
	    "\"${du_component_id} ${du_component_prop} a.b --component-name-val\"}");
	_cleanup_json_ struct json c = parse("{\"id\":\"m1\",\"name\":\"left\",\"properties\":{\"a\":{\"b\":\"deep\"}}}");
	_cleanup_json_ struct json config = parse("{\"--log\":\"/l\",\"--dir\":\"/d e\"}");
	const struct handler_call call = { .handler = "microsoft/swupdate:2", .action = HANDLER_APPLY,
	    .properties = p, .component = c, .config = config, .work_folder = "/w" };
	char **v = handler_argv(&call, "/w/s", "/w/aduc_result.json");
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (char **a = v; *a; a++)
		buf_printf(&b, "%s%s", a == v ? "" : "|", *a);
	if (strcmp(b.s, "/w/s|--action|apply|--swu-file|/w/os.swu|--log|/l|--dir|/d e|m1|deep|left|--work-folder|/w|"
	    "--result-file|/w/aduc_result.json") != 0) {
		printf("handler: argv of swupdate: %s\n", b.s);
		bad = 1;
	}
	xfree_strv(v);
}

static const struct {
	const char *text;
	int r;
	int32_t code, erc;
	const char *details;
} results[] = {
	{ "{\"resultCode\":900,\"extendedResultCode\":0,\"resultDetails\":\"\"}", 0, 900, 0, "" },
	{ "{\"resultCode\":901,\"resultDetails\":null}", 0, 901, 0, "" },
	{ " {\"resultCode\":600,\"resultDetails\":\"%n%s\"}\n", 0, 600, 0, "%n%s" },
	{ "{\"resultCode\":0,\"extendedResultCode\":5,\"resultDetails\":\"why\\u0000not\"}", 0, 0, 5, "why" },
	{ "{\"resultCode\":901,\"resultDetails\":{}}", 0, 901, 0, "" },
	{ "{\"resultCode\":0,\"extendedResultCode\":805306870,\"resultDetails\":\"x\"}", 0, 0,
	    0x300001F6, "x" },
	{ "{\"resultCode\":0}", 0, 0, ERC_SCRIPT_FAILED, "" },
	{ "{\"resultCode\":-1}", 0, -1, ERC_SCRIPT_FAILED, "" },
	{ "{\"resultCode\":\"900\"}", 0, 0, ERC_SCRIPT_FAILED, "" },
	{ "{}", 0, 0, ERC_SCRIPT_FAILED, "" },
	{ "{\"resultCode\":600,\"extendedResultCode\":2147942400}", 0, 600, (int32_t)0x80070000u,
	    "" },
	{ "{\"resultCode\":1e99}", -1, 0, 0, "" },
	{ "{\"resultCode\":nan}", -1, 0, 0, "" },
	{ "[900]", -1, 0, 0, "" },
	{ "", -1, 0, 0, "" },
	{ "resultCode: 900", -1, 0, 0, "" },
	{ "{\"resultCode\":900", -1, 0, 0, "" },
	{ "{\"resultCode\":900,\"resultDetails\":\"\xff\"}", -1, 0, 0, "" },
};

static void
check_results(void)
{
	for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
		_cleanup_buf_ struct buf d = BUF_INIT;
		struct handler_result res = { 0 };
		int r = handler_result_parse(results[i].text, strlen(results[i].text), &res, &d);

		if (r == 0 && results[i].r == 0 && res.code == results[i].code &&
		    res.erc == results[i].erc && strcmp(d.s, results[i].details) == 0)
			continue;
		if (r < 0 && results[i].r < 0)
			continue;
		printf("handler: result %s: got %d, %d, %x, '%s'\n", results[i].text, r, res.code,
		    (unsigned)res.erc, d.s);
		bad = 1;
	}
}

/* A megabyte of two-byte characters is cut, and not through one. */
static void
check_long_details(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT, d = BUF_INIT;
	struct handler_result res = { 0 };

	buf_puts(&b, "{\"resultCode\":900,\"resultDetails\":\"x");
	for (int i = 0; i < 500000; i++)
		buf_puts(&b, "\xc3\xa4");
	buf_puts(&b, "\"}");
	if (handler_result_parse(b.s, b.len, &res, &d) < 0 || res.code != 900 ||
	    d.len != HANDLER_DETAILS_MAX - 1 || (unsigned char)d.s[d.len - 1] != 0xa4) {
		printf("handler: long details: %d, %zu\n", res.code, d.len);
		bad = 1;
	}
}

struct outcome {
	struct loop *loop;
	int32_t code, erc;
	bool timed_out;
	char details[256];
	char output[64];
	int left;
};

static void
done(const struct handler_result *r, void *cookie)
{
	struct outcome *o = cookie;

	o->code = r->code;
	o->erc = r->erc;
	o->timed_out = r->timed_out;
	snprintf(o->details, sizeof o->details, "%s", r->details);
	snprintf(o->output, sizeof o->output, "%s", r->output);
	if (--o->left <= 0)
		loop_stop(o->loop, 0);
}

static void
end_it(void *cookie)
{
	handler_end(cookie);
}

/*
 * SCRIPT, where the result file is $r and the work folder $w, in a fresh work
 * folder DIR; cancelled after CANCEL_MS where that is not 0.
 */
static struct outcome
run(const char *dir, const char *script, int64_t timeout_ms, int64_t cancel_ms)
{
	struct outcome o = { .loop = loop_new() };
	_cleanup_json_ struct json p = parse("{\"scriptFileName\":\"s.sh\"}");
	_cleanup_free_ char *path = xasprintf("%s/s.sh", dir);
	_cleanup_free_ char *text = xasprintf("w=%s r=%s/action_apply_aduc_result.json\n%s\n",
	    dir, dir, script);
	struct handler_call call = {
		.handler = "microsoft/script:1", .action = HANDLER_APPLY, .properties = p,
		.work_folder = dir, .timeout_ms = timeout_ms, .grace_ms = 300,
	};
	struct loop_timer t = { .fn = end_it };

	if (script)
		file_replace(path, text, strlen(text), 0640, 0);
	t.cookie = handler_start(o.loop, &call, done, &o);
	if (cancel_ms)
		loop_timer_set(o.loop, &t, cancel_ms);
	loop_run(o.loop);
	loop_free(o.loop);
	return o;
}

static void
expect(const char *what, const struct outcome *o, int32_t code, int32_t erc, const char *details)
{
	if (o->code == code && o->erc == erc && strcmp(o->details, details) == 0)
		return;
	printf("handler: %s: got %d, %x, '%s'; want %d, %x, '%s'\n", what, o->code,
	    (unsigned)o->erc, o->details, code, (unsigned)erc, details);
	bad = 1;
}

static const struct {
	const char *what, *script;
	int32_t code, erc;
	const char *details;
} runs[] = {
	{ "no #!, not executable", "echo '{\"resultCode\":700}' >$r", 700, 0, "" },
	{ "a result and a bad status", "echo '{\"resultCode\":700}' >$r; exit 3", 0,
	    ERC_SCRIPT_STATUS + 3, "s.sh exited with 3" },
	{ "a status like a signal's", "exit 130", 0, ERC_SCRIPT_STATUS + 130,
	    "s.sh exited with 130" },
	{ "a signal", "kill -SEGV $$", 0, ERC_SCRIPT_STATUS + SIGSEGV, "s.sh was killed by SIGSEGV" },
	{ "no result", ":", 0, ERC_NO_RESULT, "s.sh left no result file" },
	{ "no JSON", "echo done >$r", 0, ERC_NO_RESULT,
	    "s.sh left a result file that holds no result" },
	{ "formats", "echo '{\"resultCode\":700,\"resultDetails\":\"%n%s%n%d\"}' >$r", 700, 0,
	    "%n%s%n%d" },
};

static void
check_runs(const char *dir)
{
	_cleanup_free_ char *result = xasprintf("%s/action_apply_aduc_result.json", dir);
	static const char stale[] = "{\"resultCode\":700,\"resultDetails\":\"stale\"}";
	struct outcome o;

	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		file_replace(result, stale, strlen(stale), 0644, 0);
		o = run(dir, runs[i].script, 10000, 0);
		expect(runs[i].what, &o, runs[i].code, runs[i].erc, runs[i].details);
	}
	o = run(dir, "echo '{\"resultCode\":700}' >$w/x; ln -s x $r", 10000, 0);
	if (o.code != 0 || o.erc != ERC_NO_RESULT || !strstr(o.details, "symbolic link"))
		expect("a link", &o, 0, ERC_NO_RESULT, "a symbolic link");
	o = run(dir, "mkfifo $r", 10000, 0);
	if (o.code != 0 || o.erc != ERC_NO_RESULT || !strstr(o.details, "not a regular file"))
		expect("a FIFO", &o, 0, ERC_NO_RESULT, "not a regular file");
	o = run(dir, "truncate -s 1G $r", 10000, 0);
	if (o.code != 0 || o.erc != ERC_NO_RESULT || !strstr(o.details, "bytes are too many"))
		expect("1 GiB", &o, 0, ERC_NO_RESULT, "bytes are too many");
	o = run(dir, "rm $r 2>/dev/null; mkdir $r", 10000, 0);
	o = run(dir, "echo '{\"resultCode\":700}' >$r", 10000, 0);
	if (o.code != 0 || o.erc != ERC_NO_RESULT || !strstr(o.details, "left from before"))
		expect("a directory in its place", &o, 0, ERC_NO_RESULT, "left from before");
	rmdir(result);
	o = run(dir, "yes 1234567 | head -c 200000; echo 'the end' >&2; exit 1", 10000, 0);
	expect("long output", &o, 0, ERC_SCRIPT_STATUS + 1, "s.sh exited with 1");
}

/* Is there a process of SCRIPT's still, which wrote its pid to DIR/pid? */
static bool
is_alive(const char *dir)
{
	_cleanup_free_ char *path = xasprintf("%s/pid", dir);
	_cleanup_free_ char *stat = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT, s = BUF_INIT;
	struct fail f;
	char *state;

	if (file_load(path, 0, 64, &b, &f) < 0)
		return true;	/* it never said; fail the test */
	stat = xasprintf("/proc/%d/stat", atoi(b.s));
	if (file_load(stat, 0, 4096, &s, &f) < 0)
		return false;
	state = strrchr(s.s, ')');
	return !state || (state[2] != 'Z' && state[2] != 'X');
}

static void
check_ends(const char *dir)
{
	int64_t began = clock_mono_ms();
	struct outcome o;

	o = run(dir, "setsid sh -c 'trap \"\" TERM; echo $$ >'$w'/pid; exec sleep 600' &\n"
	    "while ! test -s $w/pid; do :; done; sleep 600", 1500, 0);
	expect("a hang", &o, 0, ERC_SCRIPT_FAILED, "s.sh did not end within 1500 ms");
	for (int i = 0; i < 200 && is_alive(dir); i++)
		clock_sleep_ms(10);
	if (!o.timed_out || is_alive(dir)) {
		printf("handler: a child that called setsid outlived its script\n");
		bad = 1;
	}
	o = run(dir, "trap '' TERM; while :; do sleep 1; done", 1000, 0);
	expect("a hang that ignores SIGTERM", &o, 0, ERC_SCRIPT_FAILED,
	    "s.sh did not end within 1 s");
	o = run(dir, "sleep 600", 0, 50);
	expect("cancelled", &o, RESULT_CANCELLED, 0, "cancelled");
	if (clock_mono_ms() - began > 60000) {
		printf("handler: ending took too long\n");
		bad = 1;
	}
}

static void
check_refusals(const char *dir)
{
	static const struct { const char *handler, *properties; int32_t erc; } calls[] = {
		{ "microsoft/script:1", "{}", ERC_NO_SCRIPT_NAME },
		{ "microsoft/script:1", "{\"scriptFileName\":\"../s.sh\"}", ERC_NO_SCRIPT_NAME },
		{ "microsoft/script:1", "{\"scriptFileName\":\"..\"}", ERC_NO_SCRIPT_NAME },
		{ "microsoft/script:1", "{\"scriptFileName\":\"none\"}", ERC_SCRIPT_STATUS + 127 },
		{ "no/such:1", "{}", ERC_NO_HANDLER },
		{ "../../bin/sh", "{}", ERC_NO_HANDLER },
	};

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct outcome o = { .loop = loop_new() };
		_cleanup_json_ struct json p = parse(calls[i].properties);
		struct handler_call call = {
			.handler = calls[i].handler, .properties = p, .work_folder = dir,
		};

		handler_start(o.loop, &call, done, &o);
		loop_run(o.loop);
		loop_free(o.loop);
		if (o.code != 0 || o.erc != calls[i].erc || !o.details[0]) {
			printf("handler: %s %s: got %d, %x, '%s'\n", calls[i].handler,
			    calls[i].properties, o.code, (unsigned)o.erc, o.details);
			bad = 1;
		}
	}
}

int
main(void)
{
	char dir[] = "/tmp/handler.XXXXXX";

	/* qemu-user before 8.0 */
	if (syscall(SYS_execveat, -1, "", NULL, NULL, AT_EMPTY_PATH) < 0 && errno == ENOSYS) {
		puts("no execveat(2), by which programs are run that were checked");
		return 77;
	}
	if (!mkdtemp(dir))
		return 1;
	check_argv();
	check_swupdate_argv();
	check_results();
	check_long_details();
	check_runs(dir);
	check_ends(dir);
	check_refusals(dir);
	file_remove_tree(dir);
	return bad;
}
