#!/usr/bin/env bats
# The controller's side of tasks, as a user sees it.
load helper
load task

teardown() {
	end_tasks
	end
}

@test "it behaves like the command" {
	taskd
	run -3 --separate-stderr rejoin-task run -- sh -c 'echo out; echo err >&2; exit 3'
	out_is out
	[ "$stderr" = err ]
	run -0 rejoin-task run -i -- tr a-z A-Z <<<'from stdin'
	out_is 'FROM STDIN'
	run -0 rejoin-task run -e A=b -e C -- sh -c 'echo "$A $C $HOME"'
	out_is 'b  '
	run -137 rejoin-task run -- sh -c 'kill -9 $$'
	run -127 --separate-stderr rejoin-task run -- /no/such/program
	status_is 127
	err_has 'could not be executed: No such file'
	run -126 rejoin-task run -- /
	status_is 126
	# nothing is left at the agent
	run -0 rejoin-task list
	out_is ''
	run -0 ls "$REJOIN_STATE_DIR/controller/local/tasks"
	out_is ''
}

@test "each byte once, also of binary output and of a last line without its newline" {
	taskd
	head -c 12345678 /dev/urandom >data
	run -0 sh -c "rejoin-task run -- cat $PWD/data >copy"
	cmp data copy
	run -0 rejoin-task run -- printf 'no newline'
	out_is 'no newline'
}

@test "two missed heartbeats: an agent that is killed and comes back loses nothing, and it is said once" {
	taskd
	start task rejoin-task run --period 300ms --lease 8s -- sh -c 'for i in $(seq 40); do echo $i; sleep 0.05; done; exit 9'
	wait_for 'grep -q 5 task.out'
	kill_taskd
	wait_for 'grep -q "no answer to two heartbeats" task.err'
	taskd
	wait_for '! alive "$task_pid"' 20
	run -9 wait "$task_pid" || status=$?
	seq 40 | cmp - task.out
	run -0 grep -c . task.err
	out_is 2
	grep -q 'reconnected after' task.err
	run -0 rejoin-task list
	out_is ''
}

@test "what follows a log or the history waits for an agent that comes back" {
	taskd
	id=$(rejoin-task run --detach -- sh -c "for i in \$(seq 50); do echo \$i; done; while [ ! -e $PWD/go ]; do sleep 0.05; done; echo end")
	start log rejoin-task log -f "$id"
	start out rejoin-task --json log -f --from 0 "$id"
	start history rejoin-task history -f
	wait_for '[ "$(cat log.out out.out | grep -c 50)" = 2 ] && grep -q started history.out'
	kill_taskd
	wait_for 'grep -q "no answer; waiting" log.err && grep -q suspect out.err && grep -q "no answer" history.err'
	taskd
	touch go
	wait_for '! alive "$log_pid" && ! alive "$out_pid"' 20
	wait "$log_pid"
	wait "$out_pid"
	(seq 50; echo end) | tee >(cmp - log.out >&2) | cmp - out.out
	grep -q reconnected log.err
	wait_for 'grep -q ended history.out' 20
	run -0 jq -r .event history.out
	out_is $'recorded\nstarted\nended'
	# one that never answered is not waited for
	end_pids "$taskd_pid"
	run -5 rejoin-task log -f "$id"
}

@test "unrecoverable means killed: lost, when the task cannot be alive any more" {
	taskd
	start task rejoin-task run --period 250ms --lease 1s -- sh -c 'echo $$ >pid; mv pid pid.task; exec sleep 60'
	wait_for 'pid=$(jq .pid "$REJOIN_STATE_DIR"/tasks/*/started 2>/dev/null)'
	kill_taskd
	wait_for '! alive "$pid"'
	alive "$task_pid"
	wait_for '! alive "$task_pid"' 20
	wait "$task_pid" || status=$?
	status_is 124
	grep -q 'lost; no process of its tasks' task.err
	# the agent knows how it ended
	taskd
	run -0 rejoin-task list --json
	run -0 jq -c '[.state, .status.why]' <<<"$output"
	out_is '["killed","lease"]'
}

