"""`make e2e NAME=notifications`: what becomes of notifications while their providers fail, on the running platform.

A message to somebody offline ends in the mailbox of a real SMTP server; then SMTP is away for two minutes, FCM is busy,
broken and knows a token no more, webhooks lead inside, elsewhere and to a slow host, mails wait for quiet hours and for
each other, and somebody unsubscribes. Each must end as designed, visible in table, metric and log line, and nothing may
hold up a partition. `--weakened` gives up after one attempt and lets a webhook inside: the proof misses. Exit 1 then.
"""

import argparse
import asyncio
import hashlib
import hmac
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1] / "notifications")]

from place import Missed, Place, Providers, expect  # noqa: E402
from providers import Answer  # noqa: E402
from rig import Platform, concluded, say  # noqa: E402

from signalink_core.testing import eventually  # noqa: E402

SIZES = {"small": 15.0, "full": 1.0}
"""How many times faster than the defaults retries, breakers and the outage are."""
OUTAGE_SECONDS = 120.0
SENT: tuple[str, None] = ("sent", None)


async def a_message_to_somebody_offline_ends_in_a_mailbox(place: Place) -> None:
    smtp = place.providers.smtp
    await place.person("bob", "email")
    said = await place.tell("bob", "are you there? <b>")
    (row,) = await place.states("bob", SENT)
    (mail,) = [mail for mail in smtp.mails if said.canary in mail.part("plain")]
    expect(mail.message_id == f"<{row['idempotency_key']}@signalink.example>", f"Message-ID {mail.message_id}")
    expect("wrote to you" in mail.message["Subject"], f"subject {mail.message['Subject']}")
    expect("&lt;b&gt;" in mail.part("html"), "HTML that people wrote is not escaped")
    expect(row["provider_id"].startswith("2.0.0 OK queued"), f"receipt {row['provider_id']}")
    told = [line for line in place.lines("delivery_sent") if line["delivery"] == str(row["id"])]
    expect(len(told) == 1, "no log line says that it was sent")


async def smtp_that_is_away_costs_no_mail_and_no_partition(place: Place) -> None:
    smtp, names = place.providers.smtp, [f"waiting-{n}" for n in range(4)]
    for name in names:
        await place.person(name, "email")
    await place.person("elsewhere", "webhook")
    await place.prefer("elsewhere", "PUT", "/webhook", {"url": place.providers.hooks.url})
    await asyncio.to_thread(smtp.down)
    ends = time.monotonic() + OUTAGE_SECONDS / place.scale
    for name in names:
        await place.tell(name, "during the outage")
    began = time.monotonic()
    await place.tell("elsewhere", "by another way")
    await place.states("elsewhere", SENT, within=10.0)
    expect(time.monotonic() - began < 10.0, "the outage of one provider held another channel up")

    async def open_breaker() -> bool:
        return await place.metric("signalink_notification_breakers_open", channel="email") == 1

    await eventually(open_breaker, within=max(5.0, ends - time.monotonic()))
    shown = (await place.readiness())["dependencies"]["email"]
    expect(shown["state"] == "degraded", f"/readyz says of e-mail: {shown}")
    for name in names:
        (row,) = await place.rows(name)
        expect(row["state"] == "pending", f"a mail ended as {row['state']} ({row['reason']}) in the outage")
    await asyncio.sleep(max(0.0, ends - time.monotonic()))
    await asyncio.to_thread(smtp.up)
    for name in names:
        await place.states(name, SENT, within=20.0 + 300.0 / place.scale)
    sent = [mail for mail in smtp.mails if "during the outage" in mail.part("plain")]
    expect(len(sent) == len({mail.message_id for mail in sent}) == len(names), f"{len(sent)} mails for {len(names)}")
    expect(place.lines("breaker_opened") and place.lines("breaker_closed"), "no log line tells of the breaker")
    expect(place.lines("delivery_delayed"), "no log line tells of a failed attempt")
    expect(not await open_breaker(), "the breaker is open still")
    expect(await place.metric("signalink_notification_attempts_total", channel="email", result="retry"), "no retries")


