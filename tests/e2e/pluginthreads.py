"""Threads for Pulumi's plugins that are written in Python, as stand-ins for providers are.

Such a plugin makes resources in the threads of asyncio's pool in which the resources of a chart also wait: with six of
them on two CPUs a chart of more than six resources waits for ever.
"""

from pathlib import Path
from typing import Final

SITE: Final = '''"""More threads for pools that do not say how many they want."""
import concurrent.futures.thread as threads

_made = threads.ThreadPoolExecutor.__init__


def _more(self, max_workers=None, *arguments, **named):
    _made(self, 64 if max_workers is None else max_workers, *arguments, **named)


threads.ThreadPoolExecutor.__init__ = _more
'''


def site(folder: Path) -> Path:
    """A folder for PYTHONPATH, inside of `folder`, that every Python below the engine reads first."""
    made = folder / "site"
    made.mkdir()
    (made / "sitecustomize.py").write_text(SITE, encoding="utf-8")
    return made
