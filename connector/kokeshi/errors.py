"""The errors that Kokeshi raises: each message names the field, the value and the remedy."""

from __future__ import annotations


class KokeshiError(Exception):
    """Base of every error a caller can act on; the command line prints it in one line and exits 2."""


class SpecError(KokeshiError):
    """`kokeshi.yaml` or a plan is malformed: names the path in the file, the value, what is accepted."""


class InputError(KokeshiError):
    """The user's data cannot be used: names the file, the line and the reason."""


class FilterError(KokeshiError):
    """A filter expression cannot be parsed or does not fit the index: points at the column."""


class EncoderError(KokeshiError):
    """An encoder is unknown, not installed, or returned unusable vectors."""


class CodebookError(KokeshiError):
    """A codebook cannot be trained, read, or used with these vectors, codes or index."""


class EngineError(KokeshiError):
    """The engine cannot be reached, refused the request, or died.

    status: of HTTP, where there is one. away: no answer came, as when the engine is being restarted.
    """

    def __init__(self, message: str, *, status: int | None = None, away: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.away = away

    @property
    def retryable(self) -> bool:
        """Whether the same request can succeed later: the engine was busy or away."""
        return self.away or (self.status is not None and (self.status == 429 or self.status >= 500))


class CapabilityError(EngineError):
    """The engine or its version cannot do this: names the feature, the version, the alternative."""


class EmbeddedError(EngineError):
    """The embedded engine cannot be assembled or started."""


class MissingExtraError(KokeshiError, ImportError):
    """An optional dependency is not installed: names the extra to install."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra '{extra}': pip install 'kokeshi[{extra}]'")
