# shellcheck disable=SC2154	# run sets status and stderr; start sets *_pid
load helper
load goal

# A device: a host, two motors, a camera that is there and one that is not.
setup() {
	begin
	mkdir -p dev/{host,left,right,front} up
	for c in host left right front; do fw "$c" 1.0; done
	cat >"$REJOIN_CONFIG_DIR/inventory.json" <<-EOF
	{"components":[
	 $(entry host hosts), $(entry left motors), $(entry right motors),
	 $(entry front cameras), $(entry rear cameras)]}
	EOF
	cat >"$REJOIN_CONFIG_DIR/agent.conf" <<-EOF
	[agent]
	goal = file:$PWD/goal.json
	allow-unsigned = yes
	handler-user = $(id -un)
	script-timeout = 10s
	stop-grace = 1s
	EOF
	run_dir=$REJOIN_RUNTIME_DIR/agent state=$REJOIN_STATE_DIR/agent
}

conf() { printf '%s\n' "$@" >>"$REJOIN_CONFIG_DIR/agent.conf"; } # LINE...

entry() { # ID GROUP
	printf '{"id":"%s","group":"%s","properties":{"path":"%s/dev/%s","firmwareDataFile":"fw.json"}}' \
		"$1" "$2" "$PWD" "$1"
}
fw() { printf '{"version":"%s"}\n' "$2" >"dev/$1/fw.json"; } # ID VERSION
version() { sed 's/.*"version":"\([^"]*\)".*/\1/' "dev/$1/fw.json" 2>/dev/null; }
status_of() { sed -n "s/^$1=//p" "$run_dir/status" 2>/dev/null; }

# The update's script: counts its calls in calls/ID.ACTION, and installs VERSION.
# COMMANDS are run at the start of every action.
script() { # [COMMANDS]
	mkdir -p calls
	cat >up/install.sh <<-EOF
	#!/bin/sh
	while [ \$# -gt 0 ]; do
		case \$1 in
		--action-*) action=\${1#--action-} ;;
		--id) id=\$2; shift ;;
		--path) path=\$2; shift ;;
		--result-file) result=\$2; shift ;;
		--installed-criteria) want=\$2; shift ;;
		esac
		shift
	done
	say() { printf '{"resultCode":%d,"extendedResultCode":0,"resultDetails":"%s"}' \$1 "\$2" >"\$result"; exit 0; }
	echo x >>$PWD/calls/\$id.\$action
	${1-}
	case \$action in
	is-installed) grep -q "\"\$want\"" "\$path/fw.json" && say 900; say 901 ;;
	download) say 500 ;;
	install) printf '{"version":"%s"}' "\$want" >"\$path/fw.json"; say 600 ;;
	apply) say 700 ;;
	esac
	EOF
}
calls() { # ID ACTION
	local n=0
	[ ! -f "calls/$1.$2" ] || n=$(wc -l <"calls/$1.$2")
	echo "$n"
}

step() { # VERSION
	printf '{"handler":"microsoft/script:1","files":["f-install.sh"],"handlerProperties":{'
	printf '"scriptFileName":"install.sh","installedCriteria":"%s",' "$1"
	printf '"arguments":"--id --component-id-val --path --component-prop-val path"}}'
}

