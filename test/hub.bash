# shellcheck shell=bash disable=SC2154	# start sets NAME_pid
# Shared by the files about the link to a broker: load hub, after load helper

# free_port - a port of this machine that nothing listens on, into PORT
free_port() {
	PORT=$((20000 + (RANDOM * 32768 + RANDOM) % 10000))
	while (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do PORT=$((PORT + 1)); done
}

# broker [LINE...] - a mosquitto of our own, with lines of configuration more
broker() {
	needs mosquitto mosquitto_pub mosquitto_sub
	[ -n "${PORT-}" ] || free_port
	{
		printf 'listener %s 127.0.0.1\npersistence true\npersistence_location %s/\n' "$PORT" "$PWD"
		printf 'autosave_on_changes true\nautosave_interval 1\n'
		[ "$(id -u)" -ne 0 ] || echo user root
		[ $# -gt 0 ] || set -- 'allow_anonymous true'
		printf '%s\n' "$@"
	} >broker.conf
	broker_up
}

# broker_up - start it with the configuration that is there
broker_up() {
	start broker mosquitto -c "$PWD/broker.conf"
	wait_for '(exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null' || { cat broker.err; return 1; }
}

kill_hard() {
	kill -KILL "$1"
	wait_for "! alive $1"
	wait "$1" 2>/dev/null || :
}

# profile DIALECT [LINE...] - the profile dev of a link to the broker
profile() {
	local dialect=$1
	shift
	printf '%s\n' '[agent]' 'description = device' '[hub]' "dialect = $dialect" \
		"broker = mqtt://127.0.0.1:$PORT" 'client-id = d1' "$@" >"$REJOIN_CONFIG_DIR/agents.d/dev.conf"
	export REJOIN_AGENT=dev
	# shellcheck disable=SC2034	# for the tests
	HUB=$REJOIN_STATE_DIR/hub/dev
}

# link - the link of the profile dev, until its state is STATE
link() {
	start hub rejoin-hub -v run
	wait_for "state_is ${1-synced}" || { cat hub.err; return 1; }
}

state_is() { [ "$(rejoin-hub status --json 2>/dev/null | jq -r 'select(.running) | .state')" = "$1" ]; }

# pub TOPIC PAYLOAD [OPTION...] - as the hub
pub() {
	local topic=$1 payload=$2
	shift 2
	mosquitto_pub -h 127.0.0.1 -p "$PORT" -q 1 -t "$topic" -m "$payload" "$@"
}

# sub NAME TOPIC... - what is published, "TOPIC PAYLOAD" a line in NAME.out
sub() {
	local name=$1 t topics=()
	shift
	for t; do topics+=(-t "$t"); done
	start "$name" mosquitto_sub -h 127.0.0.1 -p "$PORT" -q 1 -F '%t %p' "${topics[@]}" -t "ready/$name"
	wait_for "mosquitto_pub -h 127.0.0.1 -p $PORT -q 1 -t ready/$name -m x; grep -q ready/ $name.out"
}

# collector - keeps all records of all devices, in the file kept
collector() {
	start collector hub-collector "$PORT" kept
}
