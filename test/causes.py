#!/usr/bin/env python3
"""causes.py CASE SEED DIRECTORY [RECORDS [NODES [OFFSET [RESOLUTION]]]] - logs of nodes with known causes

Writes DIRECTORY/nNN.log, truth.json ([[effect, cause], ...] of record numbers n in "n=N" members, which no program
can use because they are hashes) and rules.conf, rules as a person would write them.  Cases:
  messages    text; each message has an id; sender and receiver log it; message kinds, fan-out, jitter
  json        the same in JSON, the id of a message in an embedded object
  requests    calls and answers with one request id, through up to three services
  queues      ids that recur: messages of named queues, in order
  ---         without causes between the nodes:
  random      random ids
  counters    each counts its own requests
  ports       ports of own connections
  symmetric   a name that both log at about the same time, either first
  cron        jobs of one rhythm that log the run's date
"""
import collections
import json
import os
import random
import sys
import time


class World:
    def __init__(self, case, seed, nodes, offset, resolution):
        self.rng = random.Random("%s/%d" % (case, seed))
        self.nodes, self.resolution = nodes, resolution
        self.offset = [self.rng.uniform(-offset, offset) for _ in range(nodes)]
        self.records, self.edges = [], []

    def log(self, node, t, text, cause=None):
        """A record with {ID} for its mark; its number."""
        self.records.append((t, node, text))
        if cause is not None:
            self.edges.append((len(self.records) - 1, cause))
        return len(self.records) - 1

    def delay(self):
        return .0005 + self.rng.expovariate(1 / .004)

    def write(self, directory, as_json):
        os.makedirs(directory, exist_ok=True)
        order = sorted(range(len(self.records)), key=lambda i: self.records[i][0])
        files = [open("%s/n%02d.log" % (directory, i), "w") for i in range(self.nodes)]
        mark = {i: "".join(self.rng.choice("ghijklmnopqrstuvwxyz") for _ in range(12)) for i in order}
        last = [0.0] * self.nodes
        for i in order:
            t, node, text = self.records[i]
            stamp = t + self.offset[node]
            digits = {1e-6: 6, 1e-3: 3, 1: 0}[self.resolution]
            whole = int(stamp / self.resolution)
            s = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole * self.resolution + 1e-9 if digits else whole))
            if digits:
                per = round(1 / self.resolution)
                s = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole // per)) + ".%0*d" % (digits, whole % per)
            last[node] = stamp
            if as_json:
                body = json.dumps(dict(time=s + "Z", **text, mark=mark[i]))
            else:
                body = "%sZ %s mark=%s" % (s, text, mark[i])
            files[node].write(body + "\n")
        for f in files:
            f.close()
        place = {i: k for k, i in enumerate(order)}
        with open("%s/truth.json" % directory, "w") as f:
            json.dump(dict(order=[mark[i] for i in order], edges=[[place[e], place[c]] for e, c in self.edges],
                           offset=self.offset), f)


def ident(rng):
    return "%08x" % rng.getrandbits(32) if rng.random() < .5 else "%016x" % rng.getrandbits(64)


KINDS = ["ping", "append", "vote", "commit", "snapshot"]


def messages(w, n, as_json):
    t = 1763755000.0
    mid = 0
    while len(w.records) < n:
        t += w.rng.expovariate(w.nodes * 20)
        a = w.rng.randrange(w.nodes)
        kind = w.rng.choice(KINDS)
        mid += 1
        m = "m%d-%05x" % (a, w.rng.getrandbits(20) << 8 | mid & 255)
        others = [x for x in range(w.nodes) if x != a]
        to = w.rng.sample(others, 3) if kind == "append" and len(others) > 3 else [w.rng.choice(others)]
        if as_json:
            body = dict(kind=kind, term=w.rng.randrange(99), id=m)
            s = w.log(a, t, dict(event="send", msg=body, to=to[0]))
        else:
            s = w.log(a, t, "send %s id=%s to %d nodes" % (kind, m, len(to)))
        for b in to:
            at = t + w.delay()
            if as_json:
                w.log(b, at, {"event": "receive", "from": a, "msg": body}, s)
            else:
                w.log(b, at, "got %s %s from node %d" % (kind, m, a), s)
        if w.rng.random() < .3:
            w.log(w.rng.randrange(w.nodes), t, dict(event="tick", load=w.rng.random()) if as_json else "heartbeat load=%.2f" % w.rng.random())