async def push_outlives_a_busy_fcm_and_deletes_dead_tokens(place: Place) -> None:
    fcm = place.providers.fcm
    await place.person("phoney", "push")
    for token in ("good-token", "dead-token", "odd-token"):
        await place.device("phoney", token)
    fcm.dead.add("dead-token")
    fcm.malformed.add("odd-token")
    fcm.answers.queue(Answer(429, retry_after="2"), Answer(500))
    began = time.monotonic()
    await place.tell("phoney", "ring")
    (row,) = await place.states("phoney", SENT)
    expect(time.monotonic() - began >= 2.0, "Retry-After was not waited for")
    expect(row["attempts"] == 3, f"{row['attempts']} attempts instead of 3")
    expect(set(fcm.keys.values()) == {1} and len(fcm.messages) == 1, f"FCM accepted {fcm.keys}")
    left = [device["id"] for device in await place.devices("phoney")]
    expect(len(left) == 1, f"{len(left)} devices are left instead of 1")
    expect(len(place.lines("device_deleted")) == 2, "no log line tells of a deleted device")
    await place.person("lost", "push")
    await place.device("lost", "dead-token-too")
    fcm.dead.add("dead-token-too")
    await place.tell("lost", "nobody there")
    (row,) = await place.states("lost", ("skipped", "no_target"))
    expect(row["last_error"] == "unregistered", f"last error {row['last_error']}")


async def webhooks_reach_what_is_public_and_nothing_else(place: Place) -> None:
    own = place.providers
    await place.person("hooked", "webhook")
    secret = (await place.prefer("hooked", "PUT", "/webhook", {"url": f"{own.hooks.url}/in"})).json()["secret"]
    said = await place.tell("hooked", "ping")
    await place.states("hooked", SENT)
    request = next(one for one in own.hooks.taken if said.canary.encode() in one.body)
    signed = request.headers["signalink-timestamp"].encode() + b"." + request.body
    wanted = "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    expect(request.headers["signalink-signature"] == wanted, "the signature is wrong")
    for url in ("https://169.254.169.254/", "https://localhost/", f"https://127.0.0.1:{own.sink.port}/"):
        answer = await place.prefer("hooked", "PUT", "/webhook", {"url": url})
        expect(answer.status_code == 400 and answer.json()["code"] == "url_refused", f"{url}: {answer.status_code}")
    await _leads(place, "inside", "https://10.0.0.7/", ("failed", "url_address"))
    await _leads(place, "sunk", f"https://127.0.0.1:{own.sink.port}/", ("failed", "url_port"))
    own.moved.answers.always = Answer(302, location=f"{own.sink.url}/inside")
    await _leads(place, "moved", own.moved.url, ("failed", "redirect_302"))
    expect(own.sink.connections == 0, f"{own.sink.connections} connections reached the sink")
    await _a_slow_host(place)


async def _leads(place: Place, name: str, url: str, wanted: tuple[str, str]) -> None:
    """As if the name had changed where it leads since it was saved."""
    await place.person(name, "webhook")
    await place.prefer(name, "PUT", "/webhook", {"url": place.providers.hooks.url})
    await place.sql(
        "UPDATE notifications.preferences SET webhook_url = $2 WHERE user_id = $1", place.people[name].id, url
    )
    await place.tell(name, "inside?")
    (row,) = await place.states(name, wanted)
    expect(row["attempts"] == 1, f"{name}: {row['attempts']} attempts of what no repetition changes")


async def _a_slow_host(place: Place) -> None:
    """Ends in the dead letters, holds nobody up meanwhile, and is sent once by a redrive when it is quick again."""
    slow = place.providers.slow
    slow.answers.always = Answer(seconds=3.0)
    await place.person("slow", "webhook")
    await place.prefer("slow", "PUT", "/webhook", {"url": slow.url})
    await place.tell("slow", "take your time")
    await place.tell("hooked", "quick")
    began = time.monotonic()
    await place.states("hooked", SENT, SENT)
    expect(time.monotonic() - began < 5.0, "a slow host held another one up")
    (row,) = await place.states("slow", ("failed", "timeout"), within=30.0 + 60.0 / place.scale)
    expect(row["attempts"] == 3, f"{row['attempts']} attempts instead of 3")
    slow.answers.always = None
    letter = next(one for one in await place.letters() if one["error"] == "webhook_timeout")
    expect(letter["group"] == "signalink-notifications-dispatch", f"the letter is of {letter['group']}")
    expect(place.lines("delivery_failed"), "no log line tells of the letter")
    before = len(slow.taken)
    done = await place.command("redrive", letter["letter"], "--wait", "20")
    expect(done["applied"] == 1, f"the redrive: {done}")
    await place.states("slow", SENT)
    again = await place.command("redrive", letter["letter"])
    expect("does not wait any more" in str(again.get("error", again)), f"a second redrive: {again}")
    expect(len(slow.taken) == before + 1, f"{len(slow.taken) - before} posts by one redrive")


