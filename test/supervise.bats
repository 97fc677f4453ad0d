#!/usr/bin/env bats
# Processes that outlive their supervisor: rejoin-shim, through the aid "supervisor".
load helper

# run_of DIR SCRIPT [MORE] - make the run's directory
run_of() {
	mkdir "$1"
	jq -nc --arg s "$2" --arg d "$PWD" '{argv: ["sh", "-c", $s], cwd: $d} + '"${3:-{\}}" >"$1/request.json"
}

@test "output that a full disk cannot take is counted, and the command goes on" {
	needs_root
	mkdir disk
	mount -t tmpfs -o size=1m tmpfs disk || cannot 'nothing can be mounted here'
	# 3 MB do not fit; what comes after the disk has room again does
	run_of disk/r 'head -c 3000000 /dev/zero; touch full; while [ ! -e go ]; do sleep 0.05; done; echo end; exit 3'
	start supervisor supervisor run "$PWD/disk/r"
	wait_for '[ -e full ]'
	wait_for '[ "$(stat -f -c %f disk)" -lt 20 ]'
	wait_for '[ "$(df --output=avail disk | tail -1)" -eq 0 ]'
	rm -f disk/r/out.00000000000000000000
	touch go
	wait_for '! alive $supervisor_pid'
	run -3 supervisor examine "$PWD/disk/r"
	out_is 'exited with 3'
	run -0 jq -c '[.out, .out_dropped > 1000000, .output_error]' disk/r/status
	out_is '[3000004,true,"No space left on device"]'
	run -0 --separate-stderr supervisor cat disk/r out
	[[ $output == *end ]]
	err_has 'missing 0 to '
	umount disk
}

@test "a status finds its room on a disk that is full at the end" {
	needs_root
	mkdir disk
	mount -t tmpfs -o size=256k tmpfs disk || cannot 'nothing can be mounted here'
	run_of disk/r 'cat /dev/zero >fill 2>/dev/null; exit 4' '{cwd: "'"$PWD"'/disk"}'
	run -4 supervisor run "$PWD/disk/r"
	out_is 'exited with 4'
	umount disk
}

@test "a command with inherited stdio reads and writes the supervisor's" {
	run_of r 'read line; echo "got $line"; echo err >&2; exit 5' '{stdio: "inherit"}'
	run -5 --separate-stderr supervisor run "$PWD/r" <<<hello
	out_is $'got hello\nexited with 5'
	err_has err
	run -0 find r -name 'out.*'
	out_is ''
}

@test "a terminal of the supervisor is not the command's" {
	needs script
	run_of r 'test -t 0 || echo no input terminal; (: </dev/tty) 2>/dev/null || echo no terminal'
	run -0 script -qec "supervisor run $PWD/r" /dev/null
	run -0 supervisor cat r out
	out_is $'no input terminal\nno terminal'
}

@test "the command runs as its user, and can gain no privileges" {
	needs_root
	run_of r 'id -un; grep NoNewPrivs /proc/self/status' '{user: "nobody", cwd: "/"}'
	run -0 supervisor run "$PWD/r"
	run -0 supervisor cat r out
	out_is $'nobody\nNoNewPrivs:\t1'
}

@test "a script that was checked is executed by its inode, and not another" {
	printf '#!/bin/sh\necho "$0 $1"\n' >script
	chmod +x script
	run_of a : '{argv: ["script", "word"], program: {path: "'"$PWD/script"'", dev: '"$(stat -c %d script)"', ino: '"$(stat -c %i script)"'}}'
	cp -r a b
	run -0 supervisor run "$PWD/a"
	run -0 supervisor cat a out
	[[ $output == /dev/fd/*' word' ]]
	cp script other
	mv other script
	run -5 --separate-stderr supervisor run "$PWD/b"
	err_has 'is not the file that was checked'
	[ ! -e b/started ]
}

@test "a run ends when asked, also when its disk is full" {
	needs_root
	mkdir disk
	mount -t tmpfs -o size=256k tmpfs disk || cannot 'nothing can be mounted here'
	run_of disk/r 'cat /dev/zero >fill 2>/dev/null; mv fill full; exec sleep 60' '{cwd: "'"$PWD"'/disk"}'
	start supervisor supervisor run "$PWD/disk/r"
	wait_for '[ -e disk/full ]'
	supervisor end "$PWD/disk/r" || :
	wait_for '! alive $supervisor_pid'
	run -143 supervisor examine "$PWD/disk/r"
	out_is 'was killed by SIGTERM (kill)'
	umount disk
}

# bats test_tags=plain
@test "a shim killed at any step runs its command at most once, and never lies" {
	needs_strace
	export KILLWALK_MAX=25
	cat >before <<-'X'
		rm -rf r ran
		mkdir r
		jq -nc --arg d "$PWD" '{argv: ["sh", "-c", "echo x >>ran; exit 7"], cwd: $d}' >r/request.json
	X
	# NEW: run it now.  Then the status is true or "interrupted", and it ran once at most.
	cat >after <<-'X'
		wait_free() { until supervisor examine "$PWD/r" >/dev/null; [ $? -ne 6 ]; do :; done; }
		wait_free
		supervisor examine "$PWD/r" >/dev/null; s=$?
		[ $s -ne 5 ] || { supervisor run "$PWD/r" >/dev/null; s=$?; }
		[ $s -ne 4 ] || { supervisor adopt "$PWD/r" >/dev/null; s=$?; }
		if supervisor run "$PWD/r" >/dev/null 2>&1; then exit 1; fi
		n=$(cat ran 2>/dev/null | wc -l)
		case $s in 7) [ "$n" -eq 1 ] ;; 4) [ "$n" -le 1 ] ;; *) false ;; esac
	X
	KILLWALK_FOLLOW='' run -0 "$TOP/test/fault/killwalk.sh" \
		openat,write,fsync,rename,renameat,fork,clone,clone3,fcntl,pwrite64,ftruncate,waitid,wait4 \
		'. ./before' "$B/libexec/rejoin/rejoin-shim $PWD/r" '(. ./after)'
	echo "$output"
}

@test "a run whose directory was removed ends with its command" {
	run_of r 'while [ ! -e go ]; do sleep 0.05; done'
	start supervisor supervisor run "$PWD/r"
	wait_for '[ -e r/started ]'
	shim=$(jq .shim r/started)
	rm -rf r
	touch go
	wait_for '! alive "$shim"'
	wait_for '! alive "$supervisor_pid"'
}
