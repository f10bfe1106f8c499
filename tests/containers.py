"""Engines in containers, for tests, where testcontainers is installed and a Docker engine answers."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import yaml

DOCKER = Path(__file__).parents[1] / "docker"
PORT = 9200
START_TIMEOUT_S = 180
SETTINGS = {
    "opensearch": {
        "DISABLE_INSTALL_DEMO_CONFIG": "true",
        "DISABLE_SECURITY_PLUGIN": "true",
        "OPENSEARCH_JAVA_OPTS": "-Xms1g -Xmx1g",
        "discovery.type": "single-node",
    },
    "elasticsearch": {
        "ES_JAVA_OPTS": "-Xms1g -Xmx1g",
        "discovery.type": "single-node",
        "xpack.security.enabled": "false",
    },
}
"""The environment of each engine: without security, as each container lives for one test run."""


def container_url(engine: str) -> AbstractContextManager[str] | None:
    """Return a context that runs the engine in a container and gives its URL.

    engine: `opensearch` or `elasticsearch`. None where testcontainers or a Docker engine is missing.
    """
    return _running(engine) if docker_answers() else None


def docker_answers() -> bool:
    """Whether testcontainers is installed and the Docker engine that it would use answers a ping."""
    try:
        from docker.errors import DockerException
        from testcontainers.core.docker_client import DockerClient
    except ImportError:
        return False
    with warnings.catch_warnings():
        # a ping that fails leaves its socket to the garbage collector
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            answers = bool(DockerClient(timeout=5).client.ping())
        except (DockerException, OSError):
            answers = False
        gc.collect()
    return answers


def image_of(engine: str) -> str:
    """Return the image that the compose file of the engine pins."""
    text = (DOCKER / f"{engine}.yml").read_text("utf-8")
    return str(yaml.safe_load(text)["services"][engine]["image"])


@contextmanager
def _running(engine: str) -> Iterator[str]:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import HttpWaitStrategy

    ready = HttpWaitStrategy(PORT, "/_cluster/health").with_startup_timeout(START_TIMEOUT_S)
    container = DockerContainer(
        image_of(engine), env=SETTINGS[engine], ports=[PORT], mem_limit="2g"
    ).waiting_for(ready)
    with container:
        yield f"http://{container.get_container_host_ip()}:{container.get_exposed_port(PORT)}"
