# shellcheck disable=SC2154	# run sets status and stderr; start sets *_pid
load helper
load goal
load http

# An nginx with TLS and DAV, and a device of one component.
setup() {
	begin
	PATH=$PATH:/usr/sbin:/sbin
	needs nginx
	tls_address=10.77.0.2
	certificates
	host=127.0.0.1 server_ns='' rate=4m
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=device \
		-keyout device.key -out device.pem 2>/dev/null
	mkdir -p dev/left up www/reports
	fw left 1.0
	cat >"$REJOIN_CONFIG_DIR/inventory.json" <<-EOT
	{"components":[{"id":"left","group":"motors","properties":{"path":"$PWD/dev/left","firmwareDataFile":"fw.json"}}]}
	EOT
	port=$((20000 + $$ % 20000))
	web
	configure
	run_dir=$REJOIN_RUNTIME_DIR/agent state=$REJOIN_STATE_DIR/agent
}

teardown() {
	end_pids "${PIDS[@]}"
	local ns
	for ns in $server_ns ${server_ns:+$agent_ns}; do ip netns delete "$ns"; done
	end
}

configure() {
	cat >"$REJOIN_CONFIG_DIR/agent.conf" <<-EOT
	[agent]
	goal = https://$host:$port/goal.json
	report = https://$host:$port/reports/{id}.json
	allow-unsigned = yes
	handler-user = $(id -un)
	[link]
	ca-file = $PWD/ca.pem
	cert-file = $PWD/device.pem
	key-file = $PWD/device.key
	poll = 200ms
	idle = 3s
	EOT
}

# The server; a port that is taken makes it try the next one.
web() {
	mkdir -p tmp
	for _ in 1 2 3 4 5; do
		cat >nginx.conf <<-EOT
		worker_processes 1; pid $PWD/nginx.pid; error_log $PWD/nginx.err;
		$([ "$(id -u)" != 0 ] || echo 'user root;')
		events { worker_connections 64; }
		http {
			access_log $PWD/access.log; root $PWD/www;
			client_body_temp_path $PWD/tmp/body; proxy_temp_path $PWD/tmp/proxy;
			fastcgi_temp_path $PWD/tmp/fastcgi; uwsgi_temp_path $PWD/tmp/uwsgi; scgi_temp_path $PWD/tmp/scgi;
			server {
				listen $host:$port ssl;
				ssl_certificate $PWD/cert.pem; ssl_certificate_key $PWD/key.pem;
				ssl_client_certificate $PWD/device.pem; ssl_verify_client on;
				location / { }
				location /reports/ { dav_methods PUT; }
				location /slow/ { alias $PWD/www/; limit_rate $rate; }
			}
		}
		EOT
		# shellcheck disable=SC2086	# several words
		start nginx ${server_ns:+ip netns exec $server_ns} nginx -e "$PWD/nginx.err" -c "$PWD/nginx.conf" -g 'daemon off;'
		wait_for '[ -s nginx.pid ] || ! alive "$nginx_pid"'
		[ ! -s nginx.pid ] || return 0
		port=$((port + 1))
	done
	return 1
}

web_stop() { end_pids "$nginx_pid"; wait_for '[ ! -e nginx.pid ]'; }

fw() { printf '{"version":"%s"}\n' "$2" >"dev/$1/fw.json"; } # ID VERSION
version() { sed 's/.*"version":"\([^"]*\)".*/\1/' "dev/$1/fw.json" 2>/dev/null; }
status_of() { sed -n "s/^$1=//p" "$run_dir/status" 2>/dev/null; }

# over_http - all addresses of the goal are those of the server, below /PREFIX
over_http() { sed "s,file:$PWD/www/,https://$host:$port/${1-},g"; }

