"""Push notifications over Firebase Cloud Messaging, HTTP v1, by firebase-admin.

Owns the form of a message and what FCM's answers mean. The library sends in threads of its own here: its asynchronous
client fetches access tokens on the event loop. FCM takes no idempotency key, so a repeat carries the same tag and
collapse id, and takes the place of the first on the device.
"""

import asyncio
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from uuid import uuid4

import firebase_admin
import orjson
from firebase_admin import credentials, exceptions, messaging
from google.auth.exceptions import GoogleAuthError
from requests.adapters import HTTPAdapter

from signalink_core import clock
from signalink_core.errors import ConfigurationError
from signalink_core.lifecycle import Lifecycle
from signalink_notifications.channels import content
from signalink_notifications.channels.port import Again, Never, Notice, Outcome, Outgoing, Sent, Target
from signalink_notifications.delivery.retries import retry_after
from signalink_notifications.delivery.settings import PushSettings

LONGEST_BODY: Final = 240
"""Of the text on the lock screen; FCM takes 4 KB in all."""
_OURS: Final = (exceptions.UnauthenticatedError, exceptions.PermissionDeniedError, messaging.ThirdPartyAuthError)


class PushChannel(Lifecycle):
    """`disabled` without SIGNALINK_PUSH_CREDENTIALS_FILE."""

    name = "push"

    def __init__(self, settings: PushSettings) -> None:
        super().__init__()
        self._settings = settings
        self.disabled = "" if settings.credentials_file else "SIGNALINK_PUSH_CREDENTIALS_FILE is not set"

    async def _start(self) -> None:
        if self.disabled:
            return
        certificate = _certificate(self._settings)
        options = {"projectId": certificate.project_id, "httpTimeout": self._settings.timeout_seconds / 2}
        self._app = firebase_admin.initialize_app(certificate, options, name=f"signalink-{uuid4()}")
        self._threads = ThreadPoolExecutor(self._settings.concurrency, thread_name_prefix="push")
        _adapt(self._app, self._settings.endpoint)

    async def _stop(self) -> None:
        if not self.disabled:
            self._threads.shutdown(wait=False, cancel_futures=True)
            await asyncio.to_thread(firebase_admin.delete_app, self._app)  # it runs a loop of its own

    def provider(self, target: Target) -> str:
        return "fcm"

    async def send(self, outgoing: Outgoing) -> Outcome:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                name = await loop.run_in_executor(self._threads, messaging.send, message(outgoing), False, self._app)
                return Sent(name)
        except TimeoutError:
            return Again("timeout")
        except exceptions.FirebaseError as error:
            return judged(error)
        except GoogleAuthError:
            return Again("fcm_login")
        except ValueError:
            return Never("message_invalid")


def judged(error: exceptions.FirebaseError) -> Outcome:
    """A dead or malformed token is gone; our own credentials may be put right; the rest of 4xx never changes."""
    if isinstance(error, messaging.UnregisteredError | messaging.SenderIdMismatchError):
        return Never("unregistered", gone=True)
    if isinstance(error, exceptions.DeadlineExceededError):
        return Again("timeout")
    response = error.http_response
    if response is None:
        return Again("unreachable")
    if isinstance(error, _OURS):
        return Again(f"fcm_login_{response.status_code}")
    if isinstance(error, exceptions.InvalidArgumentError):
        return Never("token_malformed", gone=True) if _blames_the_token(response) else Never("fcm_400")
    if response.status_code == 429 or response.status_code >= 500:
        return Again(f"fcm_{response.status_code}", retry_after(response.headers.get("Retry-After"), clock.utc_now()))
    return Never(f"fcm_{response.status_code}")


def _blames_the_token(response: Any) -> bool:
    """google.rpc.BadRequest names the field; an older form of the answer only says it in words."""
    try:
        error = orjson.loads(response.content)["error"]
        fields = [field["field"] for one in error.get("details", ()) for field in one.get("fieldViolations", ())]
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return "message.token" in fields or "registration token" in str(error.get("message", "")).lower()


def message(outgoing: Outgoing) -> messaging.Message:
    """For one device. Its registration token, which the library would have replaced by an installation id, is what
    devices registered with."""
    notice, key = outgoing.notices[0], str(outgoing.key)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return _message(outgoing.target.address, notice, key)


def _message(token: str, notice: Notice, key: str) -> messaging.Message:
    return messaging.Message(
        token=token,
        notification=messaging.Notification(
            title=content.title(notice), body=content.line(content.body(notice), LONGEST_BODY)
        ),
        data={
            "idempotency_key": key,
            "notification_id": str(notice.notification_id),
            "kind": notice.kind,
            "channel_id": str(notice.channel_id),
            "message_id": str(notice.message_id),
            "message_seq": str(notice.message_seq),
        },
        android=messaging.AndroidConfig(notification=messaging.AndroidNotification(tag=key)),
        apns=messaging.APNSConfig(headers={"apns-collapse-id": key}),
        webpush=messaging.WebpushConfig(notification=messaging.WebpushNotification(tag=key)),
    )


def _certificate(settings: PushSettings) -> credentials.Certificate:
    path = settings.credentials_file
    try:
        return credentials.Certificate(str(path))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The service account in {path} cannot be used: {type(error).__name__}.",
            next_step="put the JSON key file of a service account there, or unset SIGNALINK_PUSH_CREDENTIALS_FILE.",
        ) from error


def _adapt(app: firebase_admin.App, endpoint: str) -> None:
    """The library has no setting for its address, nor for its retries: five calls where one attempt was recorded.

    Its sign-in would ask a third host, in a thread of its own, in which regions the account may be used; FCM has none.
    """
    app.credential.get_credential()._is_regional_access_boundary_lookup_required = lambda: False
    service = messaging._get_messaging_service(app)
    service._fcm_url = f"{endpoint}/v1/projects/{app.project_id}/messages:send"
    for scheme in ("https://fcm.googleapis.com", "https://", "http://"):
        service._client.session.mount(scheme, HTTPAdapter(max_retries=0))
