#!/bin/bash
# A cycle over 1,000 components that are all at their goal, against the same
# IsInstalled scripts run by xargs.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=test/goal.bash disable=SC1091
. "$here/goal.bash"

n=1000 jobs=2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export REJOIN_CONFIG_DIR=$dir/etc REJOIN_STATE_DIR=$dir/state REJOIN_RUNTIME_DIR=$dir/run
mkdir -p "$dir"/{etc,up,dev,work}
cp -r "$here/../packaging/agents.d" "$dir/etc/"
printf '[agent]\ngoal = file:%s/goal.json\nallow-unsigned = yes\nhandler-user = %s\njobs = %d\n' \
	"$dir" "$(id -un)" $jobs >"$dir/etc/agent.conf"
for i in $(seq $n); do
	mkdir "$dir/dev/$i" "$dir/work/$i"
	echo '{"version": "2.0"}' >"$dir/dev/$i/fw.json"
done
seq $n | sed "s|.*|{\"id\":\"c&\",\"group\":\"g\",\"properties\":{\"path\":\"$dir/dev/&\",\"firmwareDataFile\":\"fw.json\"}}|" |
	paste -sd, | sed 's/.*/{"components":[&]}/' >"$dir/etc/inventory.json"
cat >"$dir/up/check.sh" <<'E2'
#!/bin/sh
while [ $# -gt 0 ]; do
	case $1 in
	--path) path=$2; shift ;;
	--result-file) result=$2; shift ;;
	--installed-criteria) want=$2; shift ;;
	esac
	shift
done
code=901
grep -q "\"version\": \"$want\"" "$path/fw.json" && code=900
printf '{"resultCode":%d,"extendedResultCode":0,"resultDetails":""}' $code >"$result"
E2
chmod +x "$dir/up/check.sh"
goal_file "$dir/up/check.sh"
goal_manifest child '{"group":"g"}' '{"handler":"microsoft/script:1","files":["f-check.sh"],"handlerProperties":{"scriptFileName":"check.sh","installedCriteria":"2.0","arguments":"--path --component-prop-val path"}}' >"$dir/up/child.json"
goal_file "$dir/up/child.json"
goal_manifest all '{}' '{"type":"reference","detachedManifestFileId":"f-child.json"}' >"$dir/up/all.json"
goal w "$dir/up/all.json" >"$dir/goal.json"

rejoin-agent -q --once
hyperfine -N -w 1 -r 5 --export-json "$dir/times" 'rejoin-agent -q --once' \
	"sh -c 'seq $n | xargs -P $jobs -I% $dir/up/check.sh --action-is-installed --path $dir/dev/% --work-folder $dir/work/% --result-file $dir/work/%/result --installed-criteria 2.0'" \
	>/dev/null 2>&1
printf 'rejoin-agent, 1,000 components, all installed\tthe same scripts under xargs -P %d\t%s x\t<= 1.2 x\n' $jobs \
	"$(jq -r '.results | (.[0].median / .[1].median * 100 | round / 100)' "$dir/times")"
