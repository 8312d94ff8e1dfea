"""What the nemesis will do, decided before the run by its seed alone.

Owns the faults, their order and lengths, and the bounds of each. Doing them is `strikes`'.
"""

from dataclasses import dataclass
from random import Random
from typing import Literal

ENGINES = ("valkey", "kafka", "postgres")
VICTIMS = ("api-0", "relay-0", "gateway-0", *ENGINES)
POINTS = {
    "api.post.before_commit": "api-0",
    "api.post.after_commit": "api-0",
    "api.publish": "api-0",
    "relay.after_read": "relay-0",
    "relay.after_produce": "relay-0",
    "relay.after_cursor": "relay-0",
    "gateway.drop_publish": "gateway-0",
}
"""Where a process may kill itself -> which process."""
PAUSE_SECONDS = (5.0, 20.0)
CALM_SECONDS = (1.0, 5.0)
SHARES = {"kill": 0.35, "pause": 0.35, "point": 0.3}
"""Of the faults beyond one kill and one pause of every victim."""

BOUNDS = {
    "F1 kill of a service": (3.0, 15.0),
    "F2 pause": (5.0, 30.0),
    "F3 kill of Kafka": (1.0, 45.0),
    "F4 kill of Valkey": (5.0, 20.0),
    "F5 kill of Postgres": (10.0, 45.0),
}
"""(B1, B2) in seconds. F3 demands 0: posts go on; that is read as an answer within the second."""
KILLS = {"kafka": "F3 kill of Kafka", "valkey": "F4 kill of Valkey", "postgres": "F5 kill of Postgres"}


@dataclass(frozen=True)
class Fault:
    """One fault: `seconds` it lasts (a pause), `calm` seconds of load before it, `point` where the process dies."""

    victim: str
    code: Literal["kill", "pause"]
    calm: float
    seconds: float = 0.0
    point: str | None = None


def planned(seed: int, count: int) -> list[Fault]:
    """Answer the faults of a run: the same for the same seed; from 12 on every victim is killed and paused."""
    random = Random(seed)
    pairs = [(victim, code, None) for victim in VICTIMS for code in ("kill", "pause")]
    if count < len(pairs):
        pairs = [(victim, random.choice(("kill", "pause")), None) for victim in VICTIMS]
    chosen = pairs[:] if count >= len(pairs) else random.sample(pairs, min(count, len(pairs)))
    while len(chosen) < count:
        chosen.append(_another(random))
    random.shuffle(chosen)
    return [_fault(random, *each) for each in chosen]


def _another(random: Random) -> tuple[str, str, str | None]:
    code = random.choices(list(SHARES), weights=list(SHARES.values()))[0]
    if code == "point":
        point = random.choice(list(POINTS))
        return POINTS[point], "kill", point
    return random.choice(VICTIMS), code, None


def _fault(random: Random, victim: str, code: str, point: str | None) -> Fault:
    seconds = random.uniform(*PAUSE_SECONDS) if code == "pause" else 0.0
    return Fault(victim, "pause" if code == "pause" else "kill", random.uniform(*CALM_SECONDS), seconds, point)


def row(code: str, node: str) -> str:
    """Answer the row of `BOUNDS` that a fault belongs to."""
    return "F2 pause" if code == "pause" else KILLS.get(node, "F1 kill of a service")


def bounds(code: str, node: str, slack: float = 1.0) -> tuple[float, float]:
    """Answer (B1, B2) of a fault, `slack` times."""
    b1, b2 = BOUNDS[row(code, node)]
    return b1 * slack, b2 * slack
