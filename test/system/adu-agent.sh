#!/bin/bash
# A double of the Azure Device Update agent, installed as /usr/bin/AducIotAgent.
#
#	adu-agent.sh --extension-type componentEnumerator --register-extension FILE.so
#	adu-agent.sh daemon
#
# As the agent's source (command_helper.c) has it, the daemon creates the command
# pipe with 0660 less the umask unless it exists, reads frames of 64 bytes, and
# closes the pipe at the end of each writer to open it again.  A deployment
# for the cameras is evaluated at the start and for each retry-update: the
# registered enumerator names the components, which get the version of
# /var/lib/adu/deployment.  A retry while one is evaluated leaves it dead.
# /usr/bin/adu-shell is the program that acts as root for it; adu-loader loads
# the enumerator.
set -u
data=/var/lib/adu log=/var/log/adu
extension=$data/extensions/component_enumerator/extension.json
hash_of() { sha256sum <"$1" | cut -c -64 | tr a-f A-F | basenc -d --base16 | base64; }
sandbox=$data/downloads/3f1c9a50-deployment

# write_log LEVEL MESSAGE FUNCTION - to the log and the journal, as the agent does
write_log() {
	printf '%s %s[%s] [%s] %s [%s:1]\n' "$(date -u +%FT%T.%4NZ)" $$ $$ "$1" "$2" "$3" | tee -a "$file"
}

evaluate() {
	local so components id path
	if ! mkdir "$sandbox" 2>/dev/null; then
		write_log E 'Invalid workflow step 1 -- ignoring' HandleUpdateAction
		touch "$data/dead"
		return
	fi
	write_log I "Setting sandbox $sandbox" SetWorkFolder
	so=$(jq -r .fileName "$extension")
	if [ ! -e "$data/dead" ] && [ "$(hash_of "$so")" = "$(jq -r .hashes.sha256 "$extension")" ] &&
		components=$(adu-loader "$so" 1 '{"group":"cameras"}'); then
		while IFS=$'\t' read -r id path; do
			jq -n --arg v "$(cat "$data/deployment")" '{version: $v}' | adu-shell "$path/firmware.json"
			write_log I "Action 'Install' complete. Result: 600 (succeeded), 0 (0x0), $id" WorkCompletionCallback
		done < <(jq -r '.components[] | [.id, .properties.path] | @tsv' <<<"$components")
		rmdir "$sandbox"
		write_log I 'UpdateAction: Idle. Ending workflow with WorkflowId: 3f1c9a50' HandleUpdateAction
	else
		write_log E 'WorkCompletionCallback: Install failed. Going to state Failed' WorkCompletionCallback
	fi
}

serve() {
	local fifo=$data/du-commands.fifo frame
	[ -e "$fifo" ] || mkfifo -m "$(printf %o $((0660 & ~$(umask))))" "$fifo"
	while :; do
		exec 3<"$fifo"	# waits for a writer
		while write_log I 'Wait for command...' CommandListenerThread
			frame=$(dd bs=64 count=1 status=none <&3 | tr '\0' '\n') && [ -n "$frame" ]; do
			if [ "$frame" = retry-update ]; then
				write_log I "Executing command handler function for '$frame'" CommandListenerThread
				evaluate &
			else
				write_log W "Unsupported command received. '$frame'" CommandListenerThread
			fi
		done
		exec 3<&-
	done
}

case $* in
daemon)
	file=$log/du-agent.$(date -u +%Y%m%d-%H%M%S).log
	rm -rf "$sandbox"
	write_log I 'Agent (linux; 1.1.0) starting.' main
	[ ! -e "$extension" ] || evaluate &
	serve
	;;
"--extension-type componentEnumerator --register-extension "/*)
	mkdir -p "${extension%/*}"
	jq -n --arg so "$4" --argjson n "$(stat -c %s "$4")" \
		--arg hash "$(hash_of "$4")" \
		'{fileName: $so, sizeInBytes: $n, hashes: {sha256: $hash}}' >"$extension"
	;;
*)
	echo "AducIotAgent: $*: not an option of this double" >&2
	exit 1
	;;
esac