# deploy ID VERSION [GROUP...] - a goal with a reference step for each group (motors, cameras)
deploy() {
	local id=$1 want=$2 g steps=''
	shift 2
	[ $# -gt 0 ] || set -- motors cameras
	goal_forget
	goal_file up/install.sh
	for g; do
		goal_manifest "$g" "{\"group\":\"$g\"}" "$(step "$want")" >"up/$g.$want.json"
	done
	for g; do
		goal_file "up/$g.$want.json"
		steps+="${steps:+,}{\"type\":\"reference\",\"detachedManifestFileId\":\"f-$g.$want.json\"}"
	done
	goal_manifest device '{"model":"test"}' "$steps" >up/manifest.json
	goal "$id" up/manifest.json >goal.new
	mv goal.new goal.json
}

agent() { start agent rejoin-agent; wait_for '[ -n "$(status_of state)" ]'; }
frame() { printf 'retry-update%.0s' 1; head -c 52 /dev/zero; }
retry() { frame >"$run_dir/commands.fifo"; }
settled() { # at least N cycles, and nothing going on
	wait_for "[ \"0\$(status_of settled_cycle)\" -ge $1 ] && case \$(status_of state) in idle|failed) ;; *) false ;; esac" 20
}
result() { # COMPONENT - code of its last result
	jq -r --arg c "$1" '.rejoin.results[] | select(.component == $c) | .resultCode' "$state/twins/current.json"
}

@test "without a goal it waits, and says so" {
	agent
	wait_for '[ "$(status_of state)" = idle ]'
	[ "$(status_of cycle)" = 0 ]
	[ -p "$run_dir/commands.fifo" ]
	end_pids "$agent_pid"
	[ "$(status_of state)" = stopped ]
}

@test "its pipe has the mode that its profile and fifo-owner say, whatever the umask" {
	umask 077
	agent
	[ "$(stat -c %a "$run_dir/commands.fifo")" = 600 ]
	[ "$(stat -c %a:%a:%a "$run_dir"/{lock,busy,status})" = "$(printf '600:600:600\n600:600:600\n644:644:644')" ]
	end_pids "$agent_pid"
	sed -i "s/^\[agent\]/&\ngroup = $(id -gn)/" "$REJOIN_CONFIG_DIR/agents.d/rejoin.conf"
	agent
	wait_for '[ "$(stat -c %a "$run_dir/commands.fifo")" = 620 ]'
	end_pids "$agent_pid"
	conf "fifo-owner = $(id -un):$(id -gn)"
	agent
	wait_for '[ "$(stat -c %a "$run_dir/commands.fifo")" = 660 ]'
	end_pids "$agent_pid"
	conf 'fifo-owner = nobody-such:daemon'
	run --separate-stderr rejoin-agent
	status_is 2
	err_has "fifo-owner: there is no user 'nobody-such'"
}

@test "a pipe or a runtime directory that vanished is made anew" {
	script
	agent
	deploy w1 2.0 motors
	settled 1
	rm "$run_dir/commands.fifo"
	wait_for '[ -p "$run_dir/commands.fifo" ]'
	retry
	settled 2
	mv "$REJOIN_RUNTIME_DIR" gone
	wait_for '[ -p "$run_dir/commands.fifo" ] && [ -n "$(status_of state)" ]'
	retry
	settled 3
	rm "$run_dir/status"
	wait_for '[ "$(status_of state)" = idle ]'
	# there is still one agent
	run --separate-stderr timeout -k 1 10 rejoin-agent --once --state "$PWD/other"
	status_is 6
	err_has "pid $agent_pid"
	# what stands in its place is not used
	touch other-file && mv other-file "$run_dir/commands.fifo"
	local status=0
	wait "$agent_pid" || status=$?
	[ "$status" = 3 ]
	grep -q 'commands.fifo: is not a FIFO' agent.err
}

@test "directories that another user could write are refused" {
	[ "$(id -u)" = 0 ] || skip 'owners cannot be set: not root'
	mkdir -p "$run_dir" "$state"
	chown daemon "$run_dir"
	run --separate-stderr timeout -k 1 10 rejoin-agent --once
	status_is 7
	err_has "$run_dir: owned by uid"
	chown root "$run_dir"
	chmod 777 "$state"
	run --separate-stderr timeout -k 1 10 rejoin-agent --once
	status_is 7
	err_has "$state: writable by others"
}

@test "a new goal is brought to all that are here; an offline component is waited for" {
	script
	agent
	deploy w1 2.0
	settled 1
	[ "$(version left) $(version right) $(version front)" = '2.0 2.0 2.0' ]
	[ "$(status_of state) $(status_of waiting) $(status_of result)" = 'idle 1 700' ]
	run jq -r '.rejoin.waiting[0].id, .deviceUpdate.agent.state, .deviceUpdate.agent.workflow.id,
		(.deviceUpdate.agent.installedUpdateId | fromjson | .name)' "$state/twins/current.json"
	out_is $'rear\n0\nw1\ndevice'
	[ "$(result left)" = 700 ]
	[ "$(jq -s 'length' "$state/journal.jsonl")" = 3 ]
	cmp goal.json "$state/twins/desired.json"
}

@test "a component that comes back is updated by a retry, and no other is touched" {
	script
	deploy w1 2.0
	agent
	settled 1
	mkdir dev/rear
	fw rear 1.0
	retry
	settled 2
	[ "$(version rear)" = 2.0 ]
	[ "$(calls rear install) $(calls left install) $(calls left is-installed)" = '1 1 3' ]
	[ "$(status_of waiting)" = 0 ]
	# another one is a no-op
	retry
	settled 3
	[ "$(calls rear install)" = 1 ]
	[ "$(result rear)" = 603 ]
}

@test "the same workflow delivered again is not run again; a retryTimestamp asks for it" {
	script
	deploy w1 2.0
	agent
	settled 1
	sed 's/$/ /' goal.json >goal.new && mv goal.new goal.json
	wait_for 'grep -q "completed already" agent.err || cmp -s goal.json "$state/twins/desired.json"'
	[ "$(status_of cycle)" = 1 ]
	sed 's/"action":3/"action":3,"retryTimestamp":"2026-01-01T00:00:00Z"/' goal.json >goal.new && mv goal.new goal.json
	settled 2
	[ "$(calls left install)" = 1 ]
}

@test "a start evaluates the goal once, also from what was kept" {
	script
	deploy w1 2.0
	agent
	settled 1
	end_pids "$agent_pid"
	rm goal.json
	fw left 1.0
	agent
	wait_for '[ "$(version left)" = 2.0 ]'
	settled 1
}

@test "retries that come during a cycle are one more cycle afterwards" {
	script 'while [ -e '"$PWD"'/block ]; do sleep 0.02; done'
	touch block
	deploy w1 2.0 motors
	agent
	wait_for '[ "$(calls left is-installed)" = 1 ]'
	for _ in 1 2 3 4 5; do retry; done
	wait_for '[ "$(status_of retries)" = 5 ]'
	[ "$(status_of pending) $(status_of cycle)" = 'yes 1' ]
	rm block
	settled 2
	[ "$(status_of cycle) $(status_of settled) $(status_of pending)" = '2 5 no' ]
	[ "$(calls left install)" = 1 ]
}

@test "a component that fails does not keep the others from their update" {
	script '[ "$id" = left ] && [ "$action" = install ] && say 0 "out of grease"'
	deploy w1 2.0
	agent
	settled 1
	[ "$(status_of state) $(version left) $(version right) $(version front)" = 'failed 1.0 2.0 2.0' ]
	run jq -r '.rejoin.results[] | select(.resultCode <= 0) | [.component, .phase, .extendedResultCode, .details] | @tsv' \
		"$state/twins/current.json"
	out_is $'left\tinstall\t810549766\tout of grease'
	[ "$(jq -r '.deviceUpdate.agent | .state, .installedUpdateId' "$state/twins/current.json")" = $'255\nnull' ]
	[[ $(status_of note) == *'left: out of grease'* ]]
}

@test "a failure that comes without a reason is told by its codes" {
	script '[ "$id" = left ] && { printf "{\"resultCode\":0,\"extendedResultCode\":5}" >"$result"; exit 0; }'
	deploy w1 2.0 motors
	run --separate-stderr timeout -k 1 20 rejoin-agent --once
	status_is 1
	err_has 'w1: failed: left: result code 0, extended code 0x00000005, waiting'
	[ "$(status_of note)" = '"left: result code 0, extended code 0x00000005"' ]
}

@test "with on-failure = stop the others are left alone" {
	echo 'on-failure = stop' >>"$REJOIN_CONFIG_DIR/agent.conf"
	script '[ "$id" = left ] && say 0 broken'
	deploy w1 2.0
	agent
	settled 1
	[ "$(version right) $(version front)" = '1.0 1.0' ]
}

@test "a script that hangs is ended with its children at the deadline" {
	sed -i 's/^script-timeout.*/script-timeout = 1500ms/' "$REJOIN_CONFIG_DIR/agent.conf"
	script '[ "$id" = left ] && { setsid sleep 100 & sleep 100 & echo $! >'"$PWD"'/child; trap "" TERM; while :; do sleep 1; done; }'
	deploy w1 2.0 motors
	agent
	settled 1
	[ "$(version right)" = 2.0 ]
	[ "$(result left)" -le 0 ]
	wait_for '! alive "$(cat child)"'
	run grep -lzs "REJOIN_RUN=$state/work" /proc/[0-9]*/environ
	out_is ''
}

@test "a payload that is not what its hash says changes nothing" {
	script
	deploy w1 2.0
	echo '# changed' >>up/install.sh
	agent
	settled 1
	[ "$(status_of state) $(version left)" = 'failed 1.0' ]
	[[ $(status_of note) == *install.sh* ]]
	[ "$(calls left is-installed)" = 0 ]
}

@test "an unsigned goal is refused unless that is allowed, and the status says so" {
	sed -i 's/^allow-unsigned.*/allow-unsigned = no/' "$REJOIN_CONFIG_DIR/agent.conf"
	script
	deploy w1 2.0
	agent
	wait_for '[ "$(status_of state)" = failed ]'
	[[ $(status_of note) == *'goal w1: is not signed'* ]]
	[ "$(status_of cycle)" = 0 ]
	end_pids "$agent_pid"
	sed -i 's/^allow-unsigned.*/allow-unsigned = yes/' "$REJOIN_CONFIG_DIR/agent.conf"
	agent
	settled 1
	[ "$(status_of unsigned)" = yes ]
}

# A goal that Azure Device Update has signed: what it names cannot be installed
# here, so it is enough to see whether the agent begins with it.
signed_goal() {
	sed -i 's/^allow-unsigned.*/allow-unsigned = no/' "$REJOIN_CONFIG_DIR/agent.conf"
	conf '[link]' 'proxy = http://127.0.0.1:1' 'patience = 0s'
	cp "$TOP/test/data/adu/$1" goal.json
}

root_keys() {
	mkdir -p "$REJOIN_CONFIG_DIR/rootkeys.d"
	cp "$TOP/packaging/examples/rootkeys-azure.json" "$REJOIN_CONFIG_DIR/rootkeys.d/"
}

@test "a signed goal is accepted when its root key is trusted, and only then" {
	signed_goal signed-good.json
	run --separate-stderr timeout -k 1 20 rejoin-agent --once
	status_is 1
	err_has "root key 'ADU.200702.R' is not trusted here"
	[ ! -e "$REJOIN_STATE_DIR/agent/twins/desired.json" ]
	root_keys
	run --separate-stderr timeout -k 1 20 rejoin-agent --once
	[[ $stderr != *signature* ]]
	cmp goal.json "$REJOIN_STATE_DIR/agent/twins/desired.json"
}

@test "a signature of another manifest is refused, even where unsigned goals are allowed" {
	signed_goal signed-hash-mismatch.json
	root_keys
	for allow in no yes; do
		sed -i "s/^allow-unsigned.*/allow-unsigned = $allow/" "$REJOIN_CONFIG_DIR/agent.conf"
		run --separate-stderr timeout -k 1 20 rejoin-agent --once
		status_is 1
		err_has 'goal test-workflow-id: signature: it is of another manifest'
	done
	[ ! -e "$REJOIN_STATE_DIR/agent/twins/desired.json" ]
}

@test "root keys that others could have written are refused" {
	signed_goal signed-good.json
	root_keys
	chmod 666 "$REJOIN_CONFIG_DIR/rootkeys.d/rootkeys-azure.json"
	run --separate-stderr timeout -k 1 20 rejoin-agent --once
	status_is 1
	err_has 'rootkeys-azure.json: writable by others'
}

@test "an unsigned goal that others could have written is refused" {
	script
	deploy w1 2.0
	chmod 666 goal.json
	run --separate-stderr timeout -k 1 20 rejoin-agent --once
	status_is 1
	err_has 'goal.json: writable by others'
	[ "$(version left)" = 1.0 ]
}

# own_root_key - a root key "R" that is trusted here, and a signing key "S"
own_root_key() {
	openssl genrsa -out root.key 2048 2>/dev/null
	openssl genrsa -out sign.key 2048 2>/dev/null
	mkdir -p "$REJOIN_CONFIG_DIR/rootkeys.d"
	jwk root.key R >"$REJOIN_CONFIG_DIR/rootkeys.d/own.json"
}

base64url() { basenc --base64url -w0 | tr -d =; }

jwk() { # KEY ID
	printf '{"kty":"RSA","alg":"RS256","e":"AQAB","kid":"%s","n":"%s"}' "$2" \
		"$(openssl rsa -in "$1" -noout -modulus 2>/dev/null | sed 's/.*=//' | basenc -d --base16 | base64url)"
}

jws() { # KEY HEADER PAYLOAD
	local text
	text=$(base64url <<<"$2").$(base64url <<<"$3")
	printf '%s.%s' "$text" "$(printf %s "$text" | openssl dgst -sha256 -sign "$1" | base64url)"
}

# sign_goal - goal.json is signed by S, for which R vouches
sign_goal() {
	local inner hash
	inner=$(jws root.key '{"alg":"RS256","kid":"R"}' "$(jwk sign.key S)")
	hash=$(jq -j .updateManifest goal.json | openssl dgst -sha256 -binary | base64 -w0)
	jq -c --arg s "$(jws sign.key "{\"alg\":\"RS256\",\"sjwk\":\"$inner\"}" "{\"sha256\":\"$hash\"}")" \
		'.updateManifestSignature = $s' goal.json >goal.signed
	mv goal.signed goal.json
}

# answered - a retry has been requested, and had its answer
answered() {
	local want=$(($(status_of settled) + 1))
	retry
	wait_for "[ \"0\$(status_of settled)\" -ge $want ]"
}

# An installation that goes on until the file "go" is there.
waits_for_go='[ "$action" = install ] && [ "$id" = left ] && { echo $$ >>'"'\$PWD'"'/pids; until [ -e '"'\$PWD'"'/go ]; do sleep 0.02; done; }'
waiting_script() { long_timeout && script "${waits_for_go//\'\$PWD\'/$PWD}"; }
# However slow the machine is, what waits for a test does not end at its deadline.
long_timeout() { sed -i 's/^script-timeout.*/script-timeout = 100s/' "$REJOIN_CONFIG_DIR/agent.conf"; }

@test "a new goal waits for an installation, which is reported for the old one" {
	waiting_script
	deploy w1 2.0 motors
	agent
	wait_for '[ -s pids ]'
	deploy w2 3.0 motors
	retry
	[ "$(status_of workflow) $(status_of state)" = 'w1 busy' ]
	touch go
	wait_for '[ "$(version left) $(version right)" = "3.0 3.0" ]' 20
	settled 2
	[ "$(status_of workflow) $(status_of state)" = 'w2 idle' ]
	# w1 was installed, and neither applied nor begun on the other
	[ "$(calls left install) $(calls left apply) $(calls right install)" = '2 1 1' ]
}

@test "with on-replace = cancel a new goal ends the installation, and so does one that is taken back" {
	conf 'on-replace = cancel'
	waiting_script
	deploy w1 2.0 motors
	agent
	wait_for '[ -s pids ]'
	deploy w2 3.0 robots
	wait_for '[ "$(status_of workflow) $(status_of state)" = "w2 idle" ]'
	run alive "$(cat pids)"
	status_is 1
	[ "$(version left)" = 1.0 ]
	rm pids
	deploy w3 3.0 motors
	wait_for '[ -s pids ]'
	echo '{"workflow":{"action":255,"id":"w3"}}' >goal.new
	mv goal.new goal.json
	wait_for '[ "$(status_of state)" = idle ]'
	[ "$(version left)" = 1.0 ]
	[ "$(jq .deviceUpdate.agent.lastInstallResult.resultCode "$state/twins/current.json")" = -1 ]
}

@test "what only evaluates is ended with the agent" {
	sed -i '/^stop-grace/d' "$REJOIN_CONFIG_DIR/agent.conf"	# whatever it is
	script '[ "$action" = is-installed ] && { trap "" TERM; sleep 100; }'
	for signal in INT TERM; do
		deploy "w$signal" 2.0
		rm -f calls/*
		agent
		wait_for '[ "$(calls left is-installed)" = 1 ]'
		kill -$signal "$agent_pid"
		wait_for '! alive "$agent_pid"' 8	# less than stop-grace
		wait "$agent_pid"
		[ "$(status_of state)" = stopped ]
		run grep -lzs "REJOIN_RUN=$state/work" /proc/[0-9]*/environ
		out_is ''
	done
	rm -f calls/*
	agent
	wait_for '[ "$(calls left is-installed)" = 1 ]'
	kill -KILL "$agent_pid"
	wait_for '! alive "$agent_pid"'
	script
	deploy w9 2.0
	agent
	settled 1
	grep -q 'ended what an earlier agent had left running' agent.err
	[ "$(version left)" = 2.0 ]
}

@test "what changes a component outlives the agent, and is adopted: never ended, never repeated" {
	waiting_script
	deploy w1 2.0 motors
	for signal in TERM KILL; do
		rm -f go pids calls/* && fw left 1.0 && fw right 1.0
		rm -rf "$state"
		agent
		wait_for '[ -s pids ]'
		kill -$signal "$agent_pid"
		wait_for '! alive "$agent_pid"'
		alive "$(cat pids)"
		agent
		wait_for '[ "$(status_of state) $(status_of phase)" = "busy install" ]'
		# nor does a second agent in between
		end_pids "$agent_pid"
		alive "$(cat pids)"
		agent
		touch go
		settled 1
		[ "$(version left) $(version right)" = '2.0 2.0' ]
		[ "$(calls left install) $(calls left apply) $(calls right install)" = '1 0 1' ]
		grep -q 'step_0.0: install goes on, as an earlier agent began it' agent.err
		end_pids "$agent_pid"
		[ -z "$(ls -A "$state/runs")" ]
	done
}

@test "the others are not held up by what goes on on one component, and its files stay" {
	script '[ "$action$id" = installleft ] && { echo $$ >>'"$PWD"'/pids; until [ -e '"$PWD"'/go ]; do sleep 0.02; done
			ls "${result%/*}" >'"$PWD"'/files; }'
	deploy w1 2.0 motors
	for signal in TERM KILL; do
		rm -f go pids calls/* files && fw left 1.0 && fw right 1.0
		rm -rf "$state"
		agent --jobs 1
		wait_for '[ -s pids ]'
		kill -$signal "$agent_pid"
		wait_for '! alive "$agent_pid"'
		agent --jobs 1
		wait_for '[ "$(version right)" = 2.0 ]'
		wait_for '[ "$(status_of state) $(status_of phase)" = "busy install" ]'
		wait_for 'grep -q "goes on after a run of an earlier agent" agent.err'
		# no outcome yet, neither for a program that waits for one
		[ "$(status_of settled_cycle)$(jq .rejoin.completed "$state/twins/current.json")" = 0null ]
		alive "$(cat pids)"
		touch go
		wait_for '[ "$(version left) $(status_of state)" = "2.0 idle" ]'
		[ "$(calls left install) $(calls right install)" = '1 1' ]
		grep -q install.sh files
		jq -e '.rejoin.completed == "w1"' "$state/twins/current.json"
		end_pids "$agent_pid"
		[ -z "$(ls -A "$state/runs")" ] && [ ! -e "$state/work" ]
	done
}

@test "a component that is another one when its adopted installation is applied gets the next attempt" {
	# the part is replaced by an old one while the agent is down: install wrote to the one that left
	script '[ "$action" = install ] && { printf "{\"version\":\"%s\"}" "$want" >"$path/fw.json"; until [ -e '"$PWD"'/go ]; do sleep 0.02; done; say 600; }'
	sed -i 's/^\[agent\]/[agent]\nbackoff = 200ms/' "$REJOIN_CONFIG_DIR/agent.conf"
	deploy w1 2.0 motors
	agent
	wait_for '[ "$(calls left install)" = 1 ]'
	kill -KILL "$agent_pid"
	wait_for '! alive "$agent_pid"'
	wait_for '[ "$(version left)" = 2.0 ]'
	fw left 1.0
	touch go
	agent
	wait_for '[ "$(version left) $(version right) $(status_of state)" = "2.0 2.0 idle" ]' 20
	[ "$(calls left install)" = 2 ]
}

@test "what was installed and not applied when the agent ended is only applied" {
	# installed is what apply says
	script '[ "$action" = install ] && { until [ -e '"$PWD"'/go ]; do sleep 0.02; done; say 600; }
		[ "$action" = apply ] && { printf "{\"version\":\"%s\"}" "$want" >"$path/fw.json"; say 700; }'
	deploy w1 2.0 motors
	agent
	wait_for '[ "$(calls left install)" = 1 ]'
	kill -KILL "$agent_pid"
	wait_for '! alive "$agent_pid"'
	touch go
	agent
	settled 1
	[ "$(version left) $(version right) $(status_of state)" = '2.0 2.0 idle' ]
	[ "$(calls left install) $(calls left apply)" = '1 1' ]
}

@test "one whose shim was killed is reported as interrupted, and held" {
	script '[ "$action$id" = installleft ] && { echo $$ >'"$PWD"'/pids; kill -KILL $PPID; sleep 100; }'
	deploy w1 2.0 motors
	agent
	settled 1
	jq -e '.rejoin.results[] | select(.component == "left") | .resultCode == 0 and .extendedResultCode == 1577058308' \
		"$state/twins/current.json"
	[ "$(held) $(version right)" = '[["left",2,3]] 2.0' ]
	wait_for '! alive "$(cat pids)"'
}

@test "handlers have few variables, no terminal, and no privileges to gain" {
	export SECRET=token LD_DEBUG='' NOTIFY_SOCKET=/none
	script 'env >'"$PWD"'/env.$action; sed -n "s/^NoNewPrivs:[[:blank:]]*//p" /proc/self/status >'"$PWD"'/nnp.$action
		cut -d" " -f6,7 /proc/$$/stat >'"$PWD"'/session.$action; echo $$ >>'"$PWD"'/session.$action'
	deploy w1 2.0 motors
	agent
	settled 1
	for action in is-installed install; do
		run grep -E '^(SECRET|LD_DEBUG|NOTIFY_SOCKET)=' "env.$action"
		status_is 1
		[ "$(cat "nnp.$action")" = 1 ]
		# no controlling terminal; its own session
		[ "$(sed -n '1s/.* //p' "session.$action")" = 0 ]
	done
	[ "$(sed -n '1s/ .*//p' session.is-installed)" = "$(sed -n 2p session.is-installed)" ]
}

@test "there is one agent, and a second one names it" {
	agent
	run --separate-stderr rejoin-agent
	status_is 6
	err_has "held by another agent, pid $agent_pid"
}

@test "a full disk is said, and the agent lives" {
	needs_root
	mkdir full
	mount -t tmpfs -o size=256k none full || cannot 'no tmpfs can be mounted here'
	script
	deploy w1 2.0
	start agent rejoin-agent --state "$PWD/full/state"
	wait_for '[ "0$(status_of settled_cycle)" -ge 1 ]'
	head -c 1M /dev/zero >full/fill 2>/dev/null || true
	deploy w2 3.0
	wait_for 'grep -q "No space left on device" agent.err'
	alive "$agent_pid"
	rm full/fill
	retry
	wait_for '[ "$(version left)" = 3.0 ]'
	end_pids "$agent_pid"
	umount full
}

# The version that an install leaves is that of the file dev/ID/becomes, if there is one.
falls_back='[ "$action" = install ] && [ -e "$path/becomes" ] && { printf "{\"version\":\"%s\"}" "$(cat "$path/becomes")" >"$path/fw.json"; say 600; }'

held() { jq -c '[.rejoin.held[] | [.id, .attempt, .attempts]]' "$state/twins/current.json"; }

@test "a device that falls back to its old version is not flashed again and again" {
	script "$falls_back"
	echo 1.0 >dev/left/becomes
	deploy w1 2.0 motors
	agent
	settled 1
	[ "$(status_of state)" = failed ]
	[ "$(version right) $(calls left install)" = '2.0 1' ]
	[ "$(result left) $(result right)" = '0 700' ]
	jq -e '.rejoin.results[] | select(.component == "left") | .extendedResultCode == 1577058305 and
		(.details | startswith("installed, but its own check does not see it"))' "$state/twins/current.json"
	# retries only evaluate
	for i in 2 3 4 5; do retry; settled $i; done
	[ "$(calls left install) $(calls left download)" = '1 1' ]
	[ "$(held)" = '[["left",2,3]]' ]
	run --separate-stderr rejoin-status --json
	[ "$(jq -c '.held[] | [.id, .attempt]' <<<"$output")" = '["left",2]' ]
	# so does a start
	end_pids "$agent_pid"
	agent
	settled 1
	[ "$(calls left install) $(held)" = '1 [["left",2,3]]' ]
	# the frame retry-failed counts anew
	rm dev/left/becomes
	printf 'retry-failed%.0s' 1 | cat - <(head -c 52 /dev/zero) >"$run_dir/commands.fifo"
	settled 2
	[ "$(version left) $(status_of state)" = '2.0 idle' ]
}

@test "attempts are made by themselves when they are due, and end" {
	script "$falls_back"
	conf 'backoff = 300ms' 'max-attempts = 3'
	echo 1.0 >dev/left/becomes
	deploy w1 2.0 motors
	agent
	wait_for '[ "$(calls left install)" = 3 ]'
	settled 3
	n=$(status_of settled_cycle)
	retry
	settled $((n + 1))
	grep -q "not installed after 3 attempts" agent.err
	[ "$(calls left install) $(held) $(status_of state)" = '3 [] failed' ]
	# another deployment, or another version of the device, counts anew
	deploy w2 2.1 motors
	wait_for '[ "$(calls left install)" = 6 ]'
	settled $((n + 4))
	rm dev/left/becomes
	fw left 0.9
	n=$(status_of settled_cycle)
	retry
	settled $((n + 1))
	[ "$(version left) $(status_of state)" = '2.1 idle' ]
}

@test "a device that reports another version each time is bounded, too" {
	script '[ "$action" = install ] && { printf "{\"version\":\"x%s\"}" "$(wc -l <'"$PWD"'/calls/$id.install)" >"$path/fw.json"; say 600; }'
	conf 'backoff = 0s' 'max-attempts = 1'
	deploy w1 2.0 motors
	agent
	settled 1
	for i in {2..16}; do retry; settled $i; done
	[ "$(calls left install)" -le 10 ]
	[ "$(status_of state)" = failed ]
}

@test "one that verifies, and falls back afterwards, is bounded, too" {
	script
	deploy w1 2.0 motors
	agent
	settled 1
	for i in 2 3 4 5; do fw left 1.0; retry; settled $i; done
	[ "$(calls left install)" = 2 ]
	[ "$(held)" = '[["left",3,3]]' ]
	# what is another device is not held back
	printf '{"version":"1.0","serial":"7"}' >dev/left/fw.json
	retry
	settled 6
	[ "$(version left) $(calls left install)" = '2.0 3' ]
}

@test "selectors that match no component are reported" {
	script
	deploy w1 2.0 robots motors
	agent
	settled 1
	jq -e '.rejoin.results[] | select(.step == "step_0.0") | .resultCode == 604 and .details == "no matching components"' \
		"$state/twins/current.json"
	[ "$(version left)" = 2.0 ]
	grep -q 'step_0.0: install: 604: no matching components' agent.err
}

@test "a goal that is not there is reported, and with --once is no success" {
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 3
	err_has "$PWD/goal.json: goal file does not exist"
	agent
	wait_for '[ "$(status_of state)" = idle ]'
	[[ $(status_of note) == *"$PWD/goal.json: goal file does not exist"* ]]
	script
	deploy w1 2.0 motors
	settled 1
	[ -z "$(status_of note)" ]
	# the kept one stays, and its absence is said
	rm goal.json
	wait_for '[[ $(status_of note) == *"$PWD/goal.json: goal file does not exist"* ]]'
	[ "$(status_of workflow)" = w1 ]
	end_pids "$agent_pid"
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 3
	# one that is damaged has failed
	echo '{' >"$state/twins/desired.json"
	agent
	wait_for '[ "$(status_of state)" = failed ]'
	grep -q 'twins/desired.json' <(status_of note)
	deploy w1 2.0 motors
	wait_for '[ "$(status_of state)" = idle ]'
	end_pids "$agent_pid"
	sed -i '/^goal/d' "$REJOIN_CONFIG_DIR/agent.conf"
	rm -r "$state"
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 3
}

@test "what comes online while a cycle runs is updated without a retry" {
	script '[ "$action$id" = installleft ] && { mkdir -p '"$PWD/dev/rear"'; printf "{\"version\":\"1.0\"}" >'"$PWD/dev/rear/fw.json"'; }'
	deploy w1 2.0
	agent
	wait_for '[ "$(version rear)" = 2.0 ]'
	settled 2
	[ "$(status_of retries)" = 0 ]
}

@test "a probe that is online only at the end of each cycle does not make cycles run one after another" {
	# absent at its first call of a cycle, present at the second
	printf '#!/bin/sh\n[ -e %s/flip ] && { rm %s/flip; exit 0; }\ntouch %s/flip; exit 1\n' "$PWD" "$PWD" "$PWD" >probe
	chmod +x probe
	printf '{"components":[%s,{"id":"flap","group":"motors","probe":["%s/probe"]}]}' "$(entry left motors)" "$PWD" \
		>"$REJOIN_CONFIG_DIR/inventory.json"
	script
	deploy w1 2.0 motors
	agent
	settled 2
	read -rt 3 <> <(:) || :
	[ "$(status_of cycle)" -le 2 ]
}

# with_payload FILE - a deployment to the host, with FILE beside the script
with_payload() { # ID VERSION FILE
	goal_forget
	goal_file up/install.sh
	goal_file "$3"
	goal_manifest hosts '{"group":"hosts"}' "$(step "$2" | sed "s/\"f-install.sh\"/&,\"f-$(basename "$3")\"/")" >"up/hosts.$2.json"
	goal_file "up/hosts.$2.json"
	goal_manifest device '{"model":"test"}' "{\"type\":\"reference\",\"detachedManifestFileId\":\"f-hosts.$2.json\"}" >up/manifest.json
	goal "$1" up/manifest.json >goal.new
	mv goal.new goal.json
}

