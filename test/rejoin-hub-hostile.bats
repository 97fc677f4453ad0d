#!/usr/bin/env bats
# What a second local user can do to the link: by submissions, by the sockets of instances, and by the files of blobs.
# shellcheck disable=SC2154	# run sets status and stderr; start sets *_pid
load helper
load hub
load hostile
load modules
load http

setup() {
	begin
	needs_hostile
	needs_root
}
teardown() {
	end_pids "${PIDS[@]}"
	end_instances
	cd / || return
}

# shared_hub - a link of the dialect rejoin, into which the group nogroup may submit; the instance "mine" is the member's
shared_hub() {
	broker
	collector
	profile rejoin 'group = nogroup'
	link
	in=$HUB/in
	chmod a+x "$REJOIN_STATE_DIR" "$REJOIN_STATE_DIR/hub"
	mkdir -p "$REJOIN_STATE_DIR/agent"
	echo '{"mine":65534}' >"$REJOIN_STATE_DIR/agent/owners"
}

# member CMD... - as a user of the group
member() { setpriv --reuid 65534 --regid nogroup --clear-groups -- "$@"; }

# submit LINES - as the member
submit() {
	member sh -c 'umask 027; printf "%s\n" "$1" >"$2/.t$$" && mv "$2/.t$$" "$2/$(date +%s%3N000).$$"' - "$1" "$in"
}

refused_is() { [ "$(rejoin-hub status --json | jq .refused)" = "$1" ]; }

# confirmed KEY - root's state KEY reaches the collector
confirmed() {
	run --separate-stderr rejoin-hub send state "$1" --wait --timeout 10s <<<x; status_is 0 || { cat hub.err; tail -3 kept; false; }
	wait_for "grep -q '\"key\":\"$1\"' kept"
}

@test "in/: submissions that are links, FIFOs, foreign or forged are refused and counted" {
	shared_hub
	echo '{"kind":"telemetry","key":"a/b","value":1}' >good
	cp good "$in/.good"
	ln -s /etc/shadow "$in/1000000.1"
	mkfifo "$in/1000000.2"
	ln "$in/.good" "$in/1000000.3"
	mkdir "$in/1000000.4"
	echo hello >"$in/.junk" && mv "$in/.junk" "$in/not-a-name"
	wait_for '[ "$(rejoin-hub status --json | jq .refused)" = 5 ]' || rejoin-hub status --json
	# a user of the group: the directory lets it in, and the sender is its uid
	submit '{"kind":"report","key":"deploymentStatus","value":{}}'
	submit '{"kind":"state","key":"other/x","value":"1"}'
	submit '{"kind":"telemetry","key":"$agent/x","value":1}'
	submit '{"kind":"call","key":"$agent/x","value":1}'
	submit 'not json'
	wait_for '[ "$(rejoin-hub status --json | jq .refused)" = 10 ]' || { cat hub.err; false; }
	# what cannot be removed is reported once, and holds nothing up
	member sh -c 'umask 077; mkdir "$1/.d" && touch "$1/.d/x" && mv "$1/.d" "$1/1000000.5"' - "$in"
	wait_for '[ "$(rejoin-hub status --json | jq .refused)" = 11 ]' || { cat hub.err; false; }
	member sh -c 'mkdir "$1/.d" && touch "$1/.d/x" && mv "$1/.d" "$1/odd"' - "$in"
	wait_for '[ "$(rejoin-hub status --json | jq .refused)" = 12 ]' || { cat hub.err; false; }
	submit '{"kind":"telemetry","key":"mine/x","value":1}'
	wait_for "grep -q mine/x kept"
	run -0 rejoin-hub status --json
	run -0 jq -c '[.urgent.records, .refused]' <<<"$output"
	out_is '[0,12]'
	[ "$(grep -c 'in/1000000.5: ' hub.err)" = 1 ]
	# such a user reads neither the queues nor the submissions of others
	run member ls "$HUB/urgent"
	[ "$status" -ne 0 ]
	run member ls "$in"
	[ "$status" -ne 0 ]
	# and cannot take away the submission of another
	kill_hard "$hub_pid"
	run -0 rejoin-hub send state a/b <<<x
	f=$(find "$in" -name '*.*' -newer good -type f ! -name '.*' | head -1)
	run member rm -f "$f"
	[ -e "$f" ]
}

