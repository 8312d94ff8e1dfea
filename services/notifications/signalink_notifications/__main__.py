"""`python -m signalink_notifications`: one notifications process, until SIGTERM; everything is in `app`."""

from signalink_core import process
from signalink_notifications import app

if __name__ == "__main__":
    process.run(app.main, service="notifications")
