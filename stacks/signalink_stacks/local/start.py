"""Owns the order of a start: what waits for what, everything else side by side; and the stages of a stop.

A node begins when those it waits for are ready, never after a fixed time. Leaves the single child to `managed`.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from signalink_stacks.local import choice, logfiles, recipes
from signalink_stacks.local.engines import jars
from signalink_stacks.local.layout import Layout
from signalink_stacks.local.managed import Managed, exit_words, spawn
from signalink_stacks.local.problems import StartFailed
from signalink_stacks.local.recipes import Job
from signalink_stacks.local.state import RunState, StateFolder, Step

Node = tuple[str, list[str], Coroutine[Any, Any, None]]
"""Name, names of earlier nodes it waits for, what it does."""


def stop_stages(plan: Layout, made: dict[str, Managed]) -> list[list[Managed]]:
    """Reverse order: services whom nobody left needs, then those they needed, then all engines together."""
    left = {process.manifest.name: process.manifest for process in plan.services}
    stages: list[list[Managed]] = []
    while left:
        needed = {need for manifest in left.values() for need in manifest.needs}
        free = [name for name in left if name not in needed]
        stages.append([made[process.name] for process in plan.services if process.manifest.name in free])
        for name in free:
            del left[name]
    return [*stages, [made[name] for name in plan.engines]]


class Start:
    """One start; `run` returns when every process is ready, or raises after cancelling what was under way."""

    def __init__(
        self, folder: StateFolder, plan: Layout, made: dict[str, Managed], state: RunState, changed: Callable[[], None]
    ) -> None:
        self.folder = folder
        self.plan = plan
        self.made = made
        self.state = state
        self._changed = changed
        self._nodes: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for name, after, work in self._order():
                self._nodes[name] = group.create_task(self._node(name, after, work))

    def _order(self) -> Iterable[Node]:
        """Each name appears before it is waited for. Who needs an engine waits for the last node of it."""
        yield "signing-keys", [], self._job(recipes.keys(self.folder))
        serves: dict[str, list[str]] = {}
        for need, nodes in (("postgres", self._postgres()), ("redis", self._valkey()), ("kafka", self._kafka())):
            if choice.ENGINES[need] in self.plan.engines:
                for node in nodes:
                    yield node
                    serves[need] = [node[0]]
        for process in self.plan.services:
            serves.setdefault(process.manifest.name, []).append(process.name)
        for process in self.plan.services:
            after = [node for need in process.manifest.needs for node in serves[need]]
            yield process.name, [*after, "signing-keys"], self.made[process.name].start()

    def _postgres(self) -> Iterable[Node]:
        yield "postgres", [], self.made["postgres"].start()
        yield "postgres-roles", ["postgres"], self._job(recipes.roles(self.folder))
        migrated = "postgres-roles"
        for job in recipes.migrations(self.plan, self.folder.secrets):
            yield job.name, [migrated], self._job(job)
            migrated = job.name

    def _valkey(self) -> Iterable[Node]:
        yield "valkey", [], self.made["valkey"].start()

    def _kafka(self) -> Iterable[Node]:
        secrets, settings = self.folder.secrets, self._topic_settings()
        if not (jars.is_complete() and jars.aot_cache().exists()):
            yield "kafka-runtime", [], self._job(recipes.runtime(self.folder))
        yield "kafka", ["kafka-runtime"], self.made["kafka"].start()
        yield "kafka-access", ["kafka"], self._job(recipes.access(self.folder, settings))
        yield "topics", ["kafka-access"], self._job(recipes.topics(self.plan, secrets, settings))

    def _topic_settings(self) -> dict[str, str]:
        return {key: value for key, value in self.state.settings.items() if key == "TOPIC_PREFIX"}

    async def _node(self, name: str, after: list[str], work: Coroutine[Any, Any, None]) -> None:
        try:
            await asyncio.gather(*(asyncio.shield(self._nodes[each]) for each in after if each in self._nodes))
        except BaseException:
            work.close()
            raise
        step = Step(name, began=time.time())
        self.state.steps.append(step)
        self._changed()
        await work
        step.seconds = time.time() - step.began
        self._changed()

    async def _job(self, job: Job) -> None:
        """Run a command to its end; its output goes to a log of its own."""
        path = logfiles.path_of(self.folder.logs, job.name)
        start = path.stat().st_size if path.exists() else 0
        process = await spawn(job.launch(), path)
        try:
            code = await asyncio.wait_for(process.wait(), job.patience)
        except TimeoutError as error:
            raise StartFailed(
                f"{job.name} took longer than {job.patience:.0f} s.", next_step=f"`signalink logs {job.name}`"
            ) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code:
            raise StartFailed(
                f"{job.name} failed ({exit_words(code)}):\n{logfiles.explain(path, start)}",
                next_step=f"`signalink logs {job.name}`",
            )
