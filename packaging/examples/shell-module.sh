#!/bin/sh
# A module that is a shell script: it measures the load of the machine, and does all
# that a module can do by rejoin-hub alone.  Copy it: rejoin-module(7).
#
#	telemetry		INSTANCE/load, each INTERVAL seconds
#	configuration		interval: the number of seconds, 10 without it
#				fetch: a URL, whose content is kept in the file "fetched"
#	state			interval, fetched: what is in force
#	call			measure: the load now
#
# rejoin-agent sets REJOIN_INSTANCE and REJOIN_AGENT; its working directory is the instance's
# own, and stays between two runs.
set -u
: "${REJOIN_INSTANCE:?is set by rejoin-agent}"

load() { cut -d' ' -f1 /proc/loadavg; }

state() { rejoin-hub send state "$REJOIN_INSTANCE/$1"; } # its value on standard input

# apply - the configurations on standard input, a line each
apply() {
	while read -r line; do
		topic=$(printf '%s\n' "$line" | jq -r .topic)
		value=$(printf '%s\n' "$line" | jq -r '.value // empty')
		case $topic in
		interval)
			case $value in '' | *[!0-9.]*) value=10 ;; esac
			echo "$value" >interval.new && mv interval.new interval
			printf %s "$value" | state interval
			;;
		fetch)
			[ -n "$value" ] || continue
			if rejoin-hub blob get "$value" fetched </dev/null; then
				sha256sum fetched | cut -d' ' -f1 | tr -d '\n' | state fetched
			else
				printf failed | state fetched
			fi
			;;
		esac
	done
}

# What the hub has configured, and what it configures from now on
rejoin-hub config "$REJOIN_INSTANCE" | apply
rejoin-hub config -f "$REJOIN_INSTANCE" | apply &

# Its calls
rejoin-hub calls -f "$REJOIN_INSTANCE" | while read -r call; do
	id=$(printf '%s\n' "$call" | jq -r .id)
	case $(printf '%s\n' "$call" | jq -r .method) in
	measure) load | rejoin-hub answer "$id" ;;
	*) echo null | rejoin-hub answer --status not-found "$id" ;;
	esac
done &

# SIGTERM is for all of its processes
trap 'trap - TERM; kill 0; exit 0' TERM
while :; do
	load | rejoin-hub send telemetry "$REJOIN_INSTANCE/load"
	sleep "$(cat interval 2>/dev/null || echo 10)" &
	wait $!
done
