"""may(): the full matrix, the table of the security page word by word, and Python equal to SQL."""

import itertools
from typing import Any, get_args

from signalink_api import rights

ACTORS = (None, *get_args(rights.ActorRole))
MEMBERS = (None, *get_args(rights.MemberRole))
KINDS = get_args(rights.ChannelKind)
ACTIONS = (*rights.NEEDED, "unheard_of")
MATRIX = [
    *itertools.product(ACTORS, MEMBERS, KINDS, ACTIONS),
]


async def test_python_and_sql_agree_in_every_case(world: Any) -> None:
    columns = [list(column) for column in zip(*MATRIX, strict=True)]
    answers = await world.api.fetch(
        "SELECT messaging.may(a, m, k, x) AS allowed FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])"
        " WITH ORDINALITY AS t(a, m, k, x, n) ORDER BY n",
        *columns,
    )
    differing = [case for case, row in zip(MATRIX, answers, strict=True) if rights.may(*case) is not row["allowed"]]
    assert len(MATRIX) == 4 * 5 * 3 * 22
    assert differing == []


def test_the_table_of_the_security_page_holds_for_ordinary_users() -> None:
    least = {
        "reader": ("read", "search", "subscribe", "resume", "figures"),
        "member": ("post", "react", "typing", "edit_own", "delete_own"),
        "moderator": ("delete_others", "mute", "slow_mode", "manage_members"),
        "owner": ("update", "archive", "webhooks", "roles", "owners"),
    }
    order = [None, "reader", "member", "moderator", "owner"]
    for kind in KINDS:
        for role in order:
            for action in ("see", "join"):
                assert rights.may("member", role, kind, action) is (kind == "public" or role is not None)
            for needed, actions in least.items():
                expected = order.index(role) >= order.index(needed)
                assert all(rights.may("member", role, kind, action) is expected for action in actions)


def test_global_roles_moderate_public_channels_only() -> None:
    for actor in ("moderator", "admin"):
        assert rights.may(actor, None, "public", "delete_others")
        assert not rights.may(actor, None, "private", "delete_others")
        assert not rights.may(actor, None, "public", "subscribe"), "live delivery is entitled by seq"
    assert not rights.may("moderator", None, "public", "archive")
    assert not rights.may("moderator", None, "private", "see")


def test_an_admin_has_the_settings_of_any_channel_but_private_bodies_only_after_joining() -> None:
    assert all(rights.may("admin", None, "private", action) for action in ("see", "join", "update", "archive", "roles"))
    assert not rights.may("admin", None, "private", "read")
    assert not any(rights.may("admin", None, "direct", action) for action in rights.NEEDED)


def test_a_disabled_user_and_an_unknown_action_are_always_refused() -> None:
    for _, member, kind, action in MATRIX:
        assert not rights.may(None, member, kind, action)
        assert not rights.may("admin", "owner", kind, "unheard_of")