# deploy ID VERSION [PREFIX] [FILE...] - a goal for the motors; all files are on the server
deploy() {
	local id=$1 want=$2 prefix=${3-} f files
	shift 2
	[ $# -eq 0 ] || shift
	cat >www/install.sh <<-EOT
	#!/bin/sh
	while [ \$# -gt 0 ]; do
		case \$1 in
		--action-*) action=\${1#--action-} ;;
		--path) path=\$2; shift ;;
		--work-folder) work=\$2; shift ;;
		--result-file) result=\$2; shift ;;
		--installed-criteria) want=\$2; shift ;;
		esac
		shift
	done
	say() { printf '{"resultCode":%d,"extendedResultCode":0,"resultDetails":""}' \$1 >"\$result"; exit 0; }
	echo \$action >>$PWD/calls
	case \$action in
	is-installed) grep -q "\"\$want\"" "\$path/fw.json" && say 900; say 901 ;;
	download) say 500 ;;
	install) [ ! -e $PWD/hold ] || { touch $PWD/held; while [ -e $PWD/hold ]; do sleep 0.05; done; }
		for f in "\$work"/big*; do [ ! -e "\$f" ] || sha256sum <"\$f" >>$PWD/sums; done
		printf '{"version":"%s"}' "\$want" >"\$path/fw.json"; say 600 ;;
	apply) say 700 ;;
	esac
	EOT
	goal_forget
	files='"f-install.sh"'
	goal_file www/install.sh
	for f; do goal_file "www/$f"; files+=",\"f-$f\""; done
	goal_manifest motors '{"group":"motors"}' "{\"handler\":\"microsoft/script:1\",\"files\":[$files],\"handlerProperties\":{
		\"scriptFileName\":\"install.sh\",\"installedCriteria\":\"$want\",
		\"arguments\":\"--path --component-prop-val path\"}}" | tr -d '\n\t' >www/motors.json
	goal_file www/motors.json
	goal_manifest device '{"model":"test"}' '{"type":"reference","detachedManifestFileId":"f-motors.json"}' >up/manifest.json
	goal "$id" up/manifest.json | over_http "$prefix" >www/goal.new
	mv www/goal.new www/goal.json
}

# reported - the states in the order in which they were reported, with their workflows
reported() {
	for f in $(find www/reports -name '*.json' | sort); do
		jq -r '"\(.deviceUpdate.agent.workflow.id):\(.deviceUpdate.agent.state)"' "$f"
	done | tr '\n' ' '
}
gets() { grep -c "\"GET $1 HTTP/[0-9.]*\" $2 " access.log || :; } # PATH STATUS

@test "a goal over TLS with a client certificate is carried out, and reported in order" {
	deploy w1 2.0
	start agent rejoin-agent
	wait_for '[ "$(reported)" = "w1:6 w1:0 " ]'
	[ "$(version left)" = 2.0 ]
	[ "$(status_of state)" = idle ]
	# what has not changed is not sent again, and the next goal is seen
	wait_for '[ "$(gets /goal.json 304)" -gt 1 ]'
	[ "$(gets /goal.json 200)" = 1 ]
	deploy w2-next 3.0
	wait_for '[ "$(reported)" = "w1:6 w1:0 w2-next:6 w2-next:0 " ]'
	[ "$(version left)" = 3.0 ]
	[ -z "$(find "$state/outbox/urgent" -name '*.jsonl' -size +64k)" ]
}

# import_goal VERSION - the same update as an import manifest with one for the motors, on the server
import_goal() {
	deploy w0 "$1"
	rm www/goal.json
	rejoin-goal make --import --compatibility '{"model":"test"}' --dir www --name i --update-version "$1" \
		--step microsoft/script:1 '{"group":"motors"}' www/install.sh --criteria "$1" \
		--arguments '--path --component-prop-val path'
	mv "www/rejoin.i.$1.importmanifest.json" www/goal.json
}