@test "while a large payload is taken in, the agent answers and stops at once" {
	[ "$(df --output=avail -m . | tail -1)" -gt 4000 ] || skip 'less than 4 GB are free'
	script
	if [ -n "${SOAK-}" ]; then truncate -s 2G up/large; else truncate -s 1500M up/large; fi
	with_payload w1 2.0 up/large
	agent
	wait_for '[ "$(status_of phase)" = download ]' 20
	run -0 status-latency "$run_dir/status" retries=1 30 frame "$run_dir/commands.fifo" retry-update
	local counted=$output begun=$EPOCHREALTIME
	run -0 status-latency "$run_dir/status" state=stopping,stopped 30 signal "$(kill -l TERM)" "$agent_pid"
	local said=$output
	wait_for '! alive "$agent_pid"' 6
	[ -z "${SOAK-}" ] || echo "# retry counted after $counted us, stopping said after $said us," \
		"ended after $((${EPOCHREALTIME/[.,]/} - ${begun/[.,]/})) us" >&3
	[ $((${EPOCHREALTIME/[.,]/} - ${begun/[.,]/})) -lt 6000000 ]
	[ "$(status_of state)" = stopped ]
	[ "$(calls host install)" = 0 ]
	# what the killed fetch left is removed by the next start
	touch "$state/twins/.rejoin.abcdef"
	echo '{"workflow":{"action":255,"id":"w1"}}' >goal.json
	agent
	wait_for '[ "$(status_of state)" = idle ]'
	[ -z "$(find "$state" -name '*.part' -o -name '.rejoin.*')" ]
}

# bats test_tags=plain
@test "a long script and manifests that are not cached are taken in by children" {
	needs_strace
	script
	{ echo; head -c 3M /dev/zero | tr '\\0' '#'; } >>up/install.sh
	deploy w1 2.0 motors
	strace -qq -y -e trace=read -o calls.log rejoin-agent -q --once
	[ "$(version left) $(version right)" = '2.0 2.0' ]
	# the agent itself has read neither the script nor, but from the cache, a manifest
	! grep -E 'up/(install.sh|motors)|cache/sha256/[0-9a-f]*>.*, 262144' calls.log
}

