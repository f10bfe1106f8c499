"""The JSON Schema says what the models say: what they accept is valid, what they refuse mostly not."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from kokeshi.cli.spec import app
from kokeshi.errors import SpecError
from kokeshi.schema import parse_spec
from kokeshi.schema.json_schema import build_json_schema, split_docstring

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "docs" / "kokeshi.schema.json"
SCHEMA = build_json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
_BLOCK = re.compile(r"^```yaml\n(index:.*?)^```$", re.MULTILINE | re.DOTALL)


def run(*arguments: str):
    return CliRunner().invoke(app, arguments, catch_exceptions=True)


def written() -> dict[str, str]:
    """Return every complete spec of the repository by where it stands."""
    files = [
        *ROOT.glob("connector/kokeshi/demo/specs/*.yaml"),
        *ROOT.glob("mappings/*/example.yaml"),
    ]
    found = {str(file.relative_to(ROOT)): file.read_text("utf-8") for file in files}
    for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")]:
        for number, block in enumerate(_BLOCK.findall(page.read_text("utf-8")), start=1):
            found[f"{page.name}-{number}"] = block
    return found


WRITTEN = written()
SHORT = {
    "only an index": "",
    "text as names": "text: [title, body]",
    "text with nothing after it": "text: {title: , body: {boost: 2}}",
    "encoder as a name": "vectors: {v: {encoder: wordllama, dimension: 4}}",
    "encoder with options": "vectors: {v: {encoder: {name: x, file: [1, a]}, dimension: 4}}",
    "full and number": "plans: {p: {shortlist: {dims: full, k: 5}, rescore: {dims: 3}}}",
    "empty stage": "plans: {p: {match: {}, rescore: }}",
    "a number of words": "plans: {p: {match: {minimum_should_match: 2}}}",
    "a share of words": "plans: {p: {match: {minimum_should_match: 75%}}}",
    "settings as they stand": "settings: {a: [1, {b: null}]}\nanalysis: {c: {}}",
}
WRONG = {
    "unknown key": "colour: red",
    "unknown key of a text field": "text: {t: {analyser: x}}",
    "text as a number": "text: 5",
    "text as a list of numbers": "text: [1]",
    "boost of zero": "text: {t: {boost: 0}}",
    "boost as a word": "text: {t: {boost: high}}",
    "type of a subfield": "text: {t: {subfields: {s: {type: date}}}}",
    "type of metadata": "metadata: {p: text}",
    "metadata as a list": "metadata: [p]",
    "no shards": "shards: 0",
    "id as a number": "id: 5",
    "dimension too large": "vectors: {v: {encoder: x, dimension: 20000}}",
    "no dimension": "vectors: {v: {encoder: x}}",
    "no encoder": "vectors: {v: {dimension: 4}}",
    "encoder as a number": "vectors: {v: {encoder: 5, dimension: 4}}",
    "encoder without a name": "vectors: {v: {encoder: {column: c}, dimension: 4}}",
    "prefixes as a number": "vectors: {v: {encoder: x, dimension: 4, prefixes: 2}}",
    "space": "vectors: {v: {encoder: x, dimension: 4, space: euclid}}",
    "k too large": "plans: {p: {shortlist: {dims: 4, k: 10001}}}",
    "dims as a word": "plans: {p: {shortlist: {dims: half, k: 5}}}",
    "unknown stage": "plans: {p: {rescore: {}, fuze: {}}}",
}
ONLY_CHECKED = {
    "prefix longer than the dimension": "vectors: {v: {encoder: x, dimension: 4, prefixes: [5]}}",
    "a name for two fields": "text: [v]\nvectors: {v: {encoder: x, dimension: 4}}",
    "a field's name": "metadata: {two words: float}",
    "an empty plan": "plans: {p: {}}",
}


@pytest.mark.parametrize("spec", WRITTEN.values(), ids=WRITTEN)
def test_every_spec_of_the_repository_is_valid(spec):
    parse_spec(spec)
    VALIDATOR.validate(yaml.safe_load(spec))


def test_the_specs_of_the_repository_are_found():
    assert {"connector/kokeshi/demo/specs/icecat.yaml", "spec.md-1"} <= set(WRITTEN)


@pytest.mark.parametrize("spec", SHORT.values(), ids=SHORT)
def test_every_shorthand_is_valid(spec):
    text = f"index: a\n{spec}"
    parse_spec(text)
    VALIDATOR.validate(yaml.safe_load(text))


@pytest.mark.parametrize("spec", WRONG.values(), ids=WRONG)
def test_what_the_models_refuse_is_not_valid(spec):
    text = f"index: a\n{spec}"
    with pytest.raises(SpecError):
        parse_spec(text)
    assert not VALIDATOR.is_valid(yaml.safe_load(text))


def test_the_index_is_required():
    assert not VALIDATOR.is_valid({"id": "sku"})


@pytest.mark.parametrize("spec", ONLY_CHECKED.values(), ids=ONLY_CHECKED)
def test_what_only_the_check_finds(spec):
    """The limits of the schema: where one of these becomes invalid by it, say so in its docstring."""
    text = f"index: a\n{spec}"
    with pytest.raises(SpecError):
        parse_spec(text)
    assert VALIDATOR.is_valid(yaml.safe_load(text))


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_the_file_in_the_documents_is_what_the_models_make():
    if os.environ.get("KOKESHI_UPDATE_GOLDEN") == "1":
        GOLDEN.write_text(json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n", "utf-8")
    assert json.loads(GOLDEN.read_text("utf-8")) == SCHEMA


def test_an_editor_has_help_for_every_field():
    parts = {"IndexSpec": SCHEMA, **SCHEMA["$defs"]}
    silent = [
        f"{name}.{field}"
        for name, part in parts.items()
        for field, schema in part["properties"].items()
        if not schema.get("description")
    ]
    assert (silent, [name for name, part in parts.items() if not part["description"]]) == ([], [])


@pytest.mark.parametrize(
    ("text", "summary", "fields"),
    [
        ("A box.", "A box.", {}),
        (
            "A box.\n\nwidth: in mm.\nheight: not 0.",
            "A box.",
            {"width": "In mm.", "height": "Not 0."},
        ),
        (
            "A box. width: a\n  ratio: 3. height: b",
            "A box.",
            {"width": "A ratio: 3.", "height": "B"},
        ),
        ("`width: 3` is small.", "`width: 3` is small.", {}),
        ("A box of halfwidth: 3.", "A box of halfwidth: 3.", {}),
        ("", "", {}),
    ],
)
def test_the_parts_of_a_docstring(text, summary, fields):
    assert split_docstring(text, ["width", "height"]) == (summary, fields)


def test_the_command_prints_the_schema():
    ran = run("schema")
    assert (ran.exit_code, json.loads(ran.stdout)) == (0, SCHEMA)


def test_a_valid_spec_is_said_to_be(tmp_path):
    file = tmp_path / "shop.yaml"
    file.write_text("index: shop", "utf-8")
    ran = run("check", str(file))
    assert (ran.exit_code, ran.stdout) == (0, f"{file}: valid, for the index 'shop'\n")
    ran = run("check", str(file), "--json")
    assert json.loads(ran.stdout) == {"file": str(file), "index": "shop", "valid": True}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("index: Shop", r"shop\.yaml: index: 'Shop' is not"),
        (None, r"shop\.yaml: no such file; write"),
    ],
)
def test_the_first_mistake_is_an_error(tmp_path, text, message):
    file = tmp_path / "shop.yaml"
    if text is not None:
        file.write_text(text, "utf-8")
    ran = run("check", str(file))
    assert isinstance(ran.exception, SpecError)
    assert re.search(message, str(ran.exception))


def test_the_spec_of_the_folder_is_checked_where_none_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KOKESHI_SPEC", raising=False)
    Path("kokeshi.yaml").write_text("index: shop", "utf-8")
    assert run("check").stdout == "kokeshi.yaml: valid, for the index 'shop'\n"
