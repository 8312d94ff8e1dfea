"""What a missing, starting, full or slow Postgres raises, told apart from the errors of a statement."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from asyncpg import exceptions as pg

from signalink_core.errors import DependencyUnavailable

RETRY_AFTER_SECONDS: Final = 1.0
AWAY: Final[tuple[type[BaseException], ...]] = (
    OSError,
    TimeoutError,
    pg.PostgresConnectionError,
    pg.InterfaceError,
    pg.InternalClientError,
    pg.OperatorInterventionError,
    pg.InsufficientResourcesError,
    pg.TransactionTimeoutError,
    pg.LockNotAvailableError,
    pg.InvalidAuthorizationSpecificationError,
)
"""Away, starting, stopping, full, too slow, or not letting us in (a rotated password: the file is read again)."""


@contextmanager
def unavailable_when_away() -> Iterator[None]:
    """Raise DependencyUnavailable for it; errors of statements pass unchanged."""
    try:
        yield
    except AWAY as error:
        raise unavailable() from error


def unavailable() -> DependencyUnavailable:
    return DependencyUnavailable(
        "The database does not answer.", retry_after=RETRY_AFTER_SECONDS, next_step="repeat after Retry-After seconds."
    )
