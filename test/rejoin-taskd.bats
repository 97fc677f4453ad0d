#!/usr/bin/env bats
# The task agent, by its protocol.
load helper
load task

teardown() {
	end_tasks
	end
}

@test "a task by curl, as the page says" {
	taskd
	id=$(new_id)
	run -0 agent /1/tasks -d '{"id":'"$id"',"on_loss":"leave","argv":["echo","Hello"]}'
	out_has '"state":"recorded"'
	run -0 agent "/1/tasks/$id/out?wait=5"
	out_is Hello
	wait_for '[ "$(states)" = ended ]'
	run -0 agent "/1/tasks/$id/out?from=6" -i
	out_has 'Rejoin-End: true'
	run -0 agent "/1/history"
	run -0 jq -r .event <<<"$output"
	out_is $'recorded\nstarted\nended'
	run -0 agent /1/release -d '{"id":1,"history":0,"tasks":['"$id"',1]}'
	out_is '{"released":['"$id"'],"refused":[{"id":1,"error":"no-task","reason":"no task 1"}]}'
	# sent again: the same answer
	run -0 agent /1/release -d '{"id":1,"history":0,"tasks":['"$id"',1,'"$((id + 1))"']}'
	run -0 jq -c '[.released, .refused[].id]' <<<"$output"
	out_is '[['"$id"'],1,'"$((id + 1))"']'
	[ ! -e "$REJOIN_STATE_DIR/tasks/$id" ]
}

@test "duplicates handled: the same request again is the same task, another one with its id is refused" {
	taskd
	id=$(new_id)
	body='{"id":'$id',"on_loss":"leave","argv":["sh","-c","echo x >>ran"],"cwd":"'$PWD'"}'
	for _ in 1 2 3; do
		run -0 agent /1/tasks -d "$body" -w '%{http_code}' -o out
		out_is 202
	done
	wait_for '[ "$(states)" = ended ]'
	kill_taskd
	taskd
	run -0 agent /1/tasks -d "$body"
	out_has '"state":"ended"'
	run -0 cat ran
	out_is x
	run -0 agent /1/tasks -d '{"id":'"$id"',"on_loss":"leave","argv":["sh"]}' -w '%{http_code}'
	out_has differs
	out_has 409
}

@test "a task whose end has left the history is not run again" {
	printf '[taskd]\nhistory-max = 1M\n' >"$REJOIN_CONFIG_DIR/taskd.conf"
	history=$REJOIN_STATE_DIR/tasks/history.jsonl
	taskd
	first=$(new_id)
	ahead=9007199254740000
	body() { echo '{"id":'"$1"',"on_loss":"leave","cwd":"'"$PWD"'","argv":["sh","-c","echo '"$1"' >>ran"]}'; }
	# finish ID - request it, and release it after its end
	finish() {
		agent /1/tasks -d "$(body "$1")" -f -o /dev/null
		wait_for "[ \"\$(agent /1/tasks/$1 | jq -r .state)\" = ended ]"
		agent /1/release -d '{"id":1,"history":9007199254740000,"tasks":['"$1"']}' | grep -q '"refused":\[\]'
	}
	finish "$first"
	finish "$ahead"
	for i in 1 2; do
		kill_taskd
		{
			printf '{"id":1,"task":1,"owner":%d,"session":0,"event":"started","time":"x","x":"' "$(id -u)"
			head -c 524200 /dev/zero | tr '\0' x
			echo '"}'
		} >>"$history"
		taskd
		last=$(new_id)
		finish "$last"
	done
	run -1 grep "\"task\":$first," "$history" "$history.1"
	# the end of the last one is still there
	for restarts in 0 1; do
		for id in "$first:other-store" "$((first - 1)):other-store" "$ahead:other-store" "$last:released"; do
			run -0 agent /1/tasks -d "$(body "${id%:*}")" -o answer -w '%{http_code}'
			out_is 410
			# the agent that dropped an end knows it until it is restarted
			[ "$restarts" = 0 ] || grep -q "\"error\":\"${id#*:}\"" answer
		done
		finish "$(new_id)"
		finish "$((ahead + 1 + restarts))"
		kill_taskd
		taskd
	done
	run -0 sh -c 'sort ran | uniq -d'
	out_is ''
	kill_taskd
	echo x >>"$history.forgotten"
	run -3 --separate-stderr rejoin-taskd
	err_has 'history.jsonl.forgotten: is damaged'
}

