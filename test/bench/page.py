"""page.py FILE - how long Chromium takes to open FILE, a page of rejoin-log --html, and to answer its reader.

Prints the rows of test/bench/run.sh.  A time ends with the frame that shows the result.
"""

import statistics
import sys

from browser import Browser

ROUNDS = 5


def row(what, times, reach):
    print("%s\t-\t%.0f ms (of %d: %.0f to %.0f)\t%s" % (what, statistics.median(times), len(times), min(times), max(times), reach))


def answer(page, event, do):
    """The ms from EVENT, which DO causes, to the frame after it."""
    page.eval("window.answer = 0; document.addEventListener('%s', (e) => requestAnimationFrame(() => setTimeout(() => {"
              "window.answer = performance.now() - e.timeStamp; }, 0)), { capture: true, once: true }); 0" % event)
    do()
    return page.wait("window.answer")


def main():
    url = "file://" + sys.argv[1]
    opened, clicks, searches, keys = [], [], [], []
    with Browser() as browser:
        for _ in range(ROUNDS):
            page = browser.open()
            opened.append(page.go(url) * 1000)
            rows = page.eval("document.getElementById('space').clientHeight / document.querySelector('.row').clientHeight")
            for part in (0.001, 0.25, 0.5, 0.75, 0.999):
                page.eval("document.getElementById('list').scrollTop = %d * document.querySelector('.row').clientHeight" % (rows * part))
                page.frame()
                x, y, _, h = page.box("#list")
                clicks.append(answer(page, "click", lambda: page.click_at(x, y + h / 4)))
                if page.eval("document.getElementById('details').hidden"):
                    sys.exit("the click selected nothing")
            page.key("/")
            page.eval("document.getElementById('query').value = 'table=orders rows=7'")
            searches.append(answer(page, "keydown", lambda: page.key("Enter")))
            page.key("Escape")
            keys.append(answer(page, "keydown", lambda: page.key("r")))
            browser.call("Target.closeTarget", targetId=page.target)
    row("Chromium opens it", opened, "< 3000 ms")
    row("it answers a click: past, future, reasons", clicks, "< 200 ms")
    row("it searches all records and shows a match", searches, "-")
    row("it shows only what is related", keys, "-")


main()
