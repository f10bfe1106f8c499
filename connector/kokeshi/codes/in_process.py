"""The same codes searched without an engine, for simulation, tuning and ground truth.

`search_codes` scores every code in NumPy; `build_faiss_index` hands codes and codewords to faiss.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kokeshi.codes.checks import check_vectors
from kokeshi.codes.faiss_library import load_faiss
from kokeshi.codes.packing import Codes, pack
from kokeshi.codes.product import ProductQuantizer
from kokeshi.errors import CodebookError
from kokeshi.types import Float32

Ids = npt.NDArray[np.int64]
"""Numbers of rows of the codes."""


def search_codes(
    quantizer: ProductQuantizer,
    codes: Codes,
    queries: Float32,
    k: int,
    *,
    space: str = "dot",
    rows: Ids | None = None,
) -> tuple[Float32, Ids]:
    """Return the similarities and the ids, both (Q, k), of the best codes, the best first.

    codes: (N, M) uint8. queries: (Q, D), of length 1 for cosine. rows: the ids to search in, without
    which all are (the subset search of Rii, Matsui et al. 2018). Of equal similarities the first
    row comes first. Where there are fewer than k codes, there are as many columns.

    Raises:
        CodebookError: the quantizer is not trained; codes or queries do not fit it; k is below 1.
    """
    if k < 1:
        raise CodebookError(f"k {k}: write 1 or more")
    ids = np.arange(len(codes)) if rows is None else np.unique(rows)
    kept = codes if rows is None else codes[ids]
    width = min(k, len(ids))
    queries = check_vectors(queries, quantizer.dimension)
    scores = np.empty((len(queries), width), np.float32)
    found = np.empty((len(queries), width), np.int64)
    for number, query in enumerate(queries):
        similarities = quantizer.adc_scores(quantizer.lookup_table(query, space=space), kept)
        best = _best(similarities, width)
        scores[number], found[number] = similarities[best], ids[best]
    return scores, found


def _best(scores: Float32, count: int) -> Ids:
    """Return the positions (count,) of the highest scores (N,), in order; of equal ones the first."""
    if count == 0:
        return np.empty(0, np.int64)
    last = np.partition(scores, -count)[-count]
    hopeful = np.flatnonzero(scores >= last)
    return hopeful[np.argsort(-scores[hopeful], kind="stable")[:count]]


def build_faiss_index(
    quantizer: ProductQuantizer, codes: Codes, *, space: str = "dot", fast: bool = False
) -> Any:  # noqa: ANN401 (an index of faiss)
    """Return an index of faiss that holds codes (N, M) and takes queries (Q, D) as they are.

    `index.search(queries, k)` gives dot products, or squared distances for l2, and ids. An IndexPQ
    computes what `search_codes` does; fast: an IndexPQFastScan, with lookup tables rounded to 8
    bits (André et al. 2015), for 16 codewords.

    Raises:
        CodebookError: the quantizer is not trained; codes do not fit it; `fast` with 256 codewords.
        MissingExtraError: faiss is not installed.
    """
    if fast and quantizer.codebook_size != 16:
        raise CodebookError(
            f"fast: FastScan reads codes of 16 codewords, these have {quantizer.codebook_size}; "
            "write codebook_size 16, or fast=False"
        )
    faiss = load_faiss()
    index = _index_pq(
        quantizer, codes, faiss.METRIC_L2 if space == "l2" else faiss.METRIC_INNER_PRODUCT
    )
    if fast:
        index = faiss.IndexPQFastScan(index)
    transform = _transform(quantizer)
    return index if transform is None else faiss.IndexPreTransform(transform, index)


def _index_pq(quantizer: ProductQuantizer, codes: Codes, metric: int) -> Any:  # noqa: ANN401
    faiss = load_faiss()
    count, size, width = quantizer.codewords.shape
    index = faiss.IndexPQ(count * width, count, size.bit_length() - 1, metric)
    faiss.copy_array_to_vector(quantizer.codewords.ravel(), index.pq.centroids)
    index.is_trained = True
    # packed as faiss packs them: the even subvector in the low half of a byte
    index.add_sa_codes(np.ascontiguousarray(pack(codes, size)))
    return index


def _transform(quantizer: ProductQuantizer) -> Any:  # noqa: ANN401
    """Return what rotates a query and pads it to M * Ds, None where neither is needed."""
    count, _, width = quantizer.codewords.shape
    dimension, padded = quantizer.dimension, count * width
    if quantizer.rotation is None and dimension == padded:
        return None
    matrix = np.eye(dimension, padded, dtype=np.float32)
    if quantizer.rotation is not None:
        matrix[:, :dimension] = quantizer.rotation.matrix
    faiss = load_faiss()
    transform = faiss.LinearTransform(dimension, padded, False)
    faiss.copy_array_to_vector(matrix.T.ravel(), transform.A)
    transform.is_trained = True
    return transform
