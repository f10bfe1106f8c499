"""Who builds a version, and whether it still does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from kokeshi.errors import SpecError
from kokeshi.versions import Owner, Version

_BUILT_HERE: Final[list[str]] = []
"""Versions that this process builds now; a name is there twice where two engines have one of that name."""


@contextmanager
def building(name: str) -> Iterator[None]:
    """Let a version count as being built by this process meanwhile: one that it left behind does not."""
    _BUILT_HERE.append(name)
    try:
        yield
    finally:
        _BUILT_HERE.remove(name)


def check_dead(version: Version, *, take_over: bool) -> None:
    """Raise SpecError where a version is being built, or may be; take_over: not on another machine."""
    owner = version.mark.owner if version.mark else None
    state = _state(owner, version.name) if owner else "dead"
    if state == "alive":
        raise SpecError(
            f"index '{version.name}' is being built by {owner}; wait for it, or stop it"
        )
    if state == "unknown" and not take_over:
        raise SpecError(
            f"index '{version.name}' is not finished, and whether {owner} still builds it cannot be told "
            "from here; if it does not, give --take-over"
        )


def _state(owner: Owner, name: str) -> Literal["alive", "dead", "unknown"]:
    if owner == Owner.here():  # a run of before, whose clean-up failed, has this owner too
        return "alive" if name in _BUILT_HERE else "dead"
    return owner.state
