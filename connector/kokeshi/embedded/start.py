"""One start of the engine: choose, assemble, configure, launch, wait."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kokeshi.embedded import config
from kokeshi.embedded.assemble import ensure_assembled
from kokeshi.embedded.folders import (
    Account,
    cache_folder,
    find_barrier,
    require_reachable,
    require_space,
)
from kokeshi.embedded.java import Jdk, choose, find_jdks
from kokeshi.embedded.kinds import Kind, Run
from kokeshi.embedded.launch import EngineDiedError, Guard, wait_until_ready
from kokeshi.embedded.layout import layout_of
from kokeshi.embedded.licence import record_acceptance, require_accepted
from kokeshi.embedded.network import Endpoint, choose_port
from kokeshi.embedded.process import process_identity
from kokeshi.embedded.progress import OnProgress, Progress
from kokeshi.embedded.recipe import Recipe
from kokeshi.embedded.settings import fingerprint, is_on
from kokeshi.embedded.state import EngineState, write_state
from kokeshi.errors import EmbeddedError

# Above the flood-stage watermark of config.py, so that a started engine can also write.
_NEEDED_MB = 300


@dataclass(frozen=True)
class Options:
    """What the caller asked for; see `EmbeddedEngine`."""

    kind: Kind
    home: Path
    account: Account
    port: int | None
    heap: str
    version: str | None
    accept_license: bool
    settings: Mapping[str, object]
    config_files: Mapping[str, bytes]
    detach: bool
    timeout: float
    report: OnProgress

    @property
    def configured(self) -> str:
        """A digest of what the caller adds to Kokeshi's own configuration."""
        return fingerprint(self.settings, self.config_files)


@dataclass(frozen=True)
class Plan:
    """What a start has settled on before it launches anything."""

    recipe: Recipe
    jdk: Jdk
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


def choose_recipe(options: Options) -> tuple[Recipe, Jdk]:
    """Return the version to start, and the JDK to run it.

    Raises:
        EmbeddedError: no JDK fits.
    """
    account = options.account

    def usable(jdk: Jdk) -> bool:
        return not account.drop or find_barrier(jdk.binary.parent, account) is None

    return choose(options.version, find_jdks(), usable, options.kind.name)


def _prepare(options: Options) -> Plan:
    account = options.account
    recipe, jdk = choose_recipe(options)
    cache = cache_folder(account)
    require_reachable(cache, account, "cache", "KOKESHI_CACHE")
    require_reachable(options.home, account, "home", "KOKESHI_HOME")
    _settle_licence(options, recipe, cache)
    distribution = ensure_assembled(recipe, jdk, cache, options.report)
    require_space(options.home, _NEEDED_MB, "starting the engine")
    return Plan(recipe, jdk, distribution)


def _settle_licence(options: Options, recipe: Recipe, cache: Path) -> None:
    licence = options.kind.licence
    if licence is None:
        return
    if options.accept_license:
        record_acceptance(licence, cache)
    require_accepted(licence, recipe, cache)


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
    options.report(Progress(f"Starting {plan.recipe} at port {port}"))
    layout = layout_of(options.home, plan.recipe)
    scratch = config.prepare(layout, options.account)
    run = Run(plan.recipe, plan.jdk, plan.distribution, layout, scratch, options.heap)
    node = f"kokeshi-{scratch.name}"
    endpoint = _configure(run, options, node, port)
    guard = Guard(_build_spec(run, options))
    try:
        state = _record(run, options, guard, node, endpoint)
        wait_until_ready(guard, layout, node, endpoint, options.timeout, options.report)
    except BaseException:  # Ctrl-C too: leave nothing behind
        guard.stop()
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    if not options.detach:
        return state, guard
    guard.detach()
    return state, None


def _configure(run: Run, options: Options, node: str, port: int) -> Endpoint:
    """Write the configuration; return where such an engine answers."""
    settings = {
        **config.build_settings(run.layout, node, port),
        **config.default_settings(run.recipe),
        **options.settings,
    }
    config.write_config(run, settings, options.config_files, options.account)
    kind = options.kind
    return Endpoint(port, tls=is_on(settings, kind.tls), login=is_on(settings, kind.login))


def _build_spec(run: Run, options: Options) -> dict[str, object]:
    """Return what guard.py reads from its first line."""
    return {
        "command": options.kind.build_command(run),
        "environ": config.build_environment(run),
        "cwd": str(run.scratch),
        "log": str(run.layout.console),
        "uid": options.account.uid,
        "gid": options.account.gid,
        "drop": options.account.drop,
        "detach": options.detach,
        "scratch": str(run.scratch),
    }


def _record(run: Run, options: Options, guard: Guard, node: str, endpoint: Endpoint) -> EngineState:
    """Write the state before the engine is ready: a killed start must be found again."""
    owner = 0 if options.detach else os.getpid()
    state = EngineState(
        engine=options.kind.name,
        pid=guard.pid,
        identity=process_identity(guard.pid) or "ended",
        owner=owner,
        owner_identity=(process_identity(owner) or "") if owner else "",
        node=node,
        port=endpoint.port,
        version=run.recipe.version,
        java=str(run.jdk),
        tls=endpoint.tls,
        login=endpoint.login,
        configured=options.configured,
    )
    write_state(options.home, state)
    return state
