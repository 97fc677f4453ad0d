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

# A client that holds what it can: connections whose requests stop before the last byte, or whose answers are not read.
write_hog() {
	cat >hog.py <<-'X'
		# hog.py SOCKET bodies|answers PATH N UID: "held", then how often each status came; answers are read when the file go is there
		import os, socket, sys, time
		os.setuid(int(sys.argv[5]))
		path, n, held, counts = sys.argv[3].encode(), int(sys.argv[4]), [], {}
		body = b'{"id":1,"x":"' + b"x" * (2 * 1024 * 1024 - 100) + b'"}'
		for _ in range(n):
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(30)
		    s.connect(sys.argv[1])
		    if sys.argv[2] == "bodies":
		        s.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path, len(body)) + body[:-1])
		    else:
		        s.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
		    held.append(s)
		print("held", flush=True)
		while sys.argv[2] == "answers" and not os.path.exists("go"): time.sleep(0.05)
		for s in held:
		    try:
		        if sys.argv[2] == "bodies": s.sendall(body[-1:])
		        got = s.recv(65536)
		    except OSError: # half a request is ended after 10 s
		        got = b""
		    word = got.split(b" ")[1].decode() if got.startswith(b"HTTP/1.1 ") else "none"
		    if word == "503" and b"Retry-After: 1" not in got: word = "503 without Retry-After"
		    counts[word] = counts.get(word, 0) + 1
		print(" ".join("%s:%d" % c for c in sorted(counts.items())), flush=True)
	X
}

# resident_kib - of the agent, at most until now
resident_kib() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$taskd_pid/status"; }

@test "bodies and answers in flight are bounded in all and for each user, and others are served meanwhile" {
	needs python3
	taskd
	open_to_others
	write_hog
	id=$(new_id)
	other_agent /1/tasks -f -d '{"id":'"$id"',"on_loss":"leave","argv":["head","-c","3000000","/dev/zero"]}' >/dev/null
	wait_for 'agent "/1/tasks/$id" | jq -e ".status"'
	for hog in "bodies /1/release 10" "answers /1/tasks/$id/out 200" "answers /1/tasks 200"; do
		for uid in 65534 65533 65532 65531; do
			# shellcheck disable=SC2086	# words
			start "hog$uid" python3 hog.py "$REJOIN_RUNTIME_DIR/taskd.sock" $hog $uid
		done
		wait_for '[ "$(cat hog6553?.out | grep -c held)" -eq 4 ]'
		run -0 rejoin-task run -- echo served
		out_is served
		[[ $B = *san ]] || [ "$(resident_kib)" -lt 65536 ]	# a sanitizer keeps what was freed
		touch go
		wait_for '[ "$(cat hog6553?.out | wc -l)" -eq 8 ]'
		rm go
		cat hog6553?.out
		# a user has 8 MiB, which is room for 4 of them at most
		[ "${hog%% *}" = answers ] || [ "$(cat hog6553?.out | grep -c '503:[0-9]')" -eq 4 ]
		run -1 grep -h 'without' hog6553?.out
	done
	# what was refused is served afterwards
	run -0 other_agent /1/release -d '{"id":1,"tasks":['"$id"']}'
	out_has '"released":['"$id"']'
}
