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

from kokeshi.engines.settings import Settings, give
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

_PANEL = "Connection (each also as a variable: KOKESHI_URL and so on)"
_BETTER = "a process list shows it, so better"


def _option(help: str, *names: str) -> Any:  # noqa: A002, ANN401
    return typer.Option(*names, help=help, rich_help_panel=_PANEL, show_default=False)


def gives_options(
    argument: str, build: Callable[..., Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command a group of options, of which it gets one argument.

    build: has the options as parameters, and returns that argument.
    """
    options = inspect.signature(build, eval_str=True).parameters

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for name, p in signature.parameters.items() if name != argument]

        @functools.wraps(command)
        def wrapper(**given: Any) -> None:
            built = build(**{name: given.pop(name) for name in options})
            command(**given, **{argument: built})

        parameters = [*own, *options.values()]
        # typer reads both: the order and defaults from the one, the types from the other
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapper

    return decorate


def _connection_options(
    url: Annotated[
        str | None,
        _option(
            "Address of the engine, or several parted by commas; else KOKESHI_URL, else the "
            "spec's, else the embedded one.",
            "--url",
        ),
    ] = None,
    cloud_id: Annotated[str | None, _option("Of Elastic Cloud, in place of an address.")] = None,
    user: Annotated[str | None, _option("User, with --password.")] = None,
    password: Annotated[str | None, _option(f"Password; {_BETTER} KOKESHI_PASSWORD.")] = None,
    api_key: Annotated[str | None, _option(f"API key; {_BETTER} KOKESHI_API_KEY.")] = None,
    bearer: Annotated[str | None, _option(f"Bearer token; {_BETTER} KOKESHI_BEARER.")] = None,
    credentials: Annotated[
        str | None, _option("File with user and password, api_key or bearer (mode 600).")
    ] = None,
    aws_region: Annotated[
        str | None, _option("Sign for AWS in this region, with the credentials that boto3 finds.")
    ] = None,
    aws_service: Annotated[str | None, _option("es, or aoss for serverless.")] = None,
    ca_file: Annotated[str | None, _option("Authority of the certificate (PEM).")] = None,
    fingerprint: Annotated[str | None, _option("SHA-256 of the certificate.")] = None,
    client_cert: Annotated[str | None, _option("Certificate of this client (PEM).")] = None,
    client_key: Annotated[str | None, _option("Its key (PEM).")] = None,
    timeout: Annotated[
        float | None,
        _option("Seconds that one request may take with all its tries; 60 if not given."),
    ] = None,
    retries: Annotated[
        int | None, _option("How often a request waits for an engine that is away or busy.")
    ] = None,
    compress: Annotated[bool | None, _option("Send requests as gzip.", "--compress")] = None,
) -> Settings | None:
    """Return the settings of the command line; the environment and the spec complete them."""
    return give(**locals()) or None


takes_connection = gives_options("connection", _connection_options)
"""Gives a command the options of a connection, as one argument, `connection`."""


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