@test "the same id and command with another nonce is another task's" {
	taskd
	id=$(new_id)
	body() { echo '{"id":'"$id"',"on_loss":"leave","argv":["sh","-c","echo x >>ran"],"cwd":"'"$PWD"'","nonce":"'"$1"'"}'; }
	run -0 agent /1/tasks -d "$(body one)" -f
	wait_for '[ "$(states)" = ended ]'
	kill_taskd
	taskd
	run -0 agent /1/tasks -d "$(body one)" -f
	out_has '"state":"ended"'
	run -0 agent /1/tasks -d "$(body two)" -w '%{http_code}'
	out_has '"error":"taken"'
	out_has 409
	# one without a nonce is continued, as with run --id
	run -0 agent /1/tasks -d "$(body one | jq -c 'del(.nonce)')" -f
	out_has '"state":"ended"'
	run -0 cat ran
	out_is x
	for bad in '""' 5 "\"$(printf %065d 0)\"" '"a\u0000b"'; do
		run -0 agent /1/tasks -d "$(body one | jq -c ".nonce = $bad")" -o body -w '%{http_code}'
		out_is 400
	done
}

@test "bad requests are refused, each with its status" {
	taskd
	bad() {
		run -0 agent "$2" -o body -w '%{http_code}' "${@:3}"
		out_is "$1"
	}
	bad 400 /1/tasks -d '{'
	bad 400 /1/tasks -d '[]'
	bad 400 /1/tasks -d '{"argv":["true"]}'
	bad 400 /1/tasks -d '{"id":'"$(new_id)"',"argv":[]}'
	bad 400 /1/tasks -d '{"id":'"$(new_id)"',"argv":["true"]}'
	bad 400 /1/tasks -d '{"id":'"$(new_id)"',"argv":["true"],"on_loss":"maybe"}'
	bad 400 /1/tasks -d '{"id":'"$(new_id)"',"argv":["true"],"on_loss":"leave","user":"no-such-user"}'
	bad 404 /1/tasks -d '{"id":'"$(new_id)"',"argv":["true"],"session":5}'
	bad 410 /1/tasks -d '{"id":5,"argv":["true"],"on_loss":"leave"}'
	grep -q other-store body
	bad 410 /1/tasks -d '{"id":'"$(new_id)"',"argv":["true"],"on_loss":"leave","start_before":1000}'
	bad 400 /1/session -d '{"id":'"$(new_id)"',"run":1,"period_ms":3000,"lease_ms":5000}'
	bad 404 /1/beat -d '{"id":1,"session":7,"n":1,"seen":0}'
	bad 404 /1/tasks/7
	bad 404 /1/no/such/path
	bad 404 /
	bad 405 /1/tasks -X DELETE
	bad 400 '/1/history?after=x'
	bad 400 '/1/history?store=x'
	bad 400 /1/release -d '{"id":1,"history":0,"store":"x"}'
	bad 410 /1/release -d '{"id":1,"history":0,"store":5}'
	grep -q other-store body
	head -c 3000000 /dev/zero | tr '\0' x >big
	bad 413 /1/tasks --data-binary @big
	bad 403 /1/tasks -H 'Origin: http://example.org'
	[ "$(states)" = '' ]
}

@test "duplicates handled: a beat sent again renews nothing, a lower one is refused" {
	taskd
	id=$(new_id)
	now=$(agent /1/session -d '{"id":'"$id"',"controller":"c","run":1,"period_ms":1000,"lease_ms":60000}' | jq .now)
	lease() { head -1 "$REJOIN_STATE_DIR/tasks/sessions/$id.json"; }
	before=$(lease)
	run -0 agent /1/beat -d '{"id":1,"session":'"$id"',"n":1,"seen":'"$((now + 5))"'}'
	out_has '"n":1'
	after=$(lease)
	[ "$before" != "$after" ]
	run -0 agent /1/beat -d '{"id":1,"session":'"$id"',"n":1,"seen":'"$((now + 50))"'}'
	out_has '"n":1'
	[ "$(lease)" = "$after" ]
	run -0 agent /1/beat -d '{"id":1,"session":'"$id"',"n":0,"seen":0}' -o body -w '%{http_code}'
	out_is 400
	agent /1/beat -d '{"id":1,"session":'"$id"',"n":3,"seen":'"$now"'}' >/dev/null
	run -0 agent /1/beat -d '{"id":1,"session":'"$id"',"n":2,"seen":'"$now"'}' -o body -w '%{http_code}'
	out_is 409
}

