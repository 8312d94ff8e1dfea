"""The api's admin endpoint for channels: PUT a whole document, DELETE by slug. What to ask for is left to `plans`.

Every call has a deadline. A failure is a value per channel (`model.Failure`): one that is refused hides no other. The
service token comes from a file, is read again once at a 401, and stands in no message and no log line.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from signalink_core import faults
from signalink_core.errors import ConfigurationError, FaultInjected
from signalink_core.lifecycle import Lifecycle
from signalink_core.settings import read_secret
from signalink_core.telemetry import names as metric_names
from signalink_operator.model import Failure, ObservedChannel, Removal

TIMEOUT = httpx.Timeout(10.0, connect=2.0)
PATH = "/v1/admin/channels/"
UNAVAILABLE = "ApiUnavailable"
_REASONS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "ApiUnauthorized",
    HTTPStatus.FORBIDDEN: "ApiForbidden",
    HTTPStatus.TOO_MANY_REQUESTS: "ApiThrottled",
    HTTPStatus.BAD_REQUEST: "InvalidChannel",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "InvalidChannel",
    HTTPStatus.UNPROCESSABLE_ENTITY: "InvalidChannel",
}
_CONFLICTS: Mapping[str, str] = {
    "archived": "ChannelArchived",
    "channel_full": "ChannelFull",
    "managed_elsewhere": "NameTaken",
}
Answer = httpx.Response | Failure


@dataclass
class _Batch:
    """Calls made together: once the api has not answered one, the others that wait are not tried."""

    down: Failure | None = None


class ApiChannels(Lifecycle):
    """`url` is the api's address. `in_flight`: calls at a time. Starting raises ConfigurationError without a token.

    `transport`: how to get there, where not over the network.
    """

    def __init__(
        self,
        url: str,
        token_file: Path,
        in_flight: int = 20,
        timeout: httpx.Timeout = TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__()
        self._transport = transport
        self._url, self._token_file, self._timeout = url.rstrip("/"), token_file, timeout
        self._in_flight, self._slots = in_flight, asyncio.Semaphore(in_flight)
        self._token = ""

    async def _start(self) -> None:
        self._token = self._read_token()
        limits = httpx.Limits(max_connections=self._in_flight, max_keepalive_connections=self._in_flight)
        self._client = await self.enter(
            httpx.AsyncClient(
                base_url=self._url, timeout=self._timeout, limits=limits, trust_env=False, transport=self._transport
            )
        )

    async def put(self, documents: Mapping[str, Mapping[str, Any]]) -> dict[str, ObservedChannel | Failure]:
        """Make each channel what its document says; by slug what it is now, or why not."""
        batch = _Batch()
        calls = (self._call(batch, "put_channel", "PUT", slug, json=body) for slug, body in documents.items())
        answers = await asyncio.gather(*calls)
        return {slug: _observed(answer) for slug, answer in zip(documents, answers, strict=True)}

    async def remove(self, removals: Mapping[str, Removal]) -> dict[str, Failure]:
        """Archive or delete; those that failed. That it is gone, or has another manager by now, is success."""
        batch = _Batch()
        calls = (
            self._call(batch, "delete_channel", "DELETE", slug, params={"managed_by": one.managed_by, "mode": one.mode})
            for slug, one in removals.items()
        )
        answers = dict(zip(removals, await asyncio.gather(*calls), strict=True))
        failed = {slug: answer for slug, answer in answers.items() if isinstance(answer, Failure)}
        return {slug: failure for slug, failure in failed.items() if failure.reason not in {"NotFound", "NameTaken"}}

    # -- one call ----------------------------------------------------------------------------------------------------

    async def _call(self, batch: _Batch, call: str, method: str, slug: str, **given: Any) -> Answer:
        async with self._slots:
            if batch.down is not None:
                return batch.down
            began = time.monotonic()
            answer = await self._tried(batch, call, method, slug, given)
            result = "failed" if isinstance(answer, Failure) else "ok"
            metric_names.OPERATOR_ADMIN_CALL_SECONDS.labels(call=call, result=result).observe(time.monotonic() - began)
            return answer

    async def _tried(self, batch: _Batch, call: str, method: str, slug: str, given: Mapping[str, Any]) -> Answer:
        try:
            await faults.point("operator.before_call", call=call)
            response = await self._authorised(method, slug, given)
            await faults.point("operator.after_call", call=call)
        except httpx.HTTPError as error:
            batch.down = Failure(UNAVAILABLE, f"No answer from {self._url}: {type(error).__name__}.")
            return batch.down
        except FaultInjected as error:
            return Failure(UNAVAILABLE, str(error))
        except ConfigurationError as error:
            return Failure("ApiUnauthorized", error.detail)
        return response if response.is_success else _failure(response, slug)

    async def _authorised(self, method: str, slug: str, given: Mapping[str, Any]) -> httpx.Response:
        """A token that is refused may have been replaced in its file: read it again, once."""
        response = await self._send(method, slug, given)
        if response.status_code != HTTPStatus.UNAUTHORIZED:
            return response
        self._token = self._read_token()
        return await self._send(method, slug, given)

    async def _send(self, method: str, slug: str, given: Mapping[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token}"}
        return await self._client.request(method, PATH + slug, headers=headers, **given)

    def _read_token(self) -> str:
        token = (read_secret(self._token_file, "the api's service token") or "").strip()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ConfigurationError(
                f"The file {self._token_file} holds no token: it has spaces or signs that no token has.",
                next_step="write the service token and nothing else to it.",
            )
        return token


def _observed(answer: Answer) -> ObservedChannel | Failure:
    if isinstance(answer, Failure):
        return answer
    try:
        document = answer.json()
        return ObservedChannel(
            channel_id=str(document["id"]),
            slug=str(document["slug"]),
            member_count=int(document["member_count"]),
            event_topic=document.get("event_topic"),
            unresolved=tuple(map(str, document.get("unresolved") or ())),
            kept_owner=bool(document.get("kept_owner")),
            changed=bool(document.get("changed")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Failure("ApiError", f"The api answered no channel: {type(error).__name__} {error}.")


def _failure(response: httpx.Response, slug: str) -> Failure:
    """The problem document as a reason of a condition, in the api's words."""
    status = response.status_code
    try:
        problem = dict(response.json())
    except (TypeError, ValueError):
        problem = {}
    said = str(problem.get("detail") or f"The api answered {status}.")[:1000]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Failure(UNAVAILABLE, said)
    if status == HTTPStatus.NOT_FOUND:
        # An api that does not know the way itself says so without a code of its own.
        known = problem.get("code") == "not_found"
        return Failure("NotFound" if known else "ApiError", said if known else f"{response.url.path}: {said}")
    if status == HTTPStatus.CONFLICT:
        said_by = (problem.get("reason"), problem.get("code"))
        reason = next((_CONFLICTS[str(word)] for word in said_by if str(word) in _CONFLICTS), "ApiConflict")
        if reason != "NameTaken":
            return Failure(reason, said)
        holder = str(problem.get("managed_by") or "")
        return Failure(reason, f"Channel {slug} is held by {holder or 'people: no resource manages it'}.", holder)
    return Failure(_REASONS.get(status, "ApiError"), said)
