"""Routes of the signed-in user's preferences: parse and answer; what is kept is `service`'s."""

from fastapi import APIRouter, Request

from signalink_core.events.types import NotificationChannel, NotificationKind
from signalink_core.web.identity import SignedIn
from signalink_notifications import parts
from signalink_notifications.preferences.schemas import (
    ChoiceRequest,
    NewWebhook,
    Preferences,
    PreferencesPatch,
    WebhookRequest,
)
from signalink_notifications.problems import refusals

router = APIRouter(prefix="/v1/preferences", tags=["preferences"])


@router.get("", responses=refusals())
async def mine(request: Request, caller: SignedIn) -> Preferences:
    """What you want to be told and how; the defaults, if you never changed anything."""
    return await parts.of(request).preferences.mine(caller.user_id)


@router.patch("", responses=refusals(body=True))
async def patch(asked: PreferencesPatch, request: Request, caller: SignedIn) -> Preferences:
    """Change what you name, and nothing else."""
    return await parts.of(request).preferences.patch(caller.user_id, asked)


@router.put("/choices/{kind}/{channel}", responses=refusals(body=True))
async def choose(
    kind: NotificationKind, channel: NotificationChannel, asked: ChoiceRequest, request: Request, caller: SignedIn
) -> Preferences:
    """Whether notifications of a kind come through a channel. Repeating changes nothing."""
    return await parts.of(request).preferences.choose(caller.user_id, kind, channel, asked.enabled)


@router.put("/webhook", responses=refusals("url_refused", body=True))
async def set_webhook(asked: WebhookRequest, request: Request, caller: SignedIn) -> NewWebhook:
    """Where notifications are posted to. Each call makes another secret, which only this answer shows."""
    return await parts.of(request).preferences.set_webhook(caller.user_id, asked.url)


@router.delete("/webhook", status_code=204, responses=refusals())
async def drop_webhook(request: Request, caller: SignedIn) -> None:
    """Post nothing any more. Repeating changes nothing."""
    await parts.of(request).preferences.drop_webhook(caller.user_id)
