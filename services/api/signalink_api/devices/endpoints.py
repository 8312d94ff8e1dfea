"""Routes of the signed-in user's devices: parse and answer; what is kept is `service`'s."""

from uuid import UUID

from fastapi import APIRouter, Request

from signalink_api import parts
from signalink_api.devices.schemas import Device, DeviceRequest, Devices
from signalink_api.problems import refusals
from signalink_core.web.identity import SignedIn

router = APIRouter(prefix="/v1/users/me/devices", tags=["devices"])


@router.get("", responses=refusals())
async def mine(request: Request, caller: SignedIn) -> Devices:
    """Your devices, the one seen last first; at most 20."""
    return await parts.of(request).devices.mine(caller.user_id)


@router.put("", responses=refusals(body=True))
async def put(asked: DeviceRequest, request: Request, caller: SignedIn) -> Device:
    """Register a push token, or say that it still is one. Repeating changes when it was last seen."""
    return await parts.of(request).devices.put(caller.user_id, asked)


@router.delete("/{device_id}", status_code=204, responses=refusals("validation"))
async def delete(device_id: UUID, request: Request, caller: SignedIn) -> None:
    """Send nothing to this device any more. Repeating changes nothing."""
    await parts.of(request).devices.delete(caller.user_id, device_id)
