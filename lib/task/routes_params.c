#include <signal.h>

#include "supervise/launch.h"
#include "task/routes_params.h"
#include "task/session.h"
#include "task/streams.h"
#include "task/taskcursor.h"
#include "task/taskrecord.h"

const struct params_rule routes_params_session[] = {
	PARAMS_ID("id", true),
	{ "controller", PARAMS_TEXT, false, 0, SESSION_NAME - 1, NULL },
	{ "run", PARAMS_NUMBER, true, 0, PARAMS_ID_MAX, NULL },
	{ "period_ms", PARAMS_NUMBER, true, 1, SESSION_PERIOD_MAX_MS, NULL },
	{ "lease_ms", PARAMS_NUMBER, false, SESSION_LEASE_MIN_MS, SESSION_LEASE_MAX_MS, NULL },
	{ "on_loss", PARAMS_WORD, false, 0, 0, "kill leave" },
	PARAMS_END
};

const struct params_rule routes_params_beat[] = {
	PARAMS_ID("id", true),
	PARAMS_ID("session", true),
	{ "n", PARAMS_NUMBER, true, 1, PARAMS_ID_MAX, NULL },
	{ "seen", PARAMS_NUMBER, true, 0, PARAMS_ID_MAX, NULL },
	PARAMS_END
};

const struct params_rule routes_params_list[] = {
	{ "owner", PARAMS_NUMBER, false, 0, UINT32_MAX - 1, NULL },
	{ "state", PARAMS_WORD, false, 0, 0, TASKRECORD_STATES },
	{ "after", PARAMS_NUMBER, false, 0, INT64_MAX, NULL },
	PARAMS_END
};

#define PARAMS_WAIT	{ "wait", PARAMS_NUMBER, false, 0, STREAMS_WAIT_MAX_S, NULL }

const struct params_rule routes_params_session_output[] = {
	PARAMS_ID("session", true),
	{ "after", PARAMS_TEXT, false, 0, TASKCURSOR_MAX, NULL },
	PARAMS_WAIT,
	PARAMS_END
};

const struct params_rule routes_params_history[] = {
	{ "after", PARAMS_NUMBER, false, 0, INT64_MAX, NULL },
	{ "store", PARAMS_NUMBER, false, 0, INT64_MAX, NULL },
	PARAMS_WAIT,
	PARAMS_END
};

const struct params_rule routes_params_release[] = {
	PARAMS_ID("id", true),
	{ "history", PARAMS_NUMBER, false, 0, PARAMS_ID_MAX, NULL },
	PARAMS_ID("store", false),
	{ "tasks", PARAMS_IDS, false, 0, 0, NULL },
	PARAMS_END
};

const struct params_rule routes_params_stream[] = {
	{ "from", PARAMS_NUMBER, false, 0, INT64_MAX, NULL },
	PARAMS_WAIT,
	PARAMS_END
};

const struct params_rule routes_params_output[] = {
	{ "out", PARAMS_NUMBER, false, 0, INT64_MAX, NULL },
	{ "err", PARAMS_NUMBER, false, 0, INT64_MAX, NULL },
	PARAMS_WAIT,
	PARAMS_END
};

const struct params_rule routes_params_kill[] = {
	PARAMS_ID("id", true),
	{ "signal", PARAMS_NUMBER, false, 1, NSIG - 1, NULL },
	{ "grace_ms", PARAMS_NUMBER, false, 0, LAUNCH_TIME_MAX_MS, NULL },
	PARAMS_END
};

const struct params_rule routes_params_policy[] = {
	PARAMS_ID("id", true),
	{ "on_loss", PARAMS_WORD, true, 0, 0, "kill leave" },
	PARAMS_END
};

const struct params_rule routes_params_adopt[] = {
	PARAMS_ID("id", true),
	PARAMS_ID("session", true),
	PARAMS_END
};
