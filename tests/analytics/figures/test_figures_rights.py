"""Who sees which figures: the whole table, and equal to the platform's own rights where those speak of figures."""

import itertools
from typing import Any, get_args

import pytest

from signalink_analytics import rights
from signalink_core.errors import Forbidden, NotFound

ACTORS = (None, *get_args(rights.ActorRole))
PLACES = get_args(rights.Place)
#                                 nobody       member       moderator    admin
MATRIX: dict[str, tuple[str, ...]] = {
    "own": ("forbidden", "allowed", "allowed", "allowed"),
    "member": ("forbidden", "allowed", "allowed", "allowed"),
    "public": ("forbidden", "forbidden", "allowed", "allowed"),
    "hidden": ("not_found", "not_found", "not_found", "allowed"),
    "other": ("forbidden", "forbidden", "forbidden", "allowed"),
    "platform": ("forbidden", "forbidden", "forbidden", "allowed"),
    "freshness": ("forbidden", "allowed", "allowed", "allowed"),
}


def test_the_table_is_this_matrix() -> None:
    decided = {place: tuple(rights.decide(actor, place) for actor in ACTORS) for place in PLACES}
    assert decided == MATRIX


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("actor", ACTORS)
def test_a_refusal_is_the_error_of_its_verdict(actor: Any, place: Any) -> None:
    verdict = rights.decide(actor, place)
    if verdict == "allowed":
        rights.require(actor, place, "channel")
        return
    with pytest.raises(NotFound if verdict == "not_found" else Forbidden) as refused:
        rights.require(actor, place, "channel")
    assert bool(refused.value.next_step) == (verdict == "forbidden")


async def test_channels_are_open_to_whom_the_platform_lets_see_figures_and_to_admins(database: Any) -> None:
    """`messaging.may(..., 'figures')` decides for everybody but admins, who see figures of all channels here."""
    kinds, members = get_args(rights.ChannelKind), (None, "reader", "member", "moderator", "owner")
    cases = list(itertools.product(ACTORS, members, kinds))
    connection = await database.connect()
    try:
        for actor, member, kind in cases:
            allowed = await connection.fetchval("SELECT messaging.may($1, $2, $3, 'figures')", actor, member, kind)
            ours = rights.decide(actor, rights.place_of(kind, member)) == "allowed"
            assert ours == (actor == "admin" or allowed), (actor, member, kind)
    finally:
        await connection.close()
    assert len(cases) == 60
