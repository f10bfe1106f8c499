"""What is known about the engines of a home between processes: home/state-<engine>.json."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from kokeshi.embedded.network import Endpoint
from kokeshi.embedded.process import is_alive, wait_until_group_gone
from kokeshi.files import write_whole


@dataclass(frozen=True)
class EngineState:
    """A process that was started, perhaps dead by now.

    identity, owner_identity: see `process_identity`. owner is 0 for an engine of its own.
    node: the name that only this run's engine gives itself.
    tls, login: see `Endpoint`. configured: see `settings.fingerprint`.
    """

    engine: str
    pid: int
    identity: str
    owner: int
    owner_identity: str
    node: str
    port: int
    version: str
    java: str
    tls: bool = False
    login: bool = False
    configured: str = ""

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers."""
        return Endpoint(self.port, self.tls, self.login)

    @property
    def url(self) -> str:
        """Its address."""
        return self.endpoint.url

    def alive(self) -> bool:
        """Whether the very process still runs."""
        return is_alive(self.pid, self.identity)

    def orphaned(self) -> bool:
        """Whether its owner is gone, so that its guard is about to stop it."""
        return self.owner != 0 and not is_alive(self.owner, self.owner_identity)

    def answers(self, timeout: float = 5.0) -> bool:
        """Whether it answers under its own name, or asks for credentials."""
        return self.endpoint.is_node(self.node, timeout)


def state_path(home: Path, engine: str) -> Path:
    """Return the state file of a home's engine of this kind."""
    return home / f"state-{engine}.json"


def write_state(home: Path, state: EngineState) -> None:
    """Replace the state file; a reader sees the old one or the new one."""
    content = json.dumps(dataclasses.asdict(state)).encode()
    write_whole(state_path(home, state.engine), content, durable=False)


def read_state(home: Path, engine: str, patience: float = 0.0) -> EngineState | None:
    """Return the state when its process lives; a stale or broken file is removed.

    patience: seconds that what a killed process has left may take to end.
    """
    path = state_path(home, engine)
    try:
        state = EngineState(**json.loads(path.read_text("utf-8")))
    except OSError:
        return None
    except (ValueError, TypeError):
        remove_state(home, engine)
        return None
    if not state.alive():
        wait_until_group_gone(state.pid, patience)
        remove_state(home, engine, state)
        return None
    return state


def remove_state(home: Path, engine: str, expected: EngineState | None = None) -> None:
    """Remove the state file, unless another engine has written it since."""
    path = state_path(home, engine)
    try:
        if expected is not None and EngineState(**json.loads(path.read_text())) != expected:
            return
        path.unlink()
    except (OSError, ValueError, TypeError):
        return  # already gone, or not ours to remove