async def mails_of_a_digest_go_together(place: Place) -> None:
    smtp = place.providers.smtp
    await place.person("busy", "email")
    for n in range(5):
        await place.tell("busy", f"digest {n}")
    rows = await place.states("busy", *[SENT] * 5, within=90.0 + _after_the_outage(place))
    mails = [mail for mail in smtp.mails if "digest " in mail.part("plain")]
    expect(len(mails) == 2, f"{len(mails)} mails instead of one at once and one digest")
    found = sorted([n for n in range(5) if f"digest {n}" in mail.part("plain")] for mail in mails)
    expect(found == [[0], [1, 2, 3, 4]], f"the mails hold {found}")
    receipts = {row["provider_id"] for row in rows if row["digest"]}
    expect(len(receipts) == 1 and sum(row["digest"] for row in rows) == 4, f"receipts of the digest: {receipts}")


def _after_the_outage(place: Place) -> float:
    """Seconds until a mail of somebody else, due in the outage, has certainly been sent."""
    return (OUTAGE_SECONDS + 300.0) / place.scale


async def quiet_hours_hold_back_and_what_is_deleted_by_then_is_skipped(place: Place) -> None:
    smtp, now = place.providers.smtp, datetime.now(UTC)
    ends = (now + timedelta(seconds=75)).replace(second=0, microsecond=0)
    await place.person("sleepy", "email", "push")
    await place.device("sleepy", "sleepy-token")
    quiet = {"begin": f"{now - timedelta(hours=1):%H:%M}", "end": f"{ends:%H:%M}"}
    answer = await place.prefer("sleepy", "PATCH", "", {"quiet_hours": quiet, "time_zone": "UTC", "digest_minutes": 0})
    expect(answer.status_code == 200, f"quiet hours: {answer.text}")
    await place.tell("sleepy", "good night")
    gone = await place.tell("sleepy", "never mind")
    await place.states("sleepy", *[("pending", None)] * 4, within=20.0)
    await place.people["ann"].client._authorised("DELETE", f"/v1/messages/{gone.id}")
    wanted = [SENT, SENT, ("skipped", "deleted"), ("skipped", "deleted")]

    async def settled() -> list[Any]:
        rows = await place.rows("sleepy")
        found = sorted(((row["state"], row["reason"]) for row in rows), key=str)
        assert found == sorted(wanted, key=str), f"sleepy: {found}"
        return list(rows)

    rows = await eventually(settled, within=120.0 + _after_the_outage(place), every=0.3)
    early = [row["settled_at"] for row in rows if row["state"] == "sent" and row["settled_at"] < ends]
    expect(not early, f"sent in quiet hours: {early}, which end at {ends}")
    expect(
        sum("good night" in mail.part("plain") for mail in smtp.mails) == 1, "the mail of the night is not there once"
    )


