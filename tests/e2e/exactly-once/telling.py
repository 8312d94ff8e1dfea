"""Whether everybody who had to be told was told once: pure, over the posts, the delivery rows and what providers took.

Owns what a repeat is: a key that a provider took again. Each death at `notify.after_send` may cause one there; a repeat
under another key would show as a key that no delivery has.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple


class Told(NamedTuple):
    """A message, whom it concerns, and one way to tell them."""

    message_id: str
    user_id: str
    channel: str


def rows(deliveries: Sequence[Mapping[str, Any]], wanted: Collection[Told]) -> list[str]:
    """One sent delivery per message, user and way; none that nobody asked for."""
    there = Counter(Told(str(row["message_id"]), str(row["user_id"]), row["channel"]) for row in deliveries)
    found = [f"{told} has {count} deliveries" for told, count in there.items() if count > 1]
    found += [f"{told} has no delivery" for told in sorted(set(wanted) - there.keys())]
    found += [f"{told} was asked for by nobody" for told in sorted(there.keys() - set(wanted))]
    return found + [
        f"delivery {row['id']} by {row['channel']} is {row['state']}: {row['reason'] or row['last_error']}"
        for row in deliveries
        if row["state"] != "sent"
    ]


def taken(
    deliveries: Sequence[Mapping[str, Any]], took: Mapping[str, Mapping[str, int]], deaths: Mapping[str, int]
) -> list[str]:
    """What providers took is what the rows say, and no more repeats by a way than deaths right after its calls.

    Two deaths may hit one delivery: whoever takes it over from a dead process may be the next to die.
    """
    found: list[str] = []
    for channel, counts in took.items():
        keys = {str(row["idempotency_key"]) for row in deliveries if row["channel"] == channel}
        found += [f"{channel}: the provider never took {key}" for key in sorted(keys - counts.keys())]
        found += [f"{channel}: the provider took {key}, which no delivery has" for key in sorted(counts.keys() - keys)]
        again = repeats(counts)
        if again > deaths.get(channel, 0):
            found.append(f"{channel}: {again} repeats for {deaths.get(channel, 0)} deaths after a call")
    return found


def repeats(counts: Mapping[str, int]) -> int:
    """How often a provider took what it had already."""
    return sum(counts.values()) - len(counts)
