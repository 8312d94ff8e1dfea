"""Bodies of the ticket route: the origin asked for, the ticket given. What it is worth is the service's."""

from typing import Annotated

from pydantic import Field, StringConstraints

from signalink_core.web.schemas import Answer, Request


class TicketRequest(Request):
    """`origin`: what the socket's handshake will send as Origin; a browser's own header wins."""

    origin: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None


class Ticket(Answer):
    ticket: str = Field(description="One use, as WebSocket subprotocol `ticket.<value>` or in the first message.")
    expires_in: int = Field(description="Seconds.")
    url: str
