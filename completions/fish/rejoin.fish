# made by "make generate": do not edit
complete -c rejoin -f
complete -c rejoin -n __fish_use_subcommand -f -a 'help'
complete -c rejoin -n __fish_use_subcommand -a '(complete -C rejoin- | string replace -r "^rejoin-([^\t]*).*" "\$1")'
complete -c rejoin -n 'not __fish_use_subcommand' -a '(complete -C (string replace "rejoin " rejoin- (commandline -cp)))'
complete -c rejoin -s h -l help -d 'print this help and exit'
complete -c rejoin -s V -l version -d 'print the version and exit'