def requests(w, n):
    t = 1763755000.0
    while len(w.records) < n:
        t += w.rng.expovariate(w.nodes * 5)
        rid = ident(w.rng)

        def call(path, at, cause):
            a = path[0]
            at += w.rng.uniform(.0005, .002)
            last = w.log(a, at, "handling request %s on tier %s" % (rid, "abc"[3 - len(path)]), cause)
            if len(path) > 1:
                at += w.rng.expovariate(1 / .002) + .0002
                sent = w.log(a, at, "calling tier %s for %s" % ("abc"[4 - len(path)], rid))
                end, last = call(path[1:], at + w.delay(), sent)
                at = end + w.delay()
                w.log(a, at, "answer of tier %s for %s" % ("abc"[4 - len(path)], rid), last)
            at += w.rng.expovariate(1 / .005) + .0005
            return at, w.log(a, at, "done with request %s in tier %s" % (rid, "abc"[3 - len(path)]))

        third = max(1, w.nodes // 3)
        call([w.rng.randrange(third), third + w.rng.randrange(third), 2 * third + w.rng.randrange(third)], t, None)


def queues(w, n):
    t = 1763755000.0
    names = ["orders-1", "mails-2", "bills-3", "audit-4", "stock-5", "users-6"]
    ready = collections.defaultdict(float)
    while len(w.records) < n:
        t += w.rng.expovariate(w.nodes * 2)
        k = w.rng.randrange(len(names))
        s = w.log(k % w.nodes, t, "published to %s" % names[k])
        ready[k] = max(t + w.delay(), ready[k] + 1e-5)
        w.log((k + 1) % w.nodes, ready[k], "consumed from %s" % names[k], s)


def unrelated(w, case, n):
    t = [1763755000.0 + w.rng.random() for _ in range(w.nodes)]
    count = [100000 + w.rng.randrange(50) for _ in range(w.nodes)]
    run = 0
    skew = [w.rng.uniform(.0005, .02) for _ in range(w.nodes)]
    while len(w.records) < n:
        run += 1
        for a in range(w.nodes):
            word = "abcdefghijklmnopqrstuvwxyz"[a % 26] * 3
            t[a] += w.rng.expovariate(10)
            count[a] += 1
            if case == "random":
                w.log(a, t[a], "%s did %s for %s" % (word, ident(w.rng), ident(w.rng)))
            elif case == "counters":
                w.log(a, t[a], "%s request %d served" % (word, count[a]))
            elif case == "ports":
                w.log(a, t[a], "%s connection from port %d" % (word, w.rng.randrange(32768, 60999)))
            elif case == "symmetric":
                w.log(a, 1763755000.0 + run + w.rng.uniform(.001, .003), "%s sees event %s" % (word, "%012x" % (run * 0x9e3779b97f % (1 << 48))))
            elif case == "cron":
                w.log(a, 1763755000.0 + 60 * run + w.rng.expovariate(1 / skew[a]),
                      "%s run of %s" % (word, time.strftime("%Y-%m-%dT%H:%M", time.gmtime(1763755000 + 60 * run))))


HAND = {
    "messages": "[m]\nsend = send \\w+ id=(?<id>[\\w-]+)\nrecv = got \\w+ (?<id>[\\w-]+) from\n",
    "json": "[m]\nsend = \"event\": \"send\".*\"id\": \"(?<id>[^\"]+)\nrecv = \"event\": \"receive\".*\"id\": \"(?<id>[^\"]+)\n",
    "requests": "".join("[c%s]\nsend = calling tier %s for (?<id>\\w+)\nrecv = handling request (?<id>\\w+) on tier %s\n"
                        "[a%s]\nsend = done with request (?<id>\\w+) in tier %s\nrecv = answer of tier %s for (?<id>\\w+)\n"
                        % (x, x, x, x, x, x) for x in "bc"),
    "queues": "[q]\nmatch = nth\nsend = published to (?<id>\\S+)\nrecv = consumed from (?<id>\\S+)\n",
}


def main():
    case, seed, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    more = sys.argv[4:] + ["20000", "10", "0", "1e-6"][len(sys.argv) - 4:]
    n, nodes, offset, resolution = int(more[0]), int(more[1]), float(more[2]), float(more[3])
    w = World(case, seed, nodes, offset, resolution)
    if case in ("messages", "json"):
        messages(w, n, case == "json")
    elif case == "requests":
        requests(w, n)
    elif case == "queues":
        queues(w, n)
    else:
        unrelated(w, case, n)
    w.write(directory, case == "json")
    with open("%s/rules.conf" % directory, "w") as f:
        f.write(HAND.get(case, ""))


main()