@test "payloads that no goal names are kept up to cache-max" {
	script
	conf 'cache-max = 1M'
	agent
	for v in 2.0 3.0 4.0; do
		head -c 700K /dev/urandom >"up/blob$v"
		with_payload "w$v" "$v" "up/blob$v"
		wait_for "[ \"\$(version host)\" = $v ] && [ \"\$(status_of workflow) \$(status_of state)\" = 'w$v idle' ]"
	done
	# the goal's own stays, and at most 1 MiB in all
	[ "$(find "$state/cache" -size +600k | wc -l)" = 1 ]
	cmp "$(find "$state/cache" -size +600k)" up/blob4.0
}

# Backup and restore in the script, which keeps the old version in fw.old.
keeps_old='case $action in
	backup) cp "$path/fw.json" "$path/fw.old"; say 1000 ;;
	restore) mv "$path/fw.old" "$path/fw.json"; say 1100 ;;
	esac'
with_actions() { # ACTIONS - the goal's steps name them
	step() {
		printf '{"handler":"microsoft/script:1","files":["f-install.sh"],"handlerProperties":{'
		printf '"scriptFileName":"install.sh","installedCriteria":"%s","actions":"%s",' "$1" "$actions"
		printf '"arguments":"--id --component-id-val --path --component-prop-val path"}}'
	}
	actions=$1
}

@test "what an install that failed has changed is restored from its backup" {
	with_actions 'backup restore'
	script "$keeps_old"'
		[ "$action" = apply ] && { [ "$id" = left ] && say 0 broken; say 700; }'
	deploy w1 2.0 motors
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 1
	[ "$(version left) $(version right)" = '1.0 2.0' ]
	[ "$(calls left backup) $(calls left restore) $(calls right restore)" = '1 1 0' ]
	jq -e '.rejoin.results[] | select(.component == "left") | .details == "broken; restored" and .resultCode == 0' \
		"$state/twins/current.json"
}

@test "a backup that fails keeps the installation from beginning, and scripts that name no actions get none" {
	with_actions backup
	script '[ "$action$id" = backupleft ] && say 0 "no room"'
	deploy w1 2.0 motors
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 1
	[ "$(calls left install) $(version left) $(result left)" = '0 1.0 0' ]
	rm -rf calls "$state"
	with_actions ''
	script '[ "$action" = apply ] && say 0 broken'
	deploy w2 3.0 motors
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	[ "$(calls left install) $(calls left backup) $(calls left restore)" = '1 0 0' ]
}

@test "an install that was interrupted is restored before the next attempt" {
	with_actions 'backup restore'
	conf 'backoff = 100ms'
	script "$keeps_old"'
		[ "$action$id" = installleft ] && [ ! -e '"$PWD"'/once ] && { touch '"$PWD"'/once; echo "{\"version\":\"half\"}" >"$path/fw.json"; kill -KILL $PPID; sleep 100; }'
	deploy w1 2.0 motors
	agent
	wait_for '[ "$(version left) $(version right)" = "2.0 2.0" ] && [ "$(status_of state)" = idle ]' 20
	[ "$(calls left restore) $(calls left backup)" = '1 2' ]
}

@test "an install that an earlier agent began and that failed is restored, whatever the goal is now" {
	conf 'backoff = 1h'
	long_timeout
	for goal in w2 w1; do
		rm -rf "$state" calls began go
		fw left 1.0
		with_actions 'backup restore'
		script "$keeps_old"'
			[ "$action$id" = installleft ] && { echo "{\"version\":\"half\"}" >"$path/fw.json"
				touch '"$PWD"'/began; until [ -e '"$PWD"'/go ]; do sleep 0.05; done; say 0 broken; }'
		deploy w1 2.0 motors
		agent
		wait_for '[ -e began ]'
		kill -KILL "$agent_pid"
		wait_for '! alive "$agent_pid"'
		# the new goal has nothing for the component
		[ $goal = w1 ] || deploy w2 3.0 robots
		agent
		touch go
		wait_for '[ "$(version left) $(calls left restore)" = "1.0 1" ] && case $(status_of state) in idle|failed) ;; *) false ;; esac' 20
		[ "$(jq -c 'select(.component == "left") | [.workflow, .phase, .details]' "$state/journal.jsonl")" = '["w1","install","broken"]' ]
		# and it is not restored a second time
		answered
		[ "$(calls left restore) $(version left)" = '1 1.0' ]
		end_pids "$agent_pid"
	done
}

@test "a restore before an attempt that fails is tried again, and counts as an attempt" {
	with_actions 'backup restore'
	conf 'backoff = 100ms' 'max-attempts = 3'
	script "$keeps_old"'
		[ "$action$id" = installleft ] && { echo "{\"version\":\"half\"}" >"$path/fw.json"; say 0 broken; }'
	sed -i 's|restore) mv|restore) [ "$id" != left ] \|\| [ -e '"$PWD"'/writable ] \|\| say 0 read-only; mv|' up/install.sh
	deploy w1 2.0 motors
	agent
	# nothing more is installed onto what could not be restored; its version is a new one, so the count
	# began anew once
	wait_for '[ "$(calls left restore)" = 4 ] && [ "$(status_of state)" = failed ]' 20
	[ "$(calls left install) $(version left) $(version right)" = '1 half 2.0' ]
}

@test "rejoin/copy:1 restores a backup after which nothing was installed, and repeats a backup" {
	copy() {
		"$TOP/packaging/handlers.d/rejoin_copy_1" --action "$1" --file new --to "$PWD/to" --as fw.json \
			--work-folder "$PWD/work" --result-file result
		jq -r .resultCode result
	}
	mkdir to work
	echo old >to/fw.json
	echo new >work/new
	[ "$(copy backup) $(copy restore) $(copy restore)" = '1000 1100 1101' ]
	[ "$(copy backup) $(copy backup) $(copy install) $(copy restore) $(cat to/fw.json)" = '1000 1000 600 1100 old' ]
	[ "$(copy backup) $(copy install) $(copy backup) $(copy restore) $(cat to/fw.json)" = '1000 600 1000 1100 new' ]
	[ "$(ls -A to)" = fw.json ]
}

@test "with on-replace = cancel the handler's own cancel runs before it is ended" {
	conf 'on-replace = cancel'
	with_actions cancel
	script '[ "$action" = install ] && { echo $$ >>'"$PWD"'/pids; until [ -e '"$PWD"'/cancelled ]; do sleep 0.02; done; say -1; }
		[ "$action" = cancel ] && { touch '"$PWD"'/cancelled; say 800; }'
	deploy w1 2.0 motors
	agent
	wait_for '[ -s pids ]'
	deploy w2 3.0 robots
	wait_for '[ "$(status_of workflow) $(status_of state)" = "w2 idle" ]'
	[ "$(calls left cancel)" = 1 ]
	run alive "$(cat pids)"
	status_is 1
}

# cancellable KIND - a script whose install goes on until its own cancel, or, where KIND is "none", for ever
cancellable() {
	with_actions "$([ "$1" = none ] || echo cancel)"
	long_timeout
	rm -rf cancelled pids calls
	script '[ "$action" = install ] && { echo $$ >>'"$PWD"'/pids; until [ -e '"$PWD"'/cancelled ]; do sleep 0.02; done; say -1; }
		[ "$action" = cancel ] && { touch '"$PWD"'/cancelled; say 800; }'
}

@test "with on-replace = cancel a new goal ends what an earlier agent left running" {
	conf 'on-replace = cancel'
	for kind in own none back; do
		cancellable "$kind"
		rm -rf "$state"
		deploy w1 2.0 motors
		agent
		wait_for '[ -s pids ]'
		kill -KILL "$agent_pid"
		wait_for '! alive "$agent_pid"'
		if [ "$kind" = back ]; then	# the goal comes after the next start
			agent
			wait_for '[ "$(status_of state) $(status_of phase)" = "busy install" ]'
			echo '{"workflow":{"action":255,"id":"w1"}}' >goal.new
			mv goal.new goal.json
		else
			deploy w2 3.0 robots
			agent
		fi
		wait_for '[ "$(status_of state)" = idle ]'
		run alive "$(cat pids)"
		status_is 1
		[ "$(calls left cancel)" = "$([ "$kind" = none ] && echo 0 || echo 1)" ]
		[ "$(jq -c 'select(.component == "left") | [.workflow, .phase, .resultCode]' "$state/journal.jsonl")" = '["w1","install",-1]' ]
		[ "$(calls left install) $(version left)" = '1 1.0' ]
		end_pids "$agent_pid"
		[ -z "$(ls -A "$state/runs")" ]
	done
}

@test "what an earlier agent left running is spared where a new goal waits, or is the same" {
	waiting_script
	deploy w1 2.0 motors
	agent
	wait_for '[ -s pids ]'
	kill -KILL "$agent_pid"
	wait_for '! alive "$agent_pid"'
	# of another goal, but that one waits
	deploy w2 3.0 motors
	agent
	wait_for '[ "$(status_of state) $(status_of phase)" = "busy install" ]'
	alive "$(cat pids)"
	end_pids "$agent_pid"
	# of the goal that is wanted
	conf 'on-replace = cancel'
	deploy w1 2.0 motors
	agent
	wait_for '[ "$(status_of state) $(status_of phase)" = "busy install" ]'
	alive "$(cat pids)"
	touch go
	wait_for '[ "$(version left) $(version right)" = "2.0 2.0" ]' 20
	[ "$(calls left install)" = 1 ]
}

@test "an agent that waits for an installation ends it when it is taken back, and leaves it when stopped" {
	sed -i '/^stop-grace/d' "$REJOIN_CONFIG_DIR/agent.conf"
	waiting_script
	deploy w1 2.0 motors
	agent
	wait_for '[ -s pids ]'
	deploy w2 3.0 motors
	wait_for 'grep -q w2 "$state/twins/desired.json"'
	echo '{"workflow":{"action":255,"id":"w2"}}' >goal.new
	mv goal.new goal.json
	wait_for '[ "$(status_of state)" = idle ]'
	run alive "$(cat pids)"
	status_is 1
	rm pids
	deploy w3 2.0 motors
	wait_for '[ -s pids ]'
	deploy w4 3.0 motors
	wait_for 'grep -q w4 "$state/twins/desired.json"'
	kill -TERM "$agent_pid"
	wait_for '! alive "$agent_pid"' 8	# less than stop-grace
	alive "$(cat pids)"
	touch go
}

@test "an agent that runs a handler's cancel when it is stopped does not wait for it" {
	conf 'on-replace = cancel'
	cancellable own
	sed -i 's/touch .*cancelled; say 800/trap "" TERM; sleep 100/' up/install.sh
	deploy w1 2.0 motors
	agent
	wait_for '[ -s pids ]'
	deploy w2 3.0 robots
	wait_for '[ "$(calls left cancel)" = 1 ]'
	kill -TERM "$agent_pid"
	wait_for '! alive "$agent_pid"' 8	# less than stop-grace
	alive "$(cat pids)"
	# the next one asks once more, and ends it
	agent
	wait_for '[ "$(status_of workflow) $(status_of state)" = "w2 idle" ]'
	run alive "$(cat pids)"
	status_is 1
	[ "$(calls left cancel)" = 2 ]
}

@test "an update that needs a restart of the agent goes on after it" {
	script '[ "$action" = install ] && say 608
		[ "$action" = apply ] && { printf "{\"version\":\"%s\"}" "$want" >"$path/fw.json"; say 700; }'
	deploy w1 2.0 motors
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 1
	[ "$(calls left install) $(calls left apply) $(version left)" = '1 0 1.0' ]
	[ "$(jq '.deviceUpdate.agent | [.state, .installedUpdateId]' -c "$state/twins/current.json")" = '[6,null]' ]
	# another incarnation: it is applied, and not installed again
	agent
	settled 1
	[ "$(calls left install) $(calls left apply) $(version left) $(status_of state)" = '1 1 2.0 idle' ]
}

