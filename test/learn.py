#!/usr/bin/env python3
"""learn.py REJOIN-LOG SIZE [NODES...] - how well rules are learned, on logs whose causes are known (causes.py)

SIZE is small (a minute at most) or whole, with logs of NODES (10 and 50; 0: the logs without causes).  One line a case;
the status is 1 where a number is not reached:
  forward   learned pairs whose cause is first in truth, at least 99 %
  exact     those that are a message and its receipt, at least 95 %
  recall    messages between nodes that were found, at least 80 %
  inversions  pairs of records out of their true order: at most 2.5 times those with rules that a person wrote, and at
            most those by time
Messages that pass one way alone, by stamps coarser than their delays, teach nothing: then there must be no rule.
Without causes: false rules, and whether the merge is that without rules."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
EDGE = re.compile(r"^message \S+ .* after (n\d+\.log):(\d+)$|^message \S+ after (n\d+\.log):(\d+)$")
MARK = re.compile(r"mark(?:=|\": \")(\w+)")


def make(directory, case, seed, *more):
    subprocess.run([sys.executable, HERE + "/causes.py", case, str(seed), directory] + [str(x) for x in more], check=True)
    with open(directory + "/truth.json") as f:
        return json.load(f), sorted(directory + "/" + x for x in os.listdir(directory) if x.endswith(".log"))


def run(*argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)


def inversions(v):
    """Pairs of V that are out of order."""
    if len(v) < 2:
        return 0, v
    half = len(v) // 2
    (a, left), (b, right) = inversions(v[:half]), inversions(v[half:])
    n, out, i = a + b, [], 0
    for x in right:
        while i < len(left) and left[i] <= x:
            out.append(left[i])
            i += 1
        n += len(left) - i
        out.append(x)
    return n, out + left[i:]


def order_of(tool, truth, files, *options):
    place = {m: i for i, m in enumerate(truth["order"])}
    return inversions([place[MARK.search(x)[1]] for x in run(tool, *options, *files).stdout.splitlines()])[0]


def pairs_of(tool, truth, files, rules):
    place = {m: i for i, m in enumerate(truth["order"])}
    at = {os.path.basename(f): [place[MARK.search(x)[1]] for x in open(f)] for f in files}
    pairs = set()
    for line in run(tool, "--exact", "--json", "--rules", rules, *files).stdout.splitlines():
        x = json.loads(line)
        for edge in x["edges"]:
            m = EDGE.match(edge)
            source, number = (m[1] or m[3], m[2] or m[4]) if m else (None, None)
            if source and source != x["source"]:
                pairs.add((place[MARK.search(x["text"])[1]], at[source][int(number) - 1]))
    return pairs


def causal(tool, directory, case, seed, records, nodes, offset, resolution):
    truth, files = make(directory, case, seed, records, nodes, offset, resolution)
    rules = directory + "/learned.conf"
    with open(rules, "w") as f:
        f.write(run(tool, "--learn", *files).stdout)
    where = {}
    for f in files:
        for line in open(f):
            where[MARK.search(line)[1]] = f
    node = [where[m] for m in truth["order"]]
    want = {(e, c) for e, c in truth["edges"] if node[e] != node[c]}
    got = pairs_of(tool, truth, files, rules)
    count = open(rules).read().count("\n[learned-")
    forward = sum(c < e for e, c in got) / len(got) if got else 1
    exact = len(got & want) / len(got) if got else 1
    recall = len(got & want) / len(want) if want else 1
    auto = order_of(tool, truth, files, "--rules", "auto")
    hand = order_of(tool, truth, files, "--rules", directory + "/rules.conf")
    by_time = order_of(tool, truth, files, "--order", "time")
    good = forward >= .99 and exact >= .95 and auto <= by_time
    # Between two nodes, a queue passes one way: nothing but the shape of its delays tells which.
    if case == "queues" and resolution == 1:
        reached = good and count == 0
    else:
        reached = good and recall >= .8 and auto <= 2.5 * max(hand, 1)
    print("%-9s %2d nodes, +-%-5g s, %-5g s: %2d rules, forward %5.1f %%, exact %5.1f %%, recall %5.1f %%; inversions %9d, by hand %9d, by time %9d%s"
          % (case, nodes, offset, resolution, count, 100 * forward, 100 * exact, 100 * recall, auto, hand, by_time,
             "" if reached else "  NOT REACHED" if good else "  WRONG"))
    sys.stdout.flush()
    return reached


def unrelated(tool, directory, case, runs):
    false, changed = 0, 0
    for seed in range(runs):
        _, files = make(directory, case, seed, 3000, 2 + seed % 4, (0, .05, 5)[seed % 3], (1e-6, 1e-3)[seed % 2])
        rules = run(tool, "--learn", *files).stdout.count("\n[learned-")
        false += rules > 0
        changed += run(tool, "--rules", "auto", *files).stdout != run(tool, *files).stdout
        shutil.rmtree(directory)
    print("%-9s %d runs: %d with a false rule, %d with another order" % (case, runs, false, changed))
    sys.stdout.flush()
    return false, changed


def main():
    tool, whole = sys.argv[1], sys.argv[2] == "whole"
    sizes = [int(x) for x in sys.argv[3:]] or ([10, 50, 0] if whole else [10, 0])
    bad = false = 0
    with tempfile.TemporaryDirectory() as top:
        directory = top + "/logs"
        for case in ("messages", "json", "requests", "queues"):
            for nodes in [x for x in sizes if x]:
                for offset in (0, .05, 5, 7200) if whole else (.05, 5):
                    for resolution in (1e-6, 1e-3, 1) if whole else (1e-6,):
                        records = 6000 if not whole else 20000 if nodes < 20 else 120000
                        bad += not causal(tool, directory, case, 1000 + nodes, records, nodes, offset, resolution)
                        shutil.rmtree(directory)
        runs = 100 if whole else 4
        for case in ("random", "counters", "ports", "symmetric", "cron") if 0 in sizes else ():
            f, c = unrelated(tool, directory, case, runs)
            false += f
            bad += c > f
    if 0 in sizes:
        print("%d false in %d runs" % (false, 5 * runs))
    return 1 if bad or false > (5 if whole else 0) else 0


sys.exit(main())
