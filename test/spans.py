#!/usr/bin/env python3
"""spans.py FORMAT SEED [SERVICE=SECONDS]... - a document of spans of services that call each other, whose clocks are off
spans.py check - what is violated in the lines of a merge on standard input"""
import collections
import json
import random
import sys

SERVICES = ["web", "cart", "pay", "db", "mail"]
TRACES = 200


def spans(seed):
    rng, out, now = random.Random(seed), [], 1763755000.0

    def add(trace, parent, service, kind, start):
        out.append(dict(trace=trace, id="%016x" % rng.getrandbits(64), parent=parent, service=service, kind=kind, start=start))
        return out[-1]

    def serve(trace, parent, service, start, depth):
        me, t = add(trace, parent, service, "server", start), start + rng.uniform(.0005, .003)
        for _ in range(rng.randrange(3) if depth < 3 else 0):
            call = add(trace, me["id"], service, "client", t)
            call["end"] = serve(trace, call["id"], rng.choice(SERVICES), t + rng.uniform(.0002, .002), depth + 1) + rng.uniform(.0002, .002)
            t = call["end"] + rng.uniform(.0001, .001)
        me["end"] = t + rng.uniform(.0001, .002)
        return me["end"]

    for _ in range(TRACES):
        now += rng.expovariate(20)
        serve("%032x" % rng.getrandbits(128), None, "web", now, 0)
    return out


def otlp(all_spans, off):
    resources = collections.defaultdict(list)
    for s in all_spans:
        resources[s["service"]].append(dict(
            traceId=s["trace"], spanId=s["id"], parentSpanId=s["parent"] or "", name=s["kind"], kind={"server": 2, "client": 3}[s["kind"]],
            startTimeUnixNano=str(int((s["start"] + off[s["service"]]) * 1e9)),
            endTimeUnixNano=str(int((s["end"] + off[s["service"]]) * 1e9))))
    return [dict(resource=dict(attributes=[dict(key="service.name", value=dict(stringValue=k))]), scopeSpans=[dict(spans=v)])
            for k, v in resources.items()]


def zipkin(all_spans, off, shared):
    by_id = {s["id"]: s for s in all_spans}
    same = {s["id"]: s["parent"] for s in all_spans if shared and s["kind"] == "server" and s["parent"]}
    for s in all_spans:
        x = dict(traceId=s["trace"], id=same.get(s["id"], s["id"]), kind=s["kind"].upper(), name=s["kind"],
                 timestamp=int((s["start"] + off[s["service"]]) * 1e6), duration=int((s["end"] - s["start"]) * 1e6),
                 localEndpoint=dict(serviceName=s["service"]))
        parent = s["parent"]
        if s["id"] in same:
            x["shared"] = True
            parent = by_id[parent]["parent"]
        if parent:
            x["parentId"] = same.get(parent, parent)
        yield x


def jaeger(all_spans, off):
    traces = collections.defaultdict(list)
    for s in all_spans:
        traces[s["trace"]].append(s)
    for trace, v in traces.items():
        names = sorted({s["service"] for s in v})
        yield dict(traceID=trace, spans=[dict(
            traceID=trace, spanID=s["id"], operationName=s["kind"], processID="p%d" % names.index(s["service"]),
            references=[dict(refType="CHILD_OF", traceID=trace, spanID=s["parent"])] if s["parent"] else [],
            startTime=int((s["start"] + off[s["service"]]) * 1e6), duration=int((s["end"] - s["start"]) * 1e6),
            tags=[dict(key="span.kind", type="string", value=s["kind"])]) for s in v],
            processes={"p%d" % i: dict(serviceName=k) for i, k in enumerate(names)})


def check():
    lines = [json.loads(line) for line in sys.stdin]
    first, client, server = {}, {}, {}
    for i, x in enumerate(lines):
        key = x["trace_id"], x["span_id"]
        first.setdefault(key, i)
        (client if x["kind"] == "client" else server).setdefault(key, i)
    parents = shared = violated = 0
    for i, x in enumerate(lines):
        key, parent = (x["trace_id"], x["span_id"]), (x["trace_id"], x.get("parent_span_id"))
        if parent[1]:
            parents += 1
            # What a server causes is within its side of a span with two.
            cause = server.get(parent, first.get(parent)) if x["kind"] == "client" else first.get(parent)
            violated += cause is None or cause > i
        if x["kind"] == "server" and key in client:
            shared += 1
            violated += client[key] > i
    print("%d spans, %d parents, %d shared, %d violated" % (len(lines), parents, shared, violated))


def main():
    if sys.argv[1] == "check":
        return check()
    kind, off = sys.argv[1], collections.defaultdict(float)
    for text in sys.argv[3:]:
        off[text.split("=")[0]] = float(text.split("=")[1])
    made = spans(int(sys.argv[2]))
    if kind == "otlp-lines":
        for resource in otlp(made, off):
            print(json.dumps(dict(resourceSpans=[resource])))
        return None
    document = dict(resourceSpans=otlp(made, off)) if kind == "otlp" else \
        dict(data=list(jaeger(made, off))) if kind == "jaeger" else list(zipkin(made, off, kind == "zipkin-shared"))
    return json.dump(document, sys.stdout, indent=1 if kind == "jaeger" else None)


main()