@test "an update that needs a reboot waits for it, and the command is run once" {
	script '[ "$action" = install ] && say 606'
	conf "reboot = touch $PWD/rebooted"
	deploy w1 2.0 motors
	agent
	wait_for '[ "$(status_of state)" = needs-reboot ]'
	wait_for '[ -e rebooted ]'
	rm rebooted
	retry
	settled_cycle() { [ "$(status_of settled_cycle)" -ge 2 ] && [ "$(status_of state)" = needs-reboot ]; }
	wait_for settled_cycle
	[ ! -e rebooted ]
	[ "$(calls left install) $(calls left apply)" = '1 0' ]
}

@test "nothing that changes a component begins before the file of hold-until exists" {
	script
	conf "hold-until = $PWD/approved"
	deploy w1 2.0 motors
	agent
	wait_for 'grep -q "held back until" agent.err'
	[ "$(calls left install) $(calls left download)" = '0 0' ]
	touch approved
	wait_for '[ "$(version left) $(version right)" = "2.0 2.0" ]'
}

@test "SIGHUP reads the configuration anew; one that is wrong changes nothing" {
	script
	deploy w1 2.0 motors
	start agent setsid rejoin-agent
	settled 1
	cp goal.json other.json
	sed -i 's/"w1"/"w2"/' other.json
	sed -i "s,^goal = .*,goal = file:$PWD/other.json," "$REJOIN_CONFIG_DIR/agent.conf"
	conf 'max-attempts = none'
	pid=$(sed -n 's/^pid=//p' "$run_dir/status")
	kill -HUP "$pid"
	wait_for 'grep -q "configuration unchanged" agent.err'
	[ "$(status_of workflow)" = w1 ]
	sed -i '/^max-attempts/d' "$REJOIN_CONFIG_DIR/agent.conf"
	kill -HUP "$pid"
	wait_for '[ "$(status_of workflow)" = w2 ]'
	settled 2
	# and the new one is watched
	deploy w3 3.0 motors
	mv goal.json other.json
	wait_for '[ "$(version left)" = 3.0 ]'
	kill -TERM "$pid"
	wait_for '! alive "$pid"'
	# ignored, it stays so
	start agent setsid nohup rejoin-agent
	wait_for '[ "$(status_of state)" = idle ] && [ "$(sed -n "s/^pid=//p" "$run_dir/status")" != "$pid" ]'
	pid=$(sed -n 's/^pid=//p' "$run_dir/status")
	kill -HUP "$pid"
	n=$(status_of settled_cycle)
	retry
	settled $((n + 1))
	[ "$(status_of settled_cycle)" = $((n + 1)) ]
	kill -TERM "$pid"
	wait_for '! alive "$pid"'
}

@test "frames that are none are passed over" {
	script
	deploy w1 2.0
	agent
	settled 1
	printf 'retry-update' >"$run_dir/commands.fifo"
	frame >"$run_dir/commands.fifo"
	settled 2
	printf 'reboot-now%054d' 0 | tr 0 '\0' >"$run_dir/commands.fifo"
	wait_for "grep -q \"command 'reboot-now' is not known\" agent.err"
	# a flood of them is a few lines, and does not keep the agent from stopping
	printf 'nonsense%056d' 0 | tr 0 '\0' >one
	for _ in {1..10}; do cat one one one one one one one one one one; done >many
	for _ in {1..100}; do cat many; done >"$run_dir/commands.fifo"
	wait_for "grep -q \"command 'nonsense' is not known\" agent.err"
	[ "$(wc -l <agent.err)" -lt 300 ]
	[ "$(status_of cycle)" = 2 ]
}

@test "--once ends with how it went" {
	script
	deploy w1 2.0 motors
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 0
	[ "$(version left)" = 2.0 ]
	script 'say 0 broken'
	deploy w2 3.0 motors
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 1
	# what was kept is the goal where none is named
	sed -i '/^goal/d' "$REJOIN_CONFIG_DIR/agent.conf"
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 1
	err_has "no goal: neither --goal nor 'goal' of agent.conf is set"
}

@test "a step of the host that an earlier agent left running holds up the cycle until it ends" {
	long_timeout
	script '[ "$action$id" = installhost ] && { echo $$ >>'"$PWD"'/pids; until [ -e '"$PWD"'/go ]; do sleep 0.02; done; }'
	goal_forget
	goal_file up/install.sh
	goal_manifest motors '{"group":"motors"}' "$(step 2.0)" >up/motors.json
	goal_file up/motors.json
	goal_manifest device '{}' '{"handler":"microsoft/script:1","files":["f-install.sh"],"handlerProperties":{
		"scriptFileName":"install.sh","installedCriteria":"2.0","arguments":"--id host --path '"$PWD"'/dev/host"}},
		{"type":"reference","detachedManifestFileId":"f-motors.json"}' | tr -d '\n\t' >up/manifest.json
	goal w1 up/manifest.json >goal.json
	agent
	wait_for '[ -s pids ]'
	kill -KILL "$agent_pid"
	wait_for '! alive "$agent_pid"'
	agent
	wait_for '[ "$(status_of state) $(status_of phase)" = "busy install" ]'
	retry
	wait_for '[ "$(status_of retries)" = 1 ]'
	[ "$(status_of cycle) $(calls left is-installed)" = '0 0' ]
	touch go
	wait_for '[ "$(version host) $(version left) $(version right) $(status_of state)" = "2.0 2.0 2.0 idle" ]' 20
	[ "$(calls host install)" = 1 ]
}

@test "steps for the host itself are done" {
	goal_forget
	fw host 1.0
	script
	goal_file up/install.sh
	goal_manifest device '{}' '{"handler":"microsoft/script:1","files":["f-install.sh"],"handlerProperties":{
		"scriptFileName":"install.sh","installedCriteria":"2.0","arguments":"--id host --path '"$PWD"'/dev/host"}}' \
		>up/manifest.json
	goal w1 <(tr -d '\n\t' <up/manifest.json) >goal.new
	mv goal.new goal.json
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 0
	[ "$(version host)" = 2.0 ]
	[ "$(result '')" = 700 ]
}

@test "programs run as the user that the settings name" {
	needs_root
	needs setpriv
	sed -i 's/^handler-user.*/handler-user = nobody/' "$REJOIN_CONFIG_DIR/agent.conf"
	chmod 777 dev/* . && chmod 666 dev/*/fw.json
	chmod a+x "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$REJOIN_STATE_DIR" "${REJOIN_STATE_DIR%/*}"
	script 'id -un >>'"$PWD/calls/user"
	chmod 777 calls
	deploy w1 2.0 motors
	chmod 755 .
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 0
	[ "$(version left) $(sort -u calls/user)" = '2.0 nobody' ]
}

@test "several components at a time" {
	script '[ "$action" = install ] && { touch '"$PWD"'/in.$id; n=0; while [ ! -e '"$PWD"'/in.left ] || [ ! -e '"$PWD"'/in.right ]; do
		sleep 0.02; n=$((n + 1)); [ $n -lt 300 ] || say 0 alone; done; }'
	deploy w1 2.0 motors
	run --separate-stderr timeout -k 1 30 rejoin-agent --once --jobs 2
	status_is 0
}

@test "what is wrong is named" {
	run --separate-stderr rejoin-agent operand
	status_is 2
	err_has 'operand: unexpected operand'
	run --separate-stderr rejoin-agent --goal ftp://x
	status_is 2
	err_has "not a goal's address: 'ftp://x'"
	run --separate-stderr rejoin-agent -A adu
	status_is 2
	echo 'nonsense = 1' >>"$REJOIN_CONFIG_DIR/agent.conf"
	run --separate-stderr rejoin-agent
	status_is 2
	err_has "$REJOIN_CONFIG_DIR/agent.conf:7: key 'nonsense' is not known in [agent]"
	sed -i '/nonsense/d; s/^script-timeout.*/script-timeout = 0s/' "$REJOIN_CONFIG_DIR/agent.conf"
	run --separate-stderr rejoin-agent
	status_is 2
	err_has 'script-timeout: is more than 0s'
	sed -i '/script-timeout/d; /stop-grace/d' "$REJOIN_CONFIG_DIR/agent.conf"
	for key in script-timeout stop-grace reboot-timeout backoff; do
		conf "$key = 8784h" "$key = 367d"
		run --separate-stderr rejoin-agent
		status_is 2
		err_has ":6: $key: is more than 366d"
		sed -i "/^$key/d" "$REJOIN_CONFIG_DIR/agent.conf"
	done
	sed -i '/handler-user/d' "$REJOIN_CONFIG_DIR/agent.conf"
	if [ "$(id -u)" = 0 ]; then
		run --separate-stderr rejoin-agent
		status_is 2
		err_has 'handler-user is not set'
	fi
	chmod 666 "$REJOIN_CONFIG_DIR/agent.conf"
	run --separate-stderr rejoin-agent
	status_is 7
	err_has 'agent.conf: writable by others'
	rm "$REJOIN_CONFIG_DIR/agent.conf"
	echo "handler-user = $(id -un)" | sed '1i [agent]' >"$REJOIN_CONFIG_DIR/agent.conf"
	touch file
	run --separate-stderr rejoin-agent --state "$PWD/file/state"
	status_is 3
	err_has 'file/state: Not a directory'
	mkdir -p "$run_dir"
	rm -f "$run_dir/commands.fifo"
	echo >"$run_dir/commands.fifo"
	run --separate-stderr rejoin-agent
	status_is 7
	err_has 'commands.fifo: is not a FIFO'
}

@test "goals and manifests that are wrong are refused, and the old goal stays" {
	script
	deploy w1 2.0
	agent
	settled 1
	for bad in '[]' '{' '{"workflow":{"action":3}}' '{"workflow":{"action":7,"id":"x"}}' \
		'{"workflow":{"action":3,"id":"x"},"updateManifest":{}}' \
		'{"workflow":{"action":3,"id":"x"},"updateManifest":"{\"manifestVersion\":\"3\"}"}' \
		'{"workflow":{"action":3,"id":"x"},"updateManifest":"{\"manifestVersion\":\"4\",\"updateId\":{},\"compatibility\":[],\"instructions\":{\"steps\":[{\"handler\":\"a\",\"files\":[\"none\"]}]}}"}' \
		'{"workflow":{"action":3,"id":"x"},"updateManifest":"{\"manifestVersion\":\"4\",\"updateId\":{},\"compatibility\":[],\"instructions\":{\"steps\":[]},\"files\":{\"f\":{\"fileName\":\"../etc/passwd\",\"hashes\":{\"sha256\":\"Uk1vsEL/nT4btMngo0YSJjheOL2aqm6/EAFhzPb0rXs=\"}}}}"}'; do
		echo "$bad" >goal.new
		mv goal.new goal.json
		wait_for '[ "$(status_of state)" = failed ]'
		[[ $(status_of note) == *goal.json* ]]
		deploy w1 2.0
		wait_for '[ "$(status_of state)" = idle ]'
	done
	[ "$(status_of cycle)" = 1 ]
}

@test "a retry or a goal that comes while it stops does not have it leave its scripts" {
	script '[ "$action" = is-installed ] && { trap "" TERM; echo $$ >'"$PWD"'/pid; while :; do sleep 0.05; done; }'
	for hint in retry 'deploy other 3.0 motors'; do
		deploy w1 2.0 motors
		agent
		wait_for '[ -s pid ]'
		kill -TERM "$agent_pid"
		wait_for '[ "$(status_of state)" = stopping ]'
		$hint
		wait_for '! alive "$agent_pid"'
		run alive "$(cat pid)"
		status_is 1
		[ "$(status_of state)" = stopped ]
		rm pid
	done
}

# Both are seen in one turn of the loop: the agent is stopped meanwhile.
@test "SIGTERM as a script ends, the last one of a cycle or another: the agent ends as well" {
	long_timeout
	for last in 'is-installed 1.0' 'download 1.0' 'install 1.0' 'apply 2.0' 'is-installed 2.0'; do
		script '[ "$action $(sed "s/[^0-9.]//g" "$path/fw.json")" = "'"$last"'" ] && { echo $$ >'"$PWD"'/pid; until [ -e '"$PWD"'/go ]; do sleep 0.02; done; }'
		rm -rf "$state" pid go
		fw front 1.0
		deploy "${last% *}" 2.0 cameras
		agent
		wait_for '[ -s pid ]'
		kill -STOP "$agent_pid"
		touch go
		wait_for '! alive "$(cat pid)"'
		kill -TERM "$agent_pid"
		kill -CONT "$agent_pid"
		wait_for '! alive "$agent_pid"'
		[ "$(status_of state)" = stopped ]
	done
}

