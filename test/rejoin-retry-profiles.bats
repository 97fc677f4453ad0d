# shellcheck shell=bash
# The retry of each profile that is shipped, against a double of its agent: what it gets
# is what the agent's documentation asks for, and a refusal keeps the request.
load helper
load http

setup() {
	begin
	mkdir fake
	agents=$REJOIN_CONFIG_DIR/agents.d
}

# set PROFILE KEY VALUE - the value of each KEY in it; the users and places of a real machine are not here
set_key() { sed -i "s|^$2 = .*|$2 = $3|" "$agents/$1.conf"; }

# retry PROFILE - at once, whatever the agent is said to do
retry() { run --separate-stderr rejoin-retry -A "$1" --force --debounce 0s --timeout 10s; }

kept() { [ -e "$REJOIN_RUNTIME_DIR/retry/$1/pending" ]; }

# says PROGRAM STATUS TEXT - the double of PROGRAM writes down its arguments, prints TEXT, and ends with STATUS
says() {
	printf '%s\n' "$3" >"fake/$1.says"
	printf '#!/bin/sh\n{ printf %%s %s; printf " [%%s]" "$@"; echo; } >>"%s/calls"\ncat "%s"\nexit %s\n' \
		"$1" "$PWD" "$PWD/fake/$1.says" "$2" >"fake/$1"
	chmod +x "fake/$1"
}

commands='
	fwupd|fwupdmgr|fwupdmgr [refresh] [--force]
	greengrass|rejoin-restart|rejoin-restart [-A] [greengrass] [--reason=retry]
	greengrass-lite|rejoin-restart|rejoin-restart [-A] [greengrass-lite] [--reason=retry]
	mender|mender-update|mender-update [check-update]
	mender-3|mender|mender [check-update]
	rauc|busctl|busctl [--system] [call] [de.pengutronix.rauc] [/] [de.pengutronix.rauc.Poller] [Poll]
	rauc-hawkbit|rejoin-restart|rejoin-restart [-A] [rauc-hawkbit] [--reason=retry]
	runit|sv|sv [hup] [/etc/service/example]
	s6|s6-svc|s6-svc [-h] [/run/service/example]
	snapd|snap|snap [refresh] [--no-wait]
	swupdate|swupdate-ipc|swupdate-ipc [hawkbitcfg] [-t]
	systemd|systemctl|systemctl [reload] [example.service]
	sysupdate|systemctl|systemctl [start] [systemd-sysupdate.service]
	thin-edge|tedge|tedge [mqtt] [pub] [c8y/s/us] [500]
'
pipes='adu adu-1.3 evp rejoin'
posts='balena imp'
signals='monit mosquitto'
nones='evp-hub js7 kanto mender-orchestrator taskd thingsboard'

@test "each profile that is shipped is tested here" {
	diff <(basename -a -s .conf "$TOP"/packaging/agents.d/*.conf | sort) \
		<({ cut -d'|' -f1 <<<"$commands"; printf '%s\n' $pipes $posts $signals $nones; } | tr -d '\t' | sed '/^$/d' | sort)
}

@test "by a command: its arguments, and a failure keeps the request" {
	local profile program call
	PATH=$PWD/fake:$PATH
	while IFS='|' read -r profile program call; do
		[ -n "$profile" ] || continue
		sed -i 's|^argv = /[^ ]*/|argv = |' "$agents/$profile.conf"
		rm -f calls
		says "$program" 0 'Update server configuration: returns ACK'
		retry "$profile"
		status_is 0
		diff <(echo "$call") calls
		says "$program" 1 'Update server configuration: returns NACK'
		retry "$profile"
		[ "$status" -ne 0 ] || { echo "$profile: ends with 0"; return 1; }
		kept "$profile"
		rm "fake/$program"
	done < <(tr -d '\t' <<<"$commands")
}

@test "into a pipe: the bytes that the agent reads, and without a reader the request is kept" {
	local profile want
	while read -r profile want; do
		rm -f "$profile".*
		mkfifo -m 0660 "$profile.fifo"
		set_key "$profile" path "$PWD/$profile.fifo"
		sed -i '/^user = /d; /^group = /d' "$agents/$profile.conf"
		retry "$profile"
		status_is 5
		kept "$profile"
		start reader sh -c "exec 3<>$profile.fifo; echo up; dd bs=64 count=1 status=none <&3 | od -An -v -tx1 | tr -d ' \\n'"
		wait_for '[ -s reader.out ]'
		retry "$profile"
		status_is 0
		wait_for '! alive "$reader_pid"'
		[ "$(tail -1 reader.out)" = "$want" ] || { echo "$profile: $(cat reader.out)"; return 1; }
	done < <(
		# "retry-update" in 64 bytes; EVP's is one byte
		frame=$(printf retry-update | od -An -tx1 | tr -d ' \n')$(printf '%0104d' 0)
		printf '%s %s\n' adu "$frame" adu-1.3 "$frame" rejoin "$frame" evp 01
	)
}

@test "by a POST: method, headers and body, and a refusal keeps the request" {
	serve
	umask 077
	printf key >"$REJOIN_CONFIG_DIR/balena.key"
	printf key >"$REJOIN_CONFIG_DIR/imp.key"
	umask 022
	local profile path want
	while IFS='|' read -r profile path want; do
		set_key "$profile" url "$url$path"
		retry "$profile"
		status_is 0
		diff <(echo "$want") <(tail -1 requests)
		say 'fail 503 1'
		retry "$profile"
		status_is 6
		kept "$profile"
	done <<-'END'
	balena|/v1/update|POST /v1/update body {"force":false}
	imp|/AGENT/retry|POST /AGENT/retry
	END
}

# Without a pid file it is the main process of the unit, which systemd alone knows.
@test "by a signal: the process of the pid file, which must be the right program" {
	local exe
	exe=$(readlink -f "$(command -v sleep)")
	local profile signal
	for profile in monit:10 mosquitto:1; do
		signal=${profile#*:}
		profile=${profile%:*}
		start victim sleep 60
		wait_for '[ "$(readlink "/proc/$victim_pid/exe")" = "$exe" ]'
		sed -i '/^pid-file = /d; s|^signal = .*|&\npid-file = '"$PWD/pid|" "$agents/$profile.conf"
		echo "$victim_pid" >pid
		# the double is another program than the agent
		retry "$profile"
		[ "$status" -ne 0 ] || { echo "$profile: ends with 0"; return 1; }
		alive "$victim_pid"
		set_key "$profile" exe "$exe"
		retry "$profile"
		status_is 0
		wait_for '! alive "$victim_pid"'
		wait "$victim_pid" 2>/dev/null || [ $? -eq $((128 + signal)) ]
	done
}

@test "none: that is an error, not silence" {
	local profile
	for profile in $nones; do
		retry "$profile"
		status_is 2
		err_has 'its profile has no [retry]'
	done
}
