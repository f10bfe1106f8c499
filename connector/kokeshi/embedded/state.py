"""What is known about the engine of a home between processes: home/state.json."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from kokeshi.embedded.network import HOST, get_json
from kokeshi.embedded.process import is_alive


@dataclass(frozen=True)
class EngineState:
    """A process that was started, perhaps dead by now.

    identity, owner_identity: see `process_identity`. owner is 0 for an engine of its own.
    node: the name that only this run's engine gives itself.
    """

    pid: int
    identity: str
    owner: int
    owner_identity: str
    node: str
    port: int
    version: str
    java: str

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    def alive(self) -> bool:
        """Whether the very process still runs."""
        return is_alive(self.pid, self.identity)

    def orphaned(self) -> bool:
        """Whether its owner is gone, so that its guard is about to stop it."""
        return self.owner != 0 and not is_alive(self.owner, self.owner_identity)

    def answers(self, timeout: float = 5.0) -> bool:
        """Whether it answers HTTP under its own name."""
        root = get_json(self.port, "/", timeout)
        return root is not None and root.get("name") == self.node


def state_path(home: Path) -> Path:
    """Return the state file of a home."""
    return home / "state.json"


def write_state(home: Path, state: EngineState) -> None:
    """Replace the state file; a reader sees the old one or the new one."""
    path = state_path(home)
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(dataclasses.asdict(state)), "utf-8")
    scratch.replace(path)


def read_state(home: Path) -> EngineState | None:
    """Return the state when its process lives; a stale or broken file is removed."""
    path = state_path(home)
    try:
        state = EngineState(**json.loads(path.read_text("utf-8")))
    except OSError:
        return None
    except (ValueError, TypeError):
        remove_state(home)
        return None
    if not state.alive():
        remove_state(home, state)
        return None
    return state


def remove_state(home: Path, expected: EngineState | None = None) -> None:
    """Remove the state file, unless another engine has written it since."""
    path = state_path(home)
    try:
        if expected is not None and EngineState(**json.loads(path.read_text())) != expected:
            return
        path.unlink()
    except (OSError, ValueError, TypeError):
        return  # already gone, or not ours to remove