@test "in/: a file without end, and names that forge lines of the log" {
	shared_hub
	member perl -e 'chdir $ARGV[0] or die; open F, ">", ".big"; truncate F, 2 << 40; close F; rename ".big", "1000000.1";
		for my $n ("evil\nrejoin-hub: forged", "1000001.1\n", "x" x 255) { open F, ">", ".n"; close F; rename ".n", $n }' "$in"
	wait_for 'refused_is 4' || { cat hub.err; false; }
	run -1 grep -v '^rejoin-hub: ' hub.err
	run -1 grep '^rejoin-hub: forged' hub.err
	grep -q '1000000.1: has more than' hub.err
	wait_for '[ -z "$(ls "$in")" ]'
}

@test "in/: names that no topic can have are refused, and a record that no message can carry holds nothing up" {
	shared_hub
	submit "$(printf '{"kind":"state","key":"mine/%s","value":"x"}' "$(head -c 70000 /dev/zero | tr '\0' k)")"
	submit '{"kind":"state","key":"mine/a\u0001b","value":"x"}'
	submit '{"kind":"state","key":"mine/a\u009bb","value":"x"}'
	submit '{"kind":"telemetry","key":"mine/a\nb","value":1}'
	submit '{"kind":"state","key":"mine/a+b","value":"x"}'
	submit "{\"kind\":\"state\",\"key\":\"mine$(printf '/a%.0s' {1..400})\",\"value\":\"x\"}"
	wait_for 'refused_is 6' || { cat hub.err; false; }
	# this passes as a name, and MQTT has no noncharacters
	submit '{"kind":"state","key":"mine/\ufffe","value":"x"}'
	confirmed good/after
	[ "$(grep -c 'record [0-9]* dropped:' hub.err)" -ge 1 ] || { cat hub.err; false; }
	# the collector knows of the gap, and its chain goes on
	wait_for '[ "$(rejoin-hub status --json | jq .urgent.records)" = 0 ]'
	[ "$(grep -c '"dropped":1' kept)" = 1 ]
	[ "$(grep -c 'connected as' hub.err)" = 1 ]
	# and the same after a start
	kill_hard "$hub_pid"
	link
	confirmed good/again
}

@test "in/: a sender cannot say what the link says of a record" {
	shared_hub
	submit '{"kind":"telemetry","key":"mine/x","value":1,"dropped":7,"id":1,"prev":2,"acked":3,"sub":"forged","status":"x","ts":1}'
	wait_for 'grep -q mine/x kept' || { cat hub.err; false; }
	run -0 jq -Rc 'split(" ")[1:] | join(" ") | fromjson | select(.key == "mine/x") | [has("dropped", "status", "ts"), .sub == "forged", .id < 10]' kept
	out_is '[false,false,false,false,false]'
	# nor put records into the other queue behind one of its own
	submit '{"kind":"telemetry","key":"mine/y","value":1}
{"kind":"state","key":"mine/z","value":"1"}'
	wait_for 'refused_is 1'
	wait_for 'grep -q mine/y kept'
	run -1 grep mine/z kept
}

@test "in/: a flood of rubbish neither stops the link nor fills its log" {
	shared_hub
	kill -STOP "$hub_pid"
	member perl -e 'chdir $ARGV[0] or die; for my $i (1000 .. 2999) { open F, ">", ".f"; print F "{}\n" x 100; close F; rename ".f", "$i.1" }' "$in"
	kill -CONT "$hub_pid"
	confirmed good/meanwhile
	wait_for 'refused_is 200000' 60 || { rejoin-hub status --json; false; }
	[ "$(grep -c refused hub.err)" -le 21 ] || { tail hub.err; false; }
	[ "$(grep -c 'connected as' hub.err)" = 1 ]
}

