"""`kokeshi cache`: what the embedding cache holds, and how to be rid of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from kokeshi.cli.common import JsonOption, out, print_json
from kokeshi.encoders.cache import VARIABLE, default_path
from kokeshi.encoders.cache_database import read_info, remove_cache

app = typer.Typer(
    help="The embedding cache: vectors kept by their text between runs.", no_args_is_help=True
)

PathArgument = Annotated[
    Path | None,
    typer.Argument(help=f"The file; else what {VARIABLE} names, else the one in the cache folder."),
]


@app.command()
def info(path: PathArgument = None, json: JsonOption = False) -> None:
    """Say how many vectors are kept, in how many bytes, and since when the oldest was not used."""
    found = read_info(_chosen(path))
    if json:
        print_json(vars(found))
    elif not found.vectors:
        out.print(f"{escape(found.path)}: nothing is kept.", soft_wrap=True)
    else:
        out.print(
            f"{escape(found.path)}: {found.vectors:,} vectors in {found.bytes / 1e6:,.1f} MB; "
            f"the oldest was last used {_ago(found.days or 0)}.",
            soft_wrap=True,
        )


@app.command()
def clear(path: PathArgument = None) -> None:
    """Remove the file; the next ingest encodes every text again."""
    where = _chosen(path)
    size = where.stat().st_size if where.is_file() else 0
    remove_cache(where)
    what = f"removed, {size / 1e6:,.1f} MB" if size else "nothing is kept"
    out.print(f"{escape(str(where))}: {what}.", soft_wrap=True)


def _chosen(path: Path | None) -> Path:
    named = os.environ.get(VARIABLE, "")
    if path is None and named not in ("", "on", "off"):
        path = Path(named)
    return path.expanduser() if path else default_path(os.environ)


def _ago(days: int) -> str:
    return "today" if days < 1 else "yesterday" if days == 1 else f"{days} days ago"
