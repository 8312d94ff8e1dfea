"""`python -m signalink_relay`: one relay process, until SIGTERM; everything is in `app`."""

from signalink_core import process
from signalink_relay import app

if __name__ == "__main__":
    process.run(app.main, service="relay")