@test "a broker that sends rubbish: refused and counted, and its number limits what is logged" {
	shared_hub
	for m in garbage '[]' '5' '{"urgent":1e300}' '{"urgent":-1}'; do pub rejoin/1/d1/ack "$m"; done
	pub rejoin/1/d1/goal "$(printf '[%.0s' {1..5000})"
	head -c 3000000 /dev/zero | mosquitto_pub -h 127.0.0.1 -p "$PORT" -q 1 -t rejoin/1/d1/goal -s
	pub rejoin/1/d1/req '{"id":"a\nb","instance":"i","method":"m"}'
	pub rejoin/1/d1/req "{\"id\":\"$(head -c 2000 /dev/zero | tr '\0' k)\",\"instance\":\"i\",\"method\":\"m\"}"
	pub rejoin/1/d1/req '{"id":"","action":"status"}'
	wait_for '[ "$(rejoin-hub status --json | jq .refused_messages)" = 10 ]' || { cat hub.err; false; }
	for i in {1..300}; do echo "[$i"; done | mosquitto_pub -h 127.0.0.1 -p "$PORT" -q 1 -t rejoin/1/d1/goal -l
	wait_for '[ "$(rejoin-hub status --json | jq .refused_messages)" = 310 ]'
	[ "$(grep -c 'message refused' hub.err)" = 20 ]
	[ ! -e "$HUB/goal.json" ]
	# names of directories stay names
	pub 'rejoin/1/d1/config/../x' up
	pub 'rejoin/1/d1/config/./..' up
	wait_for '[ "$(rejoin-hub config | wc -l)" = 2 ]'
	[ "$(find "$HUB/config" -type f | wc -l)" = 2 ]
	confirmed good/after
}

# instance_of MODULE - the instance a of the program MODULE, with its files in $home
instance_of() {
	device evp2
	cp "$B/tool/sdk-program" modules/sdk
	module idle <<-'EOT'
	#!/bin/sh
	exec sleep 600
	EOT
	agent
	hub
	deploy d-1 "a=$1"
	wait_for 'is ".instances.a.status == \"ok\""' || { reports; cat agent.err hub.err; false; }
	home=$REJOIN_STATE_DIR/agent/instances/a/home
	wait_for '[ -S "$home/sdk.sock" ] && [ -S "$home/in.sock" ]'
}

configure() { shared --arg k "configuration/$1/$2" --arg v "$3" '.[$k] = $v'; }
does() { grep -qxF "$2" "$REJOIN_STATE_DIR/agent/instances/$1/run"/out.* 2>/dev/null; }
bridge_of() { cut -d' ' -f4 "/proc/$(program_of a)/stat"; }

@test "sockets: half records, lengths of 4 GiB, and many connections" {
	instance_of idle
	cat >client.pl <<-'END'
	use Socket;
	sub client { socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die; connect($s, sockaddr_un($ARGV[0])) or die "$!\n"; return $s }
	# the bridge serves one connection, and another only when that has ended
	sub fresh { for (1 .. 200) { my $s = client(); my $r = ''; vec($r, fileno($s), 1) = 1;
		return $s if !select($r, undef, undef, 0.1); } die "never served\n" }
	$SIG{PIPE} = 'IGNORE';
	for my $half ("x" x 7, pack("L<L<Q<", 100, 0, 1) . "x" x 10, pack("L<L<Q<", 0, 0, 1), pack("L<L<Q<", 50, 7, 1)) {
		my $s = fresh(); syswrite $s, $half; shutdown $s, 1; sysread($s, my $b, 10) and die "an answer\n";
	}
	my $s = fresh();
	syswrite $s, pack("L<L<Q<", 0xffffffff, 0, 7);
	sysread($s, my $b, 100) or die "no answer\n";
	my ($size, $zero, $xid) = unpack "L<L<Q<", $b;
	$xid == 7 or die "not the answer\n";
	for (1 .. 2000) { syswrite $s, "x" x 65536 or die "it ended\n" }
	my @more = map { client() } 1 .. 50;
	for my $m (@more) { sysread($m, my $b, 1) and die "served\n" }
	print "done\n";
	END
	run timeout 60 perl client.pl "$home/sdk.sock"; echo "$output"; status_is 0
	out_has 'done'
	[ "$(awk '/^VmHWM/ { print $2 }' "/proc/$(bridge_of)/status")" -lt 20000 ]
	alive "$(program_of a)"
}

@test "sockets: a program that reads no response is stopped in order, by SIGTERM" {
	instance_of sdk
	configure a flood x
	wait_for 'does a "config flood x"'
	kill "$agent_pid"
	wait_for '! alive "$agent_pid"' 20 || { cat agent.err; false; }
	run -0 jq -c '[.signal,.why]' "$REJOIN_STATE_DIR/agent/instances/a/run/status"
	out_is '[15,"kill"]'
}

