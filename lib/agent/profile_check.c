#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "agent/profile_check.h"

static bool
has_url(const struct profile_http *h)
{
	return h->url && (strncmp(h->url, "http://", 7) == 0 || strncmp(h->url, "https://", 8) == 0);
}

/* What belongs together is there together; else what is missing. */
static const char *
lacks_retry(const struct profile *p)
{
	const struct profile_retry *r = &p->retry;

	if (r->method == RETRY_FIFO && !r->path)
		return "[retry] method = fifo needs a path";
	if (r->method == RETRY_FIFO && r->frame != FRAME_BYTE && !r->command)
		return "[retry] this frame needs a command";
	if (r->method == RETRY_FIFO && r->frame == FRAME_ADU64 && strlen(r->command) > 63)
		return "[retry] the command of an adu64 frame is at most 63 bytes long";
	if (r->again_command && (r->method != RETRY_FIFO || r->frame == FRAME_BYTE))
		return "[retry] again-command needs method = fifo with the frame adu64 or line";
	if (r->again_command && r->frame == FRAME_ADU64 && strlen(r->again_command) > 63)
		return "[retry] the again-command of an adu64 frame is at most 63 bytes long";
	if (r->instance_command && (r->method != RETRY_FIFO || r->frame == FRAME_BYTE))
		return "[retry] instance-command needs method = fifo with the frame adu64 or line";
	if (r->instance_command && strlen(r->instance_command) > 14)
		return "[retry] instance-command is at most 14 bytes long, as 48 of a frame are for the name";
	if (r->call_command && (r->method != RETRY_FIFO || r->frame != FRAME_ADU64))
		return "[retry] call-command needs method = fifo with the frame adu64";
	if (r->call_command && strlen(r->call_command) > 14)
		return "[retry] call-command is at most 14 bytes long, as 48 of a frame are for the call";
	if (r->method == RETRY_FIFO && r->frame == FRAME_LINE && strlen(r->command) >= PIPE_BUF)
		return "[retry] the command of a line is too long to be written at once";
	if (r->method == RETRY_EXEC && !r->argv)
		return "[retry] method = exec needs an argv";
	if (r->method == RETRY_SIGNAL && !r->signo)
		return "[retry] method = signal needs a signal";
	if (r->method == RETRY_SIGNAL && !r->pid_file && !p->unit)
		return "[retry] method = signal needs a pid-file, or a unit in [agent]";
	if (r->method == RETRY_HTTP && !has_url(&r->http))
		return "[retry] method = http needs a url: http://... or https://...";
	return NULL;
}

static const char *
lacks_status(const struct profile *p)
{
	const struct profile_status *s = &p->status;
	bool says = s->stopped || s->starting || s->idle || s->busy || s->failed || s->stopping ||
	    s->needs_reboot;
	size_t n = 0;

	if (s->method == STATUS_FILE && !s->path)
		return "[status] method = file needs a path";
	if (s->method == STATUS_BUSY_PATH && !s->busy_path)
		return "[status] method = busy-path needs a busy-path";
	if (s->method == STATUS_SYSTEMD && !p->unit)
		return "[status] method = systemd needs a unit in [agent]";
	while (s->property && s->property[n])
		n++;
	if (s->method == STATUS_DBUS && n != 4)
		return "[status] method = dbus needs a property: SERVICE OBJECT INTERFACE NAME";
	if (s->method == STATUS_EXEC && !s->argv)
		return "[status] method = exec needs an argv";
	if (s->method == STATUS_ADU_API && !s->path)
		return "[status] method = adu-api needs a path";
	if ((s->method == STATUS_DBUS || s->method == STATUS_EXEC || s->method == STATUS_ADU_API) &&
	    !says)
		return "[status] needs to be told what an answer means: idle, busy, ... = REGEX";
	return NULL;
}

