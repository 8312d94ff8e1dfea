"""Owns that a Secret of Kubernetes holds a good token of a service.

A token is issued where there is none that this database and these keys know, where a
third of its life is left, and where `--rotation` says another text than before: then all older ones end at once. The
Secret is made by the chart; this changes it and nothing else.
"""

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import httpx
import jwt

from signalink_api import service_tokens
from signalink_core.auth.keys import KeyRing
from signalink_core.auth.service_tokens import CHANNELS_ADMIN
from signalink_core.clock import utc_now
from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_core.kubernetes import MERGE, KubernetesApi
from signalink_core.settings import PostgresSettings

NOTE: Final = "signalink.dev/token-"
LEFT: Final = 3
"""A token with less than a third of its life is replaced."""
ATTEMPTS: Final = 3
Verdict = Literal["keep", "renew", "replace"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One token: for `service`, in `key` of the Secret `secret`, good for `days`."""

    service: str
    secret: str
    key: str
    days: int
    rotation: str


def decide(wanted: Wanted, secret: Mapping[str, Any], live: Collection[UUID], kids: Collection[str]) -> Verdict:
    """What becomes of the token in a Secret. `live`: tokens that the database takes; `kids`: keys of this api."""
    notes = secret["metadata"].get("annotations") or {}
    try:
        token = base64.b64decode((secret.get("data") or {})[wanted.key]).decode()
        kid = jwt.get_unverified_header(token)["kid"]
        held, expires = UUID(notes[f"{NOTE}id"]), datetime.fromisoformat(notes[f"{NOTE}expires"])
    except (KeyError, ValueError, UnicodeDecodeError, binascii.Error, jwt.PyJWTError):
        return "renew"
    if notes.get(f"{NOTE}rotation", "") != wanted.rotation:
        return "replace"
    young = expires - utc_now() > timedelta(days=wanted.days) / LEFT
    return "keep" if young and held in live and kid in kids else "renew"


async def ensure(api: KubernetesApi, settings: PostgresSettings, keys: KeyRing, issuer: str, wanted: Wanted) -> str:
    """One line that says what was done. Raises SignalinkError, httpx.HTTPError."""
    path = f"/api/v1/namespaces/{api.namespace}/secrets/{wanted.secret}"
    for _ in range(ATTEMPTS):
        secret = _taken(await api.call("GET", path), wanted.secret)
        tokens = await service_tokens.listed(settings)
        verdict = decide(wanted, secret, {one.id for one in tokens if one.live}, keys.kids)
        if verdict == "keep":
            return f"the token of {wanted.service} in Secret {wanted.secret} is good"
        issued = await service_tokens.issue(settings, keys, issuer, wanted.service, [CHANNELS_ADMIN], wanted.days)
        answer = await api.call("PATCH", path, _patch(wanted, secret, issued), MERGE)
        if answer.status_code == httpx.codes.CONFLICT:  # somebody else wrote it: theirs counts
            await service_tokens.revoke(settings, str(issued.id))
            continue
        _taken(answer, wanted.secret)
        ended = await service_tokens.revoke(settings, wanted.service, issued.id) if verdict == "replace" else []
        return f"Secret {wanted.secret} holds a new token of {wanted.service}; {len(ended)} older ones ended"
    raise DependencyUnavailable(f"Secret {wanted.secret} was changed by others {ATTEMPTS} times.")


def _patch(wanted: Wanted, secret: Mapping[str, Any], issued: service_tokens.Issued) -> dict[str, Any]:
    notes = {
        "id": str(issued.id),
        "expires": issued.expires_at.astimezone(UTC).isoformat(),
        "rotation": wanted.rotation,
    }
    return {
        "metadata": {
            "resourceVersion": secret["metadata"]["resourceVersion"],
            "annotations": {f"{NOTE}{key}": value for key, value in notes.items()},
        },
        "data": {wanted.key: base64.b64encode(issued.token.encode()).decode()},
    }


def _taken(answer: httpx.Response, name: str) -> dict[str, Any]:
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise ConfigurationError(f"There is no Secret {name}.", next_step="install the chart, which makes it.")
    if answer.status_code == httpx.codes.FORBIDDEN:
        raise ConfigurationError(
            f"This service account may not get and patch Secret {name}.", next_step="give it the chart's Role."
        )
    if not answer.is_success:
        raise DependencyUnavailable(f"Kubernetes answers {answer.status_code} for Secret {name}: {answer.text[:200]}")
    return dict(answer.json())
