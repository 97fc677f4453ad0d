# shellcheck shell=bash disable=SC2034,SC2154	# start sets NAME_pid; some are for the tests
# Shared by the tests of modules: load modules, after load helper and load hub

# What instances an agent that was killed has left is ended by the pids of their shims.
end_instances() {
	local s
	for s in "$REJOIN_STATE_DIR"/agent/instances/*/run/started; do
		[ -e "$s" ] || continue
		# SIGTERM has a shim end all of its processes
		kill "$(jq .shim "$s")" 2>/dev/null || :
	done
	for s in "$REJOIN_STATE_DIR"/agent/instances/*/run/started; do
		[ ! -e "$s" ] || wait_for "! alive $(jq .shim "$s")" 15 || :
	done
}

# agent_conf - that of an agent behind the link dev, which runs modules as this user
agent_conf() {
	cat >"$REJOIN_CONFIG_DIR/agent.conf" <<-EOT
	[agent]
	goal = file:$HUB/goal.json
	report = hub:dev
	allow-modules = yes
	trust-hub = yes
	allow-unsigned = yes
	handler-user = $(id -un)
	[module-impl.spawn]
	user = $(id -un)
	EOT
}

# device DIALECT - a broker, a hub behind it, the link, and agent.conf, all of the profile dev
device() {
	broker
	echo '{}' >shared.json
	start tbhub tbhub "$PORT" "$PWD/shared.json"
	wait_for 'grep -q "^ready$" tbhub.out'
	profile "$1" 'report-min = 0s' "${@:2}"
	agent_conf
	unset REJOIN_AGENT
	mkdir -p modules
}

agent() { start agent rejoin-agent "$@"; }
hub() { start hub rejoin-hub -A dev -v run; }

# module NAME - a module that is a script, from stdin
module() { cat >"modules/$1"; }

hash_of() { sha256sum "modules/$1" | cut -d' ' -f1; }

# shared JQ [ARG...] - what the hub wants is changed by a program of jq
shared() {
	jq "$@" shared.json >shared.new && mv shared.new shared.json
}

# deploy ID INSTANCE=MODULE... - a deployment of modules/MODULE under its own name, changed by the program of
# jq in $also
deploy() {
	local d i m
	d=$(jq -n --arg id "$1" '{deploymentId:$id,instanceSpecs:{},modules:{},publishTopics:{},subscribeTopics:{}}')
	shift
	for i; do
		m=${i#*=}
		i=${i%%=*}
		d=$(jq --arg i "$i" --arg m "$m" --arg u "file:$PWD/modules/$m" --arg h "$(hash_of "$m")" '
			.instanceSpecs[$i] = {moduleId:$m,publish:{},subscribe:{}} |
			.modules[$m] = {entryPoint:"main",moduleImpl:"spawn",downloadUrl:$u,hash:$h}' <<<"$d")
	done
	d=$(jq "${also:-.}" <<<"$d") && shared --argjson d "$d" '.deployment = $d'
}

# reports - each deploymentStatus that the hub has received, a line
reports() {
	sed -n 's,^v1/devices/me/attributes ,,p' tbhub.out |
		jq -c 'select(has("deploymentStatus")) | .deploymentStatus | if type == "string" then fromjson else . end'
}

# is JQ - the last report is such
is() { reports | tail -n 1 | jq -e "$1" >/dev/null; }

# program_of INSTANCE - the pid of its program
program_of() { xargs <"/proc/$(pid_of "$1")/task/$(pid_of "$1")/children"; }

# pid_of INSTANCE - of the process that its shim has started
pid_of() { jq .pid "$REJOIN_STATE_DIR/agent/instances/$1/run/started"; }
