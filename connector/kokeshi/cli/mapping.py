"""`kokeshi mapping`: the index body, exactly as it would be PUT."""

from __future__ import annotations

import typer

from kokeshi.cli.common import (
    DEFAULT_SPEC,
    ApiKeyOption,
    CaFileOption,
    PasswordOption,
    SpecOption,
    UrlOption,
    UserOption,
    open_index,
    print_json,
)
from kokeshi.mapping import build_index

app = typer.Typer(help="Show the mapping that a spec makes.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
def show(
    spec: SpecOption = DEFAULT_SPEC,
    url: UrlOption = None,
    user: UserOption = None,
    password: PasswordOption = None,
    api_key: ApiKeyOption = None,
    ca_file: CaFileOption = None,
) -> None:
    """Print the body of `PUT /<index>` for the engine at hand, whose version decides some of it."""
    with open_index(spec, url, user, password, api_key, ca_file) as index:
        print_json(build_index(index.spec, index.engine.capabilities))
