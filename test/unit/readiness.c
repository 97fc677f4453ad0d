#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ready/readiness.h"

/* An agent "a2" that began at 100, and what it may find. */
static const struct row {
	const char *what;
	const char *agent, *peer;	/* the pair recorded, NULL for none */
	enum readiness_verdict as;		/* what the cycle was begun as */
	const char *announced;		/* which life of the peer, NULL for none */
	int64_t made;
	bool assumed;
	enum connected connected;
	enum readiness_verdict in_grace, after;
} rows[] = {
	{ "nothing at all", NULL, NULL, 0, NULL, 0, false, CONNECTED_NOT_ASKED,
	    VERDICT_NONE, VERDICT_PEER_OFFLINE },
	{ "nothing, connected", NULL, NULL, 0, NULL, 0, false, CONNECTED_YES,
	    VERDICT_NONE, VERDICT_AGENT_RESTART },
	{ "nothing, not connected", NULL, NULL, 0, NULL, 0, false, CONNECTED_NO,
	    VERDICT_NONE, VERDICT_PEER_OFFLINE },
	{ "both are new", NULL, NULL, 0, "p1", 101, false, CONNECTED_NOT_ASKED,
	    VERDICT_COLD_START, VERDICT_COLD_START },
	{ "the peer was first", NULL, NULL, 0, "p1", 99, false, CONNECTED_NOT_ASKED,
	    VERDICT_COLD_START, VERDICT_COLD_START },
	{ "the agent alone", "a1", "p1", VERDICT_COLD_START, "p1", 99, false, CONNECTED_NOT_ASKED,
	    VERDICT_NONE, VERDICT_AGENT_RESTART },
	{ "the agent alone, connected", "a1", "p1", VERDICT_COLD_START, "p1", 99, false, CONNECTED_YES,
	    VERDICT_NONE, VERDICT_AGENT_RESTART },
	{ "the agent alone, the peer is gone without a word", "a1", "p1", VERDICT_COLD_START, "p1", 99,
	    false, CONNECTED_NO, VERDICT_NONE, VERDICT_PEER_OFFLINE },
	{ "the agent alone, the peer is forgotten", "a1", "p1", VERDICT_COLD_START, NULL, 0, false,
	    CONNECTED_NOT_ASKED, VERDICT_NONE, VERDICT_PEER_OFFLINE },
	{ "forgotten, but connected", "a1", "p1", VERDICT_COLD_START, NULL, 0, false, CONNECTED_YES,
	    VERDICT_NONE, VERDICT_AGENT_RESTART },
	{ "both restarted, the peer first", "a1", "p1", VERDICT_COLD_START, "p2", 99, false,
	    CONNECTED_NO, VERDICT_COLD_START, VERDICT_COLD_START },
	{ "both restarted, the agent first", "a1", "p1", VERDICT_COLD_START, "p2", 101, false,
	    CONNECTED_NO, VERDICT_COLD_START, VERDICT_COLD_START },
	{ "the same peer says it again", "a1", "p1", VERDICT_AGENT_RESTART, "p1", 100, false,
	    CONNECTED_NOT_ASKED, VERDICT_COLD_START, VERDICT_COLD_START },
	{ "the peer was never announced", "a1", "", VERDICT_AGENT_RESTART, NULL, 0, true,
	    CONNECTED_NOT_ASKED, VERDICT_NONE, VERDICT_AGENT_RESTART },
	{ "now it is", "a1", "", VERDICT_AGENT_RESTART, "p1", 99, true, CONNECTED_NOT_ASKED,
	    VERDICT_COLD_START, VERDICT_COLD_START },
	{ "asked again", "a2", "p1", VERDICT_AGENT_RESTART, "p1", 99, false, CONNECTED_NOT_ASKED,
	    VERDICT_AGENT_RESTART, VERDICT_AGENT_RESTART },
	{ "asked again, it was cold", "a2", "p1", VERDICT_COLD_START, "p1", 101, false,
	    CONNECTED_NOT_ASKED, VERDICT_COLD_START, VERDICT_COLD_START },
	{ "asked again, assumed", "a2", "", VERDICT_AGENT_RESTART, NULL, 0, true, CONNECTED_NOT_ASKED,
	    VERDICT_AGENT_RESTART, VERDICT_AGENT_RESTART },
	{ "asked again, the peer has another life", "a2", "p1", VERDICT_COLD_START, "p2", 120, false,
	    CONNECTED_NOT_ASKED, VERDICT_PEER_RESTART, VERDICT_PEER_RESTART },
	{ "asked again, the peer is gone", "a2", "p1", VERDICT_COLD_START, NULL, 0, false,
	    CONNECTED_NOT_ASKED, VERDICT_NONE, VERDICT_PEER_OFFLINE },
	{ "a record without a verdict is none of ours", "a2", "p1", VERDICT_NONE, "p1", 99, false,
	    CONNECTED_NOT_ASKED, VERDICT_NONE, VERDICT_AGENT_RESTART },
};

