"""Saved objects, their import through HTTP, and the commands."""

from __future__ import annotations

import base64
from email import message_from_bytes

import orjson
import pytest
from typer.testing import CliRunner

from kokeshi.cli.dashboards import app
from kokeshi.errors import EngineError, InputError, KokeshiError
from kokeshi_eval.charts import list_charts
from kokeshi_eval.dashboards import Dashboards, build_ndjson, build_objects, import_objects
from tests.servers import closed_port, fixed, serving, url_of

PRODUCTS = ("kibana", "opensearch-dashboards")
TAKEN = {"success": True, "successCount": 8, "warnings": [], "successResults": []}


def refused(*errors: dict) -> dict:
    return {"success": False, "successCount": 0, "errors": list(errors)}


def failure(**error: object) -> dict:
    return {"type": "visualization", "id": "kokeshi-evaluations-delta", "error": error}


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_reference_is_to_an_object_before_it(product):
    known: set[tuple[str, str]] = set()
    for one in build_objects(product):
        assert {(ref["type"], ref["id"]) for ref in one["references"]} <= known
        known.add((one["type"], one["id"]))
    assert len(known) == len(build_objects(product))


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_dashboard_shows_every_chart_and_panels_do_not_overlap(product):
    dashboard = build_objects(product)[-1]
    panels = orjson.loads(dashboard["attributes"]["panelsJSON"])
    shown = [panel["panelIndex"] for panel in panels]
    assert shown == [*(chart.name for chart in list_charts("x")), "table"]
    cells = [
        (x, y)
        for grid in (panel["gridData"] for panel in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 48


@pytest.mark.parametrize(
    ("product", "reference"),
    [("kibana", "delta:panel_delta"), ("opensearch-dashboards", "panel_delta")],
)
def test_panels_find_their_charts_by_the_products_own_names(product, reference):
    names = {ref["name"]: ref["id"] for ref in build_objects(product)[-1]["references"]}
    assert names[reference] == "kokeshi-evaluations-delta"


def test_objects_say_which_version_they_are_of():
    kibana, opensearch = (build_objects(product) for product in PRODUCTS)
    assert all("typeMigrationVersion" in one and "migrationVersion" not in one for one in kibana)
    assert all(set(one["migrationVersion"]) == {one["type"]} for one in opensearch)
    assert [one["id"] for one in kibana] == [one["id"] for one in opensearch]


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_file_has_an_object_a_line_and_is_the_same_each_time(product):
    lines = build_ndjson(product).splitlines()
    assert [orjson.loads(line) for line in lines] == build_objects(product)
    assert build_ndjson(product) == build_ndjson(product)


@pytest.mark.parametrize(
    ("product", "header", "path"),
    [
        ("kibana", "kbn-xsrf", "/base/s/team%20a"),
        ("opensearch-dashboards", "osd-xsrf", "/base/w/team%20a"),
    ],
)
def test_the_request_is_a_form_with_the_file(product, header, path):
    with serving(fixed(200, TAKEN)) as server:
        target = Dashboards(
            url_of(server) + "/base/",
            product,
            space="team a",
            user="u",
            password="ü",  # noqa: S106
            tenant="global",
        )
        assert import_objects(target, overwrite=True) == 8
    ((line, headers, body),) = server.seen
    assert line == f"POST {path}/api/saved_objects/_import?overwrite=true"
    assert headers[header] == "true"
    assert headers["securitytenant"] == "global"
    assert (
        base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode("latin1") == "u:ü"
    )
    form = message_from_bytes(
        b"content-type: " + headers["content-type"].encode() + b"\r\n\r\n" + body
    )
    (part,) = form.get_payload()
    assert part.get_param("name", header="content-disposition") == "file"
    assert part.get_filename() == "kokeshi.ndjson"
    assert part.get_payload(decode=True).rstrip() == build_ndjson(product).rstrip()


def test_a_key_goes_in_the_header():
    with serving(fixed(200, TAKEN)) as server:
        import_objects(Dashboards(url_of(server), "kibana", api_key="k"), overwrite=False)
    ((line, headers, _),) = server.seen
    assert headers["authorization"] == "ApiKey k"
    assert line.endswith("overwrite=false")


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (
            400,
            {"error": "no handler found for uri [/api/saved_objects/_import] and method [POST]"},
            "HTTP 400: .*; is this the address of Kibana, and not of the engine",
        ),
        (401, {"message": "no"}, r"HTTP 401 \(no\): it does not know this user; set KOKESHI_DASH"),
        (403, {}, "HTTP 403: this user may not import"),
        (404, {"message": "Not Found"}, r"\(Not Found\): there is no such API.*address of Kibana"),
        (413, b"too large", "HTTP 413: the file is larger"),
        (200, b"<html>", "HTTP 200: its answer is not that of an import"),
        (500, [], "HTTP 500: its answer"),
        (
            200,
            refused(failure(type="conflict")),
            "'kokeshi-evaluations-delta': conflict; replace .*--ov",
        ),
        (
            200,
            refused(
                failure(
                    type="missing_references", references=[{"type": "index-pattern", "id": "x"}]
                )
            ),
            "0 objects were imported, others were not: .*: missing references index-pattern 'x'$",
        ),
        (
            200,
            refused(failure(type="unknown", message="a newer version", statusCode=422)),
            "unknown a newer version$",
        ),
    ],
)
def test_a_refusal_says_why(status, body, message):
    with serving(fixed(status, body)) as server, pytest.raises(EngineError, match=message):
        import_objects(Dashboards(url_of(server), "kibana"), overwrite=False)


