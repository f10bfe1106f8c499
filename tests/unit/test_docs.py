"""The documents name every command, link to files that exist, and show specs that are accepted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from kokeshi.cli.main import app
from kokeshi.schema import parse_spec

ROOT = Path(__file__).parents[2]
TASKS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [*TASKS, ROOT / "CONTRIBUTING.md"]

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands(command: Any, path: str = "kokeshi") -> Iterator[str]:
    """Yield each command of the tree as a user types it; a group only by its commands."""
    members = getattr(command, "commands", None)
    if members is None:
        yield path
        return
    for name, member in members.items():
        yield from commands(member, f"{path} {name}")


COMMANDS = sorted(commands(typer.main.get_command(app)))


def test_the_commands_are_found() -> None:
    assert {"kokeshi ingest", "kokeshi engine start", "kokeshi eval compare"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    mentioned = re.compile(rf"\b{command}\b")
    assert [name_of(page) for page in TASKS if mentioned.search(page.read_text("utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    links = _LINK.findall(_FENCE.sub("", page.read_text("utf-8")))
    local = [link.partition("#")[0] for link in links if not re.match(r"\w+:", link)]
    assert [link for link in local if not (page.parent / link).exists()] == []


def specs() -> Iterator[Any]:
    for page in PAGES:
        text = page.read_text("utf-8") if page.is_file() else ""
        for number, block in enumerate(_YAML.findall(text), start=1):
            if block.startswith("index:"):
                yield pytest.param(block, id=f"{name_of(page)}-{number}")


@pytest.mark.parametrize("spec", list(specs()))
def test_every_spec_that_is_shown_is_accepted(spec: str) -> None:
    parse_spec(spec)