async def the_link_in_a_mail_ends_the_mails(place: Place) -> None:
    smtp = place.providers.smtp
    await place.person("annoyed", "email")
    await place.prefer("annoyed", "PATCH", "", {"digest_minutes": 0})
    said = await place.tell("annoyed", "one")
    await place.states("annoyed", SENT)
    (mail,) = [mail for mail in smtp.mails if said.canary in mail.part("plain")]
    expect(mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click", "no one-click header")
    await asyncio.to_thread(smtp.down)
    await place.tell("annoyed", "on its way")
    await place.states("annoyed", SENT, ("pending", None), within=15.0)
    link = str(mail.message["List-Unsubscribe"]).strip("<>")
    answer = await place._http.post(link, data={"List-Unsubscribe": "One-Click"})
    expect(answer.status_code == 200, f"the link answers {answer.status_code}: {answer.text[:200]}")
    await asyncio.to_thread(smtp.up)
    await place.states("annoyed", SENT, ("skipped", "unsubscribed"), within=20.0 + 300.0 / place.scale)
    await place.tell("annoyed", "never again")
    off = await eventually(lambda: _unplanned(place), within=15.0)
    expect(off >= 1, "the planner does not say that mails are off")
    expect(sum("annoyed" in mail.part("plain") for mail in smtp.mails) == 1, "mails after the unsubscribe link")


async def _unplanned(place: Place) -> float:
    return await place.metric("signalink_notifications_planned_total", kind="direct", verdict="off")


async def table_metric_and_log_tell_the_same(place: Place) -> None:
    """What the metric counts is what the table holds, nothing waits, and nothing private is told anywhere."""
    rows = await place.sql("SELECT state, channel, count(*) AS n FROM notifications.deliveries GROUP BY 1, 2")
    for row in rows:
        expect(row["state"] != "pending", f"{row['n']} deliveries by {row['channel']} wait still")
        if row["state"] != "failed":
            counted = await place.metric(
                "signalink_notification_attempts_total", channel=row["channel"], result=row["state"]
            )
            expect(counted == row["n"], f"{row['channel']} {row['state']}: {row['n']} rows, metric {counted}")
    failed = await place.sql("SELECT count(*) AS n FROM notifications.deliveries WHERE state = 'failed'")
    waiting = [letter for letter in await place.letters() if letter["state"] == "parked"]
    expect(len(waiting) == failed[0]["n"], f"{failed[0]['n']} failed, {len(waiting)} letters wait")
    duplicates = await place.sql(
        "SELECT 1 FROM notifications.deliveries GROUP BY message_id, user_id, channel HAVING count(*) > 1"
    )
    expect(not duplicates, f"{len(duplicates)} deliveries are there twice")
    told = place.logs() + (await place._get("/metrics")).text + str(waiting)
    private = [*place.said, "@example.org", "good-token", "dead-token", "sleepy-token", "token="]
    expect("delivery_sent" in told and "signalink_notification_seconds" in told, "there is nothing to look into")
    found = [secret for secret in private if secret in told]
    expect(not found, f"private things in logs, metrics or letters: {found[:5]}")


Step = Callable[[Place], Awaitable[None]]
WAITING: tuple[Step, ...] = (
    mails_of_a_digest_go_together,
    quiet_hours_hold_back_and_what_is_deleted_by_then_is_skipped,
)
SIDE_BY_SIDE: tuple[tuple[Step, ...], ...] = (
    (
        a_message_to_somebody_offline_ends_in_a_mailbox,
        smtp_that_is_away_costs_no_mail_and_no_partition,
        the_link_in_a_mail_ends_the_mails,
    ),
    (push_outlives_a_busy_fcm_and_deletes_dead_tokens,),
    (webhooks_reach_what_is_public_and_nothing_else,),
)


async def one_after_another(place: Place, steps: tuple[Step, ...]) -> list[str]:
    """The misses."""
    for step in steps:
        began, name = time.monotonic(), step.__name__.replace("_", " ")
        try:
            await step(place)
        except (Missed, AssertionError, TimeoutError) as error:
            say(f"MISSED {name}: {error}")
            return [name]
        say(f"{name}: ok ({time.monotonic() - began:.1f} s)")
    return []


async def run(platform: Platform, providers: Providers, scale: float) -> list[str]:
    async with Place.opened(platform, providers, scale) as place:
        rows = [*((step,) for step in WAITING), *SIDE_BY_SIDE]
        found = await asyncio.gather(*(one_after_another(place, steps) for steps in rows))
        missed = [name for each in found for name in each]
        return missed or await one_after_another(place, (table_metric_and_log_tell_the_same,))


def program(size: str, weakened: bool) -> bool:
    scale = SIZES[size]
    steps = len(WAITING) + sum(map(len, SIDE_BY_SIDE)) + 1
    with ExitStack() as stack:
        providers = Providers(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signalink-providers-"))))
        for server in providers.all:
            stack.enter_context(server)
        settings = providers.settings(scale)
        if weakened:
            settings |= {
                "EMAIL_ATTEMPTS": "1",
                "WEBHOOK_ALLOW": f"{settings['WEBHOOK_ALLOW']},127.0.0.1:{providers.sink.port}",
            }
        platform = stack.enter_context(Platform(settings))
        missed = asyncio.run(run(platform, providers, scale))
        platform.keep |= bool(missed)
        mails, pushes, posts = len(providers.smtp.mails), len(providers.fcm.messages), len(providers.hooks.taken)
    say(
        f"notifications: {steps - len(missed)} of {steps} as designed, {mails} mails, {pushes} pushes, {posts} posts, "
        f"SMTP away for {OUTAGE_SECONDS / scale:.0f} s at 1:{scale:g} {'missed' if missed else 'ok'}"
    )
    return not missed


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--weakened", action="store_true", help="a platform that must miss")
    chosen = parser.parse_args()
    return concluded("notifications", lambda: program(chosen.size, chosen.weakened))


if __name__ == "__main__":
    sys.exit(main())
