"""`python -m signalink_analytics`: one analytics process, until SIGTERM; everything is in `app`."""

from signalink_analytics import app
from signalink_analytics.settings import SERVICE
from signalink_core import process

if __name__ == "__main__":
    process.run(app.main, service=SERVICE)
