"""`kokeshi spec`: check a spec without an engine, and the JSON Schema that editors read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from kokeshi.cli.common import DEFAULT_SPEC, JsonOption, out, print_json
from kokeshi.schema import load_spec
from kokeshi.schema.json_schema import build_json_schema

app = typer.Typer(help="Check a spec; print its JSON Schema.", no_args_is_help=True)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The spec.", envvar="KOKESHI_SPEC")] = DEFAULT_SPEC,
    json: JsonOption = False,
) -> None:
    """Say whether a spec is valid; the first mistake is one line and exit code 2."""
    spec = load_spec(file)
    if json:
        print_json({"file": str(file), "index": spec.index, "valid": True})
        return
    out.print(f"{escape(str(file))}: valid, for the index '{spec.index}'", soft_wrap=True)


@app.command()
def schema(
    json: JsonOption = False,  # noqa: ARG001 (it is JSON anyway; scripts may say so)
) -> None:
    """Print the JSON Schema of kokeshi.yaml, for editors."""
    print_json(build_json_schema())
