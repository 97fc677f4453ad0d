# rejoin-retry with the method http: the request is made by another program, so
# that rejoin-retry itself needs libc alone.
load helper
load http

profile() {
	printf '%s\n' '[retry]' 'method = http' 'debounce = 0ms' "$@" >"$REJOIN_CONFIG_DIR/agents.d/t.conf"
	marks=$REJOIN_RUNTIME_DIR/retry/t
}

retry() { run --separate-stderr rejoin-retry -A t "$@"; }

@test "a request is a POST without a body, if nothing else is said" {
	serve
	profile "url = $url/again"
	retry --verbose
	status_is 0
	err_has delivered
	[ "$(cat requests)" = 'POST /again' ]
	[ ! -e "$marks/pending" ]
}

@test "method, headers and body are those of the profile" {
	serve
	profile "url = $url/again" 'request = PUT' 'header = X-One: 1' '  X-Two: 2' 'body = {"a": 1}'
	retry
	status_is 0
	[ "$(cat requests)" = 'PUT /again body {"a": 1}' ]
}

@test "what is refused keeps the mark, and the status says why" {
	serve
	profile "url = $url/gone"
	retry
	status_is 3
	err_has "$url/gone: HTTP 404: not found"
	[ -e "$marks/pending" ]
	local s want
	for s in 401=7 403=7 429=6 503=6 500=3; do
		want=${s#*=}
		say "fail ${s%=*} 1"
		retry
		status_is "$want"
		err_has "HTTP ${s%=*}"
	done
	end_pids "$server_pid"
	retry
	status_is 5
	err_has "$url/gone: "
	[ -e "$marks/pending" ]
}

@test "an answer that does not come in time is status 4" {
	serve
	say 'slow 20000'
	profile "url = $url/again"
	retry --timeout 2s
	status_is 4
	err_has "$url/again: "
	[ -e "$marks/pending" ]
}

@test "a token goes over TLS, from a file that other users cannot read" {
	serve tls
	printf 'token-1\n' >token
	chmod 600 token
	profile "url = $url/again?key=hidden" "token-file = $PWD/token" "ca-file = $PWD/ca.pem"
	retry
	status_is 0
	[ "$(cat requests)" = 'POST /again token' ]
	chmod 644 token
	retry
	status_is 7
	err_has "$PWD/token: mode 0644"
	[ "$(requests_of POST /again)" = 1 ]
	# a server without a trusted certificate does not get it
	chmod 600 token
	profile "url = $url/again?key=hidden" "token-file = $PWD/token"
	retry
	status_is 7
	err_has "$url/again?...: "
	[[ $stderr != *hidden* ]]
	[ "$(requests_of POST /again)" = 1 ]
	profile 'url = http://192.0.2.1/again' "token-file = $PWD/token"
	retry
	status_is 2
	err_has 'a token goes over https alone'
}

@test "the token is in no argument and no environment while the request is under way" {
	serve
	say 'slow 20000'
	printf 'very-secret\n' >token
	chmod 600 token
	profile "url = $url/again" "token-file = $PWD/token"
	start retry rejoin-retry -A t --timeout 20s
	wait_for '[ -s requests ]'
	local p n=0
	for p in $(ps -o pid= --ppid "$retry_pid") "$retry_pid"; do
		tr '\0' '\n' <"/proc/$p/cmdline" >seen
		tr '\0' '\n' <"/proc/$p/environ" >>seen
		run ! grep -q very-secret seen
		n=$((n + 1))
	done
	[ "$n" -ge 2 ]
}

@test "what would be done is shown without doing it" {
	serve
	profile "url = $url/again?key=hidden"
	retry --dry-run
	status_is 0
	out_has "url	$url/again"
	[[ $output != *hidden* ]]
	[ ! -s requests ]
}

@test "a profile without a URL is wrong" {
	profile
	retry
	status_is 2
	err_has 'needs a url'
	profile 'url = ftp://h/'
	retry
	status_is 2
}

# bats test_tags=plain
