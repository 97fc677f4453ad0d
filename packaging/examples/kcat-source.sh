#!/bin/sh
# A partition of a Kafka topic as a source of rejoin-log -f:
#
#	rejoin-log -f --save-state s 'p0=cmd:kcat-source.sh BROKERS TOPIC 0 ${last}' ...
#
# kcat prints each message in the form that cmd: reads.  Its -o is the first offset that
# is read, so what follows the last record that was read is LAST + 1.
set -eu
[ $# -ge 3 ] || { echo "usage: $0 BROKERS TOPIC PARTITION [LAST]" >&2; exit 2; }
offset=beginning
[ -z "${4-}" ] || offset=$(($4 + 1))
exec kcat -C -u -q -b "$1" -t "$2" -p "$3" -o "$offset" -f 'event %S %o\n%s\n'