@test "duplicates handled: the late request of a session that is over makes no new one" {
	taskd
	id=$(new_id)
	# couple ID RUN - the status of the request, whose answer is in body
	couple() {
		agent /1/session -o body -w '%{http_code}' \
			-d '{"id":'"$1"',"controller":"c","run":'"$2"',"period_ms":500,"lease_ms":1000}'
	}
	run -0 couple "$id" 1
	out_is 200
	wait_for '[ ! -e "$REJOIN_STATE_DIR/tasks/sessions/$id.json" ]'
	for _ in 1 2; do
		run -0 couple "$id" 1
		out_is 404
		run -0 jq -c '[.error, .above]' body
		out_is '["no-session",'"$id"']'
		run -0 couple $((id - 1)) 1
		out_is 404
		run -0 agent /1/tasks -o body -w '%{http_code}' -d '{"id":'$((id + 1))',"session":'"$id"',"argv":["touch","'"$PWD"'/ran"]}'
		out_is 404
		kill_taskd
		taskd
	done
	run -0 couple $((id + 1)) 1
	out_is 200
	# another controller, whose clock is behind
	run -0 couple $((id - 1)) 2
	out_is 200
	[ ! -e ran ]
}

@test "a controller whose clock was set back has a session that is newer than those that are over" {
	taskd
	rejoin-task run -- true
	id=$(($(new_id) + 86400000000))
	agent /1/session -f -o /dev/null -d '{"id":'"$id"',"controller":"c","run":'"$(jq .run "$REJOIN_STATE_DIR/controller/local/run")"',"period_ms":500,"lease_ms":1000}'
	wait_for '[ ! -e "$REJOIN_STATE_DIR/tasks/sessions/$id.json" ]'
	run -0 rejoin-task run -- echo Hello
	out_is Hello
}

@test "running tasks reported: after a restart of the agent, to a controller that couples; completed ones truly" {
	taskd
	id=$(new_id)
	for i in 0 1 2; do
		agent /1/tasks -d '{"id":'"$((id + i))"',"on_loss":"leave","cwd":"'"$PWD"'","argv":["sh","-c","while [ ! -e go'"$i"' ]; do sleep 0.05; done; echo '"$i"'; exit '"$i"'"]}' >/dev/null
	done
	wait_for '[ "$(states | sort -u)" = running ]'
	kill_taskd
	touch go0
	wait_for '[ -e "$REJOIN_STATE_DIR/tasks/$id/status" ]'
	kill -KILL "$(jq .shim "$REJOIN_STATE_DIR/tasks/$((id + 2))/started")"
	taskd
	wait_for 'states | grep -q unknown'
	run -0 agent /1/session -d '{"id":'"$((id + 9))"',"controller":"c","run":1,"period_ms":1000,"on_loss":"leave"}'
	run -0 jq -c '[.tasks[] | .id - '"$id"', .state]' <<<"$output"
	out_is '[0,"ended",1,"running",2,"unknown"]'
	touch go1
	wait_for '! states | grep -q running'
	run -0 states
	out_is $'ended\nended\nunknown'
	run -0 sh -c 'rejoin-task list --json | jq -c .status.exit'
	out_is $'0\n1\nnull'
	run -0 agent /1/history
	# those that ended without an agent are recorded in any order
	[ "$(jq -r 'select(.event != "recorded" and .event != "started") | .event' <<<"$output" | sort | xargs)" = 'ended ended unknown' ]
}

@test "it exits when idle, and the next one finds everything" {
	start taskd rejoin-taskd --idle 300ms
	wait_for 'rejoin-task list 2>/dev/null'
	id=$(rejoin-task run --detach -- sh -c 'sleep 2; echo late')
	wait_for '! alive "$taskd_pid"'
	wait "$taskd_pid"
	[ ! -e "$REJOIN_RUNTIME_DIR/taskd.sock" ]
	taskd
	run -0 rejoin-task attach "$id"
	out_is late
}

@test "a socket that was passed is served" {
	needs systemd-socket-activate
	start taskd systemd-socket-activate -E REJOIN_STATE_DIR -E REJOIN_RUNTIME_DIR -E REJOIN_CONFIG_DIR -E PATH \
		-l "$PWD/passed.sock" rejoin-taskd --idle 0s
	wait_for '[ -S passed.sock ]'
	run rejoin-task "unix:$PWD/passed.sock" run -- echo passed
	status_is 0
	out_is passed
}

