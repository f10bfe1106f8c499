"""What the packages offer is a list, and `import kokeshi` stays light."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files

import pytest

import kokeshi
import kokeshi_eval

KOKESHI = [
    "AsyncIndex",
    "Connection",
    "EmbeddedEngine",
    "Encoder",
    "F",
    "Hit",
    "Index",
    "IndexSpec",
    "KokeshiError",
    "MemoryEngine",
    "SearchPlan",
    "SearchResult",
    "__version__",
    "load_plan",
    "load_spec",
    "parse_filter",
]
KOKESHI_EVAL = [
    "ENGINE_MEASURES",
    "MEASURES",
    "Candidate",
    "Contender",
    "Decision",
    "Difference",
    "EvalQuery",
    "Evaluation",
    "Impact",
    "Judgments",
    "Options",
    "QueryResult",
    "Rule",
    "System",
    "Template",
    "Verdict",
    "compute_measures",
    "evaluate",
    "load_judgments",
    "load_queries",
    "load_template",
    "parse_contender",
    "parse_judgments",
    "parse_options",
    "print_evaluation",
    "pseudo_grades",
    "queries_of",
    "rbo",
    "sample_queries",
    "write_judgments",
]
HEAVY = {
    "aiohttp",
    "boto3",
    "elasticsearch",
    "faiss",
    "ir_measures",
    "onnxruntime",
    "opensearchpy",
    "prometheus_client",
    "scipy",
    "torch",
    "wordllama",
}


def test_the_public_names() -> None:
    assert kokeshi.__all__ == KOKESHI
    assert kokeshi_eval.__all__ == KOKESHI_EVAL


@pytest.mark.parametrize("package", [kokeshi, kokeshi_eval], ids=lambda package: package.__name__)
def test_every_public_name_is_there_and_typed(package) -> None:
    assert [name for name in package.__all__ if not hasattr(package, name)] == []
    assert files(package).joinpath("py.typed").is_file()


@pytest.mark.parametrize("module", ["kokeshi", "kokeshi.cli.main"])
def test_an_import_loads_nothing_heavy(module: str) -> None:
    """An extra that is not installed must not be needed, one that is must not cost its start."""
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