static const char *
lacks_restart(const struct profile *p)
{
	const struct profile_restart *r = &p->restart;
	const char *method = r->method ? r->method : "";
	bool has_log = false;

	for (size_t i = 0; i < p->n_logs; i++)
		has_log = has_log || p->logs[i].path || p->logs[i].journal;
	if (strcmp(method, "systemd") == 0 && !p->unit)
		return "[restart] method = systemd needs a unit in [agent]";
	if (strcmp(method, "s6") == 0 && !r->service)
		return "[restart] method = s6 needs a service";
	if (strcmp(method, "exec") == 0 && !r->argv)
		return "[restart] method = exec needs an argv";
	if (strcmp(method, "http") == 0 && !has_url(&r->http))
		return "[restart] method = http needs a url: http://... or https://...";
	if (strcmp(method, "impcentral") == 0 && !r->device)
		return "[restart] method = impcentral needs a device";
	if ((strcmp(method, "exec") == 0 || strcmp(method, "signal") == 0 || strcmp(method, "http") == 0) &&
	    !r->pid_file && !p->unit && p->status.method != STATUS_FILE)
		return "[restart] this method needs a pid-file, or a unit in [agent]";
	if (r->ready == READY_NOTIFY && *method && strcmp(method, "systemd") != 0 &&
	    strcmp(method, "s6") != 0)
		return "[restart] ready = notify needs the method systemd or s6";
	if (r->ready == READY_LOG && !has_log)
		return "[restart] ready = log: needs a [log.NAME] with a path or a journal";
	if (r->ready == READY_FIFO_READER && p->retry.method != RETRY_FIFO)
		return "[restart] ready = fifo-reader needs the method fifo in [retry]";
	if (r->ready == READY_STATUS && p->status.method == STATUS_NONE)
		return "[restart] ready = status needs a [status]";
	return NULL;
}

/* Is the host of BROKER, after its scheme, this machine? */
static bool
is_loopback(const char *host)
{
	static const char *const here[] = { "localhost", "127.0.0.1", "[::1]" };

	for (size_t i = 0; i < sizeof here / sizeof *here; i++) {
		size_t n = strlen(here[i]);

		if (strncmp(host, here[i], n) == 0 && (!host[n] || host[n] == ':'))
			return true;
	}
	return false;
}

static const char *
lacks_hub(const struct profile *p)
{
	const struct profile_hub *h = &p->hub;
	const bool tls = h->broker && strncmp(h->broker, "mqtts://", 8) == 0;

	if (!h->dialect)
		return h->broker ? "[hub] needs a dialect" : NULL;
	if (!tls && (!h->broker || strncmp(h->broker, "mqtt://", 7) != 0))
		return "[hub] needs a broker: mqtts://HOST[:PORT] or mqtt://HOST[:PORT]";
	if (!tls && !h->insecure && !is_loopback(h->broker + 7))
		return "[hub] mqtt:// to another machine is not encrypted: use mqtts://, or set insecure = yes";
	if (!h->client_id)
		return "[hub] needs a client-id";
	if (h->client_id[strcspn(h->client_id, "/+#")])
		return "[hub] a client-id has no '/', '+' or '#'";
	if (h->username && h->username_file)
		return "[hub] username and username-file exclude each other";
	if (!tls && (h->ca_file || h->cert_file || h->key_file))
		return "[hub] ca-file, cert-file and key-file are for mqtts:// brokers";
	if (!h->cert_file != !h->key_file)
		return "[hub] cert-file and key-file belong together";
	if (h->keep_alive_ms < 5000 || h->keep_alive_ms > 65535000)
		return "[hub] keep-alive is at least 5s and at most 65535s";
	if (h->urgent_max < 1 << 20 || h->bulk_max < 2 << 20)
		return "[hub] urgent-max is at least 1M, and bulk-max at least 2M";
	return NULL;
}

int
profile_check(const struct profile *p, struct fail *f)
{
	const char *what = lacks_retry(p);

	if (!what)
		what = lacks_status(p);
	if (!what)
		what = lacks_restart(p);
	if (!what)
		what = lacks_hub(p);
	return what ? fail_set(f, EXIT_USAGE, "%s: %s", p->file, what) : 0;
}