@test "a full disk: refused, not acknowledged and lost" {
	needs_root
	mkdir disk
	mount -t tmpfs -o size=1m tmpfs disk || cannot 'nothing can be mounted here'
	export REJOIN_STATE_DIR=$PWD/disk
	taskd
	cat /dev/zero >disk/fill 2>/dev/null || :
	run -0 agent /1/tasks -d '{"id":'"$(new_id)"',"on_loss":"leave","argv":["true"]}' -o body -w '%{http_code}'
	out_is 507
	[ "$(states)" = '' ]
	rm disk/fill
	run -0 agent /1/tasks -d '{"id":'"$(new_id)"',"on_loss":"leave","argv":["true"]}' -o body -w '%{http_code}'
	out_is 202
	wait_for '[ "$(states)" = ended ]'
	end_pids "$taskd_pid"
	umount disk
}

@test "limits: tasks, and how many run at a time" {
	printf '[taskd]\ntasks = 3\nrunning = 2\n' >"$REJOIN_CONFIG_DIR/taskd.conf"
	taskd
	id=$(new_id)
	for i in 0 1 2; do
		agent /1/tasks -d '{"id":'"$((id + i))"',"on_loss":"leave","cwd":"'"$PWD"'","argv":["sh","-c","while [ ! -e go ]; do sleep 0.05; done"]}' >/dev/null
	done
	run -0 agent /1/tasks -d '{"id":'"$((id + 3))"',"on_loss":"leave","argv":["true"]}' -o body -w '%{http_code}'
	out_is 429
	wait_for '[ "$(states | sort | tr "\n" " ")" = "recorded running running " ]'
	touch go
	wait_for '[ "$(states | sort -u)" = ended ]'
}

@test "sessions without a task make room for new ones, those of a task do not" {
	taskd
	first=$(new_id)
	session() { echo '{"id":'"$1"',"controller":"test","run":1,"period_ms":1000,"lease_ms":3600000,"on_loss":"kill"}'; }
	beat() { agent /1/beat -o /dev/null -w '%{http_code}' -d '{"id":1,"session":'"$1"',"n":1,"seen":0}'; }
	agent /1/session -f -o /dev/null -d "$(session "$first")"
	agent /1/tasks -f -o /dev/null -d '{"id":'"$first"',"session":'"$first"',"argv":["sleep","60"]}'
	for i in $(seq 300); do
		echo next
		printf 'unix-socket = "%s"\nurl = "http://localhost/1/session"\noutput = /dev/null\n' "$REJOIN_RUNTIME_DIR/taskd.sock"
		printf 'write-out = "%%{http_code}\\n"\ndata = "%s"\n' "$(session $((first + i)))"
	done | sed '1d; /^data = /{s/"/\\"/g; s/^data = \\"/data = "/; s/\\"$/"/;}' >many
	run -0 bash -c 'curl -s -K many | sort | uniq -c'
	[[ $output =~ ^\ *300\ 200$ ]]
	run -0 bash -c 'ls "$REJOIN_STATE_DIR/tasks/sessions" | wc -l'
	out_is 256
	run -0 beat "$first"
	out_is 200
	run -0 beat $((first + 1))
	out_is 404
	run -0 beat $((first + 300))
	out_is 200
}

@test "another user sees nothing of it, and runs as himself" {
	needs_root
	needs setpriv
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/.." "$BATS_TEST_TMPDIR/../.." 2>/dev/null || :
	mkdir -m 755 other
	chmod 755 "$REJOIN_RUNTIME_DIR" "$REJOIN_RUNTIME_DIR/.."
	taskd
	chmod 666 "$REJOIN_RUNTIME_DIR/taskd.sock"
	setpriv --reuid 65534 --clear-groups test -w "$REJOIN_RUNTIME_DIR/taskd.sock" ||
		cannot 'the directory of the tests is not open to others'
	id=$(rejoin-task run --detach -- sleep 60)
	as() { setpriv --reuid 65534 --regid 65534 --clear-groups curl -s --unix-socket "$REJOIN_RUNTIME_DIR/taskd.sock" "$@"; }
	run -0 as http://localhost/1/tasks
	out_is '{"tasks":[]}'
	run -0 as "http://localhost/1/tasks/$id/kill" -d '{"id":1}' -w ' %{http_code}'
	out_has ' 404'
	run -0 as http://localhost/1/tasks -d '{"id":'"$(new_id)"',"on_loss":"leave","argv":["id"],"user":"root"}' -w ' %{http_code}'
	out_has ' 403'
	mine=$(new_id)
	as http://localhost/1/tasks -d '{"id":'"$mine"',"on_loss":"leave","argv":["id","-u"]}' >/dev/null
	run -0 as "http://localhost/1/tasks/$mine/out?wait=5"
	out_is 65534
	rejoin-task kill "$id"
}

