"""browser - headless Chromium, driven by the DevTools protocol over a pipe.

Chromium reads commands from descriptor 3 and writes answers to descriptor 4, each
message JSON with a NUL behind it (--remote-debugging-pipe).  No port is opened, and
nothing but Python's own library is needed.

	with Browser() as browser:
	    page = browser.open("file:///tmp/out.html")
	    page.click("#help-open")
	    page.wait("document.querySelector('dialog').open")

A command that fails, a script that throws and a wait that is in vain raise BrowserError.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PATIENCE = 60  # seconds; the machine may be busy


class BrowserError(Exception):
    pass


def command():
    """The name of the browser, or None where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return name
    return None


class Browser:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="browser.")
        to_read, self.to = os.pipe()
        self.answers, from_write = os.pipe()
        # Chromium wants them as 3 and 4, which may be taken here: first out of the way, then there.
        self.log = open(os.path.join(self.directory, "log"), "wb")

        def descriptors():
            high = [os.dup(to_read), os.dup(from_write)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [command(), "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--hide-scrollbars=false",
             "--user-data-dir=" + os.path.join(self.directory, "profile"), "about:blank"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, close_fds=False, preexec_fn=descriptors,
            start_new_session=True, env=dict(os.environ, HOME=self.directory))
        os.close(to_read)
        os.close(from_write)
        self.buffer = b""
        self.number = 0
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close")
            self.process.wait(PATIENCE)
        except (BrowserError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.answers)
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def receive(self, deadline):
        """The next message."""
        while b"\0" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.answers], [], [], left)[0]:
                raise BrowserError("timed out waiting for the browser")
            some = os.read(self.answers, 1 << 20)
            if not some:
                with open(self.log.name, "rb") as log:
                    raise BrowserError("the browser has ended: " + log.read().decode(errors="replace")[-2000:])
            self.buffer += some
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **params):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.receive(deadline)
            if answer.get("id") != number:
                self.events.append(answer)
            elif "error" in answer:
                raise BrowserError("%s: %s" % (method, answer["error"].get("message")))
            else:
                return answer["result"]

    def open(self, url=None, width=1280, height=800, dark=False, touch=False):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(domain + ".enable")
        page.look(width, height, dark, touch)
        if url:
            page.go(url)
        return page


class Page:
    def __init__(self, browser, session, target):
        self.browser = browser
        self.session = session
        self.target = target

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def look(self, width, height, dark=False, touch=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def go(self, url):
        """Load URL; returns the seconds until it was there and drawn."""
        start = time.monotonic()
        self.call("Page.navigate", url=url)
        self.wait("location.href !== 'about:blank' && document.readyState === 'complete'")
        self.frame()
        return time.monotonic() - start

    def frame(self):
        """Wait until what was changed is drawn."""
        self.eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def eval(self, script):
        """What SCRIPT, an expression, yields; a promise is waited for."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise BrowserError("%s: %s" % (script, result["exceptionDetails"]))
        return result["result"].get("value")

    def wait(self, script, seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while True:
            try:
                value = self.eval(script)
            except BrowserError:
                value = None  # the document may just be replaced
            if value:
                return value
            if time.monotonic() > deadline:
                raise BrowserError("waited in vain for: " + script)
            time.sleep(0.02)

    def box(self, selector):
        """The middle of the element."""
        return self.eval("(() => { const e = document.querySelector(%s); if (!e) return null;"
                         "e.scrollIntoViewIfNeeded(); const b = e.getBoundingClientRect();"
                         "return [b.x + b.width / 2, b.y + b.height / 2, b.width, b.height]; })()" % json.dumps(selector))

    def click(self, selector):
        box = self.box(selector)
        if not box or not box[2] or not box[3]:
            raise BrowserError("nothing to click at: " + selector)
        self.click_at(box[0], box[1])

    def click_at(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.frame()

    def drag(self, x1, y1, x2, y2):
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=x1, y=y1, button="left", clickCount=1)
        for k in range(1, 5):
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x1 + (x2 - x1) * k / 4, y=y1 + (y2 - y1) * k / 4,
                      button="left", buttons=1)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=x2, y=y2, button="left", clickCount=1)
        self.frame()

    def key(self, key):
        """Press a key by its name: "n", "ArrowDown"."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = {"Enter": 13, "Escape": 27, "PageUp": 33, "PageDown": 34, "End": 35, "Home": 36, "ArrowLeft": 37,
                "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}.get(key, ord(key[0]) if len(key) == 1 else 0)
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)
        self.frame()

    def type(self, text):
        self.call("Input.insertText", text=text)

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))

    def accessibility(self):
        """The accessibility tree: a list of (role, name) of all that is in it."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [(n.get("role", {}).get("value"), n.get("name", {}).get("value", "")) for n in nodes if not n.get("ignored")]

    def requests(self):
        """The addresses that were asked for since the page was opened."""
        return [e["params"]["request"]["url"] for e in self.browser.events
                if e.get("method") == "Network.requestWillBeSent" and e.get("sessionId") == self.session]

    def complaints(self):
        """What the page wrote to its console, and errors that nothing caught."""
        found = []
        for e in self.browser.events:
            if e.get("sessionId") != self.session:
                continue
            if e.get("method") == "Runtime.exceptionThrown":
                found.append(e["params"]["exceptionDetails"].get("exception", {}).get("description", "an exception"))
            elif e.get("method") == "Log.entryAdded":
                found.append(e["params"]["entry"]["text"])
            elif e.get("method") == "Runtime.consoleAPICalled":
                found.append(json.dumps(e["params"]["args"]))
        return found
