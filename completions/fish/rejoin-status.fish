# made by "make generate": do not edit
complete -c rejoin-status -f
complete -c rejoin-status -s A -l agent -x -a '(command find /etc/rejoin/agents.d ~/.config/rejoin/agents.d /usr/local/share/rejoin/agents.d /usr/share/rejoin/agents.d -name "*.conf" 2>/dev/null | string replace -r ".*/(.*)\.conf" "\$1")' -d 'use the profile NAME'
complete -c rejoin-status -l format -x -a 'jsonl json table kv' -d 'output format'
complete -c rejoin-status -l json -d 'same as --format=jsonl'
complete -c rejoin-status -l timeout -x -a '250ms 1s 5s 30s 1m 10m 1h 1d' -d 'with --until, give up after DUR'
complete -c rejoin-status -l until -x -a 'idle busy ready settled' -d 'wait until the agent is in STATE'
complete -c rejoin-status -s q -l quiet -d 'report errors only'
complete -c rejoin-status -l syslog -d 'report to syslog as well'
complete -c rejoin-status -s v -l verbose -d 'report each step'
complete -c rejoin-status -s h -l help -d 'print this help and exit'
complete -c rejoin-status -s V -l version -d 'print the version and exit'