@test "slow and half-closed requests hold nothing up" {
	taskd
	# a connection that never asks, and one that asks byte by byte
	exec 8<>/dev/null
	start silent sh -c "curl -s --unix-socket '$REJOIN_RUNTIME_DIR/taskd.sock' -T - http://localhost/1/tasks <&8; :"
	start half bash -c "printf 'POST /1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{' | rejoin-taskd --dial"
	run -0 rejoin-task run -- echo served
	out_is served
	exec 8>&-
}

@test "half a request is closed after 10 s, an idle connection that had one is kept" {
	needs python3
	taskd
	cat >halves.py <<-'X'
		import socket, sys, time
		def connect(sent):
		    s = socket.socket(socket.AF_UNIX)
		    s.connect(sys.argv[1])
		    s.sendall(sent)
		    return s
		def answer(s):
		    s.settimeout(20)
		    got = b""
		    while b'{"tasks":[]}' not in got: got += s.recv(4096)
		ask = b"GET /1/tasks HTTP/1.1\r\nHost: x\r\n"
		idle = connect(ask + b"\r\n")
		answer(idle)
		began = time.monotonic()
		halves = [connect(b) for b in (b"", b"G", b"GET /1/ta", ask, ask + b"X: ", b"POST" + ask[3:] + b"Content-Length: 9\r\n\r\n{")]
		for part in (b"G", b"GET /1/ta", ask + b"X:"):	# also behind an answer
		    s = connect(ask + b"\r\n")
		    answer(s)
		    s.sendall(part)
		    halves.append(s)
		for s in halves:
		    s.settimeout(max(0.1, began + 18 - time.monotonic()))
		    while s.recv(4096): pass	# what is said before the end is no matter
		    if time.monotonic() - began < 9: print("closed early")
		idle.sendall(ask + b"\r\n")
		answer(idle)
	X
	run -0 python3 halves.py "$REJOIN_RUNTIME_DIR/taskd.sock"
	out_is ''
}

@test "--dial copies between its stdin and stdout and the socket" {
	run -5 --separate-stderr rejoin-taskd --dial </dev/null
	status_is 5
	taskd
	run -0 bash -c "printf 'GET /1/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | rejoin-taskd --dial"
	out_has '{"tasks":[]}'
	run -2 --separate-stderr rejoin-taskd --dial --socket x
	status_is 2
}

@test "one agent a directory, and none where others can write" {
	taskd
	run -6 --separate-stderr rejoin-taskd
	status_is 6
	run -6 --separate-stderr rejoin-taskd --socket "$PWD/other.sock"
	err_has 'another rejoin-taskd serves it'
	# the one that is refused takes no socket away
	[ ! -e other.sock ]
	run -0 rejoin-task list
	REJOIN_STATE_DIR=$PWD/other run -6 --separate-stderr rejoin-taskd
	err_has 'another rejoin-taskd listens there'
	run -0 rejoin-task list
	end_pids "$taskd_pid"
	[ ! -e "$REJOIN_RUNTIME_DIR/taskd.sock" ]
	run rejoin-task list
	status_is 5
	chmod 777 "$REJOIN_STATE_DIR/tasks"
	run -7 --separate-stderr rejoin-taskd
	status_is 7
	chmod 700 "$REJOIN_STATE_DIR/tasks"
	# a link is not followed, wherever it leads, and whatever is there
	mv "$REJOIN_STATE_DIR/tasks" "$REJOIN_STATE_DIR/moved"
	for to in moved "$PWD/made" /nowhere tasks; do
		ln -sfn "$to" "$REJOIN_STATE_DIR/tasks"
		run -7 --separate-stderr rejoin-taskd
		err_has 'tasks: is a symbolic link'
		err_has 'hint: '
		[ ! -e made ]
	done
	rm "$REJOIN_STATE_DIR/tasks"
	# the parts of it: sessions and a task
	mkdir -m 700 "$REJOIN_STATE_DIR/tasks"
	ln -s "$REJOIN_STATE_DIR/moved/sessions" "$REJOIN_STATE_DIR/tasks/sessions"
	run -7 --separate-stderr rejoin-taskd
	err_has 'sessions: '
	rm -r "$REJOIN_STATE_DIR/tasks"
	mv "$REJOIN_STATE_DIR/moved" "$REJOIN_STATE_DIR/tasks"
	printf '[taskd]\ntask = 3\n' >"$REJOIN_CONFIG_DIR/taskd.conf"
	run -2 --separate-stderr rejoin-taskd
	status_is 2
	rm "$REJOIN_CONFIG_DIR/taskd.conf"
	rm -r "$REJOIN_STATE_DIR/tasks"
	touch "$REJOIN_STATE_DIR/tasks"
	run -3 --separate-stderr rejoin-taskd
	status_is 3
}

