# made by "make generate": do not edit
complete -c rejoin-agent -f
complete -c rejoin-agent -s A -l agent -x -a '(command find /etc/rejoin/agents.d ~/.config/rejoin/agents.d /usr/local/share/rejoin/agents.d /usr/share/rejoin/agents.d -name "*.conf" 2>/dev/null | string replace -r ".*/(.*)\.conf" "\$1")' -d 'use the profile NAME'
complete -c rejoin-agent -l goal -x -d 'read the goal from URL: file:PATH with an absolute PATH, or an http: or https: address'
complete -c rejoin-agent -s j -l jobs -x -d 'work on up to N components at a time'
complete -c rejoin-agent -l once -d 'evaluate the goal once and exit with its result'
complete -c rejoin-agent -l state -r -a '(__fish_complete_directories)' -d 'keep desired and current state, journal and payloads in DIR'
complete -c rejoin-agent -l verify -r -d 'check the signature and the files of the goal in FILE, and print what is in it'
complete -c rejoin-agent -s q -l quiet -d 'report errors only'
complete -c rejoin-agent -l syslog -d 'report to syslog as well'
complete -c rejoin-agent -s v -l verbose -d 'report each step'
complete -c rejoin-agent -s h -l help -d 'print this help and exit'
complete -c rejoin-agent -s V -l version -d 'print the version and exit'
