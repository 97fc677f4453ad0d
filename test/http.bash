# shellcheck shell=bash
# For the tests of what speaks HTTP: load http

# certificates - ca.pem, and cert.pem with key.pem that it has signed, also for $tls_address
certificates() {
	needs openssl
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=test CA' \
		-addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem 2>/dev/null &&
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=127.0.0.1 \
		-keyout key.pem -out cert.csr 2>/dev/null &&
	openssl x509 -req -in cert.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out cert.pem \
		-extfile <(echo "subjectAltName=IP:127.0.0.1${tls_address:+,IP:$tls_address}") 2>/dev/null
}

# serve [tls] - the double, its port in $port, its requests in the file requests;
# say WORDS... tells it what to do
serve() {
	local scheme=http tls=
	[ "${1-}" != tls ] || { certificates; scheme=https; tls='--tls cert.pem key.pem'; }
	mkfifo control
	exec 9<>control
	start server sh -c "exec http-double $tls --log requests <control"
	wait_for '[ -s server.out ]'
	read -r port <server.out
	# shellcheck disable=SC2034	# for the tests
	url=$scheme://127.0.0.1:$port
}

say() {
	local said
	# shellcheck disable=SC2034	# wait_for reads it
	said=$(wc -l <server.out)
	printf '%s\n' "$*" >&9
	wait_for '[ "$(wc -l <server.out)" -gt "$said" ]'
}

# requests_of METHOD PATH - how many of them there were
requests_of() { grep -c "^$1 $2" requests 2>/dev/null || :; }
