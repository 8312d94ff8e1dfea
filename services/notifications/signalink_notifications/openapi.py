"""Writes docs/api/notifications.openapi.json from the code: `python -m signalink_notifications.openapi [FOLDER]`.

A test compares what is committed with what this makes.
"""

import sys
from pathlib import Path

from signalink_core.web import openapi
from signalink_notifications import public

FOLDER = Path("docs/api")
NAME = "notifications.openapi.json"


if __name__ == "__main__":
    openapi.write(public.create_app(), (Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER) / NAME)
