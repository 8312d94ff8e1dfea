"""Quiet hours: local times of a zone, every day, over midnight where they end before they begin. Pure.

Local means what a clock on the wall shows, so an hour that comes twice in autumn is quiet twice. An end that a clock
skips in spring is an hour later on that day.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True, slots=True)
class Quiet:
    """From `begin` up to `end`, which is not quiet any more; the two differ."""

    zone: str
    begin: time
    end: time

    def holds(self, moment: datetime) -> bool:
        """`moment` has a zone, any."""
        clock = moment.astimezone(zone_of(self.zone)).time()
        if self.begin < self.end:
            return self.begin <= clock < self.end
        return clock >= self.begin or clock < self.end

    def ends(self, moment: datetime) -> datetime | None:
        """When it may be loud again, in UTC; None: it is now."""
        if not self.holds(moment):
            return None
        zone = zone_of(self.zone)
        today = moment.astimezone(zone).date()
        for days in range(4):
            for fold in (0, 1):
                end = datetime.combine(today + timedelta(days=days), self.end, zone).replace(fold=fold).astimezone(UTC)
                if end > moment and not self.holds(end):
                    return end
        return None


@lru_cache(maxsize=600)
def zone_of(name: str) -> ZoneInfo:
    """A zone by its IANA name; UTC for one that this machine does not know (any more)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
