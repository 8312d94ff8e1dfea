"""Bodies of the device routes. A push token is a secret of the device: it is taken, never shown."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import StringConstraints

from signalink_core.web.schemas import Answer, Moment, Request
from signalink_core.web.text import Line

Name: Any = Line(100, least=0)
PushToken = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[\x21-\x7e]+$")]


class DeviceRequest(Request):
    kind: Literal["fcm"] = "fcm"
    push_token: PushToken
    name: Name = ""


class Device(Answer):
    id: UUID
    kind: Literal["fcm"]
    name: str
    created_at: Moment
    last_seen_at: Moment


class Devices(Answer):
    items: list[Device]
