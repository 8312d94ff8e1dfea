"""`make e2e NAME=doctor`: the doctor on a real machine that is well and that is not, and the way of real messages.

Owns the bar: every case as it must be, and an answer of `signalink trace` within 10 s also while Kafka stands still.
Each case is a real run of the installed command on a state folder of its own. Exit 1 when one case fails.
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import psutil  # noqa: E402
from place import Author, Failed, Place, expect, say, somebody  # noqa: E402

from signalink_core.testing import eventually  # noqa: E402

ANSWER_SECONDS = 10.0
BACK_SECONDS = 60.0
BROKEN, USAGE, UNKNOWN = 3, 64, "01900000-0000-7000-8000-000000000000"
Case = Callable[["Proof"], None]


class Proof:
    """The cases in order, on one platform; `slowest` is the longest answer of `trace`, in seconds."""

    def __init__(self, place: Place, messages: int, chance: random.Random) -> None:
        self.place = place
        self.messages = messages
        self.chance = chance
        self.slowest = 0.0
        self.passed = 0

    def run(self) -> None:
        for case in CASES:
            began = time.monotonic()
            case(self)
            self.passed += 1
            say(f"{case.__name__.replace('_', ' ')}: ok ({time.monotonic() - began:.1f} s)")

    def trace(self, message: str) -> dict[str, Any]:
        began = time.monotonic()
        found = self.place.document("trace", message, codes=(0, 1))
        self.slowest = max(self.slowest, time.monotonic() - began)
        return found

    def with_author(self, work: Callable[[Author], Any]) -> Any:
        """Run `await work(author)` beside the platform, once all of it is well again."""
        asyncio.run(eventually(lambda: self.place.document("status", codes=(0, 1))["healthy"], within=BACK_SECONDS))
        urls = self.place.document("status", codes=(0, 1))["urls"]

        async def all_of_it() -> Any:
            async with somebody(urls) as author:
                return await work(author)

        return asyncio.run(all_of_it())


def statuses(found: dict[str, Any]) -> dict[str, str]:
    return {hop["part"]: hop["status"] for hop in found["hops"]}


def refused(proof: Proof, *words: str, **options: Any) -> None:
    """`up` ends with 3, says this, and starts nothing."""
    arguments = options.pop("arguments", ("up", "--ports", "free"))
    done = proof.place.run(*arguments, **options)
    text = done.stderr + done.stdout
    expect(done.returncode == BROKEN, f"exit {done.returncode} instead of {BROKEN}: {text}")
    missing = [word for word in (*words, "Next:") if word not in text]
    expect(not missing, f"it does not say {missing}: {text}")
    expect(not (proof.place.root / "postgres").exists(), "something was started")
    say(f"  refused: {' '.join(done.stderr.split())[:200]}")


def a_taken_port_refuses_the_start_with_its_holder(proof: Proof) -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", 8000))
            server.listen()
            who = f"(pid {os.getpid()})"
        except OSError:  # somebody else has it: that will do
            who = "is held by"
        refused(proof, "port 8000 (api-0 http)", who, "--ports free", arguments=("up",))
        rule = proof.place.rules()["ports"]
        expect(rule["verdict"] == "fail" and "--ports free" in rule["fix"], f"the doctor says {rule}")


def a_low_limit_of_open_files_refuses_the_start(proof: Proof) -> None:
    refused(proof, "may open 256 files", "ulimit -n 4096", limit=256)


def a_folder_without_rights_refuses_the_start(proof: Proof) -> None:
    refused(proof, "/proc/signalink cannot be written", "SIGNALINK_STATE", state=Path("/proc/signalink"))


def all_that_is_wrong_is_said_at_once(proof: Proof) -> None:
    refused(proof, "2 things are in the way", "256 files", "/proc/signalink", state=Path("/proc/signalink"), limit=256)


def the_first_start_promises_nothing_and_the_next_what_was_measured(proof: Proof) -> None:
    place = proof.place
    expect("it is the first start here" in place.up(), "the first start promised a time")
    place.run("down")
    expect("the first start took" in place.up(), "the second start does not tell of the first")
    place.run("down")
    text = place.up()
    expect("the last start." in text and "(earlier" in text, f"the third start promises nothing: {text}")


def a_healthy_host_is_told_so(proof: Proof) -> None:
    done = proof.place.run("doctor")
    expect(done.returncode == 0, f"doctor exited {done.returncode}: {done.stdout}")
    rules = proof.place.rules()
    expect(len(rules) >= 15, f"only {len(rules)} rules")
    expect(not [name for name, rule in rules.items() if rule["verdict"] == "fail"], f"{rules}")
    say(f"  {done.stdout.splitlines()[-1]}")


def a_message_is_followed_from_the_post_to_the_socket(proof: Proof) -> None:
    async def work(author: Author) -> list[str]:
        return [await author.post(f"ship {number}") for number in range(proof.messages)]

    for message in proof.with_author(work):
        asyncio.run(eventually(lambda message=message: proof.trace(message)["complete"], within=BACK_SECONDS))
    found = proof.trace(message)
    expect(set(statuses(found)) == {"api", "log", "relay", "kafka", "gateway-0"}, f"{statuses(found)}")
    timed = [hop["part"] for hop in found["hops"] if hop["at"] is not None]
    expect({"api", "log", "relay", "kafka", "gateway-0"} <= set(timed), f"times are known of {timed} only")
    kafka = next(hop["details"] for hop in found["hops"] if hop["part"] == "kafka")
    expect({"topic", "partition", "offset"} <= kafka.keys(), f"Kafka's place is {kafka}")
    for line in proof.place.run("trace", message).stdout.splitlines():
        say(f"  | {line}")


def the_lines_of_its_trace_come_from_all_processes(proof: Proof) -> None:
    async def work(author: Author) -> list[str]:
        message = await author.post("a traced one")
        await eventually(lambda: proof.trace(message)["complete"], within=BACK_SECONDS)
        trace = proof.trace(message)["trace_id"]
        found = proof.place.document("logs", "--trace", trace)["lines"]
        expect([line["ts"] for line in found] == sorted(line["ts"] for line in found), "not in the order of time")
        return [line["process"] for line in found]

    seen = proof.with_author(work)
    expect({"api-0", "relay-0", "gateway-0"} <= set(seen), f"lines come from {seen} only")
    say(f"  lines of {', '.join(seen)}")


def while_kafka_stands_still_the_log_has_it_and_kafka_not_yet(proof: Proof) -> None:
    async def work(author: Author) -> str:
        await author.post("before")
        proof.place.signal("kafka", signal.SIGSTOP)
        return await author.post("during")

    try:
        message = proof.with_author(work)
        found = proof.trace(message)
        words = statuses(found)
        right = {"api": "done", "log": "done", "relay": "waiting", "kafka": "waiting"}
        expect(right.items() <= words.items(), f"it says {words}")
        expect(not found["complete"], "it says that the message went all the way")
        expect("kafka not yet" in found["verdict"] and "Kafka" in found["verdict"], f"it says {found['verdict']}")
        say(f"  {found['verdict']}")
    finally:
        proof.place.signal("kafka", signal.SIGCONT)
    asyncio.run(eventually(lambda: proof.trace(message)["complete"], within=BACK_SECONDS))


def a_part_that_stands_still_is_named(proof: Proof) -> None:
    async def work(author: Author) -> str:
        return await author.post("a third one")

    message = proof.with_author(work)
    asyncio.run(eventually(lambda: proof.trace(message)["complete"], within=BACK_SECONDS))
    proof.place.signal("gateway-0", signal.SIGSTOP)
    try:
        found = proof.trace(message)
    finally:
        proof.place.signal("gateway-0", signal.SIGCONT)
    expect(statuses(found)["gateway-0"] == "unknown" and "does not answer" in found["verdict"], found["verdict"])
    proof.place.signal("postgres", signal.SIGSTOP)
    try:
        done = proof.place.run("trace", message)
    finally:
        proof.place.signal("postgres", signal.SIGCONT)
    expect(done.returncode == 1 and "Postgres does not answer" in done.stderr, f"{done.returncode}: {done.stderr}")


def wrong_ids_are_told_what_they_are(proof: Proof) -> None:
    async def work(author: Author) -> str:
        return author.channel

    channel = proof.with_author(work)
    for given, code, words in (
        ("seven", USAGE, "is no message id"),
        (UNKNOWN, 1, "There is no message"),
        (channel, 1, "is the id of a channel"),
    ):
        done = proof.place.run("trace", given)
        expect(done.returncode == code and words in done.stderr, f"{given}: {done.returncode} {done.stderr}")


def addresses_are_printed(proof: Proof) -> None:
    urls = proof.place.document("status", codes=(0, 1))["urls"]
    for name in ("api", "gateway"):
        printed = proof.place.run("open", name, "--print").stdout.strip()
        expect(printed == urls[name], f"open {name} prints {printed}")


def a_process_left_by_a_dead_supervisor_is_found_and_ended(proof: Proof) -> None:
    """Postgres stands still, so it does not hear that its supervisor was killed."""
    place = proof.place
    left = place.signal("postgres", signal.SIGSTOP)
    place.signal("supervisor", signal.SIGKILL)
    asyncio.run(eventually(lambda: not psutil.pid_exists(place.pid("supervisor")), within=BACK_SECONDS))
    rule = place.rules()["leftovers"]
    expect(rule["verdict"] == "warn" and f"postgres (pid {left})" in rule["what"], f"the doctor says {rule}")
    expect(rule["fix"] == "`signalink down`", f"the fix is {rule['fix']}")
    expect("Signalink is up after" in place.up(), "the next start did not come up")
    expect(not psutil.pid_exists(left), "the process is still there")


def a_supervisor_whose_folder_is_gone_is_found_and_its_fix_ends_it(proof: Proof) -> None:
    """The folder of a running platform is deleted."""
    place = proof.place
    pid = place.pid("supervisor")
    family = [child.pid for child in psutil.Process(pid).children(recursive=True)]
    shutil.rmtree(place.root, ignore_errors=True)
    rule = place.rules()["leftovers"]
    expect(rule["verdict"] == "warn" and rule["fix"] == f"`kill {pid}`", f"the doctor says {rule}")
    os.kill(pid, signal.SIGTERM)
    asyncio.run(eventually(lambda: not any(map(_runs, (pid, *family))), within=BACK_SECONDS))
    shutil.rmtree(place.root, ignore_errors=True)  # what was ending may have written into it once more
    expect(place.rules()["leftovers"]["verdict"] == "ok", "the doctor still complains")


def _runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def nothing_runs_and_it_says_so(proof: Proof) -> None:
    for arguments in (("trace", UNKNOWN), ("open",)):
        done = proof.place.run(*arguments)
        expect(done.returncode == BROKEN and "is not running" in done.stderr, f"{done.returncode}: {done.stderr}")


CASES: tuple[Case, ...] = (
    a_taken_port_refuses_the_start_with_its_holder,
    a_low_limit_of_open_files_refuses_the_start,
    a_folder_without_rights_refuses_the_start,
    all_that_is_wrong_is_said_at_once,
    the_first_start_promises_nothing_and_the_next_what_was_measured,
    a_healthy_host_is_told_so,
    a_message_is_followed_from_the_post_to_the_socket,
    the_lines_of_its_trace_come_from_all_processes,
    while_kafka_stands_still_the_log_has_it_and_kafka_not_yet,
    a_part_that_stands_still_is_named,
    wrong_ids_are_told_what_they_are,
    addresses_are_printed,
    a_process_left_by_a_dead_supervisor_is_found_and_ended,
    a_supervisor_whose_folder_is_gone_is_found_and_its_fix_ends_it,
    nothing_runs_and_it_says_so,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["small", "full"], default="full", help="full: twenty messages are followed")
    parser.add_argument("--seed", type=int, default=1, help="kept for the form: nothing here is left to chance")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="signalink-doctor-"))
    proof = Proof(Place(folder / "state"), 20 if options.size == "full" else 2, random.Random(options.seed))
    try:
        proof.run()
    except (Failed, AssertionError, TimeoutError, OSError) as error:
        say(f"FAILED: {error}")
    finally:
        proof.place.run("down", "--purge")
        shutil.rmtree(folder, ignore_errors=True)
    passed = proof.passed == len(CASES) and proof.slowest <= ANSWER_SECONDS
    figure = f"{proof.passed} of {len(CASES)} cases, slowest trace {proof.slowest:.1f} s"
    say(f"doctor: {figure} (bar all, <= {ANSWER_SECONDS:.0f} s) {'ok' if passed else 'missed'}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