@test "what is wrong with a goal is said for as long as it is so" {
	script
	deploy w1 2.0
	cp goal.json good.json
	agent
	settled 1
	echo '{' >goal.new && mv goal.new goal.json
	wait_for '[ "$(status_of state)" = failed ]'
	# a cycle for the goal that was kept does not put the new one right
	retry
	settled 2
	[ "$(status_of state)" = failed ]
	[[ $(status_of note) == *goal.json* ]]
	end_pids "$agent_pid"
	agent
	settled 1
	[ "$(status_of state)" = failed ]
	[[ $(status_of note) == *goal.json* ]]
	cp good.json goal.new && mv goal.new goal.json
	wait_for '[ "$(status_of state)" = idle ]'
	[ "$(status_of note)" = '' ]
	echo '{' >goal.new && mv goal.new goal.json
	wait_for '[ "$(status_of state)" = failed ]'
	rm goal.json
	wait_for '[ "$(status_of state)" = idle ]'
	[[ $(status_of note) == *"/goal.json: goal file does not exist"* ]]
}

@test "a completed deployment that another one has interrupted is run again" {
	long_timeout
	script '[ "$want" = 3.0 ] && [ "$action$id" = installright ] && { until [ -e '"$PWD"'/go ]; do sleep 0.02; done; say 0; }'
	deploy w1 2.0 motors
	cp goal.json one.json
	agent
	settled 1
	deploy w2 3.0 motors
	wait_for '[ "$(calls right install)" = 2 ]'
	[ "$(version left)" = 3.0 ]
	mv one.json goal.json
	wait_for 'grep -q w1 "$state/twins/desired.json"'
	touch go
	settled 3
	[ "$(version left) $(version right)" = '2.0 2.0' ]
	[ "$(jq -r .deviceUpdate.agent.workflow.id "$state/twins/current.json")" = w1 ]
}

@test "a caller that waits for an agent with nothing to run is told so" {
	export REJOIN_AGENT=rejoin
	echo '{"workflow":{"action":255,"id":"nodeployment"}}' >goal.json
	agent
	wait_for '[ "$(status_of state)" = idle ]'
	run --separate-stderr rejoin-retry --wait --debounce 0s --timeout 10s
	status_is 0
	echo '{' >goal.new && mv goal.new goal.json
	wait_for '[ "$(status_of state)" = failed ]'
	run --separate-stderr rejoin-retry --wait --debounce 0s --timeout 10s
	status_is 1
	err_has goal.json
	# it is restarted while a caller waits, and then has no goal that it would take
	script '[ -e '"$PWD"'/block ] && sleep 100'
	touch block
	deploy w1 2.0 motors
	wait_for '[ "$(calls left is-installed)" = 1 ]'
	start waiter rejoin-retry --force --wait --debounce 0s --timeout 20s
	wait_for '[ "$(status_of pending)" = yes ]'
	kill -KILL "$agent_pid"
	wait_for '! alive "$agent_pid"'
	echo '{' >goal.new && mv goal.new goal.json
	rm "$state/twins/desired.json"
	agent
	wait_for '! alive "$waiter_pid"'
	run wait "$waiter_pid"
	status_is 1
}

@test "a state directory has one agent, whatever its profile; a relative one is its own" {
	sed "s,/agent/,/other/," "$REJOIN_CONFIG_DIR/agents.d/rejoin.conf" >"$REJOIN_CONFIG_DIR/agents.d/other.conf"
	agent
	run --separate-stderr timeout -k 1 10 rejoin-agent -A other --once
	status_is 6
	err_has "$state"
	end_pids "$agent_pid"
	script 'sleep 100'
	deploy w1 2.0 motors
	start agent rejoin-agent --state mine
	wait_for '[ "$(calls left is-installed)" = 1 ]'
	mkdir elsewhere
	echo '{"workflow":{"action":255,"id":"none"}}' >elsewhere/goal.json
	(cd elsewhere && timeout -k 1 10 rejoin-agent -A other --goal "file:$PWD/goal.json" --state mine --once)
	grep -lzsq "REJOIN_RUN=.*/mine/work" /proc/[0-9]*/environ
	alive "$agent_pid"
	[ "$(status_of state)" = busy ]
}

@test "what could not be removed of an earlier run is in no task's way" {
	needs_root
	mkdir -p "$state/work/work.1"
	mount -t tmpfs none "$state/work/work.1" || cannot 'no tmpfs can be mounted here'
	script
	deploy w1 2.0 motors
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	umount "$state/work/work.1"
	status_is 0
	[ "$(version left) $(version right)" = '2.0 2.0' ]
}

@test "what a script prints is logged line by line, marked, and imitates no line of the agent" {
	script '[ "$action$id" = installleft ] && { seq -f "line %g of many" 1000 >&2; printf "x\rrejoin-agent: forged\nrejoin-agent: workflow w9: at its goal\n"; }
		[ "$action$id" = installright ] && say 0 "no\\nrejoin-agent: workflow w9: at its goal"'
	deploy w1 2.0 motors
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 1
	err_has $'\nrejoin-agent: step_0.0: left: install| line 999 of many\nrejoin-agent: step_0.0: left: install| line 1000 of many\n'
	err_has 'step_0.0: left: install| rejoin-agent: workflow w9: at its goal'
	err_has 'step_0.0: left: install| x rejoin-agent: forged'
	err_has 'right: install: 0: no rejoin-agent: workflow w9'
	[ "$(grep -c '^rejoin-agent: workflow w9' <<<"$stderr")" = 0 ]
	[ -z "$(tr -d -c '\r' <<<"$stderr")" ]
}

@test "one that is started as soon as another was killed has its place" {
	needs_strace
	script
	deploy w1 2.0 motors
	start tracer strace -f -qq -o /dev/null -e trace=execve -e inject=execve:delay_enter=500ms:when=1+ rejoin-agent
	# a child that is not yet another program has all that is open in its parent
	wait_for 'pid=$(status_of pid) && [ -n "$pid" ] && [ -n "$(cat "/proc/$pid/task/$pid/children" 2>/dev/null)" ]'
	kill -KILL "$pid"
	wait_for '! alive "$pid"'
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 0
	[ "$(version left) $(version right)" = '2.0 2.0' ]
}

# Nothing is installed twice that IsInstalled can see, nothing reported is lost,
# nothing half-written is read.
# The state "unreadable" is not offline: one that is away, and whose version file could not be
# looked for, is tried, and fails.  That stays its last result; the report of what is there is good.
good_after_kill() {
	rejoin-agent -q --once --jobs 2 &&
		[ "$(version left) $(version right) $(version front)" = '2.0 2.0 2.0' ] &&
		[ ! -e doubled ] && jq -e . "$state/journal.jsonl" >/dev/null &&
		[ "$(jq '[.rejoin.results[] | select(.component != "rear")] | length' "$state/twins/current.json")" = 3 ] &&
		[ "$(jq '[.deviceUpdate.agent.lastInstallResult.stepResults[] | select(.resultCode <= 0)] | length' \
			"$state/twins/current.json")" = 0 ] &&
		[ "$(jq -r .deviceUpdate.agent.state "$state/twins/current.json")" = 0 ] &&
		[ "$(jq -r '.component | select(. != "" and . != "rear")' "$state/journal.jsonl" | sort -u | wc -l)" = 3 ] &&
		[ "$(jq 'select(.component == "rear" and .resultCode > 0)' "$state/journal.jsonl" | wc -l)" = 0 ]
}

# bats test_tags=plain
@test "killed at any call that changes something, the next start makes it good" {
	needs_strace
	conf 'backoff = 0s'
	script '[ "$action" = install ] && grep -q "\"$want\"" "$path/fw.json" && touch '"$PWD/doubled"
	deploy w1 2.0
	export state run_dir
	export -f fw version good_after_kill
	KILLWALK_MAX=${KILLWALK_MAX:-50} KILLWALK_FOLLOW='' "$TOP/test/fault/killwalk.sh" \
		'openat,write,pwrite64,rename,unlink,unlinkat,rmdir,mkdir,mknodat,fchmod,chmod,ftruncate,fdatasync,fsync,copy_file_range,clone3' \
		'rm -rf "$state" "$run_dir"; for c in left right front; do fw $c 1.0; done' \
		'rejoin-agent -q --once --jobs 2' good_after_kill
}

@test "no matching components is said of what is known, and until there are some" {
	script
	deploy w1 2.0
	cp "$REJOIN_CONFIG_DIR/inventory.json" whole.json
	jq '.components |= map(select(.group != "cameras"))' whole.json >"$REJOIN_CONFIG_DIR/inventory.json"
	none() { jq -c '[.rejoin.results[] | select(.resultCode == 604) | .step]' "$state/twins/current.json"; }
	rejoin-agent -q --once
	[ "$(none)" = '["step_1.0"]' ]
	cp whole.json "$REJOIN_CONFIG_DIR/inventory.json"
	rejoin-agent -q --once
	[ "$(none) $(version front)" = '[] 2.0' ]
	# one that cannot be read may match; the script waits for a writer of the pipe until its deadline
	sed -i 's/^script-timeout.*/script-timeout = 2s/' "$REJOIN_CONFIG_DIR/agent.conf"
	rm -rf "$state" dev/front/fw.json
	mkfifo dev/front/fw.json
	run --separate-stderr rejoin-agent --once
	status_is 1
	[ "$(none)" = '[]' ]
	err_has front
}

# After a call that failed: what is said to be done is done, and known; and the next
# start makes good what is not.
good_after_error() {
	if [ "$walk_status" -eq 0 ]; then
		[ "$(version left) $(version right) $(version front)" = '2.0 2.0 2.0' ] &&
			[ "$(jq -r .deviceUpdate.agent.state "$state/twins/current.json")" = 0 ] || return
	fi
	good_after_kill
}

# bats test_tags=plain
@test "with any call that fails once, nothing is said that is not so, and the next start makes it good" {
	needs_strace
	conf 'backoff = 0s'
	script
	deploy w1 2.0
	export state run_dir
	export -f fw version good_after_kill good_after_error
	ERRORWALK_MAX=${ERRORWALK_MAX:-50} "$TOP/test/fault/errorwalk.sh" \
		'openat,read,write,pwrite64,rename,unlink,unlinkat,rmdir,mkdir,mknodat,fchmod,chmod,ftruncate,fdatasync,fsync,copy_file_range,clone3,pipe2,epoll_create1,inotify_init1,inotify_add_watch,getdents64,fcntl,socketpair' \
		'rm -rf "$state" "$run_dir"; for c in left right front; do fw $c 1.0; done' \
		'rejoin-agent -q --once --jobs 2' good_after_error
}

