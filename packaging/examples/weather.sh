#!/bin/sh
# An agent that sends the weather forecast to a lamp, which shows it in five
# colours; and what happens when either of them restarts.  The agent's work is
# a cycle: fetch, send, wait half an hour.  It must begin when the lamp has
# said that it is ready, and also when only the agent was restarted, moved to
# another machine say, because then the lamp says nothing.
#
#	weather.sh lamp		the lamp: says that it is ready, shows what it is sent
#	weather.sh agent	one life of the agent: see rejoin-ready(1)
#	weather.sh demo		both, with a migration, a reboot and an absence, in ten seconds
#
# WEATHER_DIR is where the wire between them and the lamp's state are,
# WEATHER_PERIOD and WEATHER_GRACE are in seconds, WEATHER_FORECAST is the
# command that prints a forecast, five temperatures with colons between them.
set -u
dir=${WEATHER_DIR:-${XDG_RUNTIME_DIR:-/run}/weather}
period=${WEATHER_PERIOD:-1800}
grace=${WEATHER_GRACE:-30}
wire=$dir/wire
self=$0

# What a real one would ask a service for.
made_up() {
	awk -v hour="$(date +%H)" 'BEGIN {
		for (i = 0; i <= 12; i += 3)
			printf "%s%.1f", i ? ":" : "", 12 - 6 * cos((hour + i - 3) * 3.14159 / 12)
		print "" }'
}

# The work.  It is run once in a life of the agent, and ends with it.
cycle() {
	while :; do
		forecast=$(${WEATHER_FORECAST:-made_up}) && echo "temps $forecast" >>"$wire"
		sleep "$period"
	done
}

# The lamp answers while it is switched on.
connected() {
	[ -s "$dir/lamp.pid" ] && kill -0 "$(cat "$dir/lamp.pid")" 2>/dev/null
}

agent() {
	exec rejoin-ready run lamp --grace "${grace}s" --connected "sh $self connected" \
		--on peer-restart "sh $self settings" -- sh "$self" cycle
}

# Its name is new each time it is switched on.
lamp() {
	echo $$ >"$dir/lamp.pid"
	touch "$wire"
	tail -n 0 -F "$wire" 2>/dev/null | while read -r what it; do
		echo "lamp: $what $it"
	done &
	trap 'rejoin-ready forget lamp; rm -f "$dir/lamp.pid"; pkill -P $$; exit 0' TERM INT
	rejoin-ready announce lamp --incarnation "$(cat /proc/sys/kernel/random/uuid)"
	while :; do
		sleep 3600 &
		wait $!
	done
}

# --- a day of both of them

say() { printf '\n== %s\n' "$*" >>"$dir/day"; }

# shown - how many forecasts the lamp has shown
shown() { grep -c '^lamp: temps' "$dir/day" 2>/dev/null; }

# show N - wait until it has shown N more, 30 s at most
show() {
	want=$(($(shown) + $1))
	tries=300
	until [ "$(shown)" -ge "$want" ]; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { echo 'the lamp stays dark' >&2; exit 1; }
		sleep 0.1
	done
}

lamp_on() {
	sh "$self" lamp >>"$dir/day" & lamp_pid=$!
}

# The next life of the agent; what tells it from the last one would be its unit's.
agent_on() {
	lives=$((lives + 1))
	INVOCATION_ID=agent-$lives sh "$self" agent >>"$dir/day" 2>&1 & agent_pid=$!
}

off() {
	kill "$1"
	wait "$1"
}

demo() {
	dir=$(mktemp -d) lives=0
	export WEATHER_DIR="$dir" WEATHER_PERIOD=0.3 WEATHER_GRACE=1 REJOIN_RUNTIME_DIR="$dir/run"
	: >"$dir/day"
	agent_pid='' lamp_pid=''
	# what tells of the day ends after it, and so tells all of it
	sleep 600 & day_pid=$!
	tail -n +1 -f --pid=$day_pid "$dir/day" &
	trap 'kill $agent_pid $lamp_pid $day_pid 2>/dev/null; wait; rm -rf "$dir"' EXIT
	say 'cold start: the lamp and the agent are switched on'
	agent_on
	lamp_on
	show 2
	say 'the agent migrates: the lamp does not notice, and says nothing'
	off $agent_pid
	agent_on
	show 2
	say 'the lamp reboots: the cycle goes on, and is not doubled'
	off $lamp_pid
	lamp_on
	show 2
	say 'the lamp is away while the agent migrates, and comes back'
	off $lamp_pid
	off $agent_pid
	agent_on
	until [ "$(grep -c '^peer-offline' "$dir/day")" = 1 ]; do sleep 0.1; done
	lamp_on
	show 2
	say 'good night'
	off $agent_pid
	off $lamp_pid
	agent_pid='' lamp_pid=''
}

case ${1-} in
agent | lamp)
	mkdir -p "$dir" && "$1"
	;;
cycle | connected | demo)
	"$1"
	;;
settings)
	# the lamp has forgotten what it was set to
	echo 'brightness 70' >>"$wire"
	;;
*)
	echo "usage: weather.sh agent | lamp | demo" >&2
	exit 2
	;;
esac
