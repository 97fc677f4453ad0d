# made by "make generate": do not edit
complete -c rejoin-restart -f
complete -c rejoin-restart -s A -l agent -x -a '(command find /etc/rejoin/agents.d ~/.config/rejoin/agents.d /usr/local/share/rejoin/agents.d /usr/share/rejoin/agents.d -name "*.conf" 2>/dev/null | string replace -r ".*/(.*)\.conf" "\$1")' -d 'use the profile NAME'
complete -c rejoin-restart -l conditional -d 'restart the agent only if it is running'
complete -c rejoin-restart -l dry-run -d 'print what would be done and exit'
complete -c rejoin-restart -l force -d 'restart the agent even if it is not idle'
complete -c rejoin-restart -l reason -x -d 'record TEXT in the history as the reason'
complete -c rejoin-restart -l timeout -x -a '250ms 1s 5s 30s 1m 10m 1h 1d' -d 'give up after DUR: once for the agent to become idle, once for it to become ready'
complete -c rejoin-restart -s q -l quiet -d 'report errors only'
complete -c rejoin-restart -l syslog -d 'report to syslog as well'
complete -c rejoin-restart -s v -l verbose -d 'report each step'
complete -c rejoin-restart -s h -l help -d 'print this help and exit'
complete -c rejoin-restart -s V -l version -d 'print the version and exit'
