"""`make e2e NAME=poison`: poison records of every kind in the real topics, among good ones, and what becomes of each.

A group of this program's own (tests/kafka/member.py, in a process that is also killed around its dead letters) consumes
beside the platform's services. Owns the bars: exactly the poison in the dead letters, each with its headers; everything
behind it applied once within 60 s; each redriven record applied once; the rest given up by command. Exit 1 else.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TESTS = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent)]

import services  # noqa: E402
from mixture import FOR_EVER, POISON, Sent, mixture, send  # noqa: E402
from rig import Platform, concluded, say  # noqa: E402

from signalink_core import principals  # noqa: E402
from signalink_core.database import pool  # noqa: E402
from signalink_core.kafka import offsets  # noqa: E402
from signalink_core.settings import KafkaSettings  # noqa: E402
from signalink_core.testing import eventually  # noqa: E402
from signalink_stacks.local.state import StateFolder  # noqa: E402

SIZES = {"small": (3_000, 4), "full": (30_000, 40)}
"""Good records, and poison records of each kind."""
GROUP, PRINCIPAL, SCHEMA = "signalink-analytics-proof", "analytics", "proof"
TOPICS = ("messages", "analytics", "presence")
BEHIND_SECONDS = 60.0
DEATH_SECONDS = 60.0
EFFECTS = f"""
CREATE SCHEMA {SCHEMA};
CREATE TABLE {SCHEMA}.effects (n bigint GENERATED ALWAYS AS IDENTITY, consumer_group text, body text, event_id uuid);
"""


class Missed(Exception):
    """A bar was missed; the text says which."""


def expect(fine: bool, text: str) -> None:
    if not fine:
        raise Missed(text)


class Proof:
    """The group, what was sent, and what the commands answer."""

    def __init__(self, platform: Platform, sent: Sequence[Sent]) -> None:
        self.platform, self.sent = platform, sent
        self.places: Mapping[str, str] = {}
        self.poison = {record.body: record for record in sent if record.poison}
        self.slowest = 0.0

    async def prepare(self) -> None:
        owner = await pool.connect(self.platform.postgres("owner"))
        role = principals.PRINCIPALS[PRINCIPAL].postgres_role
        await owner.execute(EFFECTS)
        await owner.execute(offsets.tables(SCHEMA, role or ""))
        await owner.execute(f"GRANT INSERT ON {SCHEMA}.effects TO {role}")
        await owner.close()

    def admin(self) -> KafkaSettings:
        known = self.platform.kafka(PRINCIPAL)
        secret = StateFolder(self.platform.state).secrets.path(f"kafka-{principals.ADMIN}")
        return known.model_copy(update={"user": principals.ADMIN, "password_file": secret})

    @asynccontextmanager
    async def member(self, *, fixed: bool = False, crash_at: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
        """A consumer of the group in a process of its own; SIGTERM at the end, and it must leave within 10 s."""
        orders = {
            "schema": SCHEMA,
            "group": GROUP,
            "topics": TOPICS,
            "kafka": self.platform.kafka(PRINCIPAL).model_dump(mode="json"),
            "postgres": self.platform.postgres(PRINCIPAL).model_dump(mode="json"),
            "faults": [{"point": crash_at, "action": "crash"}] if crash_at else [],
            "batch": 200,
            "fixed": fixed,
        }
        log = (self.platform.folder / "members.log").open("a")
        started = await asyncio.create_subprocess_exec(
            sys.executable, str(TESTS / "kafka" / "member.py"), stdin=asyncio.subprocess.PIPE, stdout=log
        )
        try:
            assert started.stdin is not None
            started.stdin.write(json.dumps(orders).encode() + b"\n")
            await started.stdin.drain()
            yield started
            if started.returncode is None:
                started.terminate()
                expect(await asyncio.wait_for(started.wait(), 12) == 0, "a consumer did not end by SIGTERM with exit 0")
        finally:
            if started.returncode is None:
                started.kill()
                await started.wait()
            log.close()

    async def effects(self) -> Counter[str]:
        """Body -> how often it was applied; of what was sent here (the platform's canaries are in the topics too)."""
        owner = await pool.connect(self.platform.postgres("owner"))
        rows = await owner.fetch(f"SELECT body FROM {SCHEMA}.effects")
        await owner.close()
        ours = {record.body for record in self.sent}
        return Counter(row["body"] for row in rows if row["body"] in ours)

    def command(self, *arguments: str, codes: Sequence[int] = (0,)) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.platform.signalink(["dlq", *arguments, "--json"], 90, codes=codes))
        return answer

    def letters(self, *options: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.command("list", "--group", GROUP, *options)["letters"]
        return found


async def killed_around_its_dead_letters(proof: Proof) -> None:
    for point in ("consumer.before_dlq", "consumer.crash"):
        async with proof.member(crash_at=point) as member:
            code = await asyncio.wait_for(member.wait(), DEATH_SECONDS)
            expect(code == -signal.SIGKILL, f"the consumer ended with {code} instead of dying at {point}")


async def everything_behind_poison_is_applied_once(proof: Proof) -> None:
    wanted = {record.body for record in proof.sent if record.applied}
    began = time.monotonic()

    async def complete() -> bool:
        return (await proof.effects()).keys() >= wanted

    async def parked() -> bool:
        return len(await asyncio.to_thread(proof.letters)) >= len(proof.poison)

    await eventually(complete, within=BEHIND_SECONDS + 30, every=0.1)
    proof.slowest = time.monotonic() - began
    expect(proof.slowest <= BEHIND_SECONDS, f"what is behind poison took {proof.slowest:.0f} s")
    await eventually(parked, within=BEHIND_SECONDS)
    found = await proof.effects()
    expect(set(found) == wanted, f"applied and should not be: {sorted(set(found) - wanted)[:5]}")
    expect(set(found.values()) == {1}, f"applied twice: {[body for body, n in found.items() if n > 1][:5]}")


async def exactly_the_poison_is_in_the_dead_letters(proof: Proof) -> None:
    letters = await asyncio.to_thread(proof.letters)
    errors = {letter["record"]: letter["error"] for letter in letters}
    wanted = {proof.places[body]: POISON[record.kind] for body, record in proof.poison.items()}
    expect(errors == wanted, f"differs from what was sent at {sorted(errors.items() ^ wanted.items())[:6]}")
    expect(len(letters) == len(wanted), f"{len(letters)} letters for {len(wanted)} poison records")
    expect({letter["state"] for letter in letters} == {"parked"}, "not all letters are parked")
    for letter in random.Random(1).sample(letters, 8):
        shown = await asyncio.to_thread(proof.command, "show", letter["letter"])
        missing = {f"dlq_{name}" for name in ("topic", "partition", "offset", "group", "attempts", "error")}
        missing |= {"dlq_first_at", "dlq_last_at"}
        expect(shown["headers"].keys() >= missing, f"{letter['letter']} lacks headers: {shown['headers']}")
        expect("value" not in shown, "a body was shown unasked")


async def redrive_delivers_each_once(proof: Proof) -> None:
    effects = {body for body, record in proof.poison.items() if record.kind == "effect"}
    async with proof.member(fixed=True):
        applied = 0
        for topic in TOPICS:
            done = await asyncio.to_thread(
                lambda topic=topic: proof.command(
                    "redrive", topic, "--all", "--group", GROUP, "--wait", "30", codes=(0, 1)
                )
            )
            applied += done["applied"]
        expect(applied == len(effects), f"{applied} of {len(effects)} redriven records were applied")

        async def settled() -> bool:
            return Counter(letter["state"] for letter in await asyncio.to_thread(proof.letters)) == Counter(
                redriven=len(effects), parked=len(proof.poison) - len(effects)
            )

        await eventually(settled, within=BEHIND_SECONDS, every=0.5)
        letter = next(one for one in await asyncio.to_thread(proof.letters) if one["state"] == "redriven")
        again = await asyncio.to_thread(lambda: proof.command("redrive", letter["letter"], codes=(1,)))
        expect("does not wait any more" in again["error"]["detail"], f"a second redrive: {again}")
        await _dropped(proof)
    found = await proof.effects()
    expect(effects <= found.keys(), f"lost by the redrive: {sorted(effects - found.keys())[:5]}")
    expect(set(found.values()) == {1}, f"applied twice: {[body for body, n in found.items() if n > 1][:5]}")


async def _dropped(proof: Proof) -> None:
    """What no redrive can heal is given up by command."""
    dropped = 0
    for topic in TOPICS:
        done = await asyncio.to_thread(lambda topic=topic: proof.command("drop", topic, "--all", "--group", GROUP))
        dropped += done["dropped"]
    wanted = sum(record.kind in FOR_EVER for record in proof.poison.values())
    expect(dropped == wanted, f"{dropped} dropped instead of {wanted}")
    expect(not await asyncio.to_thread(proof.letters, "--state", "parked"), "something is parked still")


async def the_services_of_the_platform_park_it_too(proof: Proof) -> None:
    """Each service parks exactly the poison of its topics, applies what is behind it once, and is not restarted."""
    began = time.monotonic()
    for group in services.GROUPS:
        wanted = services.poison_of(group, proof.sent, proof.places)

        async def exactly(group: str = group, wanted: Mapping[str, str] = wanted) -> bool:
            answer = await asyncio.to_thread(proof.command, "list", "--group", group)
            return {letter["record"]: letter["error"] for letter in answer["letters"]} == wanted

        await eventually(exactly, within=BEHIND_SECONDS, every=0.5)
        say(f"  {group}: {len(wanted)} dead letters, those of its topics' poison")

    async def counted() -> bool:
        return await services.miscounted(proof.platform, proof.sent) == []

    await eventually(counted, within=BEHIND_SECONDS, every=0.5)
    say(f"  analytics counts everything behind it once ({time.monotonic() - began:.1f} s)")
    status = proof.platform.status()
    ill = [process["name"] for process in status["processes"] if process["restarts"]]
    expect(not ill, f"poison made these restart: {ill}")


STEPS = (
    killed_around_its_dead_letters,
    everything_behind_poison_is_applied_once,
    exactly_the_poison_is_in_the_dead_letters,
    redrive_delivers_each_once,
    the_services_of_the_platform_park_it_too,
)


async def run(proof: Proof) -> None:
    await proof.prepare()
    proof.places = await send(proof.admin(), proof.sent)
    for step in STEPS:
        began = time.monotonic()
        if step is everything_behind_poison_is_applied_once:
            async with proof.member():
                await step(proof)
        else:
            await step(proof)
        say(f"{step.__name__.replace('_', ' ')}: ok ({time.monotonic() - began:.1f} s)")


def program(size: str, seed: int) -> bool:
    good, each = SIZES[size]
    sent = mixture(good, each, random.Random(seed))
    with Platform({}) as platform:
        proof, verdict = Proof(platform, sent), "ok"
        try:
            asyncio.run(run(proof))
        except (Missed, AssertionError, TimeoutError) as error:
            platform.keep, verdict = True, "missed"
            say(f"MISSED {error!r}")
    say(
        f"poison: {len(proof.poison)} poison records of {len(POISON)} kinds among {len(sent)} exactly in the DLQ; "
        f"others applied once after {proof.slowest:.1f} s (bar {BEHIND_SECONDS:.0f}), each redriven once {verdict}"
    )
    return verdict == "ok"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    return concluded("poison", lambda: program(chosen.size, chosen.seed))


if __name__ == "__main__":
    sys.exit(main())
