"""A refusal of the memory engine, in the words and the JSON of the real ones."""

from __future__ import annotations

from kokeshi.engines.causes import describe_cause
from kokeshi.errors import CapabilityError, EngineError
from kokeshi.types import Json


class Refusal(Exception):  # noqa: N818 (it is an answer, which `perform` turns into an error)
    """An answer other than 200. type: as the engines name it."""

    def __init__(self, status: int, type_: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.body: Json = {"error": {"type": type_, "reason": reason}, "status": status}

    @property
    def error(self) -> EngineError:
        """The error that a caller sees."""
        text = describe_cause(self.body["error"])
        if text.startswith("index_not_found"):
            text += "; create it with: kokeshi ingest FILE"
        return EngineError(f"in memory: {text}", status=self.status)


def no_index(name: str) -> Refusal:
    """Return the refusal of a name that stands for nothing."""
    return Refusal(404, "index_not_found_exception", f"no such index [{name}]")


def not_in_memory(feature: str, alternative: str) -> CapabilityError:
    """Return the error of something that only the real engines do."""
    return CapabilityError(f"the memory engine has no {feature}; {alternative}")
