"""Bodies of the block routes: owns what a user sees of whom they blocked."""

from uuid import UUID

from signalink_core.web.schemas import Answer, Moment


class Block(Answer):
    """Their messages reach you in channels, but you are told of none."""

    user_id: UUID
    username: str
    created_at: Moment


class Blocks(Answer):
    items: list[Block]
