"""`python -m signalink_api`: one api process; everything is in `app`."""

import asyncio

from signalink_api import app
from signalink_api.settings import Settings
from signalink_core import process


async def _main(stop: asyncio.Event) -> None:
    await app.serve(Settings.from_env(), stop)


if __name__ == "__main__":
    process.run(_main, service="api")