def test_a_server_that_is_away_is_named():
    target = Dashboards(f"http://127.0.0.1:{closed_port()}", "opensearch-dashboards")
    with pytest.raises(
        EngineError, match="OpenSearch Dashboards at http.*: cannot be reached: .*efused"
    ):
        import_objects(target, overwrite=False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"url": "localhost:5601"}, "--url: write the address"),
        ({"url": "http://u:p@h"}, "without credentials"),
        ({"url": "http://h", "user": "u"}, "--user and --password: give both"),
        ({"url": "http://h", "user": "u", "password": "p", "api_key": "k"}, "give one of them"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        Dashboards(product="kibana", **given)


@pytest.mark.parametrize("product", PRODUCTS)
def test_export_writes_the_file(tmp_path, product):
    target = tmp_path / "charts.ndjson"
    ran = CliRunner().invoke(app, ["export", "--product", product, "-o", str(target)])
    assert ran.exit_code == 0, ran.exception
    assert target.read_bytes() == build_ndjson(product)


def test_export_keeps_a_file_unless_forced(tmp_path):
    target = tmp_path / "charts.ndjson"
    target.write_text("mine", "utf-8")
    ran = CliRunner().invoke(app, ["export", "-o", str(target)])
    assert isinstance(ran.exception, InputError)
    assert "exists already; give --force" in str(ran.exception)
    assert target.read_text("utf-8") == "mine"
    CliRunner().invoke(app, ["export", "-o", str(target), "--force"], catch_exceptions=False)
    assert target.read_bytes() == build_ndjson("kibana")


def test_export_goes_to_standard_output():
    ran = CliRunner().invoke(app, ["export"])
    assert ran.stdout_bytes == build_ndjson("kibana")


@pytest.mark.parametrize(
    ("name", "message"), [("a.json", "must be named"), ("no/a.ndjson", "no such folder")]
)
def test_export_to_a_bad_place_is_refused(tmp_path, name, message):
    ran = CliRunner().invoke(app, ["export", "-o", str(tmp_path / name)])
    assert isinstance(ran.exception, KokeshiError)
    assert message in str(ran.exception)


def test_import_takes_its_settings_from_the_environment():
    with serving(fixed(200, TAKEN)) as server:
        variables = {"URL": url_of(server), "PRODUCT": "opensearch-dashboards", "SPACE": "w1"}
        env = {f"KOKESHI_DASHBOARDS_{name}": value for name, value in variables.items()}
        ran = CliRunner().invoke(app, ["import", "--overwrite", "--json"], env=env)
    assert ran.exit_code == 0, ran.exception
    assert orjson.loads(ran.stdout)["imported"] == 8
    ((line, headers, _),) = server.seen
    assert line == "POST /w/w1/api/saved_objects/_import?overwrite=true"
    assert "osd-xsrf" in headers
