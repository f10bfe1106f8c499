"""Three nodes of one engine on this machine, in one cluster; each can be killed and started again.

They are made of the distributions that `kokeshi.embedded` assembles, which itself starts single nodes.
"""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kokeshi.embedded import config
from kokeshi.embedded.assemble import ensure_assembled
from kokeshi.embedded.folders import cache_folder, engine_account, make_folder
from kokeshi.embedded.java import choose, find_jdks
from kokeshi.embedded.kinds import Run, find_kind
from kokeshi.embedded.launch import Guard
from kokeshi.embedded.layout import Layout
from kokeshi.embedded.licence import require_accepted
from kokeshi.embedded.network import HOST
from kokeshi.embedded.process import wait_until_group_gone
from kokeshi.embedded.progress import ignore_progress
from tests.servers import closed_port

NAMES = ("n0", "n1", "n2")
HEAP = "512m"
START_S = 300.0
ELECTORS = {
    "opensearch": "cluster.initial_cluster_manager_nodes",
    "elasticsearch": "cluster.initial_master_nodes",
}


@dataclass(frozen=True)
class Ports:
    http: int
    transport: int


class Cluster:
    """A cluster that runs between `start` and `stop`. home: a folder that the engine's user can reach."""

    def __init__(self, engine: str, home: Path) -> None:
        self.engine = engine
        self._home = home
        self._ports = {name: Ports(closed_port(), closed_port()) for name in NAMES}
        self._guards: dict[str, Guard] = {}

    @property
    def urls(self) -> list[str]:
        """The addresses of all nodes, those that are dead among them."""
        return [f"http://{HOST}:{ports.http}" for ports in self._ports.values()]

    def start(self) -> None:
        """Start the nodes that do not run, and wait until each index has all its copies.

        Raises EmbeddedError where the engine is not there, TimeoutError where it does not become green.
        """
        for name in NAMES:
            if name not in self._guards:
                self._guards[name] = self._launch(name)
        self.wait_until_green(nodes=len(NAMES))

    def stop(self) -> None:
        for name in tuple(self._guards):
            self.kill(name)

    def kill(self, name: str) -> None:
        """Kill a node (-9), with all its processes."""
        guard = self._guards.pop(name)
        os.killpg(guard.pid, signal.SIGKILL)
        wait_until_group_gone(guard.pid, 30.0)
        guard.stop()

    def get(self, path: str) -> Any:
        """Ask a node that runs."""
        url = f"http://{HOST}:{self._ports[next(iter(self._guards))].http}{path}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.loads(answer.read())

    def wait_until_green(self, index: str = "", *, nodes: int) -> float:
        """Return the seconds until there are so many nodes, and all copies of an index, or of every one."""
        started = time.monotonic()
        while time.monotonic() - started < START_S:
            if self._is_green(index, nodes):
                return time.monotonic() - started
            time.sleep(0.1)
        raise TimeoutError(f"{self.engine}: not green with {nodes} nodes after {START_S:.0f} s")

    def _is_green(self, index: str, nodes: int) -> bool:
        query = f"wait_for_status=green&wait_for_nodes={nodes}&wait_for_no_relocating_shards=true"
        with suppress(OSError):  # it does not answer yet, or with 408 or 503
            return not self.get(f"/_cluster/health/{index}?{query}&timeout=1s")["timed_out"]
        return False

    def manager(self) -> str:
        """Return the name of the node that the others have elected."""
        (node,) = self.get("/_nodes/_master")["nodes"].values()
        return str(node["name"])

    def holder(self, index: str, copy: str) -> str:
        """Return the name of the node that holds a copy of the first shard: "p", or "r"."""
        return str(next(one["node"] for one in self.copies(index) if one["prirep"] == copy))

    def copies(self, index: str) -> list[dict[str, Any]]:
        """Return the copies of an index's shards: shard, prirep ("p", "r"), node, docs."""
        path = f"/_cat/shards/{index}?format=json&h=shard,prirep,node,docs,state"
        found = self.get(path)
        return [one for one in found if one["state"] == "STARTED"]

    def recovered(self, index: str) -> dict[str, int]:
        """Return how the replica of an index of one shard was made: the files and operations it got."""
        (one,) = (s for s in self.get(f"/{index}/_recovery")[index]["shards"] if not s["primary"])
        files, operations = one["index"]["files"], one["translog"]
        return {"files": files["recovered"], "operations": operations["recovered"]}

    def _launch(self, name: str) -> Guard:
        kind, account = find_kind(self.engine), engine_account()
        recipe, jdk = choose(None, find_jdks(), engine=self.engine)
        cache = cache_folder(account)
        if kind.licence:
            require_accepted(kind.licence, recipe, cache)
        distribution = ensure_assembled(recipe, jdk, cache, ignore_progress)
        make_folder(self._home)
        layout = Layout(self._home / name)
        scratch = config.prepare(layout, account)
        run = Run(recipe, jdk, distribution, layout, scratch, HEAP)
        config.write_config(run, self._settings(run, name), {}, account)
        return Guard(
            {
                "command": kind.build_command(run),
                "environ": config.build_environment(run),
                "cwd": str(scratch),
                "log": str(layout.console),
                "uid": account.uid,
                "gid": account.gid,
                "drop": account.drop,
                "detach": False,
                "scratch": str(scratch),
            }
        )

    def _settings(self, run: Run, name: str) -> dict[str, object]:
        ports = self._ports[name]
        alone = config.build_settings(run.layout, name, ports.http)
        del alone["discovery.type"]
        return {
            **alone,
            **config.default_settings(run.recipe),
            "cluster.name": f"kokeshi-{self._home.parent.name}",
            "transport.port": ports.transport,
            "discovery.seed_hosts": [f"{HOST}:{one.transport}" for one in self._ports.values()],
            ELECTORS[self.engine]: list(NAMES),
        }
