#!/bin/bash
# Long inventories without data files, against jq, which only prints them.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

for n in 10000 100000; do
	seq "$n" | jq -cn '{components: [inputs | {
		id: "contoso-motor-serial-\(. + 1000000)", name: "motor-\(.)", group: "motors",
		manufacturer: "contoso", model: "virtual-motor", version: "1.\(. % 10)",
		description: "This component is generated for testing purposes.",
		properties: {slot: "\(.)"}}]}' >"$dir/$n.json"
	# both in turn, and processor time: other work on the machine then counts least
	for i in {1..8}; do
		hyperfine -N -r 2 --export-json "$dir/$n.$i" "rejoin-enum $dir/$n.json" \
			"jq -c .components[] $dir/$n.json" >/dev/null 2>&1
	done
	jq -s 'map(.results) | [0, 1] as $both | [$both[] as $c | map(.[$c] | .user + .system) | min]' \
		"$dir/$n".[0-9]* >"$dir/$n"
	printf "rejoin-enum, %'d components without data files\tjq -c '.components[]'\t%s x\t<= 0.25 x\n" "$n" \
		"$(jq '.[0] / .[1] * 100 | round / 100' "$dir/$n")"
done
printf 'the same\tten times fewer\t%s x\tlinear\n' \
	"$(jq -s '.[1][0] / .[0][0] * 10 | round / 10' "$dir/10000" "$dir/100000")"