@test "a file that is no socket is not removed to make room for one" {
	echo precious >file
	ln -s file link
	mkdir directory
	for path in file link directory; do
		run -3 --separate-stderr rejoin-taskd --socket "$PWD/$path"
		err_has "$path: is there, and is not a socket"
	done
	run -0 cat link
	out_is precious
}

@test "a socket has a path, and so a mode" {
	run -2 --separate-stderr rejoin-taskd --socket ''
	err_has "a socket's path is empty"
}

@test "stopped by a signal it ends with 0, and its tasks go on" {
	taskd
	id=$(rejoin-task run --detach -- sh -c 'while [ ! -e go ]; do sleep 0.05; done')
	wait_for 'jq -e .pid "$REJOIN_STATE_DIR/tasks/$id/started" >/dev/null 2>&1'
	kill "$taskd_pid"
	wait "$taskd_pid"
	alive "$(jq .pid "$REJOIN_STATE_DIR/tasks/$id/started")"
}

@test "stopped while requests wait, and others follow them, it ends with 0" {
	taskd
	id=$(rejoin-task run --detach -- sleep 60)
	for path in "/1/tasks/$id/out?from=0&wait=30" '/1/output?session=5&wait=30' '/1/history?after=9007199254740000&wait=30'; do
		# two on each connection: the second one is read when the first one has its answer
		printf 'GET %s HTTP/1.1\r\nHost: x\r\n\r\n' "$path" "$path" >requests
		start client bash -c "(cat requests; exec sleep 60) | rejoin-taskd --dial"
		clients+=("$client_pid")
	done
	sleep 0.5 # they are waited for
	kill -TERM "$taskd_pid"
	wait "$taskd_pid" || status=$?
	[ "${status:-0}" -eq 0 ] || cat taskd.err
	[ "${status:-0}" -eq 0 ]
	[ "$(grep -c 'HTTP/1.1 503' client.out)" -ge 1 ]
	taskd
	[ "$(states)" = running ]
}

@test "a task recorded before a crash has its lease from its request" {
	printf '[taskd]\nrunning = 1\n' >"$REJOIN_CONFIG_DIR/taskd.conf"
	taskd
	id=$(new_id)
	agent /1/tasks -d '{"id":'"$id"',"on_loss":"leave","cwd":"'"$PWD"'","argv":["sh","-c","while [ ! -e go ]; do sleep 0.05; done"]}' >/dev/null
	wait_for '[ "$(states)" = running ]'
	session=$(agent /1/session -d '{"id":'"$((id + 1))"',"controller":"c","run":1,"period_ms":5000,"lease_ms":60000,"on_loss":"kill"}' | jq .session)
	for i in 2 3; do
		agent /1/tasks -d '{"id":'"$((id + i))"',"session":'"$session"',"argv":["true"]}' >/dev/null
	done
	wait_for '[ "$(states | sort | tr "\n" " ")" = "recorded recorded running " ]'
	kill_taskd
	# the crash came before this file, and before its first byte
	rm "$REJOIN_STATE_DIR/tasks/$((id + 2))/lease"
	: >"$REJOIN_STATE_DIR/tasks/$((id + 3))/lease"
	taskd
	touch go
	wait_for '! states | grep -q "recorded\|running"'
	run -0 states
	out_is $'ended\nended\nended'
}

