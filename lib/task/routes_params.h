/*
 * routes_params - the parameters of each request of the task protocol
 * (rejoin-task-protocol(7)), as task/params.h checks them.  Those of POST /1/tasks
 * are in task/submit.h.
 */
#ifndef TASK_ROUTES_PARAMS_H
#define TASK_ROUTES_PARAMS_H

#include "task/params.h"

extern const struct params_rule routes_params_session[];
extern const struct params_rule routes_params_beat[];
extern const struct params_rule routes_params_list[];
extern const struct params_rule routes_params_session_output[];
extern const struct params_rule routes_params_history[];
extern const struct params_rule routes_params_release[];
extern const struct params_rule routes_params_stream[];
extern const struct params_rule routes_params_output[];
extern const struct params_rule routes_params_kill[];
extern const struct params_rule routes_params_policy[];
extern const struct params_rule routes_params_adopt[];

#endif