static void
table(void)
{
	struct readiness_self self = { .began_us = 100 };

	strcpy(self.id, "a2");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		struct readiness_now now = { 0 };
		enum readiness_verdict v;

		if (r->agent) {
			now.cycle.is_there = true;
			strcpy(now.cycle.agent, r->agent);
			strcpy(now.cycle.peer, r->peer);
			now.cycle.verdict = r->as;
		}
		if (r->announced) {
			now.announced.is_there = true;
			strcpy(now.announced.peer, r->announced);
			now.announced.made_us = r->made;
		}
		now.assumed.is_there = r->assumed;
		for (int over = 0; over < 2; over++) {
			v = readiness_judge(&self, &now, r->connected, over);
			if (v == (over ? r->after : r->in_grace))
				continue;
			printf("%s, %s grace: %s\n", r->what, over ? "after" : "in", verdict_name(v));
			assert(!"the verdict");
		}
	}
}

/* Of another boot, or torn: as if it was not there. */
static void
boots(void)
{
	_cleanup_readiness_ struct readiness r = { 0 };
	struct readiness_now now;
	struct fail f;

	assert(readiness_open(&r, "lamp", &f) == 0);
	assert(readiness_announce(&r, "p1", &f) == 0);
	assert(readiness_read(&r, &now, &f) == 0 && now.announced.is_there &&
	    strcmp(now.announced.peer, "p1") == 0 && readiness_is_known(&now));
	r.boot[0] ^= 1;
	assert(readiness_read(&r, &now, &f) == 0 && !now.announced.is_there &&
	    !readiness_is_known(&now));
	r.boot[0] ^= 1;
	assert(truncate(r.announced, 30) == 0);
	assert(readiness_read(&r, &now, &f) == 0 && !readiness_is_known(&now));
	assert(readiness_forget(&r, &f) == 0 && readiness_forget(&r, &f) == 0);
}

static void
records(void)
{
	_cleanup_readiness_ struct readiness r = { 0 };
	struct readiness_now now, again;
	struct readiness_self self;
	struct fail f;

	assert(readiness_open(&r, "lamp", &f) == 0);
	assert(readiness_self_agent("a1", &self, &f) == 0 && readiness_read(&r, &now, &f) == 0);
	/* a peer that said nothing is assumed; what it says later is another life */
	assert(readiness_begin(&r, &self, VERDICT_AGENT_RESTART, &now, &f) == 0);
	assert(readiness_is_known(&now) && !now.announced.is_there && !readiness_is_peer_restart(&now));
	assert(readiness_announce(&r, "p1", &f) == 0 && readiness_read(&r, &now, &f) == 0);
	assert(readiness_is_peer_restart(&now) && readiness_adopt(&r, &self, &now, &f) == 0);
	assert(readiness_read(&r, &again, &f) == 0 && !readiness_is_peer_restart(&again));
	assert(strcmp(again.cycle.agent, "a1") == 0 && strcmp(again.cycle.peer, "p1") == 0);
	assert(!again.cycle.ended && readiness_end(&r, &self, &now, &f) == 0);
	assert(readiness_read(&r, &again, &f) == 0 && again.cycle.ended);
	assert(again.cycle.verdict == VERDICT_AGENT_RESTART);
	/* another life's record is left alone */
	strcpy(self.id, "a2");
	again.cycle.ended = false;
	assert(readiness_end(&r, &self, &again, &f) == 0 && readiness_read(&r, &now, &f) == 0);
	assert(strcmp(now.cycle.agent, "a1") == 0);
	/* a peer that is silent when the agent starts again is taken for the last one */
	assert(readiness_forget(&r, &f) == 0 && readiness_read(&r, &now, &f) == 0);
	assert(readiness_begin(&r, &self, VERDICT_AGENT_RESTART, &now, &f) == 0);
	assert(strcmp(now.cycle.peer, "p1") == 0);
}

static void
names(void)
{
	struct readiness_self self;
	enum readiness_verdict v;
	char text[200];
	struct fail f;

	memset(text, 'x', sizeof text);
	text[128] = '\0';
	assert(readiness_self_agent(text, &self, &f) == 0);
	text[128] = 'x';
	text[129] = '\0';
	assert(readiness_self_agent(text, &self, &f) < 0 && f.status == EXIT_USAGE);
	assert(readiness_self_agent("", &self, &f) < 0 && readiness_self_agent("a\nb", &self, &f) < 0);
	for (int i = VERDICT_NONE + 1; i < VERDICTS; i++)
		assert(verdict_parse(verdict_name((enum readiness_verdict)i), &v) == 0 && (int)v == i);
	assert(verdict_parse("none", &v) < 0 && verdict_parse("", &v) < 0);
}

int
main(void)
{
	table();
	boots();
	records();
	names();
	return 0;
}
