#!/usr/bin/env python3
"""explore.py CASE - what a reader does with the files of rejoin-log --html and --svg, in a browser.

Each case makes logs in the current directory, has rejoin-log merge them, opens the
result in headless Chromium, and compares what it shows with what rejoin-log --json says
of the same logs.  Screenshots go to SHOTS.  Run by test/rejoin-log-html.bats.
"""

import json
import os
import random
import re
import subprocess
import sys
import urllib.parse

from browser import Browser

SHOTS = os.environ["SHOTS"]
RULES = """[requests]
kind = message
send = tx=(?<id>\\w+)
recv = rx=(?<id>\\w+)
"""
ROWS = "[...document.querySelectorAll('.row:not([hidden])')]"


def write(name, text):
    with open(name, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())


def rejoin_log(*args):
    return subprocess.run(["rejoin-log", *args], check=True, stdout=subprocess.PIPE).stdout.decode()


def url(name, fragment=""):
    return "file://" + urllib.parse.quote(os.path.abspath(name)) + fragment


def equal(what, got, want):
    if got != want:
        sys.exit("%s: got %r, want %r" % (what, got, want))


def holds(what, value):
    if not value:
        sys.exit("does not hold: " + what)


def clean(page):
    """Nothing was loaded but the page, and nothing went wrong in it."""
    equal("complaints", page.complaints(), [])
    equal("requests", [r for r in page.requests() if not r.startswith("file://")], [])
    equal("files", len(page.requests()), 1)


# --- logs, and what is true of them


