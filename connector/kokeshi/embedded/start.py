"""One start of the engine: choose, assemble, configure, launch, wait."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from kokeshi.embedded import config
from kokeshi.embedded.assemble import ensure_assembled
from kokeshi.embedded.config import Layout, layout_of
from kokeshi.embedded.folders import (
    Account,
    cache_folder,
    find_barrier,
    require_reachable,
    require_space,
)
from kokeshi.embedded.java import Jdk, choose, find_jdks
from kokeshi.embedded.launch import EngineDiedError, Guard, wait_until_ready
from kokeshi.embedded.network import choose_port
from kokeshi.embedded.process import process_identity
from kokeshi.embedded.progress import OnProgress, Progress
from kokeshi.embedded.recipe import Recipe
from kokeshi.embedded.state import EngineState, write_state
from kokeshi.errors import EmbeddedError

# Above the flood-stage watermark of config.py, so that a started engine can also write.
_NEEDED_MB = 300


@dataclass(frozen=True)
class Options:
    """What the caller asked for; see `EmbeddedEngine`."""

    home: Path
    account: Account
    port: int | None
    heap: str
    version: str | None
    detach: bool
    timeout: float
    report: OnProgress


@dataclass(frozen=True)
class Plan:
    """What a start has settled on."""

    recipe: Recipe
    jdk: Jdk
    layout: Layout
    distribution: Path


def start_new(options: Options) -> tuple[EngineState, Guard | None]:
    """Start an engine; the guard is None for a detached one. The caller holds the home's lock.

    Raises:
        EmbeddedError: says what is missing, or why the engine ended and its last log lines.
    """
    choose_port(options.port)  # refuse a taken port before a long download
    try:
        plan = _prepare(options)
        try:
            return _launch(plan, options)
        except EngineDiedError as error:
            if not _may_help_to_retry(plan, options, error):
                raise
        return _launch(plan, options)
    except OSError as error:  # a full disk, a folder that was removed meanwhile
        raise EmbeddedError(f"Cannot start the engine in {options.home}: {error}") from error


def _prepare(options: Options) -> Plan:
    account = options.account
    recipe, jdk = choose(options.version, find_jdks(), lambda jdk: _reachable(jdk, account))
    cache = cache_folder(account)
    require_reachable(cache, account, "cache", "KOKESHI_CACHE")
    require_reachable(options.home, account, "home", "KOKESHI_HOME")
    distribution = ensure_assembled(recipe, jdk, cache, options.report)
    require_space(options.home, _NEEDED_MB, "starting the engine")
    return Plan(recipe, jdk, layout_of(options.home, recipe), distribution)


def _reachable(jdk: Jdk, account: Account) -> bool:
    return not account.drop or find_barrier(jdk.binary.parent, account) is None


def _may_help_to_retry(plan: Plan, options: Options, error: EngineDiedError) -> bool:
    """After a death: another port may help, or a distribution that turns out to be damaged."""
    if error.port_taken:
        return options.port is None
    assembled_again = False

    def report(event: Progress) -> None:  # only called when the distribution was not sound
        nonlocal assembled_again
        assembled_again = True
        options.report(event)

    ensure_assembled(plan.recipe, plan.jdk, plan.distribution.parent.parent, report, full=True)
    return assembled_again


def _launch(plan: Plan, options: Options) -> tuple[EngineState, Guard | None]:
    port = choose_port(options.port)
    options.report(Progress(f"Starting OpenSearch {plan.recipe.version} at port {port}"))
    scratch = config.prepare(plan.layout, plan.recipe, options.account)
    node = f"kokeshi-{scratch.name}"
    config.write_config(plan.layout, node, port)
    guard = Guard(_build_spec(plan, options, scratch))
    try:
        state = _record(plan, options, guard, node, port)
        wait_until_ready(guard, plan.layout, node, port, options.timeout, options.report)
    except BaseException:  # Ctrl-C too: leave nothing behind
        guard.stop()
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    if not options.detach:
        return state, guard
    guard.detach()
    return state, None


def _build_spec(plan: Plan, options: Options, scratch: Path) -> dict[str, object]:
    """Return what guard.py reads from its first line."""
    command = config.build_command(
        plan.recipe, plan.jdk, plan.distribution, plan.layout, scratch, options.heap
    )
    return {
        "command": command,
        "environ": config.build_environment(scratch),
        "cwd": str(scratch),
        "log": str(plan.layout.console),
        "uid": options.account.uid,
        "gid": options.account.gid,
        "drop": options.account.drop,
        "detach": options.detach,
        "scratch": str(scratch),
    }


def _record(plan: Plan, options: Options, guard: Guard, node: str, port: int) -> EngineState:
    """Write the state before the engine is ready: a killed start must be found again."""
    owner = 0 if options.detach else os.getpid()
    state = EngineState(
        pid=guard.pid,
        identity=process_identity(guard.pid) or "ended",
        owner=owner,
        owner_identity=(process_identity(owner) or "") if owner else "",
        node=node,
        port=port,
        version=plan.recipe.version,
        java=str(plan.jdk),
    )
    write_state(options.home, state)
    return state
