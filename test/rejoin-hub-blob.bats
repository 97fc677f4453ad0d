#!/usr/bin/env bats
# Blobs: a real HTTP server with DAV, and the hub that gives tokens for it.
load helper
load http
load hub

setup() {
	begin
	needs nginx
	certificates
	free_port
	web=$PORT
	tls=$((web + 1))
	while (exec 3<>"/dev/tcp/127.0.0.1/$tls") 2>/dev/null; do tls=$((tls + 1)); done
	mkdir -p files
	cat >nginx.conf <<-EOT
	worker_processes 1; pid $PWD/nginx.pid; error_log $PWD/nginx.err;
	events { }
	http {
		access_log $PWD/access;
		client_body_temp_path $PWD/body; proxy_temp_path $PWD/p; fastcgi_temp_path $PWD/f; uwsgi_temp_path $PWD/u; scgi_temp_path $PWD/s;
		client_max_body_size 0;
		server {
			listen 127.0.0.1:$web; listen 127.0.0.1:$tls ssl;
			ssl_certificate $PWD/cert.pem; ssl_certificate_key $PWD/key.pem;
			root $PWD/files;
			location / { dav_methods PUT; create_full_put_path on; dav_access user:rw all:rw; }
			location /key/ { if (\$http_x_key != secret) { return 403; } dav_methods PUT; create_full_put_path on; dav_access user:rw all:rw; }
			location /moved/ { rewrite ^/moved/(.*) http://127.0.0.1:$web/\$1 redirect; }
			location /elsewhere { return 302 file:///etc/passwd; }
			location /broken { return 500; }
		}
	}
	EOT
	[ "$(id -u)" -ne 0 ] || { chmod 777 files; chmod o+x . .. ../.. 2>/dev/null || :; sed -i '1i user root;' nginx.conf; }
	start nginx nginx -e "$PWD/nginx.err" -c "$PWD/nginx.conf" -g 'daemon off;'
	wait_for '(exec 3<>"/dev/tcp/127.0.0.1/$web") 2>/dev/null' || { cat nginx.err; false; }
	PORT=$((tls + 1))
	while (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do PORT=$((PORT + 1)); done
	url=http://127.0.0.1:$web
	profile evp2
}

blob() { run --separate-stderr rejoin-hub blob "$@"; }

@test "a blob is fetched and stored, whole or not at all" {
	head -c 3000000 /dev/urandom >files/big
	blob get "$url/big" here
	status_is 0
	cmp files/big here
	blob put here "$url/x"
	status_is 2
	blob put "$url/new/there" here --json
	status_is 0
	out_is '{"result":"ok","http_status":201,"bytes":3000000}'
	cmp here files/new/there
	# by standard input and output
	run --separate-stderr bash -c "rejoin-hub blob put $url/piped - <here && rejoin-hub blob get $url/piped - --json | cmp - here"
	status_is 0
	err_has '"http_status":200'
	: >empty
	blob put "$url/empty" empty
	status_is 0
	[ -e files/empty ] && [ ! -s files/empty ]
	# what is refused, and what fails, leaves the file
	echo old >here
	blob get "$url/absent" here --json
	status_is 1
	[[ $output == '{"result":"refused","http_status":404,'* ]]
	blob get "$url/broken" here
	status_is 3
	err_has 'HTTP 500'
	blob get http://127.0.0.1:1/ here
	status_is 3
	err_has 'connect'
	blob get "$url/big" no/such
	status_is 3
	blob put "$url/x" /dev/null
	status_is 2
	blob put "$url/x" absent
	status_is 3
	[ "$(<here)" = old ]
	run -0 find . -name '*.tmp'
	out_is ''
	for wrong in file:///etc/passwd /etc/passwd ftp://x/y 'http://user:password@x/' evp: ''; do
		blob get "$wrong" here
		[ "$status" -ne 0 ] || { echo "$wrong"; false; }
	done
	blob frob "$url/big" here
	status_is 2
	run --separate-stderr bash -c "rejoin-hub blob get $url/big - >/dev/full"
	status_is 3
}

@test "redirects lead to http and https alone, and headers go nowhere else" {
	echo body >files/f
	blob get "$url/moved/f" here
	status_is 0
	[ "$(<here)" = body ]
	blob get "$url/elsewhere" here
	status_is 3
	# with a header none is followed
	blob get "$url/moved/f" here --header 'X-Key: secret'
	status_is 3
	printf 'X-Key: secret\nX-Other: 1\n' >headers
	blob put "$url/key/f" here
	status_is 1
	blob put "$url/key/f" here --header @headers
	status_is 0
	[ "$(<files/key/f)" = body ]
	blob get "$url/key/f" here --header @absent
	[ "$status" -ne 0 ]
	# a token does not go in the clear to another machine
	blob get http://192.0.2.1/x here --header @headers
	status_is 2
	err_has 'https'
	# TLS: of a server that is known
	blob get "https://127.0.0.1:$tls/f" here
	status_is 7
	blob get "https://127.0.0.1:$tls/f" here --ca-file "$PWD/ca.pem"
	status_is 0
	# no secret is in an argument of any process: the helper reads them
	run -0 bash -c "grep -c secret access || :"
	out_is 0
}

@test "a hub of EVP gives the token for a blob, in both of its dialects" {
	broker
	sub rpc v1/devices/me/rpc/request/+
	for dialect in evp2 evp1; do
		profile "$dialect"
		start hub rejoin-hub run
		wait_for '[ -e "$HUB/status" ] && state_is fetching'
		pub v1/devices/me/attributes/response/10000 '{"shared":{}}'
		wait_for 'state_is synced'
		echo "$dialect" >file
		start put rejoin-hub blob put evp:name@store file --instance cam --json
		if [ "$dialect" = evp2 ]; then
			wait_for 'grep -q storagetoken-request rpc.out' || { cat hub.err; false; }
			n=$(grep -ho 'request/[0-9]* .*storagetoken' rpc.out | tail -1 | grep -o '[0-9]*' | head -1)
			run -0 bash -c "grep storagetoken rpc.out | cut -d' ' -f2- | jq -c ."
			out_is "{\"method\":\"evp-d2c\",\"params\":{\"storagetoken-request\":{\"filename\":\"name\",\"moduleInstanceId\":\"cam\",\"key\":\"store\",\"reqid\":\"$n\"}}}"
			pub "v1/devices/me/rpc/response/$n" "{\"storagetoken-response\":{\"reqid\":\"$n\",\"status\":\"ok\",\"URL\":\"$url/key/$dialect\",\"headers\":{\"x-key\":\"secret\"}}}"
		else
			wait_for 'grep -q StorageToken rpc.out' || { cat hub.err; false; }
			n=$(grep -o 'request/[0-9]* .*StorageToken' rpc.out | tail -1 | grep -o '[0-9]*' | head -1)
			run -0 bash -c "grep StorageToken rpc.out | cut -d' ' -f2- | jq -c .params"
			out_is '{"filename":"name","moduleInstanceName":"cam","storageName":"store"}'
			pub "v1/devices/me/rpc/response/$n" "{\"method\":\"StorageToken\",\"params\":{\"URL\":\"$url/key/$dialect\",\"headers\":{\"x-key\":\"secret\"}}}"
		fi
		wait_for '! alive "$put_pid"'
		wait "$put_pid" || { cat put.out put.err; false; }
		[ "$(<files/key/$dialect)" = "$dialect" ]
		kill_hard "$hub_pid"
	done
}

@test "a hub that gives no token, and dialects without" {
	broker
	sub rpc v1/devices/me/rpc/request/+
	start hub rejoin-hub run
	wait_for '[ -e "$HUB/status" ] && state_is fetching'
	pub v1/devices/me/attributes/response/10000 '{"shared":{}}'
	wait_for 'state_is synced'
	start get rejoin-hub blob get evp:name here
	wait_for 'grep -q storagetoken-request rpc.out'
	n=$(grep -o 'request/[0-9]*' rpc.out | tail -1 | cut -d/ -f2)
	pub "v1/devices/me/rpc/response/$n" "{\"storagetoken-response\":{\"reqid\":\"$n\",\"status\":\"error\",\"errorMessage\":\"does not exist\",\"URL\":null,\"headers\":null}}"
	wait_for '! alive "$get_pid"'
	run wait "$get_pid"
	status_is 1
	grep -q 'does not exist' get.err
	[ ! -e here ]
	blob get evp:name here --timeout 300ms
	status_is 4
	kill_hard "$hub_pid"
	blob get evp:name here
	status_is 5
	profile thingsboard
	start hub rejoin-hub run
	wait_for 'rejoin-hub status --json 2>/dev/null | jq -e .running >/dev/null'
	blob get evp:name here
	status_is 2
	err_has 'has no storage tokens'
}
