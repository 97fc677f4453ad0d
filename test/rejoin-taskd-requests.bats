#!/usr/bin/env bats
# Each parameter of each request of the task protocol: its kind, range and spelling.
load helper
load task

teardown() {
	end_tasks
	end
}

@test "each parameter of each route: a wrong kind, range or spelling is refused by its name, and nothing is done" {
	needs python3
	taskd
	id=$(new_id)
	session=$((id + 1))
	agent /1/session -f -o /dev/null -d '{"id":'$session',"run":1,"period_ms":5000,"lease_ms":60000}'
	agent /1/tasks -f -o /dev/null -d '{"id":'"$id"',"on_loss":"leave","argv":["sh","-c","echo Hello; while [ ! -e '"$PWD"'/go ]; do sleep 0.05; done"]}'
	wait_for 'agent "/1/tasks/$id" | jq -e ".out == 6"'
	history=$(agent /1/history | md5sum)
	sessions=$(ls "$REJOIN_STATE_DIR/tasks/sessions")
	cat >requests.py <<-'X'
		import http.client, json, re, socket, sys
		from urllib.parse import quote
		task, session = int(sys.argv[2]), int(sys.argv[3])
		MAX, YEAR = 2 ** 53 - 1, 366 * 24 * 3600 * 1000
		class Connection(http.client.HTTPConnection):
		    def connect(self):
		        self.sock = socket.socket(socket.AF_UNIX)
		        self.sock.connect(sys.argv[1])
		c = Connection("localhost")
		count = 0
		def ask(method, path, body):
		    global count
		    count += 1
		    c.request(method, path, body)
		    r = c.getresponse()
		    return r.status, r.read().decode()
		def number(lo, hi, good): return ("number", lo, hi, good)
		def word(*words): return ("word", words)
		def text(lo, hi, good): return ("text", lo, hi, good)
		def other(bad, good): return ("other", bad, good)
		ID, some, wait = number(1, MAX, 1), number(0, 2 ** 63 - 1, 0), number(0, 30, 0)
		loss = word("kill", "leave")
		# route: required parameters, others.  A good request is one that is not answered 400.
		routes = {
		    "POST /1/session": ({"id": number(1, MAX, session), "run": number(0, MAX, 1), "period_ms": number(1, 3600000, 5000),
		        "lease_ms": number(1000, 86400000, 60000)}, {"on_loss": loss, "controller": text(0, 255, "c")}),
		    "POST /1/beat": ({"id": ID, "session": ID, "n": ID, "seen": number(0, MAX, 0)}, {}),
		    "POST /1/tasks": ({"id": ID, "argv": other([[], "true", 5, [5], [""], ["a\0b"], [["x"]], {}], ["true"])},
		        {"session": ID, "on_loss": loss, "grace_ms": number(0, YEAR, 5), "timeout_ms": number(1, YEAR, 5),
		        "start_before": ID, "log_max": number(0, 64 << 20, 5), "nonce": text(1, 64, "n"),
		        "env": other([[], "A=b", {"A": 5}, {"": "x"}, {"A=": "x"}, {"A": "x\0"}], {"A": "b"}),
		        "cwd": other([5, "", "tmp", "/\0", []], "/"), "user": other([5, "", []], "root"),
		        "stdin_b64": other([5, "*", "YQ", []], "eA=="),
		        "limits": other([5, [], {"nofil": 5}, {"nofile": "5"}, {"nofile": -1}, {"nofile": 1.5}], {"nofile": 64}),
		        "new_privileges": other([0, "yes", []], False)}),
		    "POST /1/release": ({"id": ID}, {"history": number(0, MAX, 0), "store": ID,
		        "tasks": other([5, "x", {}, ["x"], [0], [-1], [1.5], [MAX + 1], [[1]], [1] * 10001], [1])}),
		    "POST /1/tasks/ID/kill": ({"id": ID}, {"signal": number(1, 64, 15), "grace_ms": number(0, YEAR, 5)}),
		    "POST /1/tasks/ID/policy": ({"id": ID, "on_loss": word("leave", "kill")}, {}),
		    "POST /1/tasks/ID/adopt": ({"id": ID, "session": ID}, {}),
		    "GET /1/tasks": ({}, {"owner": number(0, 2 ** 32 - 2, 0), "after": some,
		        "state": word("recorded", "running", "ended", "killed", "unknown", "failed", "expired")}),
		    "GET /1/tasks/ID": ({}, {}),
		    "GET /1/tasks/ID/out": ({}, {"from": some, "wait": wait}),
		    "GET /1/tasks/ID/err": ({}, {"from": some, "wait": wait}),
		    "GET /1/tasks/ID/output": ({}, {"out": some, "err": some, "wait": wait}),
		    "GET /1/output": ({"session": ID}, {"after": other(["!", "x" * 6001], ""), "wait": wait}),
		    "GET /1/history": ({}, {"after": some, "store": some, "wait": wait}),
		}
		def good(p): return p[1][0] if p[0] == "word" else p[-1]
		def wrong(p, is_post):
		    if p[0] == "number":
		        beyond = [p[1] - 1, p[2] + 1, 10 ** 30]
		        return beyond + (["5", "", True, False, None, 5.5, [], [5], {}] if is_post else ["zzz", "", "5x", " 5", "+5", "5.0", "0x5", "5\0", "5,6"])
		    if p[0] == "word":
		        near = ["", p[1][0].upper(), p[1][0] + " ", p[1][0][:-1], p[1][0] + "x", "FOO", p[1][0] + "\0", " ".join(p[1])]
		        return near + ([5, None, True, [], {}] if is_post else [])
		    if p[0] == "text":
		        return ["x" * (p[2] + 1), "a\0b"] + ([""] if p[1] else []) + [5, None, True, [], {}]
		    return p[1]
		def send(route, params):
		    method, path = route.replace("ID", str(task)).split(" ")
		    if method == "POST": return ask(method, path, json.dumps(params))
		    query = "&".join("%s=%s" % (k, quote(str(v))) for k, v in params.items())
		    return ask(method, path + ("?" + query if query else ""), None)
		def refused(route, params, name, pattern):
		    status, answer = send(route, params)
		    reason = json.loads(answer).get("reason", "") if answer.startswith("{") else ""
		    if status != 400 or not ('"%s"' % name in reason or '"nofile"' in reason) or not re.search(pattern, reason):
		        print(route, str(params)[:200], status, answer[:300])
		for route, (required, others) in routes.items():
		    is_post = route.startswith("POST")
		    unknown = {"bogus": {"id": []}, "idx": 1, "ID": 1} if is_post else {}
		    base = {k: good(p) for k, p in required.items()}
		    if not is_post: # those of POST are tried in the other tests
		        for k, p in [(None, None)] + list(others.items()):
		            status, answer = send(route, base if k is None else {**base, k: good(p)})
		            if status not in (200, 404): print("good:", route, k, status, answer)
		    for k in required:
		        refused(route, {**unknown, **{n: v for n, v in base.items() if n != k}}, k, "missing|not a list")
		    for k, p in list(required.items()) + list(others.items()):
		        for value in wrong(p, is_post):
		            refused(route, {**unknown, **base, k: value}, k, "must be|not a list|no program|not base64|not an|neither|no such user|not a cursor|unknown limit|not a string")
		        if is_post: continue
		        refused(route, {**base, k + "x": good(p)}, k + "x", "no such parameter.*" + k)
		        refused(route, {**base, k.upper(): good(p)}, k.upper(), "no such parameter")
		    if not is_post: refused(route, {**base, "bogus": 1}, "bogus", "no such parameter")
		    if is_post: refused(route.replace("ID", str(task)) + "?id=5", base, "id", "no such parameter of this request; it may have none")
		    elif others:
		        k, p = list(others.items())[0]
		        status, answer = ask("GET", route[4:].replace("ID", str(task)) + "?%s=%s&%s=%s" % (k, good(p), k, good(p)), None)
		        if status != 400: print("twice:", route, k, status, answer)
		# together: a session whose period is too long for its lease
		refused("POST /1/session", {"id": 1, "run": 1, "period_ms": 600, "lease_ms": 1000}, "period_ms", "must be at most half of lease_ms, 500, not 600")
		refused("POST /1/session", {"id": 1, "run": 1, "period_ms": 600}, "lease_ms", "missing")
		# what was written, and no further
		for path, end in (("out?from=7", 6), ("err?from=1", 0), ("output?out=6&err=1", 0), ("output?out=9&err=0", 6), ("out?from=7&wait=30", 6)):
		    status, answer = ask("GET", "/1/tasks/%d/%s" % (task, path), None)
		    if status != 416 or json.loads(answer)["error"] != "beyond" or json.loads(answer)["end"] != end: print(path, status, answer)
		status, answer = ask("GET", "/1/tasks/%d/out?from=6" % task, None)
		if status != 200 or answer: print("at the end:", status, answer)
		# many values, and a long list
		for body in ("[" + "[]," * 32768 + "[]]", '{"id":1,"x":{' + ",".join('"%d":{}' % i for i in range(32768)) + "}}"):
		    status, answer = ask("POST", "/1/release", body)
		    if status != 413: print("many:", status, answer)
		status, answer = ask("POST", "/1/tasks", json.dumps({"id": 1, "argv": ['","' * 30000], "on_loss": "leave"}))
		if status != 410: print("in a string:", status, answer[:200])
		print("done" if count > 400 else count)
	X
	run -0 python3 requests.py "$REJOIN_RUNTIME_DIR/taskd.sock" "$id" "$session"
	out_is 'done'
	[ "$(states)" = running ]
	[ "$(agent /1/history | md5sum)" = "$history" ]
	[ "$(ls "$REJOIN_STATE_DIR/tasks/sessions")" = "$sessions" ]
	touch go
}
