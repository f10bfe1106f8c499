"""The next version of an index, opened before it is there: its encoders, its codebooks and its body."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from kokeshi.encoders import close_encoders
from kokeshi.flows import IndexFlows
from kokeshi.index import Index
from kokeshi.lifecycle import flows
from kokeshi.schema import IndexSpec
from kokeshi.types import Json
from kokeshi.versions import Family, spec_of


@dataclass(frozen=True)
class NextVersion:
    """A version to be built. body: that creates it. family: the alias and its versions by now."""

    index: Index
    body: Json
    family: Family


@contextmanager
def open_next(index: Index, family: Family) -> Iterator[NextVersion]:
    """Open the next version of an alias by the spec of `index`, and close its encoders at the end.

    family: as it was before. To load encoders takes up to minutes, in which another run can serve a version
    or take the number, so that the family is looked at again.
    """
    with _pinned(index) as spec:
        while True:
            version = Index(spec_of(spec, family.next_name), index.engine)
            encoders = version.encoders
            try:
                body = version.build_body()
                family = index.engine.run(flows.find_family(family.alias))
                if family.next_name == version.spec.index:
                    yield NextVersion(version, body, family)
                    return
            finally:
                close_encoders(encoders.values())


@contextmanager
def _pinned(index: Index) -> Iterator[IndexSpec]:
    """Yield the spec with a file for each codebook, also for one that only the engine has."""
    coded = {name: vector for name, vector in index.spec.vectors.items() if vector.codes}
    missing = [name for name in coded if not Path(index.spec.codebook_path(name)).exists()]
    if not missing:
        yield index.spec
        return
    found = index.engine.run(IndexFlows(index.spec).find_codebooks())
    vectors = dict(index.spec.vectors)
    with TemporaryDirectory(prefix="kokeshi-") as folder:
        for name in missing:
            path = Path(folder) / f"{name}.codebook"
            found[name].save(path)
            codes = coded[name].codes
            update = {"codes": codes and codes.model_copy(update={"codebook": str(path)})}
            vectors[name] = coded[name].model_copy(update=update)
        yield index.spec.model_copy(update={"vectors": vectors})