@test "local log files: with --on-loss leave a task writes them without the agent, and they are fetched when it is back" {
	taskd
	start task rejoin-task run --on-loss leave --period 200ms -- sh -c "echo one; while [ ! -e $PWD/go ]; do sleep 0.05; done; echo two; exit 4"
	wait_for 'grep -q one task.out'
	kill_taskd
	wait_for 'grep -q "no answer" task.err'
	touch go
	wait_for '[ -e "$(echo "$REJOIN_STATE_DIR"/tasks/*/status)" ]'
	run -0 cat "$REJOIN_STATE_DIR"/tasks/*/out.*
	out_is $'one\ntwo'
	run -0 cat task.out
	out_is one
	taskd
	wait_for '! alive "$task_pid"' 20
	wait "$task_pid" || status=$?
	[ "$status" -eq 4 ]
	run -0 cat task.out
	out_is $'one\ntwo'
}

@test "a controller that is killed: another one takes up its session, and the task is not run again" {
	taskd
	id=$(($(new_id) + 5000000))
	start one rejoin-task run --id "$id" --period 300ms --lease 5s -- sh -c "echo x >>$PWD/ran; echo begun; while [ ! -e $PWD/go ]; do sleep 0.05; done; exit 6"
	wait_for 'grep -q begun one.out'
	kill -KILL "$one_pid"
	start two rejoin-task run --id "$id" --period 300ms --lease 5s -- sh -c "echo x >>$PWD/ran; echo begun; while [ ! -e $PWD/go ]; do sleep 0.05; done; exit 6"
	wait_for 'grep -q begun two.out'
	touch go
	wait_for '! alive "$two_pid"'
	wait "$two_pid" || status=$?
	status_is 6
	run -0 cat ran
	out_is x
	# it is never run again
	run -125 --separate-stderr rejoin-task run --id "$id" -- true
	status_is 125
	err_has 'has run, and was released'
}

# two_stores - two agents with a store each, behind the one target "task", which is now the first one
two_stores() {
	for i in 1 2; do
		REJOIN_STATE_DIR=$PWD/s$i start "agent$i" rejoin-taskd --idle 0s --socket "$PWD/$i.sock"
		wait_for "rejoin-task 'unix:$PWD/$i.sock' list >/dev/null 2>&1"
	done
	ln -s 1.sock t.sock
}

# task ARGUMENT... - of the agent that t.sock names
task() { rejoin-task "unix:$PWD/t.sock" "$@"; }

# events ID - those of the task in the local history, on one line
events() { task history --format jsonl | jq -r "select(.task == $1).event" | paste -sd' '; }

@test "history adopted: of each store that a target has had, each record once" {
	two_stores
	one=$(task run --detach -- sh -c 'exit 3')
	wait_for '[ "$(task list --json | jq -r .state)" = ended ]'
	ln -sfn 2.sock t.sock
	task run -- true
	two=$(task history --format jsonl | jq -r 'select(.event == "ended").task')
	task run --detach -- true
	ln -sfn 1.sock t.sock
	task release --all
	run -0 events "$one"
	out_is 'recorded started ended released'
	ln -sfn 2.sock t.sock
	run -0 events "$two"
	out_is 'recorded started ended released'
	# in a batch, and by a run that ends
	ln -sfn 1.sock t.sock
	echo '{"argv":["true"]}' | task run --lines >lines
	ln -sfn 2.sock t.sock
	task run -- true
	wait_for '[ "$(task list --json | jq -r .state)" = ended ]'
	task release --all
	task history --format jsonl >all
	ln -sfn 1.sock t.sock
	task history --format jsonl >all
	run -0 jq -rs 'group_by(.task) | map(map(.event) | join(" ")) | unique[]' all
	out_is 'recorded started ended released'
	run -0 jq -s 'map(.task) | unique | length' all
	out_is 5
	run -0 sh -c 'sort all | uniq -d'
	out_is ''
}

@test "history adopted: with the mark of an older version, none twice and none left out" {
	two_stores
	task run -- true
	one=$(task run --detach -- true)
	wait_for '[ "$(task list --json | jq -r .state)" = ended ]'
	ln -sfn 2.sock t.sock
	task run -- true
	task history --format jsonl >before
	mark=$(ls "$REJOIN_STATE_DIR"/controller/*/adopted)
	jq -c '{history, bytes}' "$mark" >old
	cp old "$mark"
	task history --format jsonl >after
	cmp before after
	cp old "$mark"
	ln -sfn 1.sock t.sock
	task release --all
	run -0 events "$one"
	out_is 'recorded started ended released'
	run -0 sh -c "rejoin-task 'unix:$PWD/t.sock' history --format jsonl | sort | uniq -d"
	out_is ''
	# from one that is damaged nothing is released
	one=$(task run --detach -- true)
	wait_for '[ "$(task list --json | jq -r .state)" = ended ]'
	echo '{' >"$mark"
	run -3 task release --all
	run -0 task list --json
	run -0 jq .id <<<"$output"
	out_is "$one"
}