@test "an import manifest on a server is carried out, and so is a change of what it refers to" {
	conf_goal="goal = https:\/\/$host:$port\/goal.json?sig=a%20b"
	sed -i "s/^goal = .*/$conf_goal/" "$REJOIN_CONFIG_DIR/agent.conf"
	import_goal 2.0
	start agent rejoin-agent
	wait_for '[ "$(version left)" = 2.0 ] && [ "$(status_of state)" = idle ]' 20
	grep -q 'GET /rejoin.i.1.2.0.importmanifest.json?sig=a%20b ' access.log
	grep -q 'GET /install.sh?sig=a%20b ' access.log
	# the import manifest of the motors alone is another one
	jq -c '.instructions.steps[0].handlerProperties.installedCriteria = "2.5"' \
		www/rejoin.i.1.2.0.importmanifest.json >new
	mv new www/rejoin.i.1.2.0.importmanifest.json
	wait_for '[ "$(version left)" = 2.5 ] && [ "$(status_of state)" = idle ]' 20
	# what it refers to and the server does not have is named, and the goal from before stays
	rm www/rejoin.i.1.2.0.importmanifest.json
	wait_for '[[ $(status_of note) == *"rejoin.i.1.2.0.importmanifest.json'"'"', which it refers to: HTTP 404"* ]]'
	import_goal 3.0
	wait_for '[ "$(version left)" = 3.0 ] && [ "$(status_of state)" = idle ] && [ -z "$(status_of note)" ]' 70
	end_pids "$agent_pid"
}

@test "manifests and scripts on a server are fetched by the tools that ask about a goal" {
	deploy w1 2.0
	run --separate-stderr rejoin-goal show --format tsv www/goal.json
	status_is 0
	out_has "$(printf '1.1\tmicrosoft/script:1\t{"group":"motors"}\t2.0\tinstall.sh')"
	run --separate-stderr rejoin-installed -m www/goal.json
	status_is 1
	[ "$(jq -c '[.id, .installed, .criteria]' <<<"$output")" = '["left",false,"2.0"]' ]
	mv www/install.sh gone
	run --separate-stderr rejoin-installed -m www/goal.json
	status_is 3
	out_has 'HTTP 404'
	sed -i 's/^ca-file/#&/' "$REJOIN_CONFIG_DIR/agent.conf"
	printf 'patience = 1s\n' >>"$REJOIN_CONFIG_DIR/agent.conf"
	run --separate-stderr rejoin-goal show www/goal.json
	status_is 3
	err_has motors.json
}

@test "--once fetches the goal, carries it out, and ends when it is reported" {
	deploy w1 2.0
	run --separate-stderr timeout 30 rejoin-agent --once
	status_is 0
	[ "$(version left) $(reported)" = '2.0 w1:6 w1:0 ' ]
	# without an answer: nothing is known, which is no success
	rm -rf "$state"
	web_stop
	run --separate-stderr timeout 30 rejoin-agent --once
	status_is 3
	err_has "https://127.0.0.1:$port/goal.json"
	err_has 'no goal was received'
}