@test "a hostile user reaches no session, lease, record, output or history of another one" {
	needs_root
	needs setpriv
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/.." "$BATS_TEST_TMPDIR/../.." 2>/dev/null || :
	chmod 755 "$REJOIN_RUNTIME_DIR" "$REJOIN_RUNTIME_DIR/.."
	taskd
	chmod 666 "$REJOIN_RUNTIME_DIR/taskd.sock"
	other() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
	other test -w "$REJOIN_RUNTIME_DIR/taskd.sock" || cannot 'the directory of the tests is not open to others'
	# as AGENT - its status, and the body in the file body
	as() { other curl -s --unix-socket "$REJOIN_RUNTIME_DIR/taskd.sock" "http://localhost$1" "${@:2}" -w ' %{http_code}'; }
	id=$(new_id)
	now=$(agent /1/session -d '{"id":'"$id"',"controller":"c","run":1,"period_ms":1000,"lease_ms":60000}' | jq .now)
	task=$((id + 1))
	agent /1/tasks -d '{"id":'$task',"session":'"$id"',"argv":["sh","-c","echo secret; sleep 60"]}' >/dev/null
	wait_for '[ "$(states)" = running ]'
	lease=$(head -1 "$REJOIN_STATE_DIR/tasks/sessions/$id.json")
	run -0 as /1/beat -d '{"id":1,"session":'"$id"',"n":1,"seen":'"$((now + 5000))"'}'
	out_has ' 404'
	run -0 as /1/session -d '{"id":'"$id"',"controller":"c","run":1,"period_ms":1000,"lease_ms":60000}'
	out_has ' 409'
	[ "$(head -1 "$REJOIN_STATE_DIR/tasks/sessions/$id.json")" = "$lease" ]
	for what in 'kill {"id":1}' 'policy {"id":1,"on_loss":"leave"}' 'adopt {"id":1,"session":'"$id"'}'; do
		run -0 as "/1/tasks/$task/${what%% *}" -d "${what#* }"
		out_has ' 404'
	done
	for path in "/1/tasks/$task" "/1/tasks/$task/out" "/1/tasks/$task/output"; do
		run -0 as "$path"
		out_has ' 404'
	done
	run -0 as "/1/output?session=$id"
	out_is $'0 cursor 0 0\n 200'
	run -0 as /1/history
	out_is ' 200'
	run -0 as /1/release -d '{"id":1,"history":0,"tasks":['$task']}'
	out_has '"released":[],"refused":[{"id":'$task',"error":"no-task"'
	run -0 as /1/tasks -d '{"id":'$((task + 1))',"on_loss":"leave","new_privileges":true,"argv":["true"]}'
	out_has 'only root may submit a task with new_privileges'
	out_has ' 403'
	# what the agent was started with is not his: neither its environment nor what root may raise
	run -0 as /1/tasks -d '{"id":'$((task + 2))',"on_loss":"leave","argv":["env"]}'
	out_has ' 202'
	wait_for '[ "$(agent "/1/tasks/$((task + 2))" | jq -r .state)" = ended ]'
	run -0 as "/1/tasks/$((task + 2))/out"
	out_has REJOIN_RUN=
	[[ $output != *REJOIN_STATE_DIR=* ]]
	run -0 as /1/tasks -d '{"id":'$((task + 3))',"on_loss":"leave","argv":["env"],"environment":"inherit","stdio":"inherit","stop":"leader",
	    "stdin":"/etc/shadow","program":{"path":"/bin/false"},"cgroup":"none","lease":false}'
	out_has ' 202'
	wait_for '[ "$(agent "/1/tasks/$((task + 3))" | jq -r .state)" = ended ]'
	run -0 as "/1/tasks/$((task + 3))/out"
	out_has REJOIN_RUN=
	[[ $output != *REJOIN_STATE_DIR=* ]]
	for limit in nice memlock nofile rtprio; do
		run -0 as /1/tasks -d '{"id":'$((task + 4))',"on_loss":"leave","argv":["true"],"limits":{"'$limit'":1099511627776}}'
		out_has "higher limit than the agent's own"
		out_has ' 403'
	done
	# an id of another one is not his, and one that he makes up moves no clock of the agent
	run -0 as /1/tasks -d '{"id":'$task',"on_loss":"leave","argv":["true"]}'
	out_has ' 404'
	run -0 as /1/tasks -d '{"id":9007199254740991,"on_loss":"leave","argv":["true"]}'
	out_has ' 202'
	run -0 rejoin-task run -- true
	run -0 sh -c "agent() { curl -s --unix-socket '$REJOIN_RUNTIME_DIR/taskd.sock' http://localhost/1/history; }; agent | jq -s 'map(.id) | max < $(($(new_id) + 60000000))'"
	out_is true
	for file in tasks "tasks/$task/out.00000000000000000000" tasks/history.jsonl "tasks/sessions/$id.json"; do
		! other cat "$REJOIN_STATE_DIR/$file" 2>/dev/null
	done
	[ "$(rejoin-task list --json | jq -r "select(.id == $task).state")" = running ]
}

