"""Routes of services with a token of their own (`signalink token service`); no user's token is taken here."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from signalink_api import parts
from signalink_api.admin.identity import ChannelsAdmin
from signalink_api.admin.schemas import ManagedBy, ManagedChannel, ManagedChannelRequest, Mode, Slug
from signalink_api.problems import refusals

router = APIRouter(prefix="/v1/admin", tags=["admin"])


@router.put(
    "/channels/{slug}",
    responses={
        201: {"model": ManagedChannel, "description": "The channel was made."},
        **refusals("forbidden", "conflict", "archived", body=True),
    },
)
async def put_channel(
    slug: Slug, asked: ManagedChannelRequest, request: Request, response: Response, service: ChannelsAdmin
) -> ManagedChannel:
    """Make the channel as this document says, or change it to that. Repeating changes nothing and writes nothing.

    409 with `reason` managed_elsewhere names who holds it in `managed_by` (null: people made it); `adopt` takes it.
    """
    channel, created = await parts.of(request).admin.put(slug, asked, service)
    response.status_code = 201 if created else 200
    return channel


@router.get("/channels/{slug}", responses=refusals("forbidden", "not_found", "validation"))
async def get_channel(slug: Slug, request: Request, service: ChannelsAdmin) -> ManagedChannel:
    """The channel of this slug as it is, whoever manages it."""
    return await parts.of(request).admin.get(slug)


@router.delete(
    "/channels/{slug}",
    status_code=204,
    responses=refusals("forbidden", "not_found", "conflict", "validation"),
)
async def delete_channel(
    slug: Slug,
    managed_by: Annotated[ManagedBy, Query(description="Who you manage it as.")],
    mode: Annotated[Mode, Query(description="`archive`: closed but readable, and nobody's; `delete`: gone.")],
    request: Request,
    service: ChannelsAdmin,
) -> None:
    """Let the channel go. Repeating changes nothing; of a deleted one it then answers 404."""
    await parts.of(request).admin.remove(slug, managed_by, mode, service)
