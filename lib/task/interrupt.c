#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "task/interrupt.h"
#include "task/usersignals.h"

enum { ANSWER_MS = 5000 };

struct interrupt {
	struct interrupt_spec spec;
	struct usersignals signals;
	int64_t task;			/* 0: none yet */
	int signo, count;		/* the last one; how many there were */
	bool asking, detaching;
	struct client_request *request;
	struct loop_timer again;	/* the request had no answer */
	unsigned int tries;
};

static void
request_answered(const struct client_answer *a, void *cookie)
{
	struct interrupt *i = cookie;
	const bool done = !a->f && a->status >= 200 && a->status < 300;

	i->request = NULL;
	if (done && i->detaching) {
		taskevent_report(&i->spec.events, taskevent_new("detached"),
		    "task %jd goes on; \"rejoin-task attach %jd\" comes back to it", (intmax_t)i->task,
		    (intmax_t)i->task);
		i->spec.detached(i->spec.cookie);
	} else if (!done && !coupling_is_final(a) && coupling_state(i->spec.coupling) != LINK_LOST) {
		loop_timer_set(i->spec.loop, &i->again, link_resend_ms(i->tries++));
	}
}

/* To the agent, as it was decided: end the task by the signal, or leave it without a controller. */
static void
send_kill_or_policy(void *cookie)
{
	struct interrupt *i = cookie;
	_cleanup_json_ struct json v = json_object();
	_cleanup_free_ char *path = xasprintf("/1/tasks/%jd/%s", (intmax_t)i->task, i->detaching ? "policy" : "kill");

	json_set(&v, "id", json_number((double)coupling_new_id(i->spec.coupling)));
	if (i->detaching)
		json_set_text(&v, "on_loss", "leave");
	else
		json_set(&v, "signal", json_number(i->signo));
	if (!i->detaching && i->count > 2)
		json_set(&v, "grace_ms", json_number(0));
	client_cancel(i->request);
	i->request = client_post(i->spec.client, path, v, ANSWER_MS, request_answered, i);
}

static void
begin_request(struct interrupt *i)
{
	i->tries = 0;
	loop_timer_stop(i->spec.loop, &i->again);
	send_kill_or_policy(i);
}

static void
stop_asking(struct interrupt *i)
{
	if (i->asking)
		loop_unwatch(i->spec.loop, STDIN_FILENO);
	i->asking = false;
}

static void
answer_typed(int fd, short events, void *cookie)
{
	struct interrupt *i = cookie;
	char line[64];
	ssize_t n = io_read(fd, line, sizeof line);
	const char c = n > 0 ? line[0] : '\0';

	(void)events;
	stop_asking(i);
	i->detaching = c == 'd' || c == 'D';
	if (i->detaching || c == 'k' || c == 'K')
		begin_request(i);
	else
		i->count = 0;		/* neither: the task goes on as before */
}

static void
signal_came(int signo, void *cookie)
{
	struct interrupt *i = cookie;

	i->signo = signo;
	i->count++;
	if (!i->task) {
		i->spec.unsubmitted(signo, i->spec.cookie);
		return;
	}
	if (i->count == 1 && signo == SIGINT && i->spec.is_terminal) {
		taskevent_report(&i->spec.events, taskevent_new("question"),
		    "detach or kill the task? [d/k, again Ctrl-C: kill]");
		loop_watch(i->spec.loop, STDIN_FILENO, POLLIN, answer_typed, i);
		i->asking = true;
		return;
	}
	stop_asking(i);
	i->detaching = false;
	begin_request(i);
}

struct interrupt *
interrupt_new(const struct interrupt_spec *spec)
{
	struct interrupt *i = xcalloc(1, sizeof *i);

	*i = (struct interrupt){ .spec = *spec };
	i->again = (struct loop_timer){ .fn = send_kill_or_policy, .cookie = i };
	i->signals = (struct usersignals){ signal_came, i };
	usersignals_watch(&i->signals, spec->loop);
	return i;
}

void
interrupt_free(struct interrupt *i)
{
	if (!i)
		return;
	stop_asking(i);
	loop_timer_stop(i->spec.loop, &i->again);
	client_cancel(i->request);
	free(i);
}

void
interrupt_set_task(struct interrupt *i, int64_t task)
{
	i->task = task;
}

void
interrupt_send(struct interrupt *i, int signo)
{
	i->signo = signo;
	if (i->task)
		begin_request(i);
}

void
interrupt_reconnected(struct interrupt *i)
{
	if (i->again.set)
		begin_request(i);
}
