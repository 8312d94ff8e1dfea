"""Hashing: the parameters, the bounded wait, a loop that stays free, and which passwords are too common."""

import asyncio
import time

import pytest

from signalink_api.auth import passwords
from signalink_api.auth.passwords import Passwords, weakness
from signalink_core.errors import QueueFull


async def test_a_hash_has_the_parameters_of_the_design() -> None:
    async with Passwords() as hasher:
        stored = await hasher.hash("a good long sentence")
        assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert await hasher.verify(stored, "a good long sentence")
        assert not await hasher.verify(stored, "another sentence")
        assert not hasher.is_dated(stored)
        assert hasher.is_dated("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$4wTrGMfyWqIGSA2BdIV3bQ")


async def test_an_unknown_account_is_never_right_even_with_the_dummys_password() -> None:
    async with Passwords() as hasher:
        assert not await hasher.verify(None, "the account does not exist")
        assert not await hasher.verify("not a hash", "x")


async def test_more_than_the_bound_waiting_is_refused_at_once() -> None:
    async with Passwords(threads=1, waiting=2) as hasher:
        tried = await asyncio.gather(*(hasher.hash("x") for _ in range(5)), return_exceptions=True)
        assert [type(found) is str for found in tried] == [True, True, True, False, False]
        assert all(isinstance(found, QueueFull) and found.retry_after for found in tried[3:])
        assert await hasher.hash("x")


async def test_a_caller_that_goes_away_does_not_free_the_place_of_its_hash() -> None:
    async with Passwords(threads=1, waiting=0) as hasher:
        gone = asyncio.ensure_future(hasher.hash("x"))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        with pytest.raises(QueueFull):
            await hasher.hash("x")


async def test_the_loop_is_free_while_many_hash() -> None:
    loop = asyncio.get_running_loop()
    late: list[float] = []

    def tick(due: float) -> None:
        late.append(loop.time() - due)
        loop.call_later(0.005, tick, loop.time() + 0.005)

    async with Passwords() as hasher:
        began = time.process_time()
        loop.call_later(0.005, tick, loop.time() + 0.005)
        await asyncio.gather(*(hasher.hash("x") for _ in range(32)))
        assert time.process_time() - began > 0.3  # it did hash
    assert len(late) > 5
    assert sorted(late)[len(late) // 2] < 0.05


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "PASSWORD1",
        "123password!",
        "p@$$w0rd",
        "qwertyuiop",
        "iloveyou2024",
        "12345678",
        "zzzzzzzz",
        "abcabcab",
    ],
)
def test_common_passwords_and_their_disguises_are_found(password: str) -> None:
    assert weakness(password) is not None


@pytest.mark.parametrize("password", ["correct horse battery", "Tr0ub4dor&3x", "eine lange Zeile", "passage of time"])
def test_other_passwords_are_not(password: str) -> None:
    assert weakness(password) is None


def test_ones_own_name_is_no_password() -> None:
    assert weakness("annette.smith", "Annette.Smith") is not None
    assert weakness("annette.smith1", "annette.smith") is not None


def test_the_list_is_long_lower_case_and_without_repeats() -> None:
    assert len(passwords.common()) > 600
    assert all(word == word.lower().strip() for word in passwords.common())
