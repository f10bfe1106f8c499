"""The report as a browser has it: drawn, silent, by keyboard, on a phone, in the dark, without scripts."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

CHARTS = ("delta", "distribution", "impact", "slices", "latency")
MARKS = "[data-chart=%s] svg :is(.mark-symbol, .mark-rect, .mark-rule, .mark-line) :is(path, line)"


class View:
    """A page in a browser of some width and colour scheme, from when its charts are drawn."""

    def __init__(self, browser: Chrome, page: Path, *, width=1280, scheme="light", fragment=""):
        self.browser = browser
        self.url = page.as_uri()
        browser.get("about:blank")
        self.set_width(width)
        self.set_scheme(scheme)
        for log in ("browser", "performance"):
            browser.get_log(log)
        browser.get(self.url + fragment)
        self.wait(lambda: self.run("return document.querySelectorAll('[data-drawn]').length") == 5)

    def run(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def wait(self, condition):
        WebDriverWait(self.browser, 60).until(lambda _: condition())

    def set_width(self, width):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def set_scheme(self, scheme):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def requests(self):
        """What was asked for since the page was opened."""
        events = [
            json.loads(one["message"])["message"] for one in self.browser.get_log("performance")
        ]
        sent = [one for one in events if one["method"] == "Network.requestWillBeSent"]
        return [one["params"]["request"]["url"] for one in sent]

    def press(self, *keys):
        ActionChains(self.browser).send_keys(*keys).perform()


@pytest.fixture
def view(browser, reports):
    return View(browser, reports / "plain.html")


@pytest.mark.parametrize("name", ["plain", "hostile"])
def test_every_chart_is_drawn_in_silence_and_without_a_request(browser, reports, name):
    view = View(browser, reports / f"{name}.html")
    for chart in CHARTS:
        assert view.run("return document.querySelectorAll(arguments[0]).length", MARKS % chart) >= 3
    assert not view.run("return [...document.querySelectorAll('.chart img')].some(i => !i.hidden)")
    assert view.run("return window.harmed") is None
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    others = [url for url in view.requests() if not url.startswith("data:")]
    assert others == [view.url]


@pytest.mark.parametrize("name", ["plain", "hostile"])
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_a_page_never_scrolls_sideways(browser, reports, width, name):
    view = View(browser, reports / f"{name}.html", width=width)
    view.run("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    needed, given = view.run(
        "const page = document.documentElement; return [page.scrollWidth, page.clientWidth]"
    )
    assert needed <= given <= width


def test_charts_are_as_wide_as_a_phone(browser, reports):
    view = View(browser, reports / "plain.html", width=320)
    widths = view.run("return [...document.querySelectorAll('.stage svg')].map(s => s.clientWidth)")
    assert len(widths) == len(CHARTS)
    assert all(200 < width <= 290 for width in widths)


def test_the_keyboard_reaches_and_opens_everything(view):
    view.press(Keys.TAB)
    assert view.run("return document.activeElement.className") == "skip"
    assert view.run("return document.activeElement.getBoundingClientRect().top") >= 0
    seen = []
    for _ in range(120):
        view.press(Keys.TAB)
        assert view.run("return getComputedStyle(document.activeElement).outlineStyle") != "none"
        seen.append(
            view.run("return document.activeElement.className || document.activeElement.tagName")
        )
        if view.run("return document.activeElement.matches('.pair > summary')"):
            break
    assert "scroll" in seen
    view.press(Keys.ENTER)
    assert view.run("return document.activeElement.parentElement.open")
    view.press(Keys.TAB, Keys.ENTER, Keys.TAB)
    assert view.run("return document.activeElement.className") == "copy"
    view.press(Keys.ENTER)
    said = "return document.querySelector('details[open] .copy').textContent"
    view.wait(lambda: view.run(said) in ("Copied", "Selected"))


def test_the_skip_link_leads_to_the_verdict(view):
    view.press(Keys.TAB, Keys.ENTER)
    assert view.run("return document.activeElement.id") == "main"


def test_headings_are_in_order(view):
    levels = view.run(
        "return [...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_link_to_every_query_opens_the_table(browser, reports):
    view = View(browser, reports / "plain.html", fragment="#queries")
    assert view.run("return document.querySelector('details.all').open")


def test_charts_follow_the_colour_scheme(view):
    label = "return document.querySelector('[data-chart=delta] .role-axis-label text').getAttribute('fill')"
    muted = "return getComputedStyle(document.documentElement).getPropertyValue('--muted').trim()"
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = view.run(label), view.run(ground)
    assert view.run(muted) == light[0]
    view.set_scheme("dark")
    view.wait(lambda: view.run(label) != light[0])
    assert view.run(muted) == view.run(label)
    assert view.run(ground) != light[1]


def test_without_scripts_each_chart_is_an_image(browser, reports):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get((reports / "plain.html").as_uri())
        sizes = browser.execute_script(
            "return [...document.querySelectorAll('.chart img')].map(i => [i.naturalWidth, i.clientWidth])"
        )
        assert (
            browser.execute_script("return document.querySelectorAll('.copy:not([hidden])').length")
            == 0
        )
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert len(sizes) == len(CHARTS)
    assert all(natural > 300 and shown > 200 for natural, shown in sizes)