# bats test_tags=plain
@test "what is renamed into place is on disk first, and so is the journal" {
	needs_strace
	script
	deploy w1 2.0
	strace -qq -y -e trace=fsync,fdatasync,rename,write -o calls.log rejoin-agent -q --once
	# each twin: fsync of the new file, rename, fsync of the directory
	awk -v state="$state" '
		/^fsync\(/ { synced = $0 }
		/^rename\(.*twins/ { if (synced !~ /twins\/\.rejoin/) { print "not synced before: " $0; bad = 1 } renamed = $0; next }
		renamed && /^(fsync|write)/ { if ($0 !~ /^fsync\([0-9]+<.*twins>/) { print "directory not synced after: " renamed; bad = 1 } renamed = "" }
		END { exit bad }' calls.log
	# what was installed is in the journal, on disk, before the report that says so
	grep -n 'journal.jsonl\|twins/current' calls.log >order
	last_write=$(grep -n 'write(.*journal.jsonl' calls.log | tail -1 | cut -d: -f1)
	last_sync=$(grep -n 'fdatasync(.*journal.jsonl' calls.log | tail -1 | cut -d: -f1)
	report=$(grep -n 'rename(.*twins/current' calls.log | tail -1 | cut -d: -f1)
	[ "$last_write" -lt "$last_sync" ] && [ "$last_sync" -lt "$report" ]
}

@test "--verify says what a goal holds, and whether it may be trusted" {
	local data=$TOP/test/data/adu
	# no root key is trusted until it is put there
	run --separate-stderr rejoin-agent --verify "$data/signed-good.json"
	status_is 7
	mkdir -p "$REJOIN_CONFIG_DIR/rootkeys.d"
	cp "$TOP/packaging/examples/rootkeys-azure.json" "$REJOIN_CONFIG_DIR/rootkeys.d/"
	run --separate-stderr rejoin-agent --verify "$data/signed-good.json"
	status_is 0
	out_has 'signed ADU.200702.R ADU.'
	out_has 'step 1 microsoft/apt:1'
	out_has 'step 2 reference f222b9ffefaaac577'
	out_has 'unchecked'
	run --separate-stderr rejoin-agent --verify "$data/signed-hash-mismatch.json"
	status_is 7
	out_has 'signature refused'
	[[ $output != *unsigned* ]]
	err_has 'hash'
	# neither is one without a signature, whatever agent.conf allows; nor one whose file is another
	script
	deploy w1 2.0 motors
	run --separate-stderr rejoin-agent --verify goal.json
	status_is 7
	err_has 'is not signed'
	out_has $'\nunsigned\n'
	out_has 'step 1 reference f-motors.2.0.json'
	out_has 'step 1.1 microsoft/script:1'
	out_has 'install.sh'
	out_has 'verified'
	echo >>up/install.sh
	run --separate-stderr rejoin-agent --verify goal.json
	status_is 7
	out_has 'wrong'
	deploy $'w\\u000a1' 2.0 motors
	run --separate-stderr rejoin-agent --verify goal.json
	out_has 'workflow w\x0a1'
	run --separate-stderr rejoin-agent --verify none.json
	status_is 3
	err_has 'none.json: No such file'
	echo '{}' >none.json
	run --separate-stderr rejoin-agent --verify none.json
	status_is 2
}

@test "--verify checks the files of detached manifests, too, and leaves nothing behind" {
	needs openssl
	own_root_key
	script
	deploy w1 2.0 motors
	sign_goal
	mkdir tmp
	export TMPDIR=$PWD/tmp
	run --separate-stderr rejoin-agent --verify goal.json
	status_is 0
	out_has 'signed R S'
	out_has 'step 1.1 microsoft/script:1'
	[ "$(grep -c ' verified$' <<<"$output")" = 3 ]
	# only the detached manifest names this file
	jq -c '.updateManifest |= (fromjson | del(.files["f-install.sh"]) | tojson)' goal.json >goal.new
	mv goal.new goal.json
	sign_goal
	run --separate-stderr rejoin-agent --verify goal.json
	status_is 0
	[ "$(grep -c ' verified$' <<<"$output")" = 2 ]
	echo >>up/install.sh
	run --separate-stderr rejoin-agent --verify goal.json
	status_is 7
	out_has 'f-install.sh install.sh'
	out_has 'wrong'
	err_has 'file f-install.sh (install.sh): is not what its hash says'
	echo >>up/motors.2.0.json
	run --separate-stderr rejoin-agent --verify goal.json
	status_is 7
	# a detached manifest with the right hash that is none
	script
	deploy w1 2.0 motors
	echo '{}' >up/motors.2.0.json
	goal_forget
	goal_file up/motors.2.0.json
	goal_manifest device '{"model":"test"}' '{"type":"reference","detachedManifestFileId":"f-motors.2.0.json"}' >up/manifest.json
	goal w2 up/manifest.json >goal.json
	sign_goal
	run --separate-stderr rejoin-agent --verify goal.json
	status_is 2
	err_has 'motors.2.0.json: manifestVersion'
	[ -z "$(ls tmp)" ]
}

@test "a goal whose permission is taken away is not carried out any more" {
	needs openssl
	own_root_key
	# a missing component keeps the deployment waiting, and a retry would carry it out
	rm -r dev/left
	script
	deploy w1 2.0 motors
	agent
	settled 1
	# unsigned goals are no longer accepted
	sed -i 's/^allow-unsigned.*/allow-unsigned = no/' "$REJOIN_CONFIG_DIR/agent.conf"
	kill -HUP "$agent_pid"
	wait_for '[ "$(status_of state)" = failed ]'
	[[ $(status_of note) == *'goal w1: is not signed'* ]]
	mkdir dev/left
	fw left 1.0
	answered
	[ "$(status_of state) $(status_of cycle) $(version left)" = 'failed 1 1.0' ]
	# one that is signed is, until its root key is disabled or gone
	deploy w2 2.0 motors
	sign_goal
	wait_for '[ "$(version left)" = 2.0 ] && [ "$(status_of state)" = idle ]'
	mv "$REJOIN_CONFIG_DIR/rootkeys.d/own.json" .
	fw left 1.0
	answered
	[ "$(status_of state) $(version left)" = 'failed 1.0' ]
	[[ $(status_of note) == *"root key 'R' is not trusted here"* ]]
	# and again when it is trusted again
	mv own.json "$REJOIN_CONFIG_DIR/rootkeys.d/"
	answered
	wait_for '[ "$(version left)" = 2.0 ] && [ "$(status_of state)" = idle ]'
	[ -z "$(status_of note)" ]
}

@test "microsoft/swupdate:2 gets the image and the configuration's pairs, and its result file counts" {
	script 'echo "$action $*" >/dev/null'
	cat >up/install.sh <<-EOF
	#!/bin/sh
	printf '%s|' "\$@" >>$PWD/argv; echo >>$PWD/argv
	while [ \$# -gt 0 ]; do
		case \$1 in
		--action-*) action=\${1#--action-} ;;
		--swu-file) swu=\$2; shift ;;
		--path) path=\$2; shift ;;
		--result-file) result=\$2; shift ;;
		esac
		shift
	done
	say() { printf '{"resultCode":%d,"extendedResultCode":0,"resultDetails":""}' \$1 >"\$result"; exit 9; }
	case \$action in
	is-installed) grep -q '"2.0"' "\$path/fw.json" && say 900; say 901 ;;
	download) say 500 ;;
	install) cat "\$swu" >"\$path/fw.json"; say 600 ;;
	apply) say 700 ;;
	esac
	EOF
	printf '{"version":"2.0"}\n' >up/os.swu
	echo '{"--log-file":"/tmp/x y"}' >"$REJOIN_CONFIG_DIR/swupdate-handler-config.json"
	goal_forget
	goal_file up/install.sh
	goal_file up/os.swu
	goal_manifest motors '{"group":"motors"}' '{"handler":"microsoft/swupdate:2","files":["f-install.sh","f-os.swu"],"handlerProperties":{"scriptFileName":"install.sh","swuFileName":"os.swu","arguments":"--path ${du_component_prop} path"}}' >up/motors.json
	goal_file up/motors.json
	goal_manifest device '{"model":"test"}' '{"type":"reference","detachedManifestFileId":"f-motors.json"}' >up/manifest.json
	goal w1 up/manifest.json >goal.json
	run --separate-stderr rejoin-agent --once
	status_is 0
	[ "$(version left) $(version right)" = '2.0 2.0' ]
	grep -q '^--action-install|--swu-file|/.*/os.swu|--log-file|/tmp/x y|--path|/.*/dev/left|--work-folder|.*/aduc_result.json|$' argv
	# what is no pair of texts is no configuration
	echo '{"--log-level":3}' >"$REJOIN_CONFIG_DIR/swupdate-handler-config.json"
	fw left 1.0
	run --separate-stderr rejoin-agent --once
	status_is 1
	err_has 'swupdate-handler-config.json: --log-level is a number, not a string'
}

@test "a failed microsoft/swupdate:2 is undone by its action cancel, which must answer 800" {
	cat >up/install.sh <<-EOF
	#!/bin/sh
	action=\$(printf %s "\$1" | cut -d- -f4-)
	for result; do [ "\${name-}" != --result-file ] || break; name=\$result; done
	echo "\$action" >>$PWD/actions
	say() { printf '{"resultCode":%d,"extendedResultCode":%d,"resultDetails":"%s"}' \$1 \$2 "\$3" >"\$result"; exit 0; }
	case \$action in
	is-installed) say 901 0 ;;
	download) say 500 0 ;;
	install) say 600 0 ;;
	apply) say 0 77 'no such slot' ;;
	cancel) say \$(cat $PWD/answer) 0 ;;
	esac
	EOF
	echo image >up/os.swu
	swupdate() { # ID ANSWER DETAILS [OPTION...]
		local id=$1 details=$3
		echo "$2" >answer
		: >actions
		shift 3
		rejoin-goal make --id "$id" --step microsoft/swupdate:2 '{"group":"motors"}' up/os.swu up/install.sh --criteria 2.0 "$@"
		run --separate-stderr rejoin-goal check goal.json
		status_is 0
		run --separate-stderr timeout -k 1 30 rejoin-agent --once -j 1
		status_is 1
		jq -se --arg id "$id" --arg d "$details" '[.[] | select(.workflow == $id and .resultCode == 0)] as $r |
			$r != [] and all($r[]; .extendedResultCode == 77 and .details == $d)' "$state/journal.jsonl"
	}
	swupdate w1 800 'no such slot; restored'
	[ "$(tr '\n' ' ' <actions)" = 'is-installed download install apply cancel is-installed download install apply cancel ' ]
	swupdate w2 801 'no such slot; not restored: cancel answered 801, not 800'
	swupdate w3 -1 'no such slot; not restored: '
	# a script that says that it has a restore is asked for that
	swupdate w4 800 'no such slot' --property 'actions=restore'
	run grep -c cancel actions
	out_is 0
}

