#!/usr/bin/env bats
# What one user of the task agent can take from the others: tasks, output, memory.
load helper
load task

teardown() {
	end_tasks
	end
}

# waiting_task ID - a request for a task that runs until the file go is there
waiting_task() {
	echo '{"id":'"$1"',"on_loss":"leave","argv":["sh","-c","while [ ! -e '"$PWD"'/go ]; do sleep 0.05; done"]}'
}

# states_of UID - the states of that user's tasks, in a line
states_of() {
	agent "/1/tasks?owner=$1" | jq -r '.tasks[].state' | sort | xargs
}

@test "a user may have a share of the tasks, and of those that run; others have room beside it" {
	printf '[taskd]\ntasks = 8\nrunning = 4\nuser-share = 50%%\n' >"$REJOIN_CONFIG_DIR/taskd.conf"
	taskd
	open_to_others
	id=$(new_id)
	for i in 0 1 2 3; do
		run -0 other_agent /1/tasks -d "$(waiting_task $((id + i)))" -w ' %{http_code}'
		out_has ' 202'
	done
	run -0 other_agent /1/tasks -d "$(waiting_task $((id + 4)))" -w ' %{http_code}'
	out_has 'tasks: uid 65534 has 4 tasks that are not released, its share of 8 (user-share = 50%)'
	out_has '"hint":"release tasks that are over: rejoin-task release --all"'
	out_has ' 429'
	wait_for '[ "$(states_of 65534)" = "recorded recorded running running" ]'
	# root, as the agent's own user, has all that is left
	for i in 5 6 7 8; do
		run -0 agent /1/tasks -d "$(waiting_task $((id + i)))" -o body -w '%{http_code}'
		out_is 202
	done
	run -0 agent /1/tasks -d "$(waiting_task $((id + 9)))" -w ' %{http_code}'
	out_has 'tasks: all users have 8 tasks that are not released, the limit'
	out_has ' 429'
	run -125 --separate-stderr rejoin-task run --detach -- true
	err_has 'taskd: tasks: all users have 8 tasks that are not released, the limit'
	err_has 'hint: release tasks that are over: rejoin-task release --all'
	wait_for '[ "$(states_of 0)" = "recorded recorded running running" ]'
	[ "$(states_of 65534)" = 'recorded recorded running running' ]
	touch go
	wait_for '[ "$(states | sort -u)" = ended ]'
	# what is released makes room
	run -0 other_agent /1/release -d '{"id":1,"history":0,"tasks":['$id']}'
	run -0 other_agent /1/tasks -d "$(waiting_task $((id + 10)))" -w ' %{http_code}'
	out_has ' 202'
}

@test "a user's output above the share refuses that user's tasks alone" {
	printf '[taskd]\nlog-total = 1M\n' >"$REJOIN_CONFIG_DIR/taskd.conf"
	taskd
	open_to_others
	id=$(new_id)
	# more than the limit of all
	other_agent /1/tasks -f -d '{"id":'"$id"',"on_loss":"leave","argv":["head","-c","2000000","/dev/zero"]}' >/dev/null
	wait_for '[ "$(states_of 65534)" = ended ]'
	sleep 1.1 # it is counted once a second
	run -0 other_agent /1/tasks -d "$(waiting_task $((id + 1)))" -w ' %{http_code}'
	out_has 'log-total: uid 65534 has 2000000 bytes of output, its share of 1048576 is 524288 (user-share = 50%)'
	out_has ' 507'
	touch go
	run -0 agent /1/tasks -d "$(waiting_task $((id + 2)))" -o body -w '%{http_code}'
	out_is 202
	run -0 other_agent /1/release -d '{"id":1,"history":0,"tasks":['"$id"']}'
	wait_for 'other_agent /1/tasks -f -o /dev/null -d "$(waiting_task $((id + 3)))"'
}

@test "a share that is none is refused" {
	for share in 0% 101% 50 % '' x% -5% '5 %'; do
		printf '[taskd]\nuser-share = %s\n' "$share" >"$REJOIN_CONFIG_DIR/taskd.conf"
		run -2 --separate-stderr rejoin-taskd --idle 1ms
		err_has "user-share: not a share from 1% to 100%: '$share'"
	done
	printf '[taskd]\nuser-share = 100%%\n' >"$REJOIN_CONFIG_DIR/taskd.conf"
	run -0 rejoin-taskd --idle 1ms
}
