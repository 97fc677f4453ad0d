# shellcheck shell=bash
# A device, for use in the machine: a host and two cameras, each a directory of
# /srv/device with its firmware's version in fw.json.  A camera that is not
# plugged in has no directory.
# shellcheck source=test/goal.bash
. /test/goal.bash

# plug ID VERSION, unplug ID
plug() {
	mkdir -p "/srv/device/$1"
	printf '{"version":"%s"}\n' "$2" >"/srv/device/$1/fw.json.new"
	mv "/srv/device/$1/fw.json.new" "/srv/device/$1/fw.json"
}
unplug() { rm -r "/srv/device/$1"; }
version() { jq -r .version "/srv/device/$1/fw.json"; }

entry() { # ID GROUP
	printf '{"id":"%s","group":"%s","properties":{"path":"/srv/device/%s","firmwareDataFile":"fw.json"}}' \
		"$1" "$2" "$1"
}

# make_device - its inventory, and an agent that takes unsigned goals
make_device() {
	mkdir -p /etc/rejoin /srv/up /srv/device
	printf '{"components":[%s,%s,%s]}\n' "$(entry host hosts)" "$(entry front cameras)" \
		"$(entry rear cameras)" >/etc/rejoin/inventory.json
	cat >/etc/rejoin/agent.conf <<-EOF
	[agent]
	goal = file:/etc/rejoin/goal.json
	allow-unsigned = yes
	handler-user = root
	script-timeout = 10s
	EOF
	plug host 1.0
	plug front 1.0
	cat >/srv/up/install.sh <<-'EOF'
	#!/bin/sh
	while [ $# -gt 0 ]; do
		case $1 in
		--action-*) action=${1#--action-} ;;
		--path) path=$2; shift ;;
		--result-file) result=$2; shift ;;
		--installed-criteria) want=$2; shift ;;
		esac
		shift
	done
	say() { printf '{"resultCode":%d,"extendedResultCode":0,"resultDetails":""}' $1 >"$result"; exit 0; }
	case $action in
	is-installed) grep -q "\"$want\"" "$path/fw.json" && say 900; say 901 ;;
	download) say 500 ;;
	install) printf '{"version":"%s"}\n' "$want" >"$path/fw.json"; say 600 ;;
	apply) say 700 ;;
	esac
	EOF
}

# deploy ID VERSION - that version to each camera
deploy() {
	goal_forget
	goal_file /srv/up/install.sh
	goal_manifest cameras '{"group":"cameras"}' '{"handler":"microsoft/script:1",
		"files":["f-install.sh"],"handlerProperties":{"scriptFileName":"install.sh",
		"installedCriteria":"'"$2"'","arguments":"--path --component-prop-val path"}}' |
		tr -d '\n\t' >"/srv/up/cameras-$2.json"
	goal_file "/srv/up/cameras-$2.json"
	goal_manifest device '{"model":"test"}' \
		'{"type":"reference","detachedManifestFileId":"f-cameras-'"$2"'.json"}' >/srv/up/manifest.json
	goal "$1" /srv/up/manifest.json >/etc/rejoin/goal.json.new
	mv /etc/rejoin/goal.json.new /etc/rejoin/goal.json
}
