"""What the commands share: options, the consoles, JSON output, opening an index."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from kokeshi.engines import Connection
from kokeshi.errors import InputError
from kokeshi.index import Index

PIPE_WIDTH = 160
"""Columns of a table that no terminal shows, such as one in a pipe or a log."""

out = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
"""Results: standard output."""

err = Console(stderr=True, highlight=False, emoji=False)
"""Progress, notes and errors: standard error."""

SpecOption = Annotated[
    Path,
    typer.Option("--spec", "-s", help="The index spec.", show_default=True, envvar="KOKESHI_SPEC"),
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="Address of the engine; else KOKESHI_URL, else the embedded one."),
]
UserOption = Annotated[str | None, typer.Option("--user", help="User; else KOKESHI_USER.")]
PasswordOption = Annotated[
    str | None,
    typer.Option(
        "--password", help="Password; better KOKESHI_PASSWORD, which no process list shows."
    ),
]
ApiKeyOption = Annotated[
    str | None,
    typer.Option("--api-key", help="API key; better KOKESHI_API_KEY, which no process list shows."),
]
CaFileOption = Annotated[
    str | None, typer.Option("--ca-file", help="Certificate authority (PEM); else KOKESHI_CA_FILE.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
FilterOption = Annotated[
    list[str] | None,
    typer.Option("--filter", "-f", help="A condition such as 'price < 50'; several must all hold."),
]
DEFAULT_SPEC = Path("kokeshi.yaml")


def open_index(
    spec: Path,
    url: str | None = None,
    user: str | None = None,
    password: str | None = None,
    api_key: str | None = None,
    ca_file: str | None = None,
) -> Index:
    """Open the index of a spec with the options of the command line; use it as a context manager."""
    connection = Connection.from_environment(
        url, user=user, password=password, api_key=api_key, ca_file=ca_file
    )
    return Index.open(spec, connection)


def print_json(value: Any) -> None:  # noqa: ANN401
    """Print a value as indented JSON, with nothing that a terminal would add."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY
    typer.echo(orjson.dumps(value, option=options, default=str).decode())


def read_vector(path: Path) -> list[float]:
    """Read a query vector from a file that holds a JSON list of numbers."""
    try:
        vector = orjson.loads(path.read_bytes())
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise InputError(f"{path}: {reason} (--vector)") from None
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON: {error.msg} (--vector)") from None
    if not isinstance(vector, list) or not all(isinstance(x, int | float) for x in vector):
        raise InputError(f"{path}: a JSON list of numbers is expected (--vector)")
    return vector