@test "oversized and malformed requests, and too many connections, are bounded" {
	needs python3
	taskd
	run -0 agent /1/tasks -H "X-Long: $(head -c 20000 /dev/zero | tr '\0' x)" -o body -w '%{http_code}'
	[[ $output == 4* ]]
	run -0 agent "/1/output?session=1&after=$(head -c 20000 /dev/zero | tr '\0' 1)" -o body -w '%{http_code}'
	[[ $output == 4* ]]
	run -0 agent "/1/output?session=1&after=!" -o body -w '%{http_code}'
	out_is 400
	cat >many.py <<-'X'
		import os, socket, sys, time
		def connect():
		    s = socket.socket(socket.AF_UNIX)
		    s.connect(sys.argv[1])
		    return s
		s = connect()
		s.sendall(b"\0\1\2 nonsense\r\n\r\n")
		held = [connect() for _ in range(300)]
		for s in held: s.setblocking(False)
		def is_closed(s):
		    try: return s.recv(1) == b""
		    except BlockingIOError: return False
		# before the 10 s are over, after which those that ask nothing are closed, too
		closed, begun = 0, time.monotonic()
		while closed < 44 and time.monotonic() - begun < 8: closed = sum(map(is_closed, held))
		print(closed >= 44, closed < 100)
	X
	run -0 python3 many.py "$REJOIN_RUNTIME_DIR/taskd.sock"
	out_is 'True True'
	wait_for 'rejoin-task run -- true'
}

# bats test_tags=plain
@test "killed before any call that changes something: a task is recorded or not, runs once, and is released" {
	needs_strace
	export KILLWALK_MAX=12
	driver() {
		wait_for '[ -e over ] || agent /1/tasks -d "$body" -o /dev/null -f' || return 0
		[ ! -e over ] || return 0
		agent "/1/tasks/$id/out?wait=2" >/dev/null
		wait_for "agent /1/tasks/$id | jq -e '.status' >/dev/null" 2 >/dev/null || return 0
		agent /1/release -d '{"id":1,"history":0,"tasks":['"$id"']}' >/dev/null
	}
	# the agent of a round, under strace, while the driver talks to it
	before() {
		rm -rf "${REJOIN_STATE_DIR:?}"/* ran over
		mkdir -p "$REJOIN_STATE_DIR"
		id=$(($(new_id) + 60000000))
		body='{"id":'$id',"on_loss":"leave","cwd":"'$PWD'","stdin_b64":"eA==","argv":["sh","-c","echo x >>ran; exit 7"]}'
		driver >/dev/null 2>&1 3>&- &
		driver_pid=$!
	}
	# a shim that was killed may have run it once, one that ended has; a task that was killed itself says so
	after() {
		local end fate=released
		touch over
		wait "$driver_pid" || :
		taskd
		end=$(agent /1/tasks -d "$body" | jq -r '.state // .error')
		[ "$end" = released ] || {
			wait_for "agent /1/tasks/$id | jq -e '.state | . != \"recorded\" and . != \"running\"' >/dev/null" || return
			fate=$(agent "/1/tasks/$id" | jq -r '.status.exit // .status.signal // .state')
			agent /1/release -d '{"id":1,"history":0,"tasks":['"$id"']}' | grep -q '"released":\['"$id" || return
		}
		[ "$(agent /1/tasks -d "$body" | jq -r .error)" = released ] || return
		end_pids "$taskd_pid"
		! ls -d "$REJOIN_STATE_DIR"/tasks/[0-9.]*[0-9] 2>/dev/null || return
		case $fate in
		7) [ "$(cat ran | wc -l)" -eq 1 ] ;;
		failed) [ ! -e ran ] ;;
		released | unknown | 9) [ "$(cat ran 2>/dev/null | wc -l)" -le 1 ] ;;
		*) return 1 ;;
		esac
	}
	export -f driver before after agent taskd new_id wait_for start alive end_pids
	export BATS_TEST_TMPDIR
	# also the thread that writes, and with it the shims: the agent and a shim may die of the same walk
	run -0 "$TOP/test/fault/killwalk.sh" mkdir,openat,write,fsync,fdatasync,rename,renameat,pwrite64,unlink,unlinkat \
		'PIDS=(); before' 'rejoin-taskd --idle 400ms' after
	echo "$output"
}