@test "history adopted: each record once, after detach, list, log, attach and release" {
	taskd
	id=$(rejoin-task run --detach -- sh -c 'echo one; echo two >&2; exit 5')
	wait_for '[ "$(states)" = ended ]'
	run -0 rejoin-task list --format table
	out_is "$id  ended  5  sh -c echo one; echo two >&2; exit 5"
	run -0 --separate-stderr rejoin-task log "$id"
	out_is one
	[ "$stderr" = two ]
	run -0 rejoin-task log --from 2 "$id"
	out_is e
	run -1 rejoin-task log 17
	status_is 1
	run -5 --separate-stderr rejoin-task attach --keep "$id"
	out_is one
	run -0 rejoin-task attach "$id" || [ "$status" -eq 5 ]
	run -0 rejoin-task list
	out_is ''
	run -0 sh -c "rejoin-task history | jq -r 'select(.task == $id).event'"
	out_is $'recorded\nstarted\nended\nreleased'
	# each record once, however often it is asked for
	run -0 sh -c "rejoin-task history | jq .id | sort | uniq -d"
	out_is ''
	id=$(rejoin-task run --detach -- sleep 60)
	run -6 --separate-stderr rejoin-task release "$id" 17
	err_has 'no task 17'
	status_is 6
	err_has 'is not over'
	rejoin-task kill "$id"
	wait_for '[ "$(states)" = killed ]'
	run -0 rejoin-task release --all
	# again: it was released before
	run -0 rejoin-task release "$id"
	run -1 --separate-stderr rejoin-task release "$id" 17
	err_has 'no task 17'
	run -0 rejoin-task list
	out_is ''
}

