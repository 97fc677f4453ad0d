# The commands of the section EXAMPLES of a page as mandoc renders it, one per
# record of the output, ended by a NUL: as a reader copies and pastes them.  A
# line that ends in "|" or a backslash continues on the next.
function finish() { printf "%s%c", cmd, 0; cmd = "" }
/^EXAMPLES/ { on = 1; next }
/^[A-Z]/ { on = 0 }
!on { next }
cmd != "" { sub(/^ +/, ""); cmd = cmd "\n" $0; if ($0 !~ /[|\\]$/) finish(); next }
/^ +[$#] / { sub(/^ +[$#] /, ""); cmd = $0; if ($0 !~ /[|\\]$/) finish() }
