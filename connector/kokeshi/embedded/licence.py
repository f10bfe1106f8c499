"""Licences that a user must accept before an engine is fetched or started."""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass
from pathlib import Path

from kokeshi.embedded.folders import make_folder
from kokeshi.embedded.recipe import Recipe
from kokeshi.errors import EmbeddedError


@dataclass(frozen=True)
class Licence:
    """A licence that asks for acceptance, and the variable that says "yes" to it in scripts."""

    name: str
    url: str
    variable: str

    def record(self, cache: Path) -> Path:
        """Return the file whose presence says that the users of this cache have accepted."""
        return cache / "licences" / self.name.lower().replace(" ", "-")


def is_accepted(licence: Licence, cache: Path) -> bool:
    """Whether the licence's variable is "yes", or an acceptance is recorded in the cache."""
    if os.environ.get(licence.variable, "").strip().lower() == "yes":
        return True
    return licence.record(cache).is_file()


def record_acceptance(licence: Licence, cache: Path) -> None:
    """Remember an acceptance for the next starts with this cache.

    Raises:
        EmbeddedError: the cache cannot be written.
    """
    record = licence.record(cache)
    make_folder(record.parent)
    today = datetime.datetime.now(datetime.timezone.utc).date()
    try:
        record.write_text(f"{licence.name} ({licence.url}) accepted on {today}\n", "utf-8")
    except OSError as error:
        raise EmbeddedError(f"Cannot write {record}: {error.strerror}") from error


def require_accepted(licence: Licence, recipe: Recipe, cache: Path) -> None:
    """Refuse an engine whose licence is not accepted.

    Raises:
        EmbeddedError: names the licence, and how to accept it.
    """
    if is_accepted(licence, cache):
        return
    raise EmbeddedError(
        f"{recipe} is under the {licence.name} ({licence.url}), which you have not accepted: set "
        f"{licence.variable}=yes, or start it with accept_license=True or --accept-license"
    )


def describe(licence: Licence, recipe: Recipe, cache: Path) -> str:
    """Return what a user is asked to accept: the licence, what is fetched, what stays."""
    text = (
        f"{recipe} is under the {licence.name} ({licence.url}).\n"
        "It is not open source, and Kokeshi does not distribute it."
    )
    if recipe.archive is None:
        return text
    return (
        f"{text} Maven fetches it for you inside\n{recipe.archive.artifact}, "
        f"{recipe.archive.megabytes} MB; {recipe.archive.kept_megabytes} MB stay in {cache}."
    )
