"""A text model in ONNX with its tokenizer: token vectors, pooled to one vector for each text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from kokeshi.encoders.options import needs_extra, parse_options
from kokeshi.encoders.prompts import PromptedEncoder, Prompts, short_digest
from kokeshi.errors import EncoderError
from kokeshi.types import Float32

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Encoding, Tokenizer

Pooling = Literal["mean", "cls"]
Positive = Annotated[int, Field(ge=1)]

DEFAULT_TOKENS = 512
"""Longest input where the tokenizer names none: what BERT models take."""

_EXTERNAL_WEIGHTS = ("", "_data", ".data")
"""What a model's file name ends in: the graph, and the weights beside it from 2 GB on."""


class Options(Prompts):
    """folder: holds the files. model, tokenizer: their names. threads: all cores if not given.

    max_tokens: a longer text is cut; if not given, what the tokenizer says, else 512.
    batch: texts that run at once.
    """

    folder: str
    model: str = "model.onnx"
    tokenizer: str = "tokenizer.json"
    pooling: Pooling = "mean"
    max_tokens: Positive | None = None
    batch: Positive = 32
    threads: Positive | None = None


class OnnxTextEncoder(PromptedEncoder):
    """Runs a model on the CPU, texts of similar length together since the rest is padding."""

    def __init__(
        self, session: InferenceSession, tokenizer: Tokenizer, options: Options, name: str
    ) -> None:
        super().__init__(name, options)
        self._session = session
        self._tokenizer = tokenizer
        self._pooling = options.pooling
        self._batch = options.batch
        self._inputs = {taken.name: _dtype(taken.type) for taken in session.get_inputs()}
        self._output = _token_output(session)
        self._dim: int = self._run(["one text"]).shape[1]

    @property
    def dim(self) -> int:
        """The dimension of the model's token vectors."""
        return self._dim

    def _embed(self, texts: Sequence[str]) -> Float32:
        vectors = np.empty((len(texts), self._dim), np.float32)
        by_length = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        for start in range(0, len(texts), self._batch):
            rows = by_length[start : start + self._batch]
            vectors[rows] = self._run([texts[row] for row in rows])
        return vectors

    def _run(self, texts: Sequence[str]) -> Float32:
        """Return the vectors (N, D) of N texts that are padded to one length of T tokens."""
        encodings = self._tokenizer.encode_batch(texts)
        mask = np.array([encoding.attention_mask for encoding in encodings], np.float32)  # (N, T)
        feed = self._feed(encodings)
        with _refusals("the model refuses its input (is max_tokens more than it takes?)"):
            (tokens,) = self._session.run([self._output], feed)  # (N, T, D)
        return pool(tokens.astype(np.float32, copy=False), mask, self._pooling)

    def _feed(self, encodings: Sequence[Encoding]) -> dict[str, npt.NDArray[np.integer]]:
        known = {
            "input_ids": [encoding.ids for encoding in encodings],
            "attention_mask": [encoding.attention_mask for encoding in encodings],
            "token_type_ids": [encoding.type_ids for encoding in encodings],
        }
        if unknown := sorted(set(self._inputs) - set(known)):
            raise EncoderError(
                f"encoder onnx-text: the model wants the input '{unknown[0]}'; "
                f"a text model that takes {', '.join(known)} is needed"
            )
        return {name: np.array(known[name], dtype) for name, dtype in self._inputs.items()}


def pool(tokens: Float32, mask: Float32, pooling: Pooling) -> Float32:
    """Return one vector (N, D) for the token vectors (N, T, D) of each text.

    mask: (N, T), 1 for a token and 0 for padding. mean: the average of the tokens that are not
    padding (Reimers and Gurevych 2019, arXiv 1908.10084). cls: the first token.
    """
    if pooling == "cls":
        return tokens[:, 0]
    counts = np.maximum(mask.sum(axis=1, keepdims=True), 1)
    mean: Float32 = np.einsum("ntd,nt->nd", tokens, mask) / counts
    return mean


def build(*, dimension: int, **options: object) -> OnnxTextEncoder:  # noqa: ARG001 (the registry compares)
    """Load the model and the tokenizer of a folder; raises EncoderError where they cannot be used."""
    given = parse_options(Options, "onnx-text", options)
    with needs_extra("the encoder onnx-text", "onnx"):
        import onnxruntime
        from tokenizers import Tokenizer
    model, tokenizer = _file(given, "model"), _file(given, "tokenizer")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = given.threads or 0
    settings.log_severity_level = 4  # what goes wrong is raised; it need not be printed as well
    with _refusals(f"{model} is not a model that can be run"):
        session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    with _refusals(f"{tokenizer} is not a tokenizer"):
        cutter = _prepared(Tokenizer.from_file(str(tokenizer)), given.max_tokens)
    return OnnxTextEncoder(session, cutter, given, _identity(model, tokenizer, given))


def _file(options: Options, option: Literal["model", "tokenizer"]) -> Path:
    folder = Path(options.folder).expanduser()
    name: str = getattr(options, option)
    if (folder / name).is_file():
        return folder / name
    if not folder.is_dir():
        raise EncoderError(f"encoder onnx-text: option folder: '{folder}' is no folder")
    found = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
    raise EncoderError(
        f"encoder onnx-text: option {option}: '{folder}' has no file '{name}', it holds {found:.200}"
    )


def _prepared(tokenizer: Tokenizer, max_tokens: int | None) -> Tokenizer:
    """Cut at max_tokens and pad to the longest of a batch, whatever lengths the file has fixed."""
    padding, truncation = tokenizer.padding or {}, tokenizer.truncation or {}
    tokenizer.enable_truncation(max_tokens or truncation.get("max_length", DEFAULT_TOKENS))
    tokenizer.enable_padding(
        pad_id=padding.get("pad_id", 0), pad_token=padding.get("pad_token", "[PAD]")
    )
    return tokenizer


def _identity(model: Path, tokenizer: Path, options: Options) -> str:
    """Name whatever decides a document's vector, but for where a long text is cut."""
    weights = [model.with_name(model.name + ending) for ending in _EXTERNAL_WEIGHTS]
    files = [_digest(path) for path in (*weights, tokenizer) if path.is_file()]
    digest = short_digest(*files, options.document_prefix.encode())
    return f"onnx-text-{options.pooling}-{digest}"


def _digest(path: Path) -> bytes:
    digest = sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.digest()


def _dtype(kind: str) -> type[np.integer]:
    return np.int32 if kind == "tensor(int32)" else np.int64


def _token_output(session: InferenceSession) -> str:
    """Return the name of the first output with three axes: texts, tokens, dimensions."""
    for output in session.get_outputs():
        if len(output.shape) == 3:
            return str(output.name)
    shapes = ", ".join(f"{output.name} {output.shape}" for output in session.get_outputs())
    raise EncoderError(
        "encoder onnx-text: an output (texts, tokens, dimensions) is needed to pool, the model "
        f"has {shapes}"
    )


@contextmanager
def _refusals(reason: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # neither library has a class of its own above its errors
        found = " ".join(str(error).split())
        raise EncoderError(f"encoder onnx-text: {reason}: {found:.300}") from error