@test "while there is no server the kept goal holds, and reports wait; killed, they keep their ids" {
	deploy w1 2.0
	start agent rejoin-agent
	wait_for '[ "$(reported)" = "w1:6 w1:0 " ]'
	cp -r www/reports before
	web_stop
	wait_for 'grep -q "127.0.0.1" agent.err && [ -n "$(status_of note)" ]'
	# a change of the device: it is put right, from the kept goal and the cache
	fw left 1.0
	printf 'retry-update%52s' '' | tr ' ' '\0' >"$run_dir/commands.fifo"
	wait_for '[ "$(version left)" = 2.0 ]' 20
	wait_for '[ "$(status_of state)" = idle ]' 20
	# one that was there is there again after the end of the agent, at any moment
	ids=$(cat "$state"/outbox/urgent/*.jsonl | jq .id)
	kill -KILL "$agent_pid"
	wait_for '! alive "$agent_pid"'
	start agent rejoin-agent
	wait_for '[ "$(status_of state)" = idle ]' 20
	web
	[ "$(sed -n 's/^report = .*:\([0-9]*\)\/.*/\1/p' "$REJOIN_CONFIG_DIR/agent.conf")" = "$port" ] || skip 'the port was taken meanwhile'
	wait_for '[ "$(jq -s length www/reports/*.json)" -ge "$(wc -l <<<"$ids")" ]' 30
	for id in $ids; do [ -e "www/reports/$id.json" ]; done
	wait_for '[ -z "$(status_of note)" ]' 30
	# one line each, in the order of their ids, and the chain has no hole
	jq -s -e '[.[].id] as $i | [.[].prev] as $p | $i == ($i | sort) and $p[1:] == $i[:-1]' www/reports/*.json
}

@test "a server that is not trusted gets nothing and gives nothing" {
	deploy w1 2.0
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=other CA' \
		-keyout other.key -out other.pem 2>/dev/null
	sed -i "s,ca.pem,other.pem," "$REJOIN_CONFIG_DIR/agent.conf"
	run --separate-stderr timeout 30 rejoin-agent --once
	status_is 3
	err_has certificate
	[ "$(version left) $(reported)" = '1.0 ' ]
}

@test "an address or a key of [link] that is wrong is named" {
	sed -i 's,^report = https,report = ftp,' "$REJOIN_CONFIG_DIR/agent.conf"
	run --separate-stderr rejoin-agent --once
	status_is 2
	err_has 'report: not an http:// or https:// URL'
	sed -i 's,^report = .*,report = https://127.0.0.1/,; s,^ca-file = /,ca-file = ,' "$REJOIN_CONFIG_DIR/agent.conf"
	run --separate-stderr rejoin-agent --once
	status_is 2
	err_has 'ca-file: not an absolute path'
	sed -i 's,^ca-file = .*,cafile = /x,' "$REJOIN_CONFIG_DIR/agent.conf"
	run --separate-stderr rejoin-agent --once
	status_is 2
	err_has "key 'cafile' is not known in [link]"
	run --separate-stderr rejoin-agent --once --goal gopher://x/
	status_is 2
}

# double - a device whose goal and reports are those of the double: poll DURATION, and more lines of [link]
double() {
	web_stop
	serve
	port=${url##*:} # of the double
	printf '[agent]\ngoal = %s/goal\nreport = %s/reports/{id}\nallow-unsigned = yes\nhandler-user = %s\n' \
		"$url" "$url" "$(id -un)" >"$REJOIN_CONFIG_DIR/agent.conf"
	printf '%s\n' "${@:2}" '[link]' "poll = $1" 'idle = 3s' 'patience = 2s' >>"$REJOIN_CONFIG_DIR/agent.conf"
}
# local_goal ID VERSION - a goal whose files are local, at the double
local_goal() {
	deploy "$1" "$2"
	sed "s,https://$host:$port/,file:$PWD/www/,g" www/goal.json >local.json
	say goal local.json
}

@test "a server that holds the request back brings a new goal at once" {
	double 10m
	local_goal w1 2.0
	start agent rejoin-agent
	wait_for '[ "$(version left) $(status_of state)" = "2.0 idle" ]' 20
	# the second request is held back: the poll of 10 minutes does not count
	wait_for '[ "$(requests_of GET /goal)" = 2 ]' 20
	local_goal w2 3.0
	wait_for '[ "$(version left) $(status_of state)" = "3.0 idle" ]' 20
	end_pids "$agent_pid"
}

@test "a server that holds the request back longer than idle has not failed" {
	double 10m
	sed -i 's/^idle = .*/idle = 1s/' "$REJOIN_CONFIG_DIR/agent.conf"
	local_goal w1 2.0
	start agent rejoin-agent
	wait_for '[ "$(version left) $(status_of state)" = "2.0 idle" ] && [ "$(requests_of GET /goal)" = 2 ]' 20
	since=$(date +%s%N)
	wait_for '[ $(($(date +%s%N) - since)) -ge 2500000000 ]'
	local_goal w2 3.0
	wait_for '[ "$(version left) $(status_of state)" = "3.0 idle" ]' 20
	run grep 'nothing came' agent.err
	status_is 1
	end_pids "$agent_pid"
}

@test "a goal that is wrong from the start is asked for as often as any" {
	sed -i 's/^poll = .*/poll = 1h/' "$REJOIN_CONFIG_DIR/agent.conf"
	for goal in '{' '{"workflow":{"action":7,"id":"w"}}' '{"workflow":{"action":3,"id":"w"},"updateManifest":"{}"}'; do
		: >access.log
		rm -rf "$state"
		printf '%s' "$goal" >www/goal.json
		start agent rejoin-agent
		wait_for '[ "$(status_of state)" = failed ]' 20
		# the answer of a retry is after whatever the start has set going
		for n in 1 2; do
			printf 'retry-update%52s' '' | tr ' ' '\0' >"$run_dir/commands.fifo"
			wait_for "[ \"0\$(status_of settled)\" -ge $n ]" 20
		done
		[ "$(gets /goal.json '[0-9]*')" -le 6 ]
		end_pids "$agent_pid"
	done
}

@test "where no goal was received yet, the note says why" {
	rm -f www/goal.json
	start agent rejoin-agent
	wait_for '[[ "$(status_of note)" == *"goal.json: HTTP 404"* ]]' 20
	printf 'retry-update%52s' '' | tr ' ' '\0' >"$run_dir/commands.fifo"
	wait_for '[ "0$(status_of settled)" -ge 1 ]' 20
	[[ $(status_of note) == *'goal.json: HTTP 404'* ]]
	deploy w1 2.0
	wait_for '[ "$(version left) $(status_of state)" = "2.0 idle" ] && [ -z "$(status_of note)" ]' 60
	end_pids "$agent_pid"
}

@test "with report-method = post reports are sent by POST, with the token; Retry-After is obeyed" {
	double 10m 'report-method = post'
	(umask 077; echo token-1 >token)
	echo "token-file = $PWD/token" >>"$REJOIN_CONFIG_DIR/agent.conf"
	local_goal w1 2.0
	start agent rejoin-agent
	wait_for '[ "$(requests_of POST /reports/)" = 2 ] && [ "$(status_of state)" = idle ]' 20
	[ "$(grep -c '^POST .* token body ' requests)" = 2 ]
	grep -q '^GET /goal token' requests
	say fail 503 1 'Retry-After: 3'
	begun=$(date +%s%N)
	fw left 1.0
	printf 'retry-update%52s' '' | tr ' ' '\0' >"$run_dir/commands.fifo"
	wait_for '[ "$(version left) $(status_of state)" = "2.0 idle" ]' 20
	wait_for '[ "$(requests_of POST /reports/)" -ge 4 ] && [ -z "$(status_of note)" ]' 30
	# the 503 was for the goal or for a report: the same request again came after 3 s
	[ $(($(date +%s%N) - begun)) -ge 2000000000 ] || [ "$(requests_of GET /goal)" -ge 3 ]
	end_pids "$agent_pid"
	chmod 644 token
	run --separate-stderr timeout 30 rejoin-agent --once
	err_has "$PWD/token"
}

@test "a report that is refused for good is set aside, said, and keeps no other from being sent" {
	deploy w1 2.0
	# the server has no place for reports at first
	sed -i "s,/reports/{id},/none/{id}," "$REJOIN_CONFIG_DIR/agent.conf"
	start agent rejoin-agent
	wait_for '[ "$(version left) $(status_of state)" = "2.0 idle" ]' 20
	wait_for '[[ $(status_of note) == *"report "*": HTTP 405; "*" wait"* ]]' 20
	wait_for '[ "$(find "$state/outbox/refused" -name "*.json" 2>/dev/null | wc -l)" -ge 1 ]' 60
	end_pids "$agent_pid"
	sed -i "s,/none/{id},/reports/{id}," "$REJOIN_CONFIG_DIR/agent.conf"
	start agent rejoin-agent
	wait_for '[ "$(reported)" != "" ]' 30
	n=$(find "$state/outbox/refused" -name '*.json' | wc -l)
	wait_for '[[ $(status_of note) == *"$n reports were refused by the server, and are kept in $state/outbox/refused"* ]]' 20
	run --separate-stderr rejoin-status
	err_out="$output$stderr"
	[[ $err_out == *'were refused by the server'* ]]
	# each report is at the server or in the directory
	[ "$(find "$state/outbox/refused" www/reports -name '*.json' | wc -l)" -ge 2 ]
	jq -e .id "$state"/outbox/refused/*.json
	rm "$state"/outbox/refused/*.json
	end_pids "$agent_pid"
	start agent rejoin-agent
	wait_for '[ "$(status_of state)" = idle ] && [ -z "$(status_of note)" ]' 20
	end_pids "$agent_pid"
}

@test "a payload is had from the next source, and the status says how far it is" {
	rate=1m
	web_stop
	web
	configure
	head -c 3000000 /dev/urandom >www/big.bin
	head -c 2000000 /dev/zero >www/other.bin
	deploy w1 2.0 '' big.bin
	# one that is not there, one with other content, one that brings it
	jq -c --arg u "https://$host:$port" '.fileUrls["f-big.bin"] = ["https://127.0.0.1:9/big.bin",
		($u + "/none.bin"), ($u + "/other.bin"), ($u + "/slow/big.bin")]' www/goal.json >new
	mv new www/goal.json
	start agent rejoin-agent
	wait_for 'rejoin-status --json | jq -e ".progress | test(\"^0/1, [0-9.]+ of 2.9 MiB, [0-9.]+ MiB/s$\")"' 30
	wait_for '[ "$(version left) $(status_of state)" = "2.0 idle" ]' 30
	cmp <(sha256sum <www/big.bin) sums
	[ "$(gets /none.bin 404)" = 1 ]
	[ "$(gets /other.bin 200)" -ge 1 ]
	end_pids "$agent_pid"
}

@test "with a proxy everything goes through it" {
	# nginx as a forward proxy, in front of a name that nothing resolves
	double 10m
	local_goal w1 2.0
	cat >proxy.conf <<-EOT
	worker_processes 1; pid $PWD/proxy.pid; error_log $PWD/proxy.err;
	$([ "$(id -u)" != 0 ] || echo 'user root;')
	events { worker_connections 64; }
	http {
		access_log $PWD/proxy.log; client_body_temp_path $PWD/tmp/body; proxy_temp_path $PWD/tmp/proxy;
		fastcgi_temp_path $PWD/tmp/fastcgi; uwsgi_temp_path $PWD/tmp/uwsgi; scgi_temp_path $PWD/tmp/scgi;
		server { listen unix:$PWD/unused.sock; listen 127.0.0.1:$((port + 1)); location / { proxy_pass $url; } }
	}
	EOT
	start proxy nginx -e "$PWD/proxy.err" -c "$PWD/proxy.conf" -g 'daemon off;'
	wait_for '[ -s proxy.pid ] || ! alive "$proxy_pid"'
	alive "$proxy_pid" || skip 'the port was taken'
	sed -i "s,$url/,http://hub.invalid/," "$REJOIN_CONFIG_DIR/agent.conf"
	echo "proxy = http://127.0.0.1:$((port + 1))" >>"$REJOIN_CONFIG_DIR/agent.conf"
	run --separate-stderr timeout 30 rejoin-agent --once
	status_is 0
	[ "$(version left) $(requests_of PUT /reports/)" = '2.0 2' ]
	grep -q 'http://hub.invalid/goal' proxy.log
	end_pids "$proxy_pid"
}

# Two namespaces with a link between them, of which one packet in thirty is lost.
apart() {
	needs_root
	needs nft
	web_stop
	server_ns=rejoin-s$$ agent_ns=rejoin-a$$ host=10.77.0.2
	ip netns add "$server_ns"
	ip netns add "$agent_ns"
	ip -n "$agent_ns" link add up0 type veth peer name down0 netns "$server_ns" || skip 'no veth devices here'
	ip -n "$agent_ns" address add 10.77.0.1/24 dev up0
	ip -n "$server_ns" address add 10.77.0.2/24 dev down0
	ip -n "$agent_ns" link set up0 up
	link up
	ip netns exec "$agent_ns" nft -f - <<-EOT
	table inet lossy {
		chain input { type filter hook input priority 0; iifname "up0" numgen random mod 30 == 0 drop; }
	}
	EOT
	web
	configure
}
link() { ip -n "$server_ns" link set down0 "$1"; } # up | down
agent() { start agent ip netns exec "$agent_ns" "$B/bin/rejoin-agent"; }
part() { stat -c %s "$state"/cache/sha256/.*.part 2>/dev/null | sort -n | tail -n 1; }

@test "a link that is cut and an agent that is killed cost no byte, no order and no report" {
	local mib=16 cut=4
	[ -z "${SOAK-}" ] || mib=200 cut=20
	rate=$((mib / 4))m
	apart
	head -c $((mib << 20)) /dev/urandom >www/big.bin
	deploy w1 2.0 slow/ big.bin
	agent
	# in the middle of a download
	wait_for "[ \"0\$(part)\" -gt $((mib << 18)) ]" 60
	grep -q "of $mib.0 MiB" "$run_dir/status"
	link down
	before=$(part)
	sleep "$cut"	# the cut itself
	link up
	wait_for "[ \"0\$(part)\" -gt $((mib << 19)) ]" 90
	[ "$(part)" -ge "$before" ]
	kill -KILL "$agent_pid"
	wait_for '! alive "$agent_pid"'
	before=$(part)
	agent
	wait_for '[ "$(reported)" = "w1:6 w1:0 " ]' 120
	[ "$(version left)" = 2.0 ]
	[ "$(grep -c '^install$' calls)" = 1 ]
	cmp <(sha256sum <www/big.bin) sums
	# what was there was not fetched again
	[ "$(gets /slow/big.bin 206)" -ge 1 ]
	[ "$(awk '$7 == "/slow/big.bin" { n += $10 } END { print n }' access.log)" -lt $((mib * 3 << 19)) ]
	# in the middle of a report: the link is down when it is sent, and the agent is killed
	touch hold
	deploy w2-next 3.0
	wait_for '[ -e held ]' 60
	wait_for '[ "$(reported)" = "w1:6 w1:0 w2-next:6 " ]' 60
	link down
	rm hold
	wait_for '[ "$(version left)" = 3.0 ] && [ "$(status_of state)" = idle ]' 60
	kill -KILL "$agent_pid"
	wait_for '! alive "$agent_pid"'
	agent
	sleep "$cut"	# the cut itself
	link up
	# the agent that was started again reports what it found: installed already
	wait_for '[ "$(reported)" = "w1:6 w1:0 w2-next:6 w2-next:0 w2-next:0 " ]' 60
	[ "$(jq -s '[.[].rejoin.results[]? | select(.workflow == "w2-next" and .resultCode == 700)] | length' \
		www/reports/*.json)" = 1 ]
	[ "$(grep -c '^install$' calls)" = 2 ]
	jq -s -e '[.[].id] as $i | [.[].prev] as $p | $i == ($i | sort) and $p[1:] == $i[:-1]' www/reports/*.json
}
