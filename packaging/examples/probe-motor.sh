#!/bin/sh
# A probe, rejoin-enum(1): asks one component whether it is present, and for its version.
#
# Status 0 and a JSON object: present, with these members.  1: absent.  Any other
# status: present or not, it cannot be read.  This motor answers with a file; ask yours
# as its bus requires.
[ -e /srv/vacuum/motor.json ] || exit 1
cat /srv/vacuum/motor.json || exit 2
