"""Who may do what in a channel: the one table of rights. `messaging.may` is the same in SQL; a test compares all cases.

Owns the decision; where a refusal becomes 403 or 404 is left to the callers (no right to see: 404).
"""

from collections.abc import Mapping
from typing import Final, Literal

ActorRole = Literal["member", "moderator", "admin"]
MemberRole = Literal["reader", "member", "moderator", "owner"]
ChannelKind = Literal["public", "private", "direct"]

OUTSIDE: Final = 0
RANKS: Final[Mapping[str, int]] = {"reader": 1, "member": 2, "moderator": 3, "owner": 4}

# Action -> least rank; `see` and `join` need a membership only where the channel is not public.
NEEDED: Final[Mapping[str, int]] = {
    "see": RANKS["reader"],
    "join": RANKS["reader"],
    "read": RANKS["reader"],
    "search": RANKS["reader"],
    "figures": RANKS["reader"],
    "subscribe": RANKS["reader"],
    "resume": RANKS["reader"],
    "post": RANKS["member"],
    "react": RANKS["member"],
    "typing": RANKS["member"],
    "edit_own": RANKS["member"],
    "delete_own": RANKS["member"],
    "delete_others": RANKS["moderator"],
    "mute": RANKS["moderator"],
    "slow_mode": RANKS["moderator"],
    "manage_members": RANKS["moderator"],
    "update": RANKS["owner"],
    "archive": RANKS["owner"],
    "webhooks": RANKS["owner"],
    "roles": RANKS["owner"],
    "owners": RANKS["owner"],
}
OPEN_IN_PUBLIC: Final = frozenset({"see", "join"})
# Live delivery is entitled by seq, so it needs a membership and not just a global role.
MEMBERS_ONLY: Final = frozenset({"subscribe", "resume"})
# Settings of any channel; bodies of a private one only after joining it, which is audited.
ADMIN: Final = frozenset(
    {"see", "join", "slow_mode", "manage_members", "update", "archive", "webhooks", "roles", "owners"}
)


def may(actor_role: ActorRole | None, member_role: MemberRole | None, channel_kind: ChannelKind, action: str) -> bool:
    """Whether it is allowed. No actor role: unknown or disabled user. No member role: outside. Unknown actions: no."""
    if actor_role is None or action not in NEEDED:
        return False
    rank = RANKS.get(member_role or "", OUTSIDE)
    if actor_role == "admin" and action in ADMIN:
        return channel_kind != "direct" or rank > OUTSIDE
    if action in OPEN_IN_PUBLIC and channel_kind == "public":
        return True
    return (rank if action in MEMBERS_ONLY else acting_rank(actor_role, rank, channel_kind)) >= NEEDED[action]


def acting_rank(actor_role: ActorRole, rank: int, channel_kind: ChannelKind) -> int:
    """Global moderators and admins are moderators in public channels, joined or not."""
    everywhere = channel_kind == "public" and actor_role in {"moderator", "admin"}
    return max(rank, RANKS["moderator"]) if everywhere else rank
