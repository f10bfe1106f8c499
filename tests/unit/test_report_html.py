"""The page: whole, self-contained, safe with any text, and with colours that people can tell apart."""

import json
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from kokeshi_eval.charts import build_charts
from kokeshi_eval.model import Evaluation
from kokeshi_eval.records import build_records
from kokeshi_eval.report import build_html
from tests.evaluations import HOSTILE, build_evaluation, build_hostile


class Page(HTMLParser):
    """Elements with their attributes, and the text of each script."""

    def __init__(self, html):
        super().__init__()
        self.elements = []
        self.scripts = []
        self.text = []
        self.inside = None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside != "style":
            self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def build(evaluation):
    return build_html(evaluation, build_charts(build_records(evaluation)))


@pytest.fixture(scope="module")
def html():
    return build(build_evaluation())


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


@pytest.fixture(scope="module")
def hostile():
    return Page(build(build_hostile()))


def test_it_has_every_part(page):
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for name in ("verdict", "measures", "charts", "extremes", "slices", "to-judge", "contenders"):
        assert name in ids
    assert {"engine", "queries", "provenance", "warnings"} <= set(ids)


def test_every_link_leads_into_the_page(page):
    ids = {attrs.get("id") for _, attrs in page.elements}
    assert {link["href"].removeprefix("#") for link in page.all("a")} <= ids


def test_every_query_that_moved_most_is_there(page):
    moved = [id_ for one in build_evaluation().candidates for id_ in (*one.harmed, *one.helped)]
    pairs = [attrs for attrs in page.all("details") if attrs.get("class") == "pair"]
    assert len(pairs) == len(moved) == 40


def test_nothing_is_loaded_from_anywhere(page):
    names = ("src", "href", "action", "data", "poster", "srcset")
    links = [attrs[name] for _, attrs in page.elements for name in names if name in attrs]
    assert links
    assert all(link.startswith(("#", "data:image/")) for link in links)
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "url(" not in page_style()


def page_style():
    return files("kokeshi_eval.report").joinpath("assets", "report.css").read_text("utf-8")


def test_each_chart_has_an_image_a_table_and_a_specification(page):
    drawings = [attrs["data-chart"] for attrs in page.all("div") if "data-chart" in attrs]
    assert drawings == ["delta", "distribution", "impact", "slices", "latency"]
    assert all(image["alt"] for image in page.all("img"))
    specs = [script for script in page.scripts if script.startswith('{"')]
    assert all(json.loads(spec)["data"]["values"] for spec in specs)
    assert len(specs) == len(page.all("img")) == len(drawings)


def test_the_image_of_very_many_queries_is_small(monkeypatch):
    charts = build_charts(build_records(build_evaluation()))
    monkeypatch.setattr("kokeshi_eval.report.html.MAX_MARKS", 40)
    page = Page(build_html(build_evaluation(), charts))
    kinds = [image["src"].partition(";")[0] for image in page.all("img")]
    assert set(kinds) == {"data:image/svg+xml", "data:image/png"}


def test_text_of_users_is_only_ever_text(page, hostile):
    for tag in ("img", "script"):
        assert len(hostile.all(tag)) == len(page.all(tag))
    assert not [name for _, attrs in hostile.elements for name in attrs if name.startswith("on")]
    shown = "".join(hostile.text)
    for text in ("hybrid", "left handed", "Corvid"):
        assert text + HOSTILE in shown
    assert not any(script.strip() == "window.harmed=1" for script in hostile.scripts)


def test_what_does_not_exist_is_left_out():
    evaluation = build_evaluation()
    candidates = tuple(
        one.model_copy(update={"slices": (), "harmed": (), "helped": ()})
        for one in evaluation.candidates
    )
    bare = evaluation.model_copy(
        update={"candidates": candidates, "warnings": (), "notes": (), "documents": {}}
    )
    page = Page(build_html(bare, {}))
    ids = {attrs.get("id") for _, attrs in page.elements}
    assert not ids & {"charts", "slices", "warnings"}
    assert {link["href"].removeprefix("#") for link in page.all("a")} <= ids


def test_an_evaluation_without_figures_is_a_page_too():
    """No grade is positive, no hit came back, nothing was timed."""
    data = json.loads(build_evaluation().model_dump_json())
    nothing = {"queries": 0, "wins": 0, "ties": 0, "losses": 0}
    for system in (data["baseline"], *(one["system"] for one in data["candidates"])):
        system |= {"values": dict.fromkeys(system["values"]), "engine": {}, "latency": None}
        system |= {"judged": None, "hits": None}
    for candidate in data["candidates"]:
        for difference in (candidate["condensed"], *candidate["improvement"].values()):
            difference |= dict.fromkeys(set(difference) - {"label"}) | nothing
        impact = candidate["impact"]
        impact |= dict.fromkeys(set(impact) - {"k"}) | {"queries": 0}
        candidate |= {"slices": [], "harmed": [], "helped": []}
    for query in data["queries"]:
        for answer in (query["baseline"], *(one["ranked"] for one in query["candidates"])):
            answer |= {"ids": [], "grades": [], "engine": {}, "judged": None}
        query["positives"] = 0
        for one in query["candidates"]:
            one["moved"] = None
    page = Page(build(Evaluation.model_validate(data)))
    assert "The engine gave no figures of its own." in "".join(page.text)
    assert "None" not in "".join(page.text)


def colours(scheme):
    """Return the variables of a scheme: "light" or "dark"."""
    light, dark = page_style().split("@media (prefers-color-scheme: dark)")[:2]
    found = dict(re.findall(r"--([\w-]+): (#\w{6})", light))
    return found | (dict(re.findall(r"--([\w-]+): (#\w{6})", dark)) if scheme == "dark" else {})


def luminance(colour):
    """Relative luminance by WCAG 2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *((text, ground) for text in ("text", "muted", "link") for ground in ("page", "card")),
        *((tone, "card") for tone in ("good", "bad", "wait", "calm")),
        ("wait", "wait-soft"),
        ("text", "wait-soft"),
        *(("on-light", f"shade-{n}") for n in (0, 1, 2)),
        *(("on-dark", f"shade-{n}") for n in (3, 4)),
    ],
)
def test_text_has_the_contrast_of_wcag_aa(scheme, text, ground):
    found = colours(scheme)
    low, high = sorted(luminance(found[name]) for name in (text, ground))
    assert (high + 0.05) / (low + 0.05) >= 4.5
