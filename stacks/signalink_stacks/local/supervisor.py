"""Owns the one process that owns all others: starts them by readiness, keeps them alive, stops them in reverse order.

`python -m signalink_stacks.local.supervisor STATE_FOLDER` reads `run.json`, holds the folder's lock for its whole life
and writes `state.json`. SIGTERM asks it to stop. Its children die with it. Exit 0 stopped, 1 or 3 not started, 75 when
another supervisor has the lock.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

import psutil

from signalink_core.telemetry import logging
from signalink_stacks.local import discovery, layout, logfiles, ports, recipes, start
from signalink_stacks.local.engines import EngineFailed
from signalink_stacks.local.layout import Layout, Wishes
from signalink_stacks.local.managed import Managed, Recipe
from signalink_stacks.local.problems import EnvironmentBroken, LocalProblem, StartFailed
from signalink_stacks.local.state import ProcessRecord, RunState, StateFolder

log = logging.get_logger("signalink_stacks.local.supervisor")  # run as a script, its name is `__main__`
CHECK_SECONDS: Final = 1.0
STOP_SECONDS: Final = 23.0
"""All stages together; what is left then is killed, so that `down` ends within 25 s."""
EXIT_LOCKED: Final = 75


class Supervisor:
    """One run of the platform, from `run.json` to the last stopped child."""

    def __init__(self, folder: StateFolder, wishes: Wishes) -> None:
        self.folder = folder
        self.wishes = wishes
        self.stop = asyncio.Event()
        self.state = RunState(
            supervisor_pid=os.getpid(),
            supervisor_created=psutil.Process().create_time(),
            began=time.time(),
            settings=dict(wishes.settings),
            faults=wishes.faults,
            only=list(wishes.only),
        )
        self.managed: list[Managed] = []
        self.stages: list[list[Managed]] = []

    async def run(self) -> int:
        """Until told to stop. The exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        self.changed()
        problem = await self._guarded(self._start())
        if problem is None and not self.stop.is_set():
            self.state.phase, self.state.up_after = "up", time.time() - self.state.began
            self.changed()
            log.info("platform_up", seconds=round(self.state.up_after, 2))
            problem = await self._guarded(self._watch())
        await self._tear_down("stopping" if problem is None else "failed")
        return self._finish(problem)

    def changed(self) -> None:
        """Write the state. A full disk makes it stale, and must not end the platform."""
        with contextlib.suppress(OSError):
            self.folder.write(self.state)

    def note(self, process: str, what: str) -> None:
        log.warning("process_event", process=process, what=what)
        self.state.note(time.time(), process, what)
        self.changed()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> LocalProblem | None:
        """Do the work until it ends or the stop is asked for; what went wrong, if anything."""
        task = asyncio.ensure_future(work)
        asked = asyncio.ensure_future(self.stop.wait())
        await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        for each in (task, asked):
            each.cancel()
        await asyncio.wait({task, asked})
        error = None if task.cancelled() else task.exception()
        return None if error is None else as_problem(error)

    async def _start(self) -> None:
        plan = self._plan()
        engines = recipes.engines(self.folder, plan.engine_ports)
        logs, hung = self.folder.logs, recipes.hung_seconds(self.wishes.settings)
        made = {name: self._manage(recipes.engine(engine, logs, hung)) for name, engine in engines.items()}
        made |= {each.name: self._manage(recipes.service(each, logs, hung)) for each in plan.services}
        self.stages = start.stop_stages(plan, made)
        self.state.engines = {name: await asyncio.to_thread(engine.version) for name, engine in engines.items()}
        self.changed()
        await start.Start(self.folder, plan, made, self.state, self.changed).run()

    def _plan(self) -> Layout:
        manifests = discovery.required(self.wishes.packages)
        plan = layout.design(manifests, self.wishes, self.folder.secrets, ports.free_port)
        self.state.ports, self.state.urls = plan.engine_ports, plan.urls
        self.state.off = {each.name: each.purpose for each in plan.off}
        self.state.processes = [
            *(ProcessRecord(name, "engine", ports=layout.ports_of(name, plan)) for name in plan.engines),
            *(ProcessRecord(each.name, "service", ports=each.ports()) for each in plan.services),
        ]
        return plan

    def _manage(self, recipe: Recipe) -> Managed:
        managed = Managed(recipe, self.state.process(recipe.name), self.changed, self.note)
        self.managed.append(managed)
        return managed

    async def _watch(self) -> None:
        async with asyncio.TaskGroup() as group:
            for managed in self.managed:
                group.create_task(managed.keep())
                group.create_task(self._check(managed))
            while True:
                with contextlib.suppress(OSError):
                    for path in self.folder.logs.glob("*.log"):
                        logfiles.rotate(path)
                await asyncio.sleep(CHECK_SECONDS)

    async def _check(self, managed: Managed) -> None:
        """For ever, each child by itself: one that hangs delays no other's answer."""
        while True:
            await managed.check()
            await asyncio.sleep(CHECK_SECONDS)

    async def _tear_down(self, phase: str) -> None:
        self.state.phase = "failed" if phase == "failed" else "stopping"
        self.changed()
        deadline = time.monotonic() + STOP_SECONDS
        for index, stage in enumerate(self.stages):
            share = (deadline - time.monotonic()) / (len(self.stages) - index)
            await asyncio.gather(*(each.stop(min(each.recipe.stop_seconds, max(1.0, share))) for each in stage))

    def _finish(self, problem: LocalProblem | None) -> int:
        for process in self.state.processes:
            process.pid = None
        if problem is None:
            self.state.phase = "down"
        else:
            log.error("start_failed", what=problem.detail, next=problem.next_step)
            self.state.problem = {
                "code": problem.code,
                "detail": problem.detail,
                "next_step": problem.next_step or "`signalink up`",
            }
        self.changed()
        return 0 if problem is None else problem.exit_code


def as_problem(error: BaseException) -> LocalProblem:
    """The first real reason inside what a task group raised."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, LocalProblem):
        return error
    if isinstance(error, EngineFailed):
        return StartFailed(str(error), next_step="`signalink logs`, then `signalink up`")
    if isinstance(error, OSError):
        return EnvironmentBroken(f"{error}.", next_step="correct that, then `signalink up`")
    log.error("unexpected", exc_info=error)
    return StartFailed(f"{type(error).__name__}: {error}.", next_step="`signalink logs supervisor`")


def main(arguments: list[str]) -> int:
    folder = StateFolder(Path(arguments[0]))
    os.chdir(folder.root)
    logging.configure("supervisor", "supervisor")
    with folder.exclusive() as mine:
        if not mine:
            return EXIT_LOCKED
        wishes = Wishes(**json.loads(folder.run_file.read_text()))
        with contextlib.suppress(KeyboardInterrupt):
            return asyncio.run(Supervisor(folder, wishes).run())
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