@test "an id that another controller has is not its task: another one is chosen" {
	taskd
	rejoin-task run -- true
	ids=$(echo "$REJOIN_STATE_DIR"/controller/*/ids)
	next=$(($(new_id) + 600000000))
	# the next two ids of this controller, session and task, and one after them: all given by others
	for i in 0 1 2; do
		agent /1/session -d '{"id":'"$((next + i))"',"controller":"c","run":1,"period_ms":1000,"lease_ms":60000}' -f -o /dev/null
		agent /1/tasks -d '{"id":'"$((next + 3 + i))"',"on_loss":"leave","argv":["echo","mine"],"nonce":"other"}' -f -o /dev/null
	done
	printf '%020d\n' "$((next - 1))" >"$ids"
	run -0 --separate-stderr rejoin-task run -v -- echo mine
	out_is mine
	err_has "task $((next + 4)): submitting"
	err_has "task $((next + 6)): submitting"
	echo '{"argv":["echo","mine"]}' >lines
	printf '%020d\n' "$((next - 1))" >"$ids"
	run -0 --separate-stderr rejoin-task run --lines <lines
	out_has '"text":"mine\n"'
	run -0 sh -c 'rejoin-task history | jq -s "map(select(.event == \"ended\")) | length"'
	out_is 6
}

@test "a reader that goes away ends the task by SIGPIPE, as it would a command" {
	taskd
	run -0 --separate-stderr bash -c 'timeout 60 rejoin-task run -- yes | head -1; echo "${PIPESTATUS[0]}"'
	out_is $'y\n141'
	run -0 bash -c 'for i in 1 2 3; do echo "{\"argv\":[\"yes\"]}"; done | timeout 60 rejoin-task run --lines | head -1 | jq -r .event'
	out_is submitting
	wait_for '[ "$(states | grep -c running)" = 0 ]'
	run -0 sh -c 'rejoin-task history | jq -c "select(.event == \"killed\") | .status.signal" | sort -u'
	out_is 13
}

@test "output that cannot be written is no success, and stays at the agent" {
	taskd
	run -125 --separate-stderr bash -c 'timeout 60 rejoin-task run -- seq 100000 >/dev/full'
	err_has 'its output cannot be written: No space left on device'
	id=$(rejoin-task list --json | jq .id)
	run -0 bash -c "rejoin-task log $id | md5sum"
	out_is "$(seq 100000 | md5sum)"
	echo '{"argv":["true"]}' >lines
	run -125 --separate-stderr bash -c 'timeout 60 rejoin-task run --lines <lines >/dev/full'
	err_has 'standard output: No space left on device'
	[ "$(states)" = $'ended\nended' ]
}

@test "a task that is over is fetched whatever session it had" {
	taskd
	run -0 rejoin-task run --keep -- sh -c 'echo here'
	id=$(rejoin-task list --json | jq .id)
	rm "$REJOIN_STATE_DIR"/controller/*/tasks/*
	run -0 rejoin-task run --id "$id" --keep -- sh -c 'echo here'
	out_is here
	rm "$REJOIN_STATE_DIR"/controller/*/tasks/*
	run -0 rejoin-task attach "$id"
	out_is here
}

@test "signals go to the task" {
	taskd
	start task env --default-signal=INT rejoin-task run -- sh -c "trap 'echo got; exit 7' INT; echo begun; while :; do sleep 0.05; done"
	wait_for 'grep -q begun task.out'
	kill -INT "$task_pid"
	wait_for '! alive "$task_pid"'
	wait "$task_pid" || status=$?
	[ "$status" -eq 7 ]
	grep -q got task.out
	run -143 --separate-stderr rejoin-task run --timeout 300ms -- sleep 60
	err_has 'was ended (timeout)'
}

# bats test_tags=plain
@test "a signal while the task is being submitted is for the task, which may be there" {
	needs_strace
	# a request takes a while to come to the disk
	start taskd strace -f -o strace.log -e trace=fsync -e inject=fsync:delay_enter=300000 rejoin-taskd --idle 0s
	wait_for 'rejoin-task list >/dev/null 2>&1' 30
	start task rejoin-task -v run --detach --keep -- sleep 60
	wait_for 'grep -q submitting task.err' 20
	kill -TERM "$task_pid"
	wait_for '! alive "$task_pid"' 30
	wait "$task_pid" || status=$?
	[ "$status" -eq 143 ]
	[ "$(states)" = killed ]
	[ ! -s task.out ]
}

@test "--json tells a task's own 124 from an unknown fate" {
	taskd
	run -124 --separate-stderr rejoin-task run --json -- sh -c 'exit 124'
	status_is 124
	run -0 jq -c 'select(.event == "end") | [.state, .exit, .status.exit]' <<<"$stderr"
	out_is '["ended",124,124]'
}

@test "a reader that does not read holds up the output and not the heartbeats" {
	taskd
	start task sh -c "rejoin-task run --period 200ms --lease 1s -- head -c 3000000 /dev/zero | { while [ ! -e go ]; do sleep 0.1; done; wc -c; }"
	wait_for 'rejoin-task list | grep -q ended'
	wait_for '[ "$(ls "$REJOIN_STATE_DIR"/tasks/sessions | wc -l)" -eq 1 ]'
	beats() { head -1 "$REJOIN_STATE_DIR"/tasks/sessions/*; }
	before=$(beats)
	wait_for '[ "$(beats)" != "$before" ]'
	touch go
	wait_for '! alive "$task_pid"'
	run -0 cat task.out
	out_is 3000000
}

@test "requests as lines run in one session, each with its output and its end" {
	taskd
	cat >lines <<-'X'
		{"argv":["sh","-c","echo one; echo two >&2; exit 3"]}

		{"argv":["printf","\\377"]}
		{"argv":[]}
		not JSON
		{"argv":["sh","-c","echo $A"],"env":{"A":"b","PATH":"/bin:/usr/bin"}}
	X
	run -1 --separate-stderr rejoin-task run --lines <lines
	status_is 1
	echo "$output" >records
	run -0 jq -c 'select(.event == "end") | [.line, .state, .exit]' records
	[ "$(sort <<<"$output")" = $'[1,"ended",3]\n[3,"ended",0]\n[4,"refused",125]\n[5,"refused",125]\n[6,"ended",0]' ]
	run -0 jq -c 'select(.event == "output") | [.line, .stream, .offset, .text, .base64]' records
	[ "$(sort <<<"$output")" = $'[1,"err",0,"two\\n",null]\n[1,"out",0,"one\\n",null]\n[3,"out",0,null,"/w=="]\n[6,"out",0,"b\\n",null]' ]
	run -0 rejoin-task list
	out_is ''
	run -0 rejoin-task run --lines <<<'{"argv":["true"]}'
	run -0 rejoin-task run --lines --keep <<<'{"argv":["true"]}'
	run -0 states
	out_is ended
	# what may outlive the time after which it is said to be ended
	run -1 --separate-stderr rejoin-task run --lines <<<'{"argv":["true"],"grace_ms":10001}'
	[ "$(jq -r .state <<<"$output")" = refused ]
	run -0 rejoin-task run --lines --on-loss leave <<<'{"argv":["true"],"grace_ms":10001}'
	run -0 rejoin-task run --lines <<<'{"argv":["true"],"grace_ms":10000}'
	run -125 --separate-stderr rejoin-task run --lines -- true
}

@test "300 tasks at once, while the agent is killed: each once, and its output whole" {
	activated
	for i in $(seq 300); do
		echo '{"argv":["sh","-c","echo x >>'"$PWD/ran.$i"'; seq '"$i"'; echo end >&2; exit '$((i % 100))'"]}'
	done >lines
	start many sh -c 'rejoin-task run --lines --period 300ms --lease 20s <lines'
	for n in 20 100 200; do
		wait_for '[ "$(grep -c "event.:.end" many.out)" -ge "$n" ]' 30
		kill -KILL "$(cat "$REJOIN_RUNTIME_DIR/taskd.sock.pid")"
	done
	wait_for '! alive "$many_pid"' 60
	run -0 jq -c 'select(.event == "end" and (.state != "ended" or .exit != .line % 100))' many.out
	out_is ''
	[ "$(cat ran.* | wc -l)" -eq 300 ]
	for i in 1 150 300; do
		jq -rj "select(.line == $i and .stream == \"out\") | .text" many.out | cmp - <(seq "$i")
	done
	[ "$(jq -rj 'select(.stream == "out") | .text' many.out | wc -c)" -eq "$(for i in $(seq 300); do seq "$i"; done | wc -c)" ]
	run -0 rejoin-task list
	out_is ''
}

@test "what is wrong on the command line, and no agent" {
	for verb in list history; do
		run -2 --separate-stderr rejoin-task "$verb" extra
		err_has "unexpected operand: 'extra'"
	done
	run -2 --separate-stderr rejoin-task
	status_is 2
	run -2 --separate-stderr rejoin-task lst
	err_has 'lst: unknown command'
	err_has "did you mean 'list'?"
	run -2 --separate-stderr rejoin-task -- list
	run -125 --separate-stderr rejoin-task run
	run -125 --separate-stderr rejoin-task run --bogus -- true
	run -125 --separate-stderr rejoin-task --on-loss foo run -- true
	run -125 --separate-stderr rejoin-task attach --lease z 5
	run -2 --separate-stderr rejoin-task list --bogus
	# the text of JSON is UTF-8: another word would be another command
	run -125 --separate-stderr rejoin-task run -- touch $'n\xe9'
	err_has 'not UTF-8'
	run -125 --separate-stderr rejoin-task run -e A=$'\xff' -- true
	err_has '--env: not UTF-8'
	run -125 --separate-stderr rejoin-task run --detach --on-loss kill -- true
	run -125 --separate-stderr rejoin-task run --period 30s -- true
	run -2 --separate-stderr rejoin-task -oProxyCommand=x list
	run -2 --separate-stderr rejoin-task 'a;b' list
	err_has 'not a target'
	run -5 --separate-stderr rejoin-task list
	status_is 5
	err_has 'no task agent listens there'
	run -125 --separate-stderr rejoin-task run -- true
	err_has 'no task agent listens there'
}

@test "REJOIN_FORMAT decides how tasks and records are listed, where no option does" {
	taskd
	run -7 rejoin-task run --keep -- sh -c 'exit 7'
	run -143 rejoin-task run --keep --timeout 100ms -- sleep 60
	for env in '' jsonl tsv; do
		REJOIN_FORMAT=$env run -0 rejoin-task list
		run -0 jq -c '[.state, .status.exit // .status.why]' <<<"$output"
		out_is $'["ended",7]\n["killed","timeout"]'
	done
	REJOIN_FORMAT=table run -0 rejoin-task list
	[[ ${lines[0]} =~ ^[0-9]+\ +ended\ +7\ +sh\ -c ]]
	[[ ${lines[1]} =~ ^[0-9]+\ +killed\ +signal\ 15\ timeout\ +sleep\ 60$ ]]
	REJOIN_FORMAT=table run -0 rejoin-task history
	[ "${#lines[@]}" = 6 ]
	[[ ${lines[2]} =~ ^20[0-9T:.-]+Z\ +[0-9]+\ +ended\ +7$ ]]
	[[ ${lines[5]} =~ ^20[0-9T:.-]+Z\ +[0-9]+\ +killed\ +signal\ 15\ timeout$ ]]
	run -0 rejoin-task history --format table
	REJOIN_FORMAT=table run -0 --separate-stderr rejoin-task history --json
	run -0 jq -r .event <<<"$output"
	out_is $'recorded\nstarted\nended\nrecorded\nstarted\nkilled'
	REJOIN_FORMAT=tabel run -2 --separate-stderr rejoin-task history
	err_has "REJOIN_FORMAT: unknown choice: 'tabel'"
	# it concerns no other command
	REJOIN_FORMAT=tabel run -7 rejoin-task run -- sh -c 'exit 7'
}

@test "an option that the command would ignore is refused, by each command" {
	local run='--detach --env=A=b --id=1 --lines --on-loss=leave --stdin --timeout=1s --user=root'
	refuses() {
		local command=$1 status=$2 option
		for option in "${@:3}"; do
			run "-$status" --separate-stderr rejoin-task $command "$option"
			err_has "${option%%=*}: not an option of $command"
		done
	}
	refuses run 125 --all --follow --format=table --from=1 --signal=KILL
	refuses 'run --lines' 125 --detach --env=A=b --id=1 --stdin --timeout=1s --user=root
	refuses attach 125 $run --all --follow --format=table --from=1 --signal=KILL
	refuses log 2 $run --all --format=table --keep --lease=1m --period=1s --signal=KILL
	refuses list 2 $run --all --follow --from=1 --keep --lease=1m --period=1s --signal=KILL
	refuses history 2 $run --all --from=1 --keep --lease=1m --period=1s --signal=KILL
	refuses kill 2 $run --all --follow --format=table --from=1 --json --keep --lease=1m --period=1s
	refuses release 2 $run --follow --format=table --from=1 --json --keep --lease=1m --period=1s --signal=KILL
	run -2 --separate-stderr rejoin-task list --keep
	err_has '--keep: not an option of list, but of run, attach'
	# the common ones are for all, and what is accepted goes as far as the agent
	run -5 --separate-stderr rejoin-task -v history -f --json
}

@test "a socket that is not the caller's to use" {
	needs_root
	needs setpriv
	taskd
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/.." "$BATS_TEST_TMPDIR/../.." 2>/dev/null || :
	chmod 755 "$REJOIN_RUNTIME_DIR" "$REJOIN_RUNTIME_DIR/.."
	mkdir -m 777 other
	run -7 --separate-stderr env REJOIN_STATE_DIR="$PWD/other" HOME="$PWD/other" \
		setpriv --reuid 65534 --regid 65534 --clear-groups rejoin-task "unix:$REJOIN_RUNTIME_DIR/taskd.sock" list
	status_is 7
	err_has 'Permission denied'
}

@test "an agent that does not answer, a state directory that cannot be written" {
	needs systemd-socket-activate
	start mute systemd-socket-activate -l "$PWD/mute.sock" sleep 60
	wait_for '[ -S mute.sock ]'
	run -4 --separate-stderr timeout 30 rejoin-task "unix:$PWD/mute.sock" list
	status_is 4
	touch file
	REJOIN_STATE_DIR=$PWD/file run -3 --separate-stderr rejoin-task list
	status_is 3
}

@test "over ssh: the same, with the login's rights" {
	taskd
	sshd_on 127.0.0.1
	run -3 --separate-stderr rejoin-task "$target" run -- sh -c 'echo over ssh; exit 3'
	out_is 'over ssh'
	run -0 rejoin-task "$target" history
	out_has '"event":"ended"'
	# the connection is cut: all of sshd's children
	start task rejoin-task "$target" run --period 400ms --lease 8s -- sh -c 'for i in $(seq 60); do echo $i; sleep 0.05; done'
	wait_for 'grep -q 5 task.out'
	pkill -KILL -P "$sshd_pid" || :
	wait_for '! alive "$task_pid"' 20
	wait "$task_pid"
	seq 60 | cmp - task.out
	# no ssh is left behind
	wait_for '! pgrep -f "UserKnownHostsFile=$PWD/known" >/dev/null'
}

@test "an ssh that takes 6 s to connect, and one that cannot: reconnected, and not asked in a hurry" {
	taskd
	mkdir bin
	# fake: it takes as long as ./ssh.delay says; "down": there is no connection
	cat >bin/ssh <<-X
		#!/bin/sh
		echo \$\$ >>$PWD/ssh.pids
		read -r delay <$PWD/ssh.delay
		[ "\$delay" != down ] || exit 255
		sleep "\$delay"
		exec rejoin-taskd --dial
	X
	chmod +x bin/ssh
	PATH=$PWD/bin:$PATH
	ssh_becomes() {
		echo "$1" >ssh.delay
		# shellcheck disable=SC2046 # a pid is a word
		kill $(cat ssh.pids) 2>/dev/null || :
	}
	echo 0 >ssh.delay
	start task rejoin-task device run --period 300ms --lease 60s -- sh -c 'for i in $(seq 100); do echo $i; done; exec sleep 60'
	wait_for 'grep -q 100 task.out'
	ssh_becomes 6
	wait_for 'grep -q reconnected task.err' 30
	ssh_becomes down
	wait_for '[ "$(grep -c "no answer" task.err)" = 2 ]'
	before=$(wc -l <ssh.pids)
	kill -TERM "$task_pid"
	sleep 2 # in which it is to ask a few times
	echo "$(($(wc -l <ssh.pids) - before)) connections"
	[ "$(($(wc -l <ssh.pids) - before))" -le 10 ]
	ssh_becomes 0
	wait_for '! alive "$task_pid"' 30
	wait "$task_pid" || status=$?
	[ "$status" -eq 143 ]
	seq 100 | cmp - task.out
}

@test "an agent that dies with the first request is asked again" {
	cat >flaky <<-'X'
		#!/bin/sh
		[ ! -e died ] || exec rejoin-taskd --idle 0s
		touch died
		# accept the first connection, and die with it
		exec accept-once
	X
	chmod +x flaky
	start activator activator "$REJOIN_RUNTIME_DIR/taskd.sock" ./flaky
	wait_for '[ -S "$REJOIN_RUNTIME_DIR/taskd.sock" ]'
	run -6 --separate-stderr rejoin-task run --period 200ms --lease 5s -- sh -c 'echo here; exit 6'
	out_is here
	[ -e died ]
}

@test "agent, controllers and shims killed at random: nothing runs twice, each status is true" {
	run "$BATS_TEST_DIRNAME/task-kill.sh" 50 "$([ -n "${SOAK-}" ] && echo 200 || echo 20)" 8
	echo "$output"	# which task, and why
	[ "$status" -eq 0 ]
	out_has 'wrong 0, executed twice 0, output not whole 0, history records adopted twice 0'
}

@test "completions know the ids of tasks, in bash, zsh and fish" {
	needs zsh fish
	taskd
	id=$(rejoin-task run --detach -- true)
	cat >bash-words <<-X
		. "$TOP/completions/bash/rejoin-task"
		COMP_WORDS=(rejoin-task "\$@" '') COMP_CWORD=\$((\$# + 1))
		_rejoin_task
		printf '%s\n' "\${COMPREPLY[@]}"
	X
	cat >zsh-words <<-X
		words=(rejoin-task "\$@" '') CURRENT=\$((\$# + 2))
		_arguments() { print -l \$operands }
		complete_it() { . "$TOP/completions/zsh/_rejoin-task" }
		complete_it
	X
	for command in attach kill log release; do
		run -0 bash bash-words "$command"
		out_is "$id"
		run -0 bash bash-words "unix:$REJOIN_RUNTIME_DIR/taskd.sock" "$command"
		out_is "$id"
		run -0 zsh -f zsh-words "$command"
		out_is "$id"
		run -0 zsh -f zsh-words "unix:$REJOIN_RUNTIME_DIR/taskd.sock" "$command"
		out_is "$id"
		run -0 fish -c "source '$TOP/completions/fish/rejoin-task.fish'; complete -C 'rejoin-task $command '"
		out_has "$id"
		run -0 fish -c "source '$TOP/completions/fish/rejoin-task.fish'; complete -C 'rejoin-task unix:$REJOIN_RUNTIME_DIR/taskd.sock $command '"
		out_has "$id"
	done
	run -0 bash bash-words
	out_has attach
}

@test "the example of the protocol's page" {
	activated
	run -0 sed -n '/^\.Bd -literal/,/^\.Ed/{/^\./d;s/\\e$/\\/;p}' "$TOP/man/rejoin-task-protocol.7"
	sed "s|/run/rejoin/taskd.sock|$REJOIN_RUNTIME_DIR/taskd.sock|" <<<"$output" >example
	[ "$(grep -c '^curl' example)" -eq 2 ]
	run -0 bash -e example
	out_has '"state":"recorded"'
	out_has "$(uname -s)"
}

@test "a task that is refused leaves nothing in the memory of the controller" {
	taskd
	run -125 --separate-stderr rejoin-task run --user no-such-user -- true
	err_has "no such user: 'no-such-user'"
	run -125 --separate-stderr rejoin-task run --id 5 -- true
	err_has 'task 5 is older than this store'
	run -1 rejoin-task run --lines <<-X
		{"argv":["true"],"user":"no-such-user"}
		{"argv":["true"],"id":6}
		{"argv":["echo","here"]}
	X
	run -0 ls "$REJOIN_STATE_DIR/controller/local/tasks"
	out_is ''
	# that of an earlier task with this id is kept
	id=$(rejoin-task run --detach -- true)
	run -125 --separate-stderr rejoin-task run --id "$id" -- false
	err_has 'was requested with another command'
	run -0 ls "$REJOIN_STATE_DIR/controller/local/tasks"
	out_is "$id"
	run -0 rejoin-task attach "$id"
}

@test "standard input of more than a task gets is refused, and just as much is not" {
	taskd
	head -c 1048577 /dev/zero >too-long
	run -125 --separate-stderr rejoin-task run -i -- wc -c <too-long
	err_has 'standard input: is longer than 1 MiB'
	head -c 1048576 too-long >fits
	run -0 rejoin-task run -i -- wc -c <fits
	out_is 1048576
}

@test "run --detach: an id that cannot be printed is in the message, and the task runs" {
	taskd
	run -3 --separate-stderr sh -c 'rejoin-task run --detach -- echo Hello >/dev/full'
	id=$(rejoin-task list --json | jq .id)
	[ "${#stderr_lines[@]}" -eq 1 ]
	err_has "standard output: No space left on device; task $id runs: rejoin-task attach $id"
	run -0 rejoin-task attach "$id"
	out_is Hello
}

@test "times and ids that are none, and offsets beyond the end, are refused before anything is done" {
	taskd
	# usage STATUS TEXT ARGUMENT... - for run and attach it is the status of an own failure
	usage() {
		run "-$1" --separate-stderr rejoin-task "${@:3}"
		err_has "$2"
	}
	usage 125 '--timeout: must be from 1ms to 366d' run --timeout 0s -- true
	usage 125 '--timeout: must be from 1ms to 366d' run --timeout 400d -- true
	usage 125 '--period: must be from 1ms to 1h' run --period 0s -- true
	usage 125 '--period: must be from 1ms to 1h' run --period 2h --lease 20h -- true
	usage 125 '--lease: must be from 1s to 1d' run --period 1ms --lease 500ms -- true
	usage 125 '--lease: must be from 1s to 1d' run --on-loss leave --lease 2d -- true
	for id in 0 9007199254740992 99999999999999999999 x; do
		usage 125 "--id: not " run --id "$id" -- true
		usage 125 "not a task's id, a number from 1 to 9007199254740991: '$id'" attach "$id"
		for command in log kill release; do
			usage 2 "not a task's id, a number from 1 to 9007199254740991: '$id'" "$command" "$id"
		done
	done
	[ -z "$(states)" ]
	id=$(rejoin-task run --detach -- sh -c 'printf Hello; while [ ! -e '"$PWD"'/go ]; do sleep 0.05; done')
	wait_for 'rejoin-task list --json | jq -e ".out == 5"'
	for follow in '' -f; do
		usage 2 "task $id: offset 6 is beyond the end of its standard output, which has 5 bytes" log $follow --from 6 "$id"
	done
	run -0 rejoin-task log --from 5 "$id"
	out_is ''
	touch go
}

@test "run --lines: a member that is misspelt, or not for a line, is refused" {
	taskd
	cat >lines <<-X
		{"argv":["touch","$PWD/ran"],"id":"5"}
		{"argv":["touch","$PWD/ran"],"id":9007199254740992}
		{"argv":["touch","$PWD/ran"],"on_loss":"leave"}
		{"argv":["touch","$PWD/ran"],"session":5}
		{"argv":["touch","$PWD/ran"],"nonce":"x"}
		{"argv":["touch","$PWD/ran"],"timout_ms":5}
		{"argv":["touch","$PWD/ran"],"timeout_ms":0}
		{"argv":["touch","$PWD/ran"],"timeout_ms":"5"}
	X
	run -1 rejoin-task run --lines <lines
	run -0 jq -r 'select(.event == "end") | .reason | gsub(" of this request.*|, not .*|taskd: "; "")' <<<"$output"
	out_is 'request: "id": must be a whole number from 1 to 9007199254740991
request: "id": must be a whole number from 1 to 9007199254740991
request: "on_loss": is not for a line, but for the command: --on-loss
request: "session": is not for a line
request: "nonce": is not for a line
request: "timout_ms": no such member
"timeout_ms": must be a whole number from 1 to 31622400000
"timeout_ms": must be a whole number from 1 to 31622400000'
	[ ! -e ran ]
}

@test "the history of an agent that does not name its store is not taken, and that is said" {
	needs python3
	cat >old.py <<-'X'
		import http.server, socketserver, sys
		class Agent(http.server.BaseHTTPRequestHandler):
		    def answer(self):
		        body = b'{"id":5,"task":1,"owner":0,"session":1,"event":"ended","time":"x"}\n'
		        if self.command == "POST":
		            open("posted", "a").write(self.path + "\n")
		            body = b'{"released":[],"refused":[]}'
		        self.send_response(200)
		        self.send_header("Content-Type", "application/jsonl")
		        self.send_header("Content-Length", str(len(body)))
		        self.end_headers()
		        self.wfile.write(body)
		    do_GET = do_POST = answer
		    def address_string(self): return "x"
		socketserver.UnixStreamServer(sys.argv[1], Agent).serve_forever()
	X
	start old python3 old.py "$PWD/old.sock"
	wait_for '[ -S old.sock ]'
	for command in history 'release 1'; do
		# shellcheck disable=SC2086	# words
		run -3 --separate-stderr rejoin-task "unix:$PWD/old.sock" $command
		err_has 'the task agent does not name the store of its history, which is not copied, and nothing is released'
		err_has 'hint: update rejoin-taskd on that machine'
	done
	[ ! -e posted ]
}
