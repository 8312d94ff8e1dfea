"""The contract of every channel, on real providers' protocols and on the twin: what is taken, what failing means."""

from channelrigs import EmailRig, MemoryRig, PushRig, Rig, outgoing, rig

from signalink_notifications.channels.port import Again, Never, Sent

__all__ = ["rig"]


async def test_dispatch_channel_hands_over_once_and_says_the_providers_id(rig: Rig) -> None:
    sent = outgoing(rig.target())
    outcome = await rig.channel.send(sent)
    assert isinstance(outcome, Sent) and outcome.provider_id
    assert rig.taken() == [str(sent.key)]


async def test_dispatch_channel_repeats_with_the_same_key(rig: Rig) -> None:
    sent = outgoing(rig.target())
    await rig.channel.send(sent)
    await rig.channel.send(sent)
    assert rig.taken() == [str(sent.key)] * 2


async def test_dispatch_channel_says_again_for_what_passes_and_calls_once(rig: Rig) -> None:
    rig.answer(rig.again)
    assert isinstance(await rig.channel.send(outgoing(rig.target())), Again)
    assert rig.taken() == []
    assert isinstance(await rig.channel.send(outgoing(rig.target())), Sent)


async def test_dispatch_channel_says_never_for_what_does_not(rig: Rig) -> None:
    rig.answer(rig.never)
    outcome = await rig.channel.send(outgoing(rig.target()))
    assert isinstance(outcome, Never) and not outcome.gone
    assert "example" not in outcome.reason and len(outcome.reason) < 30


async def test_dispatch_channel_passes_retry_after_on(rig: Rig) -> None:
    rig.answer(rig.again, retry_after="17")
    outcome = await rig.channel.send(outgoing(rig.target()))
    assert isinstance(outcome, Again)
    assert outcome.retry_after == (None if isinstance(rig, EmailRig) else 17.0), "SMTP has none"


async def test_dispatch_channel_says_again_when_its_provider_is_away(rig: Rig) -> None:
    if isinstance(rig, MemoryRig):
        rig.answer(rig.again)
    if isinstance(rig, PushRig):
        await rig.channel.send(outgoing(rig.target()))
    rig.server.down()
    assert isinstance(await rig.channel.send(outgoing(rig.target())), Again)
    rig.server.up()
    assert isinstance(await rig.channel.send(outgoing(rig.target())), Sent)


async def test_dispatch_channel_gives_up_waiting_after_its_timeout(rig: Rig) -> None:
    rig.answer(200, seconds=7)
    assert await rig.channel.send(outgoing(rig.target())) == Again("timeout")
