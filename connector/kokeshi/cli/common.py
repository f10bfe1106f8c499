"""What the commands share: options, the consoles, JSON output, opening an index."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from kokeshi.engines import Connection
from kokeshi.errors import InputError

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
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
FilterOption = Annotated[
    list[str] | None,
    typer.Option("--filter", "-f", help="A condition such as 'price < 50'; several must all hold."),
]
DEFAULT_SPEC = Path("kokeshi.yaml")


def _connection_options(
    url: Annotated[
        str | None,
        typer.Option(
            "--url", help="Address of the engine; else KOKESHI_URL, else the embedded one."
        ),
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="User; else KOKESHI_USER.")] = None,
    password: Annotated[
        str | None,
        typer.Option(help="Password; better KOKESHI_PASSWORD, which no process list shows."),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(help="API key; better KOKESHI_API_KEY, which no process list shows."),
    ] = None,
    ca_file: Annotated[
        str | None, typer.Option(help="Certificate authority (PEM); else KOKESHI_CA_FILE.")
    ] = None,
) -> Connection | None:
    """Return the connection of the command line and the environment; None where neither names a URL."""
    return Connection.from_environment(
        url, user=user, password=password, api_key=api_key, ca_file=ca_file
    )


def takes_connection(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a connection; it gets them as one argument, `connection`."""
    options = inspect.signature(_connection_options, eval_str=True).parameters
    signature = inspect.signature(command, eval_str=True)
    own = [p for name, p in signature.parameters.items() if name != "connection"]

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        connection = _connection_options(**{name: given.pop(name) for name in options})
        command(connection=connection, **given)

    parameters = [*own, *options.values()]
    # typer reads both: the order and defaults from the one, the types from the other
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper


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
