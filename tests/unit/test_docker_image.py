"""The Dockerfile without building it: pinned, not root, and it copies what the wheel needs and no more."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"


def instructions() -> list[tuple[str, str]]:
    """Return (instruction, arguments) of the Dockerfile, continued lines put together."""
    text = re.sub(r"^#.*\n", "", (DOCKER / "Dockerfile").read_text("utf-8"), flags=re.M)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def stages() -> list[list[tuple[str, str]]]:
    starts = [n for n, (name, _) in enumerate(instructions()) if name == "FROM"]
    ends = [*starts[1:], None]
    return [instructions()[start:end] for start, end in zip(starts, ends, strict=True)]


def copied() -> list[str]:
    """Return the paths of the checkout that the Dockerfile copies."""
    given = [
        args.split() for name, args in instructions() if name == "COPY" and "--from" not in args
    ]
    return [source for *sources, _ in given for source in sources]


def test_every_stage_starts_from_the_one_pinned_base():
    assert instructions()[0] == ("ARG", "PYTHON=python:3.12-slim-bookworm")
    assert [stage[0][1] for stage in stages()] == ["${PYTHON} AS build", "${PYTHON}"]


def test_the_image_runs_kokeshi_and_not_as_root():
    last = dict(stages()[-1])
    assert (last["USER"], json.loads(last["ENTRYPOINT"])) == ("10001", ["kokeshi"])
    assert '\nkokeshi = "' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_nothing_is_built_or_installed_in_the_last_stage():
    run = " ".join(arguments for name, arguments in stages()[-1] if name == "RUN")
    assert "useradd --uid 10001" in run
    assert not re.search(r"pip install|apt|build", run)


def test_everything_that_is_installed_is_pinned_by_hash():
    run = " ".join(arguments for name, arguments in stages()[0] if name == "RUN")
    installs = re.findall(r"(?:pip|python) install ([^&]+)", run)
    assert len(installs) == 3
    assert [i for i in installs if "--require-hashes" not in i and "--no-deps" not in i] == []


def test_what_is_copied_is_there_and_the_only_thing_sent():
    lines = (DOCKER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(copied())
    assert [path for path in copied() if not (ROOT / path).exists()] == []


def test_what_the_wheel_needs_is_copied():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    needed = {
        path.split("/")[0] for path in re.findall(r'^"([^"]+)" = "kokeshi/_assets', text, re.M)
    }
    needed |= set(re.findall(r'(?:readme = |license-files = \[)"([^"]+)"', text))
    needed |= {
        path.split("/")[0]
        for path in json.loads(re.search(r"^packages = (\[.*/.*\])", text, re.M)[1])
    }
    assert needed <= {path.split("/")[0] for path in copied()}
