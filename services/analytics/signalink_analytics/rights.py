"""Who may see which figures: the one table of rights of this service.

Owns the decision. A channel that the caller may not know of is hidden (404); one they may know of but not look into,
and another user, are refused (403). Figures hold no text of anybody, so an admin sees all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from signalink_core.errors import Forbidden, NotFound, SignalinkError

ActorRole = Literal["member", "moderator", "admin"]
ChannelKind = Literal["public", "private", "direct"]
Place = Literal["own", "member", "public", "hidden", "other", "platform", "freshness"]
"""Whose figures: one's own; a channel one is in; a public one, or another, one is not in; another user's; everybody's;
how fresh all of them are."""
Verdict = Literal["allowed", "forbidden", "not_found"]
What = Literal["channel", "user", "platform"]
"""How a refusal names it."""

EVERYBODY: Final[frozenset[ActorRole]] = frozenset({"member", "moderator", "admin"})
MODERATORS: Final[frozenset[ActorRole]] = frozenset({"moderator", "admin"})
ADMINS: Final[frozenset[ActorRole]] = frozenset({"admin"})


@dataclass(frozen=True, slots=True)
class Row:
    """Who is allowed, and what all others are told."""

    allowed: frozenset[ActorRole]
    otherwise: Verdict


TABLE: Final[Mapping[Place, Row]] = {
    "own": Row(EVERYBODY, "forbidden"),
    "member": Row(EVERYBODY, "forbidden"),
    "public": Row(MODERATORS, "forbidden"),
    "hidden": Row(ADMINS, "not_found"),
    "other": Row(ADMINS, "forbidden"),
    "platform": Row(ADMINS, "forbidden"),
    "freshness": Row(EVERYBODY, "forbidden"),
}


def decide(actor_role: ActorRole | None, place: Place) -> Verdict:
    """What an actor gets of a place. No actor role: unknown or disabled, who is allowed nothing."""
    row = TABLE[place]
    return "allowed" if actor_role in row.allowed else row.otherwise


def place_of(kind: ChannelKind, member_role: str | None) -> Place:
    """Where a channel is, seen from a user with this role in it (None: outside)."""
    if member_role is not None:
        return "member"
    return "public" if kind == "public" else "hidden"


def require(actor_role: ActorRole | None, place: Place, what: What) -> None:
    """Raises the refusal, which says the same of what is hidden and of what does not exist."""
    verdict = decide(actor_role, place)
    if verdict != "allowed":
        raise refusal(verdict, what)


def refusal(verdict: Verdict, what: What) -> SignalinkError:
    if verdict == "not_found":
        return NotFound(f"There is no such {what}.")
    if what == "channel":
        return Forbidden(
            "Figures of a channel are for its members.",
            next_step="join the channel first: POST /v1/channels/{id}/join of the api.",
        )
    if what == "platform":
        return Forbidden("Figures of everybody together are for admins.", next_step="ask for your own: `user=me`.")
    return Forbidden("Figures of another user are for admins.", next_step="ask for your own: /v1/analytics/users/me.")