# fake_apt - dpkg-query, apt-get and dpkg that work on the file installed, a line "NAME VERSION"; calls are in apt.log
fake_apt() {
	mkdir -p fake
	: >installed
	cat >fake/apt-get <<-EOT
	#!/bin/sh
	echo "\$(id -un) apt-get \$*" >>$PWD/apt.log
	[ ! -e $PWD/broken ] || { echo 'Reading...'; echo "E: Unable to locate package \$(cat $PWD/broken)" >&2; exit 100; }
	case " \$* " in *' update '*|*' --download-only '*) exit 0 ;; esac
	while [ "\$1" != -- ]; do shift; done
	shift
	for p; do
		n=\${p%%=*}
		sed -i "/^\${n%-} /d" $PWD/installed
		case \$p in *-) ;; *=*) echo "\$n \${p#*=}" >>$PWD/installed ;; *) echo "\$n 9" >>$PWD/installed ;; esac
	done
	EOT
	cat >fake/dpkg-query <<-EOT
	#!/bin/sh
	for n; do :; done
	sed -n "s/^\$n /installed /p" $PWD/installed | grep . || exit 1
	EOT
	printf '#!/bin/sh\necho "%s dpkg $*" >>%s/apt.log\n' "$(id -un)" "$PWD" >fake/dpkg
	printf '#!/bin/sh\n[ "$1" = -n ] && shift && exec "$@"\n' >fake/sudo
	chmod 755 fake/*
}

@test "microsoft/apt:1 installs the packages of its manifest, and dpkg says when they are" {
	fake_apt
	PATH=$PWD/fake:$PATH
	apt_goal() { # ID PACKAGES [MORE]
		printf '{"name":"edge","version":"1.0","packages":[%s]%s}' "$2" "${3-}" >apt.json
		rejoin-goal make --id "$1" --step microsoft/apt:1 host apt.json
	}
	apt_goal w1 '{"name":"thermo","version":"1.0.1"},{"name":"old-"}'
	echo 'old 3' >installed
	run --separate-stderr rejoin-goal check goal.json
	status_is 0
	run --separate-stderr rejoin-installed -m goal.json - <<<'{"id":"host"}'
	status_is 1
	[ "$(jq -r .reason <<<"$output" | head -1)" = 'step_0: thermo is not installed, old is at 3' ]
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 0
	[ "$(cat installed)" = 'thermo 1.0.1' ]
	grep -q 'apt-get -y .* update$' apt.log
	grep -q 'apt-get .* install --download-only -- thermo=1.0.1 old-$' apt.log
	grep -q 'dpkg --configure -a$' apt.log
	[[ $(tail -1 apt.log) == *'install -- thermo=1.0.1 old-' ]]
	run --separate-stderr rejoin-installed -m goal.json - <<<'{"id":"host"}'
	status_is 0
	# what is installed is not installed again
	rm apt.log
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 0
	[ ! -e apt.log ]
	# what apt says is the reason
	echo nosuch >broken
	apt_goal w2 '{"name":"nosuch"}'
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 1
	tail -3 "$state/journal.jsonl"
	jq -se 'any(.[]; .details == "E: Unable to locate package nosuch" and .extendedResultCode == 807403776)' "$state/journal.jsonl"
	rm broken
	# a manifest that is none runs nothing
	rm apt.log
	apt_goal w3 '{"name":"-oDir=x"}'
	run --separate-stderr rejoin-goal check goal.json
	status_is 1
	out_has "'-oDir=x' is not the name of a package"
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 1
	[ ! -e apt.log ]
}

# measure - MEMORY in KiB, DESCRIPTORS and FILES of the agent and its directories, DISK in KiB
measure() {
	memory=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$agent_pid/status")
	descriptors=$(ls "/proc/$agent_pid/fd" | wc -l)
	files=$(find "$state" "$run_dir" | wc -l)
	disk=$(du -sk "$state" | cut -f1)
	echo "# cycle $1: $memory KiB resident, $descriptors descriptors, $files files, $disk KiB on disk" >&3
}

# cycle_ended N - wait until that many have; without a process, there are many
cycle_ended() {
	local key value settled=0
	until [ "$settled" -ge "$1" ]; do
		read -rt 0.005 -u "$idle" _ || :
		alive "$agent_pid" || return
		while IFS='=' read -r key value; do
			[ "$key" != settled_cycle ] || settled=$value
		done <"$run_dir/status"
	done
}

# bats test_tags=soak
@test "soak: ten thousand cycles leave memory, descriptors, files and disk as they were" {
	local n=1 early=500 cycles=${CYCLES:-10000} idle
	script
	deploy w1 2.0 motors
	agent
	frame >a-frame
	mkfifo none
	exec {idle}<>none
	cycle_ended 1
	while [ "$n" -lt "$cycles" ]; do
		n=$((n + 1))
		if [ $((n % 100)) -eq 0 ]; then	# a deployment to install
			echo '{"version":"1.0"}' >dev/left/fw.json
			deploy "w$n" 2.0 motors
		elif [ $((n % 10)) -eq 0 ]; then	# one that is installed
			deploy "w$n" 2.0 motors
		else
			cat a-frame >"$run_dir/commands.fifo"
		fi
		cycle_ended "$n"
		[ $((n % 1000)) -ne 0 ] && [ "$n" -ne "$early" ] || measure "$n"
		if [ "$n" -eq "$early" ]; then
			local memory_then=$memory descriptors_then=$descriptors files_then=$files
		fi
	done
	[ "$(version left) $(status_of state) $(calls left install)" = "2.0 idle $((n / 100 + 1))" ]
	[ "$memory" -le $((memory_then + 1024)) ]
	[ "$descriptors" -eq "$descriptors_then" ]
	[ "$files" -le $((files_then + 4)) ]	# each journal is two files at most
	[ "$disk" -le $((64 * 1024)) ]
}

# A goal's place, in the mounts of the agent alone.
goal_at() { # PATH
	rm -rf "$state"
	fw left 1.0
	fw right 1.0
	sed -i "s,^goal = .*,goal = file:$PWD/$1," "$REJOIN_CONFIG_DIR/agent.conf"
	start agent own-mounts rejoin-agent
	wait_for '[ "$(status_of state)" = idle ]'
}
goal_is_followed() { wait_for "[ \"\$(version left) \$(version right) \$(status_of state)\" = '$1 $1 idle' ]" 30; } # VERSION
goal_becomes() { cp "$1" goal.new && mv goal.new "$2"; } # FILE PATH
inside() { nsenter -t "$agent_pid" -m "$@"; }

@test "a goal is seen where a file system is mounted over its directory, or over itself, and where that ends" {
	needs_mounts
	script
	deploy w1 2.0 motors && mv goal.json g1
	deploy w2 3.0 motors && mv goal.json g2
	mkdir data other
	goal_becomes g1 data/goal.json
	goal_at data/goal.json
	goal_is_followed 2.0
	inside mount -t tmpfs none "$PWD/data"
	wait_for '[[ $(status_of note) == *"goal file does not exist"* ]]'
	inside cp "$PWD/g2" "$PWD/data/goal.json"
	goal_is_followed 3.0
	inside umount "$PWD/data"
	goal_is_followed 2.0
	cp g1 other/goal.json
	inside mount --bind "$PWD/other/goal.json" "$PWD/data/goal.json"
	cat g2 >other/goal.json	# in place: it stays that mount's inode
	goal_is_followed 3.0
}

@test "a goal is seen where links above it are switched, and directories replaced" {
	script
	deploy w1 2.0 motors && mv goal.json g1
	deploy w2 3.0 motors && mv goal.json g2
	mkdir -p r1 r2 top/gd next/gd
	cp g1 r1/goal.json && cp g1 top/gd/goal.json
	cp g2 r2/goal.json && cp g2 next/gd/goal.json
	# one link above
	ln -s r1 current
	goal_at current/goal.json
	goal_is_followed 2.0
	ln -s r2 new && mv -T new current
	goal_is_followed 3.0
	end_pids "$agent_pid"
	# two, and the file itself one, as Kubernetes mounts a ConfigMap
	mkdir map
	ln -s ../r1 map/..data && ln -s ..data/goal.json map/goal.json
	goal_at map/goal.json
	goal_is_followed 2.0
	ln -s ../r2 map/..new && mv -T map/..new map/..data
	goal_is_followed 3.0
	end_pids "$agent_pid"
	# the directory above is another one, then none, then there again
	goal_at top/gd/goal.json
	goal_is_followed 2.0
	mv top old && mv next top
	goal_is_followed 3.0
	rm -r top
	wait_for '[[ $(status_of note) == *"goal file does not exist"* ]]'
	mkdir -p top/gd
	goal_becomes g1 top/gd/goal.json
	goal_is_followed 2.0
}

@test "a log that is read no more ends no agent" {
	script
	deploy w1 2.0 motors
	mkfifo log
	start agent sh -c 'exec rejoin-agent 2>log'
	head -n 1 log >first
	settled 1
	for i in 2 3; do
		retry
		settled $i
	done
	alive "$agent_pid"
	[ "$(version left) $(status_of state)" = '2.0 idle' ]
}

@test "files that may not grow are errors of a write, and no later start suffers from them" {
	script
	head -c 300000 /dev/zero >up/large
	fw host 1.0
	with_payload w1 2.0 up/large
	for blocks in 0 1 2 4 16 64 256; do	# KiB
		# through a pipe: the limit counts for a file that takes the messages, too
		run bash -c "set -o pipefail; (ulimit -f $blocks; exec timeout -k 1 30 rejoin-agent --once) 2>&1 | cat"
		case $status in 1 | 3) ;; *) status_is 1 ;; esac
		out_has 'File too large'
	done
	[ "$(version host)" = 1.0 ]
	run --separate-stderr timeout -k 1 30 rejoin-agent --once
	status_is 0
	[ "$(version host) $(calls host install)" = '2.0 1' ]
}

# What only evaluates has no shim: nothing that it starts may get away from rejoin-guard either.
@test "what is-installed and download start ends with them, without session, environment and parent" {
	local away='trap \"\" TERM; echo \$\$ >>'"$PWD"'/away.\$0; exec sleep 100'
	sed -i 's/^script-timeout.*/script-timeout = 2s/; s/^stop-grace.*/stop-grace = 200ms/' "$REJOIN_CONFIG_DIR/agent.conf"
	script '[ "$id" = left ] && [ -e '"$PWD"'/$action ] && {
			(setsid env -i PATH="$PATH" sh -c "'"$away"'" $action </dev/null >/dev/null 2>&1 &)
			setsid env -i PATH="$PATH" sh -c "'"$away"'" $action & sleep 100; }'
	deploy w1 2.0 motors
	for action in is-installed download; do
		rm -rf "$state" is-installed download
		touch $action
		agent
		settled 1
		[ "$(version left) $(version right)" = '1.0 2.0' ]
		for pid in $(cat away.$action); do
			run alive "$pid"
			status_is 1
		done
		[ "$(wc -l <away.$action)" -ge 2 ]
		# nor from an agent that is killed while they run
		: >away.$action
		frame >"$run_dir/commands.fifo"
		fw left 1.0
		wait_for '[ "$(wc -l <away.$action)" -ge 2 ]' 20
		kill -KILL "$agent_pid"
		for pid in $(cat away.$action); do wait_for '! alive $pid' 20; done
		rm -f "$run_dir/status"
	done
}

# The lines of the deadline, of an action under the shim: what left the session, and what has no environment.
@test "children that left the session or have no environment end at the deadline" {
	sed -i 's/^script-timeout.*/script-timeout = 3s/; s/^stop-grace.*/stop-grace = 200ms/' "$REJOIN_CONFIG_DIR/agent.conf"
	script '[ "$action$id" = installleft ] && { cd '"$PWD"'
			setsid sh -c "echo \$\$ >a; trap \"\" TERM; sleep 100" & env -i sh -c "echo \$\$ >b; trap \"\" TERM; sleep 100" &
			setsid env -i sh -c "(trap \"\" TERM; echo >c.new; exec sleep 100) & echo \$! >c" & wait; sleep 100; }'
	deploy w1 2.0 motors
	agent
	wait_for '[ -s a ] && [ -s b ] && [ -s c ]'
	settled 1
	for child in a b c; do
		run alive "$(cat $child)"
		status_is 1
	done
	[ "$(version left) $(version right) $(result left)" = '1.0 2.0 0' ]
	jq -e '.rejoin.results[] | select(.component == "left") | .details | contains("did not end within 3 s")' "$state/twins/current.json"
}

# bats test_tags=soak
@test "soak: a probe that is online only at the end of each cycle makes at most one cycle a minute" {
	printf '#!/bin/sh\n[ -e %s/flip ] && { rm %s/flip; exit 0; }\ntouch %s/flip; exit 1\n' "$PWD" "$PWD" "$PWD" >probe
	chmod +x probe
	printf '{"components":[%s,{"id":"flap","group":"motors","probe":["%s/probe"]}]}' "$(entry left motors)" "$PWD" \
		>"$REJOIN_CONFIG_DIR/inventory.json"
	script
	deploy w1 2.0 motors
	agent
	settled 2
	local n
	n=$(status_of cycle)
	read -rt 250 <> <(:) || :
	[ "$(status_of cycle)" -gt "$n" ]
	[ "$(status_of cycle)" -le $((n + 4)) ]
}

@test "microsoft/apt:1 as another user: where sudo gains no privileges, install fetches as well" {
	needs_root
	needs setpriv
	fake_apt
	chmod 777 . fake installed
	local apt=$PWD/rejoin-apt
	cp "$B/libexec/rejoin/rejoin-apt" "$apt"
	chmod 755 "$apt"
	echo '{"name":"edge","version":"1.0","packages":[{"name":"thermo","version":"1.0.1"}]}' >apt.json
	as_user() { # ACTION [OPTION]
		setpriv --reuid 65534 --regid 65534 --clear-groups "${@:2}" env PATH="$PWD/fake:$PATH" \
			"$apt" "--action-$1" --apt-manifest "$PWD/apt.json" --work-folder "$PWD" --result-file "$PWD/result"
		jq -r .resultCode result
	}
	d=$PWD
	while [ "$d" != / ]; do chmod o+x "$d"; d=$(dirname "$d"); done
	[ "$(as_user download --no-new-privs)" = 500 ]
	[ "$(as_user install --no-new-privs)" = 0 ]
	[[ $(jq -r .resultDetails result) == *'agent.conf needs new-privileges = yes'* ]]
	[ ! -e apt.log ]
	[ "$(as_user install)" = 600 ]
	[ "$(cat installed)" = 'thermo 1.0.1' ]
	grep -q 'apt-get .* update$' apt.log
	rm apt.log
	[ "$(as_user download)" = 500 ]
	grep -q -- '--download-only -- thermo=1.0.1$' apt.log
}