@test "sockets: messages to an instance that takes none are refused to their sender, and fill no memory" {
	instance_of sdk
	configure a stall x
	wait_for 'does a "config stall x"'
	cat >flood.pl <<-'END'
	use Socket;
	my ($sent, @all) = (0);
	for (1 .. 5) {
		socket(my $s, AF_UNIX, 5, 0) or die;
		setsockopt($s, SOL_SOCKET, SO_SNDBUF, 1 << 20);
		connect($s, sockaddr_un($ARGV[0])) or die "$!\n";
		push @all, $s;
		# a bridge that receives makes room at once
		for my $try (1 .. 400) {
			if (defined send($s, "in\0" . "x" x 100000, 0x40)) { last if ++$sent % 100 == 0 } else { select undef, undef, undef, 0.005 }
		}
	}
	print "$sent\n";
	END
	run -0 timeout 60 perl flood.pl "$home/in.sock"
	[ "$output" -lt 250 ] || { echo "$output sent"; false; }
	[ "$(awk '/^VmHWM/ { print $2 }' "/proc/$(bridge_of)/status")" -lt 30000 ]
}

# slow_server - sends the first half of a blob, and the other when the file go is there
slow_server() {
	free_port
	start web perl -MIO::Socket::INET -e 'my $l = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1", LocalPort => $ARGV[0], ReuseAddr => 1) or die;
		$| = 1; print "up\n"; while (my $c = $l->accept) { $c->autoflush(1); while (<$c>) { last if /^\r$/ }
		print $c "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nhalf"; print "half\n";
		select undef, undef, undef, 0.05 until -e "go"; print $c "rest"; close $c }' "$PORT"
	wait_for 'grep -q up web.out'
	url=http://127.0.0.1:$PORT/blob
}

@test "blobs: in a directory of another user nothing is written through a link that it plants" {
	profile evp2
	slow_server
	mkdir theirs
	chown "$HOSTILE_UID" theirs
	echo secret >private
	chmod 600 private
	# the file is a link, and a pipe: it is replaced, and what the link names is not touched
	as_hostile ln -s "$PWD/private" theirs/link
	as_hostile mkfifo theirs/pipe
	touch go
	for f in link pipe; do
		run -0 --separate-stderr rejoin-hub blob get "$url" "theirs/$f"
		[ -f "theirs/$f" ] && [ ! -L "theirs/$f" ] && [ "$(<"theirs/$f")" = halfrest ]
	done
	[ "$(<private)" = secret ]
	# a temporary file that is replaced meanwhile
	rm go
	start get rejoin-hub blob get "$url" theirs/new
	wait_for '[ -s "$(echo theirs/new.*.tmp)" ]'
	as_hostile sh -c 'cd theirs && for t in new.*.tmp; do mv "$t" away && ln -s "$1" "$t"; done' - "$PWD/private"
	touch go
	wait_for '! alive "$get_pid"'
	run wait "$get_pid"
	status_is 7
	[ "$(<private)" = secret ]
	grep -q 'was replaced' get.err
	# sent is what was opened: no pipe, no device
	as_hostile rm theirs/pipe
	as_hostile mkfifo theirs/pipe
	run --separate-stderr timeout 10 rejoin-hub blob put "$url" theirs/pipe
	status_is 2
}

@test "blobs: a full disk, and a body that ends early, leave the file as it was" {
	needs_mounts
	profile evp2
	slow_server
	rm -f go
	mkdir small
	echo old >here
	start get rejoin-hub blob get "$url" here
	wait_for 'grep -q half web.out'
	kill_hard "$web_pid"
	wait_for '! alive "$get_pid"'
	run wait "$get_pid"
	status_is 3
	[ "$(<here)" = old ]
	run -0 find . -maxdepth 1 -name '*.tmp'
	out_is ''
	touch go
	slow_server
	run --separate-stderr own-mounts sh -c 'mount -t tmpfs -o size=8k none small && echo old >small/f && head -c 100000 /dev/zero >small/full
		rejoin-hub blob get "$1" small/f; r=$?; cat small/f; ls small; exit $r' - "$url"
	status_is 3
	out_is "$(printf 'old\nf\nfull')"
	err_has 'No space left'
}
