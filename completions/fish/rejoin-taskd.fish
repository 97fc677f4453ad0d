# made by "make generate": do not edit
complete -c rejoin-taskd -f
complete -c rejoin-taskd -l dial -d 'copy standard input and output to the socket: the far end of ssh'
complete -c rejoin-taskd -l idle -x -a '250ms 1s 5s 30s 1m 10m 1h 1d' -d 'exit after DUR without work; 0s is never'
complete -c rejoin-taskd -l socket -x -d 'listen on PATH, unless systemd passed a socket'
complete -c rejoin-taskd -s q -l quiet -d 'report errors only'
complete -c rejoin-taskd -l syslog -d 'report to syslog as well'
complete -c rejoin-taskd -s v -l verbose -d 'report each step'
complete -c rejoin-taskd -s h -l help -d 'print this help and exit'
complete -c rejoin-taskd -s V -l version -d 'print the version and exit'
