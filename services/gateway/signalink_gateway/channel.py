"""One channel on this node: where its feed is, who is subscribed, what waits out of order. State, no decisions.

Every live subscription is at the channel's own seq, so a delivery updates no position. `odd` marks the few that need a
closer look at their next delivery: joined above it, cut by a removal, or of a session that is behind.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING
from uuid import UUID

from signalink_gateway.ring import Entry, Ring

if TYPE_CHECKING:
    from signalink_gateway.session import Session


class Subscription:
    """One session in one channel. `position`: last seq given while not live; `since`: last seq given before joining.

    `begun`: `subscribed` was sent. `until`: the seq of the removal that ends it. `skips`: ranges without entitlement.
    `joined`: the last seq when rights were read; removals up to it are in `until` and `skips` already.
    """

    __slots__ = (
        "begun", "channel", "closed", "joined", "live", "odd", "position", "session", "since", "skips", "slot", "told",
        "until",
    )  # fmt: skip

    def __init__(self, session: "Session", channel: "Channel") -> None:
        self.session = session
        self.channel = channel
        self.position = 0
        self.since = 0
        self.joined = 0
        self.until: int | None = None
        self.skips: tuple[tuple[int, int], ...] = ()
        self.told = 0
        self.slot = -1
        self.live = False
        self.odd = False
        self.closed = self.begun = False


class Channel:
    """`seq` is the last event that was taken in order, None until the first read of the log told where to begin.

    `target`: the highest seq known to exist. `suspect`: something of a higher epoch was seen. `typists`: who types now.
    """

    __slots__ = (
        "apart", "attached", "epoch", "fresh", "healing", "held", "id", "idle_since", "live", "queued", "ring", "seq",
        "suspect", "target", "typists", "waiting",
    )  # fmt: skip

    def __init__(self, channel_id: UUID) -> None:
        self.id = channel_id
        self.epoch = 0
        self.seq: int | None = None
        self.attached = False
        self.ring = Ring()
        self.fresh: list[Entry] = []
        self.queued = False
        self.held: dict[int, tuple[bytes, int]] = {}
        self.target = 0
        self.healing = False
        self.suspect = False
        self.live: list[Subscription] = []
        self.apart: set[Subscription] = set()
        """Subscriptions that are not live. Each is in one of the two; a set of all took 400 bytes per socket."""
        self.waiting: deque[asyncio.Future[None]] = deque()  # bound: joins in progress, gone after 1 s each
        self.idle_since: float | None = None
        self.typists: dict[UUID, float] | None = None

    @property
    def subscriptions(self) -> list[Subscription]:
        """Everyone, as of now."""
        return [*self.live, *self.apart]

    @property
    def empty(self) -> bool:
        return not self.live and not self.apart

    def go_live(self, subscription: Subscription) -> None:
        """From now on the subscription gets every event above its position."""
        subscription.since = subscription.position
        subscription.odd = subscription.live = True
        subscription.slot = len(self.live)
        self.live.append(subscription)
        self.apart.discard(subscription)
        if not self.apart:
            self.apart = set()  # a set that was large stays large

    def leave_live(self, subscription: Subscription) -> None:
        """Swap-remove: the order of subscribers means nothing."""
        if not subscription.live:
            return
        subscription.live = False
        last = self.live.pop()
        if last is not subscription:
            self.live[subscription.slot] = last
            last.slot = subscription.slot
        self.apart.add(subscription)

    def confirm(self) -> None:
        """Whoever waits for the attachment goes on."""
        while self.waiting:
            future = self.waiting.popleft()
            if not future.done():
                future.set_result(None)