def make_logs(nodes, records, seed=7):
    """Logs of nodes that send each other requests and answers; returns their names."""
    rnd = random.Random(seed)
    logs = [[] for _ in range(nodes)]
    flying, sent, ms = [], 0, 0
    for _ in range(records):
        ms += rnd.randint(1, 40)
        if flying and rnd.random() < 0.5:
            to, number = flying.pop(rnd.randrange(len(flying)))
            logs[to].append((ms, "INFO", "got request rx=%d" % number))
        elif rnd.random() < 0.5:
            sent += 1
            a = rnd.randrange(nodes)
            logs[a].append((ms, rnd.choice(["INFO", "WARN"]), "calls tx=%d" % sent))
            flying.append((rnd.choice([b for b in range(nodes) if b != a]), sent))
        else:
            logs[rnd.randrange(nodes)].append((ms, rnd.choice(["INFO", "DEBUG", "ERROR"]), "works on item-%d" % ms))
    names = []
    for i, lines in enumerate(logs):
        names.append("node%d" % i)
        write(names[-1], "".join("2026-11-21T10:%02d:%02d.%03dZ %s %s\n" % (
            ms // 60000, ms // 1000 % 60, ms % 1000, level, text) for ms, level, text in lines))
    write("messages.conf", RULES)
    with open(os.path.join(os.environ["REJOIN_CONFIG_DIR"], "formats.d", "explore.conf"), "w") as f:
        f.write("[format]\ndetect = no\ntime = rfc3339\nline = ^\\S+ (?<level>[A-Z]+) (?<body>.*)\n")
    return names


class Truth:
    """The records as --json gives them, and what follows what by their edges and the order of each source."""

    def __init__(self, *args):
        self.records = [json.loads(line) for line in rejoin_log("--json", *args).splitlines()]
        lines, places = {}, {}
        self.before = [set() for _ in self.records]
        self.reasons = []
        for i, r in enumerate(self.records):
            at = lines[r["source"]] = lines.get(r["source"], 0) + 1
            places[r["source"], at] = i
            if at > 1:
                self.before[i].add(places[r["source"], at - 1])
        for i, r in enumerate(self.records):
            for edge in r["edges"]:
                reason, source, line = re.fullmatch(r"(.*) after (.*):(\d+)", edge).groups()
                self.before[i].add(places[source, int(line)])
                if not reason.startswith("program order"):
                    self.reasons.append((i, reason, source))
        self.after = [set() for _ in self.records]
        for i, causes in enumerate(self.before):
            for c in causes:
                self.after[c].add(i)

    @staticmethod
    def closure(i, edges):
        found, todo = set(), [i]
        while todo:
            for v in edges[todo.pop()]:
                if v not in found:
                    found.add(v)
                    todo.append(v)
        return found - {i}

    def distance(self, a, b):
        """How many constraints a path from A to B has at least."""
        steps, layer, seen = 0, {a}, set()
        while layer:
            todo = list(layer)
            while todo:
                v = todo.pop()
                if v not in seen:
                    seen.add(v)
                    todo += [w for w in self.after[v] if self.records[w]["source"] == self.records[v]["source"]]
            if b in seen:
                return steps
            steps += 1
            layer = {w for v in seen for w in self.after[v]} - seen
        return None

    def past(self, i):
        return self.closure(i, self.before)

    def future(self, i):
        return self.closure(i, self.after)


# --- the page


def search(page, text):
    """Type TEXT into the search as a user does, and go to the first match."""
    page.key("/")
    page.wait("document.activeElement.id === 'query'")
    page.eval("document.getElementById('query').select()")
    page.type(text)
    page.key("Enter")
    page.key("Escape")


def listed(page):
    """Each record of the list, with its relation: scrolls through all of it."""
    found = {}
    page.eval("document.getElementById('list').scrollTop = 0")
    while True:
        page.frame()
        for record, relation in page.eval(ROWS + ".map((r) => [Number(r.dataset.record), r.dataset.relation || ''])"):
            found[record] = relation
        if page.eval("(() => { const l = document.getElementById('list'), at = l.scrollTop;"
                     "l.scrollTop += l.clientHeight; return l.scrollTop === at; })()"):
            page.eval("document.getElementById('list').scrollTop = 0")
            page.frame()
            return found


def selected(page):
    return page.eval("(() => { const r = document.querySelector('.row[aria-selected=true]:not([hidden])');"
                     "return r ? Number(r.dataset.record) : -1; })()")


def explore_closure():
    """What a click highlights is the closure of the constraints of --json; with reasons, and the bytes."""
    names = make_logs(5, 220)
    args = ["--rules", "messages.conf"] + [n + ",format=explore" for n in names]
    truth = Truth(*args)
    rejoin_log("--html", "out.html", *args)
    with Browser() as browser:
        page = browser.open(url("out.html"))
        for i in (0, 17, 151, len(truth.records) - 1):
            text = truth.records[i]["text"]
            search(page, text)
            page.wait("document.querySelector('.row[aria-selected=true]:not([hidden])')")
            equal("the selected record", selected(page), i)
            past, future = truth.past(i), truth.future(i)
            relations = listed(page)
            equal("all records are listed", len(relations), len(truth.records))
            equal("the past of %d" % i, {r for r in relations if relations[r] == "past"}, past)
            equal("the future of %d" % i, {r for r in relations if relations[r] == "future"}, future)
            equal("counts", [page.eval("document.getElementById('count-%s').textContent.split(' ')[0]" % w)
                             for w in ("past", "future")], [str(len(past)), str(len(future))])
            # the same by a click on the row, not on another one
            page.eval("document.activeElement.blur()")
            page.key("Escape")
            equal("nothing is selected", selected(page), -1)
            page.key("n")
            page.wait("document.querySelector('[id=\"r%d\"]')" % i)
            page.key("Escape")
            page.click("#r%d" % i)
            equal("the clicked record", selected(page), i)
            holds("its time", truth.records[i]["time"][:23].replace("T", " ") in page.eval("document.querySelector('#details dl').textContent"))
            raw = page.eval("document.querySelector('pre.bytes').textContent")
            equal("raw text", raw, text)
            wanted = sorted("%s after %s" % (reason, source) for j, reason, source in truth.reasons if j == i)
            got = page.eval("[...document.querySelectorAll('#details .go')].map((b) => b.firstChild.data)")
            equal("reasons", sorted(g for g in got if " after " in g), wanted)
        # only what is related
        i = 150
        search(page, truth.records[i]["text"])
        page.click("#only-related")
        equal("only the related", set(listed(page)), truth.past(i) | truth.future(i) | {i})
        page.screenshot(SHOTS + "/page-related.png")
        page.click("#only-related")
        # the path from a marked record: steps that are true, with as few constraints as can be
        target = max(truth.future(i))
        page.key("p")
        search(page, truth.records[target]["text"])
        page.wait("[...document.querySelectorAll('#details h3')].some((h) => h.textContent.startsWith('Path from'))")
        path = page.eval("[...document.querySelector('#details h3 + ul').querySelectorAll('.go')].map((b) => Number(b.dataset.record))")
        equal("its ends", (path[0], path[-1]), (i, target))
        hops = 0
        for a, b in zip(path, path[1:]):
            if truth.records[a]["source"] == truth.records[b]["source"]:
                holds("a step in program order", a < b)
            else:
                holds("a step by a constraint", a in truth.before[b])
                hops += 1
        equal("its constraints", hops, truth.distance(i, target))
        holds("rows of the path are marked", page.eval("document.querySelectorAll('.row[data-path]').length") > 0)
        page.screenshot(SHOTS + "/page-path.png")
        search(page, truth.records[i]["text"])
        page.key("p")
        # a constraint leads to its other record
        page.screenshot(SHOTS + "/page-light.png")
        receive = next(j for j, reason, _ in truth.reasons if j > 100)
        search(page, truth.records[receive]["text"])
        page.key("ArrowLeft")
        holds("the arrow key leads to a cause", selected(page) in truth.before[receive])
        page.key("ArrowRight")
        search(page, truth.records[receive]["text"])
        page.click("#details .go")
        holds("a link leads to a cause", selected(page) in truth.before[receive])
        clean(page)


def explore_filters():
    """Search, filters, zoom, keys, and the address."""
    names = make_logs(4, 200)
    args = ["--rules", "messages.conf"] + [n + ",format=explore" for n in names]
    truth = Truth(*args)
    rejoin_log("--html", "out.html", *args)
    everything = set(range(len(truth.records)))

    def those(test):
        return {i for i, r in enumerate(truth.records) if test(r)}

    with Browser() as browser:
        page = browser.open(url("out.html"), dark=True)
        equal("all", set(listed(page)), everything)
        search(page, "item-")
        matching = those(lambda r: "item-" in r["text"])
        holds("matches are counted", "of %d matches" % len(matching) in page.eval("document.getElementById('matches').textContent"))
        equal("the first match", selected(page), min(matching))
        page.eval("document.activeElement.blur()")
        page.key("n")
        equal("the next match", selected(page), sorted(matching)[1])
        page.key("N")
        page.key("N")
        equal("before the first comes the last", selected(page), max(matching))
        holds("matches are marked", page.eval("document.querySelectorAll('.row mark').length") > 0)
        page.key("m")
        equal("only matches", set(listed(page)), matching)
        page.click("#regex")
        search(page, "rx=[0-9]$")
        equal("a regular expression", set(listed(page)) - {selected(page)}, those(lambda r: re.search("rx=[0-9]$", r["text"])) - {selected(page)})
        search(page, "rx=[")
        equal("no expression", page.eval("document.getElementById('query').getAttribute('aria-invalid')"), "true")
        page.click("#clear")
        page.key("Escape")
        equal("all again", set(listed(page)), everything)

        page.eval("(() => { const l = document.getElementById('level'); l.value = [...l.options].find((o) => o.text === 'error').value;"
                  "l.dispatchEvent(new Event('change')); })()")
        equal("a level", set(listed(page)), those(lambda r: r["level"] == "error"))
        page.click("#clear")
        page.key("e")
        page.wait("!document.getElementById('emitters').hidden")
        page.eval("document.activeElement.blur()")
        page.click("#emitters-list label:nth-child(2) input")
        name = page.eval("document.querySelector('#emitters-list label:nth-child(2) .name').textContent")
        equal("without an emitter", set(listed(page)), those(lambda r: r["source"] != name))
        page.click("#emitters-none")
        equal("without all", len(listed(page)), 0)
        page.click("#emitters-all")
        page.click("#emitters-open")

        # from a quarter to the middle of the time line
        x, y, w, _ = page.box("#timeline")
        page.drag(x - w / 4, y, x, y)
        page.wait("/ of /.test(document.getElementById('status').textContent)")
        part = listed(page)
        times = [r["time"] for r in truth.records]
        holds("a part of the time", 0 < len(part) < len(everything))
        holds("what is in that part", all(min(times[i] for i in part) <= times[j] <= max(times[i] for i in part) for j in part))
        equal("and nothing of it is missing", {j for j in everything if min(times[i] for i in part) <= times[j] <= max(times[i] for i in part)},
              set(part))
        page.key("0")
        equal("all of the time", set(listed(page)), everything)

        # the clock of the reader
        page.call("Emulation.setTimezoneOverride", timezoneId="Asia/Kolkata")
        page.key("u")
        equal("local time", page.eval("document.querySelector('.row .when').textContent"), "15:30:" + times[0][17:23])
        equal("its zone", page.eval("document.getElementById('zone').textContent"), "UTC+5:30")
        page.key("u")
        equal("UTC", page.eval("document.querySelector('.row .when').textContent"), "10:00:" + times[0][17:23])

        # the address brings it all back
        search(page, "rx=")
        page.key("Escape")
        page.eval("document.activeElement.blur()")
        page.key("m")
        page.key("n")
        at = selected(page)
        shows = listed(page)
        page.wait("location.hash.includes('r=%d') && location.hash.includes('q=rx') && location.hash.includes('m=1')" % at)
        fragment = page.eval("location.hash")
        again = browser.open(url("out.html", fragment), dark=True)
        equal("the record of the address", selected(again), at)
        equal("the list of the address", listed(again), shows)
        again.screenshot(SHOTS + "/page-dark.png")
        again.eval("location.hash = '#r=3'")
        again.wait("document.querySelector('.row[aria-selected=true]:not([hidden])')?.dataset.record === '3'")
        for odd in ("#r=99999&l=77&x=9999.-1&t=5~1&q=%5B&re=1", "#r=x&t=~&x=...", "#%ff"):
            again.eval("location.hash = %s" % json.dumps(odd))
            again.frame()
            holds("an address of another page", len(listed(again)) == len(everything))
        page.call("Page.bringToFront")
        page.key("?")
        page.wait("document.getElementById('help').open")
        page.screenshot(SHOTS + "/page-help.png")
        page.key("Escape")
        page.wait("!document.getElementById('help').open")
        clean(page)
        clean(again)


def explore_phone():
    """At the width of a phone nothing is cut off, and everything has a name."""
    names = make_logs(4, 120)
    args = ["--rules", "messages.conf"] + [n + ",format=explore" for n in names]
    truth = Truth(*args)
    rejoin_log("--html", "out.html", *args)
    with Browser() as browser:
        for dark in (False, True):
            page = browser.open(url("out.html"), 390, 844, dark=dark, touch=True)
            equal("all", len(listed(page)), len(truth.records))
            page.eval("document.getElementById('list').scrollTop = 900")
            page.frame()
            page.click_at(200, 600)
            page.wait("!document.getElementById('details').hidden")
            holds("nothing is wider than the screen", page.eval("document.documentElement.scrollWidth <= 390"))
            holds("the selected record can be seen", page.eval(
                "(() => { const r = document.querySelector('.row[aria-selected=true]:not([hidden])').getBoundingClientRect(),"
                "d = document.getElementById('details').getBoundingClientRect(), l = document.getElementById('list').getBoundingClientRect();"
                "return r.top >= l.top - 1 && r.bottom <= d.top + 1; })()"))
            page.screenshot(SHOTS + "/page-phone-%s.png" % ("dark" if dark else "light"))
            names = page.accessibility()
            wanted = ("button", "searchbox", "textbox", "combobox", "checkbox", "listbox", "option", "dialog", "img", "image")
            equal("what has no accessible name", [n for n in names if n[0] in wanted and not n[1].strip()], [])
            for role in ("button", "searchbox", "listbox", "option"):
                holds("there is a " + role, any(n[0] == role for n in names))
            clean(page)


def explore_hostile():
    """Text that looks like markup, turns lines round or is no text at all is shown, and does nothing."""
    evil = ["</script><script>window.hurt=1</script>", "<!--<script>", "<img src=x onerror='window.hurt=1'>", "]]><svg onload=window.hurt=1>",
            "\u202ereversed\u2066 \u200b", "javascript:window.hurt=1", "&lt;b&gt; \"quotes\" \\u003c", "\ufffe\U000e0041 a\u0301"]
    lines = b"".join(b"2026-11-21T10:00:00.%03dZ " % k + text.encode() + b"\n" for k, text in enumerate(evil))
    lines += b"2026-11-21T10:00:01Z \xff\xfe\x00\x1b[31m not text\n2026-11-21T10:00:02Z several\n  lines\n\tof text\n"
    name = "<img src=x onerror=window.hurt=1>.log"
    write(name, lines)
    write("plain", "2026-11-21T10:00:00.004Z plain\n")
    rejoin_log("--html", "out.html", "--svg", "out.svg", name, "plain")
    raw = lines.split(b"\n2026")
    with Browser() as browser:
        page = browser.open(url("out.html"))
        texts = page.eval(ROWS + ".map((r) => r.querySelector('.text').textContent)")
        for text in evil[:4] + evil[5:7]:
            holds("it is shown: " + text, text in texts)
        holds("what turns a line round is escaped", "\\u202ereversed\\u2066 \\u200b" in texts)
        holds("what cannot be seen is escaped", any("\\ufffe\\u{e0041} a\u0301" in t for t in texts))
        holds("what is no text is escaped", any("\\xff\\xfe\\x00\\x1b[31m not text" in t for t in texts))
        holds("an emitter is text", name in page.eval(ROWS + ".map((r) => r.querySelector('.emitter').textContent)"))
        count = page.eval("document.querySelectorAll('img, svg, script, iframe, object').length")
        equal("elements of the log", count, 1)
        page.key("Home")
        for k in range(len(texts)):
            page.key("ArrowDown") if k else None
            page.eval("[...document.querySelectorAll('#details button')].find((b) => b.textContent === 'Bytes').click()")
            dump = page.eval("document.querySelector('pre.hex').textContent")
            got = bytes.fromhex("".join(line[8:32] for line in dump.splitlines()))
            if page.eval("document.querySelector('#details h2').textContent").startswith("plain"):
                equal("bytes", got, b"2026-11-21T10:00:00.004Z plain")
            else:
                holds("the bytes of a record: %r" % got, any(got.strip(b"\n") == (b"2026" * (n > 0) + r).strip(b"\n") for n, r in enumerate(raw)))
            page.eval("document.activeElement.blur()")
        equal("nothing ran", page.eval("window.hurt === undefined"), True)
        page.screenshot(SHOTS + "/page-hostile.png")
        # whatever comes into the page, the policy lets no script of it run and nothing be loaded
        page.eval("document.body.insertAdjacentHTML('beforeend', '<img src=\"http://127.0.0.1:9/x\" onerror=\"window.hurt=1\">')")
        page.wait("document.images.length === 1 && document.images[0].complete")
        equal("still nothing ran", page.eval("window.hurt === undefined"), True)
        svg = browser.open(url("out.svg"))
        equal("the diagram is well-formed", svg.eval("document.querySelector('parsererror') === null && document.documentElement.tagName"), "svg")
        equal("its records", svg.eval("document.querySelectorAll('g.r').length"), len(texts))
        equal("nothing ran in it", svg.eval("window.hurt === undefined && document.querySelectorAll('script, img').length"), 0)
        clean(svg)


def explore_odd():
    """Pages of nothing, of one record, of records without times or with far too many emitters, and of violations."""
    write("messages.conf", RULES)
    write("empty", "")
    write("one", "2026-11-21T10:00:00Z one\n")
    write("untimed", "no\ntime\nhere\n")
    write("wide", "1990-01-01T00:00:00Z old\n2026-11-21T10:00:00.000000001Z new\n")
    write("first", "2026-11-21T10:00:00Z gets rx=7\n")
    write("second", "".join("2026-11-21T10:00:0%d.5Z b\n" % s for s in range(6)) + "2026-11-21T10:00:09Z sends tx=7\n")
    write("loose", "2026-11-21T10:00:00Z tx=1\n2026-11-21T10:00:01Z other\n2026-11-21T10:00:02Z rx=1\n")
    many = ["e%03d" % k for k in range(150)]
    for k, name in enumerate(many):
        write(name, "2026-11-21T10:%02d:%02dZ rx=%d tx=%d\n" % (k // 60, k % 60, k - 1, k))
    pages = {"empty": ["empty"], "one": ["one"], "untimed": ["untimed"], "wide": ["wide"], "many": ["--rules", "messages.conf"] + many,
             "loose": ["--rules", "messages.conf", "loose,order=none"],
             "late": ["--rules", "messages.conf", "--patience", "2s", "first", "second"]}
    with Browser() as browser:
        for name, args in pages.items():
            subprocess.run(["rejoin-log", "--html", name + ".html"] + args, check=True, stderr=subprocess.DEVNULL)
            page = browser.open(url(name + ".html"))
            for key in ("End", "Home", "ArrowDown", "ArrowRight", "ArrowLeft", "z", "+", "-", "<", ">", "0", "r", "r", "x", "p", "]", "u", "e", "Escape"):
                page.key(key)
            page.screenshot(SHOTS + "/page-%s.png" % name)
            clean(page)
            if name == "wide":
                page.key("End")
                holds("nanoseconds are kept", "2026-11-21 10:00:00.000000001" in page.eval("document.querySelector('#details dl').textContent"))
            if name == "loose":
                # a constraint within a source, and no program order
                page.key("Home")
                equal("what follows", [listed(page)[k] for k in range(3)], ["self", "none", "future"])
            if name == "late":
                # the receive stands above its send, which is its cause all the same
                search(page, "gets rx=7")
                holds("a violated constraint leads to the cause", page.eval(
                    "[...document.querySelectorAll('#details .go.back')].map((b) => b.firstChild.data).pop()") == "message requests 7, violated after second")
                equal("what was before it", page.eval("document.getElementById('count-past').textContent"), "7 records")


def explore_diagram():
    """The diagram has a dot a record and an arrow a constraint; arrows of learned rules are dashed, in both."""
    names = make_logs(3, 60)
    write("learned.conf", RULES.replace("[requests]", "[guess]\nlearned = yes"))
    args = [n + ",format=explore" for n in names]
    truth = Truth("--rules", "messages.conf", *args)
    for rules in ("messages", "learned"):
        rejoin_log("--svg", rules + ".svg", "--html", rules + ".html", "--rules", rules + ".conf", *args)
    with Browser() as browser:
        for rules in ("messages", "learned"):
            for dark in (False, True):
                svg = browser.open(url(rules + ".svg"), dark=dark)
                equal("records", svg.eval("document.querySelectorAll('g.r').length"), len(truth.records))
                equal("arrows", svg.eval("document.querySelectorAll('g.a').length"), len(truth.reasons))
                dashes = set(svg.eval("[...document.querySelectorAll('g.a .ar')].map((a) => getComputedStyle(a).strokeDasharray)"))
                equal("dashes of %s" % rules, dashes, {"none"} if rules == "messages" else {"6px, 4px"})
                svg.screenshot(SHOTS + "/diagram-%s-%s.png" % (rules, "dark" if dark else "light"))
                clean(svg)
            page = browser.open(url(rules + ".html"))
            search(page, "got request")
            holds("reasons say what is learned", page.eval(
                "[...document.querySelectorAll('#details .go')].some((b) => b.firstChild.data.startsWith('learned message guess '))")
                == (rules == "learned"))
            equal("links to learned ones are dashed", page.eval("document.querySelectorAll('#details .go.learned').length"), int(rules == "learned"))
            page.screenshot(SHOTS + "/page-%s.png" % rules)
            clean(page)


if __name__ == "__main__":
    globals()["explore_" + sys.argv[1]]()
